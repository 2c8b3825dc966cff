import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medloop.core.errors import ShapeError
from medloop.quality.agreement import MIN_FIT_CASES, QualityMap, fit_quality, sample_agreement


def one_hot(answers: list[list[int]], classes: int) -> np.ndarray:
    return np.moveaxis(np.eye(classes)[np.array(answers)], -1, 1)[..., None, None]


def test_two_samples_that_share_half_their_voxels_agree_by_their_dice() -> None:
    samples = one_hot([[1, 1, 0, 0], [0, 1, 1, 0]], 2)
    assert sample_agreement(samples) == pytest.approx(2 * 1 / (2 + 2))


def test_agreement_is_the_mean_over_foreground_classes_present() -> None:
    samples = one_hot([[1, 1, 2, 0], [1, 1, 0, 0]], 4)
    assert sample_agreement(samples) == pytest.approx((1.0 + 0.0) / 2)


def test_samples_without_foreground_agree() -> None:
    assert sample_agreement(one_hot([[0, 0], [0, 0]], 3)) == 1.0


def test_tags_agree_by_the_share_of_equal_pairs() -> None:
    samples = np.eye(3)[[0, 0, 1]]
    assert sample_agreement(samples) == pytest.approx(1 / 3)


def test_one_sample_cannot_agree() -> None:
    with pytest.raises(ShapeError, match="two samples"):
        sample_agreement(np.ones((1, 2)))


def test_few_cases_give_the_raw_agreement_without_interval() -> None:
    fitted = fit_quality(np.full(MIN_FIT_CASES - 1, 0.5), np.full(MIN_FIT_CASES - 1, 0.9))
    assert fitted == QualityMap()
    assert fitted(0.4).expected == 0.4
    assert fitted(0.4).low is None


def test_an_exact_line_is_found() -> None:
    agreement = np.linspace(0.2, 0.9, 12)
    fitted = fit_quality(agreement, 0.1 + 0.8 * agreement)
    assert fitted(0.5).expected == pytest.approx(0.5)
    assert fitted.margin == pytest.approx(0.0, abs=1e-9)


def test_constant_agreement_predicts_the_mean() -> None:
    assert fit_quality(np.full(8, 0.7), np.linspace(0.4, 0.6, 8))(0.7).expected == pytest.approx(0.5)


def test_the_interval_covers_new_cases_at_its_rate() -> None:
    rng = np.random.default_rng(0)
    covered = []
    for _ in range(300):
        agreement = rng.uniform(0.3, 0.9, 31)
        truth = np.clip(0.1 + 0.8 * agreement + rng.normal(0, 0.05, 31), 0, 1)
        quality = fit_quality(agreement[:30], truth[:30])(agreement[30])
        assert quality.low is not None
        assert quality.high is not None
        covered.append(quality.low <= truth[30] <= quality.high)
    assert 0.86 <= np.mean(covered) <= 0.97


@given(st.lists(st.floats(0, 1), min_size=MIN_FIT_CASES, max_size=20), st.floats(0, 1))
def test_expected_quality_stays_in_its_interval_and_in_range(values: list[float], agreement: float) -> None:
    quality = fit_quality(np.array(values), np.array(values[::-1]))(agreement)
    assert quality.low is not None
    assert quality.high is not None
    assert 0.0 <= quality.low <= quality.expected <= quality.high <= 1.0
