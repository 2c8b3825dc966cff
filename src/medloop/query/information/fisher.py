"""Choose cases whose answers tell most about the last layer: least tr(M⁻¹ F).

F is the mean Fisher information of the pool (what the layer must know), M that of the answered and chosen cases plus a prior.
Adding a case with factor V (its information is V Vᵀ, rank < classes) lowers the trace by

    tr((I + Vᵀ M⁻¹ V)⁻¹ Vᵀ M⁻¹ F M⁻¹ V)

and removing it raises the trace by the same with I - Vᵀ M⁻¹ V (Woodbury). V = L ⊗ h is never formed: all products go through
the blocks of M⁻¹, seen as (classes, inputs, classes, inputs).
"""

from dataclasses import dataclass

import numpy as np

from medloop.core.arrays import CaseProbabilities, CaseScores, FloatArray
from medloop.core.errors import SettingError
from medloop.query.information.last_layer import checked_probabilities, class_factors

PRIOR = 1.0
"""λ in M = λ I + …: a standard normal prior on the weights for inputs of mean square 1 (Ash et al. 2021 use 1 as well)."""

_BLOCK_NUMBERS = 1 << 22
"""Numbers held at once in products with all cases: 32 MB of float64."""


@dataclass(frozen=True, eq=False)
class LastLayerCases:
    """Cases as the last layer sees them.

    Attributes:
        inputs: h with a bias column, shape (cases, inputs).
        factors: L with L Lᵀ = diag(p) - p pᵀ, shape (cases, classes, classes).
    """

    inputs: FloatArray
    factors: FloatArray


def last_layer_cases(inputs: FloatArray, probabilities: CaseProbabilities) -> LastLayerCases:
    """Cases from their inputs, shape (cases, inputs), and probabilities, shape (cases, classes).

    Raises:
        ShapeError: Not one row of probabilities per case.
        InputError: Probabilities that are none.
    """
    return LastLayerCases(inputs, class_factors(checked_probabilities(probabilities, len(inputs))))


def information(cases: LastLayerCases) -> FloatArray:
    """Sum of the cases' Fisher information, shape (classes × inputs, classes × inputs)."""
    covariances = cases.factors @ cases.factors.transpose(0, 2, 1)
    classes, width = covariances.shape[1], cases.inputs.shape[1]
    blocks = [[(cases.inputs * covariances[:, a, b, None]).T @ cases.inputs for b in range(classes)] for a in range(classes)]
    return np.block(blocks) if classes else np.zeros((width, width))


def choose_informative(
    pool: LastLayerCases, answered: LastLayerCases, count: int, *, spare: int = 0, prior: float = PRIOR
) -> list[tuple[int, float]]:
    """Greedily the cases that lower tr(M⁻¹ F) most; with spare ones, of which the least missed are taken out again.

    Cost: (count + spare) × cases × (classes × inputs)² multiplications; memory for two matrices of (classes × inputs)² numbers.

    Args:
        pool: The cases that may be chosen; F is their mean information.
        answered: Cases that are known already; may be empty.
        count: How many to choose; at most all cases.
        spare: How many more to choose first and to take out again (the backward pass of BAIT); 0 for none.
        prior: λ, above 0.

    Returns:
        (index, fall of the trace when it was added) in order of choosing.

    Raises:
        SettingError: A negative count or spare, or a prior that is not positive.

    Source: Ash et al. 2021, arXiv:2106.09675, algorithm 1; Sourati et al. 2019, doi:10.1109/TMI.2019.2907805 (the same aim).
    """
    if count < 0 or spare < 0 or not prior > 0:
        raise SettingError(f"Count and spare must be 0 or more and the prior above 0, got {count}, {spare} and {prior}")
    goal = information(pool) / max(1, len(pool.inputs))
    inverse = np.linalg.inv(prior * np.eye(len(goal)) + information(answered))
    picks: dict[int, float] = {}
    for _ in range(min(count + spare, len(pool.inputs)) if count else 0):
        falls = trace_changes(pool, inverse, goal, sign=1.0)
        falls[list(picks)] = -np.inf
        best = int(np.argmax(falls))
        picks[best] = float(falls[best])
        inverse = changed_inverse(inverse, pool, best, sign=1.0)
    return _without_spare(pool, picks, inverse, goal, count)


def trace_changes(cases: LastLayerCases, inverse: FloatArray, goal: FloatArray, *, sign: float) -> CaseScores:
    """By how much tr(M⁻¹ F) falls if each case is added (sign 1), or rises if it is taken out (sign -1).

    Args:
        cases: Cases to weigh.
        inverse: M⁻¹, shape (classes × inputs, classes × inputs).
        goal: F, of the same shape.
        sign: 1 to add, -1 to take out cases that M contains.

    Returns:
        Shape (cases,), 0 or more.
    """
    small = _between(cases, inverse)
    large = _between(cases, inverse @ goal @ inverse)
    middle = np.eye(small.shape[1]) + sign * small
    changes: CaseScores = np.trace(np.linalg.solve(middle, large), axis1=1, axis2=2)
    return changes


def changed_inverse(inverse: FloatArray, cases: LastLayerCases, index: int, *, sign: float) -> FloatArray:
    """M⁻¹ after the case is added (sign 1) or taken out (sign -1), by Woodbury's identity."""
    factor = np.kron(cases.factors[index], cases.inputs[index][:, None])
    reach = inverse @ factor
    middle = np.eye(factor.shape[1]) + sign * factor.T @ reach
    changed: FloatArray = inverse - sign * reach @ np.linalg.solve(middle, reach.T)
    return (changed + changed.T) / 2.0


def _without_spare(
    pool: LastLayerCases, picks: dict[int, float], inverse: FloatArray, goal: FloatArray, count: int
) -> list[tuple[int, float]]:
    """Take out, one by one, the pick that is missed least."""
    left = list(picks)
    while len(left) > count:
        chosen = LastLayerCases(pool.inputs[left], pool.factors[left])
        least = left[int(np.argmin(trace_changes(chosen, inverse, goal, sign=-1.0)))]
        inverse = changed_inverse(inverse, pool, least, sign=-1.0)
        left.remove(least)
    return [(n, picks[n]) for n in left]


def _between(cases: LastLayerCases, matrix: FloatArray) -> FloatArray:
    """Vᵀ matrix V for every case, shape (cases, classes, classes), in blocks of cases."""
    count, classes, width = len(cases.inputs), cases.factors.shape[1], cases.inputs.shape[1]
    blocks = matrix.reshape(classes, width, classes * width)
    found = np.empty((count, classes, classes))
    step = max(1, _BLOCK_NUMBERS // max(1, classes * width))
    for start in range(0, count, step):
        rows = slice(start, start + step)
        inputs = cases.inputs[rows]
        for c in range(classes):
            reach = (inputs @ blocks[c]).reshape(len(inputs), classes, width)
            found[rows, c] = np.einsum("nbi,ni->nb", reach, inputs)
    return cases.factors.transpose(0, 2, 1) @ found @ cases.factors
