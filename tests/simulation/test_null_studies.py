"""Whole studies of equal strategies, judged by the product's own code: a winner or a significant pair in one of twenty at most."""

import numpy as np
import pytest

from medloop.simulation.curves import Curve
from medloop.simulation.summary import Summary, summarise

from .made_up_runs import POOL

STUDIES = 200
AT_MOST = 0.05 + 3 * np.sqrt(0.05 * 0.95 / STUDIES)  # three standard errors of the simulation


def null_study(rng: np.random.Generator, *, seeds: int, strategies: int, patients: int, tags: bool) -> Summary:
    """Equal strategies: patients differ, trainings have luck, and strategies suit this or that patient by chance."""
    names = [f"p{n}" for n in range(patients)]
    hard = rng.beta(8, 2, patients)
    curves = []
    for strategy in range(strategies):
        suits = 0.02 * rng.normal(size=patients)
        for seed in range(seeds):
            luck = 0.01 * rng.normal(size=(3, 1)) + 0.03 * rng.normal(size=(3, patients))
            scores = np.clip(hard + suits + luck + 0.02 * np.arange(3)[:, None], 0, 1)
            scores = (rng.random(scores.shape) < scores).astype(float) if tags else scores
            per_case = tuple(dict(zip(names, map(float, row), strict=True)) for row in scores)
            curves.append(Curve(f"s{strategy}", seed, (8, 16, 24), tuple(map(float, scores.mean(axis=1))), per_case))
    return summarise(curves, {}, {name: name for name in names}, POOL)


@pytest.mark.parametrize(("seeds", "tags"), [(2, False), (3, False), (3, True), (5, False), (5, True)])
def test_equal_strategies_are_told_apart_in_one_study_of_twenty_at_most(seeds, tags):
    rng = np.random.default_rng(seeds + 10 * tags)
    found = [null_study(rng, seeds=seeds, strategies=4, patients=12, tags=tags) for _ in range(STUDIES)]
    assert np.mean([any(c.significant for c in s.comparisons) for s in found]) <= AT_MOST
    assert np.mean([not s.verdict.startswith("No winner") for s in found]) <= AT_MOST
    assert np.mean([np.any(np.array(s.penalties.wins) > 0) for s in found]) <= AT_MOST
    assert seeds > 2 or all(c.p is None for s in found for c in s.comparisons)


def test_a_real_lead_is_found_with_five_seeds():
    rng = np.random.default_rng(1)
    names = [f"p{n}" for n in range(20)]
    curves = []
    for strategy, lead in (("better", 0.05), ("plain", 0.0)):
        for seed in range(5):
            scores = np.clip(rng.normal(0.7 + lead, 0.03, (3, 20)), 0, 1)
            per_case = tuple(dict(zip(names, map(float, row), strict=True)) for row in scores)
            curves.append(Curve(strategy, seed, (8, 16, 24), tuple(map(float, scores.mean(axis=1))), per_case))
    assert summarise(curves, {}, {n: n for n in names}, POOL).verdict.startswith("better has the highest area")
