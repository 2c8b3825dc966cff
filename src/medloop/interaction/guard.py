"""What a prompt may change: the one rule for every engine and every way to it (page, REST, nnInteractive, Python).

An engine may answer with a whole new mask. Of its changes are kept

1. none that gives or takes a locked label, and none of a voxel painted by hand that no prompt hints at since;
2. for a positive prompt only what turns into its label, out of background or out of a label that its own voxels have; for a
   negative one only what loses its label; for a box both within the box, and where the structure in it sticks out what loses it;
3. only the connected patch (26 neighbours) that touches the prompt's own voxels;
4. only within a reach in mm. It follows the mistake that the prompt points at: one and a half times the distance to where the mask
   already is as the prompt says, and a voxel, or across a gap as narrow (a missing slice between two others). A patch of its own
   (a structure that is missing, or a part that is the smaller one of several) may reach as far as `Guard.reach_mm`, over background
   twice as far. A label that has no voxel yet may grow over background as far as it likes: there is no work to lose. But an object that
   a stroke finds stays within two lengths of it, and one that an outline finds within the outline on its slice.

5. of an engine that would redraw the rest of the structure as well, what the mask and the image support too
   (`medloop.interaction.agreeing`, which stands above this module and is passed in).

A prompt that the mask obeys already changes nothing, and every hint of a new one is obeyed whatever an engine says.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from medloop.core.arrays import BoolArray, MaskArray
from medloop.core.geometry import Grid
from medloop.interaction.engine import RefinedMask, changed_box
from medloop.interaction.gaps import TIMES_CHORD, between_parts, gap_of
from medloop.interaction.locks import keep_locked, locked_voxels
from medloop.interaction.prompts import Box, ExtremePoints, Lasso, Point, Prompt, Scribble, exact_voxels, obey_prompt, obeys
from medloop.interaction.regions import VoxelBox, Voxels, finest_mm, grown, placed, prompt_box, slices_of, union, within_reach

TIMES_DEPTH = 1.5
"""The reach of a correction in its depths: a click in the middle of a round mistake needs one; one beside it mends a part, and the next
click the rest."""

MORE_VOXELS = 1.0
"""And so much more, in the finest voxels: a depth is known to a voxel."""

STROKE_LENGTHS, STROKE_VOXELS = 2.0, 8.0
"""An object that a stroke finds lies within so many lengths of the stroke, or so many of the finest voxels. (Strokes along and within
structures of phantoms: mean Dice 0.69 with two lengths, 0.67 with one and a half or three, 0.64 without a limit.)"""

NARROWED = "The engine would redraw more of this structure than was prompted; of its change only what mask and image support was kept"
"""The note of an answer that was not believed."""


@dataclass(frozen=True, eq=False)
class Claim:
    """What an engine would change in a box.

    Attributes:
        before: The whole mask before, shape (I, J, K).
        old, wish: Mask and answer in the box.
        box: Where.
        reach: What prompts let through, shape of the box.
    """

    before: MaskArray
    old: MaskArray
    wish: MaskArray
    box: VoxelBox
    reach: BoolArray


Narrow: TypeAlias = Callable[[Prompt, BoolArray, Claim], BoolArray]
"""What of one prompt's change is kept, shape of the claim's box: the prompt, what it lets through, what the engine would change."""


@dataclass(frozen=True, eq=False)
class Guard:
    """What prompts may change.

    Attributes:
        labels: The task's label values.
        locked: Labels that stay.
        painted: Voxels painted by hand, which stay, shape (I, J, K); None: no voxel is.
        reach_mm: How far from the prompt, where the mistake it points at has no scale; infinite lifts the rule, None is `reach_in`.
        over_time: The slices along the last axis are frames of a film, and prompts change their own; see `medloop.interaction.moments`.
    """

    labels: Sequence[int] = ()
    locked: Sequence[int] = ()
    painted: BoolArray | None = None
    reach_mm: float | None = None
    over_time: bool = False


def reach_in(grid: Grid) -> float:
    """A quarter of the image's longest side, mm."""
    return max(n * mm for n, mm in zip(grid.shape, grid.spacing_mm, strict=True)) / 4


