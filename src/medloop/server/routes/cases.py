"""Cases: the worklist, one case's header, its voxels."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeAlias
from urllib.parse import unquote

import anyio.to_thread
from fastapi import APIRouter, Depends, Header, Query
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from medloop.core.errors import StateError, UnavailableError
from medloop.core.names import MAX_NAME
from medloop.core.records import Case, Label
from medloop.loop.foundation.annotated_labels import lacking_cases, scope_in_force
from medloop.loop.foundation.annotators import annotator_names, known_annotator
from medloop.loop.foundation.assignees import assigned
from medloop.loop.foundation.disposed import POOL, Disposition, standing_dispositions
from medloop.loop.foundation.given import Given, given_kinds
from medloop.loop.foundation.gold import as_unlabelled
from medloop.loop.foundation.readings import CaseReading, case_readings, cases_read, restored_among
from medloop.loop.foundation.references import references_of
from medloop.loop.foundation.refusals import open_with, refusals
from medloop.loop.foundation.removed_images import require_image
from medloop.loop.foundation.trials import blind_among
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.judging.domain import NOTHING, Standings
from medloop.loop.judging.trust import pool_standings
from medloop.loop.overview.acquisition_kept import KeptVerdict, kept_verdicts
from medloop.loop.overview.stream_standing import BLIND
from medloop.loop.overview.thumbnails import Thumbnail, thumbnail, wanted_thumbnail
from medloop.loop.querying.disposing import dispose_arrivals
from medloop.loop.querying.streaming import StreamVerdict, judge_arrivals, verdicts
from medloop.server.web.assistant import ASSISTANT_SECONDS
from medloop.server.web.sending import VOXELS, send_blob
from medloop.server.web.site import CaseHere, PersonHere, Site, SiteHere, Viewer, ViewerHere, WorkspaceHere
from medloop.server.web.uploads import RAW_BODY, raw_body
from medloop.server.wire.case_views import (
    STORED_STATES,
    CaseFacts,
    CaseLine,
    CasePage,
    RoundCasesView,
    ThumbnailSize,
    cases_csv,
)
from medloop.server.wire.project_views import ArrivalView, VerdictView
from medloop.server.wire.schemas import Limit, Offset, Renamed, Search
from medloop.server.wire.views import CaseView, case_view
from medloop.store.blobs import Blobs
from medloop.store.reader import Reader
from medloop.store.worklist import CaseRow, Listing, Sort

router = APIRouter(prefix="/projects/{project}/cases", tags=["cases"])
MOST_CASES = 2**31
State = Annotated[Literal["all", "unlabelled", "annotated", "skipped", "flagged"], Renamed]
ReadingFilter = Literal["any", "read", "in review", "accepted", "returned"]
GivenFilter: TypeAlias = Literal["whatever"] | Given
DomainFilter: TypeAlias = Literal["any", "compared", "outside"]
AcquisitionFilter: TypeAlias = Literal["any", "judged", "accept", "acquire again", "unknown"]
_PNG: dict[int | str, dict[str, Any]] = {
    200: {"content": {"image/png": {}}, "description": "The middle slice that holds a label, with its mask; else the middle one."},
    304: {"description": "The client has this picture already."},
}


@dataclass(frozen=True)
class Beside:
    """What is known of cases beside the store: how they stand to the model's domain, and what was found of their images."""

    standings: Standings
    acquired: Mapping[str, KeptVerdict]


@dataclass(frozen=True)
class Asked:
    """Which cases a list is to hold, as the address says it."""

    state: State
    reading: ReadingFilter
    search: str
    assignee: str
    sort: Sort
    descending: bool
    by_round: bool
    lacks: int | None = None
    given: GivenFilter = "whatever"
    domain: DomainFilter = "any"
    acquisition: AcquisitionFilter = "any"

    def beside(self, workspace: Workspace, *, whole: bool = False) -> Beside:
        """How cases stand to the domain of the model in use, where the list is to show it, and the verdicts on their images."""
        standings = pool_standings(workspace) if whole or self.domain != "any" or self.sort == "domain" else NOTHING
        return Beside(standings, kept_verdicts(workspace))

    def listing(self, tx: Reader, blobs: Blobs, unread: Collection[str], beside: Beside) -> Listing:
        """The same for the store; `unread` cases are as if nobody had annotated them."""
        person = known_annotator(tx, self.assignee) if self.assignee else None
        return Listing(
            state=STORED_STATES[self.state],
            search=self.search,
            case_ids=self._among(tx, blobs, unread, beside),
            assigned_to=person.id if person else self.assignee and NOBODY,
            sort=self.sort,
            descending=self.descending,
            by_round=self.by_round,
            p_values={i: one.p for i, one in beside.standings.items() if i not in unread} if self.sort == "domain" else {},
            unlabelled=unread,
        )

    def _among(self, tx: Reader, blobs: Blobs, unread: Collection[str], beside: Beside) -> list[str] | None:
        """The only cases that fit by readings, labels that they lack, what they have, how they stand and their images; None for all."""
        sets = [] if self.reading == "any" else [set(cases_read(tx, self.reading))]
        if self.lacks is not None:
            sets.append({i for i, labels in _lacking(tx).items() if not self.lacks or self.lacks in {label.value for label in labels}})
        if self.given != "whatever":
            sets.append({i for i, kinds in given_kinds(tx, blobs).items() if self.given in kinds})
        if self.domain != "any":
            sets.append({i for i, one in beside.standings.items() if one.outside or self.domain == "compared"})
        if self.acquisition != "any":
            fitting = {i for i, one in beside.acquired.items() if self.acquisition in ("judged", one.verdict)}
            sets.append(fitting - blind_among(tx, fitting))
        return sorted(set.intersection(*sets).difference(unread)) if sets else None


