"""Prepared cases and the batches drawn from them.

A batch is a pure function of (recipe, member, step): nothing remembers where it was, so that a training killed
at any moment goes on with exactly the batches it would have seen. Prepared cases lie in files and are mapped
into memory, so that a data set larger than memory can be trained on.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from medloop.core.arrays import BoolArray, MaskArray
from medloop.core.errors import InputError, LabelError
from medloop.core.geometry import Shape3
from medloop.core.image import Image, Mask
from medloop.core.records import Case
from medloop.core.seeds import generator
from medloop.models.foundation.fitting import cut, fit_for_networks
from medloop.models.foundation.losses import IGNORE
from medloop.models.foundation.partial_labels import known_classes
from medloop.models.foundation.plans import Spacing
from medloop.models.foundation.recipes import NOBODY, Recipe
from medloop.models.foundation.resample import resample_mask
from medloop.models.foundation.weak_losses import WeakBatch
from medloop.models.training.augmentation import Change, Views, apply_change, geometry_of, sample_change, window_shape
from medloop.models.training.soft_targets import MOST, SoftTarget, prepare_soft
from medloop.models.training.weak_targets import PreparedWeak, WeakTarget, moved_sets, prepare_weak, stacked

CLASS_LOCATIONS = 2000
"""Voxels remembered per case and label, to centre patches on."""


@dataclass(frozen=True)
class TrainingCase:
    """A case with its answer, read only when needed.

    Attributes:
        id: Unique; part of what a checkpoint is bound to.
        weight: Above 0 to 1: how often its turn is kept; otherwise another case is drawn evenly, by the same rule. So cases
            are seen in proportion to their weights; some case must have the weight 1.
        touched: Gives the voxels that a person has drawn over, shape (I, J, K), where a proposal was mended; None for an answer
            that is all of a person's own making. Counts only with `Recipe.touched_weight`.
        load: Gives the image and its mask (values below `Recipe.classes`, or 255 where unanswered) or class index.
        irrelevant: Gives the voxels, shape (I, J, K), where people said that evidence must not come from; None marks nothing.
        known: The classes that are annotated, in order, background included; () is all of them. What is none of them may lie in the
            background.
        annotator: Whose answer it is, an index below `Recipe.annotators`, or `NOBODY`.
        soft: Gives how probable each class is where that is not certain; None for an answer without such. Counts only with soft
            `Recipe.targets`.
        weak: Gives what marks say, where the case has marks in place of a mask; its mask then holds what they mark and make likely.
        case: The case itself, for learners that write it elsewhere.
    """

    id: str
    load: Callable[[], tuple[Image, Mask | int]]
    weight: float = 1.0
    irrelevant: Callable[[], BoolArray] | None = None
    touched: Callable[[], BoolArray] | None = None
    known: tuple[int, ...] = ()
    annotator: int = NOBODY
    soft: Callable[[], SoftTarget] | None = None
    weak: Callable[[], WeakTarget] | None = None
    case: Case | None = None


@dataclass(frozen=True, eq=False)
class PreparedCase:
    """A case as the network sees it: normalised and at the working spacing.

    Attributes:
        image, mask: Files of arrays (channels, I, J, K) float32 and (I, J, K) uint8; no mask for a classification.
        label: The class, 0 for a segmentation.
        locations: For each label present, up to `CLASS_LOCATIONS` of its voxels, shape (n, 3).
        weight: See `TrainingCase`.
        touched: File of an array (I, J, K), uint8, 1 where a person has drawn; None when all voxels count alike.
        answered: The same of all answered voxels where some are not, else None; patches then centre on these.
        irrelevant: File of the voxels (I, J, K), uint8, that evidence must not come from; None where nothing is marked.
        known, annotator: See `TrainingCase`.
        share: Of the voxels that are annotated.
        soft: File of `prepare_soft`; None where the answer alone counts.
        weak: Of `prepare_weak`; None for a case that is not known by marks.
    """

    id: str
    image: Path
    mask: Path | None
    label: int
    shape: Shape3
    spacing_mm: Spacing
    locations: tuple[npt.NDArray[np.int32], ...]
    answered: npt.NDArray[np.int32] | None = None
    weight: float = 1.0
    irrelevant: Path | None = None
    touched: Path | None = None
    known: tuple[int, ...] = ()
    annotator: int = NOBODY
    share: float = 1.0
    soft: Path | None = None
    weak: PreparedWeak | None = None


def prepare_cases(recipe: Recipe, cases: Sequence[TrainingCase], folder: Path) -> list[PreparedCase]:
    """Read, check, normalise and resample every case once into `folder`.

    Raises:
        InputError: Without cases.
        ShapeError: When an image has another number of channels, or slices where the recipe is 2D.
        LabelError: When an answer holds a value the recipe has no output for.
    """
    if not cases:
        raise InputError("Training needs at least one annotated case, got none", remedy="annotate some cases first")
    folder.mkdir(parents=True, exist_ok=True)
    return [_prepare_case(recipe, case, folder / f"{number}") for number, case in enumerate(cases)]


def _prepare_case(recipe: Recipe, case: TrainingCase, stem: Path) -> PreparedCase:
    image, answer = case.load()
    fitted = fit_for_networks(recipe, image, case.id)
    shape, spacing = fitted.shape, fitted.spacing_mm
    image_file = stem.with_suffix(".image.npy")
    np.save(image_file, fitted.array)
    marked = _prepare_marks(case.irrelevant if recipe.rrr else None, stem.with_suffix(".irrelevant.npy"), shape)
    if isinstance(answer, int | np.integer):
        _require_known({int(answer)}, recipe, case)
        soft = _prepare_soft(recipe, case, None, shape, stem)
        tagged = (case.weight, marked, None, case.known, case.annotator, 1.0, soft)
        return PreparedCase(case.id, image_file, None, int(answer), shape, spacing, (), None, *tagged)
    _require_known(set(answer.values()) - {IGNORE}, recipe, case)
    weak, mask = _prepare_weak(recipe, case, answer.array, shape, stem)
    mask_file = stem.with_suffix(".mask.npy")
    np.save(mask_file, mask)
    places, answered = _locate(mask, recipe, case.id), _locate_annotated(mask, recipe, case.id)
    touched = case.touched if recipe.touched_weight > 1 else None
    drawn = _prepare_marks(touched, stem.with_suffix(".touched.npy"), shape)
    soft = _prepare_soft(recipe, case, answer.array, shape, stem)
    own = (case.weight, marked, drawn, case.known, case.annotator, float((mask != IGNORE).mean()), soft, weak)
    return PreparedCase(case.id, image_file, mask_file, 0, shape, spacing, places, answered, *own)


def _prepare_weak(recipe: Recipe, case: TrainingCase, mask: MaskArray, shape: Shape3, stem: Path) -> tuple[PreparedWeak | None, MaskArray]:
    """What marks say of a case, None without marks, and its mask at the working shape."""
    if case.weak is None:
        return None, resample_mask(mask, shape)
    return prepare_weak(case.weak(), mask, classes=recipe.classes, shape=shape, file=stem.with_suffix(".sets.npy"))


def _prepare_soft(recipe: Recipe, case: TrainingCase, mask: MaskArray | None, shape: Shape3, stem: Path) -> Path | None:
    if recipe.targets == "hard" or case.soft is None:
        return None
    return prepare_soft(case.soft(), mask, classes=recipe.classes, shape=shape, file=stem.with_suffix(".soft.npy"))


def _prepare_marks(load: Callable[[], BoolArray] | None, file: Path, shape: Shape3) -> Path | None:
    """The file of marked voxels at the working shape; None when there is nothing to load."""
    if load is None:
        return None
    np.save(file, resample_mask(load().astype(np.uint8), shape))
    return file


def _require_known(values: set[int], recipe: Recipe, case: TrainingCase) -> None:
    unknown = sorted(v for v in values if not 0 <= v < recipe.classes)
    if unknown:
        raise LabelError(f"{case.id}: labels must lie in 0..{recipe.classes - 1}, got {unknown[:8]}", remedy="check the task's labels")
    unsaid = sorted(values - set(case.known)) if case.known else []
    if unsaid:
        rule = f"{case.id}: classes {list(case.known)} are annotated, the annotation holds {unsaid[:8]} too"
        raise LabelError(rule, remedy="leave these out of it, or call them annotated")


def _locate(mask: npt.NDArray[np.uint8], recipe: Recipe, name: str) -> tuple[npt.NDArray[np.int32], ...]:
    rng = generator(recipe.seed, "locations", name)
    found = []
    for value in range(1, recipe.classes):
        where = np.flatnonzero(mask == value)
        if len(where) > CLASS_LOCATIONS:
            where = rng.choice(where, CLASS_LOCATIONS, replace=False)
        if len(where):
            found.append(np.stack(np.unravel_index(where, mask.shape), axis=1).astype(np.int32))
    return tuple(found)


def _locate_annotated(mask: npt.NDArray[np.uint8], recipe: Recipe, name: str) -> npt.NDArray[np.int32] | None:
    where = np.flatnonzero(mask != IGNORE)
    if not 0 < len(where) < mask.size:
        return None
    drawn = generator(recipe.seed, "answered", name).choice(where, min(len(where), CLASS_LOCATIONS), replace=False)
    return np.stack(np.unravel_index(drawn, mask.shape), axis=1).astype(np.int32)


def draw_batch(recipe: Recipe, cases: Sequence[PreparedCase], *, member: int, step: int) -> tuple[Tensor, Tensor]:
    """The batch of one step.

    Returns:
        Images (B, channels, spatial…) float32 and targets: masks (B, spatial…) or classes (B,), int64; a 2D
        recipe has two spatial axes. Masks hold `Recipe.classes` more where a person's touch counts (`losses.plain_masks`).
    """
    drawn = [_draw_patch(recipe, cases, member, step, slot) for slot in range(recipe.batch)]
    images = torch.from_numpy(np.stack([image for image, _ in drawn]))
    targets = torch.from_numpy(np.stack([np.asarray(target, dtype=np.int64) for _, target in drawn]))
    if recipe.dimension == 2:
        images = images.squeeze(-1)
        targets = targets.squeeze(-1) if recipe.kind == "segmentation" else targets
    return images, targets


def _draw_patch(
    recipe: Recipe, cases: Sequence[PreparedCase], member: int, step: int, slot: int
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.uint8] | int]:
    case, change, window, start = draw_place(recipe, cases, member, step, slot)
    image = cut(np.load(case.image, mmap_mode="r"), start, window)
    mask = None if case.mask is None else cut(np.load(case.mask, mmap_mode="r")[None], start, window)[0]
    image, mask = apply_change(change, image, mask, patch=recipe.patch, spacing_mm=case.spacing_mm, classes=recipe.classes)
    if mask is not None and case.touched is not None:
        touched = _moved_marks(recipe, case, case.touched, change, window, start)
        mask = np.where((touched == 1) & (mask != IGNORE), mask + np.uint8(recipe.classes), mask)
    return image, case.label if mask is None else mask


@dataclass(frozen=True, eq=False)
class Marks:
    """What is known of a batch beside images and targets.

    Attributes:
        irrelevant: Of `draw_irrelevant`.
        annotators: Of `draw_annotators`; None takes the targets as the truth.
        soft: Of `draw_soft`.
        known: Of `draw_known`.
        unlabelled: The second batch, of `consistency.draw_views`.
        cases: Of `draw_cases`.
        weak: Of `draw_weak`; None where no sample is known by marks.
    """

    irrelevant: Tensor | None = None
    annotators: Tensor | None = None
    soft: Tensor | None = None
    known: Tensor | None = None
    unlabelled: Views | None = None
    cases: Tensor | None = None
    weak: WeakBatch | None = None

    def of(self, chosen: Tensor) -> "Marks":
        """Of some of the samples, bool, shape (B,), that have masks."""
        names = ("irrelevant", "annotators", "soft", "known")
        found = {name: None if (value := getattr(self, name)) is None else value[chosen] for name in names}
        return Marks(**found, cases=None if self.cases is None else self.cases[chosen.to(self.cases.device)])

    def to(self, device: torch.device) -> "Marks":
        """The same on a device, but for the second batch, which its own term moves, and the cases' numbers."""
        names = ("irrelevant", "annotators", "soft", "known", "weak")
        return replace(self, **{name: value.to(device) for name in names if (value := getattr(self, name)) is not None})


