import dataclasses

import numpy as np
import pytest
import torch

from medloop.models.foundation.checkpoint import encode_weights
from medloop.models.foundation.heads import Heads, log_mean, split_heads
from medloop.models.foundation.networks import build_network
from medloop.models.inference.predict import Predictor
from medloop.models.inference.uncertainty import OnePass
from medloop.models.training.train import train


@pytest.fixture
def recipe_heads(recipe_folded):
    return dataclasses.replace(recipe_folded, heads=3)


def test_the_mean_of_two_heads_by_hand():
    logits = torch.log(torch.tensor([[0.9, 0.1, 0.5, 0.5]]))
    assert split_heads(logits, 2).exp().flatten().tolist() == pytest.approx([0.9, 0.1, 0.5, 0.5])
    assert log_mean(logits, 2).exp().flatten().tolist() == pytest.approx([0.7, 0.3])


def test_one_pass_gives_a_sample_per_head_and_their_mean_is_the_networks_answer(recipe_heads, volumes):
    image, _ = volumes[0].load()
    network = build_network(recipe_heads, seed=0).eval()
    predictor = Predictor.load(recipe_heads, [encode_weights(network.state_dict())], sampler=OnePass())
    answer = predictor.predict(image, samples=1, rng=np.random.default_rng(0))
    assert answer.samples.shape == (3, 3, *image.grid.shape)
    assert len({sample.tobytes() for sample in answer.samples}) == 3
    heads = torch.from_numpy(answer.samples).log().flatten(0, 1)[None]
    with torch.no_grad():
        own = log_mean(heads, 3).exp()[0].numpy()
    np.testing.assert_allclose(answer.probabilities, own, atol=1e-5)


def test_flips_multiply_the_heads(recipe_heads, volumes):
    image, _ = volumes[0].load()
    predictor = Predictor.load(recipe_heads, [encode_weights(build_network(recipe_heads, seed=0).state_dict())])
    assert len(predictor.predict(image, samples=6, rng=np.random.default_rng(0)).samples) == 6
    assert len(predictor.predict(image, samples=2, rng=np.random.default_rng(0)).samples) == 3


def test_in_training_each_item_goes_through_one_head_alone():
    torch.manual_seed(0)
    heads = Heads(2, 4, 2, 3).train()
    features = torch.randn(8, 4, 5, 5)
    every = split_heads(heads.every(features), 3)
    torch.manual_seed(1)
    answer = heads(features)
    chosen = [next(h for h in range(3) if torch.allclose(answer[n], every[n, h], atol=1e-6)) for n in range(8)]
    assert len(set(chosen)) == 3
    answer[:1].sum().backward()
    touched = [any(p.grad is not None and p.grad.abs().sum() > 0 for p in head.parameters()) for head in heads.heads]
    assert touched == [h == chosen[0] for h in range(3)]


def test_a_network_with_heads_trains_to_the_same_weights_again(recipe_heads, volumes, tmp_path):
    short = dataclasses.replace(recipe_heads, steps=3)
    files = [train(short, volumes, volumes[:1], tmp_path / name, report=lambda _: True).weights[0] for name in "ab"]
    assert files[0].read_bytes() == files[1].read_bytes()
    image, _ = volumes[0].load()
    answer = Predictor.load(short, [files[0].read_bytes()]).predict(image, samples=3, rng=np.random.default_rng(0))
    assert np.isfinite(answer.samples).all()
