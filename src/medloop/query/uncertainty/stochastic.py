"""Strategies that add noise to a score, so that a batch is not the same doubt many times over.

Picks are drawn one by one, without replacement, with chances softmax(logits) among the cases left; adding Gumbel noise
to the logits once and taking the highest does just that. The chance of every pick is kept with it.
"""

from collections.abc import Callable

import numpy as np

from medloop.core.arrays import BoolArray, CaseScores, IntArray
from medloop.query.pool import Pick, Pool
from medloop.query.strategy import Select, Strategy, ordered

BETA = 1.0
"""Coldness of the draw in the paper: 0 draws evenly, infinity takes the highest score."""

BATCHES = 1_000
"""Random batches that are compared."""

_LEAST = 1e-12
"""Stands for a score of zero, whose logarithm is none: drawn after all others."""


def power_logits(scores: CaseScores, beta: float) -> CaseScores:
    """Chances in proportion to score^β; scores below 0 count as 0."""
    return beta * np.log(np.maximum(scores, _LEAST))


def softmax_logits(scores: CaseScores, beta: float) -> CaseScores:
    """Chances in proportion to exp(β score)."""
    return beta * scores


def softrank_logits(scores: CaseScores, beta: float) -> CaseScores:
    """Chances in proportion to rank^-β, where the highest score has rank 1 and equal scores follow each other."""
    ranks = np.empty(len(scores))
    ranks[np.argsort(-scores, kind="stable")] = np.arange(1, len(scores) + 1)
    return -beta * np.log(ranks)


def draw_in_turn(logits: CaseScores, count: int, rng: np.random.Generator) -> tuple[IntArray, CaseScores]:
    """Draw without replacement, each time with chances softmax(logits) among those left.

    Args:
        logits: Shape (cases,), finite.
        count: How many, at most all.
        rng: Draws one Gumbel number per case.

    Returns:
        Indices in order, and the chance that each had at its turn; each of shape (count,).

    Source: Kool et al. 2019, arXiv:1903.06059, section 2 (Gumbel-top-k).
    """
    order = np.argsort(-(logits + rng.gumbel(size=len(logits))), kind="stable")
    drawn = logits[order]
    left = np.logaddexp.accumulate(drawn[::-1])[::-1]
    return order[:count], np.exp(drawn - left)[:count]


def draw_one(logits: CaseScores, left: BoolArray, rng: np.random.Generator) -> tuple[int, float]:
    """Draw one of the cases left with chances softmax(logits), and its chance."""
    candidates = np.flatnonzero(left)
    drawn, chances = draw_in_turn(logits[candidates], 1, rng)
    return int(candidates[drawn[0]]), float(chances[0])


def noisy(score: str, logits: Callable[[CaseScores, float], CaseScores], reason: str, *, beta: float = BETA) -> Select:
    """The rule that draws cases in turn by a noisy score.

    Args:
        score: Name in `Pool.scores`.
        logits: One of `power_logits`, `softmax_logits`, `softrank_logits`.
        reason: Words for the picked cases; `{value}` is replaced by the score.
        beta: Coldness, 0 or more.
    """

    @ordered
    def select(pool: Pool, count: int, rng: np.random.Generator) -> list[Pick]:
        values = pool.score(score)
        drawn, chances = draw_in_turn(logits(values, beta), count, rng)
        return [
            Pick(int(n), float(values[n]), reason.format(value=f"{values[n]:.3g}"), float(p)) for n, p in zip(drawn, chances, strict=True)
        ]

    return select


@ordered
def select_stochastic_batch(pool: Pool, count: int, rng: np.random.Generator) -> list[Pick]:
    """Of many random batches the one with the highest mean entropy, its most doubtful case first."""
    values = pool.score("entropy")
    batches = (rng.permutation(len(values))[:count] for _ in range(BATCHES))
    best = max(batches, key=lambda batch: float(np.sort(values[batch]).sum()))
    return [
        Pick(int(n), float(values[n]), f"in the random batch of highest uncertainty (entropy {values[n]:.3g})")
        for n in best[np.argsort(-values[best], kind="stable")]
    ]


_PAPER = "Kirsch et al. 2023, Stochastic Batch Acquisition, arXiv:2106.12059"
_SAMPLES = "several samples per case; next to nothing beyond that"

STRATEGIES: tuple[Strategy, ...] = (
    Strategy(
        name="power-bald",
        title="PowerBALD",
        paper=_PAPER,
        needs=frozenset({"bald"}),
        cost=_SAMPLES,
        advice="The same spread as BatchBALD at BALD's price: the first choice for larger batches with samples.",
        select=noisy("bald", power_logits, "drawn in proportion to disagreement ({value} nats)"),
    ),
    Strategy(
        name="softmax-bald",
        title="SoftmaxBALD",
        paper=_PAPER,
        needs=frozenset({"bald"}),
        cost=_SAMPLES,
        advice="For comparison: scores of a few tenths of a nat leave it close to random draws.",
        select=noisy("bald", softmax_logits, "drawn by disagreement ({value} nats), softly"),
    ),
    Strategy(
        name="softrank-bald",
        title="SoftRankBALD",
        paper=_PAPER,
        needs=frozenset({"bald"}),
        cost=_SAMPLES,
        advice="When scores are on an odd scale: only their order counts.",
        select=noisy("bald", softrank_logits, "drawn by its rank in disagreement ({value} nats)"),
    ),
    Strategy(
        name="power-entropy",
        title="Power predictive entropy",
        paper=_PAPER,
        needs=frozenset({"entropy"}),
        cost="one prediction per case; better with several samples",
        advice="Segmentation in batches: uncertainty decides, chance adds diversity, and the probability of every pick is known.",
        select=noisy("entropy", power_logits, "drawn in proportion to its entropy ({value})"),
    ),
    Strategy(
        name="stochastic-batches",
        title="Stochastic batches",
        paper="Gaillochet et al. 2023, arXiv:2301.07670; the number of batches compared (1,000) is medloop's",
        needs=frozenset({"entropy"}),
        cost="one prediction per case; better with several samples",
        advice="A mild push of random draws towards uncertainty; harder to fool by outliers than the highest scores.",
        select=select_stochastic_batch,
    ),
)
