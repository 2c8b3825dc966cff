"""Learning from images alone: what is hidden, what is asked of the network, and that a killed run ends with the same weights."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from medloop.core.errors import CancelledError, ConflictError, InputError
from medloop.images.phantoms import phantom_2d, phantom_3d
from medloop.models.foundation.checkpoint import decode_weights
from medloop.models.foundation.networks import build_network
from medloop.models.foundation.recipes import Recipe
from medloop.models.foundation.transfer import transfer
from medloop.models.training.consistency import UnlabelledCase, prepare_unlabelled
from medloop.models.training.pretext_task import draw_puzzle, hide, pretext_recipe, restoring_error, twin_loss
from medloop.models.training.pretraining import PretrainingRun, pretrain
from medloop.models.training.train import TrainingProgress

from .conftest import PICTURE, VOLUME


def images(recipe: Recipe, count: int = 5) -> list[UnlabelledCase]:
    flat = recipe.dimension == 2
    return [
        UnlabelledCase(f"{n}", lambda n=n: (phantom_2d(n, shape=PICTURE) if flat else phantom_3d(n, shape=VOLUME)).image)  # type: ignore[misc]
        for n in range(count)
    ]


def go_on(_: TrainingProgress) -> bool:
    return True


def weights(recipe: Recipe, folder: Path, *, report: Callable[[TrainingProgress], bool] = go_on, **more: float) -> bytes:
    file, _ = pretrain(PretrainingRun(recipe, images(recipe), folder, report, **more))
    return file.read_bytes()


@pytest.mark.parametrize("name", ["recipe_2d", "recipe_3d", "recipe_folded", "recipe_tags"])
def test_every_kind_of_network_is_pretrained_and_takes_its_weights(name: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    recipe: Recipe = dataclasses.replace(request.getfixturevalue(name), steps=2)
    found = transfer(build_network(recipe, seed=1).state_dict(), decode_weights(weights(recipe, tmp_path)))
    assert found.share == 1.0
    assert all(line.how == "as it is" or line.name.startswith("head.") for line in found.lines)


def test_what_belongs_to_annotations_does_not_change_the_weights(recipe_2d: Recipe, tmp_path: Path) -> None:
    other = dataclasses.replace(recipe_2d, classes=5, guided=True, members=3, rrr=1.0, targets="soft", robust="robust-loss")
    assert weights(recipe_2d, tmp_path / "a") == weights(other, tmp_path / "b")
    assert weights(dataclasses.replace(recipe_2d, seed=6), tmp_path / "c") != weights(recipe_2d, tmp_path / "a")


@pytest.mark.parametrize("name", ["recipe_2d", "recipe_3d"])
def test_a_run_that_was_stopped_anywhere_ends_with_the_same_weights_bit_for_bit(
    name: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    recipe: Recipe = dataclasses.replace(request.getfixturevalue(name), steps=5)
    whole = weights(recipe, tmp_path / "whole")
    for last in (1, 3):
        with pytest.raises(CancelledError, match=f"stopped at step {last} of 5"):
            weights(recipe, tmp_path / "stopped", report=lambda now, last=last: now.step < last)  # type: ignore[misc]
    assert weights(recipe, tmp_path / "stopped") == whole
    assert weights(recipe, tmp_path / "stopped", report=lambda _: pytest.fail("it is done")) == whole
    assert not list((tmp_path / "stopped").glob("pretraining.*"))


def test_a_folder_of_another_pretraining_is_refused(recipe_2d: Recipe, tmp_path: Path) -> None:
    weights(recipe_2d, tmp_path)
    with pytest.raises(ConflictError):
        weights(dataclasses.replace(recipe_2d, seed=6), tmp_path)
    with pytest.raises(ConflictError):
        weights(recipe_2d, tmp_path, contrast=0.5)


def test_too_few_images_are_refused_in_one_line(recipe_2d: Recipe, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Pretraining needs at least 4 images, got 3; import more training cases"):
        pretrain(PretrainingRun(recipe_2d, images(recipe_2d, 3), tmp_path, go_on))


def test_restoring_gets_better_with_steps(recipe_2d: Recipe, tmp_path: Path) -> None:
    _, metrics = pretrain(PretrainingRun(dataclasses.replace(recipe_2d, steps=60), images(recipe_2d), tmp_path, go_on))
    assert metrics["last_error"] < 0.8 * metrics["first_error"]
    assert (metrics["steps"], metrics["images"]) == (60, 5)


def test_a_puzzle_is_a_function_of_the_step_and_only_spoils_what_it_hides_and_a_little_noise(recipe_3d: Recipe, tmp_path: Path) -> None:
    recipe = pretext_recipe(recipe_3d)
    cases = prepare_unlabelled(recipe, images(recipe), tmp_path)
    first, again, other = (draw_puzzle(recipe, cases, step=step) for step in (3, 3, 4))
    assert torch.equal(first.spoiled, again.spoiled)
    assert not torch.equal(first.plain, other.plain)
    assert set(first.hidden.unique().tolist()) == {0.0, 1.0}
    seen = (first.hidden == 0).expand_as(first.plain)
    assert float((first.spoiled - first.plain)[seen].std()) == pytest.approx(0.25, rel=0.1)
    assert float(first.spoiled[~seen].std()) == pytest.approx(1.0, rel=0.1)
    assert first.plain.shape == first.spoiled.shape == first.other.shape


@given(st.tuples(st.integers(1, 40), st.integers(1, 40), st.integers(1, 40)), st.integers(0, 99))
def test_some_blocks_are_hidden_and_never_all_of_them(patch: tuple[int, int, int], seed: int) -> None:
    hidden = hide(patch, np.random.default_rng(seed))
    assert hidden.shape == patch
    assert hidden.any() or np.prod(patch) == 1
    if max(patch) >= 16:
        assert 0.2 < hidden.mean() < 0.8
        assert not hidden.all()


def test_a_perfect_restoration_has_no_error_and_hidden_voxels_weigh_most() -> None:
    plain, hidden = torch.zeros(1, 1, 2, 1), torch.tensor([1.0, 0.0]).view(1, 1, 2, 1)
    assert float(restoring_error(plain, plain, hidden)) == 0.0
    off_hidden, off_seen = plain + hidden, plain + 1 - hidden
    assert float(restoring_error(off_hidden, plain, hidden)) == pytest.approx(1 / 1.1)
    assert float(restoring_error(off_seen, plain, hidden)) == pytest.approx(0.1 / 1.1)


def test_twins_that_agree_cost_less_than_strangers() -> None:
    rows = torch.eye(4)
    assert float(twin_loss(torch.cat([rows, rows]), 0.2)) < float(twin_loss(torch.cat([rows, rows.roll(1, 0)]), 0.2))
