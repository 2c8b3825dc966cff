"""Voxels on the wire: gzip bytes as they are stored, never inflated and packed again.

A stored blob is named by its SHA-256, which is therefore a strong ETag, and it never changes, so a
browser may keep it for ever. Every such answer is gzip: all browsers take it, and programs must too.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fastapi.responses import Response, StreamingResponse
from starlette.requests import Request

from medloop.store.blobs import Blobs

CHUNK = 1 << 18
_FOR_EVER = "private, max-age=31536000, immutable"
VOXELS: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/octet-stream": {}}, "description": "gzip (Content-Encoding) of raw voxels in file order."},
    304: {"description": "The client has these bytes already."},
}
"""How OpenAPI describes these answers."""

_checked: set[tuple[str, int]] = set()
"""Blobs (hash, time of last change) whose bytes this process has compared with their hash."""


def send_blob(blobs: Blobs, sha: str, request: Request) -> Response:
    """A stored gzip blob, or 304 when the client has it.

    Raises:
        DamagedBlobError: The bytes do not match their name.
        MissingBlobError: There are none.
    """
    tag = f'"{sha}"'
    headers = {"ETag": tag, "Cache-Control": _FOR_EVER}
    if tag in (t.strip().removeprefix("W/") for t in request.headers.get("if-none-match", "").split(",")):
        return Response(status_code=304, headers=headers)
    headers |= {"Content-Encoding": "gzip"}
    file = blobs.file(sha)
    if file is None:
        return Response(blobs.get(sha), media_type="application/octet-stream", headers=headers)
    size = blobs.size(sha)
    _require_sound(blobs, file)
    headers |= {"Content-Length": str(size)}
    return StreamingResponse(_chunks(file), media_type="application/octet-stream", headers=headers)


def send_packed(data: bytes, *, revision: int | None = None) -> Response:
    """A gzip body made for this request, with the revision it shows, if it has one."""
    headers = {"Content-Encoding": "gzip"} if revision is None else {"Content-Encoding": "gzip", "X-Revision": str(revision)}
    return Response(data, media_type="application/octet-stream", headers=headers)


def _require_sound(blobs: Blobs, file: Path) -> None:
    try:
        seen = (file.name, file.stat().st_mtime_ns)
    except OSError:
        seen = (file.name, 0)  # gone since its size was read: the check says so
    if seen not in _checked:
        blobs.check(file.name)
        _checked.add(seen)


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            yield chunk