def draw_marks(recipe: Recipe, cases: Sequence[PreparedCase], *, member: int, step: int) -> Marks:
    """What is known of the batch of `draw_batch` of this step."""
    drawn = (draw(recipe, cases, member=member, step=step) for draw in (draw_irrelevant, draw_annotators, draw_soft, draw_known))
    irrelevant, annotators, soft, known = drawn
    more = draw_weak(recipe, cases, member=member, step=step), draw_cases(recipe, cases, member=member, step=step)
    return Marks(irrelevant, annotators, soft, known, weak=more[0], cases=more[1])


def draw_cases(recipe: Recipe, cases: Sequence[PreparedCase], *, member: int, step: int) -> Tensor | None:
    """Which of the cases the samples of this step's batch are of, by their place, shape (B,); None where no loss is remembered by case."""
    if recipe.robust != "small-loss":
        return None
    places = {id(case): place for place, case in enumerate(cases)}
    return torch.tensor([places[id(draw_place(recipe, cases, member, step, slot)[0])] for slot in range(recipe.batch)])


def draw_weak(recipe: Recipe, cases: Sequence[PreparedCase], *, member: int, step: int) -> WeakBatch | None:
    """What marks say of the batch of `draw_batch` of this step; None where no sample is known by marks."""
    if all(case.weak is None for case in cases):
        return None
    places = [draw_place(recipe, cases, member, step, slot) for slot in range(recipe.batch)]
    if all(case.weak is None for case, *_ in places):
        return None
    blank = np.zeros(recipe.patch, dtype=np.uint8)
    return stacked(recipe, [(c.weak, blank, 1.0) if c.weak is None else _draw_sets(recipe, c, c.weak, where) for c, *where in places])


