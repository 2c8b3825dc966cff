"""Do intervals hold what they say? Coverage by simulation at the smallest number of patients, seeds or models they are given for.

Every row draws data whose truth is known, asks the product for its interval, and counts how often the truth lies inside.
A second table counts wrong claims: significant pairs and winners of studies of equal strategies, and stops advised although the
next batch was worth having. Nothing is trained; equal seeds give equal tables.

    python benchmarks/interval_coverage.py --json coverage.json
"""

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np

from medloop.metrics.intervals import Interval, bootstrap_mean, mean_over_runs, paired_difference
from medloop.metrics.measure_bounds import bound_measure, fit_bounds
from medloop.metrics.mixed import mixed_mean
from medloop.quality.expected import OWN_SAMPLES, fit_quality
from medloop.query.budget.extrapolation import drawn_curves
from medloop.query.stopping import Curve as Measured
from medloop.query.stopping import Evidence, Spending, advise, next_gain, pace_gain
from medloop.simulation.curves import Curve
from medloop.simulation.efficiency import foreground_efficiency, labels_needed
from medloop.simulation.ranking import mean_ranks
from medloop.simulation.strategy_summary import Pool
from medloop.simulation.summary import Summary, summarise

Ends = tuple[float | None, float | None]
Rng = np.random.Generator
BATCH = 4

CHEAP = ("mean over seeds", "difference of strategies")
"""Rows that are simulated ten times as often."""


@dataclass(frozen=True)
class Row:
    """One interval at one number of units.

    Attributes:
        given: Share of runs in which an interval was given.
        coverage: Share of the given intervals that hold the truth.
        error: Standard error of that share.
        width: Median width.
    """

    interval: str
    data: str
    n: str
    nominal: float
    given: float
    coverage: float
    error: float
    width: float


@dataclass(frozen=True)
class Claims:
    """How often something was claimed that is not so."""

    claim: str
    data: str
    rate: float
    error: float
    wanted: float


def beta_scores(rng: Rng, patients: int) -> tuple[np.ndarray, float]:
    """Skewed Dice of one case each."""
    return rng.beta(9, 1.2, patients), 9 / 10.2


def failing_scores(rng: Rng, patients: int) -> tuple[np.ndarray, float]:
    """Good Dice, of which a tenth fail."""
    good, bad = rng.beta(40, 5, patients), rng.beta(2, 5, patients)
    return np.where(rng.random(patients) < 0.1, bad, good), 0.9 * 40 / 45 + 0.1 * 2 / 7


def tags(rng: Rng, patients: int) -> tuple[np.ndarray, float]:
    """Right or wrong, 90 % right."""
    return (rng.random(patients) < 0.9).astype(float), 0.9


def of_patients(draw: Callable[[Rng, int], tuple[np.ndarray, float]], patients: int) -> Callable[[Rng], tuple[Ends, float]]:
    """One evaluation."""

    def once(rng: Rng) -> tuple[Ends, float]:
        values, truth = draw(rng, patients)
        return ends(bootstrap_mean(values, range(patients), rng, draws=1000)), truth

    return once


def clustered(patients: int) -> Callable[[Rng], tuple[Ends, float]]:
    """One to four cases of each patient, alike."""

    def once(rng: Rng) -> tuple[Ends, float]:
        own, cases = rng.beta(9, 1.5, patients), rng.integers(1, 5, patients)
        values = np.concatenate([rng.beta(20 * m + 0.01, 20 * (1 - m) + 0.01, k) for m, k in zip(own, cases, strict=True)])
        return ends(bootstrap_mean(values, np.repeat(np.arange(patients), cases).tolist(), rng, draws=1000)), 9 / 10.5

    return once


def paired(patients: int, fail: float) -> Callable[[Rng], tuple[Ends, float]]:
    """Two equal models on the same patients; each fails on some."""

    def once(rng: Rng) -> tuple[Ends, float]:
        easy = rng.beta(20, 2, patients)
        both = [np.where(rng.random(patients) < fail, rng.beta(2, 5, patients), easy + 0.03 * rng.normal(size=patients)) for _ in range(2)]
        return ends(paired_difference(both[0], both[1], range(patients), rng, draws=1000)), 0.0

    return once


