"""How far a target is: by curves whose answer is known."""

import numpy as np
import pytest

from medloop.core.errors import InputError
from medloop.query.reaching import Reach, cases_to_target, hours_for
from medloop.query.stopping import Curve


def curve(scores: list[float], *, patients: int = 20, spread: float = 0.0) -> Curve:
    """A curve over 10, 20, 40, … annotations, with patients that scatter around it."""
    labels = 10.0 * 2.0 ** np.arange(len(scores))
    rng = np.random.default_rng(1)
    draws = np.array(scores) + spread * rng.standard_normal((200, len(scores)))
    return Curve(labels=labels, scores=np.array(scores), draws=draws, low=scores[-1] - 0.02, patients=patients)


POWER = [0.9 - 1.0 * (10 * 2.0**n) ** -0.5 for n in range(6)]  # 0.9 − n^(-1/2), at 320: 0.844


def test_an_exact_power_law_says_how_many_annotations_lack() -> None:
    found = cases_to_target(curve(POWER), 0.86, left=2000)
    assert found is not None
    assert found.expected is not None
    assert found.low is not None
    assert found.high is not None
    exact = (0.9 - 0.86) ** -2 - 320  # 305
    assert found.expected == pytest.approx(exact, abs=1)
    assert found.low <= found.expected <= found.high


def test_patients_that_scatter_widen_the_interval_on_both_sides() -> None:
    sharp, wide = (cases_to_target(curve(POWER, spread=s), 0.86, left=5000) for s in (0.0, 0.01))
    assert sharp is not None
    assert wide is not None
    assert wide.low is not None
    assert sharp.low is not None
    assert wide.low < sharp.low
    assert wide.high is None or (sharp.high is not None and wide.high > sharp.high)


def test_a_target_above_where_the_curve_leads_is_never_expected() -> None:
    found = cases_to_target(curve(POWER), 0.95, left=100_000)
    assert found is not None
    assert (found.expected, found.high) == (None, None)


def test_a_target_that_is_reached_lacks_nothing_and_too_few_models_tell_nothing() -> None:
    assert cases_to_target(curve(POWER), 0.8, left=100) == Reach(0.0, 0.0, 0.0)
    assert cases_to_target(curve(POWER[:3]), 0.86, left=100) is None
    assert cases_to_target(curve(POWER, patients=2), 0.86, left=100) is None


def test_hours_are_cases_times_the_mean_with_both_intervals() -> None:
    minutes = np.array([1.0, 2.0, 3.0])  # mean 2, standard error 1/√3, t(2) = 4.303
    found = hours_for(Reach(30.0, 15.0, None), minutes)
    assert found == Reach(1.0, 0.25, None), "no less than the quickest case"
    wide = hours_for(Reach(30.0, 15.0, 60.0), np.full(4, 2.0))
    assert wide == Reach(1.0, 0.5, 2.0)
    above = hours_for(Reach(60.0, 60.0, 60.0), minutes)
    assert above is not None
    assert above.high == pytest.approx(2.0 + 4.303 / 3**0.5, abs=1e-3)


def test_a_few_times_say_nothing_and_impossible_ones_are_refused() -> None:
    assert hours_for(Reach(1.0, 1.0, 1.0), np.array([1.0, 2.0])) is None
    with pytest.raises(InputError, match="above 0"):
        hours_for(Reach(1.0, 1.0, 1.0), np.array([1.0, 2.0, 0.0]))
