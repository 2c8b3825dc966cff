"""A bet against a promised risk: it may be looked at for ever, and finds out a broken promise."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medloop.core.errors import InputError, SettingError
from medloop.metrics.betting import first_alarm, mean_bounds, stake_against


def alarms(share: float, *, risk: float, cases: int, runs: int = 600) -> float:
    rng = np.random.default_rng(3)
    return float(np.mean([first_alarm((rng.random(cases) < share).astype(float), risk) is not None for _ in range(runs)]))


@pytest.mark.parametrize("risk", [0.05, 0.1, 0.3])
def test_a_kept_promise_rarely_ever_raises_an_alarm_however_often_one_looks(risk: float) -> None:
    assert alarms(risk, risk=risk, cases=800) <= 0.05 + 3 * (0.05 * 0.95 / 600) ** 0.5


def test_a_broken_promise_is_found_out() -> None:
    assert alarms(0.25, risk=0.1, cases=150) > 0.95
    assert first_alarm([1.0] * 10, 0.05) in (2, 3)


@given(st.lists(st.booleans(), max_size=12), st.floats(0.02, 0.6))
def test_the_stake_is_fair_at_the_risk_and_what_is_not_known_yet_never_raises_it(found, risk) -> None:
    known = [float(one) for one in found]
    fair = risk * stake_against([*known, 1.0], risk) + (1 - risk) * stake_against([*known, 0.0], risk)
    assert fair == pytest.approx(stake_against(known, risk), rel=1e-9)
    for place in range(len(known)):
        waiting = [0.0 if n == place else loss for n, loss in enumerate(known)]
        assert stake_against(waiting, risk) <= stake_against(known, risk) * (1 + 1e-12)


def test_bounds_hold_at_every_look_at_once() -> None:
    rng = np.random.default_rng(1)
    missed = 0
    for _ in range(60):
        losses = (rng.random(120) < 0.1).astype(float)
        bounds = [mean_bounds(losses[:n]) for n in range(10, 121, 10)]
        missed += any(not low <= 0.1 <= high for low, high in bounds)
    assert missed / 60 <= 0.05 + 3 * (0.05 * 0.95 / 60) ** 0.5
    assert mean_bounds([]) == (0.0, 1.0)


def test_losses_and_risks_beyond_their_range_are_refused() -> None:
    with pytest.raises(InputError, match="within"):
        stake_against([2.0], 0.1)
    with pytest.raises(SettingError, match="risk"):
        first_alarm([0.0], 1.0)
