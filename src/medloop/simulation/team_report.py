"""The report of a simulated team: quality over money, policy by policy, and what each run spent."""

from collections.abc import Mapping, Sequence

import numpy as np
from markupsafe import Markup

from medloop.core.names import counted
from medloop.metrics.intervals import MIN_RUNS, mean_over_runs
from medloop.report.charts import Line, Point, curves
from medloop.report.markup import element
from medloop.report.page import page, section
from medloop.report.tables import table
from medloop.simulation.team_runs import Policy, Spending

NAMES: Mapping[Policy, str] = {"value": "routing", "expert": "expert alone", "two": "two at random"}
STEPS = 40
"""Points of a curve between nothing spent and the dearest run."""


def team_html(dataset: str, runs: Sequence[Mapping[Policy, Spending]]) -> str:
    """The report as one HTML document.

    Args:
        dataset: Name of the data set.
        runs: One per seed, at least one, each with the same policies.
    """
    words = f"Mean of {counted(len(runs), 'seed')}"
    band = f"{words}, with 95 % intervals over seeds." if len(runs) >= MIN_RUNS else f"{words}; an interval takes {MIN_RUNS}."
    figure = element("figure", spending_curves(runs), element("figcaption", f"{band} A run that has ended keeps its quality."))
    head = ("seed", "policy", "readings", "minutes", "money", "quality")
    rows = [
        (seed, NAMES[one.policy], len(one.path), f"{one.minutes[-1]:.0f}", f"{one.money[-1]:.4g}", f"{one.quality[-1]:.3f}")
        for seed, run in enumerate(runs)
        for one in run.values()
    ]
    parts = [section("Quality over money", figure), section("Runs", table(head, rows, text=(1,)))]
    return page(f"A team on {dataset}", "Simulated readings by medloop", parts)


def spending_curves(runs: Sequence[Mapping[Policy, Spending]]) -> Markup:
    """Mean quality of the annotations in force against money spent, a line per policy."""
    most = max(one.money[-1] for run in runs for one in run.values())
    spent = np.linspace(0.0, most, STEPS + 1)
    lines = [
        Line(NAMES[policy], [_point(money, [quality_at(run[policy], money) for run in runs]) for money in spent]) for policy in runs[0]
    ]
    return curves(lines, x_title="money spent", y_title="mean quality of the annotations in force")


def quality_at(one: Spending, money: float) -> float:
    """Quality once so much money was spent: that after the last reading it paid for."""
    return one.quality[int(np.searchsorted(one.money, money, side="right")) - 1]


def _point(money: float, values: Sequence[float]) -> Point:
    found = mean_over_runs(values)
    low, high = (None if end is None else min(max(end, 0.0), 1.0) for end in (found.low, found.high))  # a quality lies within 0..1
    return Point(money, found.mean, low, high)