def _draw_sets(
    recipe: Recipe, case: PreparedCase, target: PreparedWeak, where: Sequence[Any]
) -> tuple[PreparedWeak, npt.NDArray[np.uint8], float]:
    change, window, start = where
    ends = zip(start, window, case.shape, strict=True)
    shown = np.prod([max(0, min(s + w, n) - max(s, 0)) / n for s, w, n in ends])
    return target, moved_sets(recipe, target, change, window, start), float(shown)


def draw_annotators(recipe: Recipe, cases: Sequence[PreparedCase], *, member: int, step: int) -> Tensor | None:
    """Whose the answers of `draw_batch` of this step are, shape (B,); None without an annotator model."""
    if not recipe.annotators:
        return None
    return torch.tensor([draw_place(recipe, cases, member, step, slot)[0].annotator for slot in range(recipe.batch)])


def draw_known(recipe: Recipe, cases: Sequence[PreparedCase], *, member: int, step: int) -> Tensor | None:
    """Which classes are annotated in each sample of this step's batch, bool, shape (B, classes); None where all are in every case."""
    if not any(case.known for case in cases):
        return None
    drawn = [draw_place(recipe, cases, member, step, slot)[0].known for slot in range(recipe.batch)]
    return torch.stack([known_classes(known, recipe.classes) for known in drawn])