def over_seeds(seeds: int) -> Callable[[Rng], tuple[Ends, float]]:
    """Scores of trainings, slightly skewed."""
    return lambda rng: (ends(mean_over_runs(0.8 - rng.gamma(4, 0.005, seeds))), 0.78)


def both_ways(seeds: int, patients: int) -> Callable[[Rng], tuple[Ends, float]]:
    """Difference of two strategies: luck of trainings, patients that suit one, and the rest."""

    def once(rng: Rng) -> tuple[Ends, float]:
        table = 0.01 * rng.normal(size=(seeds, 1)) + 0.02 * rng.normal(size=patients) + 0.02 * rng.normal(size=(seeds, patients))
        return ends(mixed_mean(table + 0.01).interval), 0.01

    return once


def made_curve(rng: Rng, seed: int) -> Curve:
    """A run whose gap to 0.9 closes exponentially with the foreground, each training with its luck."""
    voxels = (100, 200, 400, 700)
    scores = 0.9 - 0.4 * np.exp(-4.0 * (np.array(voxels) - 100) / 1000) + 0.01 * rng.normal(size=4) + 0.01 * rng.normal()
    return Curve("a", seed, (8, 16, 32, 56), tuple(map(float, scores)), ({},) * 4, (), voxels)


def needed(seeds: int) -> Callable[[Rng], tuple[Ends, float]]:
    """Labels to 90 % of the full-data score; the truth on the curve without luck."""
    truth = float(np.interp(0.9 * 0.9, 0.9 - 0.4 * np.exp(-4.0 * np.array((0, 100, 300, 600)) / 1000), (8, 16, 32, 56)))

    def once(rng: Rng) -> tuple[Ends, float]:
        found = labels_needed([made_curve(rng, n) for n in range(seeds)], {n: 0.9 + 0.005 * rng.normal() for n in range(seeds)}, 0.9, 100)
        return (None, None) if found.note else (
            found.low if found.low is not None else np.inf,
            np.inf if found.high is None else found.high,
        ), truth

    return once


def doubling(seeds: int) -> Callable[[Rng], tuple[Ends, float]]:
    """Score per doubling of the foreground, on lines."""

    def once(rng: Rng) -> tuple[Ends, float]:
        runs = []
        for n in range(seeds):
            voxels = (100, 200, 400, 700)
            slope = 0.05 + 0.01 * rng.normal()
            scores = 0.5 + slope * np.log2(np.array(voxels) / 100) + 0.005 * rng.normal(size=4)
            runs.append(Curve("a", n, (8, 16, 32, 56), tuple(map(float, scores)), ({},) * 4, (), voxels))
        found = foreground_efficiency(runs, None, 1000).per_doubling
        return ends(found) if found else (None, None), 0.05

    return once


def closing(seeds: int) -> Callable[[Rng], tuple[Ends, float]]:
    """The rate at which the gap closes."""

    def once(rng: Rng) -> tuple[Ends, float]:
        runs = []
        for n in range(seeds):
            exact = 0.9 - 0.4 * np.exp(-4.0 * np.array((0, 100, 300, 600)) / 1000)
            scores = exact + np.array([0.0, *(0.01 * rng.normal(size=3))])
            runs.append(Curve("a", n, (8, 16, 32, 56), tuple(map(float, scores)), ({},) * 4, (), (100, 200, 400, 700)))
        found = foreground_efficiency(runs, 0.9, 1000).rate
        return ends(found) if found else (None, None), 4.0

    return once


