"""Queries of single slices with partial annotations: is any strategy ahead of foreground-aware random, steps growing with the answers?

The unit of nnActive (Lüth et al. 2025, arXiv:2511.19183), with slices: a pool of training cases of which single slices are annotated, all
else unknown. The first slices are drawn by the baseline and shared; every round queries `--batch` slices, at most `--most` of a case, and
trains the product's recipe anew, `--steps-per-slice` steps for each slice annotated so far. A quarter of the patients is held out.

- `foreground-random`: slices at random, a third of them among those that truly have foreground (the baseline that is hard to beat);
- `random`: slices at random;
- `entropy`: the highest mean entropy of a slice;
- `power`: entropy^1 with Gumbel noise, drawn in turn, so that a batch is not one doubt many times over;
- `gain`: the product's own order of slices, by wrong voxels expected per second of a look.

A setting is a data set with a batch. Areas under the curves are compared with the baseline, paired over seeds and patients, p values
adjusted by Holm over strategies and settings. Every run is a line of `--json`; one that is there is not run again. `--quick` takes
phantoms and few steps: a minute that says whether it works, and nothing about strategies.

    python benchmarks/partial_queries.py --data ../shared/data --batches 12,24 --seeds 4 --json partial_queries.jsonl
"""

import argparse
import dataclasses
import json
import os
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np

from medloop.core.arrays import UNKNOWN, FloatArray
from medloop.core.image import Image, Mask
from medloop.core.seeds import generator
from medloop.interaction.attention import chances_of_entropy, rank_places
from medloop.metrics.curves import area_under
from medloop.models.foundation.recipes import Recipe
from medloop.query.subvolume.units import rank_slices
from medloop.query.uncertainty.stochastic import draw_in_turn, power_logits
from medloop.simulation.comparisons import compare, holm_of
from medloop.simulation.curves import Curve
from semi_supervised import Item, Split, plan, read_rows, read_set, sampled_scores_of, split

BASELINE = "foreground-random"
STRATEGIES = (BASELINE, "random", "entropy", "power", "gain")
FOREGROUND_SHARE = 1 / 3
"""Of the baseline's slices, as nnActive's; they are drawn with knowledge of the truth."""

Slice = tuple[str, int]
"""A case and the number of a slice across its paging axis."""


@dataclass(frozen=True)
class Run:
    """What one line of the results is about."""

    dataset: str
    batch: int
    seed: int
    strategy: str
    rounds: int
    pool: int
    most: int
    steps_per_slice: float


@dataclass(frozen=True, eq=False)
class Pool:
    """Cases that may be queried, by name, with the number of their slices and which have foreground."""

    items: Mapping[str, Item]
    slices: Mapping[str, int]
    foreground: frozenset[Slice]

    def free(self, known: Sequence[Slice]) -> list[Slice]:
        """Slices that are not annotated yet."""
        taken = set(known)
        return [(name, n) for name, count in self.slices.items() for n in range(count) if (name, n) not in taken]


def pool_of(items: Sequence[Item]) -> Pool:
    """Read the truth of every case once."""
    slices, foreground = dict[str, int](), set[Slice]()
    for item in items:
        mask = item.load()[1]
        along = np.moveaxis(mask.array, mask.grid.paging_axis, 0) > 0
        slices[item.name] = len(along)
        foreground |= {(item.name, int(n)) for n in np.flatnonzero(along.reshape(len(along), -1).any(axis=1))}
    return Pool({item.name: item for item in items}, slices, frozenset(foreground))


def annotated(item: Item, indices: Sequence[int]) -> tuple[Image, Mask]:
    """A case of which these slices are annotated, and nothing else is known."""
    image, truth = item.load()
    mask, axis = np.full_like(truth.array, UNKNOWN), truth.grid.paging_axis
    np.moveaxis(mask, axis, 0)[list(indices)] = np.moveaxis(truth.array, axis, 0)[list(indices)]
    return image, Mask(mask, truth.grid)


def trained(pool: Pool, known: Sequence[Slice], recipe: Recipe, folder: Path) -> list[bytes]:
    """The weights of a network that learned from these slices, anew."""
    from medloop.models.training.batches import TrainingCase
    from medloop.models.training.train import TrainingRun, train_members

    own = {name: sorted(n for one, n in known if one == name) for name, _ in known}
    cases = [TrainingCase(name, partial(annotated, pool.items[name], indices)) for name, indices in own.items()]
    done = train_members(TrainingRun(recipe, cases, [], folder, lambda _: True))
    return [file.read_bytes() for file in done.weights]


