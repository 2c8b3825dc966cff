import numpy as np
import pytest

from medloop.core.errors import InputError, ShapeError
from medloop.metrics.two_sample import classifier_test, holm, ks_test, mmd_test, patient_medians, two_sides


def sides(seed: int, shift: float, cases: int = 1):
    rng = np.random.default_rng(seed)
    patients = [n for n in range(36) for _ in range(cases)]
    rows = np.repeat(rng.normal(size=(36, 10)), cases, axis=0) + 0.1 * rng.normal(size=(36 * cases, 10))
    rows[18 * cases :] += shift
    return two_sides(rows[: 18 * cases], rows[18 * cases :], patients[: 18 * cases], patients[18 * cases :])


@pytest.mark.parametrize("test", [mmd_test, classifier_test])
def test_a_shift_is_found_and_chance_is_called_one_in_about_twenty_times(test) -> None:
    def share(shift: float, cases: int) -> float:
        return float(np.mean([test(sides(n, shift, cases), np.random.default_rng(n), permutations=99).p <= 0.05 for n in range(40)]))

    assert share(1.0, 1) == 1.0
    assert share(0.0, 1) <= 0.15
    assert share(0.0, 4) <= 0.15, "four cases of a patient are not four patients"


def test_the_discrepancy_is_that_of_the_paper() -> None:
    found = mmd_test(two_sides(np.array([[0.0], [1.0]]), np.array([[3.0], [4.0]]), "ab", "cd"), np.random.default_rng(0), permutations=9)
    rows = np.array([0.0, 1.0, 3.0, 4.0])
    rows = (rows - rows.mean()) / rows.std()
    squared = (rows[:, None] - rows[None]) ** 2
    kernel = np.exp(-squared / np.median(squared[squared > 0]))
    assert found.statistic == pytest.approx(kernel[0, 1] + kernel[2, 3] - kernel[:2, 2:].sum() / 2)


def test_columns_that_never_vary_decide_nothing() -> None:
    same = two_sides(np.ones((9, 3)), np.ones((9, 3)), range(9), range(9, 18))
    assert same.rows.shape == (18, 0)
    assert mmd_test(same, np.random.default_rng(0), permutations=19).p == 1.0
    assert classifier_test(same, np.random.default_rng(0), permutations=19).p == 1.0


def test_a_patient_on_both_sides_is_refused() -> None:
    with pytest.raises(InputError, match="1 are in both"):
        two_sides(np.zeros((2, 1)), np.zeros((2, 1)), "ab", "bc")
    with pytest.raises(ShapeError, match="Every case needs its patient"):
        two_sides(np.zeros((2, 1)), np.zeros((2, 1)), "ab", "c")
    with pytest.raises(InputError, match="finite"):
        two_sides(np.zeros((1, 1)), np.full((1, 1), np.nan), "a", "b")


def test_holm_multiplies_the_smallest_by_all_and_never_falls() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx((0.03, 0.06, 0.06))
    assert holm([]) == ()
    assert holm([0.9, 0.8]) == (1.0, 1.0)


def test_single_numbers_are_compared_by_patient() -> None:
    assert ks_test(np.arange(8.0), np.arange(8.0) + 100).p == pytest.approx(2 / 12870)
    assert patient_medians(np.array([[1.0], [3.0], [9.0]]), ["a", "a", "b"]).ravel().tolist() == [2.0, 9.0]
