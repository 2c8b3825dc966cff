"""Class-stratified scheduled power entropy: doubt about every structure, with noise that fades from round to round.

From the paper: part of the batch is spread over the classes, scores are perturbed on a logarithmic scale, and the
perturbation follows a schedule that explores first and exploits later. medloop's own: cases instead of patches, the
share of the batch that is spread, classes taking turns, and the doubling of β with every round.

Source: Lüth et al. 2026, arXiv:2601.13677.
"""

import numpy as np

from medloop.core.arrays import CaseScores, FloatArray
from medloop.query.pool import Pick, Pool
from medloop.query.strategy import Strategy, ordered
from medloop.query.uncertainty.stochastic import draw_one, power_logits

STRATIFIED_SHARE = 0.5
"""Part of the picks that is spread evenly over the foreground classes."""

FIRST_BETA, LAST_BETA = 1.0, 64.0
"""Coldness in the first round, and where doubling it stops: a score twice as high is then practically certain to win."""


def scheduled_beta(round_index: int) -> float:
    """Coldness of the draws in this round, 1 for the first: doubled every round until `LAST_BETA`."""
    return float(min(FIRST_BETA * 2.0 ** min(max(round_index - 1, 0), 32), LAST_BETA))


@ordered
def select_clasp(pool: Pool, count: int, rng: np.random.Generator) -> list[Pick]:
    """The stratified picks first, then those by entropy of the whole case."""
    entropy, by_class, beta = pool.score("entropy"), pool.table("class_entropy"), scheduled_beta(pool.round)
    picks = _stratified(by_class, round(STRATIFIED_SHARE * count), beta, rng)
    left = np.ones(len(entropy), dtype=bool)
    left[[p.index for p in picks]] = False
    logits = power_logits(entropy, beta)
    while len(picks) < count:
        case, chance = draw_one(logits, left, rng)
        left[case] = False
        picks.append(Pick(case, float(entropy[case]), f"drawn in proportion to its entropy ({entropy[case]:.3g})", chance))
    return picks


def _stratified(by_class: FloatArray, count: int, beta: float, rng: np.random.Generator) -> list[Pick]:
    """Picks for one foreground class after the other; a class that no case is left for is skipped."""
    picks: list[Pick] = []
    left = np.ones(len(by_class), dtype=bool)
    turns = list(range(1, by_class.shape[1]))
    while len(picks) < count and turns:
        label = turns.pop(0)
        doubts: CaseScores = np.asarray(by_class[:, label], dtype=np.float64)
        if not (left & (doubts > 0)).any():
            continue
        case, chance = draw_one(power_logits(doubts, beta), left & (doubts > 0), rng)
        left[case] = False
        picks.append(Pick(case, float(doubts[case]), f"drawn for its uncertainty about class {label} (entropy {doubts[case]:.3g})", chance))
        turns.append(label)
    return picks


STRATEGIES: tuple[Strategy, ...] = (
    Strategy(
        name="clasp-pe",
        title="Class-stratified scheduled power entropy",
        paper="Lüth et al. 2026 (ClaSP PE), arXiv:2601.13677; for cases, with medloop's own share and schedule",
        needs=frozenset({"entropy", "class_entropy"}),
        cost="one prediction per case; better with several samples",
        advice="Segmentation with several structures, some of them small: half of the picks go round the predicted classes.",
        select=select_clasp,
    ),
)
