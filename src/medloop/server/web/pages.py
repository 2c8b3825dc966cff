"""The built page: every file of `static/`, and its index for every other address of the page.

Files are found at start by walking the folder, and a request can only name one of these; no path from
outside ever reaches the file system. Built assets carry a hash in their name and are cached for ever.
"""

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
        {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()}
        if folder.is_dir()
        else {}
    )
    router = APIRouter(include_in_schema=False)

    @router.get("/{path:path}")
    def page(path: str, request: Request) -> Response:
        if path in files:
            return _file(files[path], request, cached=path.startswith("assets/"))
        if path.startswith("api/") or "." in path.rpartition("/")[2]:
            raise HTTPException(404, "Nothing is at this address")
        return _file(files["index.html"], request, cached=False) if "index.html" in files else HTMLResponse(_MISSING_PAGE)

    app.include_router(router)


def _file(path: Path, request: Request, *, cached: bool) -> Response:
    status = path.stat()
    tag = f'"{status.st_mtime_ns:x}-{status.st_size:x}"'
    kind = _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    headers = {"ETag": tag, "Cache-Control": "public, max-age=31536000, immutable" if cached else "no-cache"}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(path.read_bytes(), media_type=kind, headers=headers)
