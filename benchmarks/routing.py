"""Who reads what: what does it cost to reach a target quality of the annotations by routing, and by reading without it?

A simulated team (`medloop.simulation.team`: a consultant, an expert, and novices who are good, draw too large, too small, carelessly
and at random) reads each data set through the code that serves people, by three policies on the same cases:

- `value`: the setting `routing`, with a tutorial of gold cases for the novices, whose cost counts;
- `expert`: the expert reads every case once;
- `two`: two members, drawn at random, read every case.

Quality is the mean score of the annotations in force with the truth over all cases, 0 for one that nobody has read. Nothing is trained.
Savings compare the money that `value` spent until its quality reached a target with that of the others, seed by seed: the target
`--target` against `expert`, and against `two` the quality that `two` ends with (in a bootstrap, with the cases drawn). Intervals:
bootstrap over seeds, and cases within them.

    python benchmarks/routing.py --data ../shared/data --seeds 4 --json routing.json
"""

import argparse
import json
import os
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np

from full_data import machine
from medloop.simulation.team import STANDARD
from medloop.simulation.team_runs import Policy, Spending, TeamDesign, run_team

SETS = {"hc18_ultrasound": "fetal heads (HC18)", "acdc_cardiac": "hearts (ACDC)", "chest_xray": "chest radiographs, classes"}
DRAWS = 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds the data sets")
    parser.add_argument("--sets", default=",".join(SETS), help="names of folders in it, separated by commas")
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--cases", type=int, default=12, help="cases measured per seed")
    parser.add_argument("--gold", type=int, default=3, help="gold cases of the tutorial")
    parser.add_argument("--target", type=float, default=0.9, help="mean score to reach, against the expert")
    parser.add_argument("--sure-enough", type=float, default=0.9)
    parser.add_argument("--readings", type=int, default=4)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    found = {name: measure(given, given.data / name) for name in given.sets.split(",") if (given.data / name).exists()}
    for name, rows in found.items():
        print(f"\n{SETS.get(name, name)}")
        print(table(rows))
    if given.json:
        record = {
            "machine": machine(),
            "options": {k: str(v) for k, v in vars(given).items()},
            "sets": found,
            "team": [asdict(m) for m in STANDARD],
        }
        given.json.write_text(json.dumps(record, indent=1))


def measure(given: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """All seeds on one data set, and the savings."""
    runs = []
    for seed in range(given.seeds):
        started = time.perf_counter()
        design = TeamDesign(
            dataset=str(folder),
            team=STANDARD,
            cases=given.cases,
            gold=given.gold,
            readings=given.readings,
            sure_enough=given.sure_enough,
            seed=seed,
        )
        runs.append(run_team(design))
        print(f"{folder.name} seed {seed}: {time.perf_counter() - started:.0f} s", flush=True)
    return {
        "ends": {policy: [ending(run[policy]) for run in runs] for policy in runs[0]},
        "against expert": saving(runs, "expert", given.target, cases=given.cases),
        "against two": saving(runs, "two", None, cases=given.cases),
        "paths": [{policy: one.path for policy, one in run.items()} for run in runs],
    }


def ending(one: Spending) -> dict[str, float]:
    """What a run spent in all, and the quality it ended with."""
    return {"minutes": one.minutes[-1], "money": one.money[-1], "quality": one.quality[-1], "readings": len(one.path)}


def saving(runs: Sequence[dict[Policy, Spending]], other: Policy, target: float | None, *, cases: int) -> dict[str, Any]:
    """Share of the other policy's money that `value` saves, seed by seed, with a 95 % interval; None where a target was not reached.

    Without a target it is what the other policy ends with.
    """
    targets = [run[other].quality[-1] if target is None else target for run in runs]
    costs = [(cost(run["value"], target), cost(run[other], target)) for run, target in zip(runs, targets, strict=True)]
    reached = [pair for pair in costs if None not in pair]
    shares = [1.0 - float(value or 0.0) / float(rest or 1.0) for value, rest in reached]
    found: dict[str, Any] = {"targets": list(targets), "costs": costs, "reached": len(reached), "seeds": len(runs)}
    if not shares:
        return {**found, "saving": None, "low": None, "high": None}
    rng, drawn = np.random.default_rng(0), list[float]()
    while len(drawn) < DRAWS:
        each = []
        for seed in rng.integers(0, len(runs), len(runs)):
            weights = rng.multinomial(cases, np.full(cases, 1.0 / cases)).astype(float)
            names = sorted(
                {name for name, _, _ in runs[seed]["value"].path if name} | {name for name, _, _ in runs[seed][other].path if name}
            )
            weighted = dict(zip(names, weights, strict=False))
            wanted = ends_with(runs[seed][other], weighted) if target is None else target
            pair = [cost(runs[seed][policy], wanted, weighted) for policy in ("value", other)]
            if pair[0] is not None and pair[1] is not None:
                each.append(1.0 - pair[0] / pair[1])
        drawn.append(float(np.mean(each)) if each else float(np.mean(shares)))
    low, high = np.quantile(drawn, [0.025, 0.975])
    return {**found, "saving": float(np.mean(shares)), "low": float(low), "high": float(high)}


def cost(one: Spending, target: float, weights: dict[str, float] | None = None) -> float | None:
    """Money spent when the quality, each case counted by its weight, first reached a target; None where it never did."""
    if weights is None:
        return one.cost_to(target)
    total, money, scores = sum(weights.values()), 0.0, dict[str, float]()
    for name, score, spent in one.path:
        money += spent * (weights.get(name, 0.0) if name else 1.0)
        if name:
            scores[name] = score
        if sum(weights.get(case, 0.0) * value for case, value in scores.items()) / total >= target - 1e-9:
            return money
    return None


def ends_with(one: Spending, weights: dict[str, float]) -> float:
    """The quality that a run ends with, each case counted by its weight."""
    scores = {name: score for name, score, _ in one.path if name}
    return sum(weights.get(case, 0.0) * value for case, value in scores.items()) / sum(weights.values())


def table(found: dict[str, Any]) -> str:
    """The rows of one data set as Markdown."""
    lines = ["| Policy | Money in all | Minutes | Readings | Quality at the end |", "| --- | --- | --- | --- | --- |"]
    for policy, ends in found["ends"].items():
        mean = {key: float(np.mean([one[key] for one in ends])) for key in ends[0]}
        lines.append(f"| {policy} | {mean['money']:.0f} | {mean['minutes']:.0f} | {mean['readings']:.0f} | {mean['quality']:.3f} |")
    for name in ("against expert", "against two"):
        one = found[name]
        words = "target not reached" if one["saving"] is None else f"{one['saving']:.0%} ({one['low']:.0%} to {one['high']:.0%})"
        lines.append(
            f"\nmoney saved {name}: {words}, target {np.mean(one['targets']):.3f}, reached in {one['reached']} of {one['seeds']} seeds"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
