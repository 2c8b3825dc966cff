"""Pairs of strategies: paired over what both have, adjusted for all pairs, undecided with few seeds."""

from medloop.simulation.comparisons import compare, compare_settings
from medloop.simulation.curves import by_strategy

from .made_up_runs import ALIKE, CASES, PATIENTS, curve, plain, runs


def test_holm_counts_all_pairs():
    pairs = compare(by_strategy(runs(("a", 0.01, 0.02), ("b", 0.0, 0.02), ("c", 0.0, 0.02))), PATIENTS)
    assert len(pairs) == 3
    assert all(c.p is not None and c.p_holm is not None and c.p_holm >= c.p for c in pairs)


def test_only_seeds_both_have_are_compared():
    some = [*runs(("a", 0.1, 0.0), seeds=3), *runs(("b", 0.0, 0.0), seeds=1)]
    pairs = compare({"a": some[:3], "b": some[3:]}, PATIENTS)
    assert pairs[0].difference.groups == len(CASES)
    assert compare({"a": some[:1], "b": [curve("b", 9)]}, PATIENTS) == ()


def test_two_seeds_decide_nothing_and_say_so():
    found = compare(by_strategy(runs(("a", 0.1, 0.001), ("b", 0.0, 0.001), seeds=2)), PATIENTS)[0]
    assert (found.p, found.p_holm, found.difference.low, found.significant) == (None, None, None, False)
    assert found.difference.note == "no interval: 2 seeds, at least 3 needed"


def test_the_same_gain_in_every_seed_and_patient_is_no_proof():
    found = compare({"a": [plain("a", n, 0.6, 0.7) for n in range(3)], "b": [plain("b", n, 0.5, 0.6) for n in range(3)]}, ALIKE)[0]
    assert found.p is not None
    assert found.p >= 0.25


def test_identical_pairs_have_no_interval_and_say_so():
    found = compare({name: [plain(name, n, 0.5, 0.6) for n in range(3)] for name in "ab"}, ALIKE)[0]
    assert (found.difference.mean, found.difference.low, found.p) == (0.0, None, 1.0)
    assert found.difference.note == "no interval: the pairs are identical"


def test_settings_count_the_same_and_one_that_is_undecided_leaves_all_undecided():
    three, two = (
        {name: [c for c in own if c.seed < n] for name, own in by_strategy(runs(("a", 0.1, 0.02), ("b", 0.0, 0.02))).items()}
        for n in (3, 2)
    )
    both = compare_settings({"x": three, "y": three}, {"x": PATIENTS, "y": PATIENTS})[0]
    assert both.significant
    assert compare_settings({"x": three, "y": two}, {"x": PATIENTS, "y": PATIENTS})[0].p is None
