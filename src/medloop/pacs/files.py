"""DICOM files as they arrive: named without a patient's data, and on the disk before anybody is told that they are.

A file is first written under another name, brought to the disk, and renamed, so that what has its name is whole. Only its meta group
is looked at, and its data set is decoded in the limited process of the import alone.
"""

import hashlib
import os
import secrets
import shutil
from io import BytesIO
from pathlib import Path

from pydicom.filereader import read_dataset

from medloop.core.errors import FormatError, StorageError
from medloop.images.files import sync_folder

LEAST_FREE = 256 << 20
"""Bytes of the disk that stay free, so that the project itself can go on."""

_PREAMBLE = 128
_INSTANCE = 0x00020003


def instance_of(content: bytes) -> str:
    """The SOP Instance UID in the meta group of a file's bytes.

    Raises:
        FormatError: It is no DICOM file.
    """
    if content[_PREAMBLE : _PREAMBLE + 4] != b"DICM":
        raise FormatError("A part of a reply is no DICOM file")
    head = BytesIO(content[_PREAMBLE + 4 : 1 << 16])
    meta = read_dataset(head, is_implicit_VR=False, is_little_endian=True, stop_when=lambda tag, _vr, _length: tag >> 16 != 2)
    return str(meta.get(_INSTANCE).value) if _INSTANCE in meta else ""


def series_name(uid: str) -> str:
    """What the folder of a series, and so its case, is called: the same for every way it comes by."""
    return f"series-{hashlib.sha256(uid.encode()).hexdigest()[:12]}"


def file_name(uid: str) -> str:
    """What the file of an instance is called."""
    return f"{hashlib.sha256(uid.encode()).hexdigest()[:32]}.dcm"


def private_folder(path: Path) -> Path:
    """A folder that only this user can use, made if there is none.

    Raises:
        StorageError: The disk refuses.
    """
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise StorageError(f"{path.name} cannot be made: {error.strerror}", remedy="free space, or check who may write there") from error
    return path


def keep_file(folder: Path, uid: str, content: bytes, *, durable: bool = True) -> Path:
    """Write an instance so that it is whole, and on the disk, when this returns.

    Args:
        folder: Where to.
        uid: Its SOP Instance UID.
        content: The file's bytes.
        durable: Wait for the disk; not needed of what can be fetched again.

    Raises:
        StorageError: The disk refuses, or is nearly full.
    """
    require_room(folder, len(content))
    path, beside = folder / file_name(uid), folder / f".{secrets.token_hex(8)}.part"
    try:
        descriptor = os.open(beside, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        with open(descriptor, "wb") as file:  # noqa: PTH123  # a descriptor has no path
            file.write(content)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        beside.replace(path)
        if durable:
            sync_folder(folder)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise StorageError(f"What arrives cannot be written: {error.strerror}", remedy="free space, then repeat") from error
    return path


def require_room(folder: Path, more: int) -> None:
    """Refuse to fill the disk.

    Raises:
        StorageError: Less than `LEAST_FREE` would be left.
    """
    free = shutil.disk_usage(folder).free
    if free - more < LEAST_FREE:
        raise StorageError(f"The disk must keep {LEAST_FREE >> 20} MiB free, {free >> 20} MiB are", remedy="free space, then repeat")
