"""Refine a draft by gestures: each is answered by an engine, and gesture and effect are saved together.

A gesture becomes one patch of the draft, so that undo, autosave and the other windows know nothing new. The engine is
given every gesture in force and the draft as it stands; what the brush said after a gesture, and labels that are
locked, hold against it. Nothing here imports torch: engines come from `medloop.loop.engines`, or are the caller's own.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from medloop.core.arrays import MaskArray
from medloop.core.errors import InputError
from medloop.core.geometry import Shape3
from medloop.core.records import Assignment, Case, PromptRecord, new_id, now
from medloop.interaction.engine import Engine, ImageEmbedding, StillWanted, require_wanted
from medloop.interaction.guard import keep_locked
from medloop.interaction.prompts import Prompt, check_prompts, prompt_to_json
from medloop.loop.arrays import load_image
from medloop.loop.drafts import Draft, append_patch, check_runs, read_draft, require_revision
from medloop.loop.gestures import gesture_of, in_force, named_in_force, prompt_log, take_back
from medloop.loop.hints import check_locked, hinted, overruled, still_meant
from medloop.loop.provenance import HANDS, hands
from medloop.loop.runs import Run, apply_runs, runs_between
from medloop.loop.workspace import Workspace


@dataclass(frozen=True, eq=False)
class Refinement:
    """What a gesture did to the draft.

    Attributes:
        prompt_ids: Of the gestures saved now, in the order given; empty when one was taken back.
        draft: The draft with their effect, at its new revision.
        runs: The patch that was saved.
        quality: Dice the engine expects of the mask, 0..1; None where it cannot tell or was not asked.
        engine: Name of the engine that answered; "" where none was needed.
    """

    prompt_ids: tuple[str, ...]
    draft: Draft
    runs: tuple[Run, ...]
    quality: float | None
    engine: str


@dataclass(frozen=True, eq=False)
class Refiner:
    """Who answers gestures, and about what.

    Attributes:
        engine: The engine.
        embedding: The case's image as this engine sees it; None has it looked at now.
        draft: A state of the draft that is known already; older is fine.
        wanted: Whether the answer is still wanted.
    """

    engine: Engine
    embedding: ImageEmbedding | None = None
    draft: Draft | None = None
    wanted: StillWanted = lambda: True


@dataclass(frozen=True, eq=False)
class _Scene:
    """An assignment as it stands before a gesture."""

    assignment: Assignment
    case: Case
    draft: Draft
    log: list[PromptRecord]


@dataclass(frozen=True, eq=False)
class _Gesture:
    """A gesture to be saved, and the record it takes the place of."""

    prompt: Prompt
    replaces: str | None = None


def add_prompt(
    workspace: Workspace,
    assignment_id: str,
    prompt: Prompt,
    *,
    base_revision: int,
    refiner: Refiner,
    earlier: Sequence[Prompt] = (),
    locked: Sequence[int] = (),
) -> Refinement:
    """Answer a new gesture.

    Args:
        workspace: The project.
        assignment_id: Whose draft.
        prompt: The gesture.
        base_revision: The revision it was made on.
        refiner: Who answers it.
        earlier: Gestures made just before, whose own refinement was cancelled for this one; saved with it.
        locked: Labels that must stay as they are.

    Raises:
        InputError: A gesture that cannot be obeyed: outside the image, empty, contradicting another, of a locked label.
        LabelError: A label the task does not have.
        ConflictError: Another edit came first.
        StateError: The assignment is closed.
        CancelledError: It is no longer wanted.
    """
    scene = _scene(workspace, assignment_id, base_revision, refiner)
    new, draft = [*earlier, prompt], scene.draft.mask
    _check(workspace, scene, new, locked)
    older = still_meant([gesture_of(record) for record in in_force(scene.log)], draft)
    answer = _ask(workspace, scene, refiner, [*older, *new], draft, locked)
    stands = overruled(older, new, draft)
    if len(stands[0]):
        answer = dataclasses.replace(answer, mask=answer.mask.copy(order="K"))
        answer.mask[stands] = draft[stands]
    return _save(workspace, scene, answer, made=[_Gesture(p) for p in new], locked=locked)


def withdraw_prompt(
    workspace: Workspace, assignment_id: str, prompt_id: str, *, base_revision: int, refiner: Refiner, locked: Sequence[int] = ()
) -> Refinement:
    """Take a gesture back, wherever it stands, and answer the remaining ones anew.

    The engine begins with the mask from before the gesture; what the brush said since stays.

    Raises:
        NotFoundError: No such prompt in force.
        ConflictError, StateError, InputError, CancelledError: See `add_prompt`.
    """
    scene = _scene(workspace, assignment_id, base_revision, refiner)
    record = named_in_force(scene.log, prompt_id)
    answer = _anew(workspace, scene, refiner, record, None, locked)
    return _save(workspace, scene, answer, withdrawn=record.id, locked=locked)


def change_prompt(
    workspace: Workspace,
    assignment_id: str,
    prompt_id: str,
    prompt: Prompt,
    *,
    base_revision: int,
    refiner: Refiner,
    locked: Sequence[int] = (),
) -> Refinement:
    """Put another gesture in the place of one in force, and answer all of them anew; see `withdraw_prompt`.

    Raises:
        NotFoundError: No such prompt in force.
        ConflictError, StateError, InputError, LabelError, CancelledError: See `add_prompt`.
    """
    scene = _scene(workspace, assignment_id, base_revision, refiner)
    record = named_in_force(scene.log, prompt_id)
    _check(workspace, scene, [prompt], locked)
    answer = _anew(workspace, scene, refiner, record, prompt, locked)
    return _save(workspace, scene, answer, made=[_Gesture(prompt, record.id)], withdrawn=record.id, locked=locked)


@dataclass(frozen=True, eq=False)
class _Answer:
    """The mask after a gesture, who answered, how good it expects the mask to be, and the box of what may differ."""

    mask: MaskArray
    engine: str = ""
    quality: float | None = None
    start: Shape3 = (0, 0, 0)
    stop: Shape3 | None = None


def _scene(workspace: Workspace, assignment_id: str, base_revision: int, refiner: Refiner) -> _Scene:
    with workspace.store.read() as tx:
        assignment = require_revision(tx.get(Assignment, assignment_id), base_revision)
        case, log = tx.get(Case, assignment.case_id), prompt_log(tx, assignment_id)
    draft = read_draft(workspace, assignment_id, upto=base_revision, known=refiner.draft)
    return _Scene(assignment, case, draft, log)


def _check(workspace: Workspace, scene: _Scene, new: Sequence[Prompt], locked: Sequence[int]) -> None:
    labels = workspace.task.label_values
    check_prompts(new, scene.case.grid.shape, labels=labels)
    check_locked(new, scene.draft.mask, locked, labels)


def _ask(
    workspace: Workspace, scene: _Scene, refiner: Refiner, every: Sequence[Prompt], begin: MaskArray, locked: Sequence[int]
) -> _Answer:
    """What the engine makes of checked gestures on a mask."""
    check_prompts(every, scene.case.grid.shape, labels=workspace.task.label_values)
    if not every:
        return _Answer(begin)
    embedding = _embedding(workspace, scene.case, refiner)
    require_wanted(refiner.wanted)
    labels = workspace.task.label_values
    refined = refiner.engine.refine(embedding, every, labels=labels, previous=begin, locked=locked, wanted=refiner.wanted)
    require_wanted(refiner.wanted)
    mask = keep_locked(begin, refined.mask, locked)
    return _Answer(mask, refiner.engine.name, refined.quality, refined.start, refined.stop)


def _anew(
    workspace: Workspace, scene: _Scene, refiner: Refiner, record: PromptRecord, fresh: Prompt | None, locked: Sequence[int]
) -> _Answer:
    """The mask from before a record, every other gesture (and a fresh one in its place), the brush's later edits on top."""
    before = read_draft(workspace, scene.assignment.id, upto=_free_of_withdrawn(scene.log, record.revision - 1))
    with workspace.store.read() as tx:
        patches = tx.patches(scene.assignment.id, after=before.revision)
    there = scene.draft.mask
    brushed = hands(there, patches, scene.log) == HANDS["brush"]
    held = brushed | np.isin(there, list(locked)) | np.isin(before.mask, list(locked))
    begin = np.where(held, there, before.mask)
    every: list[Prompt] = []
    for other in in_force(scene.log):
        every += still_meant([gesture_of(other)], begin, where=brushed) if other.id != record.id else [fresh] if fresh else []
    answer = _ask(workspace, scene, refiner, every, begin, locked)
    held &= ~hinted([fresh] if fresh else [], begin)
    return _Answer(np.where(held, there, answer.mask), answer.engine, answer.quality)


