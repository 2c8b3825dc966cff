import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medloop.core.errors import ShapeError
from medloop.quality.agreement import model_agreement, sample_agreement
from medloop.quality.features import FEATURES, quality_features, softmax_dice


def stated(values: list[float]) -> np.ndarray:
    """Probabilities of one foreground class along a line, shape (2, n, 1, 1)."""
    p = np.array(values).reshape(-1, 1, 1)
    return np.stack([1 - p, p])


def test_the_dice_that_probabilities_promise_by_hand():
    assert softmax_dice(stated([0.8, 0.6, 0.2, 0.0])) == pytest.approx(2 * 1.4 / (1.6 + 2))
    assert softmax_dice(stated([1.0, 0.0])) == 1.0
    assert softmax_dice(stated([0.1, 0.0])) == 1.0


def test_two_models_agree_by_the_dice_of_their_masks():
    assert model_agreement(stated([0.9, 0.9, 0.1]), stated([0.9, 0.1, 0.1])) == pytest.approx(2 / 3)
    assert model_agreement(np.array([0.2, 0.8]), np.array([0.4, 0.6])) == 1.0
    with pytest.raises(ShapeError, match="same classes and voxels"):
        model_agreement(stated([0.9]), stated([0.9, 0.1]))


def test_features_by_hand():
    samples = np.stack([stated([1.0, 0.0, 1.0, 1.0, 0.0, 0.0])] * 2)
    found = quality_features(samples, spacing_mm=(10.0, 10.0, 10.0), second=stated([1.0, 0.0, 0.0, 0.0, 0.0, 0.0]))
    assert tuple(found) == FEATURES
    assert found["sample_agreement"] == 1.0
    assert found["model_agreement"] == pytest.approx(0.5)
    assert (found["components"], found["largest_component"]) == (2.0, pytest.approx(2 / 3))
    assert found["log_volume_ml"] == pytest.approx(np.log(3.001))
    assert found["surface_per_volume"] == pytest.approx(3 / 10 / 3)  # three faces inside the line, over three voxels
    assert (found["entropy_around_mask"], found["softmax_dice"]) == (0.0, 1.0)


def test_samples_that_disagree_leave_disagreement_and_sure_ones_do_not():
    torn = np.stack([stated([1.0, 1.0]), stated([1.0, 0.0])])
    unsure = np.stack([stated([1.0, 0.5])] * 2)
    assert quality_features(torn)["disagreement_around_mask"] == pytest.approx(np.log(2) / 2)
    assert quality_features(unsure)["disagreement_around_mask"] == 0.0
    assert quality_features(unsure)["entropy_around_mask"] == pytest.approx(np.log(2) / 2)


@given(st.integers(0, 60), st.integers(2, 4), st.integers(1, 3))
def test_features_are_numbers_in_range_whatever_the_probabilities(seed, classes, samples):
    p = np.moveaxis(np.random.default_rng(seed).dirichlet(np.full(classes, 0.3), (samples, 4, 3, 2)), -1, 1)
    found = quality_features(p, second=p[0])
    assert np.isfinite(list(found.values())).all()
    assert all(0 <= found[name] <= 1 + 1e-9 for name in ("sample_agreement", "model_agreement", "softmax_dice", "largest_component"))
    assert found["sample_agreement"] == pytest.approx(sample_agreement(p) if samples > 1 else 1.0)


def test_an_empty_mask_has_features_too():
    found = quality_features(np.stack([stated([0.1, 0.2])] * 2))
    assert (found["components"], found["largest_component"], found["softmax_dice"]) == (0.0, 0.0, 1.0)
    assert "model_agreement" not in found
    with pytest.raises(ShapeError, match="I, J, K"):
        quality_features(np.ones((2, 2)))
