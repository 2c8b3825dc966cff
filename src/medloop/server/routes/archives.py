"""Archives: look studies up, have the worker pull them or push annotations back. Only servers of `pacs.toml` are contacted.

What is looked for stands in bodies, never in addresses, and is kept nowhere; credentials never leave the server.
"""

from fastapi import APIRouter

from medloop.core.errors import MedloopError, SettingError
from medloop.server.web.site import PersonHere, WorkspaceHere
from medloop.server.wire.pacs_views import ArchivesView, FindBody, FoundStudyView, FoundView, PullBody, PushBody
from medloop.server.wire.project_views import JobRef

router = APIRouter(prefix="/projects/{project}/archives", tags=["archives"])


@router.get("")
def get_archives(workspace: WorkspaceHere) -> ArchivesView:
    """Names of the archives that the project may contact."""
    from medloop.loop.data.pacs_wanted import servers_of

    try:
        return ArchivesView(servers=list(servers_of(workspace)), trouble="")
    except MedloopError as error:
        return ArchivesView(servers=[], trouble=str(error))


@router.post("/find")
def post_find(workspace: WorkspaceHere, body: FindBody) -> FoundView:
    """Studies of an archive that fit; nothing of them is kept."""
    from medloop.loop.data.pacs_named import archive_named
    from medloop.pacs.archive import PacsQuery

    sought = {"patient": body.patient, "name": body.name, "date": body.date, "modality": body.modality, "accession": body.accession}
    query = PacsQuery(**sought, limit=body.limit)
    if not query.narrows:
        raise SettingError("A search needs something that narrows it, got nothing", remedy="give a patient, a date or a modality")
    server, archive = archive_named(workspace, body.server)
    found = archive.studies(query)
    return FoundView(server=server, studies=[FoundStudyView.model_validate(one) for one in found.studies], more=found.more)


@router.post("/pull")
def post_pull(workspace: WorkspaceHere, person: PersonHere, body: PullBody) -> JobRef:
    """Have the worker fetch studies and import their series; the job goes on where it was stopped."""
    from medloop.loop.data.pacs_wanted import PullWanted, request_pull

    wanted = PullWanted(body.studies, body.modality, body.annotations)
    return JobRef(job_id=request_pull(workspace, body.server, wanted, actor=person.id).id)


@router.post("/push")
def post_push(workspace: WorkspaceHere, person: PersonHere, body: PushBody) -> JobRef:
    """Have the worker store annotations or measurements in the archive of their images; what it has is not sent again."""
    from medloop.loop.data.pacs_wanted import request_push

    made = request_push(workspace, body.server, body.format, body.case_ids, again=body.again, actor=person.id)
    return JobRef(job_id=made.id)
