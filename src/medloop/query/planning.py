"""What a selection will take, from selections of growing made-up pools on this machine: seconds, memory, and disk.

The strategy itself is run, a few seconds in all, and the two largest runs give the power of the number of cases with which time and
memory grow. Pools differ in structure, and so do the pools here from real ones: a figure is good to about a factor of two, and of a
strategy that states a square it is an upper bound.
"""

import math
import time
import tracemalloc
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from medloop.core.arrays import FloatArray
from medloop.core.errors import InputError, SettingError
from medloop.query.pool import SCORES, TABLES, Pool
from medloop.query.strategies import Strategy

FIRST, MOST_CASES = 1_000, 64_000
SQUARE = "cases × cases"
"""In what a strategy states as its cost: small pools do not show yet that time grows with the square."""

ENOUGH_S = 1.5
"""No larger pool is tried after a run that took so long, once there are two: one alone says nothing of growth."""

_CLASSES, _SAMPLES, _GROUPS, _ANNOTATED, _WARM_UP = 4, 5, 50, 100, 100


@dataclass(frozen=True)
class Measured:
    """One calibration run.

    Attributes:
        cases: In the pool.
        seconds: Of the selection.
        memory: Bytes at its peak above what the pool itself takes.
    """

    cases: int
    seconds: float
    memory: float


@dataclass(frozen=True)
class QueryPlan:
    """What a query is expected to take.

    Attributes:
        cases, dimensions, count: Of the pool, of an embedding (0 where none is needed), and how many are chosen.
        seconds, memory, disk: Expected; bytes.
        growth: Power of the number of cases with which the time grows.
        measured: What that was worked out from.
    """

    cases: int
    dimensions: int
    count: int
    seconds: float
    memory: float
    disk: float
    growth: float
    measured: tuple[Measured, ...]


def plan_query(strategy: Strategy, cases: int, dimensions: int, count: int) -> QueryPlan:
    """Calibrate a strategy and say what a pool of that size takes.

    Args:
        strategy: How cases are chosen.
        cases: In the pool, at least 1.
        dimensions: Numbers of an embedding, at least 1; counts where the strategy needs embeddings.
        count: How many are chosen, at least 1.

    Raises:
        SettingError: A number below 1.
        InputError: The strategy needs what cannot be made up.
    """
    for name, value in (("cases", cases), ("features", dimensions), ("count", count)):
        if value < 1:
            raise SettingError(f"{name} must be at least 1, got {value}", remedy="leave it out for what the project has")
    measured = tuple(_runs(strategy, cases, dimensions, count))
    width = dimensions if "features" in strategy.needs else 0
    growth = _power([(one.cases, one.seconds) for one in measured], 2.0 if SQUARE in strategy.cost else 1.0, 3.0)
    last = measured[-1]
    times = cases / last.cases
    held = cases * (8 * len(strategy.needs & set(SCORES)) + 8 * _CLASSES * len(strategy.needs & set(TABLES) - {"features"}))
    held += cases * 8 * _CLASSES * _SAMPLES * ("samples" in strategy.needs)
    memory = _memory(measured, cases) + held
    return QueryPlan(cases, width, count, last.seconds * times**growth, memory, 2.0 * 4 * width * cases, growth, measured)


def _runs(strategy: Strategy, cases: int, dimensions: int, count: int) -> Iterator[Measured]:
    size, tried = min(FIRST, cases), 0
    warm = min(_WARM_UP, cases)
    strategy.select(made_up_pool(strategy.needs, warm, dimensions), min(count, warm), np.random.default_rng(0))  # what is loaded once
    while True:
        pool = made_up_pool(strategy.needs, size, dimensions)
        began = time.perf_counter()
        strategy.select(pool, min(count, size), np.random.default_rng(0))
        seconds = time.perf_counter() - began
        tracemalloc.start()
        try:
            strategy.select(pool, min(count, size), np.random.default_rng(0))
            memory = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        yield Measured(size, seconds, float(memory))
        tried += 1
        if (seconds > ENOUGH_S and tried > 1) or size >= min(cases, MOST_CASES):
            return
        size = min(4 * size, cases, MOST_CASES)


def made_up_pool(needs: frozenset[str], cases: int, dimensions: int) -> Pool:
    """A pool in groups that holds what a strategy needs.

    Raises:
        InputError: A need that cannot be made up.
    """
    unknown = sorted(needs - set(SCORES) - set(TABLES) - {"samples", "classes"})
    if unknown:
        raise InputError(f"A pool with {unknown[0]} cannot be made up", remedy="plan another strategy")
    rng = np.random.default_rng(0)
    wanted = sorted(needs & set(TABLES) - {"features"})
    centres = rng.standard_normal((_GROUPS, dimensions)).astype(np.float32)

    def embedded(number: int) -> FloatArray:
        return centres[rng.integers(_GROUPS, size=number)] + rng.standard_normal((number, dimensions)).astype(np.float32)

    def rows(number: int) -> dict[str, FloatArray]:
        return {name: rng.uniform(0.0, 1.0, (number, _CLASSES)) for name in wanted}

    return Pool(
        tuple(f"case{n:09d}" for n in range(cases)),
        {name: rng.uniform(0.01, 0.6, cases) for name in sorted(needs & set(SCORES))},
        embedded(cases) if "features" in needs else None,
        embedded(_ANNOTATED) if "features" in needs else None,
        rows(cases),
        {**rows(_ANNOTATED), "classes": (np.arange(_ANNOTATED) % _CLASSES).astype(np.float64)},
        rng.dirichlet(np.ones(_CLASSES), size=(_SAMPLES, cases)) if "samples" in needs else None,
    )


def _memory(measured: Sequence[Measured], cases: int) -> float:
    """Bytes of a pool of that size: by a power where they grow faster than the cases, else so many a case beyond what is fixed."""
    last = measured[-1]
    if len(measured) < 2:
        return last.memory * max(1.0, cases / last.cases)
    before = measured[-2]
    power = _power([(one.cases, one.memory) for one in measured], 0.0, 2.0)
    if power > 1.0:
        return last.memory * math.pow(cases / last.cases, power)
    return last.memory + max(0.0, last.memory - before.memory) / (last.cases - before.cases) * (cases - last.cases)


def _power(points: list[tuple[int, float]], least: float, most: float) -> float:
    """With which power of the cases something grows, by the two largest runs, within bounds."""
    if len(points) < 2:
        return 1.0
    (few, before), (many, after) = points[-2:]
    grown = math.log(max(after, 1e-9) / max(before, 1e-9)) / math.log(many / few)
    return min(max(grown, least), most)


def free_memory() -> float | None:
    """Bytes that programs may still have on this machine; None where the system does not say."""
    try:
        line = next(one for one in Path("/proc/meminfo").read_text().splitlines() if one.startswith("MemAvailable:"))
    except (OSError, StopIteration):
        return None
    return float(line.split()[1]) * 1024
