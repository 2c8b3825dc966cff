"""Pairs of strategies: paired over what both have, adjusted for all pairs, wide when seeds disagree."""

import numpy as np
import pytest

from medloop.simulation.comparisons import compare, two_way_interval
from medloop.simulation.curves import by_strategy

from .made_up_runs import CASES, PATIENTS, curve, runs


def test_holm_counts_all_pairs():
    pairs = compare(by_strategy(runs(("a", 0.01, 0.02), ("b", 0.0, 0.02), ("c", 0.0, 0.02))), PATIENTS)
    assert len(pairs) == 3
    assert all(c.p_holm >= c.p for c in pairs)


def test_only_seeds_both_have_are_compared():
    some = [*runs(("a", 0.1, 0.0), seeds=3), *runs(("b", 0.0, 0.0), seeds=1)]
    pairs = compare({"a": some[:3], "b": some[3:]}, PATIENTS)
    assert pairs[0].difference.groups == len(CASES)
    assert compare({"a": some[:1], "b": [curve("b", 9)]}, PATIENTS) == ()


def test_the_two_way_interval_is_wide_when_seeds_disagree():
    agree, disagree = np.full((3, 20), 0.01), np.repeat([[-0.05], [0.01], [0.07]], 20, axis=1)
    narrow, wide = (two_way_interval(t, np.random.default_rng(0)) for t in (agree, disagree))
    assert (narrow.low, narrow.high) == pytest.approx((0.01, 0.01))
    assert wide.low < 0 < wide.high
