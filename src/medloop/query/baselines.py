"""What every other strategy has to beat: random draws, plain and aware of foreground."""

from functools import partial

import numpy as np

from medloop.query.pool import Pick, Pool
from medloop.query.strategy import Select, Strategy, draw_weighted, ordered

FOREGROUND_SHARE = 2 / 3
LOW_FOREGROUND_SHARE = 1 / 3
"""Parts of the picks drawn by foreground: the 66 % and 33 % variants of Lüth et al. 2025."""


DRAWN = "drawn at random"


@ordered
def select_random(pool: Pool, count: int, rng: np.random.Generator) -> list[Pick]:
    """Every case with the same chance, without replacement."""
    cases = len(pool.case_ids)
    drawn = rng.permutation(cases)[:count]
    return [Pick(int(n), 0.0, DRAWN, 1.0 / (cases - place)) for place, n in enumerate(drawn)]


def foreground_aware(score: str, share: float, reason: str) -> Select:
    """The rule that draws a share of the picks in proportion to their foreground, the rest evenly.

    Args:
        score: Name of the foreground share per case, 0..1.
        share: Part of the picks drawn by foreground, 0..1.
        reason: Words for these; `{value}` is replaced by the share of foreground.
    """

    @ordered
    def select(pool: Pool, count: int, rng: np.random.Generator) -> list[Pick]:
        foreground = np.clip(pool.score(score), 0.0, None)
        aimed = round(share * count)
        drawn = draw_weighted(foreground, aimed, rng)
        taken = set(drawn)
        rest = rng.permutation([n for n in range(len(foreground)) if n not in taken])[: count - len(drawn)]
        picks = [Pick(n, float(foreground[n]), reason.format(value=f"{foreground[n]:.1%}")) for n in drawn]
        return picks + [Pick(int(n), 0.0, DRAWN) for n in rest]

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
        advice="The default for segmentation: two of three picks are drawn in proportion to the predicted foreground, the rest evenly.",
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