def _free_of_withdrawn(log: Sequence[PromptRecord], revision: int) -> int:
    """The last revision, up to the given one, that shows no effect of a gesture taken back later."""
    while shown := [r.revision for r in log if r.withdrawn is not None and r.revision <= revision < r.withdrawn]:
        revision = min(shown) - 1
    return revision


def _embedding(workspace: Workspace, case: Case, refiner: Refiner) -> ImageEmbedding:
    embedding = refiner.embedding or refiner.engine.embed(load_image(workspace.store.blobs, case))
    if embedding.image.grid.shape != case.grid.shape or not np.allclose(embedding.image.grid.affine, case.grid.affine):
        raise InputError(
            f"Gestures on {case.name} need its own image of {case.grid.shape} voxels, got one of {embedding.image.grid.shape}",
            remedy="open the case again: its image changed",
        )
    return embedding


def _save(
    workspace: Workspace,
    scene: _Scene,
    answer: _Answer,
    *,
    made: Sequence[_Gesture] = (),
    withdrawn: str | None = None,
    locked: Sequence[int],
) -> Refinement:
    """Gesture, effect and events in one transaction, on the revision they were made on."""
    runs = runs_between(scene.draft.mask, answer.mask, start=answer.start, stop=answer.stop)
    check_runs(runs, scene.case.grid.voxels, workspace.task)
    identifier = scene.assignment.id
    with workspace.store.write(scene.assignment.annotator_id) as tx:
        revision = append_patch(tx, require_revision(tx.get(Assignment, identifier), scene.assignment.revision), runs)
        if withdrawn is not None:
            take_back(tx, identifier, [withdrawn], revision)
        records = [_record(identifier, revision, gesture, answer, locked) for gesture in made]
        for record in records:
            tx.add(record, verb="refine")
    ids = tuple(record.id for record in records)
    draft = Draft(revision, apply_runs(scene.draft.mask, runs))
    return Refinement(ids, draft, runs, answer.quality, answer.engine)


def _record(assignment_id: str, revision: int, gesture: _Gesture, answer: _Answer, locked: Sequence[int]) -> PromptRecord:
    return PromptRecord(
        id=new_id("prompt"),
        assignment_id=assignment_id,
        revision=revision,
        prompt=prompt_to_json(gesture.prompt),
        engine=answer.engine,
        locked=tuple(locked),
        quality=answer.quality,
        replaces=gesture.replaces,
        created_at=now(),
    )
