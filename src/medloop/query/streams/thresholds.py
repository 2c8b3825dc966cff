"""When a case that passes by is worth a question: a rule moves a threshold from case to case.

A rule is a frozen configuration. It turns the state so far and the value of one case into a verdict and the next state, and knows
nothing of cases to come. `medloop.loop.querying.streaming` keeps the state.
"""

from dataclasses import dataclass, replace

import numpy as np

from medloop.core.errors import InputError
from medloop.query.streams.verdicts import StreamState, Verdict, require


@dataclass(frozen=True)
class FixedThreshold:
    """Ask whenever the score reaches the threshold.

    Attributes:
        threshold: In the unit of the score.
    """

    threshold: float

    def __post_init__(self) -> None:
        require(bool(np.isfinite(self.threshold)), f"A threshold must be finite, got {self.threshold}")

    def start(self) -> StreamState:
        """The state before the first case."""
        return StreamState(threshold=self.threshold)

    def judge(self, state: StreamState, score: float) -> tuple[Verdict, StreamState]:
        """Ask at the threshold or above it, which stays."""
        return _cut(state, score, state.threshold, next_threshold=(state.threshold, state.threshold))


@dataclass(frozen=True)
class TargetRate:
    """Ask a given share of the cases, whatever the scores do: θ rises by step (1 - rate) after a question, falls by step rate after none.

    θ then tracks the (1 - rate) quantile of the scores. Because θ stays within a step of their range, the share of questions among
    T cases differs from the rate by at most (range + step) / (step T), on every stream, drifting or not, if θ starts within the range.

    Attributes:
        rate: Share of cases to ask, above 0 and below 1.
        start_at: First threshold, in the unit of the score.
        step: How far one case moves it, in the unit of the score; a fiftieth of the usual range forgets a drift in about
            50 / rate cases.

    Source: Robbins and Monro 1951, doi:10.1214/aoms/1177729586; with a constant step as in Gibbs and Candès 2021, arXiv:2106.00170.
    """

    rate: float
    start_at: float = 0.5
    step: float = 0.02

    def __post_init__(self) -> None:
        require(0 < self.rate < 1, f"The share of cases to query must lie between 0 and 1, got {self.rate}")
        require(0 < self.step < np.inf, f"The step of a threshold must be above 0, got {self.step}")
        require(bool(np.isfinite(self.start_at)), f"A threshold must be finite, got {self.start_at}")

    def start(self) -> StreamState:
        """The state before the first case."""
        return StreamState(threshold=self.start_at)

    def judge(self, state: StreamState, score: float) -> tuple[Verdict, StreamState]:
        """Ask at the threshold or above it, which then moves."""
        after = (state.threshold - self.step * self.rate, state.threshold + self.step * (1.0 - self.rate))
        return _cut(state, score, state.threshold, next_threshold=after)


@dataclass(frozen=True)
class VariableUncertainty:
    """Ask the least sure cases of the moment, within a budget: the rule VarUncertainty, and RandVarUncertainty if `spread` is above 0.

    Confidence is 1 - score. A case is asked if its confidence lies below θ and recent spending below the budget; θ shrinks by the
    step after a question and grows by it after a case that was sure.

    Attributes:
        budget: Largest share of cases to ask, above 0, at most 1.
        step: Relative change of θ per case.
        window: Cases over which spending is averaged.
        spread: θ is multiplied by a draw of N(1, spread²) for every case, so that every case has a chance; 0 for none.
        seed: Of these draws.

    Source: Žliobaitė et al. 2014, doi:10.1109/TNNLS.2012.2236570.
    """

    budget: float
    step: float = 0.01
    window: int = 100
    spread: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        require(0 < self.budget <= 1, f"The budget is a share of the cases, above 0 and at most 1, got {self.budget}")
        require(0 < self.step < 1, f"The step of a threshold must lie between 0 and 1, got {self.step}")
        require(self.window >= 1, f"Spending needs a window of at least 1 case, got {self.window}")
        require(0 <= self.spread < np.inf and self.seed >= 0, f"Spread and seed must be 0 or more, got {self.spread} and {self.seed}")

    def start(self) -> StreamState:
        """The state before the first case."""
        return StreamState(threshold=1.0)

    def judge(self, state: StreamState, score: float) -> tuple[Verdict, StreamState]:
        """Ask below the threshold of confidence while the budget lasts.

        Raises:
            InputError: A score outside 0..1.
        """
        if not 0 <= score <= 1:
            raise InputError(f"Variable uncertainty needs scores within 0..1, got {score}", remedy="use least_confidence")
        drawn = np.random.default_rng((self.seed, state.seen)).normal(1.0, self.spread) if self.spread else 1.0
        cut = 1.0 - state.threshold * float(drawn)
        if state.spending >= self.budget:
            reason = f"the budget is spent ({state.spending:.0%} of recent cases queried)"
            verdict, after = Verdict(False, cut, reason), replace(state, seen=state.seen + 1)
        else:
            factors = (state.threshold * (1.0 + self.step), state.threshold * (1.0 - self.step))
            verdict, after = _cut(state, score, cut, next_threshold=factors)
        spending = state.spending + (float(verdict.query) - state.spending) / self.window
        return verdict, replace(after, spending=spending)


def _cut(state: StreamState, score: float, threshold: float, *, next_threshold: tuple[float, float]) -> tuple[Verdict, StreamState]:
    """Compare and count; `next_threshold` holds what follows a skipped and an asked case."""
    if not np.isfinite(score):
        raise InputError(f"A score must be a finite number, got {score}")
    ask = score >= threshold
    reason = f"score {score:.3g} {'reaches' if ask else 'stays below'} {threshold:.3g}"
    return Verdict(ask, threshold, reason), replace(state, seen=state.seen + 1, asked=state.asked + ask, threshold=next_threshold[ask])