def _lacking(tx: Reader, case_ids: Collection[str] | None = None) -> dict[str, tuple[Label, ...]]:
    """Cases that are annotated for some labels only, with those that they lack."""
    task = scope_in_force(tx).task
    return lacking_cases(tx, task, case_ids=case_ids) if task.kind == "segmentation" else {}


NOBODY = "nobody"
"""No id of an annotator: nothing was given to whom nobody knows."""


def _order(
    sort: Annotated[
        Sort,
        Query(description="What the lines are sorted by; those that agree stand by name. domain: the least like the judged cases first."),
    ] = "name",
    descending: Annotated[bool, Query(description="From the largest on; what has no value stays last.")] = False,
    by_round: Annotated[bool, Query(description="Newest round first, sorted within each.")] = False,
) -> tuple[Sort, bool, bool]:
    return sort, descending, by_round


def _having(
    lacks: Annotated[int | None, Query(ge=0, le=254, description="Only annotated cases that lack the label of this value; 0: any.")] = None,
    given: Annotated[
        GivenFilter, Query(description="Only cases with marks of this kind, annotated parts, or a rejected proposal.")
    ] = "whatever",
    domain: Annotated[
        DomainFilter, Query(description="Only unlabelled cases compared with those that the model in use was judged on, or unlike these.")
    ] = "any",
    acquisition: Annotated[
        AcquisitionFilter,
        Query(description="Only cases whose image was judged, or with this verdict; see `GET …/cases/{case}/acquisition`."),
    ] = "any",
) -> tuple[int | None, GivenFilter, DomainFilter, AcquisitionFilter]:
    return lacks, given, domain, acquisition


def _asked(
    order: Annotated[tuple[Sort, bool, bool], Depends(_order)],
    having: Annotated[tuple[int | None, GivenFilter, DomainFilter, AcquisitionFilter], Depends(_having)],
    state: Annotated[State, Query(description="Which cases.")] = "all",
    reading: Annotated[ReadingFilter, Query(description="Only cases whose readings are so far.")] = "any",
    search: Search = "",
    assignee: Annotated[str, Query(max_length=MAX_NAME, pattern=r"^[^\x00]*$", description="Only cases given to this person.")] = "",
) -> Asked:
    lacks, given, domain, acquisition = having
    return Asked(state, reading, search, assignee, *order, lacks, given, domain, acquisition)


AskedHere: TypeAlias = Annotated[Asked, Depends(_asked)]


@router.get("")
def list_cases(
    workspace: WorkspaceHere,
    viewer: ViewerHere,
    asked: AskedHere,
    limit: Limit = 100,
    offset: Offset = 0,
    after: Annotated[str, Query(max_length=8000, description="The `cursor` of the part before: goes on behind it.")] = "",
) -> CasePage:
    """The worklist: cases in any order, by name in natural order, searched in any script and letter case, how far each is, and whose."""
    beside = asked.beside(workspace)
    with workspace.store.read() as tx:
        unread = viewer.unread(tx)
        listing = asked.listing(tx, workspace.store.blobs, unread, beside)
        page = tx.work_page(listing, limit=limit, offset=offset, after=after)
        rounds = tx.worklist_rounds(listing) if asked.by_round else []
        first_is_last = not (page.cursor or after or offset)  # then nothing is left to count, which a search would read every name for
        total = len(page.rows) if first_is_last else tx.worklist_total(listing)
        counted = [RoundCasesView(round=number, cases=cases) for number, cases in rounds]
        return CasePage(total=total, rows=_lines(tx, workspace.store.blobs, page.rows, unread, beside), cursor=page.cursor, rounds=counted)


@router.get("/csv", response_class=Response, responses={200: {"content": {"text/csv": {}}}})
def get_cases_csv(workspace: WorkspaceHere, viewer: ViewerHere, asked: AskedHere) -> Response:
    """The same list as a file for a spreadsheet, whole."""
    beside = asked.beside(workspace, whole=True)
    with workspace.store.read() as tx:
        unread = viewer.unread(tx)
        blobs = workspace.store.blobs
        lines = _lines(tx, blobs, tx.work_page(asked.listing(tx, blobs, unread, beside), limit=MOST_CASES).rows, unread, beside)
    named = {"Content-Disposition": 'attachment; filename="cases.csv"'}
    return Response(cases_csv(lines), media_type="text/csv; charset=utf-8", headers=named)


