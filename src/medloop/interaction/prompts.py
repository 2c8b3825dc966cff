"""Prompts: the gestures by which a person steers a proposal, as values in one image's own voxel coordinates.

A positive prompt says "this is the label", a negative one "this is not it" (then it is background or another label).
Points and scribbles are exact: whatever a refinement returns, every voxel they hint at obeys them. Boxes, lassos and
extreme points say roughly where a structure lies. `prompted_voxels` is the one place that turns gestures into voxels.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, TypeAlias

import numpy as np

from medloop.core.arrays import MaskArray
from medloop.core.errors import InputError, LabelError
from medloop.core.geometry import Shape3, triple

Voxel: TypeAlias = tuple[int, int, int]


@dataclass(frozen=True)
class Point:
    """One click.

    Attributes:
        voxel: Where, (i, j, k).
        label: For which label, 1..254.
        positive: Whether the voxel has the label.
    """

    voxel: Voxel
    label: int = 1
    positive: bool = True


@dataclass(frozen=True)
class Scribble:
    """A stroke.

    Attributes:
        voxels: The voxels it covers, in the order drawn; at least one.
        label, positive: See `Point`.
    """

    voxels: tuple[Voxel, ...]
    label: int = 1
    positive: bool = True


@dataclass(frozen=True)
class Box:
    """The structure lies within; outside of it, it does not.

    Attributes:
        start, stop: First voxel, and one past the last; a 2D box has one axis of length 1.
        label: For which label.
    """

    start: Voxel
    stop: Voxel
    label: int = 1


@dataclass(frozen=True)
class Lasso:
    """A closed outline drawn on one slice.

    Attributes:
        axis, index: The slice: voxel axis 0, 1 or 2 and its number along it.
        corners: Corners within the slice, (first, second) of the two other axes in order; at least three.
        label, positive: See `Point`.
    """

    axis: int
    index: int
    corners: tuple[tuple[float, float], ...]
    label: int = 1
    positive: bool = True


@dataclass(frozen=True)
class ExtremePoints:
    """Outermost voxels of a structure (left, right, top, bottom, …): they lie on it, and span its box.

    Attributes:
        voxels: At least two.
        label: For which label.
    """

    voxels: tuple[Voxel, ...]
    label: int = 1


Prompt: TypeAlias = Point | Scribble | Box | Lasso | ExtremePoints
"""Any gesture. A previous mask is not a prompt but an argument of its own."""

KINDS: Mapping[str, type] = {"point": Point, "scribble": Scribble, "box": Box, "lasso": Lasso, "extreme_points": ExtremePoints}


@dataclass(frozen=True, eq=False)
class PromptedVoxels:
    """Voxels of which prompts say that they have one label, and that they do not, shape (n, 3) each, each voxel once."""

    positive: np.ndarray[Any, np.dtype[np.int64]]
    negative: np.ndarray[Any, np.dtype[np.int64]]


def prompted_voxels(prompts: Sequence[Prompt], shape: Shape3, *, label: int) -> PromptedVoxels:
    """The voxels that prompts, in the order given, hint at for one label; where prompts disagree the later one wins.

    A positive hint for another label is a negative one for this. Boxes hint at no single voxel.
    """
    said = np.zeros(shape, dtype=np.int8)
    for prompt in prompts:
        voxels = exact_voxels(prompt, shape)
        if not len(voxels):
            continue
        positive = getattr(prompt, "positive", True)
        if prompt.label == label:
            said[tuple(voxels.T)] = 1 if positive else -1
        elif positive:
            said[tuple(voxels.T)] = -1
    return PromptedVoxels(np.argwhere(said > 0), np.argwhere(said < 0))


def exact_voxels(prompt: Prompt, shape: Shape3) -> np.ndarray[Any, np.dtype[np.int64]]:
    """The voxels that a prompt speaks of one by one, shape (n, 3); none for a box."""
    if isinstance(prompt, Point):
        return np.array([prompt.voxel], dtype=np.int64)
    if isinstance(prompt, Scribble | ExtremePoints):
        return np.array(prompt.voxels, dtype=np.int64).reshape(-1, 3)
    if isinstance(prompt, Lasso):
        return _inside_lasso(prompt, shape)
    return np.zeros((0, 3), dtype=np.int64)


def keep_prompts(mask: MaskArray, prompts: Sequence[Prompt]) -> MaskArray:
    """The mask with every hint obeyed, in the order given: a hard constraint.

    A positive hint sets its label; a negative one clears its label to background and leaves other labels alone.
    """
    kept = mask.copy()
    for prompt in prompts:
        obey_prompt(kept, prompt)
    return kept


def obey_prompt(mask: MaskArray, prompt: Prompt) -> None:
    """Let a mask obey one prompt's hints, in place; see `keep_prompts`."""
    voxels = tuple(exact_voxels(prompt, mask.shape).T)
    if getattr(prompt, "positive", True):
        mask[voxels] = prompt.label
    else:
        mask[voxels] = np.where(mask[voxels] == prompt.label, 0, mask[voxels])


