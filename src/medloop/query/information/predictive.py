"""Ask what teaches most about the answers to other cases, not about the model's weights."""

import numpy as np

from medloop.core.arrays import CaseScores, ClassSamples, FloatArray
from medloop.core.errors import ShapeError
from medloop.query.information.last_layer import checked_probabilities
from medloop.query.scores import entropy

_BLOCK_NUMBERS = 1 << 22
"""Joint probabilities held at once: 32 MB of float64."""


def predictive_information(samples: ClassSamples, targets: ClassSamples) -> CaseScores:
    """Expected information that a case's answer gives about the answer to a target case (EPIG).

    Per case and target it is the mutual information of the joint answer Σ_s p_s(y) p_s(y*) / S, averaged over the targets.
    Cost: cases × targets × classes² × samples multiplications, in blocks.

    Args:
        samples: Shape (samples, cases, classes), at least two samples.
        targets: The cases that matter, answered by the same draws of the model, shape (samples, targets, classes).

    Returns:
        Nats, shape (cases,), 0 to ln(classes).

    Raises:
        ShapeError: Other axes, a single sample, no target, or tables of different samples or classes.
        InputError: NaN, or probabilities that are none.

    Source: Bickford Smith et al. 2023, arXiv:2304.08151 (EPIG by its joint predictive distribution).
    """
    own, other = _checked(samples), _checked(targets)
    if own.shape[::2] != other.shape[::2] or len(own) < 2 or not other.shape[1]:
        raise ShapeError(f"EPIG needs >= 2 samples, >= 1 target and equal samples and classes, got {own.shape} and {other.shape}")
    doubts, target_doubts = entropy(own.mean(axis=0)), entropy(other.mean(axis=0))
    step = max(1, _BLOCK_NUMBERS // (other.shape[1] * own.shape[2] ** 2))
    joint = np.concatenate([_joint_entropy(own[:, n : n + step], other) for n in range(0, own.shape[1], step)] or [np.zeros((0, 1))])
    gains: CaseScores = np.maximum(doubts[:, None] + target_doubts - joint, 0.0).mean(axis=1)
    return gains


def _joint_entropy(own: FloatArray, other: FloatArray) -> FloatArray:
    """Entropy of the joint answer of every case and target, shape (cases, targets)."""
    from scipy.special import xlogy

    draws, cases, classes = own.shape
    joint = (own.reshape(draws, -1).T @ other.reshape(draws, -1) / draws).reshape(cases, classes, -1, classes)
    doubt: FloatArray = -xlogy(joint, joint).sum(axis=(1, 3))
    return doubt


def _checked(samples: ClassSamples) -> FloatArray:
    if samples.ndim != 3:
        raise ShapeError(f"Samples have axes (samples, cases, classes), got shape {samples.shape}")
    rows = samples.reshape(-1, samples.shape[2])
    return checked_probabilities(rows, len(rows)).reshape(samples.shape)
