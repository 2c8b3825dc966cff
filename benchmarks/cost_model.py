"""Are predicted minutes right, and is the error that the product states the one it makes? Logs of work with a known law are simulated.

    seconds = 8 · (1 + border)^0.35 · (1 + uncertain)^0.15 · (1 + slices)^0.2 · pace of the person · noise

Five people work at paces of their own, and in some annotations somebody was called away unseen by the pause rule: those seconds are
three to twenty times too long. The product's model learns from a log and predicts 20,000 annotations it has not seen. Nothing is trained;
equal seeds give equal tables.

    python benchmarks/cost_model.py --runs 200 --json cost_model.json
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np

from medloop.core.arrays import FloatArray
from medloop.core.seeds import generator
from medloop.query.budget.minutes import COVERAGE, ERROR_CONFIDENCE, Accuracy, fit_minutes, predicted_minutes

LAW = np.array([0.0, 0.35, 0.15, 0.2])
"""Exponents of the features of `medloop.loop.foundation.effort.FEATURES`: foreground, border, uncertain voxels, slices."""

LENGTHS = (20, 50, 100, 200, 500)
UNSEEN = 20_000
"""So many that their own chance hardly adds to whether an interval holds."""

TARGET = 0.25


@dataclass(frozen=True)
class Setting:
    """How noisy a log is: spread of ln seconds within and between people, and the share of calls nobody saw."""

    name: str
    noise: float
    pace: float
    called_away: float


SETTINGS = (
    Setting("five people, 5 % called away", 0.25, 0.3, 0.05),
    Setting("five people, 15 % called away", 0.25, 0.3, 0.15),
    Setting("five people, noisy", 0.5, 0.3, 0.05),
    Setting("one pace", 0.25, 0.0, 0.05),
)


@dataclass(frozen=True)
class Row:
    """One setting and length of log, over all runs.

    Attributes:
        error: Mean over runs of the true median absolute percentage error, of a known person.
        low, high: 95 % of the runs lie between.
        anybody: The same where nobody knows who will annotate.
        median: The same for the median of the log as the prediction of every case.
        stated: Share of runs whose stated interval of the error holds the true one.
        covered: Mean share of new annotations within their 90 % interval.
    """

    setting: str
    annotations: int
    error: float
    low: float
    high: float
    anybody: float
    median: float
    stated: float
    covered: float


@dataclass(frozen=True)
class Log:
    """Annotations with features, seconds and people."""

    features: FloatArray
    seconds: FloatArray
    people: list[str]


def simulate(rng: np.random.Generator, setting: Setting, paces: FloatArray, count: int) -> Log:
    """A log of the known law."""
    foreground = rng.lognormal(9, 1.2, count)
    border = foreground ** (2 / 3) * rng.lognormal(0, 0.3, count)
    features = np.column_stack([foreground, border, rng.lognormal(6, 1, count), rng.integers(10, 200, count)])
    who = rng.integers(len(paces), size=count)
    seconds = 8 * np.exp(np.log1p(features) @ LAW + paces[who] + rng.normal(0, setting.noise, count))
    away = rng.random(count) < setting.called_away
    return Log(features, np.where(away, seconds * rng.uniform(3, 20, count), seconds), [str(n) for n in who])


def run_once(rng: np.random.Generator, setting: Setting, count: int) -> tuple[float, ...]:
    """Errors of one log: known person, anybody, median; whether the stated interval holds; coverage of the intervals."""
    paces = rng.normal(0, setting.pace, 5)
    log, unseen = simulate(rng, setting, paces, count), simulate(rng, setting, paces, UNSEEN)
    model = fit_minutes(log.features, log.seconds, log.people)
    found = {who: predicted_minutes(model, unseen.features, who) for who in ("", *set(unseen.people))}
    who, minutes = np.array(unseen.people), unseen.seconds / 60

    def missed(predicted: FloatArray) -> float:
        return float(np.median(np.abs(predicted / minutes - 1)))

    def of(field: str) -> FloatArray:
        return np.select([who == one for one in found if one], [getattr(found[one], field) for one in found if one])

    known, anybody = missed(of("expected")), missed(found[""].expected)
    covered = float(((of("low") <= minutes) & (minutes <= of("high"))).mean())
    stated = [model.accuracy(unseen.people[0]), model.accuracy()]
    holds = [float(_holds(accuracy, error)) for accuracy, error in zip(stated, (known, anybody), strict=True)]
    return known, anybody, missed(np.full(UNSEEN, np.median(log.seconds) / 60)), float(np.mean(holds)), covered


def _holds(accuracy: Accuracy | None, error: float) -> bool:
    return accuracy is not None and accuracy.error_low <= error <= accuracy.error_high


def measure(setting: Setting, count: int, runs: int, seed: int) -> Row:
    """One row of the table."""
    found = np.array([run_once(generator(seed, "cost", setting.name, count, n), setting, count) for n in range(runs)])
    means = found.mean(axis=0)
    low, high = np.quantile(found[:, 0], [0.025, 0.975])
    return Row(setting.name, count, means[0], float(low), float(high), means[1], means[2], means[3], means[4])


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the table, write the JSON; 1 when the goal is missed with 100 annotations of the first setting."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--runs", type=int, default=200, help="simulated logs per row")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--lengths", type=int, nargs="+", default=LENGTHS, help="annotations per log")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(arguments)
    rows = []
    shares = (f"stated holds ({ERROR_CONFIDENCE:.0%})", f"covered ({COVERAGE:.0%})")
    head = ("log", "annotations", "error (95 % of runs)", "anybody", "median", *shares)
    print(f"| {' | '.join(head)} |\n|{' --- |' * len(head)}")
    for setting in SETTINGS:
        for count in options.lengths:
            row = measure(setting, count, options.runs, options.seed)
            rows.append(row)
            error = f"{row.error:.1%} ({row.low:.1%}–{row.high:.1%})"
            found = " | ".join(f"{share:.1%}" for share in (row.anybody, row.median, row.stated, row.covered))
            print(f"| {row.setting} | {count} | {error} | {found} |", flush=True)
    if options.json:
        options.json.write_text(json.dumps({"rows": [asdict(row) for row in rows], "runs": options.runs, "seed": options.seed}, indent=1))
    return int(any(row.error > TARGET for row in rows if row.annotations == 100 and row.setting == SETTINGS[0].name))


if __name__ == "__main__":
    sys.exit(main())
