"""Small files that ask for gigabytes or for minutes are refused within two seconds of processor time and half a gigabyte."""

import gzip
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from pydicom.encaps import encapsulate
from pydicom.filereader import read_dataset
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian, JPEG2000Lossless, JPEGBaseline8Bit, JPEGLSLossless, RLELossless

from medloop.images.sandbox import CPU_SECONDS, CPU_START_SECONDS, Child, Limits, cpu_seconds_for
from tests.images.test_dicom import slice_of

MOST_CPU_SECONDS, MOST_BYTES = 2.0, 512 << 20


@pytest.fixture(scope="module")
def child() -> Iterator[Child]:
    """A reading process whose use can be measured."""
    made = Child(Limits())
    yield made
    made.close()


def used(child: Child) -> tuple[float, int]:
    """Processor seconds so far, and the peak of memory since the last reset."""
    fields = Path(f"/proc/{child.pid}/stat").read_text().rsplit(")", 1)[1].split()
    peak = next(line for line in Path(f"/proc/{child.pid}/status").read_text().splitlines() if line.startswith("VmHWM"))
    return (int(fields[11]) + int(fields[12])) / 100, int(peak.split()[1]) * 1024


def refused(child: Child, path: Path, wanted: str = "image") -> str:
    """The refusal of a bomb, within its bounds."""
    child.call([path.parent / "absent.dcm"], "image")
    before, _ = used(child)
    Path(f"/proc/{child.pid}/clear_refs").write_text("5")
    record, _ = child.call([path], wanted)
    cpu, peak = used(child)
    assert cpu - before < MOST_CPU_SECONDS
    assert peak < MOST_BYTES
    if wanted == "facts":
        return str(record["refused"][0][1])
    return str(record["error"]["message"])


def encapsulated(path: Path, syntax: UID, frame: bytes, **changes: Any) -> Path:
    tags = slice_of(0, **changes)
    tags.file_meta.TransferSyntaxUID = syntax
    tags.PixelData = encapsulate([frame])
    tags["PixelData"].is_undefined_length = True
    tags["PixelData"].VR = "OB"
    tags.save_as(path, enforce_file_format=True)
    return path


def deflated(path: Path, size: int) -> Path:
    """A whole image, and behind it a private element of zeros."""
    tags = slice_of(0)
    tags.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    tags.save_as(path, enforce_file_format=True)
    with path.open("rb") as file:
        file.seek(132)
        read_dataset(file, is_implicit_VR=False, is_little_endian=True, stop_when=lambda tag, _vr, _length: tag >> 16 != 2)
        start = file.tell()
    data = path.read_bytes()
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    pieces = [data[:start], packer.compress(zlib.decompress(data[start:], -15) + struct.pack("<HH2sHI", 0x7FE1, 0x0010, b"UN", 0, size))]
    pieces += [packer.compress(bytes(1 << 20)) for _ in range(size >> 20)]
    path.write_bytes(b"".join([*pieces, packer.flush()]))
    return path


SIGNATURE = b"\x00\x00\x00\x0cjP  \r\n\x87\n"
SIZ = b"\xff\x4f\xff\x51" + struct.pack(">HHIIIIIIIIH", 41, 0, 60000, 60000, 0, 0, 60000, 60000, 0, 0, 1) + b"\x07\x01\x01"


def jpeg(marker: int, rows: int, columns: int) -> bytes:
    return b"\xff\xd8" + struct.pack(">BBHBHHB", 0xFF, marker, 11, 8, rows, columns, 1) + b"\x01\x11\x00" + b"\xff\xd9"


CODESTREAMS: dict[str, tuple[UID, bytes, str]] = {
    "a box of length 0": (JPEG2000Lossless, SIGNATURE + struct.pack(">I4s", 0, b"free") + bytes(200), "impossible length"),
    "a box of length 1": (JPEG2000Lossless, SIGNATURE + struct.pack(">I4s", 1, b"free") + bytes(1 << 20), "impossible length"),
    "a box that leads back": (JPEG2000Lossless, SIGNATURE + struct.pack(">I4s", 7, b"free") + bytes(200), "impossible length"),
    "a large codestream": (JPEG2000Lossless, SIZ + bytes(100), "is 60000×60000 pixels, the header says 4×6"),
    "a large boxed codestream": (JPEG2000Lossless, SIGNATURE + struct.pack(">I4s", 0, b"jp2c") + SIZ + bytes(99), "60000×60000"),
    "a large JPEG": (JPEGBaseline8Bit, jpeg(0xC0, 65000, 65000), "65000×65000"),
    "a large JPEG-LS": (JPEGLSLossless, jpeg(0xF7, 65000, 65000), "65000×65000"),
    "runs": (RLELossless, struct.pack("<16I", 1, 64, *[0] * 14) + b"\x81\x00" * (1 << 21), "runs of more bytes than it has pixels"),
    "shared runs": (RLELossless, struct.pack("<16I", 15, *[64] * 15) + b"\x81\x00" * (1 << 21), "runs of more bytes"),
    "no segments": (RLELossless, bytes(64), "0 segments"),
    "a short header": (RLELossless, bytes(10), "shorter than its header"),
}


