"""Learning without answers: the small networks on thumbnails."""

import numpy as np
import pytest
import torch

from medloop.core.errors import FormatError, InputError, SettingError, ShapeError
from medloop.images.phantoms import phantom_3d
from medloop.models.foundation.checkpoint import decode_weights
from medloop.models.pretext.discriminator import unlabelled_probability
from medloop.models.pretext.latent import (
    DIMENSIONS,
    LatentRecipe,
    encode_latent,
    kl_divergence,
    mean_discrepancy,
    train_latent,
)
from medloop.models.pretext.learning_loss import predicted_losses, ranking_loss
from medloop.models.pretext.networks import draw_cases
from medloop.models.pretext.selfsup import ContrastRecipe, contrast_loss, embed, train_selfsup
from medloop.models.pretext.thumbnails import SIDE, thumbnail


@pytest.fixture(scope="module")
def thumbnails() -> np.ndarray:
    """Eight cases of two looks: phantoms, and the same turned over with inverted contrast."""
    views = np.stack([thumbnail(phantom_3d(n, shape=(24, 24, 16)).image) for n in range(4)])
    return np.concatenate([views, -views[:, ::-1].copy()])


@pytest.fixture(scope="module")
def latent_weights(thumbnails: np.ndarray) -> bytes:
    return train_latent(thumbnails, LatentRecipe(steps=120, batch=8, seed=4))


def test_a_contrast_of_two_pairs_by_hand() -> None:
    rows = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.0, 1.0]])
    expected = -np.log(np.e / (np.e + 2.0))
    assert float(contrast_loss(rows, 1.0)) == pytest.approx(expected, rel=1e-6)


def test_the_contrast_loss_is_that_of_a_loop() -> None:
    rows = np.random.default_rng(0).normal(size=(10, 4))
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    total = 0.0
    for n in range(10):
        similar = np.exp([unit[n] @ unit[m] / 0.3 for m in range(10)])
        total -= np.log(similar[(n + 5) % 10] / (similar.sum() - similar[n]))
    assert float(contrast_loss(torch.from_numpy(rows), 0.3)) == pytest.approx(total / 10, rel=1e-6)


def test_self_supervision_repeats_itself_lowers_its_loss_and_gives_unit_features(thumbnails: np.ndarray) -> None:
    losses: list[float] = []
    recipe = ContrastRecipe(steps=30, batch=8, seed=3)
    weights = train_selfsup(thumbnails, recipe, report=lambda _, loss: losses.append(loss))
    short = (train_selfsup(thumbnails, ContrastRecipe(steps=3, batch=8, seed=seed)) for seed in (3, 3, 4))
    assert len(set(short)) == 2
    assert np.mean(losses[-5:]) < np.mean(losses[:5])
    features = embed(weights, thumbnails)
    assert features.shape == (8, 64)
    np.testing.assert_allclose(np.linalg.norm(features, axis=1), 1.0, rtol=1e-5)
    np.testing.assert_array_equal(features[2:3], embed(weights, thumbnails)[2:3])


def test_the_global_generator_is_left_where_it_was(thumbnails: np.ndarray) -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    train_selfsup(thumbnails, ContrastRecipe(steps=1, batch=4))
    assert torch.equal(before, torch.get_rng_state())


def test_a_batch_is_a_function_of_seed_and_step() -> None:
    assert draw_cases(10, 4, seed=1, step=7).tolist() == draw_cases(10, 4, seed=1, step=7).tolist()
    assert len(set(draw_cases(10, 32, seed=1, step=0).tolist())) == 10


@pytest.mark.parametrize("train", [lambda t: train_selfsup(t, ContrastRecipe(steps=1)), lambda t: train_latent(t, LatentRecipe(steps=1))])
def test_what_cannot_be_learned_from_is_refused(train) -> None:
    with pytest.raises(InputError, match="at least 4 cases, got 2"):
        train(np.zeros((2, 3, SIDE, SIDE), dtype=np.float32))
    with pytest.raises(ShapeError, match="shape"):
        train(np.zeros((8, 1, SIDE, SIDE), dtype=np.float32))
    with pytest.raises(InputError, match="finite"):
        train(np.full((8, 3, SIDE, SIDE), np.nan, dtype=np.float32))


def test_blank_cases_are_learned_from_without_harm() -> None:
    blank = np.zeros((5, 3, SIDE, SIDE), dtype=np.float32)
    assert np.isfinite(embed(train_selfsup(blank, ContrastRecipe(steps=2)), blank)).all()
    assert np.isfinite(encode_latent(train_latent(blank, LatentRecipe(steps=2)), blank)).all()


