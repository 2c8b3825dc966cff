"""The page's figures: what each must stay below, and how repetitions become one line."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from medloop.core.errors import MedloopError
from medloop.metrics.intervals import mean_over_cases

GOALS: Mapping[str, float] = {
    "first image, 256×256×150 (ms)": 1200,
    "next prefetched case, 256×256×150 (ms)": 150,
    "brush move to pixels (ms)": 30,
    "slice change (ms)": 25,
    "slice change, axial (ms)": 25,
    "slice change, coronal (ms)": 25,
    "slice change, sagittal (ms)": 25,
    "threshold brush move to pixels (ms)": 50,
    "lasso move to pixels (ms)": 50,
    "lasso closed to its preview (ms)": 50,
    "preview after the engine (ms)": 300,
    "autosave, 20 people at the same moment (ms)": 100,
    "autosave, 20 people with a stroke a second each (ms)": 100,
    "growth of the page's heap by 10,000 strokes (MB)": 150,
    "growth of the page's process by 10,000 strokes (MB)": 150,
    "growth of the server by 10,000 strokes (MB)": 150,
    "own script, gzip (kB)": 110,
}
"""Upper limits that the workbench was designed for, by figure. What is not here has no goal."""

Values = Mapping[str, Sequence[float]]


@dataclass(frozen=True)
class Figure:
    """One line of the table.

    Attributes:
        name: What was measured, with its unit.
        count: Repetitions.
        median, high: Their median and 95th percentile.
        mean, low_mean, high_mean: Their mean with a 95 % bootstrap interval; no ends with fewer than five repetitions.
        goal: What the median must stay below; None without a goal.
    """

    name: str
    count: int
    median: float
    high: float
    mean: float
    low_mean: float | None
    high_mean: float | None
    goal: float | None

    @property
    def verdict(self) -> str:
        """Whether the median is below the goal, in a word; "" without a goal."""
        return "" if self.goal is None else "yes" if self.median < self.goal else "NO"


def figure_of(name: str, values: Sequence[float]) -> Figure:
    """Repetitions of one measurement as one line."""
    mean = mean_over_cases(values)
    return Figure(
        name=name,
        count=len(values),
        median=float(np.median(values)),
        high=float(np.percentile(values, 95)),
        mean=mean.mean,
        low_mean=mean.low,
        high_mean=mean.high,
        goal=GOALS.get(name),
    )


def print_table(figures: Sequence[Figure]) -> None:
    """Median, 95th percentile and the mean's interval of each figure."""
    print(f"{'figure':<58} {'n':>5} {'median':>9} {'p95':>9} {'mean (95 %)':>28} {'wanted':>8} {'met':>4}")
    for one in figures:
        ends = "" if one.low_mean is None or one.high_mean is None else f" ({one.low_mean:.1f}–{one.high_mean:.1f})"
        wanted = "" if one.goal is None else f"< {one.goal:g}"
        print(
            f"{one.name:<58} {one.count:>5} {one.median:>9.1f} {one.high:>9.1f} {f'{one.mean:.1f}{ends}':>28} {wanted:>8} {one.verdict:>4}"
        )


def as_json(figures: Sequence[Figure], values: Values) -> list[dict[str, object]]:
    """The lines with every repetition behind them."""
    return [asdict(one) | {"met": one.verdict, "values": list(values[one.name])} for one in figures]


class PageError(MedloopError):
    """The page did not do what the benchmark drives it to."""
