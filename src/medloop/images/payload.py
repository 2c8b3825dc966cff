"""The voxels behind a text header, raw or deflated: as many bytes as the header declares, never more in memory, and not one less."""

import bz2
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, TypeAlias

from medloop.core.errors import FormatError, NotFoundError, StorageError
from medloop.images.files import stays_within
from medloop.images.result import MAX_VOXEL_BYTES

Packing: TypeAlias = Literal["raw", "gzip", "zlib", "bzip2"]

AT_THE_END = -1
"""Offset of voxels that are the last bytes of their file, whatever lies before them."""

_CHUNK = 1 << 20
_RATIO = {"raw": 1, "gzip": 1040, "zlib": 1040, "bzip2": 1 << 20}
"""What a stored byte can become at most: deflate 1032 (zlib's technical details); bzip2 is bounded while it is read."""

_MEMBER: dict[Packing, bytes] = {"gzip": b"\x1f", "bzip2": b"B"}
"""First byte of a further member."""

_CUT = "copy or download it again; it is cut off, or its header is not its own"


class _Unpacker(Protocol):
    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


@dataclass(frozen=True)
class Payload:
    """Where voxels lie.

    Attributes:
        path: The file that holds them.
        offset: Bytes before them, or `AT_THE_END`.
        size: Their bytes, unpacked, as the header declares.
        packing: How they are stored.
    """

    path: Path
    offset: int
    size: int
    packing: Packing


def read_payload(payload: Payload) -> bytes:
    """The voxels, exactly as many bytes as declared.

    Raises:
        FormatError: The file holds fewer or more, its compression is damaged, or the size is beyond what one file may hold.
        StorageError: It cannot be read.
    """
    name, stored = payload.path.name, _stored(payload.path)
    if payload.size > MAX_VOXEL_BYTES:
        least, most = f"{payload.size >> 20} MiB", f"{MAX_VOXEL_BYTES >> 20} MiB"
        raise FormatError(f"{name}: an image holds at most {most}, the header declares {least}", remedy="crop it, or repair the header")
    offset = max(stored - payload.size, 0) if payload.offset == AT_THE_END else payload.offset
    if (stored - offset) * _RATIO[payload.packing] < payload.size:
        raise FormatError(
            f"{name}: the header declares {payload.size} bytes of voxels, the file has {max(stored - offset, 0)}", remedy=_CUT
        )
    out = bytearray()
    for piece in _pieces(payload, offset):
        out += piece
        if len(out) > payload.size:
            rule = f"the header declares {payload.size} bytes of voxels, the file holds more"
            raise FormatError(f"{name}: {rule}", remedy="repair the sizes and the type in the header")
    if len(out) < payload.size:
        raise FormatError(f"{name}: the header declares {payload.size} bytes of voxels, the file holds {len(out)}", remedy=_CUT)
    return bytes(out)


def file_beside(header: Path, listed: str) -> Path:
    """The file that a header names for its voxels: in the header's own folder, links followed.

    Raises:
        FormatError: A name that leads elsewhere, or a pattern or list of files.
        NotFoundError: It is not there.
    """
    if not listed or not listed.isprintable() or "/" in listed or "\\" in listed or listed in (".", ".."):
        rule = "the file with the voxels lies in the folder of its header"
        raise FormatError(f"{header.name}: {rule}, got {listed[:80]!r}", remedy="put both into one folder, and its name into the header")
    found = header.parent / listed.strip()
    if ("%" in listed or " " in listed.strip() or listed.strip() == "LIST") and not found.is_file():
        rule = "the voxels lie in one file"
        raise FormatError(f"{header.name}: {rule}, got {listed[:80]!r}", remedy="save the volume as one file")
    if not stays_within(found, header.parent.resolve()):
        raise FormatError(f"{header.name}: the file with the voxels must not be a link out of its folder", remedy="copy it there")
    if not found.is_file():
        raise NotFoundError(f"{header.name}: its voxels are in {found.name}, which is not there", remedy="put it beside the header")
    return found


def _stored(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise StorageError(f"{path.name}: cannot be read: {error.strerror}", remedy="check its permissions") from error


def _pieces(payload: Payload, offset: int) -> Iterator[bytes]:
    try:
        with payload.path.open("rb") as file:
            file.seek(offset)
            chunks = iter(lambda: file.read(_CHUNK), b"")
            yield from chunks if payload.packing == "raw" else _unpacked(payload, chunks)
    except FormatError:
        raise
    except (zlib.error, EOFError, ValueError) as error:
        rule = f"its compressed voxels must be intact, got: {error}"
        raise FormatError(f"{payload.path.name}: {rule}", remedy="copy or download the file again") from error
    except OSError as error:  # also what bzip2 raises on damage
        rule = f"its voxels cannot be read: {error.strerror or error}"
        raise FormatError(f"{payload.path.name}: {rule}", remedy="copy or download the file again") from error


def _unpacked(payload: Payload, chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Unpack in pieces of a MiB, through the end mark, where checksums are compared."""
    unpack: _Unpacker = _unpacker(payload.packing)
    for stored in chunks:
        rest = stored
        while rest:
            if unpack.eof:
                unpack = _next_member(payload, rest)
            piece = unpack.decompress(rest, _CHUNK)
            while piece:
                yield piece
                piece = b"" if unpack.eof else unpack.decompress(_tail(unpack), _CHUNK)
            rest = unpack.unused_data if unpack.eof else b""
    if unpack.eof:
        return
    raise FormatError(f"{payload.path.name}: its compressed voxels must be complete, but they end early", remedy=_CUT)


def _next_member(payload: Payload, rest: bytes) -> _Unpacker:
    """Gzip and bzip2 files may be several one after the other; nothing else may follow.

    Raises:
        FormatError: Something does.
    """
    if not rest.startswith(_MEMBER.get(payload.packing, ())):
        rule = "nothing follows its compressed voxels, but something does"
        raise FormatError(f"{payload.path.name}: {rule}", remedy="save it again; it is damaged, or its header is not its own")
    return _unpacker(payload.packing)


def _tail(unpack: _Unpacker) -> bytes:
    """What zlib has not looked at yet; bzip2 keeps its own."""
    return bytes(getattr(unpack, "unconsumed_tail", b""))


def _unpacker(packing: Packing) -> _Unpacker:
    if packing == "bzip2":
        return bz2.BZ2Decompressor()
    return zlib.decompressobj(zlib.MAX_WBITS + (16 if packing == "gzip" else 0))
