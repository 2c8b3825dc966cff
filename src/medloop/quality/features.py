"""What can be seen of a segmentation's quality without its truth, as a row of numbers for a regression.

The measures of the literature are all here, so that each can also be looked at alone: agreement of samples and of a
second model, doubt around the mask, Dice expected from the probabilities, size and shape.
"""

import numpy as np

from medloop.core.arrays import BoolArray, ClassProbabilities, FloatArray, MaskArray, ProbabilitySamples
from medloop.core.errors import ShapeError
from medloop.quality.agreement import model_agreement, sample_agreement

RIM_MM = 3.0
"""Doubt is averaged over the mask and this far around it."""

FEATURES = (
    "sample_agreement",
    "model_agreement",
    "entropy_around_mask",
    "disagreement_around_mask",
    "softmax_dice",
    "log_volume_ml",
    "components",
    "largest_component",
    "surface_per_volume",
)
"""Names of the columns, in order. The agreement with a second model is left out where there is none."""


def quality_features(
    samples: ProbabilitySamples, *, spacing_mm: tuple[float, float, float] = (1.0, 1.0, 1.0), second: ClassProbabilities | None = None
) -> dict[str, float]:
    """The features of one case.

    Args:
        samples: Of the model that is judged, shape (samples, classes, I, J, K).
        spacing_mm: Of the voxels.
        second: What an independently trained model says, shape (classes, I, J, K).

    Returns:
        Name → number, in the order of `FEATURES`.

    Raises:
        ShapeError: Not five axes, or a second model of another shape.
    """
    if samples.ndim != 5 or not len(samples):
        raise ShapeError(f"Samples of a volume have axes (samples, classes, I, J, K) and at least one sample, got {samples.shape}")
    mean = samples.mean(axis=0)
    predicted: MaskArray = mean.argmax(axis=0).astype(np.uint8)
    around = _around(predicted > 0, spacing_mm)
    total = _entropy(mean)
    own = sum(_entropy(sample) for sample in samples) / len(samples)
    found = {"sample_agreement": sample_agreement(samples) if len(samples) > 1 else 1.0}
    if second is not None:
        found["model_agreement"] = model_agreement(mean, second)
    found["entropy_around_mask"] = float(total[around].mean())
    found["disagreement_around_mask"] = float(np.maximum(total - own, 0.0)[around].mean())
    found["softmax_dice"] = softmax_dice(mean)
    return found | _shape_features(predicted, spacing_mm)


def softmax_dice(probabilities: ClassProbabilities) -> float:
    """Dice that the probabilities promise: mean over the predicted foreground classes of 2 Σ p·mask / (Σ p + Σ mask).

    Args:
        probabilities: Shape (classes, I, J, K).

    Returns:
        Within 0..1; 1.0 where nothing is predicted.

    Source: Li et al. 2022, arXiv:2205.04255 (Dice expected under the model's own probabilities).
    """
    predicted = probabilities.argmax(axis=0)
    found = []
    for label in np.unique(predicted[predicted > 0]):
        inside, p = predicted == label, probabilities[label]
        found.append(2.0 * float(p[inside].sum(dtype=np.float64)) / float(p.sum(dtype=np.float64) + inside.sum()))
    return float(np.mean(found)) if found else 1.0


def _shape_features(predicted: MaskArray, spacing_mm: tuple[float, float, float]) -> dict[str, float]:
    """Size, pieces and roughness; of the labels' mean where there are several."""
    from scipy import ndimage

    volume_ml = float(np.count_nonzero(predicted)) * float(np.prod(spacing_mm)) / 1000.0
    pieces, largest, rough = [], [], []
    for label in np.unique(predicted[predicted > 0]):
        inside = predicted == label
        numbered, count = ndimage.label(inside)
        sizes = np.bincount(numbered.ravel())[1:]
        pieces.append(float(count))
        largest.append(float(sizes.max() / sizes.sum()))
        faces = sum(np.count_nonzero(np.diff(inside, axis=axis)) / spacing_mm[axis] for axis in range(inside.ndim))
        rough.append(float(faces / sizes.sum()))
    return {
        "log_volume_ml": float(np.log(volume_ml + 1e-3)),
        "components": float(np.mean(pieces)) if pieces else 0.0,
        "largest_component": float(np.mean(largest)) if largest else 0.0,
        "surface_per_volume": float(np.mean(rough)) if rough else 0.0,
    }


def _around(inside: BoolArray, spacing_mm: tuple[float, float, float]) -> BoolArray:
    """The mask and a rim; everything where the mask is empty."""
    from scipy import ndimage

    if not inside.any():
        return np.ones(inside.shape, dtype=np.bool_)
    around: BoolArray = ndimage.distance_transform_edt(~inside, sampling=spacing_mm) <= RIM_MM
    return around


def _entropy(probabilities: FloatArray) -> FloatArray:
    from scipy.special import entr

    entropy: FloatArray = entr(probabilities).sum(axis=0)
    return entropy
