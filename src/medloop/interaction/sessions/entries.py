"""What a session remembers of each gesture: what was said, and the runs of voxels it changed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from medloop.core.arrays import MaskArray
from medloop.core.errors import InputError
from medloop.interaction.engine import Engine, ImageEmbedding, RefinedMask, StillWanted
from medloop.interaction.guard import Guard
from medloop.interaction.guarded import ask_guarded
from medloop.interaction.overruling import still_meant
from medloop.interaction.painting import painted_voxels
from medloop.interaction.prompts import Prompt, prompt_from_json, prompt_to_json
from medloop.interaction.sessions.runs import Delta, Run, box_slices, delta_within, plain_runs


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
    older = [g for g in before if not isinstance(g, Paint)]
    painted = painted_voxels((g.runs if isinstance(g, Paint) else g for g in before), mask.shape)
    meant = still_meant(older, mask)
    refined = ask_guarded(
        engine, embedding, mask, meant, [prompt], labels=around.labels, locked=locked, painted=painted, guard=around.guard, wanted=wanted
    )
    after = refined.mask[box_slices(refined.start, refined.stop)]
    return delta_within(mask, refined.start, after), refined


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
