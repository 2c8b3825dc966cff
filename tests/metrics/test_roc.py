"""The ROC curve against scikit-learn's, by hand, and where there is none."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from medloop.core.errors import InputError, ShapeError
from medloop.metrics.curves import roc_curve


def test_by_hand_with_a_tie() -> None:
    false, true = roc_curve([True, False, True, False], np.array([0.9, 0.5, 0.5, 0.1]))
    assert false.tolist() == [0, 0, 0.5, 1]
    assert true.tolist() == [0, 0.5, 1, 1]


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=2, max_size=30).filter(lambda rows: len({t for t, _ in rows}) == 2))
def test_as_scikit_learn_has_it(rows: list[tuple[bool, int]]) -> None:
    truth, scores = (np.array(column) for column in zip(*rows, strict=True))
    false, true = roc_curve(truth, scores)
    theirs = metrics.roc_curve(truth, scores, drop_intermediate=False)
    assert np.allclose(false, theirs[0])
    assert np.allclose(true, theirs[1])
    assert np.trapezoid(true, false) == pytest.approx(metrics.roc_auc_score(truth, scores))


def test_one_class_alone_and_other_lengths_are_refused() -> None:
    with pytest.raises(InputError, match="both classes"):
        roc_curve([True, True], np.array([0.1, 0.2]))
    with pytest.raises(ShapeError, match="one score for each case"):
        roc_curve([True], np.array([0.1, 0.2]))
