"""Cases left out because they stay far harder to learn: by hand, in a training, and exact to resume."""

import dataclasses

import numpy as np
import pytest
import torch

from medloop.core.errors import CancelledError
from medloop.core.image import Image, Mask
from medloop.images.phantoms import phantom_2d
from medloop.models.foundation.losses import IGNORE
from medloop.models.training.batches import TrainingCase, draw_cases, draw_place, prepare_cases
from medloop.models.training.small_loss import FEWEST_CASES, FEWEST_LOSSES, MEMORY, SmallLoss, leave_out, names_left_out
from medloop.models.training.train import TrainingRun, train_members

PICTURE = (32, 32)


def seen(means, times=FEWEST_LOSSES):
    return SmallLoss(torch.tensor(means, dtype=torch.float64), torch.full((len(means),), times))


def test_the_mean_begins_as_the_plain_one_and_then_forgets():
    memory = SmallLoss.of(2)
    for loss in (1.0, 2.0, 6.0):
        memory.observe(torch.tensor([1]), torch.tensor([loss]))
    assert memory.means.tolist() == pytest.approx([0.0, 3.0])
    memory = seen([3.0], times=50)
    memory.observe(torch.tensor([0]), torch.tensor([8.0]))
    assert memory.means.tolist() == pytest.approx([MEMORY * 3 + (1 - MEMORY) * 8])


def test_a_case_that_comes_twice_in_a_batch_counts_twice():
    memory = SmallLoss.of(1)
    memory.observe(torch.tensor([0, 0]), torch.tensor([1.0, 3.0]))
    assert (memory.means.tolist(), memory.seen.tolist()) == ([2.0], [2])


def test_a_case_far_above_the_others_stands_out_and_one_far_below_does_not():
    usual = [1.0, 1.1, 0.9, 1.05, 0.95, 1.0, 1.1, 0.9]
    assert seen([*usual, 2.0, 0.1]).outliers().tolist() == [False] * 8 + [True, False]


def test_nobody_stands_out_of_too_few_or_too_little_seen_or_equal_cases():
    assert not seen([1.0] * (FEWEST_CASES - 2) + [9.0]).outliers().any()
    assert not seen([1.0, 1.1, 0.9] * 4 + [9.0], times=FEWEST_LOSSES - 1).outliers().any()
    assert not seen([1.0] * 12).outliers().any()


def test_targets_of_such_a_case_say_nothing_once_that_has_begun():
    memory = seen([1.0, 1.1, 0.9, 1.05, 0.95, 1.0, 1.1, 0.9, 5.0])
    masks = torch.ones(2, 3, 3, dtype=torch.int64)
    cases = torch.tensor([8, 0])
    assert torch.equal(leave_out(memory, cases, masks, begun=False), masks)
    left = leave_out(memory, cases, masks, begun=True)
    assert (left[0] == IGNORE).all()
    assert (left[1] == 1).all()
    assert leave_out(memory, cases, torch.tensor([1, 1]), begun=True).tolist() == [IGNORE, 1]
    assert names_left_out(memory, list("abcdefghi")) == ["i"]


def test_the_samples_of_a_batch_are_known_by_their_case(recipe_2d, pictures, tmp_path):
    cases = prepare_cases(recipe_2d, pictures, tmp_path)
    assert draw_cases(recipe_2d, cases, member=0, step=3) is None
    recipe = dataclasses.replace(recipe_2d, robust="small-loss")
    for step in range(5):
        drawn = draw_cases(recipe, cases, member=0, step=step).tolist()
        assert drawn == [cases.index(draw_place(recipe, cases, 0, step, slot)[0]) for slot in range(recipe.batch)]


def noisy_pictures(wrong):
    """Sixteen pictures of a bright square, annotated as label 1; where that is wrong, far from the square."""

    def load(n):
        rng = np.random.default_rng(n)
        corner = rng.integers(2, 10, size=2)
        mask = np.zeros((*PICTURE, 1), dtype=np.uint8)
        mask[corner[0] : corner[0] + 10, corner[1] : corner[1] + 10] = 1
        grid = phantom_2d(0, shape=PICTURE).image.grid
        image = Image((2.0 * mask + 0.3 * rng.standard_normal(mask.shape))[None].astype(np.float32), grid)
        return image, Mask(np.roll(mask, 14, axis=(0, 1)) if n in wrong else mask, grid)

    return [TrainingCase(f"picture-{n}", lambda n=n: load(n)) for n in range(16)]


@pytest.fixture
def recipe(recipe_2d):
    return dataclasses.replace(recipe_2d, robust="small-loss", steps=100, batch=4, validations=0)


def train(recipe, cases, folder, report=lambda _: True):
    return train_members(TrainingRun(recipe, cases, [], folder, report))


def test_wrong_annotations_are_found_and_named(recipe, tmp_path):
    assert train(recipe, noisy_pictures({2, 7}), tmp_path).metrics["stood_out"] == ["picture-2", "picture-7"]


def test_of_right_annotations_none_is_left_out(recipe, tmp_path):
    assert train(recipe, noisy_pictures(set()), tmp_path).metrics["stood_out"] == []


def test_a_stopped_training_remembers_its_cases_and_ends_the_same_bit_for_bit(recipe, tmp_path):
    cases = noisy_pictures({2, 7})
    whole = train(recipe, cases, tmp_path / "whole")
    with pytest.raises(CancelledError):
        train(recipe, cases, tmp_path / "stopped", report=lambda progress: progress.step < 40)
    again = train(recipe, cases, tmp_path / "stopped")
    assert [file.read_bytes() for file in again.weights] == [file.read_bytes() for file in whole.weights]
    assert again.metrics["stood_out"] == whole.metrics["stood_out"]


def test_a_classifier_leaves_out_pictures_of_the_wrong_class(recipe_tags, tmp_path):
    grid = phantom_2d(0, shape=PICTURE).image.grid

    def load(n):
        bright = n % 2
        noise = np.random.default_rng(n).standard_normal((1, *PICTURE, 1))
        image = np.zeros((1, *PICTURE, 1))
        image[:, 8:24, 8 : 16 + 8 * bright] = 3
        return Image((image + 0.3 * noise).astype(np.float32), grid), 1 - bright if n == 3 else bright

    cases = [TrainingCase(f"tagged-{n}", lambda n=n: load(n)) for n in range(16)]
    recipe = dataclasses.replace(recipe_tags, robust="small-loss", steps=100, batch=6, validations=0)
    assert train(recipe, cases, tmp_path).metrics["stood_out"] == ["tagged-3"]
