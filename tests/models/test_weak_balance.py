"""Weights of marks that are learned: where they settle, within which bounds, and that a killed training ends the same."""

import dataclasses
import math
from pathlib import Path

import pytest
import torch

from medloop.core.errors import CancelledError, SettingError
from medloop.core.settings import learns_mark_weights, mark_weights
from medloop.models.foundation.recipes import Recipe, WeakWeights
from medloop.models.foundation.weak_balance import BOUND, WeakBalance, scales
from medloop.models.foundation.weak_losses import weak_terms
from medloop.models.training.train import TrainingProgress, train

from .test_learning_from_marks import EVERY, batch_of, case_of, recipe_for


def settled(terms: dict[str, float], *, steps: int = 4000) -> dict[str, float]:
    balance, usual = WeakBalance(), WeakWeights()
    optimiser = torch.optim.SGD(balance.parameters(), lr=0.05)
    for _ in range(steps):
        optimiser.zero_grad()
        balance({name: torch.tensor(value) for name, value in terms.items()}, usual).backward()
        optimiser.step()
        balance.keep_bounded()
    return balance.weights(usual)


def test_a_weight_settles_at_half_of_one_over_its_loss_times_the_usual_one() -> None:
    found = settled({"marked": 0.25, "likely": 1.0, "excluded": 2.0})
    assert found["marked"] == pytest.approx(4.0 * 2, rel=0.01)
    assert found["likely"] == pytest.approx(1.0 / 2, rel=0.01)
    assert found["excluded"] == pytest.approx(1.0 / 4, rel=0.01)
    assert (found["tagged"], found["agreed"]) == (0.1, 0.5), "what says nothing keeps its weight"


def test_weights_stay_within_their_bounds() -> None:
    found = settled({"excluded": 1e-6, "likely": 1e6}, steps=400)
    assert found["excluded"] == pytest.approx(BOUND)
    assert found["likely"] == pytest.approx(1 / BOUND)


def test_a_weight_of_0_leaves_a_term_out_and_a_batch_that_says_nothing_is_0() -> None:
    balance = WeakBalance()
    assert float(balance({"tagged": torch.tensor(3.0)}, WeakWeights(tagged=0.0))) == 0.0
    assert float(balance({"excluded": torch.tensor(0.0)}, WeakWeights())) == 0.0
    assert scales(WeakWeights()) == (0.8, 0.2, 1.0, 0.1, 0.5)
    assert scales(WeakWeights(marked=0.0, likely=0.0))[:2] == (0.0, 0.0)


def test_terms_are_of_their_own_voxels() -> None:
    logits = torch.tensor([0.2, 0.3, 0.5]).log().reshape(1, 3, 1, 1).expand(1, 3, 1, 3)
    weak = batch_of([[1, 2, 0]], [EVERY, [False, True, False], [True, False, True]])
    found = weak_terms(logits, torch.tensor([[[1, 255, 2]]]), weak)
    assert set(found) == {"marked", "likely", "excluded", "tagged"}
    assert float(found["excluded"]) == pytest.approx(-math.log(0.7), abs=1e-5)
    assert float(found["likely"]) < float(found["marked"])
    assert float(found["tagged"]) == 0.0
    free = weak_terms(logits, torch.full((1, 1, 3), 255), batch_of([[0, 0, 0]], [EVERY]))
    assert {float(value) for value in free.values()} == {0.0}


def learned() -> Recipe:
    return dataclasses.replace(recipe_for((32, 32, 1), steps=6), weak_learned=True, checkpoint_seconds=0.0, precision="float32")


def test_a_killed_training_ends_with_the_same_weights_bit_for_bit_and_says_what_marks_count(tmp_path: Path) -> None:
    cases = [case_of(0, weak=True), case_of(1, weak=False)]
    whole = train(learned(), cases, [], tmp_path / "whole", report=lambda _: True)

    def until_three(progress: TrainingProgress) -> bool:
        return progress.step != 3

    with pytest.raises(CancelledError):
        train(learned(), cases, [], tmp_path / "killed", report=until_three)
    resumed = train(learned(), cases, [], tmp_path / "killed", report=lambda _: True)
    assert resumed.weights[0].read_bytes() == whole.weights[0].read_bytes()
    found = whole.metrics["mark_weights"]
    assert found == resumed.metrics["mark_weights"]
    assert set(found) == set(WeakWeights._fields)
    assert found != WeakWeights()._asdict()


def test_recipes_of_before_are_bound_to_the_same_checkpoints_and_a_classification_learns_no_weights() -> None:
    assert "weak_learned" not in recipe_for((32, 32, 1)).identity
    assert learned().identity["weak_learned"] is True
    assert Recipe.from_json(learned().to_json()) == learned()
    with pytest.raises(SettingError, match="weak_learned to be off"):
        dataclasses.replace(recipe_for((32, 32, 1)), kind="classification", weak_learned=True)


def test_the_setting_names_weights_and_whether_they_are_learned() -> None:
    assert mark_weights("learned, tagged=0") == {"tagged": 0.0}
    assert [learns_mark_weights(text) for text in ("learned", "tagged=0,learned", "", "tagged=0")] == [True, True, False, False]
    with pytest.raises(SettingError, match="one weight at most"):
        mark_weights("learned=1")
