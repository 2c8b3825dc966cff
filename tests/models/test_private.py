"""Differentially private steps: by hand, what they cost by Opacus, and the networks and losses that they refuse."""

import dataclasses
import math

import numpy as np
import pytest
import torch
from torch import nn

from medloop.core.errors import SettingError
from medloop.models.foundation.checkpoint import decode_weights, encode_weights
from medloop.models.foundation.networks import build_network
from medloop.models.training.batches import prepare_cases
from medloop.models.training.private import Private, draw_privately, epsilon_of, noise_for, private_gradient, require_private
from medloop.models.training.train import TrainingRun, train_members


def test_each_patients_gradient_is_clipped_by_itself_and_their_sum_divided_by_how_many_are_expected():
    layer = nn.Linear(2, 1, bias=False)
    losses = [lambda row=row: layer(torch.tensor(row)).sum() for row in ([3.0, 4.0], [0.3, 0.4])]
    private_gradient(layer, losses, Private(0.0, 1.0, ((0,), (1,))), expected=2.0)
    assert layer.weight.grad.tolist()[0] == pytest.approx([(0.6 + 0.3) / 2, (0.8 + 0.4) / 2])


def test_noise_has_the_stated_size_also_where_nobody_was_drawn():
    layer = nn.Linear(4000, 1, bias=False)
    assert math.isnan(private_gradient(layer, [], Private(2.0, 3.0, ((0,),)), expected=4.0))
    assert layer.weight.grad.std().item() == pytest.approx(2.0 * 3.0 / 4.0, rel=0.05)


def test_the_cost_is_that_of_opacus_and_falls_with_noise():
    assert epsilon_of(0.0, 0.1, 10, 1e-5) == math.inf
    assert epsilon_of(2.0, 0.1, 100, 1e-5) < epsilon_of(1.0, 0.1, 100, 1e-5) < epsilon_of(1.0, 0.1, 200, 1e-5)
    noise = noise_for(3.0, 0.05, 200, 1e-5)
    assert 2.9 < epsilon_of(noise, 0.05, 200, 1e-5) <= 3.001
    whole = epsilon_of(4.0, 1.0, 1, 1e-5)  # without sampling: near the Gaussian mechanism, sqrt(2 ln(1.25 / δ)) / σ
    assert whole == pytest.approx(math.sqrt(2 * math.log(1.25e5)) / 4.0, rel=0.25)


def test_patients_are_drawn_by_themselves_with_one_case_each(recipe_3d, volumes, tmp_path):
    cases = prepare_cases(recipe_3d, volumes[:2], tmp_path)
    private = Private(1.0, 1.0, ((0, 1),) * 40)
    counts = [len(draw_privately(recipe_3d, cases, private, member=0)) for _ in range(30)]
    assert np.mean(counts) == pytest.approx(recipe_3d.batch, abs=1.0)
    assert len(set(counts)) > 1, "how many are drawn varies, as the accountant takes it"


def test_batch_normalisation_and_losses_that_look_at_other_cases_are_refused(recipe_3d):
    require_private(recipe_3d, build_network(recipe_3d, seed=0))
    with pytest.raises(SettingError, match=r"no batch normalisation.*use group or instance"):
        require_private(recipe_3d, nn.Sequential(nn.Conv2d(1, 1, 1), nn.BatchNorm2d(1)))
    with pytest.raises(SettingError, match="needs robust none or robust-loss, got small-loss"):
        require_private(dataclasses.replace(recipe_3d, robust="small-loss"), nn.Identity())


def test_a_private_training_learns_by_the_one_loop_and_is_never_the_same_twice(recipe_3d, volumes, tmp_path):
    recipe = dataclasses.replace(recipe_3d, steps=3, members=1)
    initial = encode_weights(build_network(recipe, seed=1).state_dict())
    found = []
    for name in ("a", "b"):
        run = TrainingRun(recipe, volumes[:2], (), tmp_path / name, lambda _: True, (initial,), private=Private(1.0, 1.0, ((0,), (1,))))
        found.append(decode_weights(train_members(run).weights[0].read_bytes()))
    name = next(iter(found[0]))
    assert not torch.equal(found[0][name], decode_weights(initial)[name])
    assert not torch.equal(found[0][name], found[1][name])
    assert all(torch.isfinite(tensor).all() for tensor in found[0].values())
