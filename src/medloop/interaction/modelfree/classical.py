"""Refinement before any model exists: classical tools in a window around the prompts.

Nothing outside the window changes and large windows are seen thinned out, so an answer costs the same in any volume.
A click or stroke for a label that has voxels corrects the mask (`correcting`), unless it lies in an object of its own; the tools find
those, what has no voxel yet, and what boxes, extreme points and outlines enclose. There a proposal in the window is evidence next to the
tool's, except close to hints that contradict it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeGuard

import numpy as np

from medloop.core.arrays import UNKNOWN, BoolArray, MaskArray
from medloop.core.errors import SettingError
from medloop.core.geometry import Grid
from medloop.core.image import Image
from medloop.interaction.engine import ImageEmbedding, RefinedMask, StillWanted, certain_shares, changed_box, require_wanted
from medloop.interaction.gaps import gap_of
from medloop.interaction.guard import Guard, held, new_of, touches
from medloop.interaction.modelfree.correcting import LARGER, corrected, missing_object
from medloop.interaction.modelfree.seeds import Seeds, plant
from medloop.interaction.modelfree.tools import TOOLS, likelihood_cut
from medloop.interaction.modelfree.window import Window, picture, seen, window_for
from medloop.interaction.prompts import Lasso, Point, Prompt, Scribble, check_prompts
from medloop.interaction.regions import Voxels, finest_mm, placed, prompt_box, within_reach
from medloop.interaction.solvers.geodesic import Single

SIDE_VOXELS_3D, SIDE_VOXELS_2D = 64, 256
"""Side of the cube (or square) around a click."""

ZOOMS = (1.0, 2.0, 4.0)
"""How much the cube may be widened; what it sees is thinned out, so that each look costs about the same."""

WIDER_SEES = 2
"""A widened window sees so many times fewer voxels: a first click on a large structure takes about as long as the next ones, and is no
worse on phantoms."""

COARSER = 8
"""The first look, which finds out how wide the second must be, sees so many times fewer voxels."""

MOST_PIXELS = {"walker": 33_000, "geodesic": 66_000, "cut": 66_000, "watershed": 66_000}
MOST_VOXELS = {"walker": 33_000, "geodesic": 100_000, "cut": 270_000, "watershed": 270_000}
"""What each tool looks at in about the same time, in pictures and in volumes."""

STROKES = 0.75
"""A structure that only strokes point at, and no edge bounds, reaches so many of their lengths beyond them."""

DEAF_VOXELS = 4.0
"""Around a hint that contradicts the mask before, so many seen voxels (a standard deviation) do not listen to it."""


APART_VOXELS = 3.0
"""A click at most so many of the finest voxels from its label corrects what is there; further away it may begin an object of its own."""


@dataclass(frozen=True, eq=False)
class _Task:
    """What one tool is asked: prompts on an image with a mask, which labels stay, and whether the answer is still wanted."""

    image: Image
    prompts: Sequence[Prompt]
    before: MaskArray
    tool: str
    locked: Sequence[int]
    wanted: StillWanted


@dataclass(frozen=True)
class ClassicalEngine:
    """An engine without any learning beforehand.

    Attributes:
        tool: "walker", "geodesic", "cut", "watershed", or "auto": by number and kind of hints.
        trust: Weight of the mask before, in log odds; 0 forgets it within the window.

    Raises:
        SettingError: An unknown tool.
    """

    tool: str = "auto"
    trust: float = 1.0

    def __post_init__(self) -> None:
        if self.tool not in ("auto", *TOOLS):
            raise SettingError(f"A classical tool is one of auto, {', '.join(TOOLS)}, got {self.tool!r}")

    @property
    def name(self) -> str:
        """Such as "classical-auto"."""
        return f"classical-{self.tool}"

    def embed(self, image: Image) -> ImageEmbedding:
        """The image as it is: each answer looks at its window only."""
        return ImageEmbedding(image, self.name)

    def refine(
        self,
        embedding: ImageEmbedding,
        prompts: Sequence[Prompt],
        *,
        labels: Sequence[int],
        previous: MaskArray | None = None,
        locked: Sequence[int] = (),
        wanted: StillWanted = lambda: True,
    ) -> RefinedMask:
        """See `Engine.refine`.

        Raises:
            InputError: Prompts that no engine could obey.
            CancelledError: The answer is no longer wanted.
        """
        grid = embedding.image.grid
        before = np.zeros(grid.shape, dtype=np.uint8) if previous is None else previous
        check_prompts(prompts, grid.shape, labels=labels)
        mask, looked, notes = before, None, list[str]()
        new = new_of(prompts, previous)
        for asked in _in_turns(new, before):
            require_wanted(wanted)
            if _corrects(asked[0], mask):
                task = _Task(embedding.image, [*asked, *(p for p in prompts if _denies(p, asked[0]))], mask, "", locked, wanted)
                found = self._new_object(task, notes)
                after = corrected(embedding.image, mask, asked[0]) if found is None else found
                mask = self._held(embedding.image, mask, after, asked, labels, locked)
                continue
            known = [p for p in prompts if p in asked or p.label in {a.label for a in asked}]
            tool = pick_tool(known) if self.tool == "auto" else self.tool
            found, looked = self._found(_Task(embedding.image, known, mask, tool, locked, wanted), notes)
            mask = self._held(embedding.image, mask, found, asked, labels, locked)
        answer = replace(_answer(mask, before, labels, looked), note="; ".join(dict.fromkeys(notes)))
        return held(before, answer, prompts, new=new, grid=grid, guard=Guard(locked=locked))

    def _new_object(self, task: _Task, notes: list[str]) -> MaskArray | None:
        """The mask with one more object of its label, where a click or stroke finds one; None where it corrects what is there."""
        prompt, grid = task.prompts[0], task.image.grid
        gap = gap_of(prompt, task.before, grid)
        if not _affirms(prompt) or gap is None or gap.enclosed or gap.depth_mm <= APART_VOXELS * finest_mm(grid.shape, grid.spacing_mm):
            return None
        if missing_object(task.image, task.before, prompt, gap) is not None:  # the mask's own looks find it
            return None
        there = task.before == prompt.label
        others = task.before.copy(order="K")
        others[there] = UNKNOWN  # finished objects are surroundings to a new one
        tool = pick_tool(task.prompts) if self.tool == "auto" else self.tool
        found, (_, _, window) = self._found(replace(task, before=others, tool=tool, locked=[*task.locked, UNKNOWN]), notes)
        part = window.slices(thinned=False)
        new = found[part] == prompt.label
        if touches(new, there[part]) or (_runs_out(new) and int(new.sum()) > LARGER * int(there.sum())):
            return None
        after = task.before.copy(order="K")
        after[part][new] = prompt.label
        return after

    def _held(
        self, image: Image, before: MaskArray, after: MaskArray, asked: Sequence[Prompt], labels: Sequence[int], locked: Sequence[int]
    ) -> MaskArray:
        """One turn's changes, as far as it may make them."""
        answer = RefinedMask(after, np.zeros((1 + len(labels), 0, 0, 0), dtype=np.float32), tuple(labels), None, (0, 0, 0), (0, 0, 0))
        return held(before, answer, asked, new=asked, grid=image.grid, guard=Guard(locked=locked)).mask

    def _found(self, task: _Task, notes: list[str]) -> tuple[MaskArray, tuple[Single, Seeds, Window]]:
        """What a tool finds of labels that have no voxel yet, or within outlines."""
        before, window = task.before, self._fitting(task)
        seeds, shares = self._look(task, window, notes)
        if max(window.stride) > 1:
            window, shares = _where_it_matters(window, shares, seeds, before)
        shares = window.widened(shares)
        found = _painted(before, shares, seeds, window)
        return _without_leaks(found, before, task.prompts, task.image.grid, window), (shares, seeds, window)

    def _fitting(self, task: _Task) -> Window:
        """The smallest window; for a label that has no voxel yet, one that holds all that a coarse look at the widest would find."""
        grid, before = task.image.grid, task.before
        side, most = (SIDE_VOXELS_2D, MOST_PIXELS[task.tool]) if min(grid.shape) == 1 else (SIDE_VOXELS_3D, MOST_VOXELS[task.tool])
        cut_out = partial(window_for, task.prompts, before, grid, side_voxels=side)
        windows = [cut_out(most_voxels=most if zoom == 1 else most // WIDER_SEES, zoom=zoom) for zoom in ZOOMS]
        if len({window.box for window in windows}) == 1 or (before == task.prompts[-1].label).any():
            return windows[0]
        coarse = cut_out(most_voxels=most // COARSER, zoom=ZOOMS[-1])
        seeds, shares = self._look(task, coarse, [])
        places = np.argwhere(shares.argmax(axis=0) != seeds.classes_of(seen(before, coarse))) * coarse.stride + coarse.box[0]
        return next((window for window in windows if holds(window, places, before.shape)), windows[-1])

    def _look(self, task: _Task, window: Window, notes: list[str]) -> tuple[Seeds, Single]:
        """What a tool says in one window: from which seeds, and the shares of the classes; what a person should know goes to `notes`."""
        seeds = plant(task.prompts, task.before, task.image.grid, window, locked=task.locked)
        require_wanted(task.wanted)
        spacing = [mm * s for mm, s in zip(task.image.grid.spacing_mm, window.stride, strict=True)]
        solve = partial(likelihood_cut, tell=notes.append) if task.tool == "cut" else TOOLS[task.tool]
        shares = solve(picture(task.image, window), seeds, spacing, task.wanted)
        return seeds, _trusting(shares, seen(task.before, window), seeds, self.trust) if self.trust else shares


def _in_turns(new: Sequence[Prompt], before: MaskArray) -> list[list[Prompt]]:
    """New prompts as they are answered: those that correct one by one, the others of labels without voxels together, first."""
    together = [p for p in new if not _corrects(p, before)]
    return ([together] if together else []) + [[p] for p in new if p not in together]


def _corrects(prompt: Prompt, mask: MaskArray) -> TypeGuard[Point | Scribble | Lasso]:
    """Whether there is a mask of a prompt's label that it can correct."""
    return isinstance(prompt, Point | Scribble | Lasso) and bool((mask == prompt.label).any())


def _affirms(prompt: Prompt) -> TypeGuard[Point | Scribble]:
    """Whether a prompt says of some voxels only what they are."""
    return isinstance(prompt, Point | Scribble) and prompt.positive


def _denies(prompt: Prompt, asked: Prompt) -> bool:
    """Whether an earlier prompt says what does not belong to the label asked about."""
    return prompt is not asked and prompt.label == asked.label and not getattr(prompt, "positive", True)


def pick_tool(prompts: Sequence[Prompt]) -> str:
    """The tool for some prompts: the cut for outlines alone, else the watershed.

    On hippocampi and phantoms the watershed was ahead of the random walker with one to six clicks, at a tenth of the time.
    """
    return "watershed" if any(isinstance(p, Point | Scribble) for p in prompts) else "cut"


def holds(window: Window, places: Voxels, shape: Sequence[int]) -> bool:
    """Whether voxels, shape (n, 3), lie well within a window: an eighth of its side from where the image goes on."""
    if not len(places):
        return True
    margins = np.array(window.shape) / 8
    low = np.where(np.array(window.box[0]) == 0, 0, window.box[0] + margins)
    high = np.where(np.array(window.box[1]) == np.array(shape), shape, window.box[1] - margins)
    return bool((places >= low).all() and (places < high).all())


def _where_it_matters(window: Window, shares: Single, seeds: Seeds, before: MaskArray) -> tuple[Window, Single]:
    """The part of a thinned window that holds all hints and changes, one seen voxel more on every side, and the shares there.

    Elsewhere the mask before says as much in finer detail, and widening a large volume would take longer than the answer.
    """
    matters = seeds.hinted | (shares.argmax(axis=0) != seeds.classes_of(seen(before, window)))
    places = np.argwhere(matters)
    if not len(places):
        return window, shares
    low, high = np.maximum(places.min(axis=0) - 1, 0), np.minimum(places.max(axis=0) + 1, np.array(matters.shape) - 1)
    inside = tuple(slice(a, z + 1) for a, z in zip(low, high, strict=True))
    return window.part(low.tolist(), high.tolist()), shares[(slice(None), *inside)]


def _trusting(shares: Single, before: MaskArray, seeds: Seeds, trust: float) -> Single:
    """Shares with the mask before as one more witness; close to hints that contradict it, it is not heard."""
    from scipy import ndimage

    classes = seeds.classes_of(before)
    if not classes.any():
        return shares
    weight = np.full(before.shape, trust, dtype=np.float32)
    wrong = seeds.hinted & (classes != seeds.classes)
    if wrong.any():
        gap = ndimage.distance_transform_edt(~wrong).astype(np.float32)
        weight *= 1 - np.exp(-np.square(gap / DEAF_VOXELS) / 2)
    heard = shares * np.exp(weight * (np.arange(len(shares)).reshape(-1, 1, 1, 1) == classes))
    return np.asarray(heard / heard.sum(axis=0), dtype=np.float32)


def _painted(before: MaskArray, shares: Single, seeds: Seeds, window: Window) -> MaskArray:
    """The mask with the likeliest class in the window; where that is background, other labels stay."""
    mask = before.copy(order="K")
    part = mask[window.slices(thinned=False)]
    chosen = np.array((0, *seeds.labels), dtype=np.uint8)[shares.argmax(axis=0)]
    others = ~np.isin(part, (0, *seeds.labels))
    part[...] = np.where((chosen == 0) & others, part, chosen)
    return mask


def _without_leaks(found: MaskArray, before: MaskArray, prompts: Sequence[Prompt], grid: Grid, window: Window) -> MaskArray:
    """What strokes alone have found ends near them where it runs out of the window: nothing in the image has bounded it."""
    kept = found
    for label in {p.label for p in prompts if not (before == p.label).any()}:
        own = [p for p in prompts if p.label == label and getattr(p, "positive", True)]
        inside = found[window.slices(thinned=False)] == label
        if not own or not all(isinstance(p, Scribble) for p in own) or not _runs_out(inside):
            continue
        near = np.zeros(inside.shape, dtype=bool)
        for box in (prompt_box(p, grid.shape) for p in own):
            length_mm = float(np.linalg.norm((np.subtract(box[1], box[0])) * np.array(grid.spacing_mm)))
            near |= within_reach(window.box, box, reach_mm=STROKES * length_mm, spacing_mm=grid.spacing_mm)
        kept = kept.copy(order="K") if kept is found else kept
        part = kept[window.slices(thinned=False)]
        part[inside & ~near] = before[window.slices(thinned=False)][inside & ~near]
    return kept


def _runs_out(inside: BoolArray) -> bool:
    """Whether something reaches a side of its window."""
    return any(bool(np.take(inside, end, axis=axis).any()) for axis, n in enumerate(inside.shape) if n > 2 for end in (0, 1, -1, -2))


def _answer(mask: MaskArray, before: MaskArray, labels: Sequence[int], seen_: tuple[Single, Seeds, Window] | None) -> RefinedMask:
    """The mask with shares: the tool's within the window, certainty outside."""
    shares = certain_shares(mask, labels)
    start, stop = (0, 0, 0), (0, 0, 0)
    if seen_ is not None:
        inner, seeds, window = seen_
        inside = window.slices(thinned=False)  # whatever changes lies there, for the window holds every prompt not obeyed yet
        part = shares[inside]
        at = [0, *(1 + list(labels).index(v) for v in seeds.labels)]
        kept = 1 - sum((part[n] for n in range(len(part)) if n not in at), start=np.zeros((), dtype=np.float32))
        for row, share in zip(at, inner, strict=True):
            np.multiply(share, kept, out=part[row])
        start, stop = placed(changed_box(before[inside], mask[inside]), window.box[0])
    return RefinedMask(mask, shares, tuple(labels), None, start, stop)
