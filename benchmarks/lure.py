"""Does the mean of drawn cases keep its 95 %: simulated projects, through the product's own draws, weights and interval.

    python benchmarks/lure.py [--projects 500] [--seed 0]

Each project has its own pool (40 to 400 patients with 1 to 3 cases), its own spread of scores with or without failures, an uncertainty
that tells more or less of them, and two to fifteen rounds of 4 cases drawn by a strategy that keeps its chances. The truth is the mean of
the whole pool, patients alike. Beside it: the plain mean of the same cases, and an audit sample of as many patients.
"""

import argparse
from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from medloop.metrics.intervals import bootstrap_mean
from medloop.query.budget.drawn_mean import Draws, drawn_mean
from medloop.query.pool import Pool
from medloop.query.strategies import strategy

STRATEGIES = ("random", "foreground", "power-entropy", "power-bald", "softmax-bald", "softrank-bald")
BATCH = 4


@dataclass(frozen=True)
class Project:
    """A made-up pool: patient, score and uncertainty of each case."""

    patients: np.ndarray
    scores: np.ndarray
    uncertainty: np.ndarray


def make_project(rng: np.random.Generator, *, classes: bool) -> Project:
    """One pool; with `classes` scores are 0 or 1."""
    patients = int(rng.integers(40, 400))
    each = rng.choice([1, 1, 2, 3], size=patients) if rng.random() < 0.5 else np.ones(patients, dtype=int)
    patient = np.repeat(np.arange(patients), each)
    level, failures = rng.choice([0.5, 0.7, 0.85, 0.92]), rng.choice([0.0, 0.05, 0.1])
    middle = rng.beta(level * 15, (1 - level) * 15, patients)
    middle = np.where(rng.random(patients) < failures, rng.uniform(0, 0.4, patients), middle)
    scores = np.clip(middle[patient] + rng.normal(0, 0.04, len(patient)), 0, 1)
    if classes:
        scores = (rng.random(len(patient)) < scores).astype(np.float64)
    noise = np.abs(rng.normal(0, rng.choice([0.03, 0.1, 0.2]), len(patient)))
    return Project(patient, scores, np.clip((1 - scores) * rng.uniform(0.3, 1) + noise, 1e-4, None))


def draw(project: Project, name: str, rounds: int, rng: np.random.Generator) -> Draws:
    """Rounds of a strategy, the chances kept as queries keep them."""
    left, drawn, chances = np.arange(len(project.scores)), [], []
    for _ in range(rounds):
        unsure = project.uncertainty[left]
        names = tuple(f"case{n:05d}" for n in left)
        pool = Pool(names, dict.fromkeys(("entropy", "bald", "foreground"), unsure), None, None)
        picks = strategy(name).select(pool, BATCH, rng)
        drawn += [int(left[p.index]) for p in picks]
        chances += [p.probability for p in picks]
        left = np.setdiff1d(left, drawn)
    each, cases = np.bincount(project.patients), len(project.scores)
    shares = cases / ((project.patients.max() + 1) * each[project.patients[drawn]])
    patients = [int(p) for p in project.patients[drawn]]
    return Draws(1 - project.scores[drawn], np.array(chances, dtype=np.float64), cases, patients, shares)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--projects", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    rng = np.random.default_rng(asked.seed)
    found: dict[str, list[tuple[bool, float, float, float, bool]]] = defaultdict(list)
    for number in range(asked.projects):
        name = STRATEGIES[number % len(STRATEGIES)]
        classes = number // len(STRATEGIES) % 4 == 3
        project = make_project(rng, classes=classes)
        rounds = int(rng.integers(2, 16))
        rounds = min(rounds, len(project.scores) // (3 * BATCH))
        draws = draw(project, name, rounds, rng)
        each = np.bincount(project.patients)
        truth = float((np.bincount(project.patients, weights=project.scores) / each).mean())
        made = drawn_mean(draws)
        if made.low is None or made.high is None:
            continue
        plain = float((1 - draws.losses).mean())
        whole = rng.choice(project.patients.max() + 1, size=min(len(draws.losses), project.patients.max() + 1), replace=False)
        chosen = np.isin(project.patients, whole)
        audit = bootstrap_mean(project.scores[chosen], list(project.patients[chosen]), rng)
        inside = audit.low is not None and audit.high is not None and audit.low <= truth <= audit.high
        line = (made.low <= truth <= made.high, made.high - made.low, made.mean - truth, plain - truth, inside)
        draws_made = "8 to 16" if rounds <= 4 else "20 to 32" if rounds <= 8 else "36 to 60"
        for group in ("all", name, f"{draws_made} draws", "classes" if classes else "masks"):
            found[group].append(line)
    print("| projects | n | inside | width | mean error | plain mean's error | audit of as many: inside |\n|---|---|---|---|---|---|---|")
    for group, lines in found.items():
        table = np.array(lines, dtype=np.float64)
        print(
            f"| {group} | {len(table)} | {table[:, 0].mean():.1%} | {table[:, 1].mean():.3f} | {table[:, 2].mean():+.4f} | "
            f"{table[:, 3].mean():+.4f} | {table[:, 4].mean():.1%} |"
        )


if __name__ == "__main__":
    main()
