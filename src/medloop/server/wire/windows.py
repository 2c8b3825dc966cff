"""Windows worth a button: the file's own first, then what its intensities spread over, then the usual ones of its modality."""

from medloop.core.records import Case, Window

CT_PRESETS = (("Soft tissue", -160.0, 240.0), ("Lung", -1350.0, 150.0), ("Bone", -450.0, 1050.0), ("Brain", 0.0, 80.0))
"""Hounsfield windows in common use (width/level 400/40, 1500/−600, 1500/300, 80/40)."""

CT_AIR = -900.0
"""Only CT holds intensities this low: air is −1000 Hounsfield units."""

COUNTED = frozenset({"PT", "NM"})
"""Modalities of counts and uptake, where 0 means none: they are drawn from 0."""


def presets(case: Case) -> list[Window]:
    """The windows of a case: DICOM's own, Auto, Full, and those of its modality; all have another name."""
    low, high = case.value_range
    first, top = channel_windows(case)[0]
    own = case.display.windows or (Window(name="Auto", low=first, high=top),)
    return [*own, Window(name="Full", low=low, high=max(high, low + 1.0)), *_usual(case, high=own[-1].high)]


def channel_windows(case: Case) -> tuple[tuple[float, float], ...]:
    """(low, high) to draw each channel first; red, green and blue as stored."""
    if case.channels == 3 and case.dtype == "uint8" and case.source.format in ("raster", "dicom") and len(case.source.names) == 1:
        return ((0.0, 255.0),) * 3
    return case.channel_windows


def _usual(case: Case, *, high: float) -> list[Window]:
    """The usual windows of a modality; CT is known by its values where nobody says so."""
    (low, most), modality = case.value_range, case.display.modality
    if modality == "CT" or (not modality and low <= CT_AIR and most > 0):
        return [Window(name=name, low=a, high=b) for name, a, b in CT_PRESETS]
    if modality in COUNTED and high > 0:
        return [Window(name="From zero", low=0.0, high=high)]
    return [Window(name="As stored", low=0.0, high=255.0)] if case.dtype == "uint8" else []
