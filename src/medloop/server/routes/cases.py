"""Cases: the worklist, one case's header, its voxels."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Literal
from urllib.parse import unquote

from fastapi import APIRouter, Depends, Header, Query
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from medloop.core.errors import StateError, UnavailableError
from medloop.core.records import Case
from medloop.loop.foundation.annotators import annotator_names
from medloop.loop.foundation.gold import as_unlabelled
from medloop.loop.foundation.readings import CaseReading, case_readings, cases_read, restored_among
from medloop.loop.foundation.refusals import open_with, refusals
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.querying.streaming import judge_arrivals, verdicts
from medloop.server.web.assistant import ASSISTANT_SECONDS
from medloop.server.web.sending import VOXELS, send_blob
from medloop.server.web.site import CaseHere, PersonHere, Site, SiteHere, ViewerHere, WorkspaceHere
from medloop.server.web.uploads import RAW_BODY, raw_body
from medloop.server.wire.project_views import STORED_STATES, ArrivalView, CaseFacts, CaseLine, CasePage, VerdictView
from medloop.server.wire.schemas import Limit, Offset, Renamed, Search
from medloop.server.wire.views import CaseView, case_view

router = APIRouter(prefix="/projects/{project}/cases", tags=["cases"])
State = Annotated[Literal["all", "unlabelled", "annotated", "skipped", "flagged"], Renamed]

ReadingFilter = Literal["any", "read", "in review", "accepted", "returned"]
MOST_CASES = 2**31


@router.get("")
def list_cases(
    workspace: WorkspaceHere,
    viewer: ViewerHere,
    state: Annotated[State, Query(description="Which cases.")] = "all",
    reading: Annotated[ReadingFilter, Query(description="Only cases whose readings are so far.")] = "any",
    search: Search = "",
    limit: Limit = 100,
    offset: Offset = 0,
) -> CasePage:
    """The worklist: cases by name in natural order, searched in any script and letter case, how far each is, and why it was left out."""
    with workspace.store.read() as tx:
        stored, unread = STORED_STATES[state], viewer.unread(tx)
        ids = None if reading == "any" else [i for i in cases_read(tx, reading) if i not in unread]
        found = tx.worklist(state=stored, search=search, limit=MOST_CASES, case_ids=ids) if ids is not None else []
        total = tx.worklist_total(state=stored, search=search, unlabelled=unread) if ids is None else len(found)
        rows = (
            found[offset : offset + limit]
            if ids is not None
            else tx.worklist(state=stored, search=search, limit=limit, offset=offset, unlabelled=unread)
        )
        readings = case_readings(tx, [row.case_id for row in rows])
        readings |= {row.case_id: as_unlabelled(tx, row.case_id) for row in rows if row.case_id in unread}
        refused = refusals(tx, [row.case_id for row in rows if row.state in ("skipped", "flagged")])
        opened = open_with(tx, [row.case_id for row in rows])
        judged = verdicts(tx, [row.case_id for row in rows if row.state not in ("answered", "skipped", "flagged")])
        people = annotator_names(tx)
        restored = restored_among(tx, readings.values())
        facts = {
            row.case_id: CaseFacts(
                reading=readings[row.case_id],
                refused=refused.get(row.case_id),
                judged=judged.get(row.case_id),
                open_with=opened.get(row.case_id, ()),
                returned_to=_returned_to(readings[row.case_id], people),
                restored=readings[row.case_id].annotation_id in restored,
            )
            for row in rows
        }
    shown = [replace(row, split="train") if row.case_id in unread else row for row in rows]
    return CasePage(total=total, rows=[CaseLine.of(row, facts[row.case_id]) for row in shown])


def _returned_to(reading: CaseReading, people: Mapping[str, str]) -> str | None:
    return people[reading.returned.returned_to or ""] if reading.returned else None


@router.post("", openapi_extra=RAW_BODY)
async def post_case(
    site: SiteHere,
    workspace: WorkspaceHere,
    person: PersonHere,
    body: Annotated[bytes, Depends(raw_body)],
    x_filename: Annotated[str, Header(max_length=1000, description="The file's name, percent-encoded.")],
) -> ArrivalView:
    """Send a new image to a streaming project: it is imported, predicted and judged at once."""
    if workspace.settings.stream == "off":
        raise StateError("The setting stream is off: nothing judges what arrives", remedy="set stream to rate, or import the image")
    from medloop.loop.data.arriving import take_image  # whose readers a server that only serves does not load

    case = await run_in_threadpool(take_image, workspace, unquote(x_filename), body, actor=person.id)
    note = await _predicted(site, workspace, case)
    return await run_in_threadpool(_arrival, workspace, case, note)


async def _predicted(site: Site, workspace: Workspace, case: Case) -> str:
    """Have the assistant predict the case; why there is no prediction, "" where there is one."""
    if case.split != "train":
        return f"A case of the split {case.split} is annotated whatever the model says"
    asked = {"project_id": workspace.project.id, "case_id": case.id}
    try:
        await site.assistant.request("/propose", asked, seconds=ASSISTANT_SECONDS)
    except UnavailableError:
        return "Not predicted yet: it is judged as soon as there is a model and the worker has predicted it"
    return ""


def _arrival(workspace: Workspace, case: Case, note: str) -> ArrivalView:
    if not note:
        judge_arrivals(workspace)
    with workspace.store.read() as tx:
        verdict = verdicts(tx, [case.id]).get(case.id)
    why = "" if verdict else note or "Nothing is to be decided: the case is annotated, open or left out already"
    judged = VerdictView.model_validate(verdict) if verdict else None
    return ArrivalView(case_id=case.id, name=case.name, split=case.split, verdict=judged, note=why)


@router.get("/{case}")
def get_case(workspace: WorkspaceHere, case: CaseHere, viewer: ViewerHere) -> CaseView:
    """Everything needed to draw a case: shape, affine, planes, windows."""
    with workspace.store.read() as tx:
        return case_view(case, unread=case.id in viewer.unread(tx))


@router.get("/{case}/voxels", response_class=Response, responses=VOXELS)
def get_voxels(workspace: WorkspaceHere, case: CaseHere, request: Request) -> Response:
    """The raw voxels: file order (I fastest, then J, K, channel), little endian, gzip."""
    return send_blob(workspace.store.blobs, case.voxels, request)
