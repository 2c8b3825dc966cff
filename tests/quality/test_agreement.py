import numpy as np
import pytest

from medloop.core.errors import ShapeError
from medloop.quality.agreement import sample_agreement


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
