import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ttest_rel

from medloop.core.errors import ShapeError
from medloop.metrics.succession import FEWEST_PATIENTS, RESOLUTION, Comparison, compare

PATIENTS = [f"p{n}" for n in range(12)]


def test_a_model_that_lost_on_all_twelve_cases_is_worse() -> None:
    older = np.full(12, 0.986)
    newer = older - 0.058 + 0.01 * np.sin(np.arange(12))
    found = compare(newer, older, PATIENTS, with_index=1, source="test cases")
    assert found.verdict == "worse"
    assert found.high is not None
    assert found.high < 0
    assert found.text.startswith("-0.05")
    assert "against model 1 on 12 patients (test cases)" in found.text


def test_the_interval_is_that_of_the_paired_t_test() -> None:
    rng = np.random.default_rng(1)
    older, newer = rng.normal(0.8, 0.1, 12), rng.normal(0.82, 0.1, 12)
    found = compare(newer, older, PATIENTS, with_index=1, source="test cases")
    wanted = ttest_rel(newer, older).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((wanted.low, wanted.high))


@pytest.mark.parametrize("patients", range(1, FEWEST_PATIENTS))
def test_too_few_patients_get_no_interval_and_no_verdict(patients: int) -> None:
    found = compare(np.zeros(patients), np.ones(patients), PATIENTS[:patients], with_index=3, source="audit cases")
    assert (found.low, found.high, found.verdict) == (None, None, "too few patients")
    assert f"on {patients} patient{'s' if patients > 1 else ''} (audit cases); too few patients" in found.text


def test_cases_of_one_patient_count_once() -> None:
    found = compare(np.zeros(24), np.ones(24), ["a", "b"] * 12, with_index=1, source="test cases")
    assert (found.patients, found.verdict) == (2, "too few patients")


def test_equal_differences_are_not_taken_for_certainty() -> None:
    tiny = compare(np.full(12, 0.8 - RESOLUTION / 4), np.full(12, 0.8), PATIENTS, with_index=1, source="test cases")
    same = compare(np.full(12, 0.8), np.full(12, 0.8), PATIENTS, with_index=1, source="test cases")
    assert (tiny.verdict, same.verdict) == ("no difference shown", "no difference shown")
    assert compare(np.zeros(12), np.ones(12), PATIENTS, with_index=1, source="test cases").verdict == "worse"


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=FEWEST_PATIENTS, max_size=20))
def test_what_is_worse_one_way_is_better_the_other_way(pairs: list[tuple[float, float]]) -> None:
    a, b = np.array(pairs).T
    names = [str(n) for n in range(len(a))]
    forth, back = (compare(x, y, names, with_index=1, source="test cases") for x, y in ((a, b), (b, a)))
    mirrored = {"worse": "better", "better": "worse"}
    assert mirrored.get(forth.verdict, forth.verdict) == back.verdict
    assert Comparison.from_json(forth.to_json()) == forth


@pytest.mark.parametrize("patients", [FEWEST_PATIENTS, 12, 40])
def test_the_interval_covers_the_true_difference_at_the_fewest_patients_already(patients: int) -> None:
    rng, covered, wrongly_worse, runs = np.random.default_rng(patients), 0, 0, 2000
    names = [str(n) for n in range(patients)]
    for _ in range(runs):
        difference = 0.1 * (rng.beta(8, 2, patients) - rng.beta(8, 2, patients))  # scores are skewed: most good, few bad
        found = compare(0.8 + difference, np.full(patients, 0.8), names, with_index=1, source="test cases")
        assert found.low is not None
        assert found.high is not None
        covered += found.low <= 0.0 <= found.high
        wrongly_worse += found.verdict == "worse"
    assert covered / runs >= 0.92
    assert wrongly_worse / runs <= 0.04


def test_other_cases_on_the_two_sides_are_refused() -> None:
    with pytest.raises(ShapeError, match="same cases on both sides"):
        compare(np.zeros(3), np.zeros(4), ["a", "b", "c"], with_index=1, source="test cases")
