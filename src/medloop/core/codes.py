"""Codes that tell other programs what a label is, whatever it is called: SNOMED CT where it is known, else a private code of medloop.

A code is written `SCHEME:VALUE:MEANING`, as `SCT:10200004:Liver`. A label has the code that somebody gave it, else the one that its name
has in the table here, else one of the scheme 99MEDLOOP whose value is made from its name alone.

Source: DICOM PS3.3 C.8.20.4 (segment description), PS3.16 CID 7150 (categories), CID 244 (laterality); values as pydicom's dictionary
of SNOMED CT has them.
"""

import hashlib
import re
from dataclasses import dataclass

from medloop.core.errors import LabelError
from medloop.core.names import folded
from medloop.core.records import Label

PRIVATE = "99MEDLOOP"
_MOST_VALUE, _MOST_MEANING = 16, 64
"""Longest value and meaning: the value representations SH and LO."""


@dataclass(frozen=True)
class Code:
    """A coded concept: its scheme, its value there, and what it means in words."""

    scheme: str
    value: str
    meaning: str

    def __str__(self) -> str:
        return f"{self.scheme}:{self.value}:{self.meaning}"

    def same_as(self, other: "Code") -> bool:
        """Whether it is the same concept, whatever the words; SRT is the older name of no other scheme here."""
        return (self.scheme, self.value) == (other.scheme, other.value)


@dataclass(frozen=True)
class Coded:
    """What a label is: its category, its type, and the side that it is on, None for none."""

    category: Code
    kind: Code
    side: Code | None = None


ANATOMY = Code("SCT", "91723000", "Anatomical Structure")
ABNORMAL = Code("SCT", "49755003", "Morphologically Abnormal Structure")
TISSUE = Code("SCT", "85756007", "Tissue")
REGION = Code("SCT", "309825002", "Spatial and Relational Concept")
LEFT, RIGHT = Code("SCT", "7771000", "Left"), Code("SCT", "24028007", "Right")

_ANATOMY = {
    "liver": "10200004 Liver",
    "spleen": "78961009 Spleen",
    "kidney": "64033007 Kidney",
    "pancreas": "15776009 Pancreas",
    "stomach": "69695003 Stomach",
    "gallbladder": "28231008 Gallbladder",
    "aorta": "15825003 Aorta",
    "inferior vena cava": "64131007 Inferior vena cava",
    "portal vein": "32764006 Portal vein",
    "adrenal gland": "23451007 Adrenal gland",
    "duodenum": "38848004 Duodenum",
    "colon": "71854001 Colon",
    "small intestine": "30315005 Small intestine",
    "rectum": "34402009 Rectum",
    "bladder": "89837001 Bladder",
    "prostate": "41216001 Prostate",
    "uterus": "35039007 Uterus",
    "lung": "39607008 Lung",
    "trachea": "44567001 Trachea",
    "esophagus": "32849002 Esophagus",
    "heart": "80891009 Heart",
    "left ventricle": "87878005 Left ventricle",
    "right ventricle": "53085002 Right ventricle",
    "left atrium": "82471001 Left atrium",
    "right atrium": "73829009 Right atrium",
    "thyroid": "69748006 Thyroid",
    "breast": "76752008 Breast",
    "brain": "12738006 Brain",
    "hippocampus": "5366008 Hippocampus",
    "spinal cord": "2748008 Spinal cord",
    "spine": "421060004 Spine",
    "bone": "272673000 Bone",
    "femur": "71341001 Femur",
    "muscle": "71616004 Muscle",
    "skin": "39937001 Skin",
    "eye": "81745001 Eye",
}
_ABNORMAL = {
    "tumor": "108369006 Neoplasm",
    "neoplasm": "108369006 Neoplasm",
    "lesion": "52988006 Lesion",
    "nodule": "27925004 Nodule",
    "mass": "4147007 Mass",
    "cyst": "367643001 Cyst",
    "edema": "79654002 Edema",
    "necrosis": "6574001 Necrosis",
    "hemorrhage": "50960005 Hemorrhage",
}
_SPELLINGS = {
    "tumour": "tumor",
    "oedema": "edema",
    "haemorrhage": "hemorrhage",
    "oesophagus": "esophagus",
    "vertebral column": "spine",
    "urinary bladder": "bladder",
    "gall bladder": "gallbladder",
    "thyroid gland": "thyroid",
    "kidneys": "kidney",
    "lungs": "lung",
    "lesions": "lesion",
    "nodules": "nodule",
    "cysts": "cyst",
    "bones": "bone",
    "eyes": "eye",
    "breasts": "breast",
    "adrenal": "adrenal gland",
    "ivc": "inferior vena cava",
    "postcava": "inferior vena cava",
}


def _table() -> dict[str, tuple[Code, Code]]:
    rows = [(name, words, ANATOMY) for name, words in _ANATOMY.items()] + [(name, words, ABNORMAL) for name, words in _ABNORMAL.items()]
    found = {name: (category, Code("SCT", *words.split(" ", 1))) for name, words, category in rows}
    return found | {other: found[name] for other, name in _SPELLINGS.items()}


KNOWN = _table()
"""Name of a label, in lower case → category and type."""


def parse_code(text: str) -> Code:
    """A code from `SCHEME:VALUE:MEANING`.

    Raises:
        LabelError: It is not written so, or a part is empty or longer than DICOM allows.
    """
    scheme, _, rest = text.strip().partition(":")
    value, _, meaning = rest.partition(":")
    parts = [part.strip() for part in (scheme, value, meaning)]
    bounds = (_MOST_VALUE, _MOST_VALUE, _MOST_MEANING)
    if any(not 0 < len(part) <= most or not part.isprintable() or "\\" in part for part, most in zip(parts, bounds, strict=True)):
        raise LabelError(
            f"A code is SCHEME:VALUE:MEANING of at most {_MOST_VALUE}, {_MOST_VALUE} and {_MOST_MEANING} characters, got {text[:100]!r}",
            remedy="for example SCT:10200004:Liver",
        )
    return Code(*parts)


def coded(label: Label) -> Coded:
    """What a label is, in codes: what was given, else by its name, else a private code."""
    known = _by_name(label.name)
    if label.code:
        kind = parse_code(label.code)
        category = next((one for one, code in KNOWN.values() if code.same_as(kind)), REGION)
        return Coded(category, kind, known.side if known is not None and known.kind.same_as(kind) else None)
    if known is not None:
        return known
    digest = hashlib.sha256(folded(label.name).encode()).hexdigest()[:10]
    return Coded(REGION, Code(PRIVATE, f"L-{digest}", label.name.replace("\\", "/")[:_MOST_MEANING]))


def _by_name(name: str) -> Coded | None:
    """The codes of a name of the table, also with a side before or behind it, as `left kidney` or `kidney_right`."""
    words = [word for word in re.split(r"[\s_\-.,]+", folded(name)) if word]
    if found := KNOWN.get(" ".join(words)):
        return Coded(*found)
    for word, side in (("left", LEFT), ("right", RIGHT)):
        rest = KNOWN.get(" ".join(one for one in words if one != word))
        if words.count(word) == 1 and rest is not None:
            return Coded(*rest, side)
    return None
