"""Where scikit-activeml has the same exact algorithm, picks agree with it index by index.

baal asks for jupyter and batchbald_redux for torchvision, so these two are compared in benchmarks/selection.py only.
"""

import numpy as np
import pytest
import skactiveml.pool as pool

from medloop.query.diversity.covering import cover
from medloop.query.diversity.kcentre import k_centre
from medloop.query.diversity.similarities import Ball, Gaussian
from medloop.query.scores import entropy, least_confidence, margin, mutual_information, variation_ratio, vote_entropy
from medloop.query.strategies import Pool, strategy
from medloop.query.uncertainty.batchbald import batchbald

CASES, CLASSES, SAMPLES, COUNT = 400, 4, 5, 25
SEEDS = range(3)


def _probabilities(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).dirichlet(np.full(CLASSES, 0.7), CASES)


def _samples(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).dirichlet(np.full(CLASSES, 0.7), (SAMPLES, CASES))


def _features(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(8, 6))[rng.integers(8, size=CASES)] * 3 + rng.normal(size=(CASES, 6))


def _picked(name: str, values: np.ndarray) -> list[int]:
    case_ids = tuple(f"{n:06d}" for n in range(len(values)))
    picks = strategy(name).select(Pool(case_ids, {name: values}, None, None), COUNT, np.random.default_rng(0))
    return [pick.index for pick in picks]


def _highest(values: np.ndarray, count: int = COUNT) -> list[int]:
    return np.argsort(-values, kind="stable")[:count].tolist()


@pytest.mark.parametrize("seed", SEEDS)
def test_entropy_margin_and_least_confidence(seed):
    p = _probabilities(seed)
    assert _picked("entropy", entropy(p)) == _highest(pool.uncertainty_scores(p, method="entropy"))
    assert _picked("margin", margin(p)) == _highest(pool.uncertainty_scores(p, method="margin_sampling"))
    assert _highest(least_confidence(p)) == _highest(pool.uncertainty_scores(p, method="least_confident"))


@pytest.mark.parametrize("seed", SEEDS)
def test_bald_is_the_mean_divergence_from_the_committee(seed):
    samples = _samples(seed)
    assert _picked("bald", mutual_information(samples)) == _highest(pool.average_kl_divergence(samples))


@pytest.mark.parametrize("seed", SEEDS)
def test_vote_entropy_and_variation_ratios(seed):
    samples = _samples(seed)
    votes = samples.argmax(axis=2).T
    np.testing.assert_allclose(vote_entropy(samples), pool.vote_entropy(votes, classes=np.arange(CLASSES)), atol=1e-9)
    np.testing.assert_allclose(variation_ratio(samples), pool.variation_ratios(votes), atol=1e-9)


@pytest.mark.parametrize("seed", SEEDS)
def test_batchbald_while_all_configurations_are_counted(seed):
    samples, count = _samples(seed)[:, :60], 4
    utilities = pool.batch_bald(samples, batch_size=count, n_MC_samples=CLASSES**count, random_state=0)
    theirs = [int(np.nanargmax(row)) for row in np.atleast_2d(utilities)]
    ours = batchbald(samples, count, np.random.default_rng(0), configurations=CLASSES**count)
    assert list(ours.indices) == theirs


@pytest.mark.parametrize("seed", SEEDS)
def test_k_centre(seed):
    features, answered = _features(seed), np.arange(0, CASES, 40)
    labels = np.full(CASES, np.nan)
    labels[answered] = 0
    theirs, _ = pool.k_greedy_center(features, labels, batch_size=COUNT, random_state=0)
    open_cases = np.setdiff1d(np.arange(CASES), answered)
    ours = k_centre(features[open_cases], features[answered], COUNT)
    assert open_cases[ours].tolist() == theirs.tolist()


@pytest.mark.filterwarnings("ignore:The maximum purity was -1")  # it says so of every radius that is given
@pytest.mark.parametrize("seed", SEEDS)
def test_probcover_gains(seed):
    """Its ties are broken at random, so every pick of ours must be one of its best at that moment."""
    features, radius = _features(seed), 2.0
    for step, pick in enumerate(ours := cover(features, Ball(radius), 12)):
        labels = np.full(CASES, np.nan)
        labels[ours[:step]] = 0
        strategy = pool.ProbCover(n_classes=CLASSES, deltas=[radius], random_state=0)
        _, utilities = strategy.query(features, labels, batch_size=1, return_utilities=True, update=True)
        assert utilities[0][pick] == np.nanmax(utilities[0])


@pytest.mark.parametrize("seed", SEEDS)
def test_max_herding(seed):
    features, width = _features(seed), 2.0
    strategy = pool.MaxHerding(normalize_samples=False, metric="rbf", metric_dict={"gamma": 1 / width**2}, random_state=0)
    theirs = strategy.query(features, np.full(CASES, np.nan), batch_size=COUNT)
    assert cover(features, Gaussian(width), COUNT) == theirs.tolist()