def held(
    before: MaskArray,
    answer: RefinedMask,
    prompts: Sequence[Prompt],
    *,
    grid: Grid,
    narrow: Narrow | None = None,
    new: Sequence[Prompt] | None = None,
    guard: Guard = Guard(),
) -> RefinedMask:
    """An answer with the changes taken back that its new prompts must not make; see the module's text.

    Args:
        before: The mask before, shape (I, J, K).
        answer: The engine's; the box of all that differs from `before` is looked for where it is empty.
        prompts: All in force, in order.
        grid: The image's.
        narrow: For an engine that is not to be believed against the mask (`medloop.interaction.agreeing.narrowed_by`); None
            believes it.
        new: Those that are answered now; None takes the ones that `before` disobeys, and a box or extreme points given last.
        guard: What stays, and how far a prompt reaches.
    """
    asked = new_of(prompts, before) if new is None else [p for p in new if isinstance(p, Box | ExtremePoints) or not obeys(before, p)]
    spoken = [prompt_box(p, grid.shape) for p in prompts if asked and not isinstance(p, Box)]
    known = (answer.start, answer.stop) if answer.start != answer.stop else changed_box(before, answer.mask)
    box = union([known, *spoken])
    part = slices_of(box)
    old, wish = before[part], answer.mask[part]
    most_mm = reach_in(grid) if guard.reach_mm is None else guard.reach_mm
    closed = _spoken(prompts, asked, before, box) | locked_voxels(old, wish, guard.locked)
    if guard.painted is not None:
        closed |= guard.painted[part]
    each = [_allowed(prompt, before, np.where(closed, old, wish), box, grid, most_mm) for prompt in asked]
    if narrow is not None:
        claim = Claim(before, old, wish, box, np.logical_or.reduce([np.zeros(old.shape, dtype=bool), *each]))
        kept = [narrow(prompt, part_allowed, claim) for prompt, part_allowed in zip(asked, each, strict=True)]
        if any(few.sum() < many.sum() for few, many in zip(kept, each, strict=True)):
            answer = replace(answer, note=NARROWED)
        each = kept
    allowed = np.logical_or.reduce([np.zeros(old.shape, dtype=bool), *each]) & ~closed
    mask = before.copy(order="K")
    mask[part] = np.where(allowed, wish, old)
    first = next((n for n, p in enumerate(prompts) if any(p is a for a in asked)), len(prompts))
    for prompt in prompts[first:]:  # what follows was said later and holds against what is answered only now
        if prompt.label not in guard.locked:  # a locked label gains and loses nothing, and must not hide a voxel from the next prompt
            obey_prompt(mask, prompt)
    mask[part] = keep_locked(old, mask[part], guard.locked)
    start, stop = placed(changed_box(old, mask[part]), box[0])
    return replace(answer, mask=mask, start=start, stop=stop)


def new_of(prompts: Sequence[Prompt], before: MaskArray | None) -> list[Prompt]:
    """The prompts that a mask does not answer yet: those it disobeys, and boxes or extreme points given last; without a mask all."""
    if before is None or not prompts:
        return list(prompts)
    *earlier, last = prompts
    outline = isinstance(last, Box | ExtremePoints)
    return [*(p for p in earlier if not obeys(before, p)), *([last] if outline or not obeys(before, last) else [])]


