"""Classification scores by hand and against scikit-learn."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sk

from medloop.core.errors import InputError, LabelError, ShapeError
from medloop.metrics.classes import accuracy, auc, balanced_accuracy, confusion, macro_auc

pairs = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=30)
scored = st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=2, max_size=30).filter(lambda rows: len({t for t, _ in rows}) == 2)


def test_values_worked_out_by_hand():
    truth, predicted = [0, 0, 0, 1], [0, 0, 1, 0]
    assert accuracy(truth, predicted) == 0.5
    assert balanced_accuracy(truth, predicted) == pytest.approx((2 / 3 + 0) / 2)
    assert confusion(truth, predicted, 2).tolist() == [[2, 1], [1, 0]]
    assert auc([False, True, False, True], np.array([0.1, 0.9, 0.9, 0.8])) == pytest.approx((1 + 0.5 + 1 + 0) / 4)


@given(pairs)
def test_they_match_scikit_learn(rows):
    truth, predicted = zip(*rows, strict=True)
    assert accuracy(truth, predicted) == pytest.approx(sk.accuracy_score(truth, predicted))
    assert balanced_accuracy(truth, predicted) == pytest.approx(
        sk.recall_score(truth, predicted, labels=sorted(set(truth)), average="macro")
    )
    assert confusion(truth, predicted, 3).tolist() == sk.confusion_matrix(truth, predicted, labels=[0, 1, 2]).tolist()


@given(scored)
def test_auc_matches_scikit_learn_with_ties(rows):
    truth, scores = zip(*rows, strict=True)
    assert auc(truth, np.array(scores)) == pytest.approx(sk.roc_auc_score(truth, scores))


def test_macro_auc_matches_scikit_learn():
    rng = np.random.default_rng(0)
    truth, probabilities = rng.integers(0, 3, 60), rng.dirichlet(np.ones(3), 60)
    assert macro_auc(truth, probabilities) == pytest.approx(sk.roc_auc_score(truth, probabilities, multi_class="ovr"))


def test_what_cannot_be_scored_is_refused():
    with pytest.raises(InputError, match="both classes"):
        auc([True, True], np.array([0.1, 0.2]))
    with pytest.raises(InputError, match="NaN for 1"):
        auc([True, False], np.array([0.1, np.nan]))
    with pytest.raises(ShapeError, match="same length"):
        accuracy([1], [1, 0])
    with pytest.raises(ShapeError, match="at least one"):
        accuracy([], [])
    with pytest.raises(LabelError, match=r"0\.\.1"):
        confusion([0, 2], [0, 1], 2)
