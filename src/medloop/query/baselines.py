"""What every other strategy has to beat: random draws, plain and aware of foreground."""

from functools import partial

import numpy as np

from medloop.core.arrays import CaseScores
from medloop.query.pool import Pick, Pool
from medloop.query.strategy import Select, Strategy, draw_weighted, ordered

FOREGROUND_SHARE = 2 / 3
LOW_FOREGROUND_SHARE = 1 / 3
"""Parts of the picks drawn by foreground: the 66 % and 33 % variants of Lüth et al. 2025."""


DRAWN = "drawn at random"
EVEN = "drawn evenly, as some picks of this strategy are"


@ordered
def select_random(pool: Pool, count: int, rng: np.random.Generator) -> list[Pick]:
    """Every case with the same chance, without replacement."""
    cases = len(pool.case_ids)
    drawn = rng.permutation(cases)[:count]
    return [Pick(int(n), 0.0, DRAWN, 1.0 / (cases - place)) for place, n in enumerate(drawn)]


class _Left:
    """How many cases are left, and what their weights add up to: 0 as soon as none above 0 is left, whatever the last bit says."""

    def __init__(self, weights: CaseScores) -> None:
        self._weights = weights
        self._sum, self._positive, self.cases = float(weights.sum()), int((weights > 0).sum()), len(weights)

    @property
    def weight(self) -> float:
        """Of all cases left."""
        return self._sum if self._positive else 0.0

    def take(self, n: int) -> None:
        """A case less."""
        self._sum, self.cases = self._sum - float(self._weights[n]), self.cases - 1
        self._positive -= int(self._weights[n] > 0)


def foreground_aware(score: str, share: float, reason: str) -> Select:
    """The rule that draws a share of the picks in proportion to their foreground, the rest evenly, as every pick's own chance decides.

    So every case left has a chance at every pick, and the chance is known: what was picked can speak for the whole pool
    (`medloop.query.budget.bias`).

    Args:
        score: Name of the foreground share per case, 0..1.
        share: Part of the picks drawn by foreground, 0..1.
        reason: Words for these; `{value}` is replaced by the share of foreground.
    """

    @ordered
    def select(pool: Pool, count: int, rng: np.random.Generator) -> list[Pick]:
        foreground = np.clip(pool.score(score), 0.0, None)
        heavy, evenly = iter(draw_weighted(foreground, count, rng)), iter(rng.permutation(len(foreground)))
        turns, taken, total = rng.random(count) < share, set[int](), _Left(foreground)
        picks = []
        for turn in turns:
            aimed = share if total.weight > 0 else 0.0
            by_foreground = bool(turn and aimed)
            n = next(int(n) for n in (heavy if by_foreground else evenly) if int(n) not in taken)
            chance = (aimed * foreground[n] / total.weight if aimed else 0.0) + (1.0 - aimed) / total.cases
            words = reason.format(value=f"{foreground[n]:.1%}") if by_foreground else EVEN if aimed else DRAWN
            picks.append(Pick(n, float(foreground[n]) if by_foreground else 0.0, words, float(chance)))
            taken.add(n)
            total.take(n)
        return picks

    return select


foreground_guess = partial(foreground_aware, "foreground", reason="foreground-aware random: predicted foreground {value} of the image")
foreground_truth = partial(foreground_aware, "oracle_foreground", reason="foreground-aware random: true foreground {value} of the image")

STRATEGIES: tuple[Strategy, ...] = (
    Strategy(
        name="random",
        title="Random",
        paper="the baseline every comparison needs",
        needs=frozenset(),
        cost="none; needs no model",
        advice="Start with it, and compare with it: hard to beat with few annotations or large batches.",
        select=select_random,
    ),
    Strategy(
        name="foreground",
        title="Foreground-aware random",
        paper="Lüth et al. 2025 (nnActive), arXiv:2511.19183, with the model's prediction in place of the truth",
        needs=frozenset({"foreground"}),
        cost="none beyond a prediction",
        advice="The default for segmentation: a pick is drawn in proportion to the predicted foreground with chance 2/3, else evenly.",
        select=foreground_guess(FOREGROUND_SHARE),
    ),
    Strategy(
        name="foreground-oracle",
        title="Foreground-aware random, true foreground, 66 %",
        paper="Lüth et al. 2025 (nnActive), arXiv:2511.19183",
        needs=frozenset({"oracle_foreground"}),
        cost="none; needs the truth, so simulations only",
        advice="Only as the strong baseline of the literature: it knows what a real project cannot know.",
        select=foreground_truth(FOREGROUND_SHARE),
    ),
    Strategy(
        name="foreground-oracle-33",
        title="Foreground-aware random, true foreground, 33 %",
        paper="Lüth et al. 2025 (nnActive), arXiv:2511.19183",
        needs=frozenset({"oracle_foreground"}),
        cost="none; needs the truth, so simulations only",
        advice="The milder variant of the same baseline.",
        select=foreground_truth(LOW_FOREGROUND_SHARE),
    ),
)
