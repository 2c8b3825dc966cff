"""How a DICOM series asks to be shown: its windows, its modality, whether its directions are known.

A window of centre C and width W is kept as C − W/2 to C + W/2 with its function; that of an inverted radiograph, whose ends change
places, as a straight line.

Source: DICOM PS3.3 C.11.2.1.2 and C.11.2.1.3 (window and its function), C.7.6.16.2.10 (frame VOI LUT), C.7.6.3.1.2 (MONOCHROME1).
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from statistics import median
from typing import Any

from medloop.core.arrays import ImageArray
from medloop.core.records import Curve, Display, Window
from medloop.images.dicom_geometry import Slice

MEASURED = frozenset({"CT", "PT", "NM", "MR", "RTDOSE"})
"""Modalities whose values mean something by themselves: MONOCHROME1 asks for inverse drawing only."""

_MAX_WINDOWS = 8
_MAX_NAME = 16
"""Longest explanation kept: the value representation SH."""


def display_of(slices: Sequence[Slice], array: ImageArray, *, oriented: bool) -> tuple[Display, tuple[str, ...]]:
    """The display of a series, and what was noticed about its windows.

    Args:
        slices: Of the volume, in order.
        array: Its intensities, (C, I, J, K).
        oriented: Whether the patient's directions are known.
    """
    modality = str(slices[0].header.tags.get("Modality", "") or "")[:_MAX_NAME]
    units = {one.unit for one in slices}
    tags = slices[0].header.tags
    plain = Display(
        modality=modality,
        oriented=oriented,
        unit=units.pop() if len(units) == 1 and len(array) == 1 else "",
        inverted=str(tags.get("PhotometricInterpretation", "")) == "MONOCHROME1" and modality in MEASURED,
    )
    if len(array) != 1:
        return plain, ()
    stated = [_windows(one) for one in slices]
    counts = {len(windows) for windows in stated}
    merged = [_middle(group) for group in zip(*stated, strict=True)] if len(counts) == 1 else []
    notes = []
    if any(len(_stated(one)) > len(windows) for one, windows in zip(slices, stated, strict=True)):
        notes.append(f"a window of the file has no width, or is one of more than {_MAX_WINDOWS}, and is left out")
    if any(len(set(group)) > 1 for group in zip(*stated, strict=False)) or len(counts) > 1:
        notes.append(
            "the window differs from slice to slice; the middle one is kept" if merged else "not every slice has a window; none is kept"
        )
    low, high = float(array.min()), float(array.max())
    useful = [window for window in merged if (window.low < high and window.high > low) or low == high]
    if len(useful) < len(merged):
        notes.append("a window of the file shows none of its values and is left out")
    return replace(plain, windows=_named(useful)), tuple(notes)


def inversion_end(tags: Any) -> int:
    """The stored value that 0 becomes where MONOCHROME1 is turned up."""
    return -1 if int(tags.get("PixelRepresentation", 0)) else (1 << int(tags.get("BitsStored", 8))) - 1


def _windows(one: Slice) -> list[Window]:
    """The usable windows of a slice, in the values that are kept."""
    found, tags = [], one.header.tags
    inverted = str(tags.get("PhotometricInterpretation", "")) == "MONOCHROME1" and str(tags.get("Modality", "")) not in MEASURED
    mirror = inversion_end(tags) * one.slope + 2 * one.intercept if inverted else 0.0  # stored v became `end - v` before the rescale
    for centre, width, name, function in _stated(one):
        if math.isfinite(centre) and math.isfinite(width) and width > 0:
            low, high = centre - width / 2, centre + width / 2
            if inverted:
                found.append(Window(name=name, low=mirror - high, high=mirror - low))
            else:
                found.append(Window(name=name, low=low, high=high, curve=_curve(function, width)))
    return found[:_MAX_WINDOWS]


_CURVES: dict[str, Curve] = {"LINEAR_EXACT": "exact", "SIGMOID": "sigmoid"}


def _curve(function: str, width: float) -> Curve:
    """LINEAR is meant where nothing is said; it needs a width of at least 1."""
    return _CURVES.get(function, "linear" if width >= 1 else "exact")


def _stated(one: Slice) -> list[tuple[float, float, str, str]]:
    """(centre, width, explanation, function) from the frame's own groups, the shared ones, or the file."""
    for place in _places(one):
        centres, widths = _floats(place.get("WindowCenter", None)), _floats(place.get("WindowWidth", None))
        if centres and len(centres) == len(widths):
            said = (str(one) for one in _listed(place.get("WindowCenterWidthExplanation", None)))
            words = ["".join(letter for letter in one if letter.isprintable())[:_MAX_NAME] for one in said]
            function = str(place.get("VOILUTFunction", None) or "LINEAR")
            return [(c, w, words[n] if n < len(words) else "", function) for n, (c, w) in enumerate(zip(centres, widths, strict=True))]
    return []


def _places(one: Slice) -> list[Any]:
    tags = one.header.tags
    own = tags.get("PerFrameFunctionalGroupsSequence", None) or []
    shared = tags.get("SharedFunctionalGroupsSequence", None) or []
    groups = [*own[one.frame : one.frame + 1], *shared[:1]]
    return [group.FrameVOILUTSequence[0] for group in groups if group.get("FrameVOILUTSequence", None)] + [tags]


def _middle(windows: tuple[Window, ...]) -> Window:
    return replace(windows[0], low=median(w.low for w in windows), high=median(w.high for w in windows))


def _named(windows: list[Window]) -> tuple[Window, ...]:
    """Without repetitions; the first is called DICOM, the others as the file explains them."""
    kept: list[Window] = []
    for window in windows:
        if all((window.low, window.high) != (other.low, other.high) for other in kept):
            name = f"DICOM {window.name or len(kept) + 1}" if kept else "DICOM"
            kept.append(replace(window, name=name, explanation=window.name))
    return tuple(kept)


def _floats(value: Any) -> list[float]:
    try:
        return [float(one) for one in _listed(value)]
    except (TypeError, ValueError):
        return []


def _listed(value: Any) -> list[Any]:
    if value is None or value == "":
        return []
    return [value] if isinstance(value, str | int | float) else list(value)
