"""What an answer would do to the last layer of a softmax model, in closed form.

For logits z = W (h, 1) and cross entropy, the gradient by W for an answer c is (p - e_c) ⊗ (h, 1). Its mean outer product over
c ~ p, the Fisher information of the case, is (diag(p) - p pᵀ) ⊗ (h, 1)(h, 1)ᵀ.
"""

import numpy as np

from medloop.core.arrays import CaseProbabilities, CaseScores, Features, FloatArray
from medloop.core.errors import InputError, ShapeError
from medloop.query.diversity.tables import checked_table
from medloop.query.probabilities import SUM_TOLERANCE


def expected_gradient_length(features: Features, probabilities: CaseProbabilities) -> CaseScores:
    """How far one step on the case's answer would move the last layer, on average over the answers the model expects.

    Args:
        features: Input h of the last layer, shape (cases, dimensions).
        probabilities: Shape (cases, classes); rows sum to 1.

    Returns:
        Σ_c p_c ‖p - e_c‖ ‖(h, 1)‖, shape (cases,), 0 or more.

    Raises:
        ShapeError: Not two tables with one row per case.
        InputError: NaN, infinity, or probabilities that are none.

    Source: Settles, Craven and Ray 2008, "Multiple-instance active learning"; Settles 2009, section 3.3.
    """
    inputs = with_bias(checked_table(features, "features").astype(np.float64, copy=False))
    shares = checked_probabilities(probabilities, len(inputs))
    # ‖p - e_c‖² = ‖p‖² - 2 p_c + 1
    errors = np.sqrt(np.maximum((shares**2).sum(axis=1, keepdims=True) - 2.0 * shares + 1.0, 0.0))
    lengths: CaseScores = (shares * errors).sum(axis=1) * np.linalg.norm(inputs, axis=1)
    return lengths


def class_factors(probabilities: CaseProbabilities) -> FloatArray:
    """L with L Lᵀ = diag(p) - p pᵀ for every case: column c is √p_c (e_c - p).

    Args:
        probabilities: Shape (cases, classes); rows sum to 1.

    Returns:
        Shape (cases, classes, classes).
    """
    classes = probabilities.shape[1]
    return (np.eye(classes) - probabilities[:, :, None]) * np.sqrt(probabilities)[:, None, :]


def with_bias(table: FloatArray) -> FloatArray:
    """The table with a column of ones, for the layer's bias."""
    return np.hstack([table, np.ones((len(table), 1))])


def checked_probabilities(probabilities: CaseProbabilities, cases: int) -> FloatArray:
    """The probabilities as float64 with rows that sum to exactly 1, if they are some.

    Raises:
        ShapeError: Not one row per case.
        InputError: NaN, negative, or rows that do not sum to 1.
    """
    if probabilities.ndim != 2 or len(probabilities) != cases:
        raise ShapeError(f"Probabilities need one row per case ({cases}), got shape {probabilities.shape}")
    shares = probabilities.astype(np.float64)
    sums = shares.sum(axis=1, keepdims=True)
    if not (np.isfinite(shares).all() and (shares >= 0).all() and (np.abs(sums - 1.0) <= SUM_TOLERANCE).all()):
        raise InputError(
            "Probabilities must be finite, not negative, and sum to 1 over the classes", remedy="apply softmax to logits first"
        )
    scaled: FloatArray = shares / sums
    return scaled