@pytest.mark.parametrize("name", CODESTREAMS)
def test_a_compressed_frame_that_claims_more_than_the_header_is_refused(child: Child, tmp_path: Path, name: str) -> None:
    syntax, frame, rule = CODESTREAMS[name]
    path = encapsulated(tmp_path / "x.dcm", syntax, frame, BitsAllocated=8, BitsStored=8, HighBit=7, RescaleIntercept=0)
    assert rule in refused(child, path)


@pytest.mark.parametrize(("wanted", "size"), [("image", 100 << 20), ("facts", 100 << 20), ("facts", 700 << 20)])
def test_a_deflated_file_is_counted_while_it_inflates(child: Child, tmp_path: Path, wanted: str, size: int) -> None:
    assert "inflates to at most 512 MiB" in refused(child, deflated(tmp_path / "x.dcm", size), wanted)


def test_a_deflated_image_is_read(child: Child, tmp_path: Path) -> None:
    record, _ = child.call([deflated(tmp_path / "x.dcm", 1 << 20)], "image")
    assert record["grid"]["shape"] == [6, 4, 1]


def packbits(path: Path) -> Path:
    """A TIFF of 4×4 whose one strip is runs for half a gigabyte."""
    strip = b"\x81\x00" * (1 << 22)
    tags = [(256, 4), (257, 4), (258, 8), (259, 32773), (262, 1), (273, 8 + 2 + 9 * 12 + 4), (277, 1), (278, 4), (279, len(strip))]
    body = b"".join(struct.pack("<HHII", tag, 4 if tag in (273, 279) else 3, 1, value) for tag, value in tags)
    path.write_bytes(struct.pack("<2sHIH", b"II", 42, 8, len(tags)) + body + struct.pack("<I", 0) + strip)
    return path


def png_text(path: Path) -> Path:
    def block(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    text = block(b"zTXt", b"k\0\0" + zlib.compress(bytes(1 << 28), 9))
    header = block(b"IHDR", struct.pack(">IIBBBBB", 2, 1, 8, 0, 0, 0, 0))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + header + text * 20 + block(b"IDAT", zlib.compress(b"\0\1\2")) + block(b"IEND", b""))
    return path


def far_voxels(path: Path) -> Path:
    """A gzip of 2 GiB before the voxels."""
    header = bytearray(nibabel.Nifti1Image(np.zeros((2, 2, 2), np.uint8), np.eye(4)).header.binaryblock)
    struct.pack_into("<f", header, 108, float((1 << 31) - 128))
    header[344:348] = b"n+1\0"
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    piece = bytes(1 << 24)
    path.write_bytes(b"".join([packer.compress(bytes(header)), *(packer.compress(piece) for _ in range(32)), packer.flush()]))
    return path


def declared_only(path: Path) -> Path:
    """A header of 2 GiB on a few bytes."""
    header = bytearray(nibabel.Nifti1Image(np.zeros((2, 2, 2), np.uint8), np.eye(4)).header.binaryblock)
    struct.pack_into("<3h", header, 42, 1024, 1024, 2047)
    header[344:348] = b"n+1\0"
    path.write_bytes(gzip.compress(bytes(header) + bytes(1 << 20)))
    return path


OTHERS: dict[str, tuple[Callable[[Path], Path], str]] = {
    "text of a PNG": (png_text, "x.png"),
    "an offset of 2 GiB": (far_voxels, "x.nii.gz"),
    "a declared volume": (declared_only, "x.nii.gz"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_bombs_are_refused_too(child: Child, tmp_path: Path, name: str) -> None:
    made, file = OTHERS[name]
    assert refused(child, made(tmp_path / file)).startswith(file)


def test_runs_of_a_tiff_beyond_its_strip_are_never_unpacked(child: Child, tmp_path: Path) -> None:
    Path(f"/proc/{child.pid}/clear_refs").write_text("5")
    before, _ = used(child)
    child.call([packbits(tmp_path / "x.tif")], "image")
    cpu, peak = used(child)
    assert cpu - before < MOST_CPU_SECONDS
    assert peak < MOST_BYTES


def test_a_small_file_has_seconds_and_a_series_a_minute(tmp_path: Path) -> None:
    (tmp_path / "x.dcm").write_bytes(bytes(1000))
    (tmp_path / "series").mkdir()
    for number in range(4):
        with (tmp_path / f"series/{number}.dcm").open("wb") as file:
            file.truncate(30 << 20)
    assert cpu_seconds_for([tmp_path / "x.dcm"]) == CPU_START_SECONDS
    assert cpu_seconds_for([tmp_path / "series"]) == CPU_SECONDS
    assert cpu_seconds_for([tmp_path / "scan.nii.gz"]) == CPU_SECONDS
