import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medloop.core.errors import ShapeError
from medloop.metrics.outlying import conformal_p, fit_distances, is_outside, outside_level


def test_the_p_value_counts_the_held_out_patients_that_lie_as_far() -> None:
    held_out = np.array([[1.0], [2.0], [3.0], [4.0]])
    assert conformal_p(np.array([[0.5], [2.5], [9.0]]), held_out, range(4)).tolist() == [1.0, 0.6, 0.2]


def test_the_cases_of_one_patient_share_one_vote() -> None:
    assert conformal_p(np.array([[2.5]]), np.array([[1.0], [3.0], [3.0]]), "abb").tolist() == pytest.approx([2 / 3])


def test_a_case_far_out_in_one_of_two_ways_is_found() -> None:
    rng = np.random.default_rng(0)
    held_out = np.exp(rng.normal(size=(40, 2)))
    far = np.array([[1.0, 1e6], [1e6, 1.0], [1.0, 1.0]])
    assert is_outside(conformal_p(far, held_out, range(40)), 40).tolist() == [True, True, False]


@given(st.integers(0, 10**6), st.integers(19, 40))
def test_cases_drawn_alike_are_called_outside_as_rarely_as_promised(seed: int, patients: int) -> None:
    rows = np.exp(np.random.default_rng(seed).normal(size=(patients + 1, 2)))
    out = [
        bool(is_outside(conformal_p(rows[n : n + 1], np.delete(rows, n, axis=0), range(patients)), patients)[0])
        for n in range(patients + 1)
    ]
    assert np.mean(out) <= 0.05 + 1e-9, "each of them in turn is the new one: the share over all is exact"


def test_distances_are_in_units_of_the_known_spread() -> None:
    known = np.random.default_rng(0).normal(size=(400, 3)) * [1.0, 10.0, 100.0]
    far = fit_distances(known)
    assert float(far(known).mean()) == pytest.approx(1.0, abs=0.1)
    assert far(np.array([[0.0, 0.0, 1000.0]]))[0] > 5
    assert fit_distances(np.ones((5, 4)))(np.ones((1, 4)))[0] == 0
    with pytest.raises(ShapeError, match="at least two known cases"):
        fit_distances(np.zeros((1, 3)))


def test_with_few_held_out_patients_only_the_farthest_of_all_is_outside() -> None:
    assert (outside_level(9), outside_level(19), outside_level(100)) == (0.1, 0.05, 0.05)
    with pytest.raises(ShapeError, match="do not fit"):
        conformal_p(np.zeros((1, 2)), np.zeros((0, 2)), ())
