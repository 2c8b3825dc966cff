"""A name planted wherever a file of any format can hold words, to look for it afterwards in everything that a project holds or writes."""

import gzip
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import nibabel
import numpy as np
import pydicom
from PIL import Image as Picture
from PIL.PngImagePlugin import PngInfo
from pydicom.datadict import DicomDictionary
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from .dicom_series import write_stack

PLANTED = "QUETZALCOATL"
WORDS = frozenset({"AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UT", "UR"})
NEEDED = frozenset({"Modality", "PhotometricInterpretation", "SpecificCharacterSet"})


def string_attributes() -> list[str]:
    """Every attribute of the dictionary that holds words, but for those that an image cannot be read without."""
    groups = (2, 0x50, 0x60)
    named = {keyword: tag for tag, (vr, _, _, retired, keyword) in DicomDictionary.items() if vr in WORDS and keyword and not retired}
    return [keyword for keyword, tag in named.items() if tag >> 16 not in (0, 2, 4) and tag >> 24 not in groups and keyword not in NEEDED]


def plant_in_dicom(path: Path) -> None:
    """The name in every attribute of words, private ones, nested sequences, the file meta group, the preamble and behind the pixels."""
    ds = pydicom.dcmread(path)
    for keyword in string_attributes():
        setattr(ds, keyword, PLANTED)
    ds.ImageType = ["ORIGINAL", PLANTED, "AXIAL"]
    for creator in (PLANTED, "SIEMENS CSA HEADER"):
        ds.private_block(0x0029, creator, create=True).add_new(0x10, "UN", PLANTED.encode())
    ds.AnatomicRegionSequence, ds.SharedFunctionalGroupsSequence = [_code()], [_group()]
    ds.RequestAttributesSequence = ds.OriginalAttributesSequence = [_words()]
    overlay = Dataset()
    overlay.add_new(0x60000022, "LO", PLANTED)
    overlay.add_new(0x60003000, "OW", PLANTED.encode())
    ds.update(overlay)
    ds.add_new(0xFFFCFFFC, "OB", PLANTED.encode())
    ds.add_new(Tag(0x0008, 0x0007), "LO", PLANTED)  # in no dictionary
    ds["PixelData"].value += PLANTED.encode()
    ds.file_meta.SourceApplicationEntityTitle = PLANTED
    ds.file_meta.PrivateInformationCreatorUID, ds.file_meta.PrivateInformation = "1.2.3", PLANTED.encode()
    ds.preamble = PLANTED.encode().ljust(128, b"\0")
    ds.save_as(path, enforce_file_format=True)


def _code() -> Dataset:
    ds = Dataset()
    ds.CodeValue, ds.CodingSchemeDesignator, ds.CodeMeaning = "T-A0100", "SRT", PLANTED
    return ds


def _words() -> Dataset:
    ds = Dataset()
    for keyword in string_attributes():
        setattr(ds, keyword, PLANTED)
    ds.PersonIdentificationCodeSequence = [_code()]
    return ds


def _group() -> Dataset:
    group, inner = Dataset(), _words()
    inner.AnatomicRegionSequence = [_code()]
    group.FrameAnatomySequence = [inner]
    group.private_block(0x0029, PLANTED, create=True).add_new(0x10, "LO", PLANTED)
    return group


def plant_everywhere(folder: Path) -> None:
    """`series/` of DICOM, `volumes/` of NIfTI, NRRD and MetaImage, `pictures/`; no name of a file or folder holds the name."""
    for path in write_stack(folder / "series" / "scan").iterdir():
        plant_in_dicom(path)
    (folder / "volumes").mkdir(parents=True)
    (folder / "pictures").mkdir()
    _nifti(folder / "volumes" / "a.nii.gz")
    _texts(folder / "volumes")
    _pictures(folder / "pictures")


def _nifti(path: Path) -> None:
    image = nibabel.Nifti1Image(np.arange(60, dtype=np.int16).reshape(5, 4, 3), np.diag([1, 2, 3, 1.0]))
    header = image.header
    for field in ("descrip", "aux_file", "db_name", "intent_name"):
        header[field] = PLANTED.encode()
    header.extensions.append(nibabel.nifti1.Nifti1Extension("comment", PLANTED.encode()))
    nibabel.save(image, path)


def _texts(folder: Path) -> None:
    voxels = np.arange(60, dtype="<i2").tobytes()
    fields = "dimension: 3\ntype: short\nsizes: 5 4 3\nendian: little\nencoding: raw\nspace: left-posterior-superior\n"
    place = "space directions: (1,0,0) (0,1,0) (0,0,1)\nspace origin: (0,0,0)\n"
    (folder / "b.nrrd").write_bytes(f"NRRD0005\n# {PLANTED}\ncontent: {PLANTED}\n{fields}{place}{PLANTED}:={PLANTED}\n\n".encode() + voxels)
    head = "ObjectType = Image\nNDims = 3\nDimSize = 5 4 3\nElementType = MET_SHORT\nBinaryData = True\nBinaryDataByteOrderMSB = False\n"
    head += f"TransformMatrix = 1 0 0 0 1 0 0 0 1\nOffset = 1 2 3\nElementSpacing = 1 1 1\nComment = {PLANTED}\nName = {PLANTED}\n"
    (folder / "c.mha").write_bytes(f"{head}ElementDataFile = LOCAL\n".encode() + voxels)


def _pictures(folder: Path) -> None:
    picture = Picture.fromarray(np.arange(30, dtype=np.uint8).reshape(6, 5))
    words = PngInfo()
    words.add_text("Patient", PLANTED)
    words.add_itxt("Comment", PLANTED)
    exif = Picture.Exif()
    exif[0x010E] = exif[0x013B] = PLANTED
    picture.save(folder / "d.png", pnginfo=words, exif=exif)
    Picture.fromarray(np.arange(42, dtype=np.uint8).reshape(6, 7)).save(folder / "e.jpg", comment=PLANTED, exif=exif)
    Picture.fromarray(np.arange(48, dtype=np.uint8).reshape(6, 8)).save(folder / "f.tif", description=PLANTED, software=PLANTED)


def jpeg_frame_with_comment(frame: bytes) -> bytes:
    """A JPEG with the name in a comment, in application data, and past its end."""
    said = PLANTED.encode()
    segments = b"".join(b"\xff" + marker + struct.pack(">H", len(said) + 2) + said for marker in (b"\xfe", b"\xe1"))
    return frame[:2] + segments + frame[2:] + said


def bytes_of(place: Path) -> Iterator[tuple[Path, bytes]]:
    """Every file below a folder, or the only one, as it is and unpacked."""
    for path in [place] if place.is_file() else sorted(place.rglob("*")):
        if path.is_file():
            data = path.read_bytes()
            yield path, data
            if data[:2] == b"\x1f\x8b":
                yield path, gzip.decompress(data)
            if path.suffix == ".png":
                yield path, _unpacked_chunks(data)


def _unpacked_chunks(data: bytes) -> bytes:
    found, at = b"", 8
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        body = data[at + 8 : at + 8 + length]
        found += body if kind != b"IDAT" else zlib.decompressobj().decompress(body)
        at += 12 + length
    return found


def holds_planted(data: bytes) -> bool:
    """Whether the name stands in some bytes, in any of the usual encodings and letter cases."""
    low = data.lower()
    return any(PLANTED.lower().encode(code) in low for code in ("ascii", "utf-16-le", "utf-16-be"))
