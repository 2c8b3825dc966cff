"""What the strategies of spread pick from pools small enough to see through."""

from dataclasses import replace

import numpy as np
import pytest

from medloop.query.pool import Pool
from medloop.query.strategies import strategy

ANGLES = np.radians([0, 2, 4, 6, 8, 90, 92, 94, 96, 180])
GROUPS = np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=1)
"""Five, four and one directions."""


def pool(**parts) -> Pool:
    return replace(Pool(tuple("abcdefghij"), {}, GROUPS, None), **parts)


def picked(name: str, given_pool: Pool, count: int, seed: int = 0) -> list[int]:
    return [p.index for p in strategy(name).select(given_pool, count, np.random.default_rng(seed))]


@pytest.mark.parametrize("name", ["facility-location", "maxherding", "typiclust", "representative"])
def test_the_middle_of_the_largest_groups_stand_for_them(name):
    picks = picked(name, pool(), 2)
    assert sorted(n // 5 for n in picks) == [0, 1]
    assert 9 not in picks


def test_a_group_that_is_answered_is_not_asked_again():
    for name in ("facility-location", "maxherding", "probcover", "typiclust"):
        assert picked(name, pool(labelled_features=GROUPS[2:3]), 1)[0] >= 5


def test_representative_asks_the_whole_pool_if_it_must():
    assert sorted(picked("representative", pool(), 10)) == list(range(10))


def test_tcm_asks_typical_cases_early_and_doubtful_ones_later():
    margins = {"margin": np.linspace(0.0, 0.9, 10)}
    assert 9 not in picked("tcm", pool(scores=margins, round=1), 2)
    assert picked("tcm", pool(scores=margins, round=4), 2) == [9, 8]


def test_medal_asks_the_unsure_case_that_is_far_from_the_answers():
    far = pool(scores={"entropy": np.linspace(0.1, 1.0, 10)}, labelled_features=GROUPS[:1])
    assert picked("medal", far, 1) == [9]


def test_badge_tells_the_chance_of_a_draw():
    samples = np.random.default_rng(0).dirichlet(np.ones(3), size=(4, 10))
    first, second = strategy("badge").select(pool(samples=samples), 2, np.random.default_rng(0))
    assert first.probability is None
    assert 0 < second.probability < 1


def test_cdal_asks_for_both_kinds_of_confusion():
    samples = np.array([[[0.5, 0.4, 0.1]] * 5 + [[0.5, 0.1, 0.4]] * 5] * 2)
    assert {n // 5 for n in picked("cdal", pool(samples=samples), 2)} == {0, 1}
