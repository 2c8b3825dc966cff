"""Where the frames of a file lie that gives one position for all: nuclear medicine and dose grids.

Source: DICOM PS3.3 C.8.4.15 (NM reconstruction: the sign of Spacing Between Slices is the direction of stacking), C.8.4.8 (slice
vector), C.8.4.11 (detector), C.8.8.3.2 (grid frame offset vector).
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from medloop.core.errors import FormatError

Offsets = npt.NDArray[np.float64]

_AGAIN = "export the series again"


def is_reconstructed(tags: Any) -> bool:
    """Whether an NM object's frames are slices of a volume, rather than views or times."""
    kind = list(tags.get("ImageType", None) or [])
    return str(tags.get("Modality", "")) == "NM" and len(kind) > 2 and "RECON" in str(kind[2])


def detector_of(tags: Any) -> Any:
    """The detector's attributes, where a reconstruction keeps its position and orientation; None elsewhere."""
    items = tags.get("DetectorInformationSequence", None) if is_reconstructed(tags) else None
    return items[0] if items else None


def frame_offsets(name: str, tags: Any, frames: int) -> Offsets | None:
    """Distance of each frame from the first along their normal in mm; None when the file does not say.

    Raises:
        FormatError: Several frames at one place (times, energies), or offsets that are no numbers.
    """
    grid = tags.get("GridFrameOffsetVector", None)
    if grid is not None and len(grid) == frames:
        offsets: Offsets = _finite(name, [float(value) for value in grid])
        offsets -= offsets[0]
        return offsets
    step = _step(name, tags)
    if step is None:
        return None
    return step * (_slice_numbers(name, tags, frames) - 1)


def _step(name: str, tags: Any) -> float | None:
    """Signed distance of neighbouring frames: as stated, or for a reconstruction at least their thickness."""
    keywords = ("SpacingBetweenSlices", "SliceThickness") if is_reconstructed(tags) else ("SpacingBetweenSlices",)
    for keyword in keywords:
        value = tags.get(keyword, None)
        if value not in (None, "", 0):
            return float(_finite(name, [float(value)])[0])
    return None


def _slice_numbers(name: str, tags: Any, frames: int) -> Offsets:
    """The slice, from 1, that each frame is."""
    stated = tags.get("SliceVector", None)
    numbers = [int(stated)] if isinstance(stated, int) else [int(number) for number in stated or ()]
    if len(numbers) != frames:
        return np.arange(1.0, frames + 1)
    if len(set(numbers)) != frames:
        raise FormatError(
            f"{name}: a volume has one frame a slice, this has {frames} frames of {len(set(numbers))} slices (times or energies)",
            remedy="export each time or energy as a file of its own",
        )
    return np.array(numbers, dtype=np.float64)


def _finite(name: str, values: list[float]) -> Offsets:
    numbers = np.array(values)
    if not np.isfinite(numbers).all():
        raise FormatError(f"{name}: the spacing of frames must be finite", remedy=_AGAIN)
    return numbers
