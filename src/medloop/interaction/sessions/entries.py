"""What a session remembers of each gesture: what was said, and the runs of voxels it changed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from medloop.core.arrays import MaskArray
from medloop.core.errors import InputError
from medloop.core.geometry import Shape3
from medloop.interaction.engine import Engine, ImageEmbedding, RefinedMask, StillWanted
from medloop.interaction.guard import Guard, check_locked, keep_locked, limit_changes
from medloop.interaction.prompts import Box, Prompt, check_prompts, exact_voxels, prompt_from_json, prompt_to_json
from medloop.interaction.regions import VoxelBox, Voxels, prompt_box, union
from medloop.interaction.sessions.runs import Delta, Run, box_slices, delta_within, flat_indices, plain_runs


@dataclass(frozen=True)
class Paint:
    """Voxels set by hand.

    Attributes:
        runs: (start, length, value) on flat voxels, I fastest; at least one.
    """

    runs: tuple[Run, ...]


Gesture: TypeAlias = Prompt | Paint


@dataclass(frozen=True, eq=False)
class Entry:
    """A gesture in force and its effect.

    Attributes:
        item: Its number: the same after it was edited.
        said: The gesture.
        locked: Labels that were locked when it was made.
        engine: Which engine answered; empty for paint.
        delta: What it changed in the mask of the gestures before it.
    """

    item: int
    said: Gesture
    locked: tuple[int, ...]
    engine: str
    delta: Delta = field(repr=False)


@dataclass(frozen=True)
class Circumstances:
    """What stays the same while gestures follow each other.

    Attributes:
        labels: The task's label values.
        guard: How far a prompt reaches.
    """

    labels: tuple[int, ...]
    guard: Guard


def ask(
    engine: Engine,
    embedding: ImageEmbedding,
    mask: MaskArray,
    before: Sequence[Gesture],
    prompt: Prompt,
    *,
    locked: Sequence[int],
    around: Circumstances,
    wanted: StillWanted,
) -> tuple[Delta, RefinedMask]:
    """An engine's answer to one more prompt, held to what a prompt may change.

    Args:
        engine: Who answers.
        embedding: Its view of the image.
        mask: As it stands, shape (I, J, K); not changed.
        before: Gestures in force, in order.
        prompt: The new one.
        locked: Labels that stay.
        around: See `Circumstances`.
        wanted: Whether the answer is still wanted.

    Raises:
        InputError: A prompt that cannot be obeyed.
        CancelledError: The answer is no longer wanted.
        UnavailableError: What stands behind the engine does not answer.
    """
    prompts = [*(g for g in before if not isinstance(g, Paint)), prompt]
    check_prompts(prompts, mask.shape, labels=around.labels)
    check_locked(prompt, mask, locked)
    shown = mask.view()
    shown.flags.writeable = False
    refined = engine.refine(embedding, prompts, labels=around.labels, previous=shown, locked=locked, wanted=wanted)
    own = prompt_box(prompt, mask.shape)
    within = union([(refined.start, refined.stop)] + ([] if isinstance(prompt, Box) else [own]))
    after = _settled(mask, refined, within, [*before, prompt], locked)
    fresh = None if (mask == prompt.label).any() else prompt.label
    grid = embedding.image.grid
    after = limit_changes(mask, after, within=within, prompt=own, guard=around.guard, grid=grid, fresh=fresh)
    after = keep_locked(mask[box_slices(*within)], after, locked)
    return delta_within(mask, within[0], after), refined


def entry_to_json(entry: Entry) -> dict[str, Any]:
    """An entry as plain JSON."""
    said = {"kind": "paint", "runs": entry.said.runs} if isinstance(entry.said, Paint) else prompt_to_json(entry.said)
    runs = [list(r) for r in plain_runs(entry.delta)]
    return {"item": entry.item, "said": said, "locked": list(entry.locked), "engine": entry.engine, "runs": runs}


def gesture_from_json(record: Mapping[str, Any]) -> Gesture:
    """A gesture out of `entry_to_json(...)["said"]`.

    Raises:
        InputError: An unknown kind, or fields that do not make one of it.
    """
    if record.get("kind") != "paint":
        return prompt_from_json(record)
    try:
        return Paint(tuple((int(s), int(n), int(v)) for s, n, v in record["runs"]))
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"A manual edit is runs (start, length, value), got {record.get('runs')!r}") from error


def _settled(mask: MaskArray, refined: RefinedMask, within: VoxelBox, gestures: Sequence[Gesture], locked: Sequence[int]) -> MaskArray:
    """The box's content as answered but for locked labels, then every gesture's own voxels in order: the last word wins."""
    old = mask[box_slices(*within)]
    after = old.copy(order="K")
    low = np.array(within[0])
    inner = box_slices((np.array(refined.start) - low).tolist(), (np.array(refined.stop) - low).tolist())
    if refined.stop != (0, 0, 0):
        after[inner] = refined.mask[box_slices(refined.start, refined.stop)]
        after = keep_locked(old, after, locked)
    for gesture in gestures:
        for voxels, value, clears in _words(gesture, mask.shape):
            moved = voxels - low
            at = tuple(moved[((moved >= 0) & (moved < after.shape)).all(axis=1)].T)
            after[at] = np.where(after[at] == clears, 0, after[at]) if clears else value
    return after


def _words(gesture: Gesture, shape: Shape3) -> Iterator[tuple[Voxels, int, int]]:
    """The voxels a gesture decides: their value, or else the label that it clears there."""
    if isinstance(gesture, Paint):
        for run in gesture.runs:
            yield np.stack(np.unravel_index(flat_indices([run]), shape, order="F"), axis=1), run[2], 0
    else:
        positive = getattr(gesture, "positive", True)
        yield exact_voxels(gesture, shape), gesture.label, 0 if positive else gesture.label