def draw_soft(recipe: Recipe, cases: Sequence[PreparedCase], *, member: int, step: int) -> Tensor | None:
    """Class probabilities of this step's batch, shape (B, classes, spatial…); 0 where its targets alone count, None if everywhere."""
    if all(case.soft is None for case in cases):
        return None
    drawn = torch.from_numpy(np.stack([_draw_soft(recipe, cases, member, step, slot) for slot in range(recipe.batch)]))
    if not drawn.any():
        return None
    return drawn.squeeze(-1) if recipe.dimension == 2 and recipe.kind == "segmentation" else drawn


def _draw_soft(recipe: Recipe, cases: Sequence[PreparedCase], member: int, step: int, slot: int) -> npt.NDArray[np.float32]:
    case, change, window, start = draw_place(recipe, cases, member, step, slot)
    if case.soft is None:
        return np.zeros((recipe.classes, *(() if case.mask is None else recipe.patch)), dtype=np.float32)
    kept = np.load(case.soft, mmap_mode="r")
    if case.mask is None:
        return np.asarray(kept / MOST, dtype=np.float32)
    piece = np.asarray(cut(kept, start, window) / MOST, dtype=np.float32)
    return apply_change(geometry_of(change), piece, None, patch=recipe.patch, spacing_mm=case.spacing_mm, classes=recipe.classes)[0]


