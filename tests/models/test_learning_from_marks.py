"""Losses and batches of cases that are known by marks."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from medloop.core.arrays import UNKNOWN, MaskArray
from medloop.core.errors import SettingError
from medloop.core.geometry import Grid
from medloop.core.image import Image, Mask
from medloop.models.foundation.recipes import CaseShape, Recipe, WeakWeights, choose_recipe, fingerprint
from medloop.models.foundation.weak_losses import WeakBatch, agreed_loss, excluded_loss, present_loss, weak_loss
from medloop.models.training.batches import TrainingCase, draw_batch, draw_marks, prepare_cases
from medloop.models.training.train import train
from medloop.models.training.weak_targets import WeakTarget, prepare_weak

EVERY = [True, True, True]


def batch_of(sets: list[list[int]], possible: list[list[bool]], *, present: tuple[int, ...] = (), seen: float = 1.0) -> WeakBatch:
    """One sample of a picture."""
    wanted = torch.zeros((1, len(possible[0])), dtype=torch.bool)
    wanted[0, list(present)] = True
    return WeakBatch(torch.tensor([True]), torch.tensor([sets]), torch.tensor([possible]), wanted, torch.tensor([seen]))


def test_the_excluded_loss_is_the_logarithm_of_what_is_allowed() -> None:
    logits = torch.tensor([0.2, 0.3, 0.5]).log().reshape(1, 3, 1, 1)
    weak = batch_of([[1]], [EVERY, [True, True, False]])
    found = excluded_loss(logits, weak.allowed(), counts=torch.ones(1, 1, 1, dtype=torch.bool))
    assert float(found) == pytest.approx(-np.log(0.5), abs=1e-6)


def test_a_single_class_is_the_cross_entropy_and_every_class_is_nothing() -> None:
    logits = torch.randn(1, 3, 1, 2, generator=torch.Generator().manual_seed(0))
    weak = batch_of([[0, 1]], [EVERY, [False, False, True]])
    counts = torch.tensor([[[False, True]]])
    expected = torch.nn.functional.cross_entropy(logits[..., 1], torch.tensor([[2]]))
    assert float(excluded_loss(logits, weak.allowed(), counts=counts)) == pytest.approx(float(expected), abs=1e-5)
    assert float(excluded_loss(logits, weak.allowed(), counts=~counts)) == pytest.approx(0.0, abs=1e-6)


def test_a_tag_is_held_against_the_most_probable_voxels_of_a_patch_that_shows_the_case() -> None:
    logits = torch.zeros(1, 3, 4, 4)
    logits[0, 1, 2, 2] = 20.0
    assert float(present_loss(logits, batch_of([[0] * 4] * 4, [EVERY], present=(1,)))) < 1e-3
    assert float(present_loss(logits, batch_of([[0] * 4] * 4, [EVERY], present=(2,)))) == pytest.approx(np.log(3), abs=1e-3)
    assert float(present_loss(logits, batch_of([[0] * 4] * 4, [EVERY], present=(2,), seen=0.3))) == 0.0


def test_a_tagged_outer_label_is_there_where_the_one_inside_it_is() -> None:
    logits = torch.zeros(1, 3, 4, 4)
    logits[0, 2, 2, 2] = 20.0
    tagged = batch_of([[0] * 4] * 4, [EVERY], present=(1,))
    assert float(present_loss(logits, tagged, ((1, 2), (2,)))) < 1e-3
    assert float(present_loss(logits, tagged)) == pytest.approx(np.log(3), abs=1e-3), "labels apart"
    targets = torch.full((1, 4, 4), UNKNOWN)
    targets[0, 2, 2], targets[0, 0, 0] = 2, 1
    outer = logits.clone()
    outer[0, 1, 0, 0] = outer[0, 1, 2, 2] = 20.0
    free, weights = batch_of([[0] * 4] * 4, [EVERY]), WeakWeights()
    nested = weak_loss(outer, targets, free, weights, regions=((1, 2), (2,)))
    assert float(nested) < float(weak_loss(outer, targets, free, weights)), "the outer label has both voxels"


def test_the_teacher_decides_among_what_marks_allow_only() -> None:
    logits, teacher = torch.zeros(1, 3, 1, 1), torch.tensor([0.05, 0.05, 0.9]).reshape(1, 3, 1, 1)
    counts, free = torch.ones(1, 1, 1, dtype=torch.bool), batch_of([[0]], [EVERY])
    assert float(agreed_loss(logits, free.allowed(), teacher, counts=counts)) == pytest.approx(np.log(3), abs=1e-5)
    torn = batch_of([[1]], [EVERY, [True, True, False]])
    assert float(agreed_loss(logits, torn.allowed(), teacher, counts=counts)) == 0.0


def test_what_is_only_likely_counts_less_and_not_at_all_with_weight_0() -> None:
    generator = torch.Generator().manual_seed(1)
    logits, targets = torch.randn(1, 3, 2, 2, generator=generator), torch.tensor([[[1, 2], [UNKNOWN, 0]]])
    weak = batch_of([[1, 0], [0, 0]], [EVERY, [False, True, False]])
    alone = weak_loss(logits, torch.tensor([[[1, UNKNOWN], [UNKNOWN, UNKNOWN]]]), weak, WeakWeights())
    assert torch.equal(weak_loss(logits, targets, weak, WeakWeights(likely=0.0)), alone)
    assert not torch.equal(weak_loss(logits, targets, weak, WeakWeights(likely=1.0)), alone)


def grid_of(shape: tuple[int, int, int]) -> Grid:
    return Grid(shape, np.eye(4))


def recipe_for(shape: tuple[int, int, int], *, seed: int = 0, steps: int = 4) -> Recipe:
    found = fingerprint([CaseShape(shape=shape, spacing_mm=(1.0, 1.0, 1.0), channels=1)] * 3)
    made = choose_recipe(found, kind="segmentation", classes=3, minutes=1, threads=1, seed=seed)
    return dataclasses.replace(made, steps=steps, patch=(32, 32, 1), batch=4, validations=1)


def test_a_thin_stroke_survives_coarser_voxels(tmp_path: Path) -> None:
    sets = np.zeros((40, 40, 1), dtype=np.uint8)
    sets[7, 3:30] = 1
    mask = np.where(sets == 1, 2, UNKNOWN).astype(np.uint8)
    possible = np.array([EVERY, [False, False, True]])
    made, moved = prepare_weak(WeakTarget(sets, possible), mask, classes=3, shape=(10, 10, 1), file=tmp_path / "sets.npy")
    assert int((moved == 2).sum()) == int((np.load(made.sets) == 1).sum()) == 8


def case_of(number: int, *, weak: bool) -> TrainingCase:
    rng = np.random.default_rng(number)
    truth: MaskArray = np.zeros((32, 32, 1), dtype=np.uint8)
    truth[8:20, 6:22], truth[22:28, 20:30] = 1, 2
    image = Image((truth + rng.normal(0, 0.2, truth.shape))[None].astype(np.float32), grid_of(truth.shape))
    if not weak:
        return TrainingCase(f"mask {number}", lambda: (image, Mask(truth, image.grid)))
    mask = np.full_like(truth, UNKNOWN)
    sets = np.zeros_like(truth)
    mask[10, 8:20], sets[10, 8:20] = 1, 1
    sets[:, :16] = np.where(sets[:, :16] == 0, 2, sets[:, :16])
    possible = np.array([EVERY, [False, True, False], [True, True, False]])
    return TrainingCase(f"marks {number}", lambda: (image, Mask(mask, image.grid)), weak=lambda: WeakTarget(sets, possible, (2,)))


def test_sets_move_as_the_patch_does(tmp_path: Path) -> None:
    recipe = recipe_for((32, 32, 1))
    cases = prepare_cases(recipe, [case_of(0, weak=True), case_of(1, weak=False)], tmp_path)
    for step in range(20):
        marks, (images, targets) = draw_marks(recipe, cases, member=0, step=step), draw_batch(recipe, cases, member=0, step=step)
        weak = marks.weak
        assert weak is not None
        assert weak.sets.shape == targets.shape
        marked = (weak.sets == 1) & weak.weak.reshape(-1, 1, 1)
        assert (targets[marked] == 1).float().mean() > 0.9
        assert images[:, 0][marked].mean() > images[:, 0][~marked].mean()
        assert not (weak.sets[~weak.weak] > 0).any()


def test_no_batch_without_marks_carries_any(tmp_path: Path) -> None:
    recipe = recipe_for((32, 32, 1))
    cases = prepare_cases(recipe, [case_of(1, weak=False), case_of(2, weak=False)], tmp_path)
    assert draw_marks(recipe, cases, member=0, step=0).weak is None


@pytest.mark.parametrize("kinds", [(True, True), (True, False)])
@pytest.mark.parametrize("more", [{}, {"unlabelled": "copy-paste"}])
def test_marks_are_learned_alone_and_beside_masks(tmp_path: Path, kinds: tuple[bool, bool], more: dict[str, str]) -> None:
    recipe = dataclasses.replace(recipe_for((32, 32, 1), steps=6), **more)  # type: ignore[arg-type]
    cases = [case_of(n, weak=weak) for n, weak in enumerate(kinds)]
    trained = train(recipe, cases, [], tmp_path / "a", report=lambda _: True)
    again = train(recipe, cases, [], tmp_path / "b", report=lambda _: True)
    assert trained.weights[0].read_bytes() == again.weights[0].read_bytes()
    assert np.isfinite(trained.metrics["loss"])


def test_weights_of_kinds_are_part_of_a_recipe() -> None:
    recipe = dataclasses.replace(recipe_for((32, 32, 1)), weak_weights=WeakWeights(likely=0.25))
    assert Recipe.from_json(recipe.to_json()) == recipe
    older = {name: value for name, value in recipe.to_json().items() if name != "weak_weights"}
    assert Recipe.from_json(older).weak_weights == WeakWeights()
    with pytest.raises(SettingError, match="weak_weights"):
        dataclasses.replace(recipe, weak_weights=WeakWeights(likely=-1.0))