def ranked(seeds: int) -> Callable[[Rng], tuple[Ends, float]]:
    """Mean rank of one of three equal strategies."""

    def once(rng: Rng) -> tuple[Ends, float]:
        setting = {
            s: [Curve(s, n, (8, 16, 24), (0.5, *map(float, rng.normal(0.7, 0.02, 2))), ({},) * 3) for n in range(seeds)] for s in "abc"
        }
        return ends(next(r.rank for r in mean_ranks({"": setting}) if r.strategy == "a")), 2.0

    return once


def measured(rng: Rng, truth: np.ndarray, *, patients: int, luck: float) -> Measured:
    """A learning curve: each training is lucky or not, each patient goes its own way."""
    points = len(truth)
    labels = BATCH * (1.0 + np.arange(points))
    own = 0.003 * rng.normal(size=(patients, 1)) * np.log(labels)
    per_case = (
        truth + luck * rng.normal(size=points) + rng.beta(8, 2, (patients, 1)) - 0.8 + own + 0.03 * rng.normal(size=(patients, points))
    )
    draws = drawn_curves(per_case, [f"p{n}" for n in range(patients)], rng, draws=200)
    return Measured(labels, per_case.mean(axis=0), draws, float(np.quantile(draws[:, -1], 0.025)), patients)


SHAPES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "power law 0.3": lambda batches: 0.9 - 0.3 * batches**-0.3,
    "power law 0.5": lambda batches: 0.9 - 0.3 * batches**-0.5,
    "power law 1": lambda batches: 0.9 - 0.3 / batches,
    "saturating": lambda batches: 0.9 - 0.4 * np.exp(-batches / 3),
    "line": lambda batches: 0.6 + 0.01 * batches,
}
"""Scores after 1, 2, … batches."""


def gains(models: int, patients: int, shape: str) -> Callable[[Rng], tuple[Ends, float]]:
    """Expected gain of the next batch."""
    truth = SHAPES[shape](1.0 + np.arange(models + 1))

    def once(rng: Rng) -> tuple[Ends, float]:
        found = next_gain(measured(rng, truth[:-1], patients=patients, luck=0.01), BATCH)
        return (found.low, found.high) if found else (None, None), float(truth[-1] - truth[-2])

    return once


def pace(models: int, patients: int) -> Callable[[Rng], tuple[Ends, float]]:
    """What three rounds at the present pace bring, on a straight line."""
    truth = 0.6 + 0.004 * np.arange(models)

    def once(rng: Rng) -> tuple[Ends, float]:
        found = pace_gain(measured(rng, truth, patients=patients, luck=0.01), 3 * BATCH)
        return (found.low, found.high) if found else (None, None), 0.012

    return once


def qualities(patients: int, cases: int) -> Callable[[Rng], tuple[Ends, float]]:
    """Predicted quality of a new patient."""

    def once(rng: Rng) -> tuple[Ends, float]:
        own = np.repeat(rng.beta(6, 2, patients + 1), cases)
        truth = np.clip(own + 0.03 * rng.normal(size=len(own)), 0, 1)
        signs = [{OWN_SAMPLES: float(t)} for t in truth + 0.06 * rng.normal(size=len(own))]
        known = patients * cases
        found = fit_quality(signs[:known], truth[:known], np.repeat(np.arange(patients), cases).tolist())(signs[-1])
        return (found.low, found.high) if found else (None, None), float(truth[-1])

    return once


def bounds(patients: int, tolerance: float) -> Callable[[Rng], tuple[Ends, float]]:
    """Bounds of an accepted measure."""

    def once(rng: Rng) -> tuple[Ends, float]:
        truths, noise = rng.uniform(60, 140, patients + 1), rng.uniform(1, 8, patients + 1)
        estimates = truths + noise * rng.normal(size=patients + 1)
        samples = estimates[:, None] + noise[:, None] * rng.normal(size=(patients + 1, 8)) / 3
        rule = fit_bounds(estimates[:-1], samples[:-1], truths[:-1], tolerance=tolerance)
        found = bound_measure(float(estimates[-1]), samples[-1], rule)
        return (found.low, found.high) if found.accepted else (None, None), float(truths[-1])

    return once


