"""A simulated expert who draws masks or mends proposals, slice by slice, and how long that takes.

People do not chase single voxels along an outline. An error counts as noticeable where it is at least two voxels thick on a
slice; then all of its patch is mended, and what is thinner stays as proposed. So answers made from proposals keep small errors,
as real ones do, and a model that learns from them is judged on the truth.

Every outline starts with aiming at it, which takes as long as a click. So does a click itself, which may mend a patch through
several slices; after it the expert looks at the slice again, and undoes what made things worse.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from medloop.core.arrays import UNKNOWN, FloatArray, IntArray, MaskArray
from medloop.interaction.engine import Engine, ImageEmbedding
from medloop.interaction.prompts import Prompt
from medloop.interaction.simulated_users.effort import EffortModel
from medloop.interaction.simulated_users.outlining import noticeable_errors, on_slices, outlines
from medloop.interaction.simulated_users.robots import Robot, Scene

MOST_CLICKS = 10


@dataclass(frozen=True, eq=False)
class Answered:
    """What the expert made of a case.

    Attributes:
        mask: Label values, shape (I, J, K), `UNKNOWN` on slices not looked at.
        whole: The same with what was proposed on slices not looked at, `UNKNOWN` where nothing was.
        seconds: Of the expert's time.
        slices: How many were looked at.
        outlines: Patches outlined by hand.
        outlined: Voxels of their boundaries.
        clicks: Prompts given, undone ones included.
    """

    mask: MaskArray
    whole: MaskArray
    seconds: float
    slices: int
    outlines: int
    outlined: int
    clicks: int = 0


def draw_slices(truth: MaskArray, axis: int, slices: Sequence[int], effort: EffortModel) -> Answered:
    """Draw slices by hand: each is viewed, every patch of a label on it outlined.

    Args:
        truth: Label values, shape (I, J, K).
        axis: Slices are perpendicular to it.
        slices: Which, each once.
        effort: What it costs.

    Raises:
        InputError: A slice that does not exist, or one named twice.
    """
    inside = on_slices(truth.shape, axis, slices)
    work = outlines(truth, truth > 0, axis)
    drawn = np.where(inside, truth, np.uint8(UNKNOWN))
    return _answered(drawn, drawn, work[list(slices)], effort)


def mend_slices(proposal: MaskArray, truth: MaskArray, axis: int, slices: Sequence[int], effort: EffortModel) -> Answered:
    """Look at slices of a proposal and outline every patch of noticeable error there.

    A slice on which that takes longer than outlining its labels afresh is drawn afresh.

    Args:
        proposal: Label values, shape (I, J, K).
        truth: Likewise.
        axis: See `draw_slices`.
        slices: Likewise.
        effort: Likewise.

    Raises:
        ShapeError: Masks of different shapes.
        InputError: A slice that does not exist, or one named twice.
    """
    inside = on_slices(truth.shape, axis, slices)
    wrong = noticeable_errors(proposal, truth, axis)
    mending, drawing = outlines(truth, wrong, axis), outlines(truth, truth > 0, axis)
    quicker = _seconds(drawing, effort) < _seconds(mending, effort)
    afresh = on_slices(truth.shape, axis, np.flatnonzero(quicker).tolist())
    whole = np.where((wrong | afresh) & inside, truth, proposal)
    work = np.where(quicker[:, None], drawing, mending)
    return _answered(np.where(inside, whole, np.uint8(UNKNOWN)), whole, work[list(slices)], effort)


@dataclass(frozen=True)
class Clicker:
    """A simulated annotator who clicks, and the engine that follows.

    Attributes:
        engine: Follows the clicks.
        embedding: The engine's, of the case.
        robot: Where a person would click.
        labels: The task's.
        rng: The robot's chance.
    """

    engine: Engine
    embedding: ImageEmbedding
    robot: Robot
    labels: Sequence[int]
    rng: np.random.Generator


def click_and_mend(
    proposal: MaskArray,
    truth: MaskArray,
    axis: int,
    slices: Sequence[int],
    effort: EffortModel,
    clicker: Clicker,
) -> Answered:
    """As `mend_slices`, but with clicks as long as they save more outlining than they cost.

    The first click that does not is undone, and the rest is mended by hand.

    Args:
        proposal: Label values, shape (I, J, K).
        truth: Likewise.
        axis: See `draw_slices`.
        slices: Likewise.
        effort: Likewise.
        clicker: Who clicks, and what follows the clicks.

    Raises:
        ShapeError: Masks of different shapes.
        InputError: A slice that does not exist, or one named twice.
    """
    inside = on_slices(truth.shape, axis, slices)
    mask, given, clicks, clicking = proposal, tuple[Prompt, ...](), 0, 0.0
    left = mend_slices(mask, truth, axis, slices, effort)
    while clicks < MOST_CLICKS and left.outlines:
        seen = np.where(noticeable_errors(mask, truth, axis), truth, mask)
        prompt = clicker.robot.act(Scene(np.where(inside, seen, np.uint8(UNKNOWN)), mask, given), clicker.rng)
        price = effort.slice_viewed + (effort.prompt_seconds(prompt) if prompt else 0.0)
        if prompt is None or left.seconds - effort.slice_viewed * left.slices <= price:
            break
        refined = clicker.engine.refine(clicker.embedding, (*given, prompt), labels=clicker.labels, previous=mask).mask
        clicks, clicking = clicks + 1, clicking + price
        after = mend_slices(refined, truth, axis, slices, effort)
        if after.seconds >= left.seconds:
            break
        mask, given, left = refined, (*given, prompt), after
    return replace(left, seconds=left.seconds + clicking, clicks=clicks)


def _seconds(work: IntArray, effort: EffortModel) -> FloatArray:
    """Of outlining, for rows of (patches, voxels)."""
    seconds: FloatArray = work @ np.array([effort.click, effort.outline])
    return seconds


def _answered(mask: MaskArray, whole: MaskArray, work: IntArray, effort: EffortModel) -> Answered:
    seconds = effort.slice_viewed * len(work) + float(_seconds(work, effort).sum())
    outlines, outlined = (int(n) for n in work.sum(axis=0))
    return Answered(mask, whole, seconds, len(work), outlines, outlined)