def obeys(mask: MaskArray, prompt: Prompt) -> bool:
    """Whether a mask already is as a prompt's voxels say; true of a box, which speaks of no single voxel."""
    said = mask[tuple(exact_voxels(prompt, mask.shape).T)]
    return bool((said == prompt.label).all() if getattr(prompt, "positive", True) else (said != prompt.label).all())


def still_meant(prompts: Sequence[Prompt], mask: MaskArray) -> list[Prompt]:
    """Earlier prompts without the hints that somebody has overruled since, given the mask as it stands, shape (I, J, K).

    A refinement obeys every hint, so one that a mask disobeys was painted over. Boxes and lassos stay whole.
    """
    return [left for prompt in prompts if (left := _obeyed(prompt, mask)) is not None]


def _obeyed(prompt: Prompt, mask: MaskArray) -> Prompt | None:
    if isinstance(prompt, Box | Lasso) or obeys(mask, prompt):
        return prompt
    voxels = exact_voxels(prompt, mask.shape)
    kept = voxels[(mask[tuple(voxels.T)] == prompt.label) == getattr(prompt, "positive", True)]
    if isinstance(prompt, Point) or len(kept) < (2 if isinstance(prompt, ExtremePoints) else 1):
        return None
    return replace(prompt, voxels=tuple(map(triple, kept)))


def unanswered(prompts: Sequence[Prompt], mask: MaskArray) -> list[Prompt]:
    """The prompts that need an answer: the last, and all that the mask does not obey."""
    *earlier, last = prompts
    return [*(p for p in earlier if not obeys(mask, p)), last]


def check_prompts(prompts: Sequence[Prompt], shape: Shape3, *, labels: Sequence[int]) -> None:
    """Refuse prompts of a case that no engine could obey.

    Raises:
        InputError: A prompt that is no place (fractions of a voxel, NaN, two coordinates), an empty one, one outside the image, or two
            that contradict each other at one voxel.
        LabelError: A label that the task does not have.
    """
    said: dict[Voxel, tuple[int, bool]] = {}
    for prompt in prompts:
        _require_numbers(prompt)
        if prompt.label not in labels:
            raise LabelError(f"A prompt may name the labels {list(labels)}, got {prompt.label}")
        _require_inside(prompt, shape)
        if not isinstance(prompt, Point | Scribble | ExtremePoints):
            continue  # an outline may be corrected by a click within it
        meaning = (prompt.label, getattr(prompt, "positive", True))
        for voxel in map(tuple, exact_voxels(prompt, shape).tolist()):
            label, positive = said.setdefault(voxel, meaning)
            contradict = positive != meaning[1] if label == meaning[0] else positive and meaning[1]
            if contradict:
                remedy = "remove one of the two prompts"
                raise InputError(f"Prompts must agree with each other, two contradict at voxel {voxel}", remedy=remedy)


def prompt_to_json(prompt: Prompt) -> dict[str, Any]:
    """A prompt as plain JSON; `kind` names its class."""
    kind = next(name for name, made in KINDS.items() if isinstance(prompt, made))
    return {"kind": kind, **asdict(prompt)}


def prompt_from_json(record: Mapping[str, Any]) -> Prompt:
    """Inverse of `prompt_to_json`.

    Raises:
        InputError: An unknown kind, or fields that do not make a prompt of it.
    """
    fields = dict(record)
    made = KINDS.get(str(fields.pop("kind", "")))
    if made is None:
        raise InputError(f"A prompt is one of {', '.join(KINDS)}, got {record.get('kind')!r}")
    try:
        prompt: Prompt = made(**{name: _tupled(value) for name, value in fields.items()})
    except TypeError as error:
        raise InputError(f"Not a {record['kind']} prompt: {error}") from error
    return prompt


