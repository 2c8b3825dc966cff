"""A folder as a zip that is made while it is sent: no more than a chunk of it is in memory, and nothing is written but the folder.

The folder is removed once the answer has ended, however it ends.
"""

import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import anyio
import anyio.to_thread
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

CHUNK = 1 << 18
PACKED = frozenset({".gz", ".png", ".jpg", ".jpeg", ".safetensors"})
"""Ends of names of files that would not get smaller."""


class ZipAnswer(StreamingResponse):
    """An answer that downloads a folder.

    Args:
        folder: With its files.
        name: What the file is called, in any script; it ends in ".zip".
        done: Called when the answer has ended, also when nobody took it to the end.
    """

    def __init__(self, folder: Path, name: str, done: Callable[[], None]) -> None:
        headers = {"Content-Disposition": f"attachment; filename=\"export.zip\"; filename*=UTF-8''{quote(name, safe='')}"}
        super().__init__(zipped(folder), media_type="application/zip", headers=headers)
        self._done = done

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it, and clear up."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            with anyio.CancelScope(shield=True):  # also when the client has gone away
                await anyio.to_thread.run_sync(self._done)


def zipped(folder: Path) -> Iterator[bytes]:
    """The bytes of a zip of a folder's files, a few hundred kB at a time."""
    sink = _Sink()
    with zipfile.ZipFile(sink, "w") as archive:
        for path in sorted(one for one in folder.rglob("*") if one.is_file() and not one.is_symlink()):
            info = zipfile.ZipInfo.from_file(path, path.relative_to(folder).as_posix(), strict_timestamps=False)
            info.compress_type = zipfile.ZIP_STORED if path.suffix in PACKED else zipfile.ZIP_DEFLATED
            with path.open("rb") as file, archive.open(info, "w", force_zip64=True) as entry:
                while chunk := file.read(CHUNK):
                    entry.write(chunk)
                    yield sink.taken()
            yield sink.taken()
    yield sink.taken()


class _Sink:
    """What a zip is written into; it cannot be wound back."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: bytes, /) -> int:
        self._parts.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Everything is there already."""

    def close(self) -> None:
        """Nothing is open."""

    def taken(self) -> bytes:
        """What was written since the last time."""
        taken, self._parts = b"".join(self._parts), []
        return taken
