"""Why a DICOM file is no case, told truly: by its kind of object, its compression, its damage, or its missing preamble."""

import struct
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import UID

from medloop.images.files import read_start

NO_IMAGE = {
    "SEG": "a segmentation (SEG)",
    "RTSTRUCT": "a set of contours (RTSTRUCT)",
    "RTPLAN": "a treatment plan (RTPLAN)",
    "SR": "a structured report (SR)",
    "PR": "a presentation state (PR)",
    "KO": "a selection of other objects (KO)",
    "REG": "a registration (REG)",
    "FID": "a list of fiducials (FID)",
    "DOC": "a document such as a PDF (DOC)",
    "AU": "sound (AU)",
    "ECG": "an ECG",
}
"""Modalities of objects that are not images to annotate, in words."""

IMAGE_RULE = "a DICOM case needs an image"
_CHOOSE = "import its image series; masks are imported as NIfTI beside their images"
_AGAIN = "copy or export it again"
_EXTRA = frozenset(
    {
        "1.2.840.10008.1.2.5",
        "1.2.840.10008.1.2.4.80",
        "1.2.840.10008.1.2.4.81",
        "1.2.840.10008.1.2.4.90",
        "1.2.840.10008.1.2.4.91",
        "1.2.840.10008.1.2.4.201",
        "1.2.840.10008.1.2.4.202",
        "1.2.840.10008.1.2.4.203",
    }
)
"""Transfer syntaxes that the optional decoders read: RLE, JPEG-LS, JPEG 2000 and its high throughput form."""

_VIDEO = ("1.2.840.10008.1.2.4.10", "1.2.840.10008.1.2.7")
_ITEM, _SEQUENCE_END = b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0"
_UNDEFINED = 0xFFFFFFFF
_FIRST_ELEMENTS, _SHORT = 0x0100, 0x0400
"""Element numbers and value lengths of the elements that files begin with."""
_LONG_VRS = (b"OB", b"OW", b"OF", b"OD", b"UN", b"OV")


@dataclass(frozen=True)
class RefusedFile:
    """A DICOM file that no case holds.

    Attributes:
        path: The file, or the first of several that are refused for the same reason.
        rule: Why.
        remedy: What to do about it.
    """

    path: Path
    rule: str
    remedy: str


def kind_refusal(tags: Any) -> tuple[str, str] | None:
    """Why an object is no image to annotate (reason, remedy); None when it is one."""
    modality = str(tags.get("Modality", "") or "")
    if modality in NO_IMAGE:
        return f"{IMAGE_RULE}, this is {NO_IMAGE[modality]}", _CHOOSE
    if "Rows" in tags and "Columns" in tags:
        return None
    kind = UID(str(tags.get("SOPClassUID", "") or "")).name
    return f"{IMAGE_RULE}, this is {kind or 'an object of no stated kind'} without rows and columns", _CHOOSE


def codec_refusal(syntax: str) -> tuple[str, str] | None:
    """Why no installed decoder reads a transfer syntax (reason, remedy); None when one does."""
    uid = UID(syntax)
    if not syntax:
        return "a DICOM file names its transfer syntax, this does not", "export the series again"
    if syntax.startswith(_VIDEO[0]) and len(syntax) > len(_VIDEO[0]):
        return f"a DICOM case is made of images, this is a video ({uid.name})", "export its frames as pictures"
    with suppress(NotImplementedError):
        if get_decoder(uid).is_available:
            return None
    other = "decompress the series, for example with dcmdjpeg or gdcmconv --raw"
    return f"no decoder is installed for {uid.name}", "install medloop[dicom], which brings it" if syntax in _EXTRA else other


def unmarked_refusal(path: Path) -> tuple[str, str]:
    """Why a file that is called DICOM has no DICOM mark (reason, remedy)."""
    if not read_start(path, 1):
        return "a DICOM file holds something, this is empty", _AGAIN
    if is_bare(path):
        return (
            "a DICOM file starts with 128 bytes and the mark DICM, this one lacks them, so that its encoding is not known",
            "rewrite it with its preamble, for example with dcmconv of DCMTK",
        )
    return "a file called .dcm is DICOM, this one has neither its mark nor its elements", "leave it out"


def is_bare(path: Path) -> bool:
    """Whether a file starts with a data element, as DICOM without its preamble does."""
    start = read_start(path, 8)
    if len(start) < 8:
        return False
    group, element, length = struct.unpack("<HHI", start)
    explicit = start[4:6].isalpha() and start[4:6].isupper()
    return group in (0x0002, 0x0008) and element <= _FIRST_ELEMENTS and (explicit or length <= _SHORT)


def pixel_damage(path: Path, at: int, tags: Any) -> str:
    """Why the pixels of a file cannot be whole, "" when nothing speaks against it.

    Args:
        path: The file.
        at: Where its pixel element starts, as pydicom leaves it.
        tags: Its header.
    """
    size = path.stat().st_size
    if at >= size:
        return "its pixels are missing"
    with path.open("rb") as file:
        file.seek(at)
        start = file.read(12)
        implicit, little = tags.original_encoding
        explicit = not implicit
        long = explicit and start[4:6] in _LONG_VRS
        body = at + (12 if long else 8)
        length = struct.unpack(("<" if little else ">") + "I", start[8:12] if long else start[4:8])[0] if len(start) == 12 else 0
        if length != _UNDEFINED:
            return "" if body + length <= size else f"it is cut off: {length} bytes of pixels are declared, {size - body} are there"
        file.seek(body)
        return _fragment_damage(file, size)


def _fragment_damage(file: Any, size: int) -> str:
    """Walk the fragments of compressed pixels: each states a length that must lead to the next one, or to the end."""
    while len(head := file.read(8)) == 8:
        if head[:4] == _SEQUENCE_END:
            return ""
        length = struct.unpack("<I", head[4:])[0]
        if head[:4] != _ITEM or length == _UNDEFINED:
            return "its compressed pixels are damaged"
        if file.tell() + length > size:
            return "it is cut off within its compressed pixels"
        file.seek(length, 1)
    return "it is cut off: its compressed pixels have no end"