def _tupled(value: Any) -> Any:
    return tuple(_tupled(v) for v in value) if isinstance(value, list | tuple) else value


def _require_numbers(prompt: Prompt) -> None:
    """Refuse what is no place in an image: other than three coordinates, fractions of a voxel, NaN."""
    if isinstance(prompt, Lasso):
        _require_flat(prompt)
        return
    voxels = [prompt.voxel] if isinstance(prompt, Point) else [prompt.start, prompt.stop] if isinstance(prompt, Box) else prompt.voxels
    for voxel in voxels:
        if not _has_length(voxel, 3) or not all(_is_whole(n) and abs(int(n)) < 2**31 for n in voxel):
            raise InputError(f"A voxel is three whole numbers (i, j, k), got {voxel!r}", remedy="round to the nearest voxel")


def _require_flat(lasso: Lasso) -> None:
    if not (_is_whole(lasso.axis) and _is_whole(lasso.index)):
        raise InputError(f"A lasso lies on a slice: axis and index are whole numbers, got {lasso.axis!r} and {lasso.index!r}")
    for corner in lasso.corners:
        if not _has_length(corner, 2) or not all(isinstance(n, int | float | np.number) and np.isfinite(n) for n in corner):
            raise InputError(f"A lasso's corner is two finite numbers, got {corner!r}", remedy="draw it again")


def _is_whole(number: Any) -> bool:
    return isinstance(number, int | np.integer) and not isinstance(number, bool)


def _has_length(value: Any, length: int) -> bool:
    return isinstance(value, Sequence | np.ndarray) and not isinstance(value, str) and len(value) == length


def _require_inside(prompt: Prompt, shape: Shape3) -> None:
    if isinstance(prompt, Lasso):
        _require_lasso(prompt, shape)
        return
    if isinstance(prompt, Box):
        if not all(0 <= a < b <= n for a, b, n in zip(prompt.start, prompt.stop, shape, strict=True)):
            raise InputError(f"A box must lie within the image's {shape} voxels, got {prompt.start} to {prompt.stop}")
        return
    voxels = exact_voxels(prompt, shape)
    if len(voxels) < (2 if isinstance(prompt, ExtremePoints) else 1):
        raise InputError(f"A prompt must hold voxels, this {type(prompt).__name__} holds {len(voxels)}", remedy="draw it again")
    outside = voxels[((voxels < 0) | (voxels >= np.array(shape))).any(axis=1)]
    if len(outside):
        raise InputError(f"A prompt must lie within the image's {shape} voxels, got {tuple(outside[0].tolist())}")


def _require_lasso(prompt: Lasso, shape: Shape3) -> None:
    if prompt.axis not in (0, 1, 2) or not 0 <= prompt.index < shape[prompt.axis]:
        raise InputError(f"A lasso must lie on a slice of the image's {shape} voxels, got axis {prompt.axis}, slice {prompt.index}")
    if len(prompt.corners) < 3:
        raise InputError(f"A lasso needs three corners, got {len(prompt.corners)}", remedy="draw around the structure")
    lengths = np.delete(np.array(shape), prompt.axis)
    corners = np.array(prompt.corners, dtype=np.float64)
    if not np.isfinite(corners).all() or (corners < -0.5).any() or (corners > lengths - 0.5).any():
        raise InputError(f"A lasso must lie within the slice's {tuple(lengths.tolist())} voxels")


def _inside_lasso(prompt: Lasso, shape: Shape3) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Voxels whose centre lies within the outline (even–odd rule)."""
    first, second = np.delete(np.array(shape), prompt.axis)
    u, v = np.meshgrid(np.arange(first), np.arange(second), indexing="ij")
    inside = np.zeros((first, second), dtype=bool)
    corners = np.array(prompt.corners, dtype=np.float64)
    for (u0, v0), (u1, v1) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        left = (u - u0) * (v1 - v0) < (u1 - u0) * (v - v0)  # no division: an edge may be as flat as it likes
        right = (u - u0) * (v1 - v0) > (u1 - u0) * (v - v0)
        inside ^= ((v0 > v) != (v1 > v)) & (left if v1 > v0 else right)
    return np.insert(np.argwhere(inside), prompt.axis, prompt.index, axis=1)