def _allowed(prompt: Prompt, before: MaskArray, wish: MaskArray, box: VoxelBox, grid: Grid, most_mm: float) -> BoolArray:
    """Where one prompt lets an answer through, shape of the box."""
    old = before[slices_of(box)]
    if isinstance(prompt, Box | ExtremePoints):
        return _allowed_by_outline(prompt, old, wish, box, grid)
    gap = gap_of(prompt, before, grid)
    if gap is None:
        return np.zeros(old.shape, dtype=bool)
    places = places_within(exact_voxels(prompt, before.shape), box)
    if not prompt.positive:
        changes = (old == prompt.label) & (wish != prompt.label)
    else:
        table = np.zeros(256, dtype=bool)
        table[[0, *np.unique(before[tuple(gap.voxels.T)])]] = True
        changes = (wish == prompt.label) & (old != prompt.label) & table[old]
    said = np.zeros(old.shape, dtype=bool)
    said[places] = True
    changes |= said if prompt.positive else said & (old == prompt.label)
    around = prompt_box(prompt, before.shape)
    reach_mm = min(most_mm, TIMES_DEPTH * gap.depth_mm + MORE_VOXELS * finest_mm(grid.shape, grid.spacing_mm))
    near = within_reach(box, around, reach_mm=reach_mm, spacing_mm=grid.spacing_mm)
    fresh = prompt.positive and not np.isfinite(gap.depth_mm)
    far = within_reach(box, around, reach_mm=most_mm, spacing_mm=grid.spacing_mm)
    far |= (old == 0) & within_reach(box, around, reach_mm=np.inf if fresh else 2 * most_mm, spacing_mm=grid.spacing_mm)
    patch = patches_touching(changes & far, places)
    if fresh or its_own(patch, prompt, before, box):
        return patches_touching(patch & _window(prompt, box, grid), places)
    if not (patch & ~near).any():
        return patch
    near |= _between(before, prompt, box, TIMES_CHORD * gap.depth_mm, grid)
    return patches_touching(patch & near, places)


def _window(prompt: Point | Scribble | Lasso, box: VoxelBox, grid: Grid) -> BoolArray:
    """Where an object may lie that a prompt finds, shape of the box: near a stroke, and in its slice within an outline."""
    around = prompt_box(prompt, grid.shape)
    if isinstance(prompt, Point):
        return np.ones(tuple(z - a for a, z in zip(*box, strict=True)), dtype=bool)
    length_mm = float(np.linalg.norm(np.subtract(around[1], around[0]) * np.array(grid.spacing_mm)))
    reach_mm = max(STROKE_LENGTHS * length_mm, STROKE_VOXELS * finest_mm(grid.shape, grid.spacing_mm))
    near = within_reach(box, around, reach_mm=reach_mm, spacing_mm=grid.spacing_mm)
    if isinstance(prompt, Lasso):
        outlined = np.zeros(near.shape, dtype=bool)
        outlined[places_within(exact_voxels(prompt, grid.shape), box)] = True
        at = tuple(
            slice(prompt.index - box[0][axis], prompt.index - box[0][axis] + 1) if axis == prompt.axis else slice(None) for axis in range(3)
        )
        near[at] &= outlined[at]
    return near


def _between(before: MaskArray, prompt: Point | Scribble | Lasso, box: VoxelBox, chord_mm: float, grid: Grid) -> BoolArray:
    """Where the mask is as a prompt says on both sides along an axis, shape of the box."""
    wide = grown(box, chord_mm, spacing_mm=grid.spacing_mm, shape=before.shape)
    has = (before[slices_of(wide)] == prompt.label) == prompt.positive
    inner = tuple(slice(a - low, z - low) for a, z, low in zip(*box, wide[0], strict=True))
    return between_parts(has, chord_mm, grid.spacing_mm)[inner]


def its_own(patch: BoolArray, prompt: Point | Scribble | Lasso, before: MaskArray, box: VoxelBox) -> bool:
    """Whether a patch does not touch what it leaves of its label: a structure that is new, or a smaller part that goes as a whole."""
    wide = grown(box, 1.0, spacing_mm=(1.0, 1.0, 1.0), shape=before.shape)
    inner = [(a - low, high - z) for a, z, low, high in zip(*box, *wide, strict=True)]
    padded = np.pad(patch, inner)
    rest = (before[slices_of(wide)] == prompt.label) & ~padded
    return not touches(padded, rest) and (prompt.positive or 2 * int(patch.sum()) < int(np.count_nonzero(before == prompt.label)))


