"""Runs made up from numbers, for statistics that need no training."""

import numpy as np

from medloop.simulation.curves import Curve
from medloop.simulation.strategy_summary import Pool

CASES = [f"c{n:02d}" for n in range(30)]
PATIENTS = {name: name for name in CASES}
ALIKE = {name: name for name in CASES[:8]}
POOL = Pool(cases=100)


def curve(strategy: str, seed: int, gain: float = 0.0, luck: float = 0.0) -> Curve:
    """Three rounds; cases differ in difficulty, which all strategies share."""
    rng = np.random.default_rng(seed)
    hard = rng.uniform(0.4, 0.6, len(CASES))
    own = np.random.default_rng([seed, sum(map(ord, strategy))])
    rounds = [hard + 0.1 * r + gain * r + luck * own.normal(size=len(CASES)) for r in range(3)]
    per_case = tuple(dict(zip(CASES, map(float, scores), strict=True)) for scores in rounds)
    return Curve(strategy, seed, (8, 16, 24), tuple(float(s.mean()) for s in rounds), per_case)


def runs(*strategies: tuple[str, float, float], seeds: int = 3) -> list[Curve]:
    return [curve(name, seed, gain, luck) for name, gain, luck in strategies for seed in range(seeds)]


def plain(strategy: str, seed: int, *scores: float, foreground: tuple[int, ...] = ()) -> Curve:
    """A run of 4, 8, 12, … answered cases with these scores, the same for each of `ALIKE`."""
    labelled = tuple(4 * (n + 1) for n in range(len(scores)))
    return Curve(strategy, seed, labelled, scores, tuple(dict.fromkeys(ALIKE, score) for score in scores), (), foreground)