def test_kl_of_a_standard_normal_is_zero_and_of_a_shifted_one_half_its_square() -> None:
    zeros = torch.zeros(3, 2)
    assert float(kl_divergence(zeros, zeros)) == 0.0
    assert float(kl_divergence(zeros + torch.tensor([3.0, 0.0]), zeros)) == pytest.approx(4.5)


def test_the_mean_discrepancy_is_that_of_a_loop_and_zero_for_equal_samples() -> None:
    rng = np.random.default_rng(2)
    a, b = rng.normal(size=(5, 3)), rng.normal(1.0, 1.0, size=(4, 3))

    def kernel(x: np.ndarray, y: np.ndarray) -> float:
        return float(np.mean([[np.exp(-((p - q) ** 2).sum() / 6) for q in y] for p in x]))

    expected = kernel(a, a) + kernel(b, b) - 2 * kernel(a, b)
    assert float(mean_discrepancy(torch.from_numpy(a), torch.from_numpy(b))) == pytest.approx(expected)
    assert float(mean_discrepancy(torch.from_numpy(a), torch.from_numpy(a))) == pytest.approx(0.0, abs=1e-12)


def test_latent_training_repeats_itself(thumbnails: np.ndarray) -> None:
    first, again = (train_latent(thumbnails, LatentRecipe(steps=5, batch=8, seed=4)) for _ in range(2))
    assert first == again
    assert first != train_latent(thumbnails, LatentRecipe(steps=5, batch=8, seed=5))
    assert encode_latent(again, thumbnails).shape == (8, DIMENSIONS)
    assert all(t.isfinite().all() for t in decode_weights(again).values())


def test_foreign_weights_are_refused(thumbnails: np.ndarray, latent_weights: bytes) -> None:
    with pytest.raises(FormatError):
        embed(b"no weights", thumbnails)
    with pytest.raises(InputError, match="do not belong"):
        embed(latent_weights, thumbnails)


@pytest.mark.parametrize("make", [lambda: ContrastRecipe(batch=1), lambda: LatentRecipe(steps=0)])
def test_recipes_outside_their_ranges_are_refused(make) -> None:
    with pytest.raises(SettingError):
        make()


def test_codes_far_from_everything_answered_look_unanswered() -> None:
    rng = np.random.default_rng(1)
    labelled = rng.normal(-2, 0.3, size=(20, 4))
    near, far = rng.normal(-2, 0.3, size=(20, 4)), rng.normal(2, 0.3, size=(20, 4))
    scores = unlabelled_probability(np.concatenate([near, far]), labelled, seed=0)
    assert scores[20:].min() > scores[:20].max()
    assert ((scores >= 0) & (scores <= 1)).all()
    np.testing.assert_array_equal(scores, unlabelled_probability(np.concatenate([near, far]), labelled, seed=0))


def test_without_answers_everything_is_unanswered() -> None:
    assert unlabelled_probability(np.zeros((3, 2)), np.zeros((0, 2)), seed=0).tolist() == [1.0, 1.0, 1.0]
    assert unlabelled_probability(np.zeros((0, 2)), np.zeros((3, 2)), seed=0).tolist() == []


def test_equal_codes_are_a_toss_up() -> None:
    np.testing.assert_allclose(unlabelled_probability(np.ones((3, 2)), np.ones((9, 2)), seed=0), 0.5, atol=0.05)


def test_the_ranking_loss_by_hand() -> None:
    losses = torch.tensor([3.0, 2.0, 2.0])
    assert float(ranking_loss(torch.tensor([2.0, 0.0, 1.5]), losses)) == pytest.approx((0.0 + 0.5) / 2)
    assert float(ranking_loss(torch.tensor([9.0, 0.0, 5.0]), losses)) == 0.0


def test_expected_losses_follow_the_known_order() -> None:
    rng = np.random.default_rng(3)
    features, others = rng.normal(size=(30, 6)), rng.normal(size=(30, 6))
    found = predicted_losses(features, features[:, 0] + 0.05 * rng.normal(size=30), others, seed=1)
    ranks = [np.argsort(np.argsort(v)) for v in (found, others[:, 0])]
    assert np.corrcoef(*ranks)[0, 1] > 0.7


def test_equal_losses_teach_nothing_and_too_few_are_refused() -> None:
    assert not predicted_losses(np.eye(5), np.ones(5), np.eye(5), seed=0).any()
    with pytest.raises(InputError, match="at least 4 annotated"):
        predicted_losses(np.eye(3), np.arange(3.0), np.eye(3), seed=0)
    with pytest.raises(ShapeError):
        predicted_losses(np.eye(5), np.ones(4), np.eye(5), seed=0)
