import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, balanced_accuracy_score

from medloop.core.errors import ShapeError
from medloop.quality.triage import TriageCounts, count_triage


def test_cases_are_counted_by_what_was_said_and_true():
    found = count_triage([0.9, 0.8, 0.6, 0.2, 0.7], [0.8, 0.5, 0.9, 0.3, 0.7])
    assert found == TriageCounts(good=2, missed=1, false_alarms=1, bad=1)
    assert found.accuracy == pytest.approx(3 / 5)


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=2, max_size=20))
def test_accuracies_are_those_of_scikit_learn(pairs):
    expected, truth = np.array(pairs).T
    found = count_triage(expected, truth)
    assert found.accuracy == pytest.approx(accuracy_score(truth >= 0.7, expected >= 0.7))
    if len({t >= 0.7 for t in truth}) == 2:
        assert found.balanced_accuracy == pytest.approx(balanced_accuracy_score(truth >= 0.7, expected >= 0.7))


def test_one_kind_alone_has_its_own_accuracy():
    assert count_triage([0.9, 0.1], [0.9, 0.9]).balanced_accuracy == 0.5


def test_lists_that_do_not_fit_are_refused():
    with pytest.raises(ShapeError, match="same length"):
        count_triage([0.5], [0.5, 0.6])