def _lines(tx: Reader, blobs: Blobs, rows: Sequence[CaseRow], unread: Collection[str], beside: Beside) -> list[CaseLine]:
    ids = [row.case_id for row in rows]
    readings = case_readings(tx, ids) | {i: as_unlabelled(tx, i) for i in ids if i in unread}
    refused = refusals(tx, [row.case_id for row in rows if row.state in ("skipped", "flagged")])
    judged = _decided(tx, [row for row in rows if row.state not in ("answered", "skipped", "flagged")])
    opened, whose, seen = open_with(tx, ids), assigned(tx, ids), [i for i in ids if i not in unread]
    updated, rounds = tx.case_updates(seen), tx.case_rounds(seen)
    lacking, given = _lacking(tx, seen), given_kinds(tx, blobs, seen)
    people, restored = annotator_names(tx), restored_among(tx, readings.values())
    blind = blind_among(tx, [row.case_id for row in rows if row.split == "audit"])
    facts = {
        i: CaseFacts(
            reading=readings[i],
            refused=refused.get(i),
            standing=beside.standings.get(i),
            acquired=None if i in unread or i in blind else beside.acquired.get(i),
            judged=judged.get(i),
            open_with=opened.get(i, ()),
            returned_to=_returned_to(readings[i], people),
            restored=readings[i].annotation_id in restored,
            assignees=[people[who] for who in whose.get(i, ())],
            updated=updated.get(i),
            round=rounds.get(i),
            lacking=[label.name for label in lacking.get(i, ())],
            given=given.get(i, ()),
        )
        for i in ids
    }
    return [CaseLine.of(row, facts[row.case_id]) for row in rows]


def _decided(tx: Reader, rows: Sequence[CaseRow]) -> dict[str, StreamVerdict | Disposition]:
    """What a stream decided about each; nothing of the audit sample, which is read blind."""
    decided = standing_dispositions(tx, [row.case_id for row in rows if row.split != "audit"])
    return {**verdicts(tx, [row.case_id for row in rows]), **decided}


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
    """Send a new image to a streaming project: it is imported, predicted and judged or decided at once."""
    if workspace.settings.stream == "off" and workspace.settings.stream_risk <= 0:
        rule = "The settings stream and stream_risk are off: nothing judges what arrives"
        raise StateError(rule, remedy="set stream to rate or stream_risk above 0, or import the image")
    from medloop.loop.data.arriving import take_image  # whose readers a server that only serves does not load

    case = await run_in_threadpool(take_image, workspace, unquote(x_filename), body, actor=person.id)
    note = await _predicted(site, workspace, case)
    return await run_in_threadpool(_arrival, workspace, case, note)


async def _predicted(site: Site, workspace: Workspace, case: Case) -> str:
    """Have the assistant predict the case; why there is no prediction, "" where there is one."""
    if case.split != "train" and not (case.split == "audit" and workspace.settings.stream_risk > 0):
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
    if not note or case.split not in POOL:
        dispose_arrivals(workspace)
    with workspace.store.read() as tx:
        verdict, decided = verdicts(tx, [case.id]).get(case.id), standing_dispositions(tx, [case.id]).get(case.id)
    if case.split == "audit":
        decided, note = None, note or BLIND
    why = "" if verdict else decided.reason if decided else note or "Nothing is decided: the case is annotated, open or left out already"
    judged = VerdictView.model_validate(verdict) if verdict else None
    decision = decided.decision if decided else ""
    return ArrivalView(case_id=case.id, name=case.name, split=case.split, verdict=judged, decision=decision, note=why)


@router.get("/{case}")
def get_case(workspace: WorkspaceHere, case: CaseHere, viewer: ViewerHere) -> CaseView:
    """Everything needed to draw a case: shape, affine, planes, windows."""
    with workspace.store.read() as tx:
        return case_view(case, unread=case.id in viewer.unread(tx), references=len(references_of(tx, case.id)))


@router.get("/{case}/voxels", response_class=Response, responses=VOXELS)
def get_voxels(workspace: WorkspaceHere, case: CaseHere, request: Request) -> Response:
    """The raw voxels: file order (I fastest, then J, K, channel), little endian, gzip."""
    require_image(case)
    return send_blob(workspace.store.blobs, case.voxels, request)


@router.get("/{case}/thumbnail", response_class=Response, responses=_PNG)
async def get_thumbnail(
    site: SiteHere,
    workspace: WorkspaceHere,
    case: CaseHere,
    viewer: ViewerHere,
    request: Request,
    size: Annotated[ThumbnailSize, Query(description="Pixels of the longer side.")] = "96",
) -> Response:
    """A small picture of a case with its annotation in force, or without where one is to read it blind."""
    wanted = await run_in_threadpool(_wanted, workspace, case, viewer, int(size))
    tag = f'"{wanted.tag}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    made = await anyio.to_thread.run_sync(thumbnail, workspace, wanted, limiter=site.drawing)
    return Response(made, media_type="image/png", headers=headers)


def _wanted(workspace: Workspace, case: Case, viewer: Viewer, size: int) -> Thumbnail:
    with workspace.store.read() as tx:
        return wanted_thumbnail(workspace, tx, case, sees=viewer.sees(tx, case.id), size=size)
