"""Networks that learn how probable each class is: the loss, the batches and what comes out."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from medloop.core.arrays import FloatArray, MaskArray
from medloop.core.errors import CancelledError, SettingError
from medloop.core.geometry import Grid
from medloop.core.image import Image, Mask
from medloop.models.foundation.losses import IGNORE, classification_loss, loss_of, segmentation_loss
from medloop.models.foundation.recipes import Recipe
from medloop.models.inference.predict import Predictor
from medloop.models.training.batches import Marks, TrainingCase, draw_batch, draw_soft, prepare_cases
from medloop.models.training.soft_targets import SoftTarget, prepare_soft
from medloop.models.training.train import TrainingProgress, _as_wanted, train

SIZE = (32, 32, 1)
SHARE = 0.6
"""Of the readers, who call the rim foreground."""


def picture(index: int) -> tuple[Image, MaskArray, MaskArray]:
    """A disc with a rim half as bright, and where disc and rim are; the rest is dark."""
    rng = np.random.default_rng(index)
    away = np.linalg.norm(np.indices(SIZE[:2]) - rng.uniform(13, 19, 2)[:, None, None], axis=0)[..., None]
    core, rim = away < 5, (away >= 5) & (away < 11)
    bright = core * 2.0 + rim * 1.0 + rng.normal(0, 0.1, SIZE)
    return Image(bright[None].astype(np.float32), Grid(SIZE, np.eye(4))), core.astype(np.uint8), rim.astype(np.uint8)


def disputed_case(index: int) -> TrainingCase:
    image, core, rim = picture(index)
    places = np.flatnonzero(rim)
    chances = np.tile([[1 - SHARE], [SHARE]], (1, len(places)))
    mask = Mask(core | rim, image.grid)  # what most readers say
    return TrainingCase(f"case-{index}", lambda: (image, mask), soft=lambda: SoftTarget(chances, places))


def everywhere(mask: MaskArray, classes: int) -> SoftTarget:
    """The mask said by probabilities alone, at every voxel."""
    return SoftTarget(np.eye(classes)[mask.reshape(-1)].T, np.arange(mask.size))


def go_on(progress: TrainingProgress) -> bool:
    return True


def recipe_of(recipe: Recipe, **more: object) -> Recipe:
    return dataclasses.replace(recipe, **more)  # type: ignore[arg-type]


def rim_probability(recipe: Recipe, folder: Path) -> float:
    """What a network trained on eight disputed cases says of the rim in a ninth."""
    trained = train(recipe, [disputed_case(n) for n in range(8)], [], folder, report=go_on)
    image, _, rim = picture(99)
    predictor = Predictor.load(recipe, [path.read_bytes() for path in trained.weights], sampler="softmax")
    said = predictor.predict(image, samples=1, rng=np.random.default_rng(0)).probabilities
    return float(said[1][rim == 1].mean())


def shallow(recipe: Recipe, **more: object) -> Recipe:
    """Two levels, which learn these pictures in seconds."""
    levels = {name: getattr(recipe, name)[:2] for name in ("features", "strides", "kernels")}
    return recipe_of(recipe, **levels, classes=2, dropout=0.0, augmentation=0.0, **more)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_network_says_the_readers_share_with_soft_targets(recipe_2d: Recipe, tmp_path: Path, seed: int) -> None:
    assert abs(rim_probability(shallow(recipe_2d, steps=60, seed=seed, targets="soft"), tmp_path) - SHARE) < 0.06


def test_a_network_is_sure_of_the_same_rim_with_hard_targets(recipe_2d: Recipe, tmp_path: Path) -> None:
    assert rim_probability(shallow(recipe_2d, steps=60, seed=1), tmp_path) > SHARE + 0.2


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_classifier_says_the_readers_share_with_soft_targets_and_is_sure_with_hard_ones(
    recipe_tags: Recipe, tmp_path: Path, seed: int
) -> None:
    def case(index: int) -> TrainingCase:
        share = SHARE * (index % 2)
        array = np.random.default_rng(index).normal(0, 0.1, (1, *SIZE)).astype(np.float32)
        array[:, :16] += 2 if share else -2
        target = SoftTarget(np.array([[1 - share], [share]]), np.zeros(1, dtype=np.int64))
        return TrainingCase(f"{index}", lambda: (Image(array, Grid(SIZE, np.eye(4))), int(share > 0)), soft=lambda: target)

    def said(targets: str) -> float:
        recipe = shallow(recipe_tags, steps=60, batch=6, seed=seed, learning_rate=1e-2, flips=(), targets=targets)
        trained = train(recipe, [case(n) for n in range(6)], [], tmp_path / targets, report=go_on)
        predictor = Predictor.load(recipe, [path.read_bytes() for path in trained.weights], sampler="softmax")
        return float(predictor.predict(case(31).load()[0], samples=1, rng=np.random.default_rng(0)).probabilities[1])

    assert abs(said("soft") - SHARE) < 0.15
    assert said("hard") > 0.8


def test_probabilities_of_0_and_1_cost_what_the_mask_costs() -> None:
    masks = torch.arange(2 * 4 * 4 * 4).reshape(2, 4, 4, 4) % 3
    logits = torch.randn((2, 3, 4, 4, 4), generator=torch.Generator().manual_seed(0))
    sure = torch.nn.functional.one_hot(masks, 3).movedim(-1, 1).float()
    for soft in (sure, torch.zeros_like(sure), 0.3 * sure):  # what is missing of 1 is the mask's
        assert float(segmentation_loss(logits, masks, soft=soft)) == pytest.approx(float(segmentation_loss(logits, masks)), abs=1e-5)


def test_nothing_costs_less_than_what_the_readers_say() -> None:
    shares = torch.tensor([0.6, 0.3, 0.9, 0.0]).reshape(1, 1, 4)
    soft, masks = torch.cat([1 - shares, shares], dim=1), (shares > 0.5).long()[:, 0]

    def cost(said: torch.Tensor) -> float:
        return float(segmentation_loss(torch.cat([1 - said, said], dim=1).clamp(1e-6, 1).log(), masks, soft=soft))

    least = cost(shares)
    for voxel in range(4):
        for step in (-0.1, -0.02, 0.02, 0.1):
            moved = shares.clone()
            moved[..., voxel] = (moved[..., voxel] + step).clamp(1e-4, 1 - 1e-4)
            assert cost(moved) > least
    assert cost((shares > 0.5).float()) > least + 0.1


def test_unknown_voxels_and_labels_nobody_knew_stay_out_of_soft_targets(recipe_3d: Recipe) -> None:
    masks = torch.zeros((1, 4, 4, 4), dtype=torch.long)
    masks[:, 0] = IGNORE
    logits = torch.randn((1, 3, 4, 4, 4), generator=torch.Generator().manual_seed(1)).requires_grad_()
    soft = torch.tensor([0.5, 0.2, 0.3]).reshape(1, 3, 1, 1, 1).expand(1, 3, 4, 4, 4)
    known = torch.tensor([[True, True, False]])
    loss = loss_of(recipe_of(recipe_3d, classes=3), logits, masks, known=known, soft=soft)
    folded = torch.tensor([0.8, 0.2, 0.0]).reshape(1, 3, 1, 1, 1).expand(1, 3, 4, 4, 4)
    assert float(loss.detach()) == pytest.approx(
        float(loss_of(recipe_of(recipe_3d, classes=3), logits, masks, known=known, soft=folded).detach()), abs=1e-6
    )
    loss.backward()
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()
    assert not logits.grad[:, :, 0].any()


def test_rows_of_a_classification_without_probabilities_are_learned_as_ever() -> None:
    logits, classes = torch.tensor([[1.0, -1.0, 0.5], [0.2, 0.1, 0.0]]), torch.tensor([2, 0])
    for known in (None, torch.tensor([[True, True, True], [True, True, False]])):
        plain = classification_loss(logits, classes, known=known)
        assert float(classification_loss(logits, classes, known=known, soft=torch.zeros((2, 3)))) == pytest.approx(float(plain), abs=1e-6)
    by_hand = -(0.7 * logits[0].log_softmax(0)[2] + 0.3 * logits[0].log_softmax(0)[0])
    soft = torch.tensor([[0.3, 0.0, 0.7]])
    assert float(classification_loss(logits[:1], classes[:1], soft=soft)) == pytest.approx(float(by_hand), abs=1e-6)


def test_probabilities_turn_and_stretch_with_the_image(volumes: list[TrainingCase], recipe_3d: Recipe, tmp_path: Path) -> None:
    recipe = recipe_of(recipe_3d, targets="soft", flips=(0, 1))

    def soft_of(case: TrainingCase) -> SoftTarget:
        answer = case.load()[1]
        assert isinstance(answer, Mask)
        return everywhere(answer.array, recipe.classes)

    cases = [dataclasses.replace(case, soft=lambda case=case: soft_of(case)) for case in volumes]
    prepared = prepare_cases(recipe, cases, tmp_path)
    for step in range(30):  # some are zoomed, turned or deformed
        _, targets = draw_batch(recipe, prepared, member=0, step=step)
        soft = draw_soft(recipe, prepared, member=0, step=step)
        assert soft is not None
        inside = soft.sum(1) > 0.99  # outside the image only the mask says background
        assert (soft.argmax(1) == targets)[inside].float().mean() > 0.999
        assert inside.float().mean() > 0.3


def test_batches_have_no_probabilities_where_no_case_has_any(
    volumes: list[TrainingCase], pictures: list[TrainingCase], recipe_3d: Recipe, recipe_2d: Recipe, tmp_path: Path
) -> None:
    recipe = recipe_of(recipe_3d, targets="soft")
    assert draw_soft(recipe, prepare_cases(recipe, volumes, tmp_path / "none"), member=0, step=0) is None
    hard = [dataclasses.replace(case, soft=lambda: SoftTarget(np.ones((1, 1)), np.zeros(1, dtype=np.int64))) for case in pictures]
    prepared = prepare_cases(recipe_2d, hard, tmp_path / "hard")
    assert all(case.soft is None for case in prepared)


def test_prepared_probabilities_are_means_over_the_voxels_they_become(tmp_path: Path) -> None:
    """By hand: of two voxels that become one, one is certain and one says 0.4."""
    mask = np.array([1, 1, 0, 0], dtype=np.uint8).reshape(4, 1, 1)
    soft = SoftTarget(np.array([[0.6], [0.4]]), np.array([0]))
    file = prepare_soft(soft, mask, classes=3, shape=(2, 1, 1), file=tmp_path / "soft.npy")
    assert file is not None
    np.testing.assert_allclose(np.load(file)[:, :, 0, 0] / 255, [[0.3, 1.0], [0.7, 0.0], [0.0, 0.0]], atol=1 / 255)
    assert prepare_soft(SoftTarget(np.zeros((2, 0)), np.zeros(0, dtype=np.int64)), mask, classes=2, shape=(4, 1, 1), file=file) is None


def test_a_drawn_reading_has_each_label_as_often_as_readers_gave_it() -> None:
    mask = np.zeros((4000, 1, 1), dtype=np.uint8)
    places = np.arange(1000, 4000)
    chances: FloatArray = np.tile([[0.2], [0.5], [0.3]], (1, 3000))
    drawn = SoftTarget(chances, places).draw(mask, np.random.default_rng(0))
    assert not drawn[:1000].any()
    np.testing.assert_allclose(np.bincount(drawn[1000:, 0, 0]) / 3000, [0.2, 0.5, 0.3], atol=0.03)


def test_a_killed_training_with_soft_targets_goes_on_bit_for_bit(recipe_2d: Recipe, tmp_path: Path) -> None:
    recipe = recipe_of(recipe_2d, classes=2, steps=6, targets="soft", checkpoint_seconds=0.0)
    cases = [disputed_case(n) for n in range(3)]
    whole = train(recipe, cases, [], tmp_path / "whole", report=go_on).weights[0].read_bytes()
    with pytest.raises(CancelledError):
        train(recipe, cases, [], tmp_path / "killed", report=lambda progress: progress.step < 3)
    assert train(recipe, cases, [], tmp_path / "killed", report=go_on).weights[0].read_bytes() == whole
    hard = train(recipe_of(recipe, targets="hard"), cases, [], tmp_path / "hard", report=go_on).weights[0].read_bytes()
    assert hard != whole


def test_what_the_user_of_a_guided_network_wants_counts_before_what_readers_said() -> None:
    soft = torch.full((1, 2, 3), 0.5)
    marks = _as_wanted(Marks(soft=soft), torch.tensor([[True, False, True]]))
    assert marks.soft is not None
    assert marks.soft[0, 0].tolist() == [0.5, 0.0, 0.5]
    assert _as_wanted(Marks(), torch.tensor([[True]])).soft is None


def test_a_recipe_has_soft_targets_or_an_annotator_model(recipe_3d: Recipe) -> None:
    with pytest.raises(SettingError, match="targets"):
        recipe_of(recipe_3d, targets="soft", annotator_model="confusion", annotators=2)
    with pytest.raises(SettingError, match="targets"):
        recipe_of(recipe_3d, targets="fuzzy")
