"""Change a project that exists: its settings, its name, instructions and labels, and what its annotators cost."""

from typing import Annotated, TypeAlias

from fastapi import APIRouter, Path, Query
from fastapi.responses import Response

from medloop.loop.foundation.annotators import describe_annotator, set_cost
from medloop.loop.foundation.configuring import configure
from medloop.loop.foundation.instruction_pictures import MAX_PICTURES, read_picture
from medloop.loop.overview.annotator_skill import skilled_annotators
from medloop.loop.overview.learned_skills import learned_skills
from medloop.loop.overview.spending import By, work_csv, work_lines
from medloop.server.web.site import PersonHere, WorkspaceHere
from medloop.server.wire.progress_views import LearnedSkillView, WorkLineView
from medloop.server.wire.review_views import AnnotatorLineView
from medloop.server.wire.setting_views import ChangesView, ConfigurationView, RateBody, SettingsBody, TaskBody

Grouping: TypeAlias = Annotated[By, Query(description="What the work is added up by.")]
PictureNumber: TypeAlias = Annotated[int, Path(ge=1, le=MAX_PICTURES, description="A picture's number, from 1.")]
router = APIRouter(prefix="/projects/{project}", tags=["settings"])


@router.get("/settings")
def get_settings(workspace: WorkspaceHere) -> ConfigurationView:
    """Every setting with its meaning, range and value, and the task with its version."""
    return ConfigurationView.of(workspace.project.name, workspace.settings, workspace.task)


@router.get("/pictures/{number}", response_class=Response, responses={200: {"content": {"image/png": {}}}})
def get_picture(workspace: WorkspaceHere, number: PictureNumber) -> Response:
    """A picture of the instructions, from 1 on, as PNG."""
    return Response(read_picture(workspace.store, workspace.task, number), media_type="image/png")


@router.patch("/settings")
def patch_settings(workspace: WorkspaceHere, person: PersonHere, body: SettingsBody) -> ChangesView:
    """Change settings, all of them or none; the answer says from when on each one counts."""
    return ChangesView.of(configure(workspace, settings=body.changes, actor=person.id))


@router.patch("/task")
def patch_task(workspace: WorkspaceHere, person: PersonHere, body: TaskBody) -> ChangesView:
    """Change the project's name and instructions, rename, recolour and add labels; this makes the task's next version."""
    return ChangesView.of(configure(workspace, name=body.name, task=body.change(workspace.task), actor=person.id))


@router.get("/annotators")
def list_annotators(workspace: WorkspaceHere) -> list[AnnotatorLineView]:
    """Everybody who annotates, by name: annotations, cases, minutes, what they cost, and how right they are."""
    return [AnnotatorLineView.model_validate(line) for line in skilled_annotators(workspace)]


@router.get("/annotators/learned-skills")
def list_learned_skills(workspace: WorkspaceHere) -> list[LearnedSkillView]:
    """How skilled each annotator is with each label, as the newest model with an annotator model learned it; empty without one."""
    return [LearnedSkillView.model_validate(skill) for skill in learned_skills(workspace)]


@router.get("/effort")
def list_effort(workspace: WorkspaceHere, by: Grouping = "person") -> list[WorkLineView]:
    """What all work took, by person, round, case, annotation or what was seen of the proposal: minutes, cost, strokes, agreement, skill."""
    return [WorkLineView.model_validate(line) for line in work_lines(workspace, by)]


@router.get("/effort/csv", response_class=Response, responses={200: {"content": {"text/csv": {}}}})
def get_effort_csv(workspace: WorkspaceHere, by: Grouping = "person") -> Response:
    """The same as CSV, for a spreadsheet."""
    named = {"Content-Disposition": f'attachment; filename="effort-by-{by}.csv"'}
    return Response(work_csv(work_lines(workspace, by)), media_type="text/csv; charset=utf-8", headers=named)


@router.patch("/annotators")
def patch_annotators(workspace: WorkspaceHere, person: PersonHere, body: RateBody) -> list[AnnotatorLineView]:
    """Set an annotator's terms: the cost of a minute from now on (with `past` of earlier ones, too), expertise, limits per week."""
    if body.cost_per_minute is not None:
        set_cost(workspace, body.annotator, body.cost_per_minute, actor=person.id, past=body.past)
    if terms := body.model_dump(exclude={"annotator", "cost_per_minute", "past"}, exclude_none=True):
        describe_annotator(workspace, body.annotator, **terms, actor=person.id)
    return list_annotators(workspace)