def touches(some: BoolArray, others: BoolArray) -> bool:
    """Whether voxels have a neighbour (of 26) among others; both arrays of one shape."""
    from scipy import ndimage

    return bool((ndimage.binary_dilation(some, np.ones((3, 3, 3))) & others).any())


def _allowed_by_outline(prompt: Box | ExtremePoints, old: MaskArray, wish: MaskArray, box: VoxelBox, grid: Grid) -> BoolArray:
    """Within an outline's box the label may come and go; beyond it, it may go where it hangs together with what lies within."""
    low, high = prompt_box(prompt, grid.shape)
    inside = _placed_in(old.shape, box, low, high)
    loses = (old == prompt.label) & (wish != prompt.label)
    changes = loses | ((wish == prompt.label) & (old != prompt.label))
    flat = [z - a == 1 and n > 1 for a, z, n in zip(low, high, grid.shape, strict=True)]
    beyond = loses
    if any(flat):  # an outline on one slice of a volume says nothing of the others; outermost points do of their box in all of them
        through = [(0, n) if f else (a, z) for f, a, z, n in zip(flat, low, high, grid.shape, strict=True)]
        slab = [(a, z) if f else (0, n) for f, a, z, n in zip(flat, low, high, grid.shape, strict=True)]
        open_to = _placed_in(
            old.shape, box, *zip(*(through if isinstance(prompt, ExtremePoints) else [(0, n) for n in grid.shape]), strict=True)
        )
        beyond = loses | (changes & open_to & ~_placed_in(old.shape, box, *zip(*slab, strict=True)))
    allowed: BoolArray = changes & inside | _touching(beyond | (inside & changes), inside & changes)
    return allowed


def _placed_in(shape: Sequence[int], box: VoxelBox, low: Sequence[int], high: Sequence[int]) -> BoolArray:
    """The voxels from `low` up to `high` of the whole, as a part that begins where a box does."""
    inside = np.zeros(tuple(shape), dtype=bool)
    spans = zip(low, high, box[0], box[1], strict=True)
    inside[tuple(slice(max(a, x) - x, max(min(z, y), x) - x) for a, z, x, y in spans)] = True
    return inside


def _spoken(prompts: Sequence[Prompt], asked: Sequence[Prompt], before: MaskArray, box: VoxelBox) -> BoolArray:
    """Voxels that earlier clicks and strokes speak of and the mask obeys: these keep their word."""
    kept = np.zeros(tuple(z - a for a, z in zip(*box, strict=True)), dtype=bool)
    for prompt in prompts:
        if isinstance(prompt, Point | Scribble | ExtremePoints) and prompt not in asked:
            voxels = exact_voxels(prompt, before.shape)
            right = (before[tuple(voxels.T)] == prompt.label) == getattr(prompt, "positive", True)
            kept[places_within(voxels[right], box)] = True
    return kept


def places_within(voxels: Voxels, box: VoxelBox) -> tuple[Voxels, ...]:
    """The voxels that lie in a box, as an index into it."""
    inside = ((voxels >= box[0]) & (voxels < box[1])).all(axis=1)
    return tuple((voxels[inside] - box[0]).T)


def patches_touching(changed: BoolArray, places: tuple[Voxels, ...]) -> BoolArray:
    """Of the voxels that change, the connected patches (26 neighbours) that touch the given places; shape of the box."""
    seeds = np.zeros_like(changed)
    seeds[places] = True
    return _touching(changed, seeds & changed)


def _touching(changed: BoolArray, seeds: BoolArray) -> BoolArray:
    """The connected patches (26 neighbours) of changes that hold a seed."""
    from scipy import ndimage

    patches, count = ndimage.label(changed, structure=np.ones((3, 3, 3)))
    touching = np.zeros(count + 1, dtype=bool)
    touching[patches[seeds]] = True
    touching[0] = False
    kept: BoolArray = touching[patches]
    return kept
