"""A simulated person who corrects proposals as people do: slice by slice, by the cheapest interaction that is enough.

Only the slices queried are viewed, and each is left as soon as nothing noticeable is wrong. On each slice, in the order of trying:

- **accept** where nothing noticeable is wrong (`outlining.noticeable_errors`): that costs the view alone;
- **prompts** through an engine under the product's own guard (`medloop.interaction.guarded`): up to two clicks, then a scribble, each
  followed by a second look. A prompt is tried only where it costs less than the work by hand that is left, and kept only where it
  saved more than it cost; else it is undone, and paid for. After `PATIENCE` such tries in a row the person prompts no more in this case;
- **by hand**, patch by patch: *push* the outline (a drag along the new outline, `_pushed`) or *brush* the patch (its whole boundary);
- **redraw** the slice where its outlines are shorter than all that.

So a slice costs never more than redrawing it, apart from prompts that were tried and undone (`Visit.undone`). Slices that were left are
held like painted ones: prompts elsewhere do not change them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, TypeAlias

import numpy as np

from medloop.core.arrays import UNKNOWN, BoolArray, MaskArray
from medloop.core.errors import InputError
from medloop.interaction.engine import Engine, ImageEmbedding
from medloop.interaction.guard import Guard
from medloop.interaction.guarded import refine_guarded
from medloop.interaction.prompts import Prompt, Scribble
from medloop.interaction.simulated_users.effort import EffortModel
from medloop.interaction.simulated_users.outlining import boundary_length, noticeable_errors, on_slices, outlines
from medloop.interaction.simulated_users.robots import CentreClicker, Robot, Scene, Scribbler
from medloop.interaction.simulated_users.tally import Tally

Way: TypeAlias = Literal["accept", "prompt", "push", "brush", "redraw"]
"""What a slice was finished with; with prompts and work by hand together, the latter."""

TRIES: tuple[tuple[Robot, ...], ...] = ((CentreClicker(), CentreClicker()), (Scribbler(),))
"""Prompts on a slice: up to two clicks, then a stroke."""

PATIENCE = 2


@dataclass(frozen=True, eq=False)
class Prompting:
    """What answers prompts.

    Attributes:
        engine: The project's.
        embedding: Its, of the case.
        labels: The task's label values.
        rng: The person's chance.
    """

    engine: Engine
    embedding: ImageEmbedding
    labels: Sequence[int]
    rng: np.random.Generator


@dataclass(frozen=True)
class Visit:
    """What happened on a slice.

    Attributes:
        index: Which.
        way: What finished it.
        tally: All of the work, without `undone`.
        undone: Prompts that were tried and taken back.
        saved: Seconds of work by hand that prompts spared, less what all of them took; negative where they did not pay.
    """

    index: int
    way: Way
    tally: Tally
    undone: Tally
    saved: float = 0.0


@dataclass(frozen=True, eq=False)
class Worked:
    """A case after a person's work.

    Attributes:
        mask: Label values, shape (I, J, K); slices not viewed are as proposed, or as prompts elsewhere left them.
        visits: In the order of the work.
    """

    mask: MaskArray
    visits: tuple[Visit, ...]

    @property
    def tally(self) -> Tally:
        """All that was done, tries that were undone included."""
        return sum((visit.tally + visit.undone for visit in self.visits), Tally())


@dataclass(frozen=True, eq=False)
class _ByHand:
    """How a slice is corrected without an engine."""

    way: Way
    tally: Tally


def work_through(
    proposal: MaskArray, truth: MaskArray, axis: int, slices: Sequence[int], effort: EffortModel, prompting: Prompting | None = None
) -> Worked:
    """Correct slices of a proposal, each by the cheapest interaction that leaves nothing noticeable wrong.

    Args:
        proposal: Label values, shape (I, J, K); zeros where there is none.
        truth: Likewise.
        axis: Slices are perpendicular to it.
        slices: Which are queried, in the order of the work, each once.
        effort: By which the cheapest is found.
        prompting: What answers prompts; None works by hand alone.

    Raises:
        ShapeError: Masks of different shapes.
        InputError: A slice that does not exist, or one named twice; a truth with voxels that nobody knows.
    """
    on_slices(truth.shape, axis, slices)
    if (truth == UNKNOWN).any():
        raise InputError("A simulated person needs the truth of every voxel, got voxels that nobody knows")
    noticeable_errors(proposal, truth, axis)
    person = _Person(proposal, truth, axis, effort, prompting)
    visits = tuple([person.visit(n) for n in slices])
    return Worked(person.mask, visits)


def work_where_needed(
    proposal: MaskArray, truth: MaskArray, axis: int, step: int, effort: EffortModel, prompting: Prompting | None = None
) -> Worked:
    """As `work_through`: every few slices, then those half-way to the next wherever one of the two had to be corrected.

    So a good proposal is viewed on few slices. Those between are for `medloop.interaction.carrying`, from the slices visited.

    Args:
        proposal: See `work_through`.
        truth: Likewise.
        axis: Likewise.
        step: Every how many slices the first look is; 1 leaves none between.
        effort: See `work_through`.
        prompting: Likewise.

    Raises:
        ShapeError: See `work_through`.
        InputError: Likewise; or a step below 1.
    """
    if step < 1:
        raise InputError(f"The first look must be at every 1st slice or fewer of them, got {step}")
    first = range(min(step // 2, truth.shape[axis] - 1), truth.shape[axis], step)
    looked = work_through(proposal, truth, axis, first, effort, prompting)
    corrected = {visit.index for visit in looked.visits if visit.way != "accept"}
    halfway = [(low + high) // 2 for low, high in pairwise(first) if high - low > 1 and corrected & {low, high}]
    then = work_through(looked.mask, truth, axis, halfway, effort, prompting)
    return Worked(then.mask, looked.visits + then.visits)


class _Person:
    """Goes from slice to slice; remembers the mask, what is finished, and how prompts went."""

    def __init__(self, proposal: MaskArray, truth: MaskArray, axis: int, effort: EffortModel, prompting: Prompting | None) -> None:
        self.mask = proposal.copy(order="K")
        self._truth, self._axis, self._effort, self._prompting = truth, axis, effort, prompting
        self._finished: BoolArray = np.zeros(truth.shape, dtype=np.bool_)
        self._disappointed = 0
        self._given: tuple[Prompt, ...] = ()

    def visit(self, index: int) -> Visit:
        """Look at a slice and finish it."""
        before = self._by_hand(self.mask, index).tally.seconds(self._effort)
        kept, undone, prompted = Tally(), Tally(), False
        for robots in TRIES:
            for robot in robots:
                done, price = self._try(robot, index)
                kept, undone = (kept + price, undone) if done else (kept, undone + price)
                prompted |= done
                if not done:
                    break
        by_hand = self._by_hand(self.mask, index)
        here = self._at(index)
        wrong = self._noticed(self.mask, index)
        if by_hand.way == "redraw":
            wrong = np.ones_like(wrong)
        self.mask[here] = np.where(wrong, self._truth[here], self.mask[here])
        self._finished[here] = True
        way: Way = "prompt" if by_hand.way == "accept" and prompted else by_hand.way
        work = kept + by_hand.tally
        return Visit(index, way, Tally(viewed=1) + work, undone, before - (work + undone).seconds(self._effort))

    def _try(self, robot: Robot, index: int) -> tuple[bool, Tally]:
        """One prompt, where it may pay: whether it was kept, and what it cost; nothing where none was given."""
        own = self._prompting
        if own is None or self._disappointed >= PATIENCE:
            return False, Tally()
        left = self._by_hand(self.mask, index).tally.seconds(self._effort)
        least = Tally(viewed=1, scribbles=1) if isinstance(robot, Scribbler) else Tally(viewed=1, aims=1)
        if least.seconds(self._effort) >= left:
            return False, Tally()
        prompt = robot.act(self._scene(index), own.rng)
        if prompt is None:
            return False, Tally()
        price = Tally(viewed=1, scribbles=1) if isinstance(prompt, Scribble) else Tally(viewed=1, aims=1)
        answer = self._answer(own, prompt)
        after = price.seconds(self._effort) + self._by_hand(answer, index).tally.seconds(self._effort)
        done = after < left
        self._disappointed = 0 if done else self._disappointed + 1
        if done:
            self.mask, self._given = answer, (*self._given, prompt)
        return done, price

    def _answer(self, own: Prompting, prompt: Prompt) -> MaskArray:
        guard = Guard(labels=tuple(own.labels), painted=self._finished)
        return refine_guarded(own.engine, own.embedding, self.mask, self._given, (prompt,), guard).mask.copy(order="K")

    def _scene(self, index: int) -> Scene:
        """What the person points at: noticeable errors of this slice."""
        seen = np.full(self.mask.shape, UNKNOWN, dtype=np.uint8)
        here = self._at(index)
        seen[here] = np.where(self._noticed(self.mask, index), self._truth[here], self.mask[here])
        return Scene(seen, self.mask, self._given)

    def _by_hand(self, mask: MaskArray, index: int) -> _ByHand:
        here = self._at(index)
        wrong = self._noticed(mask, index)
        if not wrong.any():
            return _ByHand("accept", Tally())
        flat, truth = np.moveaxis(mask[here], self._axis, 0)[0], np.moveaxis(self._truth[here], self._axis, 0)[0]
        patches = _patches(flat, truth, np.moveaxis(wrong, self._axis, 0)[0], self._effort)
        mended = sum((one.tally for one in patches), Tally())
        starts, voxels = outlines(truth[None], (truth > 0)[None], 0)[0]
        afresh = Tally(aims=int(starts), drawn=int(voxels))
        # A slice without any label is not redrawn but cleared, which is one click on the page's operation.
        afresh = afresh if starts else Tally(aims=1)
        if afresh.seconds(self._effort) < mended.seconds(self._effort):
            return _ByHand("redraw", afresh)
        return _ByHand("push" if all(one.way == "push" for one in patches) else "brush", mended)

    def _noticed(self, mask: MaskArray, index: int) -> BoolArray:
        here = self._at(index)
        return noticeable_errors(mask[here], self._truth[here], self._axis)

    def _at(self, index: int) -> tuple[slice, ...]:
        return tuple(slice(index, index + 1) if a == self._axis else slice(None) for a in range(3))


def _patches(mask: MaskArray, truth: MaskArray, wrong: BoolArray, effort: EffortModel) -> list[_ByHand]:
    """Each patch of one true label on a slice, shape (rows, columns): pushed where that is possible and cheaper, else brushed."""
    from scipy import ndimage

    found = []
    for label in np.unique(truth[wrong]):
        numbered, count = ndimage.label(wrong & (truth == label), structure=np.ones((3, 3)))
        for n in range(1, count + 1):
            patch = numbered == n
            brushed = _ByHand("brush", Tally(aims=1, drawn=boundary_length(patch[None], 0)))
            pushed = _pushed(mask == label, truth == label, patch)
            cheaper = pushed is not None and pushed.seconds(effort) < brushed.tally.seconds(effort)
            found.append(_ByHand("push", pushed) if pushed is not None and cheaper else brushed)
    return found


def _pushed(has: BoolArray, should: BoolArray, patch: BoolArray) -> Tally | None:
    """Pushing the outline of what has a label over a patch that should have it; None where the tool cannot.

    The page's disc begins on the side that is right and is no wider than what fits there. So the patch must touch it, and be no
    thicker. The drag follows the new outline, or crosses the patch where that is longer.
    """
    from scipy import ndimage

    right = has & should
    if not (ndimage.binary_dilation(patch) & right).any():
        return None
    deep, room = (float(ndimage.distance_transform_edt(np.pad(part, 1, mode="edge")).max()) for part in (patch, right))
    if deep > room:
        return None
    new = patch & ndimage.binary_dilation(~should, border_value=0)
    reach = max(int(np.ptp(places)) + 1 for places in np.nonzero(patch))
    return Tally(aims=1, drawn=max(int(np.count_nonzero(new)), reach))
