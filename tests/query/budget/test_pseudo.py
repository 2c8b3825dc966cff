"""Pseudo-labels: which predictions are believed, and how the bar rises."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medloop.core.errors import InputError, SettingError
from medloop.query.budget.pseudo import Threshold, confident_cases, pseudo_weights, threshold_at


def test_the_threshold_falls_round_by_round_and_never_below_zero() -> None:
    rule = Threshold(start=0.05, decay=0.02)
    assert [threshold_at(rule, n) for n in (1, 2, 3, 4, 9)] == pytest.approx([0.05, 0.03, 0.01, 0.0, 0.0])


def test_the_surest_below_the_limit_are_taken() -> None:
    entropy = np.array([0.3, 0.01, 0.02, 0.6]) * np.log(2)
    assert confident_cases(entropy, classes=2, limit=0.25, at_most=9) == [1, 2]
    assert confident_cases(entropy, classes=2, limit=0.25, at_most=1) == [1]
    assert confident_cases(entropy, classes=2, limit=0.0, at_most=9) == []
    assert confident_cases(entropy, classes=2, limit=0.25, at_most=0) == []


def test_a_sure_case_weighs_one_and_one_at_the_limit_nothing() -> None:
    entropy = np.array([0.0, 0.1, 0.2, 0.5]) * np.log(3)
    assert pseudo_weights(entropy, classes=3, limit=0.2) == pytest.approx([1.0, 0.5, 0.0, 0.0])
    assert pseudo_weights(entropy, classes=3, limit=0.0).tolist() == [0.0] * 4


@given(st.lists(st.floats(0, 1), max_size=20), st.floats(0, 1), st.integers(1, 50))
def test_a_later_round_believes_no_case_that_an_earlier_one_did_not(shares, start, round_index) -> None:
    entropy = np.array(shares) * np.log(4)
    early, late = (
        confident_cases(entropy, classes=4, limit=threshold_at(Threshold(start=start), n), at_most=99)
        for n in (round_index, round_index + 1)
    )
    assert set(late) <= set(early)
    assert (pseudo_weights(entropy, classes=4, limit=start)[confident_cases(entropy, classes=4, limit=start, at_most=99)] >= 0).all()


def test_wrong_input_is_refused() -> None:
    for entropy in ([np.nan], [-0.1], [0.8]):
        with pytest.raises(InputError, match="Entropies"):
            confident_cases(np.array(entropy), classes=2, limit=0.1, at_most=1)
    with pytest.raises(SettingError, match="two classes"):
        pseudo_weights(np.zeros(1), classes=1, limit=0.1)
    with pytest.raises(SettingError, match="count from 1"):
        threshold_at(Threshold(), 0)
    with pytest.raises(SettingError, match="threshold starts"):
        Threshold(start=1.5)
