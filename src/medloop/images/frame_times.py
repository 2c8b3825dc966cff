"""Whether the frames of a file are moments rather than places, and when each begins.

Source: DICOM PS3.3 C.7.6.6 (multi-frame: Frame Increment Pointer), C.7.6.5 (cine: Frame Time, Frame Time Vector, Cine Rate).
"""

import math
from typing import Any

import numpy as np

from medloop.core.records import OVER_TIME

_FRAME_TIME = 0x00181063
_FRAME_TIME_VECTOR = 0x00181065


def are_moments(tags: Any, *, spaced: bool) -> bool:
    """Whether a file's frames follow each other in time.

    The file's own pointer decides where there is one. Without it, frames whose distance is stated are places; frames with a rate, or of
    a modality that only films, are moments.

    Args:
        tags: The file's attributes.
        spaced: Whether the file states how far its frames lie apart, or where.
    """
    pointer = tags.get("FrameIncrementPointer", None)
    named = {int(tag) for tag in (pointer if hasattr(pointer, "__iter__") else [pointer]) if tag}
    if named:
        return bool(named & {_FRAME_TIME, _FRAME_TIME_VECTOR})
    if spaced:
        return False
    rated = any(tags.get(keyword, None) not in (None, "") for keyword in ("FrameTime", "FrameTimeVector", "CineRate"))
    return rated or str(tags.get("Modality", "")) in OVER_TIME


def frame_seconds(tags: Any, frames: int) -> tuple[float, ...]:
    """When each frame begins, in seconds from the first; () where the file does not say, or says what cannot be.

    Args:
        tags: The file's attributes.
        frames: How many it has.
    """
    steps = _floats(tags.get("FrameTimeVector", None))
    if len(steps) == frames and all(math.isfinite(step) and step >= 0 for step in steps):
        return tuple(np.round(np.cumsum([0.0, *steps[1:]]) / 1000, 6).tolist())
    step = _positive(tags.get("FrameTime", None))
    rate = _positive(tags.get("CineRate", None))
    if step is None and rate is None:
        return ()
    each = step / 1000 if step is not None else 1 / (rate or 1.0)
    return tuple(round(number * each, 6) for number in range(frames))


def time_note(frames: int, seconds: tuple[float, ...]) -> str:
    """The note of a case whose last axis is time."""
    lasting = f"{seconds[-1]:.3g} s from the first to the last" if seconds else "their times are not stored"
    return f"{frames} frames are moments of one picture, not slices of a volume; {lasting}"


def _positive(value: Any) -> float | None:
    (number,) = _floats(value) or [0.0]
    return number if math.isfinite(number) and number > 0 else None


def _floats(value: Any) -> list[float]:
    if value is None or value == "":
        return []
    try:
        return [float(one) for one in ([value] if isinstance(value, str | int | float) else value)]
    except (TypeError, ValueError):
        return []
