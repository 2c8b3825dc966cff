"""A small learner for toy tasks: Gaussian process regression on one-hot classes.

Closed form, so that an episode of twenty answers takes milliseconds; with a posterior, so that it gives samples like an ensemble does.
"""

from dataclasses import dataclass

import numpy as np

from medloop.core.arrays import ClassSamples, FloatArray, IntArray
from toy_tasks import ToyTask

LENGTH_SCALE = 0.6
NOISE = 0.05
SHARPNESS = 4.0
PRIOR_SPREAD = 0.5
"""Of the learner: features have unit variance, the length scale is for the plane and grows with the root of the dimensions, the noise is a
variance, softmax takes this many times the regressed one-hot codes, and these deviate so much from their mean where nothing is known."""

SAMPLES = 12


@dataclass(frozen=True, eq=False)
class Learned:
    """The learner after some answers.

    Attributes:
        known: Features of the answered cases, shape (answered, dimensions).
        middle: Mean one-hot code of them, shape (classes,).
        inverse: Inverse of their kernel matrix plus noise, shape (answered, answered).
        weights: Kernel weights of the codes, shape (answered, classes).
    """

    known: FloatArray
    middle: FloatArray
    inverse: FloatArray
    weights: FloatArray


def learn(task: ToyTask, labelled: IntArray) -> Learned:
    """Fit the learner to the labelled cases of the pool.

    Args:
        task: The task.
        labelled: Indices of the labelled cases, at least one, shape (labelled,).
    """
    known, codes = task.features[labelled], np.eye(task.count)[task.classes[labelled]]
    middle = codes.mean(axis=0)
    inverse = np.linalg.inv(_kernel(known, known) + NOISE * np.eye(len(known)))
    return Learned(known, middle, inverse, inverse @ (codes - middle))


def mean_answers(learned: Learned, features: FloatArray) -> FloatArray:
    """Probabilities at the posterior's mean, shape (cases, classes)."""
    from scipy.special import softmax

    answers: FloatArray = softmax(SHARPNESS * (learned.middle + _kernel(features, learned.known) @ learned.weights), axis=1)
    return answers


def sampled_answers(learned: Learned, features: FloatArray, rng: np.random.Generator) -> ClassSamples:
    """Draws from the posterior, each case on its own, shape (`SAMPLES`, cases, classes)."""
    from scipy.special import softmax

    reach = _kernel(features, learned.known)
    spread = np.sqrt(np.maximum(1.0 - np.einsum("nk,kl,nl->n", reach, learned.inverse, reach), 0.0))
    draws = spread[:, None] * rng.normal(size=(SAMPLES, len(reach), len(learned.middle)))
    answers: ClassSamples = softmax(SHARPNESS * (learned.middle + reach @ learned.weights + PRIOR_SPREAD * draws), axis=2)
    return answers


def held_out_loss(task: ToyTask, probabilities: FloatArray) -> float:
    """Brier score on the test cases: mean squared distance to the one-hot answer, 0 to 2."""
    codes = np.eye(probabilities.shape[1])[task.test_classes]
    return float(((probabilities - codes) ** 2).sum(axis=1).mean())


def held_out_accuracy(task: ToyTask, probabilities: FloatArray) -> float:
    """Share of the test cases whose likeliest class is right."""
    return float((probabilities.argmax(axis=1) == task.test_classes).mean())


def _kernel(a: FloatArray, b: FloatArray) -> FloatArray:
    from scipy.spatial.distance import cdist

    near: FloatArray = np.exp(-cdist(a, b, "sqeuclidean") / (LENGTH_SCALE**2 * a.shape[1]))
    return near
