"""The built page: every file of `static/`, and its index for every other address of the page.

Files are read at start, and a request can only name one of these; no path from outside ever reaches the file system, and a
server that runs on while its installation is replaced serves the page that belongs to it. Built assets carry a hash in their name
and are cached for ever.
"""

import hashlib
import mimetypes
from pathlib import Path

from fastapi import APIRouter, FastAPI
from fastapi.responses import HTMLResponse, Response
from starlette.exceptions import HTTPException
from starlette.requests import Request

STATIC = Path(__file__).parent.parent / "static"
_TYPES = {".js": "text/javascript", ".mjs": "text/javascript", ".css": "text/css", ".html": "text/html", ".wasm": "application/wasm"}
_MISSING_PAGE = """<!doctype html><meta charset="utf-8"><title>medloop</title>
<h1>medloop is running</h1><p>Its page has not been built. The interface under <a href="/api/v1/health">/api/v1</a> works.</p>"""


def install_pages(app: FastAPI, folder: Path = STATIC) -> None:
    """Serve the built page, or a notice that it is missing, at every address that no route added before serves."""
    files = (
        {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file() and not path.is_symlink()}
        if folder.is_dir()
        else {}
    )
    router = APIRouter(include_in_schema=False)

    @router.get("/{path:path}")
    def page(path: str, request: Request) -> Response:
        if path in files:
            return _file(path, files[path], request)
        if path.startswith("api/") or "." in path.rpartition("/")[2]:
            raise HTTPException(404, "Nothing is at this address")
        return _file("index.html", files["index.html"], request) if "index.html" in files else HTMLResponse(_MISSING_PAGE)

    app.include_router(router)


def _file(path: str, content: bytes, request: Request) -> Response:
    tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    kind = _TYPES.get(Path(path).suffix) or mimetypes.guess_type(path)[0] or "application/octet-stream"
    kept = "public, max-age=31536000, immutable" if path.startswith("assets/") else "no-cache"
    headers = {"ETag": tag, "Cache-Control": kept}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(content, media_type=kind, headers=headers)
