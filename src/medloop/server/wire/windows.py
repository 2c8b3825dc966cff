"""Windows worth a button: the file's own first, then what its intensities spread over, then the usual ones of its modality."""

from medloop.core.records import Case, Window
from medloop.loop.data.first_display import is_colour

CT_PRESETS = (
    ("Abdomen", -160.0, 240.0),
    ("Lung", -1350.0, 150.0),
    ("Bone", -450.0, 1050.0),
    ("Brain", 0.0, 80.0),
    ("Mediastinum", -125.0, 225.0),
    ("Liver", -45.0, 105.0),
)
"""Hounsfield windows in common use (width/level 400/40, 1500/−600, 1500/300, 80/40, 350/50, 150/30)."""

SUV_PRESETS = (("SUV 0–5", 0.0, 5.0), ("SUV 0–10", 0.0, 10.0))

CT_AIR = -900.0
"""Only CT holds intensities this low: air is −1000 Hounsfield units."""

COUNTED = frozenset({"PT", "NM"})
"""Modalities of counts and uptake, where 0 means none: they are drawn from 0."""


def presets(case: Case, channel: int = 0) -> list[Window]:
    """The windows of a channel: DICOM's own, Auto, Full, those of its modality, and of what its values spread over; names differ."""
    if is_colour(case.source, case.channels, case.dtype):
        return [Window(name="As stored", low=0.0, high=255.0)]
    first, top = channel_windows(case)[channel]
    own = (case.display.windows if case.channels == 1 else ()) or (Window(name="Auto", low=first, high=top),)
    least, _, _, most = _values(case, channel)
    return [*own, Window(name="Full", low=least, high=max(most, least + 1.0)), *_usual(case, channel, high=own[-1].high)]


def channel_windows(case: Case) -> tuple[tuple[float, float], ...]:
    """(low, high) to draw each channel first; red, green and blue as stored."""
    return ((0.0, 255.0),) * 3 if is_colour(case.source, case.channels, case.dtype) else case.channel_windows


def looks_like(case: Case) -> str:
    """The modality that the intensities of a case speak for where its files name none: "CT", or ""."""
    low, most = case.value_range
    return "CT" if not case.display.modality and low <= CT_AIR and most > 0 else ""


def _values(case: Case, channel: int) -> tuple[float, ...]:
    """Smallest, 5 %, 95 % and largest intensity; without the two in the middle (equal to the ends) where nobody looked."""
    low, high = case.value_range
    return case.display.channel_values[channel] if case.display.channel_values else (low, low, high, high)


def _usual(case: Case, channel: int, *, high: float) -> list[Window]:
    """The usual windows of a modality; where it has none, of the middle of the values."""
    modality = case.display.modality or looks_like(case)
    if modality == "CT":
        return [Window(name=name, low=a, high=b) for name, a, b in CT_PRESETS]
    if modality in COUNTED and high > 0:
        suv = SUV_PRESETS if case.display.unit == "SUV" else ()
        return [Window(name="From zero", low=0.0, high=high), *(Window(name=name, low=a, high=b) for name, a, b in suv)]
    stored = [Window(name="As stored", low=0.0, high=255.0)] if case.dtype == "uint8" else []
    _, low, top, _ = _values(case, channel)
    return stored + ([Window(name="5–95 %", low=low, high=top)] if case.display.channel_values and low < top else [])
