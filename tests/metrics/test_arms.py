"""Two arms of work: the ratio of mean efforts, standardised over who worked, with an interval where there are cases enough."""

import numpy as np
import pytest

from medloop.core.errors import ShapeError
from medloop.metrics.arms import ArmsRatio, compare_arms


def compared(values: list[float], newer: list[bool], people: list[str] | None = None) -> ArmsRatio:
    return compare_arms(values, newer, people or ["Ann"] * len(values), np.random.default_rng(0))


def test_the_ratio_of_one_person_is_that_of_the_means() -> None:
    found = compared([10.0, 20.0, 30.0, 50.0], [True, True, False, False])
    assert (found.newer, found.older, found.cases) == (15.0, 40.0, (2, 2))
    assert found.ratio == pytest.approx(15 / 40)
    assert found.text == "0.38 times that of the model in use; too few cases for an interval (at least 12 in each arm)"


def test_a_slow_person_who_worked_mostly_in_one_arm_does_not_look_like_the_model() -> None:
    fast, slow = [10.0] * 4 + [10.0] * 12, [100.0] * 12 + [100.0] * 4
    newer = [True] * 4 + [False] * 12 + [True] * 12 + [False] * 4
    found = compared(fast + slow, newer, ["Ann"] * 16 + ["Bob"] * 16)
    assert found.ratio == pytest.approx(1.0)
    assert found.newer == 100.0


def test_the_interval_holds_the_true_ratio_about_as_often_as_it_says() -> None:
    held = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        newer = rng.permutation(np.arange(120) < 40)
        values = np.exp(0.8 * rng.standard_normal(120)) * np.where(newer, 0.7, 1.0)
        found = compare_arms(values.tolist(), newer.tolist(), ["Ann"] * 120, rng)
        assert found.low is not None
        assert found.high is not None
        held += found.low <= 0.7 <= found.high
    assert held >= 52


@pytest.mark.parametrize(
    ("values", "newer", "people", "note"),
    [
        ([], [], [], "0 cases of the candidate, 0 of the model in use"),
        ([1.0], [True], ["Ann"], "1 case of the candidate, 0 of the model in use"),
        ([0.0, 1.0], [True, False], ["Ann", "Ann"], "nothing was changed in one of the arms"),
    ],
)
def test_what_cannot_be_compared_says_why(values: list[float], newer: list[bool], people: list[str], note: str) -> None:
    found = compared(values, newer, people)
    assert (found.ratio, found.note) == (None, note)
    assert found.text == f"cannot be compared: {note}"


def test_equal_efforts_have_no_interval_and_lengths_must_agree() -> None:
    assert compared([5.0] * 30, [True, False] * 15).note == "the efforts do not vary enough for an interval"
    with pytest.raises(ShapeError):
        compared([1.0, 2.0], [True])
