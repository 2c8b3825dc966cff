"""The steps that led to a draft or a submitted annotation, in the order they were made: what each was, when, and what it changed.

Applied one after the other to what the work began with, they give the draft as it stands, or the annotation as it was submitted, bit for
bit. Of an annotation the steps end where it was submitted, whatever was drawn on since its submission was taken back.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from medloop.core.arrays import UNKNOWN
from medloop.core.errors import NotFoundError
from medloop.core.records import Annotation, Annotator, Assignment, DraftPatch, Json
from medloop.interaction.runs import Run, apply_runs, runs_between
from medloop.loop.annotating.open_edit import ELSEWHERE, FILLED, PROPAGATE, TAKE, TRACED, OpenEdit, load_edit
from medloop.loop.annotating.replaying import history_of
from medloop.loop.foundation.arrays import load_mask
from medloop.loop.foundation.partial_annotations import merged_annotation
from medloop.loop.foundation.workspace import Workspace
from medloop.store.reader import Reader

_WORDS: Mapping[str, str] = {
    **dict.fromkeys(FILLED, "slices filled between"),
    PROPAGATE: "propagated",
    TAKE: "hypothesis taken",
    TRACED: "trace",
    ELSEWHERE: "another program",
}


@dataclass(frozen=True, eq=False)
class DraftStep:
    """One saved edit.

    Attributes:
        revision: The draft's revision after it.
        what: What it was, in words.
        at: When.
        runs: Voxels that it set, in order.
        prompts: The prompts whose effect it holds, as `medloop.interaction.prompts.prompt_to_json` writes them.
        engine: Name of the engine that refined; "" without prompts.
    """

    revision: int
    what: str
    at: str
    runs: tuple[Run, ...]
    prompts: tuple[Json, ...] = ()
    engine: str = ""


@dataclass(frozen=True, eq=False)
class Steps:
    """Whose work it was, the runs that make what it began with out of background, and its steps, oldest first."""

    who: str
    began: tuple[Run, ...]
    steps: tuple[DraftStep, ...]


def draft_steps(workspace: Workspace, assignment_id: str) -> Steps:
    """The steps of an assignment, open or closed.

    Raises:
        NotFoundError: No such assignment.
    """
    with workspace.store.read() as tx:
        edit = load_edit(tx, tx.get(Assignment, assignment_id), workspace.store.blobs)
        who = tx.get(Annotator, edit.assignment.annotator_id).name
    return Steps(who, _began(edit), _steps(edit))


def annotation_steps(workspace: Workspace, annotation_id: str) -> Steps:
    """The steps that led to a submitted mask; outside a partial annotation they go on as the draft was.

    Raises:
        NotFoundError: No such annotation, or one that was not drawn here: imported, fused, decided from readings, or a tag.
    """
    with workspace.store.read() as tx:
        made = tx.get(Annotation, annotation_id)
        if made.assignment_id is None or made.blob is None:
            raise NotFoundError(
                f"Steps are kept of masks drawn in a draft, this annotation is a {made.kind} that is {made.origin}",
                remedy="replay one that somebody drew here",
            )
        edit = _as_submitted(tx, load_edit(tx, tx.get(Assignment, made.assignment_id), workspace.store.blobs), made)
        who = tx.get(Annotator, made.annotator_id).name
    return Steps(who, _began(edit), (*_steps(edit), *_last_step(workspace, edit, made)))


def _as_submitted(tx: Reader, edit: OpenEdit, made: Annotation) -> OpenEdit:
    """The edit as it was when an annotation was made of it."""
    order = tx.event_numbers(DraftPatch, [patch.id for patch in edit.patches])
    until = tx.event_numbers(Annotation, [made.id])[made.id]
    patches = tuple(patch for patch in edit.patches if order[patch.id] < until)
    last = patches[-1].revision if patches else 0
    log = (
        dataclasses.replace(record, withdrawn=None) if (record.withdrawn or 0) > last else record
        for record in edit.log
        if record.revision <= last
    )
    return dataclasses.replace(edit, patches=patches, log=tuple(log))


def _last_step(workspace: Workspace, edit: OpenEdit, made: Annotation) -> tuple[DraftStep, ...]:
    """What leads from the draft to what was submitted in its stead: a mask sent whole, or only the labels that it annotates."""
    draft = apply_runs(edit.begun, [run for patch in edit.patches for run in patch.runs])
    made_of = (
        merged_annotation(workspace.store.blobs, [made], edit.case)
        if made.kind == "partial"
        else load_mask(workspace.store.blobs, made, edit.case)
    )
    mask = made_of.array
    runs = runs_between(draft, np.where(mask == UNKNOWN, draft, mask).astype(np.uint8))
    what = "mask sent whole" if made.began_with == "elsewhere" else "submitted"
    return (DraftStep(len(edit.patches) + 1, what, made.created_at, runs),) if runs else ()


def _began(edit: OpenEdit) -> tuple[Run, ...]:
    return runs_between(np.zeros_like(edit.begun), edit.begun)


def _steps(edit: OpenEdit) -> tuple[DraftStep, ...]:
    undone = {back for _, back in history_of(edit).undone}
    withdrawn = {record.withdrawn for record in edit.log}
    steps = []
    for patch in edit.patches:
        given = [record for record in edit.log if record.revision == patch.revision]
        kinds = " and ".join(dict.fromkeys(str(record.prompt.get("kind", "")).replace("_", " ") for record in given))
        what = f"prompt: {kinds}" if given else _WORDS.get(edit.verbs.get(patch.id, ""), "stroke")
        back = patch.revision in undone or (patch.revision in withdrawn and not given)
        prompts, engine = tuple(record.prompt for record in given), given[-1].engine if given else ""
        steps.append(DraftStep(patch.revision, "taken back" if back else what, patch.created_at, patch.runs, prompts, engine))
    return tuple(steps)
