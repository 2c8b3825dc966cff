"""Reverse classification accuracy: a mask without truth is good when a classifier that learned from it alone works elsewhere.

A small forest learns voxel by voxel from the one image and its predicted mask (grey values at several scales, edges,
position), then segments reference images whose truth is known. If the mask was good, the forest does well on at least
one reference; so the best Dice over the references stands for the unknown Dice. No registration, no network; a few
references are enough.

The best Dice is not yet the expected Dice: even a perfect mask teaches a forest only so much. `ReverseClassifier.calibrate`
spoils the references' own masks by known amounts, judges them by the other references, and learns the way back.

Source: Valindria et al. 2017, arXiv:1702.03407 (RCA, here with their "classifier" variant); Robinson et al. 2019,
doi:10.1186/s12968-019-0523-x.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from medloop.core.arrays import BoolArray, FloatArray, ImageArray, IntArray, MaskArray
from medloop.core.errors import InputError, ShapeError
from medloop.metrics.overlap import dice
from medloop.quality.corruption import DEGREES, corrupt_mask

SCALES = (0.0, 1.0, 2.0, 4.0)
"""Standard deviations, in voxels, of the blurs that a voxel's grey values are seen through."""

TAUGHT, TESTED = 4000, 8000
"""Voxels that the forest learns from, and per reference those that it is tested on: Dice is estimated on these."""

CORNERS = 10
"""Of the curve from accuracy to expected Dice; each is the mean of several spoiled masks."""


@dataclass(frozen=True, eq=False)
class Reference:
    """An image with its true mask.

    Attributes:
        image: Intensities, shape (channels, I, J, K).
        mask: Label values, shape (I, J, K).
    """

    image: ImageArray
    mask: MaskArray


@dataclass(frozen=True)
class ReverseScore:
    """What the references say about a mask.

    Attributes:
        best: Highest mean Dice over the references: the reverse classification accuracy.
        per_reference: Mean Dice on each.
        expected: The Dice expected after calibration; `best` before.
    """

    best: float
    per_reference: tuple[float, ...]
    expected: float


