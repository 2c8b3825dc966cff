"""Which of a draft's edits are in force: what was drawn and undone again leaves no trace.

A draft's states are told apart by one number each (Zobrist hashing: every voxel that differs from the base adds the hash of
its place and value), so that a state that comes back is known at once, whoever undid it and by which patches.

Source: A. L. Zobrist, "A new hashing method with application for game playing", 1970; the mixing function is SplitMix64.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from medloop.core.arrays import BoolArray, IntArray, MaskArray
from medloop.core.records import DraftPatch
from medloop.interaction.runs import covered, put_runs

_Hashes = npt.NDArray[np.uint64]
VALUES = 256
"""Values a voxel may have."""


@dataclass
class Edits:
    """The edits in force, and the state after each.

    Attributes:
        patches: Those that nothing undid, in order.
        states: Number of the base (0), then of the draft after each of `patches`.
    """

    patches: list[DraftPatch] = field(default_factory=list)
    states: list[int] = field(default_factory=lambda: [0])

    def touched(self, shape: Sequence[int], *, after: int = 0) -> BoolArray:
        """Voxels that the edits in force went over, those of the first `after` left out, shape (I, J, K)."""
        return touched_voxels(self.patches[after:], shape)

    def _note(self, patch: DraftPatch, state: int) -> None:
        if state in self.states:
            back = self.states.index(state)
            del self.patches[back:], self.states[back + 1 :]
        else:
            self.patches.append(patch)
            self.states.append(state)


def touched_voxels(patches: Sequence[DraftPatch], shape: Sequence[int]) -> BoolArray:
    """Which voxels edits went over, whether or not they changed there, shape (I, J, K)."""
    flat = np.zeros(int(np.prod(shape)), dtype=bool)
    for patch in patches:
        put_runs(flat, patch.runs, 1)
    return flat.reshape(shape, order="F")


def edits_in_force(base: MaskArray, patches: Sequence[DraftPatch]) -> Edits:
    """Replay patches on the mask they began with, shape (I, J, K), and drop those that led back to an earlier state."""
    flat, state, edits = base.ravel(order="F").copy(), 0, Edits()
    for patch in patches:
        places = np.unique(covered(patch.runs))
        before = flat[places]
        put_runs(flat, patch.runs)
        state ^= _difference(places, before, flat[places])
        edits._note(patch, state)
    return edits


def taken_in_a_label(base: MaskArray, patches: Sequence[DraftPatch], proposed: MaskArray) -> int | None:
    """After how many patches a draft on `base`, shape (I, J, K), first equalled a proposal in one label; None for never.

    A proposal that is put into a draft while other labels are kept changes one label only, where no other one is.
    """
    flat, wanted = base.ravel(order="F").copy(), proposed.ravel(order="F")
    labels = np.unique(wanted[wanted > 0])
    counts = _agreement(flat, wanted, labels)
    for number, patch in enumerate(patches, start=1):
        places = np.unique(covered(patch.runs))
        old, equal = _agreement(flat[places], wanted[places], labels), _is_equal(counts)
        put_runs(flat, patch.runs)
        counts = counts + _agreement(flat[places], wanted[places], labels) - old
        if (_is_equal(counts) & ~equal).any():
            return number
    return None


def _agreement(values: MaskArray, wanted: MaskArray, labels: MaskArray) -> npt.NDArray[np.int64]:
    """For each label: voxels that have it, and voxels that lack it or have it wrongly, other labels aside; shape (labels, 2)."""
    found = [((values == one).sum(), ((values == one) != (wanted == one))[(values == one) | (values == 0)].sum()) for one in labels]
    return np.array(found, dtype=np.int64).reshape(-1, 2)


def _is_equal(counts: npt.NDArray[np.int64]) -> BoolArray:
    equal: BoolArray = (counts[:, 0] > 0) & (counts[:, 1] == 0)
    return equal


def state_of(base: MaskArray, mask: MaskArray) -> int:
    """The number of the state in which a draft on that base equals the mask."""
    old, new = base.ravel(order="F"), mask.ravel(order="F")
    places = np.flatnonzero(old != new)
    return _difference(places, old[places], new[places])


def _difference(places: IntArray, before: MaskArray, after: MaskArray) -> int:
    changed = before != after
    where = places[changed].astype(np.uint64) * np.uint64(VALUES)
    mixed = _mixed(where + before[changed]) ^ _mixed(where + after[changed])
    return int(np.bitwise_xor.reduce(mixed)) if mixed.size else 0


def _mixed(numbers: _Hashes) -> _Hashes:
    """SplitMix64's output function of each number; wraps on purpose."""
    z = (numbers + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: _Hashes = z ^ (z >> np.uint64(31))
    return mixed