def draw_irrelevant(recipe: Recipe, cases: Sequence[PreparedCase], *, member: int, step: int) -> Tensor | None:
    """The irrelevant voxels of the same patches as `draw_batch` of this step, shape (B, spatial…); None when none are marked."""
    if not recipe.rrr:
        return None
    drawn = np.stack([_draw_marked(recipe, cases, member, step, slot) for slot in range(recipe.batch)])
    if not drawn.any():
        return None
    marked = torch.from_numpy(drawn)
    return marked.squeeze(-1) if recipe.dimension == 2 else marked


def _draw_marked(recipe: Recipe, cases: Sequence[PreparedCase], member: int, step: int, slot: int) -> npt.NDArray[np.uint8]:
    case, change, window, start = draw_place(recipe, cases, member, step, slot)
    if case.irrelevant is None:
        return np.zeros(recipe.patch, dtype=np.uint8)
    return _moved_marks(recipe, case, case.irrelevant, change, window, start)


def _moved_marks(
    recipe: Recipe, case: PreparedCase, file: Path, change: Change, window: Shape3, start: Sequence[int]
) -> npt.NDArray[np.uint8]:
    """Marked voxels of a patch, 0 or 1: they move as its mask does, and colours do not matter to them."""
    marks = cut(np.load(file, mmap_mode="r")[None], start, window)[0]
    blank = np.zeros((1, *window), dtype=np.float32)
    _, moved = apply_change(geometry_of(change), blank, marks, patch=recipe.patch, spacing_mm=case.spacing_mm, classes=2)
    return np.zeros(recipe.patch, dtype=np.uint8) if moved is None else (moved == 1).astype(np.uint8)


def draw_place(
    recipe: Recipe, cases: Sequence[PreparedCase], member: int, step: int, slot: int
) -> tuple[PreparedCase, Change, Shape3, list[int]]:
    """Which case, changed how, and the window (its shape and first voxel) it is cut from."""
    rng = generator(recipe.seed, member, "patch", step, slot)
    case = cases[choose_case(recipe, cases, member=member, draw=step * recipe.batch + slot)]
    while case.weight < 1 and rng.random() >= case.weight:
        case = cases[int(rng.integers(len(cases)))]
    change = sample_change(recipe, case.spacing_mm, rng)
    window = window_shape(change, recipe.patch)
    return case, change, window, _window_start(recipe, case, change, window, rng)


def choose_case(recipe: Recipe, cases: Sequence[PreparedCase], *, member: int, draw: int) -> int:
    """Which case the n-th draw takes: every case once per epoch; for a classification every class equally often."""
    if recipe.kind == "classification":
        return _choose_balanced(recipe, [case.label for case in cases], member, draw)
    epoch, position = divmod(draw, len(cases))
    return int(generator(recipe.seed, member, "epoch", epoch).permutation(len(cases))[position])


def _choose_balanced(recipe: Recipe, labels: Sequence[int], member: int, draw: int) -> int:
    present = sorted(set(labels))
    turn, place = divmod(draw, len(present))
    label = present[int(generator(recipe.seed, member, "classes", turn).permutation(len(present))[place])]
    indices = [index for index, value in enumerate(labels) if value == label]
    epoch, position = divmod(turn, len(indices))
    return indices[int(generator(recipe.seed, member, "class", label, epoch).permutation(len(indices))[position])]


def _window_start(recipe: Recipe, case: PreparedCase, change: Change, window: Shape3, rng: np.random.Generator) -> list[int]:
    """First voxel of the window: around a labelled voxel or anywhere, but with the patch inside the image if it fits."""
    size, patch = np.array(case.shape), np.array(recipe.patch)
    low, high = np.minimum(0, size - patch), np.maximum(0, size - patch)
    start = rng.integers(low, high + 1)
    if case.locations and rng.random() < recipe.foreground:
        places = case.locations[int(rng.integers(len(case.locations)))]
        centre = places[int(rng.integers(len(places)))]
        start = np.clip(centre - patch // 2, low, high)
    elif case.answered is not None:
        centre = case.answered[int(rng.integers(len(case.answered)))]
        start = np.clip(centre - patch // 2, low, high)
    if change.moves:
        start = start - (np.array(window) - patch) // 2
    return [int(s) for s in start]