def scored(pool: Pool, free: Sequence[Slice], recipe: Recipe, weights: Sequence[bytes], *, by_gain: bool) -> FloatArray:
    """How much each free slice is wanted: mean entropy, or wrong voxels per second of a look; shape (slices,)."""
    from scipy.special import entr

    from medloop.models.inference.predict import Predictor

    predictor, found = Predictor.load(recipe, list(weights)), dict[Slice, float]()
    for name in dict.fromkeys(name for name, _ in free):
        image = pool.items[name].load()[0]
        predicted = predictor.predict(image, samples=1, rng=generator(recipe.seed, "predict", name)).probabilities
        entropy, axis = entr(predicted.astype(np.float64)).sum(axis=0), image.grid.paging_axis
        if by_gain:
            chances = chances_of_entropy(np.clip(entropy, 0, np.log(recipe.classes)), recipe.classes)
            found |= {(name, p.index): p.gain_per_second for p in rank_places(chances, axes=(axis,), count=pool.slices[name])}
        else:
            found |= {(name, unit.index): unit.score for unit in rank_slices(entropy, pool.slices[name], axis=axis)}
    return np.array([found.get(one, 0.0) for one in free])


def at_random(pool: Pool, free: Sequence[Slice], count: int, rng: np.random.Generator, *, share: float) -> list[Slice]:
    """Slices in a random order, this share of the first `count` with foreground."""
    order = [free[n] for n in rng.permutation(len(free))]
    first = [one for one in order if one in pool.foreground][: round(share * count)]
    return [*first, *(one for one in order if one not in first)]


def limited(order: Sequence[Slice], count: int, most: int) -> list[Slice]:
    """The first slices of an order, at most so many of a case."""
    taken: list[Slice] = []
    for one in order:
        if len(taken) < count and sum(name == one[0] for name, _ in taken) < most:
            taken.append(one)
    return taken


def queried(one: Run, pool: Pool, known: Sequence[Slice], recipe: Recipe, weights: Sequence[bytes]) -> list[Slice]:
    """The slices of the next round."""
    free, rng = pool.free(known), generator(one.seed, "query", one.strategy, len(known))
    if one.strategy in (BASELINE, "random"):
        order = at_random(pool, free, one.batch, rng, share=FOREGROUND_SHARE if one.strategy == BASELINE else 0.0)
    else:
        wanted = scored(pool, free, recipe, weights, by_gain=one.strategy == "gain")
        turns = (
            draw_in_turn(power_logits(wanted, 1.0), len(free), rng)[0] if one.strategy == "power" else np.argsort(-wanted, kind="stable")
        )
        order = [free[n] for n in turns]
    return limited(order, one.batch, one.most)


Trained = tuple[list[bytes], dict[str, float]]
"""Weights, and the Dice of every held-out case by them."""


def run(one: Run, items: Sequence[Item], classes: int, options: argparse.Namespace, starts: dict[Any, Trained]) -> dict[str, Any]:
    """All rounds of one strategy with one seed; the first one, which all strategies share, is looked up in `starts`, and kept there."""
    cases = split(items, one.pool, one.seed)
    pool, recipe = pool_of(cases.annotated), plan(Split(cases.annotated, [], []), classes, options, one.seed)
    tested, rng, begun = cases.tested[: options.tested], generator(one.seed, "start", one.batch), time.process_time()
    known = limited(at_random(pool, pool.free(()), one.batch, rng, share=FOREGROUND_SHARE), one.batch, one.most)
    if (key := (one.dataset, one.batch, one.seed)) not in starts:
        starts[key] = _judged(pool, known, _for(one, recipe, known), tested)
    labelled, judged = [len(known)], [starts[key]]
    for _ in range(one.rounds - 1):
        known = known + queried(one, pool, known, recipe, judged[-1][0])
        judged.append(_judged(pool, known, _for(one, recipe, known), tested))
        labelled.append(len(known))
    return {
        "labelled": labelled,
        "per_case": [scores for _, scores in judged],
        "patients": {item.name: item.patient for item in tested},
        "foreground": float(np.mean([s in pool.foreground for s in known])),
        "cpu_seconds": round(time.process_time() - begun, 1),
    }


def _for(one: Run, recipe: Recipe, known: Sequence[Slice]) -> Recipe:
    return dataclasses.replace(recipe, steps=max(1, round(one.steps_per_slice * len(known))))


def _judged(pool: Pool, known: Sequence[Slice], recipe: Recipe, tested: Sequence[Item]) -> Trained:
    with tempfile.TemporaryDirectory() as folder:
        weights = trained(pool, known, recipe, Path(folder))
    scores = sampled_scores_of(recipe, weights, tested, 1)[0]
    return weights, {item.name: score for item, score in zip(tested, scores, strict=True)}


def curve_of(row: Mapping[str, Any]) -> Curve:
    """A run as the product's statistics take it."""
    scores = tuple(float(np.mean(list(at.values()))) for at in row["per_case"])
    return Curve(row["strategy"], row["seed"], tuple(row["labelled"]), scores, tuple(row["per_case"]))


