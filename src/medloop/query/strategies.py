"""The registry of strategies: what each is called, needs and costs, and when to use it.

A package adds its own through the entry point group `medloop.strategies`; the entry point is a
`Strategy`. `medloop.testing.check_strategy` tells whether it keeps the contract: a pure function of
the pool, seeded, indifferent to the order of the cases.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points

from medloop.core.errors import ConflictError, NotFoundError, UnavailableError
from medloop.query import rules
from medloop.query.pool import Pick, Pool
from medloop.query.rules import Select

__all__ = ["GROUP", "Pick", "Pool", "Strategy", "strategies", "strategy"]

GROUP = "medloop.strategies"
"""The entry point group of strategies from other packages."""

FOREGROUND_SHARE = 2 / 3
LOW_FOREGROUND_SHARE = 1 / 3
"""Parts of the picks drawn by foreground: the 66 % and 33 % variants of Lüth et al. 2025."""


@dataclass(frozen=True)
class Strategy:
    """One way to choose cases.

    Attributes:
        name: As given on the command line.
        title: As shown to people.
        paper: Where it comes from.
        needs: What the pool must hold: names of scores, or "features".
        cost: What it takes beyond predicting the pool once.
        advice: When to use it, and when not.
        select: (pool, count, rng) → at most `count` picks in order; see `medloop.testing.check_strategy`.
    """

    name: str
    title: str
    paper: str
    needs: frozenset[str]
    cost: str
    advice: str
    select: Select


BUILT_IN: tuple[Strategy, ...] = (
    Strategy(
        name="random",
        title="Random",
        paper="the baseline every comparison needs",
        needs=frozenset(),
        cost="none; needs no model",
        advice="Start with it, and compare with it: hard to beat with few answers or large batches.",
        select=rules.select_random,
    ),
    Strategy(
        name="foreground",
        title="Foreground-aware random",
        paper="Lüth et al. 2025 (nnActive), arXiv:2511.19183, with the model's guess in place of the truth",
        needs=frozenset({"foreground"}),
        cost="none beyond a prediction",
        advice="For small structures that many cases lack: two of three picks are drawn in proportion to the guessed foreground.",
        select=rules.foreground_guess(FOREGROUND_SHARE),
    ),
    Strategy(
        name="foreground-oracle",
        title="Foreground-aware random, true foreground, 66 %",
        paper="Lüth et al. 2025 (nnActive), arXiv:2511.19183",
        needs=frozenset({"oracle_foreground"}),
        cost="none; needs the truth, so simulations only",
        advice="Only as the strong baseline of the literature: it knows what a real project cannot know.",
        select=rules.foreground_truth(FOREGROUND_SHARE),
    ),
    Strategy(
        name="foreground-oracle-33",
        title="Foreground-aware random, true foreground, 33 %",
        paper="Lüth et al. 2025 (nnActive), arXiv:2511.19183",
        needs=frozenset({"oracle_foreground"}),
        cost="none; needs the truth, so simulations only",
        advice="The milder variant of the same baseline.",
        select=rules.foreground_truth(LOW_FOREGROUND_SHARE),
    ),
    Strategy(
        name="least-confidence",
        title="Least confidence",
        paper="Lewis and Gale 1994, arXiv:cmp-lg/9407020",
        needs=frozenset({"least_confidence"}),
        cost="one prediction per case",
        advice="Classification with one sample per case; looks only at the most likely class.",
        select=rules.least_confidence,
    ),
    Strategy(
        name="margin",
        title="Smallest margin",
        paper="Scheffer et al. 2001, doi:10.1007/3-540-44816-0_31",
        needs=frozenset({"margin"}),
        cost="one prediction per case",
        advice="Several classes that are confused in pairs.",
        select=rules.margin,
    ),
    Strategy(
        name="entropy",
        title="Predictive entropy",
        paper="Settles 2009, Active Learning Literature Survey, section 3.1",
        needs=frozenset({"entropy"}),
        cost="one prediction per case; better with several samples",
        advice="A sound default for segmentation with small batches; may pick near-duplicates in large ones.",
        select=rules.entropy,
    ),
    Strategy(
        name="bald",
        title="BALD (mutual information)",
        paper="Houlsby et al. 2011, arXiv:1112.5745; Gal et al. 2017, arXiv:1703.02910",
        needs=frozenset({"bald"}),
        cost="several samples per case (dropout, flips or an ensemble)",
        advice="When images are noisy: asks where the samples disagree, not where the image is ambiguous.",
        select=rules.bald,
    ),
    Strategy(
        name="coreset",
        title="Core-set (greedy k-centre)",
        paper="Sener and Savarese 2018, arXiv:1708.00489",
        needs=frozenset({"features"}),
        cost="cases × (answered + batch) distances between embeddings",
        advice="Varied pools and large batches; ignores doubt, so outliers are asked early.",
        select=rules.select_coreset,
    ),
    Strategy(
        name="suggestive",
        title="Suggestive annotation",
        paper="Yang et al. 2017, arXiv:1706.04737; with predictive entropy as the doubt in place of a bootstrap's variance",
        needs=frozenset({"entropy", "features"}),
        cost="one prediction per case and 2 × batch × cases similarities",
        advice="The default for segmentation: of the most unsure cases, those that resemble many others.",
        select=rules.select_suggestive,
    ),
)


def strategies() -> tuple[Strategy, ...]:
    """Every strategy that can be used, built-in ones first; plug-ins that do not load are left out."""
    plugged = (_loaded(point) for point in _plug_ins().values())
    return BUILT_IN + tuple(s for s in plugged if isinstance(s, Strategy))


def strategy(name: str) -> Strategy:
    """The strategy of that name.

    Raises:
        NotFoundError: None is called so; the known names are listed.
        UnavailableError: A plug-in of that name does not load.
        ConflictError: A plug-in takes the name of a built-in strategy.
    """
    for known in BUILT_IN:
        if known.name == name:
            return known
    if (point := _plug_ins().get(name)) is None:
        names = ", ".join([*(s.name for s in BUILT_IN), *_plug_ins()])
        raise NotFoundError(f"Unknown strategy {name!r}", remedy=f"use one of {names}")
    found = _loaded(point)
    if not isinstance(found, Strategy):
        raise UnavailableError(f"Strategy {name!r} of {point.value} does not load: {found}", remedy="repair or remove that package")
    return found


@cache
def _plug_ins() -> Mapping[str, EntryPoint]:
    points = {point.name: point for point in sorted(entry_points(group=GROUP), key=lambda p: (p.name, p.value))}
    taken = sorted(set(points) & {s.name for s in BUILT_IN})
    if taken:
        raise ConflictError(f"A plug-in may not take the name of a built-in strategy: {', '.join(taken)}", remedy="rename or remove it")
    return points


@cache
def _loaded(point: EntryPoint) -> Strategy | str:
    """The strategy behind an entry point, or in words why there is none. The boundary to code of others."""
    try:
        found = point.load()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return found if isinstance(found, Strategy) else f"it is a {type(found).__name__}, not a Strategy"
