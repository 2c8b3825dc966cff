"""Refine a draft by gestures: each is answered by an engine, and gesture and effect are saved together.

A gesture becomes one patch of the draft, so that undo, autosave and the other windows know nothing new. The engine is
given every gesture in force and the draft as it stands, and `medloop.interaction.guard` says what it may change. Taking a gesture
back, or saying it differently, replays everything else in the order in which it counts (`medloop.loop.annotating.replaying`). Nothing here
imports torch: engines come from `medloop.loop.annotating.engines`, or are the caller's own.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from medloop.core.arrays import BoolArray, MaskArray
from medloop.core.drawing import have_overlaps, keep_shared, seen_alone
from medloop.core.errors import InputError
from medloop.core.geometry import Shape3
from medloop.core.records import Assignment, PromptRecord, Task, new_id, now
from medloop.interaction.engine import Engine, ImageEmbedding, StillWanted
from medloop.interaction.guard import Guard
from medloop.interaction.guarded import refine_guarded
from medloop.interaction.locks import check_locks, keep_locked_labels, require_unlocked
from medloop.interaction.moments import require_one_frame
from medloop.interaction.prompts import Prompt, check_prompts, prompt_to_json, still_meant
from medloop.interaction.runs import Run, apply_runs, runs_between
from medloop.loop.annotating.drafts import append_patch, check_runs
from medloop.loop.annotating.open_edit import Draft, OpenEdit, load_edit, require_revision
from medloop.loop.annotating.prompt_log import gesture_of, in_force, line_starts, named_in_force, take_back
from medloop.loop.annotating.replaying import History, history_of, painted_by
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
    """Who answers gestures: an engine, the image as it sees it (None: looked at now), a state of the draft known already."""

    engine: Engine
    embedding: ImageEmbedding | None = None
    draft: Draft | None = None
    wanted: StillWanted = lambda: True


@dataclass(frozen=True, eq=False)
class Scene:
    """A draft as it stands before a prompt, who answers it, and under which locks."""

    edit: OpenEdit
    draft: Draft
    history: History
    refiner: Refiner
    task: Task
    locked: Sequence[int]


@dataclass(frozen=True, eq=False)
class Given:
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
    """Answer a new gesture; `earlier` ones, whose own refinement was cancelled for this one, are saved with it.

    Raises:
        InputError: A gesture that cannot be obeyed: outside the image, empty, contradicting another, of a locked label.
        LabelError: A label the task does not have.
        ConflictError: Another edit came first.
        StateError: The assignment is closed.
        CancelledError: It is no longer wanted.
    """
    scene = load_scene(workspace, assignment_id, base_revision, refiner, locked)
    new = [*earlier, prompt]
    require_given(scene, new)
    older = [gesture_of(record) for record in in_force(scene.edit.log)]
    answer = refined_by(scene, older, new, scene.draft.mask, painted_by(scene.history.deeds, scene.draft.mask.shape), locked)
    return _save(workspace, scene, answer, made=[Given(p) for p in new])


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
    scene = load_scene(workspace, assignment_id, base_revision, refiner, locked)
    record = named_in_force(scene.edit.log, prompt_id)
    return _save(workspace, scene, _anew(scene, record, None), withdrawn=record.id)


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
    scene = load_scene(workspace, assignment_id, base_revision, refiner, locked)
    record = named_in_force(scene.edit.log, prompt_id)
    require_given(scene, [prompt])
    require_unlocked([prompt], scene.draft.mask, locked)
    return _save(workspace, scene, _anew(scene, record, prompt), made=[Given(prompt, record.id)], withdrawn=record.id)


class Answered(Protocol):
    """Who answered a gesture, and how good it expects the mask to be."""

    @property
    def engine(self) -> str: ...  # noqa: D102
    @property
    def quality(self) -> float | None: ...  # noqa: D102


@dataclass(frozen=True, eq=False)
class Refined:
    """The mask after a gesture, who answered, how good it expects the mask to be, and the box of what may differ."""

    mask: MaskArray
    engine: str = ""
    quality: float | None = None
    start: Shape3 = (0, 0, 0)
    stop: Shape3 | None = None
    note: str = ""


def load_scene(workspace: Workspace, assignment_id: str, base_revision: int, refiner: Refiner, locked: Sequence[int]) -> Scene:
    """An open draft at that revision; other revisions and unknown locks are refused."""
    check_locks(locked, workspace.task.label_values)
    with workspace.store.read() as tx:
        edit = load_edit(tx, require_revision(tx.get(Assignment, assignment_id), base_revision), workspace.store.blobs)
    return Scene(edit, edit.draft(known=refiner.draft), history_of(edit), refiner, workspace.task, locked)


def require_given(scene: Scene, prompts: Sequence[Prompt]) -> None:
    """Refuse new prompts that cannot be obeyed on this case; those of a film lie in one frame each.

    Raises:
        InputError, LabelError: As `check_prompts` and `require_one_frame`.
    """
    shape = scene.edit.case.grid.shape
    check_prompts(prompts, shape, labels=scene.task.label_values)
    if scene.edit.case.display.over_time:
        require_one_frame(prompts, shape)


def refined_by(
    scene: Scene, older: Sequence[Prompt], new: Sequence[Prompt], begin: MaskArray, painted: BoolArray | None, locked: Sequence[int]
) -> Refined:
    """What the engine makes of new prompts on a mask, as far as they may change it."""
    if have_overlaps(scene.task.labels):
        return _refined_alone(scene, older, new, begin, painted, locked)
    meant, labels, refiner = still_meant(older, begin), scene.task.label_values, scene.refiner
    embedding = _embedding(scene.edit, refiner)
    found = refine_guarded(
        refiner.engine,
        embedding,
        begin,
        meant,
        new,
        Guard(labels, locked, painted, over_time=scene.edit.case.display.over_time),
        wanted=refiner.wanted,
    )
    mask = keep_shared(scene.task.labels, begin, found.mask, {prompt.label for prompt in new})
    return Refined(mask, refiner.engine.name, found.quality, found.start, found.stop, found.note)


def _refined_alone(
    scene: Scene, older: Sequence[Prompt], new: Sequence[Prompt], begin: MaskArray, painted: BoolArray | None, locked: Sequence[int]
) -> Refined:
    """The same where labels overlap: an engine sees each label by itself, with all its voxels, as far as nothing else stands against it."""
    refiner, over_time = scene.refiner, scene.edit.case.display.over_time
    embedding, answer = _embedding(scene.edit, refiner), Refined(begin)
    for label in dict.fromkeys(prompt.label for prompt in new):
        view = seen_alone(scene.task.labels, answer.mask, label, locked)
        earlier = still_meant([prompt for prompt in older if prompt.label not in view.apart], view.mask)
        own, guard = (
            [p for p in new if p.label == label],
            Guard(scene.task.label_values, view.locked, view.closed(painted), over_time=over_time),
        )
        found = refine_guarded(refiner.engine, embedding, view.mask, earlier, own, guard, wanted=refiner.wanted)
        answer = Refined(view.drawn(found.mask), refiner.engine.name, found.quality, note=found.note)
    return answer


def _anew(scene: Scene, record: PromptRecord, fresh: Prompt | None) -> Refined:
    """The draft as it would be without a record, or with a fresh prompt in its place."""
    log, said = scene.edit.log, record if fresh is None else replace(record, prompt=prompt_to_json(fresh))
    begin = scene.edit.draft(upto=_free_of_undone(scene, log[line_starts(log)[record.id]].revision - 1))
    answer, done = Refined(begin.mask), [d for d in scene.history.deeds if d.since <= begin.revision]
    for deed in (d for d in scene.history.deeds if d.since > begin.revision):
        mask = apply_runs(answer.mask, deed.runs) if deed.runs else answer.mask
        kept = [said if r.id == record.id else r for r in deed.records if r.id != record.id or fresh is not None]
        fixed = scene.locked if any(r.id == record.id for r in kept) else kept[0].locked if kept else ()
        new = [gesture_of(r) for r in kept if r.id == record.id or not _blocked(gesture_of(r), mask, fixed)]
        older = [gesture_of(r) for d in done for r in d.records]
        answer = refined_by(scene, older, new, mask, painted_by(done, mask.shape), fixed) if new else replace(answer, mask=mask)
        done.append(replace(deed, records=tuple(kept)))
    return replace(
        answer, mask=keep_locked_labels(scene.task.labels, scene.draft.mask, answer.mask, scene.locked), start=(0, 0, 0), stop=None
    )


def _blocked(prompt: Prompt, mask: MaskArray, locked: Sequence[int]) -> bool:
    """Whether locks leave an earlier gesture nothing to do on another mask than the one it was made on."""
    try:
        require_unlocked([prompt], mask, locked)
    except InputError:
        return True
    return False


def _free_of_undone(scene: Scene, revision: int) -> int:
    """The last revision, up to the given one, that shows no effect of a gesture or stroke taken back later."""
    spans = [(r.revision, r.withdrawn) for r in scene.edit.log if r.withdrawn is not None] + list(scene.history.undone)
    while shown := [made for made, gone in spans if made <= revision < gone]:
        revision = min(shown) - 1
    return revision


def _embedding(edit: OpenEdit, refiner: Refiner) -> ImageEmbedding:
    case, embedding = edit.case, refiner.embedding or refiner.engine.embed(load_image(edit.blobs, edit.case))
    if embedding.image.grid.shape != case.grid.shape or not np.allclose(embedding.image.grid.affine, case.grid.affine):
        raise InputError(
            f"Prompts on {case.name} need its own image of {case.grid.shape} voxels, got one of {embedding.image.grid.shape}",
            remedy="open the case again: its image changed",
        )
    return embedding


def _save(workspace: Workspace, scene: Scene, answer: Refined, *, made: Sequence[Given] = (), withdrawn: str | None = None) -> Refinement:
    """Prompt, effect and events in one transaction, on the revision they were made on."""
    runs = runs_between(scene.draft.mask, answer.mask, start=answer.start, stop=answer.stop)
    check_runs(runs, scene.edit.case.grid.voxels, scene.task)
    before = scene.edit.assignment
    with workspace.store.write(before.annotator_id) as tx:
        revision = append_patch(tx, require_revision(tx.get(Assignment, before.id), before.revision), runs)
        if withdrawn is not None:
            take_back(tx, before.id, [withdrawn], revision)
        records = [record_of(before.id, revision, gesture, scene.locked, answer) for gesture in made]
        for record in records:
            tx.add(record, verb="refine")
    ids = tuple(record.id for record in records)
    draft = Draft(revision, apply_runs(scene.draft.mask, runs))
    return Refinement(ids, draft, runs, answer.quality, answer.engine, answer.note)


def record_of(assignment_id: str, revision: int, gesture: Given, locked: Sequence[int], answer: Answered) -> PromptRecord:
    """The record of a gesture that was answered."""
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
