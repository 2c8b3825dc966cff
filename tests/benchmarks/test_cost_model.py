"""The simulated logs of work: seeded, by their law, and predicted as well as the goal asks."""

import numpy as np
import pytest

import cost_model
from medloop.core.seeds import generator


def test_equal_seeds_give_equal_rows() -> None:
    assert cost_model.measure(cost_model.SETTINGS[0], 50, 2, seed=3) == cost_model.measure(cost_model.SETTINGS[0], 50, 2, seed=3)


def test_a_log_follows_its_law_but_for_those_called_away() -> None:
    quiet = cost_model.Setting("quiet", noise=0.0, pace=0.0, called_away=0.2)
    log = cost_model.simulate(generator(0, "law"), quiet, np.zeros(5), 500)
    law = 8 * np.exp(np.log1p(log.features) @ cost_model.LAW)
    assert (log.seconds / law > 2.9).mean() == pytest.approx(0.2, abs=0.06)
    assert np.isclose(log.seconds / law, 1).mean() == pytest.approx(0.8, abs=0.06)


def test_a_hundred_annotations_predict_the_next_ones_within_the_goal_and_say_so() -> None:
    row = cost_model.measure(cost_model.SETTINGS[0], 100, 4, seed=1)
    assert row.error <= cost_model.TARGET < row.median
    assert row.stated >= 0.5
    assert 0.85 <= row.covered <= 0.96
