"""Everything said of a study's runs: never a winner by luck."""

import pytest

from medloop.simulation.strategy_summary import summarise_strategy
from medloop.simulation.summary import summarise

from .made_up_runs import PATIENTS, POOL, curve, plain, runs


def test_a_clear_lead_is_called_one():
    summary = summarise(runs(("good", 0.1, 0.001), ("plain", 0.0, 0.001)), {0: 0.9, 1: 0.9, 2: 0.9}, PATIENTS, POOL)
    lead = summary.comparisons[0]
    assert lead.significant
    assert lead.difference.mean == pytest.approx(0.1, abs=0.005)  # gains 0, .1, .2: mean height .1
    assert summary.verdict.startswith("good has the highest area")


def test_equal_strategies_have_no_winner():
    summary = summarise(runs(("one", 0.0, 0.02), ("two", 0.0, 0.02), ("three", 0.0, 0.02)), {}, PATIENTS, POOL)
    assert summary.verdict.startswith("No winner")
    assert not any(c.significant for c in summary.comparisons)


@pytest.mark.parametrize("seeds", [1, 2])
def test_too_few_seeds_never_make_a_winner(seeds):
    summary = summarise(runs(("good", 0.2, 0.0), ("plain", 0.0, 0.0), seeds=seeds), {}, PATIENTS, POOL)
    words = "1 seed" if seeds == 1 else "2 seeds"
    assert summary.verdict == f"No winner: luck and merit cannot be distinguished (no interval: {words}, at least 3 needed)."


def test_an_unfinished_study_compares_equal_seeds_only():
    easy = [curve("b", seed, 0.3, 0.02) for seed in (3, 4)]  # seeds that only b has finished
    some = runs(("a", 0.0, 0.02), ("b", 0.0, 0.02))
    summary, equal = (summarise(own, {}, PATIENTS, POOL) for own in ([*some, *easy], some))
    assert summary.seeds == (0, 1, 2)
    assert [s.seeds for s in summary.strategies] == [3, 3]
    assert summary == equal


def test_strategies_without_a_common_seed_are_not_compared():
    summary = summarise([curve("a", 0), curve("b", 1)], {}, PATIENTS, POOL)
    assert (summary.comparisons, summary.verdict) == ((), "No winner: no seed was finished by two strategies.")


def test_one_strategy_alone_is_not_compared():
    assert summarise(runs(("a", 0.0, 0.0)), {}, PATIENTS, POOL).verdict == "One strategy alone cannot be compared."


def test_equal_input_gives_equal_statistics():
    some = runs(("a", 0.1, 0.02), ("b", 0.0, 0.02))
    assert summarise(some, {0: 0.7}, PATIENTS, POOL) == summarise(some, {0: 0.7}, PATIENTS, POOL)


def test_area_and_final_score_worked_out_by_hand():
    own = [plain("a", 0, 0.4, 0.6, 0.8), plain("a", 1, 0.6, 0.8, 1.0)]
    found = summarise_strategy("a", own, {0: 0.9, 1: 1.1}, POOL)
    assert (found.area.mean, found.final.mean) == pytest.approx((0.7, 0.9))
    assert (found.final.low, found.final.note) == (None, "no interval: 2 seeds, at least 3 needed")
    assert found.area_of_full is not None
    assert found.area_of_full.mean == pytest.approx(0.7)


def test_without_a_full_data_score_nothing_is_said_of_it():
    found = summarise_strategy("a", [plain("a", 0, 0.4, 0.6)], {}, POOL)
    assert (found.area_of_full, found.labels_to, found.foreground.rate) == (None, {}, None)
