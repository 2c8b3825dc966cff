"""Is an image good enough, while the patient is still there? What is sent is looked at and forgotten: no row, no blob, no log line."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated
from urllib.parse import unquote

from fastapi import APIRouter, Depends, Header, Query
from starlette.concurrency import run_in_threadpool

from medloop.core.errors import FormatError, UnavailableError
from medloop.loop.foundation.trials import blind_among
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.overview.acquisition import Demand
from medloop.metrics.measure_bounds import MOST_TOLERANCE, TOLERANCE
from medloop.quality.acquisition.rule import ALARM
from medloop.server.web.site import CaseHere, Site, SiteHere, ViewerHere, WorkspaceHere
from medloop.server.web.uploads import RAW_BODY, raw_body
from medloop.server.wire.acquisition_views import AcquisitionView

router = APIRouter(prefix="/projects/{project}", tags=["acquisition"])

SECONDS = 60.0
"""Longest time that a model may take; a cold start included. Without an answer the image alone is judged."""

_ENDING = re.compile(r"(\.[a-z0-9]{1,8}){0,2}$")


def _demand(
    alarm: Annotated[float, Query(ge=0.001, le=0.5, description="Share of good images that may be called bad.")] = ALARM,
    measure: Annotated[str, Query(max_length=40, description="The figure that the image is acquired for, such as circumference.")] = "",
    tolerance: Annotated[
        float, Query(gt=0, le=MOST_TOLERANCE, description="How far its bounds may be away, as a share of it.")
    ] = TOLERANCE,
) -> Demand:
    return Demand(alarm, measure, tolerance)


PixelSize = Annotated[float | None, Query(gt=0, lt=100, description="Pixel size of a picture whose file has none.")]
DemandHere = Annotated[Demand, Depends(_demand)]


@router.post("/acquisition", openapi_extra=RAW_BODY)
async def post_acquisition(
    site: SiteHere,
    workspace: WorkspaceHere,
    demand: DemandHere,
    body: Annotated[bytes, Depends(raw_body)],
    pixel_mm: PixelSize = None,
    *,
    x_filename: Annotated[str, Header(max_length=1000, description="The file's name, percent-encoded: only its ending is used.")],
) -> AcquisitionView:
    """Judge an image that is not in the project: accept or acquire again, with reasons, picture, proposal and measures. It is not kept."""
    if not body:
        raise FormatError("An image is sent as the bytes of its file, got none", remedy="send the file's bytes as the body")
    with _held(body, unquote(x_filename)) as path:
        if await run_in_threadpool(_has_model, workspace) and (found := await _with_model(site, workspace, path, demand, pixel_mm)):
            return found
        return await run_in_threadpool(_alone, workspace, path, demand, pixel_mm)


@router.get("/cases/{case}/acquisition")
def get_acquisition(workspace: WorkspaceHere, case: CaseHere, viewer: ViewerHere, demand: DemandHere) -> AcquisitionView:
    """Whether a case's image is good enough, by its stored image and the stored proposal of the model in use."""
    from medloop.loop.overview.acquisition_checks import check_case

    with workspace.store.read() as tx:
        hidden = case.id in viewer.unread(tx) or bool(blind_among(tx, [case.id]))
    return AcquisitionView.of(check_case(workspace, case, demand, use_model=not hidden))


@contextmanager
def _held(body: bytes, name: str) -> Iterator[Path]:
    """The sent file under a name that says nothing, for as long as it is looked at."""
    ending = _ENDING.search(name.lower())
    with TemporaryDirectory(prefix="medloop-acquisition-") as folder:
        path = Path(folder) / f"image{ending.group() if ending else ''}"
        path.write_bytes(body)
        yield path


async def _with_model(site: Site, workspace: Workspace, path: Path, demand: Demand, pixel_mm: float | None) -> AcquisitionView | None:
    """What the assistant finds, with the model in use; None where it is not there."""
    asked = {
        "project_id": workspace.project.id,
        "path": str(path),
        "alarm": str(demand.alarm),
        "measure": demand.measure,
        "tolerance": str(demand.tolerance),
        "pixel_mm": str(pixel_mm or ""),
    }
    try:
        return AcquisitionView.model_validate(await site.assistant.request("/acquisition", asked, seconds=SECONDS))
    except UnavailableError:
        return None


def _has_model(workspace: Workspace) -> bool:
    with workspace.store.read() as tx:
        model = tx.live_model()
    return model is not None and not model.outside and workspace.task.kind == "segmentation"


def _alone(workspace: Workspace, path: Path, demand: Demand, pixel_mm: float | None) -> AcquisitionView:
    from medloop.loop.overview.acquisition_checks import AcquisitionChecker

    found = AcquisitionChecker(workspace, demand, use_model=False).check(path, pixel_mm=pixel_mm, picture=True)
    return AcquisitionView.of(found.check, found.address)