def ends(found: Interval) -> Ends:
    """Low and high."""
    return found.low, found.high


def rows() -> Iterator[tuple[str, str, str, float, Callable[[Rng], tuple[Ends, float]]]]:
    """Every interval of the product, at the smallest number it is given for and at a larger one."""
    for n in (5, 10, 30):
        yield "mean over patients", "skewed Dice", f"{n} patients", 0.95, of_patients(beta_scores, n)
        yield "mean over patients", "Dice, 10 % failures", f"{n} patients", 0.95, of_patients(failing_scores, n)
        yield "mean over patients", "1 to 4 cases each", f"{n} patients", 0.95, clustered(n)
        yield "mean over patients", "90 % right tags", f"{n} patients", 0.95, of_patients(tags, n)
    for n in (5, 12):
        yield "difference of two models", "Dice", f"{n} patients", 0.95, paired(n, 0.0)
        yield "difference of two models", "Dice, 5 % failures each", f"{n} patients", 0.95, paired(n, 0.05)
    for n in (3, 5):
        yield "mean over seeds", "skewed", f"{n} seeds", 0.95, over_seeds(n)
        yield "difference of strategies", "seeds and patients", f"{n} seeds, 12 patients", 0.95, both_ways(n, 12)
        yield "labels needed", "curve with luck", f"{n} seeds", 0.95, needed(n)
        yield "score per doubling", "lines with luck", f"{n} seeds", 0.95, doubling(n)
        yield "rate of the foreground", "curve with luck", f"{n} seeds", 0.95, closing(n)
        yield "mean rank", "equal strategies", f"{n} seeds", 0.95, ranked(n)
    for n, patients, shape in (
        (4, 5, "power law 0.5"),
        (4, 20, "power law 0.5"),
        (6, 20, "power law 1"),
        (10, 20, "power law 0.3"),
        (4, 20, "saturating"),
        (10, 20, "saturating"),
        (4, 20, "line"),
        (10, 20, "line"),
    ):
        yield "expected gain", shape, f"{n} models, {patients} patients", 0.95, gains(n, patients, shape)
    for n, patients in ((5, 5), (8, 20)):
        yield "pace of three rounds", "line", f"{n} models, {patients} patients", 0.98, pace(n, patients)
    for n, cases in ((10, 1), (10, 3), (30, 1)):
        yield "predicted quality", f"{cases} case{'s' if cases > 1 else ''} each", f"{n} patients", 0.9, qualities(n, cases)
    for n, tolerance in ((10, 0.25), (30, 0.1)):
        yield "bounds of a measure", f"tolerance {tolerance:g}", f"{n} patients", 0.9, bounds(n, tolerance)


def cover(row: tuple[str, str, str, float, Callable[[Rng], tuple[Ends, float]]], runs: int, seed: int) -> Row:
    """One row of the table."""
    name, data, n, nominal, once = row
    rng = np.random.default_rng([seed, *name.encode(), *data.encode(), *n.encode()])
    held, widths = [], []
    for _ in range(10 * runs if name in CHEAP else runs):
        (low, high), truth = once(rng)
        if low is not None and high is not None:
            held.append(low <= truth <= high)
            widths.append(high - low)
    share = float(np.mean(held)) if held else 0.0
    error = float(np.sqrt(max(share * (1 - share), 1e-4) / max(1, len(held))))
    return Row(
        name,
        data,
        n,
        nominal,
        len(held) / (10 * runs if name in CHEAP else runs),
        share,
        error,
        float(np.median(widths)) if widths else 0.0,
    )


