"""Refine a draft by gestures: each is answered by an engine, and gesture and effect are saved together.

A gesture becomes one patch of the draft, so that undo, autosave and the other windows know nothing new. The engine is
given every gesture in force and the draft as it stands, and `medloop.interaction.guard` says what it may change. Taking a gesture
back, or saying it differently, replays everything else in the order in which it counts (`medloop.loop.annotating.replaying`). Nothing here
imports torch: engines come from `medloop.loop.annotating.engines`, or are the caller's own.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from medloop.core.arrays import BoolArray, MaskArray
from medloop.core.errors import InputError
from medloop.core.geometry import Shape3
from medloop.core.records import Assignment, Case, PromptRecord, new_id, now
from medloop.interaction.engine import Engine, ImageEmbedding, StillWanted
from medloop.interaction.guarded import ask_guarded
from medloop.interaction.locks import check_locks, keep_locked, require_unlocked
from medloop.interaction.overruling import still_meant
from medloop.interaction.prompts import Prompt, check_prompts, prompt_to_json
from medloop.loop.annotating.drafts import Draft, append_patch, base_mask, check_runs, read_draft, require_revision
from medloop.loop.annotating.mask_runs import Run, apply_runs, runs_between
from medloop.loop.annotating.prompt_log import gesture_of, in_force, line_starts, named_in_force, prompt_log, take_back
from medloop.loop.annotating.replaying import FILLED, History, history_of, painted_by
from medloop.loop.foundation.arrays import load_image
from medloop.loop.foundation.workspace import Workspace


@dataclass(frozen=True, eq=False)
class Refinement:
    """What a gesture did to the draft.

    Attributes:
        prompt_ids: Of the gestures saved now, in the order given; empty when one was taken back.
        draft: The draft with their effect, at its new revision.
        runs: The patch that was saved.
        quality: Dice the engine expects of the mask, 0..1; None where it cannot tell or was not asked.
        engine: Name of the engine that answered; "" where none was needed.
        note: What a person should know of the answer, in words; mostly empty.
    """

    prompt_ids: tuple[str, ...]
    draft: Draft
    runs: tuple[Run, ...]
    quality: float | None
    engine: str
    note: str = ""


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
    history: History


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
    new = [*earlier, prompt]
    _check(workspace, scene, new, locked)
    older = [gesture_of(record) for record in in_force(scene.log)]
    answer = _ask(workspace, scene, refiner, older, new, scene.draft.mask, painted_by(scene.history.deeds, scene.case.grid.shape), locked)
    return _save(workspace, scene, answer, made=[_Gesture(p) for p in new], locked=locked)


def withdraw_prompt(
    workspace: Workspace, assignment_id: str, prompt_id: str, *, base_revision: int, refiner: Refiner, locked: Sequence[int] = ()
) -> Refinement:
    """Take a gesture back, wherever it stands: the draft becomes what it would be had the gesture never been made.

    What came before it stays as it is. What came after is done again in order: strokes as they were drawn, prompts answered anew.
    Labels that are locked now stay as they are.

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
    """Put another gesture in the place of one in force, as if it had been made there; see `withdraw_prompt`.

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
    note: str = ""


def _scene(workspace: Workspace, assignment_id: str, base_revision: int, refiner: Refiner) -> _Scene:
    with workspace.store.read() as tx:
        assignment = require_revision(tx.get(Assignment, assignment_id), base_revision)
        case, log, patches = tx.get(Case, assignment.case_id), prompt_log(tx, assignment_id), tx.patches(assignment_id)
        filled = {event.noun_id for event in tx.events_about("patch", [p.id for p in patches], verbs=FILLED)} if patches else ()
        history = history_of(patches, log, lambda: base_mask(workspace, tx, assignment, case), filled=tuple(filled))
    draft = read_draft(workspace, assignment_id, upto=base_revision, known=refiner.draft)
    return _Scene(assignment, case, draft, log, history)


def _check(workspace: Workspace, scene: _Scene, new: Sequence[Prompt], locked: Sequence[int]) -> None:
    labels = workspace.task.label_values
    check_prompts(new, scene.case.grid.shape, labels=labels)
    check_locks(locked, labels)
    require_unlocked(new, scene.draft.mask, locked)


def _ask(
    workspace: Workspace,
    scene: _Scene,
    refiner: Refiner,
    older: Sequence[Prompt],
    new: Sequence[Prompt],
    begin: MaskArray,
    painted: BoolArray | None,
    locked: Sequence[int],
) -> _Answer:
    """What the engine makes of new gestures on a mask, as far as they may change it."""
    meant, labels = still_meant(older, begin), workspace.task.label_values
    check_prompts([*meant, *new], scene.case.grid.shape, labels=labels)
    embedding = _embedding(workspace, scene.case, refiner)
    found = ask_guarded(refiner.engine, embedding, begin, meant, new, labels=labels, locked=locked, painted=painted, wanted=refiner.wanted)
    return _Answer(found.mask, refiner.engine.name, found.quality, found.start, found.stop, found.note)


def _anew(
    workspace: Workspace, scene: _Scene, refiner: Refiner, record: PromptRecord, fresh: Prompt | None, locked: Sequence[int]
) -> _Answer:
    """The draft as it would be without a record, or with a fresh gesture in its place."""
    first = scene.log[line_starts(scene.log)[record.id]].revision
    begin = read_draft(workspace, scene.assignment.id, upto=_free_of_undone(scene, first - 1))
    mask, done, engine, quality = begin.mask, [d for d in scene.history.deeds if d.since <= begin.revision], "", None
    note = ""
    for deed in (d for d in scene.history.deeds if d.since > begin.revision):
        mask = apply_runs(mask, deed.runs) if deed.runs else mask
        kept = [_said(r, fresh if r.id == record.id else None) for r in deed.records if r.id != record.id or fresh is not None]
        fixed = locked if any(r.id == record.id for r in kept) else kept[0].locked if kept else ()
        new = [gesture_of(r) for r in kept if r.id == record.id or not _blocked(gesture_of(r), mask, fixed)]
        if new:
            older = [gesture_of(r) for d in done for r in d.records]
            answer = _ask(workspace, scene, refiner, older, new, mask, painted_by(done, mask.shape), fixed)
            mask, engine, quality, note = answer.mask, answer.engine, answer.quality, answer.note
        done.append(replace(deed, records=tuple(kept)))
    return _Answer(keep_locked(scene.draft.mask, mask, locked), engine, quality, note=note)


def _said(record: PromptRecord, fresh: Prompt | None) -> PromptRecord:
    return record if fresh is None else replace(record, prompt=prompt_to_json(fresh))


def _blocked(prompt: Prompt, mask: MaskArray, locked: Sequence[int]) -> bool:
    """Whether locks leave an earlier gesture nothing to do on another mask than the one it was made on."""
    try:
        require_unlocked([prompt], mask, locked)
    except InputError:
        return True
    return False


def _free_of_undone(scene: _Scene, revision: int) -> int:
    """The last revision, up to the given one, that shows no effect of a gesture or stroke taken back later."""
    spans = [(r.revision, r.withdrawn) for r in scene.log if r.withdrawn is not None] + list(scene.history.undone)
    while shown := [made for made, gone in spans if made <= revision < gone]:
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
    return Refinement(ids, draft, runs, answer.quality, answer.engine, answer.note)


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
