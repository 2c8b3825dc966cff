"""The study of equal hours: seeded, its piles wrong as the uncertainty says, and its log read as a project's is."""

import numpy as np
import pytest

import equal_hours as study
from medloop.core.seeds import generator


def test_uncertainty_says_how_much_is_wrong_on_average() -> None:
    cases = [study.volume(generator(seed, "test"), 1.0) for seed in range(40)]
    wrong, expected = sum(one.wrong() for one in cases), sum(float(one.chances.sum()) for one in cases)
    assert expected == pytest.approx(wrong, rel=0.35)
    sure = sum(float(study.volume(generator(seed, "test"), 2.0).chances.sum()) for seed in range(40))
    assert sure < 0.7 * expected


def test_an_expert_sets_right_what_is_noticeable_and_the_log_says_what_it_took() -> None:
    one, expert = study.volume(generator(0, "test"), 1.0), study.Expert(generator(0, "times"))
    before = one.wrong()
    box = (slice(0, 12), slice(None), slice(0, 4))
    seconds = [expert.part("regions", one, [box]) for _ in range(study.FEWEST)]
    assert one.known[box].all()
    assert not one.known[12:].any()
    assert 0 < study.costs_of(expert.log).part["regions"] <= max(seconds)
    assert "slices" not in study.costs_of(expert.log).part
    assert expert.whole(one) > 0
    assert one.finished
    assert one.wrong() < 0.2 * before


def test_equal_seeds_spend_equal_hours_alike_and_more_hours_set_more_right() -> None:
    first, again = (study.spend("benefit alone", 1.0, 3) for _ in range(2))
    assert first == again
    assert 0 <= first[0] <= first[1] <= first[2] <= 1


def test_hard_cases_get_the_long_times_of_the_same_log() -> None:
    rng = generator(0, "test")
    log = study.cost_model.simulate(rng, study.cost_model.SETTINGS[3], np.zeros(1), 200)
    centres = np.array([[-1.0, 0.0], [1.0, 0.0]])
    cases = rng.normal(0, 1, (200, 2))
    later = study._hard_ones_last(log, cases, centres, rng)
    assert sorted(later.seconds) == sorted(log.seconds)
    between = np.abs(cases[:, 0]) < np.median(np.abs(cases[:, 0]))
    assert np.median(later.seconds[between]) > np.median(later.seconds[~between])
