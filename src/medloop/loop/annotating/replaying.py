"""What was done to a draft, in the order in which it counts: the strokes of the brush that stand, and the prompts in force.

A prompt counts at the place of the gesture that it continues, however often it was changed or brought back. A stroke counts at
its revision; one that the next stroke takes back exactly (undo) does not count, and neither does that one. Taking back or editing
a prompt is the replay of everything else in this order, and painted voxels are found by the same order.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
import numpy.typing as npt

from medloop.core.arrays import BoolArray, IntArray, MaskArray
from medloop.core.geometry import Shape3
from medloop.core.records import DraftPatch, PromptRecord
from medloop.interaction.prompts import Prompt
from medloop.interaction.runs import Run, covered, painted_voxels, put_runs
from medloop.loop.annotating.open_edit import NOT_DRAWN, OpenEdit
from medloop.loop.annotating.prompt_log import gesture_of, in_force, line_starts


@dataclass(frozen=True)
class Deed:
    """One thing that counts.

    Attributes:
        place: The revision at which it counts.
        since: A draft of this revision or later shows it as it is now.
        runs: A stroke's runs; empty for prompts.
        records: Prompts that are answered together, in order; empty for a stroke.
        by_hand: Whether a stroke was painted, not filled in between slices nor propagated.
    """

    place: int
    since: int
    runs: tuple[Run, ...] = ()
    records: tuple[PromptRecord, ...] = ()
    by_hand: bool = True


@dataclass(frozen=True)
class History:
    """What counts, in order, and the revision of each stroke that was taken back with that of its inverse."""

    deeds: tuple[Deed, ...]
    undone: tuple[tuple[int, int], ...]


def history_of(edit: OpenEdit) -> History:
    """What counts of a draft's history, in order."""
    log = edit.log
    standing, undone = standing_strokes(edit)
    strokes = [Deed(p.revision, p.revision, p.runs, by_hand=edit.verbs.get(p.id) not in NOT_DRAWN) for p in standing]
    place = line_starts(log)
    together: dict[int, list[PromptRecord]] = {}
    for record in in_force(log):
        together.setdefault(log[place[record.id]].revision, []).append(record)
    prompts = [Deed(start, max(r.revision for r in records), records=tuple(records)) for start, records in together.items()]
    return History(tuple(sorted([*strokes, *prompts], key=lambda deed: deed.place)), tuple(undone))


def painted_by(deeds: Sequence[Deed], shape: Shape3, *, then: Sequence[Prompt] = ()) -> BoolArray | None:
    """Voxels whose last word a stroke had, shape (I, J, K), where prompts that are not saved yet follow; None without strokes."""
    words = (word for deed in deeds for word in ((deed.runs,) if deed.runs and deed.by_hand else map(gesture_of, deed.records)))
    return painted_voxels(chain(words, then), shape)


def standing_strokes(edit: OpenEdit) -> tuple[list[DraftPatch], list[tuple[int, int]]]:
    """The patches of the brush without those taken back by their exact inverse, and the revisions of such pairs."""
    by_prompt = {record.revision for record in edit.log} | {record.withdrawn for record in edit.log}
    brushed = [patch for patch in edit.patches if patch.revision not in by_prompt and patch.runs]
    if len({_span(patch) for patch in brushed}) == len(brushed):
        return brushed, []  # no two go over the same voxels
    flat = edit.begun.reshape(-1, order="F").copy()
    standing: list[tuple[DraftPatch, IntArray, npt.NDArray[np.uint8]]] = []
    undone: list[tuple[int, int]] = []
    for patch in edit.patches:
        places, before = _applied(flat, patch.runs)
        if patch.revision in by_prompt or not patch.runs:
            continue
        if standing and _takes_back(standing[-1], places, flat):
            undone.append((standing.pop()[0].revision, patch.revision))
        else:
            standing.append((patch, places, before))
    return [patch for patch, _, _ in standing], undone


def _span(patch: DraftPatch) -> tuple[int, int]:
    """First flat voxel that runs go over, and one past the last."""
    return min(start for start, _, _ in patch.runs), max(start + length for start, length, _ in patch.runs)


def _applied(flat: MaskArray, runs: Sequence[Run]) -> tuple[IntArray, npt.NDArray[np.uint8]]:
    """Apply runs in place; the voxels they changed, ascending, and what these had."""
    if not runs:
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.uint8)
    touched = np.unique(covered(runs))
    before = flat[touched]
    put_runs(flat, runs)
    changed = flat[touched] != before
    return touched[changed], before[changed]


def _takes_back(last: tuple[DraftPatch, IntArray, npt.NDArray[np.uint8]], places: IntArray, flat: MaskArray) -> bool:
    """Whether a patch that has just changed some voxels gave exactly those that a stroke had changed what they had before it."""
    _, changed, before = last
    return len(changed) > 0 and np.array_equal(changed, places) and np.array_equal(flat[places], before)
