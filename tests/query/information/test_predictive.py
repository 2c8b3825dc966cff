"""EPIG against sums written out, by hand, and between its bounds."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medloop.core.errors import InputError, ShapeError
from medloop.query.information import predictive
from medloop.query.information.predictive import predictive_information
from medloop.query.scores import mutual_information


def drawn(seed: int, cases: int, *, samples: int = 4, classes: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).dirichlet(np.ones(classes), size=(samples, cases))


def brute_force(own, other) -> list[float]:
    """The definition, one case, one target and one pair of answers at a time."""
    gains = []
    for n in range(own.shape[1]):
        total = 0.0
        for t in range(other.shape[1]):
            for a in range(own.shape[2]):
                for b in range(own.shape[2]):
                    joint = np.mean(own[:, n, a] * other[:, t, b])
                    total += joint * np.log(joint / (own[:, n, a].mean() * other[:, t, b].mean()))
        gains.append(total / other.shape[1])
    return gains


@given(st.integers(0, 10_000), st.integers(1, 5), st.integers(1, 4))
def test_the_gain_is_that_of_the_written_sum(seed, cases, targets):
    own, other = drawn(seed, cases), drawn(seed + 1, targets)
    assert predictive_information(own, other) == pytest.approx(brute_force(own, other), abs=1e-12)


def test_samples_that_flip_together_share_one_bit():
    flip, even = [[1.0, 0.0], [0.0, 1.0]], [[0.5, 0.5], [0.5, 0.5]]
    samples = np.array([flip, even]).transpose(1, 0, 2)
    assert predictive_information(samples, samples[:, :1]) == pytest.approx([np.log(2), 0.0])


@given(st.integers(0, 10_000))
def test_an_answer_tells_of_others_no_more_than_of_the_model(seed):
    samples = drawn(seed, 6)
    gains = predictive_information(samples, samples)
    assert (gains >= 0).all()
    assert (gains <= mutual_information(samples) + 1e-12).all()


def test_small_blocks_change_nothing(monkeypatch):
    samples = drawn(3, 11)
    whole = predictive_information(samples, samples)
    monkeypatch.setattr(predictive, "_BLOCK_NUMBERS", 200)
    assert predictive_information(samples, samples) == pytest.approx(whole)


def test_what_does_not_fit_is_refused():
    with pytest.raises(ShapeError, match=">= 2 samples"):
        predictive_information(drawn(0, 3, samples=1), drawn(0, 3, samples=1))
    with pytest.raises(ShapeError, match="equal samples and classes"):
        predictive_information(drawn(0, 3), drawn(0, 3, classes=2))
    with pytest.raises(ShapeError, match="axes"):
        predictive_information(np.zeros((2, 2)), drawn(0, 3))
    with pytest.raises(InputError, match="finite"):
        predictive_information(np.full((2, 2, 2), np.nan), np.full((2, 2, 2), 0.5))
