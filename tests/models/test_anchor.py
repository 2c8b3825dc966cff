"""What a training keeps of the model before: by hand, and in the loop."""

import dataclasses
import math

import numpy as np
import pytest
import torch

from medloop.core.errors import CancelledError, ConflictError
from medloop.models.foundation.checkpoint import decode_weights, encode_weights
from medloop.models.foundation.networks import build_network
from medloop.models.training.anchor import MOST, Anchor, distillation_loss, elastic_penalty, scale_importances
from medloop.models.training.batches import prepare_cases
from medloop.models.training.importance import fisher, importances_of, merged
from medloop.models.training.train import TrainingRun, train, train_members


def go_on(_):
    return True


def test_the_elastic_penalty_is_half_importance_times_squared_distance():
    weights, before = {"w": torch.tensor([1.0, 3.0])}, {"w": torch.tensor([0.0, 1.0])}
    assert elastic_penalty(weights, before, {"w": torch.tensor([2.0, 0.5])}).item() == pytest.approx(0.5 * (2 * 1 + 0.5 * 4))


def test_importances_are_scaled_to_a_mean_of_one_and_bounded():
    scaled = scale_importances({"a": torch.tensor([1.0, 3.0]), "b": torch.tensor([0.0, 4.0])})
    assert torch.cat([scaled["a"], scaled["b"]]).tolist() == pytest.approx([0.5, 1.5, 0.0, 2.0])
    assert scale_importances({"a": torch.cat([torch.zeros(999), torch.ones(1)])})["a"].max() == MOST
    assert scale_importances({"a": torch.zeros(3)})["a"].tolist() == [0, 0, 0]


def test_distillation_is_nothing_for_the_same_answer_and_the_divergence_by_hand():
    logits = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    assert distillation_loss(logits, logits, old=3).item() == pytest.approx(0, abs=1e-6)
    student, teacher = torch.tensor([[0.0, math.log(3)]]), torch.tensor([[math.log(3), 0.0]])
    by_hand = 0.75 * math.log(3) - 0.25 * math.log(3)
    assert distillation_loss(student, teacher, old=2, temperature=1.0).item() == pytest.approx(by_hand, rel=1e-5)


def test_a_later_label_takes_from_the_background_alone_and_costs_nothing():
    before = torch.tensor([[2.0, 1.0, -30.0]])
    split = torch.tensor([[2.0 - math.log(2), 1.0, 2.0 - math.log(2)]])  # half of the background is the new label now
    assert distillation_loss(split, before, old=2).item() == pytest.approx(0, abs=1e-6)
    taken = torch.tensor([[2.0, 1.0 - math.log(2), 1.0 - math.log(2)]])
    assert distillation_loss(taken, before, old=2).item() > 0.02


def test_distillation_of_a_classification_holds_old_classes_to_each_other_and_leaves_new_ones_free():
    before = torch.tensor([[0.8, 0.2, 1e-9]]).log()
    found = torch.tensor([[0.4, 0.1, 0.5]]).log()  # the new class has taken half of both
    assert distillation_loss(found, before, old=2, kind="classification").item() == pytest.approx(0, abs=1e-6)
    moved = torch.tensor([[0.1, 0.2, 0.7]]).log()  # as a part of the first class this would look as before
    assert distillation_loss(moved, before, old=2).item() == pytest.approx(0, abs=1e-6)
    assert distillation_loss(moved, before, old=2, kind="classification").item() > 0.1


def test_the_fisher_of_one_weight_of_a_classifier_is_p_times_one_minus_p(recipe_tags, tagged, tmp_path):
    recipe = dataclasses.replace(recipe_tags, batch=1, augmentation=0.0)
    network = build_network(recipe, seed=1).eval()
    cases = prepare_cases(recipe, tagged[:1], tmp_path)
    with torch.no_grad():
        network.head.weight.zero_()
        network.head.bias.copy_(torch.tensor([0.0, math.log(3)]))
    found = fisher(recipe, network, cases, member=0, patches=200)
    assert found["head.bias"].tolist() == pytest.approx([0.75 * 0.25] * 2, rel=0.35)  # 200 draws
    assert found["head.weight"].shape == network.head.weight.shape


