"""How probably two readers of a case will differ."""

import numpy as np
import pytest

from medloop.core.errors import ShapeError
from medloop.query import query
from medloop.query.uncertainty.readers import confused_disagreement, expected_disagreement


def test_two_readers_differ_by_hand() -> None:
    samples = np.array([[[0.5, 0.5], [1.0, 0.0], [0.75, 0.25]]])
    np.testing.assert_allclose(expected_disagreement(samples, axis=2), [0.5, 0.0, 0.375])


def test_what_the_samples_disagree_on_is_no_disagreement_of_readers() -> None:
    samples = np.array([[[1.0, 0.0], [0.5, 0.5]], [[0.0, 1.0], [0.5, 0.5]]])
    np.testing.assert_allclose(expected_disagreement(samples, axis=2), [0.0, 0.5])
    assert query("disagreement", proba=samples, n=2).tolist() == [1, 0]


def test_a_draw_of_two_readers_differs_as_often() -> None:
    rng = np.random.default_rng(0)
    chances = rng.dirichlet(np.ones(4))
    drawn = rng.choice(4, p=chances, size=(20_000, 2))
    assert expected_disagreement(chances[None, None], axis=2)[0] == pytest.approx((drawn[:, 0] != drawn[:, 1]).mean(), abs=0.015)


def test_annotators_who_confuse_a_class_differ_where_it_is_by_hand() -> None:
    """Of class 0 both are sure; of class 1 one is right and one is right in 6 of 10."""
    sure, unsure = np.eye(2), np.array([[1.0, 0.0], [0.4, 0.6]])
    samples = np.array([[[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]]])
    np.testing.assert_allclose(confused_disagreement(samples, np.stack([sure, unsure]), axis=2), [0.0, 0.4, 0.2])
    three = np.stack([sure, unsure, unsure])  # pairs: 0.4, 0.4 and 2 · 0.4 · 0.6
    np.testing.assert_allclose(confused_disagreement(samples, three, axis=2), [0.0, (0.8 + 0.48) / 3, (0.8 + 0.48) / 6])


def test_both_read_volumes_and_single_cases() -> None:
    rng = np.random.default_rng(1)
    volume = np.moveaxis(rng.dirichlet(np.ones(3), size=(2, 4, 5, 6)), -1, 1)
    matrices = rng.dirichlet(np.ones(3), size=(3, 3))
    assert expected_disagreement(volume).shape == confused_disagreement(volume, matrices).shape == (4, 5, 6)
    case = volume[:, :, 1, 2, 3]
    assert float(expected_disagreement(case)) == pytest.approx(float(expected_disagreement(volume)[1, 2, 3]))
    assert float(confused_disagreement(case, matrices)) == pytest.approx(float(confused_disagreement(volume, matrices)[1, 2, 3]))


@pytest.mark.parametrize("matrices", [np.eye(2)[None], np.stack([np.eye(3)] * 2), np.eye(2)])
def test_confusions_of_fewer_than_two_annotators_or_other_classes_are_refused(matrices: np.ndarray) -> None:
    with pytest.raises(ShapeError, match="Confusions of two annotators or more and 2 classes"):
        confused_disagreement(np.full((1, 2), 0.5), matrices)
