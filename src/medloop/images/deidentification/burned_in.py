"""Whether text may be burned into the pixels, judged by what kind of image it is: nothing here reads the pixels.

Source: DICOM PS3.3 C.7.6.1 (Burned In Annotation), C.8.6.1 (Conversion Type), PS3.15 E.3.1 (Clean Pixel Data).
"""

from typing import Any

_KINDS = {
    "US": "ultrasound",
    "IVUS": "intravascular ultrasound",
    "XA": "angiography",
    "RF": "fluoroscopy",
    "ES": "endoscopy",
    "XC": "a photograph",
    "GM": "microscopy",
    "OT": "of no stated kind",
    "SC": "a secondary capture",
}
_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
_DIGITISED = frozenset({"DV", "DF", "SD", "SI", "DRW", "WSD"})
BURNED_IN = "names or dates may be burned into its pixels"
"""How the note begins."""


def burned_in_note(tags: Any) -> str:
    """Why an image may show text; "" where its header says that it does not, or its kind seldom does."""
    stated = str(tags.get("BurnedInAnnotation", "") or "").upper()
    if stated == "NO":
        return ""
    why = "its header says so" if stated == "YES" else _by_kind(tags)
    return f"{BURNED_IN} ({why}): look at it, and blank them with --blank" if why else ""


def _by_kind(tags: Any) -> str:
    if str(tags.get("SOPClassUID", "") or "").startswith(_CAPTURE):
        return _KINDS["SC"]
    if str(tags.get("ConversionType", "") or "") in _DIGITISED:
        return "scanned or captured"
    return _KINDS.get(str(tags.get("Modality", "") or ""), "")