def test_importances_are_written_once_and_are_the_same_again(recipe_2d, pictures, tmp_path):
    recipe = dataclasses.replace(recipe_2d, members=2)
    weights = [encode_weights(build_network(recipe, seed=n).state_dict()) for n in range(2)]
    first = importances_of(recipe, weights, pictures, tmp_path / "a", patches=4)
    assert first == importances_of(recipe, weights, pictures, tmp_path / "b", patches=4)
    assert first == importances_of(recipe, weights, [], tmp_path / "a", patches=4)
    assert first[0] != first[1]
    assert all(tensor.min() >= 0 for tensor in decode_weights(first[0]).values())


def test_importances_of_two_sets_of_cases_are_weighed_by_their_numbers():
    own, before = encode_weights({"w": torch.tensor([4.0])}), encode_weights({"w": torch.tensor([1.0]), "old": torch.tensor([3.0])})
    mixed = decode_weights(merged(own, 1, before, 2))
    assert mixed["w"].item() == pytest.approx(2.0)
    assert mixed["old"].item() == pytest.approx(2.0)


def run_of(recipe, cases, folder, report=go_on, *, kept=True):
    initial = encode_weights(build_network(recipe, seed=3).state_dict())
    importance = encode_weights({name: torch.rand(t.shape) for name, t in seeded(recipe)}) if kept else b""
    anchor = Anchor(recipe.classes, (importance,)) if kept else None
    return TrainingRun(recipe, cases, [], folder, report, (initial,), anchor=anchor)


def seeded(recipe):
    torch.manual_seed(0)
    return build_network(recipe, seed=3).named_parameters()


def test_a_stopped_training_that_keeps_goes_on_bit_for_bit(recipe_2d, pictures, tmp_path):
    recipe = dataclasses.replace(recipe_2d, ewc=1.0, distillation=1.0, steps=6)
    whole = train_members(run_of(recipe, pictures, tmp_path / "whole"))
    for stop in (1, 4):
        with pytest.raises(CancelledError):
            train_members(run_of(recipe, pictures, tmp_path / "parts", lambda p, stop=stop: p.step != stop))
    with pytest.raises(ConflictError):
        train_members(run_of(recipe, pictures, tmp_path / "parts", kept=False))
    parts = train_members(run_of(recipe, pictures, tmp_path / "parts"))
    assert parts.weights[0].read_bytes() == whole.weights[0].read_bytes()


def distance(trained, initial):
    after, before = decode_weights(trained.weights[0].read_bytes()), decode_weights(initial)
    return float(np.sqrt(sum(float((after[n] - before[n]).square().sum()) for n in after)))


def test_the_stronger_the_weights_are_held_the_less_they_move(recipe_2d, pictures, tmp_path):
    initial = encode_weights(build_network(recipe_2d, seed=3).state_dict())
    even = encode_weights({name: torch.ones_like(t) for name, t in build_network(recipe_2d, seed=3).named_parameters()})
    moved = []
    for strength in (0.0, 1.0, 100.0):
        recipe = dataclasses.replace(recipe_2d, ewc=strength, steps=20, ema_decay=0.0)
        run = TrainingRun(recipe, pictures, [], tmp_path / f"{strength}", go_on, (initial,), anchor=Anchor(3, (even,)))
        moved.append(distance(train_members(run), initial))
    assert moved[0] > 1.5 * moved[1] > 1.5 * moved[2]


def test_without_strengths_an_anchor_changes_no_weight(recipe_2d, pictures, tmp_path):
    plain = run_of(recipe_2d, pictures, tmp_path / "plain", kept=False)
    anchored = dataclasses.replace(run_of(recipe_2d, pictures, tmp_path / "anchored"), initial=plain.initial)
    assert train_members(plain).weights[0].read_bytes() == train_members(anchored).weights[0].read_bytes()
    assert train(recipe_2d, pictures, [], tmp_path / "fresh", report=go_on).weights
