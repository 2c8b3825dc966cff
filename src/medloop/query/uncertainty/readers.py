"""How probably two people who read a case will differ, from what a model expects of people.

A model that learned from how far readers differ (soft targets) says of each class how many readers would give it. One that learned what
each annotator makes of each class (an annotator model) says what is true, and how the people would confuse it.

Source: Raghu et al. 2019, Direct uncertainty prediction for medical second opinions, arXiv:1807.01771, section 2: the probability that two
    grades differ.
"""

from itertools import combinations

import numpy as np

from medloop.core.arrays import FloatArray
from medloop.core.errors import ShapeError


def expected_disagreement(samples: FloatArray, *, axis: int = 1) -> FloatArray:
    """The probability that two readers differ, when each gives a class as often as the model says: the mean over the samples.

    Each sample by itself, so that what the samples disagree on, which more annotations would settle, does not count.

    Args:
        samples: Class probabilities, samples on the first axis, for example (samples, classes, I, J, K).
        axis: Which axis holds the classes.

    Returns:
        The other axes, 0 (all readers agree) to 1 - 1/classes.
    """
    found: FloatArray = 1.0 - np.square(samples).sum(axis=axis).mean(axis=0)
    return found


def confused_disagreement(samples: FloatArray, confusions: FloatArray, *, axis: int = 1) -> FloatArray:
    """The probability that two annotators differ, when each confuses the classes in their own way: the mean over the pairs.

    Args:
        samples: As for `expected_disagreement`; of the network, so of what is true.
        confusions: Row: true class, column: annotated; shape (annotators, classes, classes), two annotators at least.
        axis: Which axis holds the classes.

    Raises:
        ShapeError: One annotator, or confusions of other classes than the samples.
    """
    matrices = np.asarray(confusions)
    if matrices.ndim != 3 or len(matrices) < 2 or matrices.shape[1:] != (samples.shape[axis],) * 2:
        rule = f"Confusions of two annotators or more and {samples.shape[axis]} classes are needed"
        raise ShapeError(f"{rule}, got shape {matrices.shape}")
    each = np.mean([1.0 - (a * b).sum(axis=1) for a, b in combinations(matrices, 2)], axis=0)
    found: FloatArray = np.moveaxis(samples.mean(axis=0), axis - 1 if axis > 0 else axis, -1) @ each
    return found
