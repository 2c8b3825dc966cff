"""What a series is called where nothing of its own words may be kept: words of sequences that name nobody, else its modality."""

import re

SEQUENCES = (
    "T1", "T2", "FLAIR", "PD", "STIR", "DIR", "DWI", "ADC", "TRACE", "DTI", "SWI", "GRE", "MPRAGE", "SPACE", "TSE", "FSE", "DIXON",
    "WATER", "FAT", "TOF", "MRA", "CTA", "CTP", "DCE", "DSC", "ASL", "CBF", "CBV", "BOLD", "PET", "CT", "GD", "CONTRAST", "PRE", "POST",
    "ARTERIAL", "VENOUS", "PORTAL", "DELAYED", "AX", "COR", "SAG", "SUB", "MIP", "LUNG", "BONE", "3D",
)  # fmt: skip
"""Words of radiology that series descriptions hold, in the order in which a name tells them."""

_PARTS = re.compile(r"[^A-Za-z0-9]+")
_WEIGHTED = re.compile(r"(T[12]|PD)(?:W|WI|WEIGHTED)?(?:STAR)?")
_MODALITIES = {"PET": "PT", "MRI": "MR"}
_MOST = 4


def words_of(text: str) -> tuple[str, ...]:
    """The words of a description, in capitals, with T1w as T1."""
    plain = [word.upper() for word in _PARTS.split(text) if word]
    return tuple(found.group(1) if (found := _WEIGHTED.fullmatch(word)) else word for word in plain)


def sequence_name(description: str, modality: str) -> str:
    """What a series is called by words that name nobody, such as "T2 FLAIR"; its modality where its description has none of them."""
    there = set(words_of(description))
    named = [word for word in SEQUENCES if word in there and word != modality][:_MOST]
    return " ".join(named) or (modality if modality.isalnum() and len(modality) <= 4 else "series")


def is_called(text: str, description: str, modality: str) -> bool:
    """Whether a series is what somebody calls it: by all the words of a text in its description, or by its modality."""
    wanted = words_of(text)
    if len(wanted) == 1 and _MODALITIES.get(wanted[0], wanted[0]) == modality.upper():
        return True
    return bool(wanted) and set(wanted) <= set(words_of(description))