def null_study(rng: Rng, seeds: int, *, tagged: bool) -> Summary:
    """Four equal strategies on twelve patients: luck of trainings, and patients that suit one by chance."""
    names = [f"p{n}" for n in range(12)]
    hard, curves = rng.beta(8, 2, 12), []
    for strategy in "abcd":
        suits = 0.02 * rng.normal(size=12)
        for seed in range(seeds):
            luck = 0.01 * rng.normal(size=(3, 1)) + 0.03 * rng.normal(size=(3, 12))
            scores = np.clip(hard + suits + luck + 0.02 * np.arange(3)[:, None], 0, 1)
            scores = (rng.random(scores.shape) < scores).astype(float) if tagged else scores
            per_case = tuple(dict(zip(names, map(float, row), strict=True)) for row in scores)
            curves.append(Curve(strategy, seed, (8, 16, 24), tuple(map(float, scores.mean(axis=1))), per_case))
    return summarise(curves, {}, {name: name for name in names}, Pool(100))


def null_claims(runs: int, seed: int) -> Iterator[Claims]:
    """Significant pairs, winners and penalty wins of equal strategies."""
    for seeds in (3, 5):
        for tagged in (False, True):
            rng = np.random.default_rng([seed, seeds, tagged])
            found = [null_study(rng, seeds, tagged=tagged) for _ in range(runs)]
            data = f"4 equal strategies, {seeds} seeds, 12 patients, {'tags' if tagged else 'Dice'}"
            yield claimed("a significant pair", data, [any(c.significant for c in s.comparisons) for s in found])
            yield claimed("a winner", data, [not s.verdict.startswith("No winner") for s in found])
            yield claimed("a win in a penalty matrix", data, [bool(np.any(np.array(s.penalties.wins) > 0)) for s in found])


def stop_claims(runs: int, seed: int) -> Iterator[Claims]:
    """Runs that were told to stop while the next batch was worth 0.012 or more, asked after every model."""
    truth = 0.95 - 0.6 * (1.0 + np.arange(20)) ** -0.25
    looks = [n for n in range(2, 19) if truth[n + 1] - truth[n] >= 0.012]
    for patients, luck in ((5, 0.01), (20, 0.01), (20, 0.005)):
        rng, told = np.random.default_rng([seed, patients, round(1000 * luck)]), []
        for _ in range(runs):
            known = measured(rng, truth[: looks[-1] + 1], patients=patients, luck=luck)
            upto = [Measured(known.labels[: n + 1], known.scores[: n + 1], known.draws[:, : n + 1], known.low, patients) for n in looks]
            told.append(any(advise(Evidence(Spending(), one, kappas=(0.995, 0.996, 0.997), next_batch=BATCH)).stop for one in upto))
        yield claimed("stop, though the next batch is worth it", f"stable kappas, {patients} patients, luck of a training {luck:g}", told)


def claimed(claim: str, data: str, found: list[bool]) -> Claims:
    """A row of the second table."""
    rate = float(np.mean(found))
    return Claims(claim, data, rate, float(np.sqrt(max(rate * (1 - rate), 1e-4) / len(found))), 0.05)


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=1000, help="simulated data sets per row")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="write both tables to a file")
    given = parser.parse_args()
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # a table grows row by row
    print("| Interval | Data | Smallest and larger n | Nominal | Coverage (± MC error) | Given | Median width |\n" + "| --- " * 7 + "|")
    table = []
    for row in rows():
        table.append(one := cover(row, given.runs, given.seed))
        print(
            f"| {one.interval} | {one.data} | {one.n} | {one.nominal:.0%} | {one.coverage:.1%} ± {one.error:.1%} | {one.given:.0%} "
            f"| {one.width:.3g} |"
        )
    print("\n| Claimed wrongly | Data | Rate (± MC error) | At most |\n" + "| --- " * 4 + "|")
    claims = []
    for claim in (*null_claims(max(50, given.runs // 2), given.seed), *stop_claims(max(50, given.runs // 2), given.seed)):
        claims.append(claim)
        print(f"| {claim.claim} | {claim.data} | {claim.rate:.1%} ± {claim.error:.1%} | {claim.wanted:.0%} |")
    if given.json:
        given.json.write_text(json.dumps({"coverage": [asdict(r) for r in table], "claims": [asdict(c) for c in claims]}, indent=1))


if __name__ == "__main__":
    main()
