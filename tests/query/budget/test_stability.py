"""Agreement of consecutive models, against scikit-learn and by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score, confusion_matrix

from medloop.core.errors import InputError, ShapeError
from medloop.query.budget.stability import confusion, has_stabilised, kappa

pairs = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=60)


def test_kappa_by_hand() -> None:
    # 20 of 50 both say 0, 15 both say 1: agreement 0.7, by chance 0.5
    table = np.array([[20, 5], [10, 15]])
    assert kappa(table) == pytest.approx(0.4)


@given(pairs)
def test_tables_and_kappa_match_scikit_learn(rows) -> None:
    first, second = np.array(rows).T
    table = confusion(first, second, 4)
    assert table.tolist() == confusion_matrix(first, second, labels=[0, 1, 2, 3]).tolist()
    if len({*first, *second}) > 1:
        assert kappa(table) == pytest.approx(cohen_kappa_score(first, second))


def test_models_that_only_know_one_class_agree_fully() -> None:
    assert kappa(np.array([[9, 0], [0, 0]])) == 1.0


def test_three_high_agreements_in_a_row_are_stable_two_are_not() -> None:
    assert has_stabilised([0.5, 0.99, 0.995, 0.999])
    assert not has_stabilised([0.999, 0.999])
    assert not has_stabilised([0.999, 0.999, 0.9])


def test_wrong_input_is_refused() -> None:
    with pytest.raises(ShapeError, match="one shape"):
        confusion(np.zeros(2, dtype=int), np.zeros(3, dtype=int), 2)
    with pytest.raises(InputError, match="must lie in"):
        confusion(np.array([2]), np.array([0]), 2)
    with pytest.raises(InputError, match="at least one"):
        kappa(np.zeros((2, 2)))
