"""The gate of a release lets pass what is as good, and stops what is worse anywhere."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from medloop.core.errors import InputError, ShapeError
from medloop.metrics.release import Cost, Gate, Question, judge

PATIENTS = [f"p{n}" for n in range(24)]


def question(differences, patients=None, *, kind="all", name="", margin=0.02) -> Question:
    values = np.asarray(differences, dtype=float)
    return Question(kind, name, values, PATIENTS[: len(values)] if patients is None else patients, margin)


def spread(rng: np.random.Generator, mean: float = 0.0, count: int = 24) -> np.ndarray:
    return rng.normal(mean, 0.02, count)


def test_the_lower_end_is_students_over_patients() -> None:
    values = spread(np.random.default_rng(1))
    found = judge([question(values)], np.random.default_rng(0)).findings[0]
    low = stats.ttest_1samp(values, 0.0, alternative="greater").confidence_interval(0.95).low
    assert found.low == pytest.approx(low, abs=1e-6)
    assert found.difference == pytest.approx(values.mean())


def test_cases_of_one_patient_count_once() -> None:
    values = spread(np.random.default_rng(1), count=12)
    once = judge([question(values)], np.random.default_rng(0)).findings[0]
    thrice = judge([question(np.repeat(values, 3), [p for p in PATIENTS[:12] for _ in range(3)])], np.random.default_rng(0)).findings[0]
    assert (once.low, once.patients) == (pytest.approx(thrice.low), thrice.patients)


def test_a_model_worse_in_one_subgroup_only_is_stopped_and_named() -> None:
    values = spread(np.random.default_rng(2))
    values[:8] -= 0.15
    values[8:] += 0.15
    gate = judge(
        [question(values), question(values[:8], PATIENTS[:8], kind="subgroup", name="scanner A", margin=0.05)], np.random.default_rng(0)
    )
    assert [one.verdict for one in gate.findings] == ["held", "worse"]
    assert not gate.passes
    assert gate.text.startswith("scanner A: -0.1")


def test_few_patients_stop_a_release_but_not_by_a_subgroup() -> None:
    few = judge([question(np.zeros(5))], np.random.default_rng(0))
    assert not few.passes
    assert few.alike is None
    assert few.text == "all cases: +0.000 on 5 patients, too few to judge (at least 6)"
    assert judge([question(np.zeros(24)), question(-np.ones(5), kind="subgroup", name="site B")], np.random.default_rng(0)).passes


def test_differences_without_spread_are_believed_to_half_a_hundredth_only() -> None:
    gate = judge([question(np.zeros(6), margin=0.004)], np.random.default_rng(0))
    assert gate.findings[0].verdict == "not shown"
    assert judge([question(np.zeros(6), margin=0.005)], np.random.default_rng(0)).passes


@pytest.mark.parametrize("patients", [8, 24])
def test_a_model_just_worse_than_allowed_passes_in_five_of_a_hundred(patients: int) -> None:
    rng = np.random.default_rng(3)
    runs = 2000
    passed = sum(stats_low(rng.normal(-0.02, 0.03, patients)) for _ in range(runs)) / runs
    assert passed <= 0.05 + 3 * (0.05 * 0.95 / runs) ** 0.5


def stats_low(values: np.ndarray) -> bool:
    from medloop.metrics.release import _bounds

    return bool(_bounds(values[:, None])[0][0] >= -0.02)


def test_the_chance_that_an_equal_model_passes_is_the_share_of_those_that_do() -> None:
    rng, passed, stated = np.random.default_rng(4), 0, []
    runs = 120
    for _ in range(runs):
        values = spread(rng)
        gate = judge([question(values, margin=0.012), question(values[:10], PATIENTS[:10], kind="label", name="x", margin=0.02)], rng)
        passed += gate.passes
        stated.append(gate.alike)
    rate = passed / runs
    assert abs(np.mean(stated) - rate) < 3 * (rate * (1 - rate) / runs) ** 0.5 + 0.03
    assert 0.5 < rate < 0.98


def test_it_is_read_as_it_was_written() -> None:
    gate = judge([question(spread(np.random.default_rng(5)))], np.random.default_rng(0))
    assert Gate.from_json(gate.to_json()) == gate


def test_a_model_that_takes_too_much_is_stopped_however_good_it_is() -> None:
    gate = replace(
        judge([question(np.zeros(24))], np.random.default_rng(0)), costs=(Cost("seconds", 2.1, 1.0, 2.0), Cost("MB", 2.0, 1.0, 2.0))
    )
    assert not gate.passes
    assert gate.text == "seconds: 2.1 against 1, 2.1 times where 2 are allowed: too much"
    assert Gate.from_json(gate.to_json()) == gate
    assert replace(gate, costs=gate.costs[1:]).passes


def test_what_makes_no_sense_is_refused() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(InputError, match="all cases first"):
        judge([question(np.zeros(6), kind="label", name="x")], rng)
    with pytest.raises(InputError, match="finite"):
        judge([question([0.0, np.nan])], rng)
    with pytest.raises(InputError, match="at least 0"):
        judge([question(np.zeros(6), margin=-0.1)], rng)
    with pytest.raises(ShapeError):
        judge([question(np.zeros(0))], rng)
