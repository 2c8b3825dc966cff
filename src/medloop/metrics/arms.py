"""How much work one of two arms takes against the other: the ratio of mean efforts, with an interval.

Work is skewed and people differ, so the means are standardised over annotators who worked in both arms, and the interval is a
studentised bootstrap of the ratio's logarithm over cases, drawn within annotator and arm (bootstrap-t; Efron & Tibshirani 1993,
section 12.5, which also names its need: a standard error that is known for each sample). Annotators with fewer cases than
`FEWEST_IN_CELL` in an arm are taken together as if they were one.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from medloop.core.arrays import BoolArray, FloatArray, IntArray
from medloop.core.errors import ShapeError
from medloop.core.names import counted

FEWEST_IN_ARM = 12
"""Cases of an arm below which a ratio has no interval."""

FEWEST_IN_CELL = 4
"""Cases of an annotator in an arm below which their own spread says too little."""

DRAWS = 2000
LEVEL = 0.95

_Cells: TypeAlias = tuple[tuple[IntArray, IntArray], ...]
"""Of each stratum the places of its values in the newer and in the other arm."""


@dataclass(frozen=True)
class ArmsRatio:
    """The newer arm against the other one.

    Attributes:
        newer, older: Median of each arm, whoever worked; None without cases.
        cases: How many cases there are in the newer arm and in the other one.
        ratio: Of the standardised means; None where it cannot be told.
        low, high: Ends of its 95 % interval; None likewise.
        note: Why there is no interval, in words; "" where there is one.
    """

    newer: float | None
    older: float | None
    cases: tuple[int, int]
    ratio: float | None = None
    low: float | None = None
    high: float | None = None
    note: str = ""

    @property
    def text(self) -> str:
        """One line for people."""
        if self.ratio is None:
            return f"cannot be compared: {self.note}"
        shown = f"{self.ratio:.2f} times that of the model in use"
        return (
            f"{shown}; {self.note}"
            if self.low is None or self.high is None
            else f"{shown}, 95 % interval {self.low:.2f} to {self.high:.2f}"
        )


def compare_arms(values: Sequence[float], newer: Sequence[bool], strata: Sequence[Hashable], rng: np.random.Generator) -> ArmsRatio:
    """Compare the effort of two arms.

    Args:
        values: Effort of each case, 0 or more.
        newer: Whether a case is in the newer arm.
        strata: Who worked on it.
        rng: Of the bootstrap.

    Raises:
        ShapeError: Lengths that differ.
    """
    efforts, arm = np.asarray(values, np.float64), np.asarray(newer, bool)
    if efforts.shape != arm.shape or len(strata) != len(efforts):
        raise ShapeError(f"Each case needs an effort, an arm and a stratum, got {efforts.shape}, {arm.shape} and {len(strata)}")
    counts = int(arm.sum()), int((~arm).sum())
    medians = [float(np.median(efforts[one])) if one.any() else None for one in (arm, ~arm)]
    found = ArmsRatio(medians[0], medians[1], counts)
    if min(counts) < 1:
        return replace(found, note=f"{counted(counts[0], 'case')} of the candidate, {counts[1]} of the model in use")
    cells = _cells(arm, strata)
    if not cells:
        return replace(found, note="nobody worked in both arms")
    ratio, error = _log_ratio(efforts, cells)
    if not np.isfinite(ratio):
        return replace(found, note="nothing was changed in one of the arms")
    found = replace(found, ratio=float(np.exp(ratio)))
    if min(sum(len(places[n]) for places in cells) for n in (0, 1)) < FEWEST_IN_ARM:
        return replace(found, note=f"too few cases for an interval (at least {FEWEST_IN_ARM} in each arm)")
    return _with_interval(found, efforts, cells, (ratio, error), rng)


def _cells(arm: BoolArray, strata: Sequence[Hashable]) -> _Cells:
    """Strata with enough cases in both arms by themselves; the others together, if both arms are there."""
    own: list[tuple[IntArray, IntArray]] = []
    rest: list[int] = []
    for stratum in dict.fromkeys(strata):
        places = np.array([n for n, one in enumerate(strata) if one == stratum])
        first, second = places[arm[places]], places[~arm[places]]
        if min(len(first), len(second)) >= FEWEST_IN_CELL:
            own.append((first, second))
        else:
            rest += places.tolist()
    left = np.array(rest, dtype=np.int64)
    first, second = left[arm[left]], left[~arm[left]]
    is_usable = min(len(first), len(second)) >= (FEWEST_IN_CELL if own else 1)
    return (*own, (first, second)) if is_usable else tuple(own)


def _log_ratio(
    efforts: FloatArray, cells: _Cells, draws: Sequence[tuple[IntArray, IntArray]] | None = None
) -> tuple[FloatArray, FloatArray]:
    """The logarithm of the ratio of standardised means and its standard error; of each bootstrap sample where `draws` are given."""
    total = sum(len(first) + len(second) for first, second in cells)
    means, variances = [np.zeros(()), np.zeros(())], [np.zeros(()), np.zeros(())]
    for n, cell in enumerate(cells):
        weight = (len(cell[0]) + len(cell[1])) / total
        for side in (0, 1):
            seen = efforts[cell[side] if draws is None else draws[n][side]]
            count = seen.shape[-1]
            means[side] = means[side] + weight * seen.mean(axis=-1)
            variances[side] = variances[side] + weight**2 * seen.var(axis=-1, ddof=1 if count > 1 else 0) / count
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where((means[0] > 0) & (means[1] > 0), np.log(means[0] / means[1]), np.nan)
        error = np.sqrt(variances[0] / means[0] ** 2 + variances[1] / means[1] ** 2)
    return ratio, error


def _with_interval(
    found: ArmsRatio, efforts: FloatArray, cells: _Cells, point: tuple[FloatArray, FloatArray], rng: np.random.Generator
) -> ArmsRatio:
    ratio, error = point
    draws = [(rng.choice(first, (DRAWS, len(first))), rng.choice(second, (DRAWS, len(second)))) for first, second in cells]
    sampled, errors = _log_ratio(efforts, cells, draws)
    known = np.isfinite(sampled) & (errors > 0)
    if error <= 0 or known.sum() < DRAWS // 2:
        return replace(found, note="the efforts do not vary enough for an interval")
    reached = (sampled[known] - ratio) / errors[known]
    least, most = np.quantile(reached, ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
    ends = np.exp(ratio - most * error), np.exp(ratio - least * error)
    return replace(found, low=float(ends[0]), high=float(ends[1]))
