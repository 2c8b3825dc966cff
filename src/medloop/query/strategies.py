"""The registry of strategies: what each is called, needs and costs, and when to use it.

A package adds its own through the entry point group `medloop.strategies`; the entry point is a
`Strategy`. `medloop.testing.check_strategy` tells whether it keeps the contract: a pure function of
the pool, seeded, indifferent to the order of the cases.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from importlib.metadata import EntryPoint, entry_points

import numpy as np

from medloop.core.errors import ConflictError, MedloopError, NotFoundError, UnavailableError
from medloop.core.names import nearest
from medloop.query import bandit, baselines, fusion
from medloop.query.aggregation import rank_fusion
from medloop.query.budget import balance, cost
from medloop.query.diversity import cold_start, coverage, hybrids
from medloop.query.generative import latent, synthesis
from medloop.query.information import information
from medloop.query.learned import learned
from medloop.query.pool import Pick, Pool
from medloop.query.strategy import Select, Strategy
from medloop.query.uncertainty import batchbald, clasp, stochastic, uncertainty

__all__ = ["GROUP", "Pick", "Pool", "Strategy", "strategies", "strategy"]

GROUP = "medloop.strategies"
"""The entry point group of strategies from other packages."""

FAMILIES = {
    "Baselines": (baselines,),
    "Uncertainty": (uncertainty, stochastic, batchbald, clasp),
    "Diversity": (coverage, cold_start, hybrids),
    "Expected information": (information,),
    "Generative": (latent, synthesis),
    "Rank aggregation": (rank_fusion,),
    "Learned": (learned,),
    "Budget": (cost, balance),
}
"""Modules of built-in strategies by family, in the order they are listed; each holds a tuple `STRATEGIES`."""

BUILT_IN: tuple[Strategy, ...] = tuple(found for family in FAMILIES.values() for module in family for found in module.STRATEGIES)

MIXTURES = {fusion.PREFIX: fusion.fused, bandit.PREFIX: bandit.bandit}
"""How a strategy is made of others, by the beginning of its name."""


def strategies() -> tuple[Strategy, ...]:
    """Every strategy that can be used, built-in ones first; plug-ins that do not load are left out."""
    plugged = (_loaded(point) for point in _plug_ins().values())
    return BUILT_IN + tuple(s for s in plugged if isinstance(s, Strategy))


def strategy(name: str) -> Strategy:
    """The strategy of that name; `fusion:A+B` and `bandit:A+B` are made of others.

    Raises:
        NotFoundError: None is called so; the nearest names are given.
        UnavailableError: A plug-in of that name does not load.
        ConflictError: A plug-in takes the name of a built-in strategy.
        SettingError: Parts that cannot be mixed.
    """
    for prefix, mix in MIXTURES.items():
        if name.startswith(prefix):
            return mix(name, _single)
    return _single(name)


def needs_of(name: str) -> frozenset[str]:
    """What a strategy needs; nothing where its package is gone: it chooses nothing, and the round says so."""
    try:
        return strategy(name).needs
    except MedloopError:
        return frozenset()


def _single(name: str) -> Strategy:
    for known in BUILT_IN:
        if known.name == name:
            return known
    if (point := _plug_ins().get(name)) is None:
        near = nearest(name, [*(s.name for s in BUILT_IN), *_plug_ins()])
        raise NotFoundError(f"Unknown strategy {name!r}", remedy=f"{near}medloop strategies lists all")
    found = _loaded(point)
    if not isinstance(found, Strategy):
        raise UnavailableError(f"Strategy {name!r} of {point.value} does not load: {found}", remedy="repair or remove that package")
    return found


def as_markdown(found: Sequence[Strategy]) -> str:
    """The tables of the documentation: by family when to use each strategy, then where it comes from and what it needs and costs."""
    homes = {s.name: family for family, modules in FAMILIES.items() for module in modules for s in module.STRATEGIES}
    parts = []
    for family in (*FAMILIES, "From other packages"):
        rows = [f"| `{s.name}` | {s.advice} |" for s in found if homes.get(s.name, "From other packages") == family]
        if rows:
            parts += [f"### {family}", "", "| Name | When to use |", "| --- | --- |", *rows, ""]
    details = [f"| `{s.name}` | {s.title} | {s.paper} | {', '.join(sorted(s.needs)) or 'nothing'} | {s.cost} |" for s in found]
    return "\n".join([*parts, "## Details", "", "| Name | Strategy | Source | Needs | Cost |", "| --- | --- | --- | --- | --- |", *details])


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
    if not isinstance(found, Strategy):
        return f"it is a {type(found).__name__}, not a Strategy"
    return replace(found, select=partial(_select_checked, found.select, f"Strategy {point.name!r} of {point.value}"))


def _select_checked(select: Select, plug_in: str, pool: Pool, count: int, rng: np.random.Generator) -> list[Pick]:
    """What a plug-in picks; whatever goes wrong in it is its own fault, and is said so.

    Raises:
        UnavailableError: It failed, or broke the contract that `medloop.testing.check_strategy` tests.
    """
    try:
        picks = list(select(pool, count, rng))
        kept = len({p.index for p in picks}) == len(picks) <= count and all(0 <= p.index < len(pool.case_ids) for p in picks)
        if kept and all(np.isfinite(p.score) for p in picks):
            return picks
        problem = f"it must pick up to {count} different cases of {len(pool.case_ids)} with finite scores, got {picks[:3]}"
    except MedloopError:
        raise
    except Exception as error:
        problem = f"{type(error).__name__}: {error}"
    raise UnavailableError(f"{plug_in} failed: {' '.join(problem.split())}", remedy="repair or remove that package")
