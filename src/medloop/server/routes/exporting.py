"""Taking a project's annotations, or a model, out as files."""

import shutil
import tempfile
from functools import partial
from pathlib import Path
from threading import BoundedSemaphore
from typing import Annotated, Literal, TypeAlias

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from medloop.core.errors import ForbiddenError, ThrottledError
from medloop.core.names import checked_name
from medloop.loop.foundation.annotators import known_annotator
from medloop.loop.foundation.workspace import Workspace
from medloop.server.web.security import is_begun_here
from medloop.server.web.site import AnnotatorName, WorkspaceHere
from medloop.server.web.zipping import ZipAnswer
from medloop.server.wire.schemas import MAX_REVISION

router = APIRouter(prefix="/projects/{project}", tags=["project"])

EXPORTS_AT_ONCE = 2
"""Of a server; each fills a part of the disk for as long as it is taken."""

_PREFIX = ".export-"
_room = BoundedSemaphore(EXPORTS_AT_ONCE)

Format: TypeAlias = Annotated[
    Literal[
        "nifti",
        "msd",
        "nnunet",
        "nrrd",
        "mha",
        "csv",
        "coco",
        "coco-polygons",
        "labelstudio",
        "cvat",
        "dicom-seg",
        "dicom-labelmap",
        "rtstruct",
        "dicom-sr",
        "croissant",
        "table",
        "parquet",
        "accepted",
        "frames",
        "measurements",
        "marks",
        "model",
        "torchscript",
        "onnx",
        "monai-bundle",
        "shared-model",
        "model-card",
        "change-record",
    ],
    Query(description="As `medloop export` has it."),
]
WhichModel: TypeAlias = Annotated[
    int | None, Query(ge=1, le=MAX_REVISION, description="Of the formats of a model and its card: which; else the one in use.")
]
RegularGrid: TypeAlias = Annotated[bool, Query(description="Resample cases with tilted or sheared axes, which ITK and nnU-Net refuse.")]


@router.get("/export", response_class=Response, responses={200: {"content": {"application/zip": {}}, "description": "A zip."}})
def get_export(
    request: Request,
    workspace: WorkspaceHere,
    name: AnnotatorName,
    format: Format,  # noqa: A002  # the word of the address
    model: WhichModel = None,
    regular_grid: RegularGrid = False,
) -> Response:
    """The annotations, or a model, as `medloop export` writes them, in a zip; its `notes.txt` names what was left out."""
    from medloop.loop.data.exporting import export_project  # brings nibabel and SciPy, which a server needs for nothing else

    if not is_begun_here(request.headers):
        raise ForbiddenError(
            "An export is begun on this server's own page: the audit names who takes data out", remedy="open the page here"
        )
    if not _room.acquire(blocking=False):
        raise ThrottledError(f"{EXPORTS_AT_ONCE} exports run already", remedy="wait for them to end", seconds=10.0)
    place: Path | None = None
    try:
        with workspace.store.read() as tx:
            known = known_annotator(tx, name)
        actor = known.id if known else checked_name(name)  # nobody joins by taking data out
        place = _place(workspace)
        done = export_project(workspace, place / format, format, model=model, regular_grid=regular_grid, actor=actor)
        if done.notes:
            (place / "notes.txt").write_text("".join(f"{note}\n" for note in done.notes), encoding="utf-8")
        return ZipAnswer(place, f"{workspace.project.name}-{format}.zip", partial(_end, place))
    except BaseException:
        _end(place)
        raise


def _place(workspace: Workspace) -> Path:
    """A new folder: the project's own, on whose disk there is room, or a temporary one where that can only be read."""
    return Path(tempfile.mkdtemp(prefix=_PREFIX, dir=None if workspace.store.read_only else workspace.folder))


def _end(place: Path | None) -> None:
    if place is not None:
        shutil.rmtree(place, ignore_errors=True)
    _room.release()


def clear_left_over(folder: Path) -> None:
    """Remove what exports of a server that was killed have left in a project's folder."""
    for place in folder.glob(f"{_PREFIX}*"):
        shutil.rmtree(place, ignore_errors=True)
