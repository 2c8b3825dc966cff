"""Learn during a project which of several strategies serves it best.

    bandit = StrategyBandit(("entropy", "coreset", "random"))
    proposals = bandit.propose(pool, 10, rng)        # ask these, train, and measure
    bandit.reward(proposals, value)                  # for example the rise of `importance_weighted_accuracy`
    kept = bandit.to_json()

Every case is drawn with a known chance, so that what is measured on the answers can be corrected for how they were chosen. The rise of a
metric between two rounds is noisy: with fewer than some ten rounds the bandit is hardly better than drawing strategies at random.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from medloop.core.arrays import BoolArray, FloatArray
from medloop.core.errors import FormatError, InputError, MedloopError, SettingError
from medloop.query.pool import Pick, Pool, checked_count
from medloop.query.strategies import strategy


@dataclass(frozen=True)
class Proposal:
    """A drawn case and who wanted it.

    Attributes:
        pick: The case; its probability is the chance of this draw.
        backers: Strategies whose next case it was.
    """

    pick: Pick
    backers: tuple[str, ...]


class StrategyBandit:
    """EXP4 with strategies as the experts; not safe for several threads at once.

    Args:
        names: Registered strategies, two or more, all different.
        explore: γ, share of the draws that are spread evenly, above 0 and at most 1.
        forget: α, share of all weight that is spread evenly at every reward, 0..1: which strategy is best changes as answers come in.

    Attributes:
        names: The same.
        explore: The same.
        forget: The same.
        log_weights: Natural log of each strategy's weight, the largest 0, shape (strategies,).

    Raises:
        SettingError: Fewer than two strategies, one twice, or a share outside its range.
        NotFoundError: A strategy that is not registered.

    Source: Hsu and Lin 2015, doi:10.1609/aaai.v29i1.9597 (active learning by learning), with EXP4 and the sharing of
    EXP3.S (Auer et al. 2002, doi:10.1137/S0097539701398375, sections 7 and 8) in place of EXP4.P.
    """

    def __init__(self, names: Sequence[str], *, explore: float = 0.2, forget: float = 0.01) -> None:
        if len(names) < 2 or len(set(names)) != len(names):
            raise SettingError(f"A bandit needs two or more different strategies, got {list(names)}")
        if not (0 < explore <= 1 and 0 <= forget <= 1):
            raise SettingError(f"Shares must lie within 0..1, and that of even draws above 0, got {explore} and {forget}")
        self._strategies = {name: strategy(name) for name in names}
        self.names = tuple(names)
        self.explore = explore
        self.forget = forget
        self.log_weights: FloatArray = np.zeros(len(names))

    @property
    def needs(self) -> frozenset[str]:
        """What a pool must hold for all of the strategies."""
        return frozenset().union(*(found.needs for found in self._strategies.values()))

    def chances(self) -> FloatArray:
        """Chance of each strategy to be followed at a draw, shape (strategies,); at least explore / strategies."""
        from scipy.special import softmax

        chances: FloatArray = (1.0 - self.explore) * softmax(self.log_weights) + self.explore / len(self.names)
        return chances

    def propose(self, pool: Pool, count: int, rng: np.random.Generator) -> list[Proposal]:
        """Draw cases one by one: a strategy by its chance, then the best case of its list that is not drawn yet.

        Args:
            pool: Must hold what all of the strategies need.
            count: How many; at most the whole pool.
            rng: Source of randomness.

        Raises:
            InputError: The pool lacks what a strategy needs.
            SettingError: A negative count.
        """
        wanted = checked_count(pool, count)
        arranged, places = pool.in_order()
        lists = [found.select(arranged, wanted, rng) for found in self._strategies.values()]
        drawn = _draw_from(lists, self.chances(), wanted, rng)
        return [Proposal(replace(p, index=places[p.index]), tuple(self.names[k] for k in wanting)) for p, wanting in drawn]

    def reward(self, proposals: Sequence[Proposal], value: float) -> None:
        """Tell how well a batch served: strategies that wanted its cases gain weight, the more the rarer the draw was.

        Args:
            proposals: What `propose` gave, answered by now.
            value: 0 (useless) to 1; for example the accuracy reached, or its rise divided by the largest rise so far.

        Raises:
            InputError: No proposals, a value outside 0..1, or proposals of other strategies.
        """
        from scipy.special import softmax

        if not proposals or not 0 <= value <= 1:
            raise InputError(f"A reward within 0..1 for at least one proposal is needed, got {value} for {len(proposals)}")
        if unknown := {name for one in proposals for name in one.backers} - set(self.names):
            raise InputError(f"These proposals come from other strategies: {', '.join(sorted(unknown))}")
        estimates = [np.mean([value / (p.pick.probability or 1.0) * (name in p.backers) for p in proposals]) for name in self.names]
        weights = softmax(self.log_weights + self.explore / len(self.names) * np.array(estimates))
        shared = np.log(np.maximum((1.0 - self.forget) * weights + self.forget / len(weights), np.finfo(np.float64).tiny))
        self.log_weights = shared - shared.max()

    def to_json(self) -> str:
        """Strategies, settings and weights as text."""
        weights = dict(zip(self.names, self.log_weights.tolist(), strict=True))
        return json.dumps({"explore": self.explore, "forget": self.forget, "log_weights": weights}, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> "StrategyBandit":
        """A bandit that goes on where another stopped.

        Raises:
            FormatError: Text that `to_json` did not write.
        """
        try:
            kept: Mapping[str, Any] = json.loads(text)
            bandit = cls(list(kept["log_weights"]), explore=kept["explore"], forget=kept["forget"])
            bandit.log_weights = np.array(list(kept["log_weights"].values()), dtype=np.float64)
            if not np.isfinite(bandit.log_weights).all():
                raise ValueError("weights must be finite")
        except (ValueError, KeyError, TypeError, AttributeError, MedloopError) as error:
            raise FormatError(f"Not the state of a bandit: {error}", remedy="start a new StrategyBandit") from error
        return bandit


def importance_weighted_accuracy(right: BoolArray, probabilities: FloatArray) -> float:
    """Accuracy on answered cases, corrected for how they were drawn.

    Args:
        right: Whether the model was right on each answered case, shape (answered,), at least one.
        probabilities: Chance with which each was drawn, above 0, shape (answered,).

    Returns:
        Σ right / probability over Σ 1 / probability, 0..1.

    Raises:
        InputError: No case, other lengths, or a chance that is not above 0 and at most 1.

    Source: Hsu and Lin 2015 (importance-weighted accuracy), divided by the sum of the weights (Hájek) in place of the size of the pool.
    """
    if not len(right) or np.shape(right) != np.shape(probabilities) or not ((probabilities > 0) & (probabilities <= 1)).all():
        raise InputError("Every answered case needs the chance of its draw, above 0 and at most 1", remedy="use Pick.probability")
    return float(np.average(right, weights=1.0 / probabilities))


def _draw_from(
    lists: Sequence[Sequence[Pick]], chances: FloatArray, count: int, rng: np.random.Generator
) -> list[tuple[Pick, tuple[int, ...]]]:
    """Picks with the chance of each draw, and the strategies whose next case each was."""
    drawn: dict[int, tuple[Pick, tuple[int, ...]]] = {}
    while len(drawn) < count:
        next_ones = [next(pick for pick in ranked if pick.index not in drawn) for ranked in lists]
        followed = int(rng.choice(len(lists), p=chances))
        index = next_ones[followed].index
        wanting = tuple(k for k, pick in enumerate(next_ones) if pick.index == index)
        found = next_ones[followed]
        drawn[index] = (replace(found, probability=min(1.0, float(chances[list(wanting)].sum()))), wanting)
    return list(drawn.values())