def print_table(rows: Sequence[Mapping[str, Any]]) -> None:
    """Per setting and strategy: Dice at the end, area, and the difference from the baseline with its adjusted p."""
    lines, ps = list[list[str]](), list[float | None]()
    for name, batch in dict.fromkeys((row["dataset"], row["batch"]) for row in rows):
        own = [row for row in rows if (row["dataset"], row["batch"]) == (name, batch)]
        by_name = {s: [curve_of(row) for row in own if row["strategy"] == s] for s in dict.fromkeys(row["strategy"] for row in own)}
        for strategy, curves in by_name.items():
            ends = ", ".join(f"{curve.scores[-1]:.3f}" for curve in curves)
            area = float(np.mean([area_under(curve.labelled, curve.scores) for curve in curves]))
            words, p = against(by_name, strategy, own[0]["patients"])
            lines.append([name, str(batch), strategy, ends, f"{area:.4f}", words])
            ps.append(p)
    head = ("set", "batch", "strategy", "Dice at the end by seed", "area", f"less {BASELINE} (95 %)", "p (Holm)")
    print(f"| {' | '.join(head)} |\n|{' --- |' * len(head)}")
    for line, p in zip(lines, holm_of(ps), strict=True):
        print(f"| {' | '.join(line)} | {'' if p is None else f'{p:.3f}'} |")


def against(by_name: Mapping[str, Sequence[Curve]], strategy: str, patients: Mapping[str, str]) -> tuple[str, float | None]:
    """How far a strategy's area is above the baseline's, in words, and p before its adjustment; nothing for the baseline."""
    if strategy == BASELINE or BASELINE not in by_name:
        return "", None
    [found] = compare({strategy: by_name[strategy], BASELINE: by_name[BASELINE]}, patients)
    d, sign = found.difference, 1 if found.a == strategy else -1
    if d.low is None or d.high is None:
        return f"{sign * d.mean:+.4f} ({d.note})", found.p
    low, high = sorted((sign * d.low, sign * d.high))
    return f"{sign * d.mean:+.4f} ({low:+.4f} to {high:+.4f})", found.p


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder that holds the sets")
    parser.add_argument("--datasets", default="hippocampus,acdc_cardiac", help="which of them")
    parser.add_argument("--batches", default="12,24", help="slices per round")
    parser.add_argument("--strategies", default=",".join(STRATEGIES))
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=4, help="the first, shared one included")
    parser.add_argument("--pool", type=int, default=24, help="cases that may be queried")
    parser.add_argument("--most", type=int, default=2, help="slices of a case and round")
    parser.add_argument("--tested", type=int, default=20, help="most held-out cases")
    parser.add_argument("--steps-per-slice", type=float, default=4.0)
    parser.add_argument("--minutes", type=float, default=1.0, help="the time that the recipe is chosen for")
    parser.add_argument("--precision", default="float32", choices=("auto", "float32", "bfloat16"))
    parser.add_argument("--quick", action="store_true", help="phantoms, two strategies, two rounds: a minute")
    parser.add_argument("--json", type=Path, required=True, help="where every run becomes a line, and is found again")
    parser.set_defaults(steps=1)
    given = parser.parse_args(arguments)
    if given.quick:
        own = {"datasets": "phantoms", "batches": "4", "strategies": f"{BASELINE},gain", "seeds": 1, "rounds": 2}
        vars(given).update({**own, "pool": 6, "tested": 3, "steps_per_slice": 1.0, "minutes": 0.05})
    return given


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the runs that are missing, print the table."""
    given, rows, starts = parse(arguments), list[dict[str, Any]](), dict[Any, Trained]()
    fixed = (given.rounds, given.pool, given.most, given.steps_per_slice)
    sets = {name: read_set(name, given.data) for name in given.datasets.split(",")}
    for seed in range(given.seeds):  # seed after seed, so that results cut short hold whole seeds
        for name, (items, classes) in sets.items():
            for batch in map(int, given.batches.split(",")):
                for strategy in given.strategies.split(","):
                    one = Run(name, batch, seed, strategy, *fixed)
                    key = dataclasses.asdict(one)
                    row = next((row for row in read_rows(given.json) if key.items() <= row.items()), None)
                    if row is None:
                        row = {**key, **run(one, items, classes, given, starts)}
                        with given.json.open("a") as out:
                            out.write(json.dumps(row) + "\n")
                        mean = np.mean(list(row["per_case"][-1].values()))
                        print(f"{one}: Dice {mean:.4f}, {row['cpu_seconds']} CPU s", file=sys.stderr, flush=True)
                    rows.append(row)
    print_table(rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
