"""BADGE: k-means++ over the gradients a model's answers would cause, without ever building a gradient.

The gradient of the loss by the last layer's weights, with the likeliest class taken as the answer, is the outer
product g = q ⊗ h of q = p - onehot(argmax p) and the embedding h. So ⟨g_i, g_j⟩ = (q_i · q_j)(h_i · h_j), and a table
(cases, classes × dimensions) is not needed.

Draws in proportion to the squared distance D² to the nearest pick are made by rejection: D² only falls, so older
values are upper bounds; a case drawn by its older value is kept with the chance new / old. That is the k-means++
distribution exactly. When too many draws are rejected, all values are brought up to date.
"""

from dataclasses import dataclass

import numpy as np

from medloop.core.arrays import CaseProbabilities, Features, FloatArray
from medloop.core.errors import InputError, ShapeError
from medloop.query.diversity.tables import BLOCK_NUMBERS, checked_table, product, squared_lengths
from medloop.query.pool import checked_number
from medloop.query.probabilities import checked

_REJECTIONS = 32
"""Rejected draws since the last refresh after which values are refreshed: about as costly as a refresh."""


@dataclass(frozen=True)
class Draw:
    """One case drawn by k-means++.

    Attributes:
        index: The case.
        squared_distance: From its gradient to the nearest one drawn before; of the first, its squared length.
        probability: The chance of this draw, or None where it was certain or not worked out.
    """

    index: int
    squared_distance: float
    probability: float | None


def badge(features: Features, probabilities: CaseProbabilities, count: int, rng: np.random.Generator) -> list[Draw]:
    """Draw cases whose gradients are long and far from each other.

    The first is the case of the longest gradient (ties: the lower index), as in the authors' program; every other
    is drawn with a chance in proportion to D². When all that is left has D² = 0, it is drawn evenly. Cost: cases ×
    count × dimensions multiplications at most; memory for a few numbers per case.

    Args:
        features: Inputs of the model's last layer, shape (cases, dimensions).
        probabilities: Shape (cases, classes); rows sum to 1.
        count: How many to draw; at most all cases.
        rng: Source of the draws.

    Returns:
        Distinct cases in order of drawing.

    Raises:
        ShapeError: Not tables of as many rows.
        InputError: NaN or infinity, what is no probability (logits), or gradients without any length or too long to square.
        SettingError: A negative count.

    Source: Ash et al. 2020, arXiv:1906.03671, algorithm 1; Arthur and Vassilvitskii 2007, k-means++.
    """
    wanted = checked_number(count, len(features))
    table, answers = checked_table(features, "features"), checked_table(probabilities, "probabilities")
    if len(table) != len(answers):
        raise ShapeError(f"BADGE needs features and probabilities of the same cases, got {len(table)} and {len(answers)}")
    checked(answers[None])
    if not wanted:
        return []
    gradients = Gradients(table, answers.astype(table.dtype, copy=False))
    if not np.isfinite(gradients.squares).all():
        raise InputError("Gradients must have finite lengths", remedy="scale the features down")
    seeding = _Seeding(gradients, wanted)
    draws = [seeding.take_longest()]
    while len(draws) < wanted:
        draws.append(seeding.draw(rng))
    return draws


class Gradients:
    """Gradients q ⊗ h as their two factors.

    Attributes:
        squares: Squared length of each, shape (cases,).
    """

    def __init__(self, embeddings: Features, probabilities: CaseProbabilities) -> None:
        self._embeddings = embeddings
        self._errors = probabilities.copy()
        self._errors[np.arange(len(probabilities)), probabilities.argmax(axis=1)] -= 1.0
        self.squares: FloatArray = squared_lengths(self._errors).astype(np.float64) * squared_lengths(embeddings)

    def squared_distances(self, some: slice | int, to: list[int]) -> FloatArray:
        """Between those cases and these, shape (some, to); what rounding leaves between equals is 0."""
        products = product(self._embeddings[some], self._embeddings[to].T) * product(self._errors[some], self._errors[to].T)
        lengths = np.atleast_1d(self.squares[some])[:, None] + self.squares[to]
        distances: FloatArray = lengths - 2.0 * np.atleast_2d(products)
        rounding = 4.0 * np.finfo(self._embeddings.dtype).eps * np.sqrt(self._embeddings.shape[1])
        distances[distances < rounding * lengths] = 0.0
        return distances


class _Seeding:
    """k-means++ by rejection: `_stale` holds D² to the first `_refreshed` picks, an upper bound of D² to all."""

    def __init__(self, gradients: Gradients, count: int) -> None:
        self._gradients, self._count = gradients, count
        self._stale = gradients.squares.copy()
        self._sums = self._stale
        self._picks: list[int] = []
        self._refreshed = self._rejected = 0

    def take_longest(self) -> Draw:
        """The case of the longest gradient, which is no draw."""
        first = int(np.argmax(self._stale))
        length = float(self._stale[first])
        self._stale[:] = np.inf
        self._picks.append(first)
        self._refresh()
        return Draw(first, length, None)

    def draw(self, rng: np.random.Generator) -> Draw:
        """One more case, by its squared distance to the nearest pick."""
        while self._sums[-1] > 0:
            case = int(np.searchsorted(self._sums, rng.random() * self._sums[-1], side="right"))
            older = float(self._stale[case])
            newer = self._newer(case)
            if rng.random() * older < newer:
                return self._drawn(case, newer, None if self._stale_picks() else newer / float(self._sums[-1]))
            self._rejected += 1
            if self._rejected >= _REJECTIONS:
                self._refresh()
        left = np.setdiff1d(np.arange(len(self._stale)), self._picks)
        return self._drawn(int(rng.choice(left)), 0.0, 1.0 / len(left))

    def _stale_picks(self) -> list[int]:
        return self._picks[self._refreshed :]

    def _newer(self, case: int) -> float:
        """D² of a case to all picks."""
        later = self._stale_picks()
        if case in later:
            return 0.0
        known = float(self._stale[case])
        return min(known, float(self._gradients.squared_distances(case, later).min())) if later else known

    def _drawn(self, case: int, distance: float, probability: float | None) -> Draw:
        self._picks.append(case)
        return Draw(case, distance, probability)

    def _refresh(self) -> None:
        """Bring D² of every case up to date with all picks."""
        later = self._stale_picks()
        block = max(1, BLOCK_NUMBERS // (8 * len(later)))
        for start in range(0, len(self._stale), block):
            some = slice(start, start + block)
            np.minimum(self._stale[some], self._gradients.squared_distances(some, later).min(axis=1), out=self._stale[some])
        self._stale[later] = 0.0
        self._sums = np.cumsum(self._stale)
        self._refreshed, self._rejected = len(self._picks), 0
