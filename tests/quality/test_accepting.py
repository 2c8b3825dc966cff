"""Which proposals of a stream are accepted: the promise holds as surely as it says."""

from math import inf

import numpy as np
import pytest

from medloop.core.errors import InputError, SettingError, ShapeError
from medloop.quality.accepting import fewest_accepted, fit_acceptance


def test_the_fewest_patients_by_hand() -> None:
    # 0.9²² = 0.098, 0.95⁴⁵ = 0.0994: the first below 1 - 0.9
    assert (fewest_accepted(0.1, 0.9), fewest_accepted(0.05, 0.9), fewest_accepted(0.5, 0.5)) == (22, 45, 5)


def test_three_patients_are_refused_and_the_number_needed_is_named() -> None:
    with pytest.raises(InputError, match="needs at least 22 evaluated patients, got 3"):
        fit_acceptance([0.9, 0.8, 0.7], [0, 0, 0], list("abc"), risk=0.1, sure=0.9)


@pytest.mark.parametrize("cases", [1, 3])
@pytest.mark.parametrize("steep", [3.0, 12.0])
def test_the_share_of_bad_ones_among_the_accepted_is_exceeded_no_more_often_than_stated(steep: float, cases: int) -> None:
    rng, grid, broken = np.random.default_rng(2), np.linspace(0, 1, 4001), []
    chance = 1 / (1 + np.exp(steep * (grid - 0.3)))  # of a bad one, by score
    for _ in range(300):
        score = rng.random(60 * cases)
        bad = rng.random(60 * cases) < np.interp(score, grid, chance)
        found = fit_acceptance(score, bad, list(np.arange(60 * cases) // cases), risk=0.15, sure=0.9)
        if found.above < inf:
            broken.append(chance[grid > max(found.above, -1)].mean() > 0.15)
    assert sum(broken) / 300 <= 0.1 + 3 * (0.1 * 0.9 / 300) ** 0.5


def test_all_good_accepts_everything_and_all_bad_nothing() -> None:
    scores, patients = np.linspace(0, 1, 30), list(range(30))
    assert fit_acceptance(scores, np.zeros(30), patients, risk=0.1, sure=0.9).above == -inf
    nothing = fit_acceptance(scores, np.ones(30), patients, risk=0.1, sure=0.9)
    assert (nothing.above, nothing.coverage, nothing.accepted) == (inf, 0.0, 0)


def test_lengths_and_certainties_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ShapeError, match="truth and a patient"):
        fit_acceptance([0.5], [0, 1], ["a"], risk=0.1, sure=0.9)
    with pytest.raises(SettingError, match="certainty"):
        fewest_accepted(0.1, 1.0)