class ReverseClassifier:
    """Judges masks by references.

    Args:
        references: Two to ten images with truth; all of the kind of the images judged.
        labels: Label values that count.
        trees: Of the forest.
        seed: Of forests and voxels.

    Raises:
        InputError: Fewer than two references.
        ShapeError: An image and a mask of different voxels.
    """

    def __init__(self, references: Sequence[Reference], labels: Sequence[int], *, trees: int = 20, seed: int = 0) -> None:
        if len(references) < 2:
            raise InputError(f"Reverse classification needs at least 2 references, got {len(references)}")
        self.labels = tuple(labels)
        self.trees = trees
        self.seed = seed
        rng = np.random.default_rng(seed)
        self._references = tuple(references)
        self._features = [voxel_features(r.image, r.mask) for r in references]
        self._tested = [_some(np.ones(r.mask.size, dtype=np.bool_), TESTED, rng) for r in references]
        self._curve: tuple[FloatArray, FloatArray] | None = None

    def score(self, image: ImageArray, mask: MaskArray) -> ReverseScore:
        """How good a mask of an image is.

        Args:
            image: Intensities, shape (channels, I, J, K).
            mask: The prediction, shape (I, J, K).

        Raises:
            ShapeError: An image and a mask of different voxels.
        """
        found = self._score(voxel_features(image, mask), mask, range(len(self._references)))
        best = max(found)
        expected = best if self._curve is None else float(np.interp(best, *self._curve))
        return ReverseScore(best, tuple(found), expected)

    def calibrate(self, *, per_reference: int = 6) -> "ReverseClassifier":
        """Learn what Dice to expect at which accuracy, from the references alone.

        Args:
            per_reference: Spoiled versions of each reference's mask; the true one is added.

        Source: degrading known masks to learn from, as in Robinson et al. 2018, arXiv:1806.06244.
        """
        accuracy, truth = [], []
        rng = np.random.default_rng(self.seed)
        for number, reference in enumerate(self._references):
            others = [n for n in range(len(self._references)) if n != number]
            for degree in (0.0, *rng.choice(DEGREES, per_reference)):
                mask = corrupt_mask(reference.mask, degree, rng)
                accuracy.append(max(self._score(self._features[number], mask, others)))
                truth.append(self._mean_dice(mask.ravel(), reference.mask.ravel()))
        self._curve = _rising_curve(np.array(accuracy), np.array(truth))
        return self

    def _score(self, features: FloatArray, mask: MaskArray, numbers: Sequence[int]) -> list[float]:
        """Dice on each of the references; all 0 for an empty mask, which teaches nothing."""
        if not np.isin(mask, self.labels).any():
            return [0.0] * len(numbers)
        forest = self._teach(features, mask.ravel())
        predicted = (forest.predict(self._features[n][self._tested[n]]) for n in numbers)
        return [self._mean_dice(p, self._references[n].mask.ravel()[self._tested[n]]) for n, p in zip(numbers, predicted, strict=True)]

    def _teach(self, features: FloatArray, labels: MaskArray) -> Any:
        """Extremely randomised trees on voxels."""
        from sklearn.ensemble import ExtraTreesClassifier

        rng = np.random.default_rng(self.seed)
        inside = labels > 0
        some = np.concatenate([_some(inside, TAUGHT // 2, rng), _some(~inside, TAUGHT // 2, rng)])
        share = np.array([(~inside).mean(), inside.mean()])
        weights = (share / np.maximum(np.bincount(inside[some], minlength=2) / len(some), 1e-9))[inside[some].astype(int)]
        forest = ExtraTreesClassifier(self.trees, min_samples_leaf=3, random_state=self.seed % 2**32)
        return forest.fit(features[some], labels[some], sample_weight=weights)

    def _mean_dice(self, a: MaskArray, b: MaskArray) -> float:
        return float(np.mean(list(dice(a, b, self.labels).values())))


def voxel_features(image: ImageArray, mask: MaskArray) -> FloatArray:
    """What the forest sees of each voxel: blurred grey values, edges, and the place within the image.

    Args:
        image: Shape (channels, I, J, K); standardised here.
        mask: Only its shape counts, (I, J, K).

    Returns:
        Shape (voxels, features), float32.

    Raises:
        ShapeError: An image and a mask of different voxels.
    """
    from scipy import ndimage

    if image.ndim != 4 or image.shape[1:] != mask.shape:
        raise ShapeError(f"An image (channels, I, J, K) and its mask must have the same voxels, got {image.shape} and {mask.shape}")
    columns = []
    for channel in image.astype(np.float32):
        standard = (channel - channel.mean()) / max(float(channel.std()), 1e-6)
        sigmas = [[scale if n > 1 else 0.0 for n in mask.shape] for scale in SCALES]
        columns += [ndimage.gaussian_filter(standard, sigma) for sigma in sigmas]
        columns.append(ndimage.gaussian_gradient_magnitude(standard, sigmas[1]))
    axes = (np.linspace(0.0, 1.0, n, dtype=np.float32) if n > 1 else np.zeros(1, dtype=np.float32) for n in mask.shape)
    columns += np.meshgrid(*axes, indexing="ij")
    return np.stack([column.ravel() for column in columns], axis=1)


def _rising_curve(accuracy: FloatArray, truth: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Corners of a rising line through the means of neighbours, so that no single spoiled mask decides a step."""
    from sklearn.isotonic import IsotonicRegression

    parts = np.array_split(np.argsort(accuracy, kind="stable"), max(2, min(CORNERS, len(accuracy) // 4)))
    x, y = (np.array([values[part].mean() for part in parts]) for values in (accuracy, truth))
    return np.append(0.0, x), np.append(0.0, IsotonicRegression(y_min=0.0, y_max=1.0).fit_transform(x, y))


def _some(where: BoolArray, most: int, rng: np.random.Generator) -> IntArray:
    places = np.flatnonzero(where)
    return places if len(places) <= most else rng.choice(places, most, replace=False)
