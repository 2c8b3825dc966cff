"""Show what prompts would do to a draft, and save exactly that once a person accepts it.

A preview holds any number of prompts, each answered on what those before it made, as if all had been saved one by one. Nothing of it
is stored. Accepted, every prompt and its effect become a revision of their own, together in one transaction; what is saved is
compared with what was shown, so that an engine that answers differently by now (a newer model, another server) saves nothing.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from medloop.core.arrays import MaskArray
from medloop.core.errors import ConflictError
from medloop.core.records import Assignment
from medloop.interaction.prompts import Prompt
from medloop.interaction.regions import VoxelBox, union
from medloop.interaction.runs import Run, runs_between
from medloop.loop.annotating.drafts import append_patch, check_runs
from medloop.loop.annotating.open_edit import Draft, require_revision
from medloop.loop.annotating.prompt_log import gesture_of, in_force
from medloop.loop.annotating.refining import Given, Refinement, Refiner, Scene, load_scene, record_of, refined_by, require_given
from medloop.loop.annotating.replaying import painted_by
from medloop.loop.foundation.workspace import Workspace

_NOWHERE: VoxelBox = ((0, 0, 0), (0, 0, 0))


@dataclass(frozen=True, eq=False)
class Turn:
    """What came of one prompt on what those before it made, as runs."""

    runs: tuple[Run, ...]
    quality: float | None
    engine: str
    note: str


@dataclass(frozen=True, eq=False)
class Preview:
    """What prompts would do to a draft.

    Attributes:
        before: The draft.
        prompts: In order, at least one.
        locked: Labels that stay.
        engine: Who answered; another engine's preview is of no use to this one.
        turns: What came of each prompt.
        after: The mask that is shown, shape (I, J, K).
        box: Of the voxels that may differ from the draft.
    """

    before: Draft
    prompts: tuple[Prompt, ...]
    locked: tuple[int, ...]
    engine: str
    turns: tuple[Turn, ...]
    after: MaskArray
    box: VoxelBox

    @cached_property
    def runs(self) -> tuple[Run, ...]:
        """From the draft to what is shown."""
        return runs_between(self.before.mask, self.after, start=self.box[0], stop=self.box[1])

    @cached_property
    def effect(self) -> str:
        """Digest of `runs`: what a person has seen, by name."""
        return hashlib.sha256(repr(self.runs).encode()).hexdigest()

    def leads_to(self, scene: Scene, prompts: Sequence[Prompt]) -> bool:
        """Whether it is the beginning of the preview of these prompts on that draft."""
        same = self.before.revision == scene.draft.revision and self.locked == tuple(scene.locked)
        return same and self.engine == scene.refiner.engine.name and self.prompts == tuple(prompts)[: len(self.prompts)]


def preview_prompts(
    workspace: Workspace,
    assignment_id: str,
    prompts: Sequence[Prompt],
    *,
    base_revision: int,
    refiner: Refiner,
    locked: Sequence[int] = (),
    known: Preview | None = None,
) -> Preview:
    """What prompts, at least one, would do to a draft; nothing is saved.

    Args:
        workspace: The project.
        assignment_id: Whose draft.
        prompts: In the order given.
        base_revision: The draft's.
        refiner: Who answers.
        locked: Labels that stay.
        known: An earlier preview; what it holds of this one is not computed again.

    Raises:
        InputError, LabelError, ConflictError, StateError, CancelledError: As `medloop.loop.annotating.refining.add_prompt`.
    """
    return _previewed(load_scene(workspace, assignment_id, base_revision, refiner, locked), prompts, known)


@dataclass(frozen=True)
class Shown:
    """What a preview said that its prompts do, and the preview itself where it is still at hand."""

    effect: str
    preview: Preview | None = None


def accept_prompts(
    workspace: Workspace,
    assignment_id: str,
    prompts: Sequence[Prompt],
    shown: Shown,
    *,
    base_revision: int,
    refiner: Refiner,
    locked: Sequence[int] = (),
) -> Refinement:
    """Save the prompts of a preview with the effect that was shown; each becomes a revision, all of them or none.

    Raises:
        ConflictError: They would do something else by now, or another edit came first.
        InputError, LabelError, StateError, CancelledError: As `preview_prompts`.
    """
    scene = load_scene(workspace, assignment_id, base_revision, refiner, locked)
    preview = _previewed(scene, prompts, shown.preview)
    if preview.effect != shown.effect:
        raise ConflictError("The engine computes these prompts differently by now, so nothing was saved", remedy="look at the new preview")
    check_runs(preview.runs, scene.edit.case.grid.voxels, scene.task)
    ids, revision = list[str](), base_revision
    with workspace.store.write(scene.edit.assignment.annotator_id) as tx:
        for prompt, turn in zip(preview.prompts, preview.turns, strict=True):
            revision = append_patch(tx, require_revision(tx.get(Assignment, assignment_id), revision), turn.runs)
            record = record_of(assignment_id, revision, Given(prompt), scene.locked, turn)
            tx.add(record, verb="refine")
            ids.append(record.id)
    last = preview.turns[-1]
    return Refinement(tuple(ids), Draft(revision, preview.after), preview.runs, last.quality, last.engine, last.note)


def _previewed(scene: Scene, prompts: Sequence[Prompt], known: Preview | None) -> Preview:
    require_given(scene, prompts)
    begun = known if known is not None and known.leads_to(scene, prompts) else None
    turns, mask, box = (list(begun.turns), begun.after, begun.box) if begun else ([], scene.draft.mask, _NOWHERE)
    older = [gesture_of(record) for record in in_force(scene.edit.log)]
    for n in range(len(turns), len(prompts)):
        painted = painted_by(scene.history.deeds, mask.shape, then=prompts[:n])
        answer = refined_by(scene, [*older, *prompts[:n]], [prompts[n]], mask, painted, scene.locked)
        changed = (answer.start, answer.stop or answer.start)
        runs = runs_between(mask, answer.mask, start=changed[0], stop=changed[1])
        turns.append(Turn(runs, answer.quality, answer.engine, answer.note))
        mask, box = answer.mask, union([box, changed])
    return Preview(scene.draft, tuple(prompts), tuple(scene.locked), scene.refiner.engine.name, tuple(turns), mask, box)
