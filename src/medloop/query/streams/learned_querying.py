"""Learn from feedback which cases are worth a question: logistic regression, one case at a time."""

from dataclasses import dataclass, replace

import numpy as np

from medloop.core.arrays import FloatArray
from medloop.core.errors import InputError
from medloop.query.streams.verdicts import StreamState, Verdict, require


@dataclass(frozen=True)
class LearnedQuerying:
    """Ask when the chance that an annotation is worth its price reaches the price.

    The chance is a logistic regression on the case's features, fitted step by step (AdaGrad) to what came back: was the model's
    proposal corrected? A case that was skipped teaches nothing, so a few are asked at random, or the rule could never
    notice that it became wrong.

    Attributes:
        dimensions: Numbers per case, for example its doubt, its distance to answered cases, and its predicted minutes.
        price: What a question costs, as a share of the worth of a useful answer, above 0 and below 1.
        explore: Chance that a case is asked though it does not look worth it, 0..1.
        step: Learning rate.
        seed: Of the draws.

    Source: the reward of Woodward and Finn 2017, arXiv:1702.06559 (ask or answer, one case at a time), with the network replaced
    by a linear model; Duchi et al. 2011, JMLR 12:2121 (AdaGrad).
    """

    dimensions: int
    price: float = 0.5
    explore: float = 0.05
    step: float = 0.5
    seed: int = 0

    def __post_init__(self) -> None:
        require(self.dimensions >= 1, f"A learned rule needs at least 1 number per case, got {self.dimensions}")
        require(0 < self.price < 1, f"The price of a question must lie between 0 and 1, got {self.price}")
        require(0 <= self.explore <= 1, f"The chance to explore must lie within 0..1, got {self.explore}")
        require(0 < self.step < np.inf and self.seed >= 0, f"The step must be above 0 and the seed 0 or more, got {self.step}, {self.seed}")

    def start(self) -> StreamState:
        """The state before the first case: every case looks worth half."""
        nothing = (0.0,) * (self.dimensions + 1)
        return StreamState(threshold=self.price, weights=nothing, squares=nothing)

    def judge(self, state: StreamState, features: FloatArray) -> tuple[Verdict, StreamState]:
        """Ask at the price or above it, and now and then below.

        Raises:
            InputError: Another number of features, or NaN or infinity among them.
        """
        worth = self.worth(state, features)
        explored = bool(np.random.default_rng((self.seed, state.seen)).random() < self.explore)
        ask = worth >= self.price or explored
        relation = "reaches" if worth >= self.price else "stays below"
        reason = f"chance {worth:.0%} that an annotation is worth it {relation} the price {self.price:.0%}"
        reason += "; queried to learn" if ask and worth < self.price else ""
        return Verdict(ask, self.price, reason), replace(state, seen=state.seen + 1, asked=state.asked + ask)

    def worth(self, state: StreamState, features: FloatArray) -> float:
        """The chance that asking this case is worth it, 0..1.

        Raises:
            InputError: Another number of features, or NaN or infinity among them.
        """
        from scipy.special import expit

        return float(expit(np.dot(state.weights, self._inputs(features))))

    def learn(self, state: StreamState, features: FloatArray, worthwhile: bool) -> StreamState:
        """The state after one more answered case: one AdaGrad step on its log loss.

        Raises:
            InputError: Another number of features, or NaN or infinity among them.
        """
        gradient = (self.worth(state, features) - float(worthwhile)) * self._inputs(features)
        squares = np.asarray(state.squares) + gradient**2
        moved = np.divide(gradient, np.sqrt(squares), out=np.zeros_like(squares), where=squares > 0)
        weights = np.asarray(state.weights) - self.step * moved
        return replace(state, weights=tuple(weights.tolist()), squares=tuple(squares.tolist()))

    def _inputs(self, features: FloatArray) -> FloatArray:
        values = np.asarray(features, dtype=np.float64)
        if values.shape != (self.dimensions,) or not np.isfinite(values).all():
            raise InputError(f"A case needs {self.dimensions} finite numbers, got {np.array2string(values, threshold=8)}")
        return np.append(values, 1.0)
