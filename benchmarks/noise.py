"""What wrong annotations cost, and how much of it a robust training wins back: a curve over the share of wrong cases.

The same cases are annotated at every dose; a share of them is wrong in the way of `medloop simulate --noise` (the same ones in the same
way at a larger share, so that the curve is paired). Test patients are judged by the truth. All ways take the recipe that the product
chooses and as many steps. Every run is a line of the `--json` file, written when it ends; one that is there is not run again, and the
table is printed at the end.

    python benchmarks/noise.py --data ../shared/data --datasets nuclei,acdc_cardiac --seeds 3 --steps 300 --json noise.jsonl
"""

import argparse
import dataclasses
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from medloop.core.image import Image, Mask
from medloop.models.foundation.recipes import Recipe
from medloop.simulation.noise import Noise
from semi_supervised import SETS, Item, difference, plan, read_rows, read_set, scores_of, split

WAYS = ("none", "robust-loss", "small-loss")


@dataclass(frozen=True)
class Run:
    """What one line of the results is about."""

    dataset: str
    labels: int
    seed: int
    kind: str
    mm: float
    share: float
    way: str
    steps: int


def noisy(item: Item, noise: Noise) -> tuple[Image, Mask]:
    """The case as somebody annotated it."""
    image, truth = item.load()
    return image, Mask(noise.mask(truth, item.name), truth.grid)


def run(one: Run, options: argparse.Namespace) -> dict[str, Any]:
    """Train on noisy annotations, judge by the truth."""
    items, classes = read_set(one.dataset, options.data)
    cases = split(items, one.labels, one.seed)
    noise = Noise(one.kind, one.share, one.mm, one.seed)  # type: ignore[arg-type]  # checked there
    wrong = [item.name for item in cases.annotated if noise.is_wrong(item.name)]
    recipe = dataclasses.replace(plan(cases, classes, options, one.seed), robust=one.way)  # type: ignore[arg-type]  # checked there
    with tempfile.TemporaryDirectory() as folder:
        metrics, scores = _trained(recipe, cases.annotated, cases.tested, noise, Path(folder))
    out = metrics.get("stood_out", [])
    found = {"wrong": len(wrong), "left_out": len(out), "left_out_wrong": len(set(out) & set(wrong))}
    return {"dice": scores, "seconds": round(metrics["seconds"], 1), **found}


def _trained(
    recipe: Recipe, annotated: Sequence[Item], tested: Sequence[Item], noise: Noise, folder: Path
) -> tuple[Mapping[str, Any], list[float]]:
    from medloop.models.training.batches import TrainingCase
    from medloop.models.training.train import TrainingRun, train_members

    training = [TrainingCase(item.name, partial(noisy, item, noise)) for item in annotated]
    trained = train_members(TrainingRun(recipe, training, [], folder, lambda _: True))
    return trained.metrics, scores_of(recipe, [file.read_bytes() for file in trained.weights], tested)


def wanted(options: argparse.Namespace) -> list[Run]:
    """Every run, seed after seed, so that results cut short hold whole seeds; without noise every way runs too."""
    seeds = range(options.first_seed, options.first_seed + options.seeds)
    shares = [float(share) for share in options.shares.split(",")]
    return [
        Run(name, options.labels, seed, options.kind, options.mm, share, way, options.steps)
        for seed in seeds
        for name in options.datasets.split(",")
        for share in shares
        for way in options.ways.split(",")
    ]


def print_table(rows: Sequence[Mapping[str, Any]]) -> None:
    """One line per set, dose and way: Dice, what the noise cost this way, and the difference from the usual training at that dose."""
    print(
        f"{'set':<13} {'wrong':>5} {'seeds':>5} {'way':<12} {'Dice':>6}  against no noise            against none at this dose    left out"
    )
    found = {(row["dataset"], row["share"], row["way"], row["seed"]): row for row in rows}
    for name, share, way in dict.fromkeys((row["dataset"], row["share"], row["way"]) for row in rows):
        needed = ((share, way), (0.0, "none"), (share, "none"))
        own = sorted({seed for *_, seed in found if all((name, *key, seed) in found for key in needed)})
        if not own:
            continue
        here, clean, usual = ([found[name, *key, seed]["dice"] for seed in own] for key in needed)
        out = [sum(found[name, share, way, seed][key] for seed in own) for key in ("left_out_wrong", "left_out", "wrong")]
        mean = np.mean([np.mean(scores) for scores in here])
        words = f"{_words(difference(here, clean))}  {_words(difference(here, usual))}"
        print(f"{name:<13} {share:>5.0%} {len(own):>5} {way:<12} {mean:.4f}  {words}  {out[0]} of {out[1]} wrong, {out[2]} were")


def _words(found: tuple[float, float, float]) -> str:
    return f"{found[0]:+.4f} ({found[1]:+.4f} to {found[2]:+.4f})"


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds the sets")
    parser.add_argument("--datasets", default="nuclei,acdc_cardiac", help=f"which of {', '.join(SETS)}")
    parser.add_argument("--seeds", type=int, default=3, help="number of seeds: each has its own annotated cases, errors and weights")
    parser.add_argument("--first-seed", type=int, default=0, help="the first of these seeds")
    parser.add_argument("--labels", type=int, default=20, help="annotated cases")
    parser.add_argument("--kind", default="mixed", help="of errors, as for medloop simulate --noise")
    parser.add_argument("--mm", type=float, default=4.0, help="how far outlines are moved")
    parser.add_argument("--shares", default="0,0.2,0.4,0.6", help="of the annotated cases that are wrong")
    parser.add_argument("--ways", default=",".join(WAYS), help="values of the setting robust")
    parser.add_argument("--steps", type=int, default=300, help="of each training")
    parser.add_argument("--precision", default="float32", choices=("auto", "float32", "bfloat16"), help="of the networks")
    parser.add_argument("--json", type=Path, required=True, help="where every run becomes a line, and is found again")
    parser.set_defaults(minutes=1.0)
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the runs that are missing, print the table."""
    options = parse(arguments)
    runs = wanted(options)
    for one in runs:
        asked = dataclasses.asdict(one)
        if any(asked.items() <= row.items() for row in read_rows(options.json)):
            continue
        row = {**asked, **run(one, options)}
        with options.json.open("a") as out:
            out.write(json.dumps(row) + "\n")
        print(f"{one}: Dice {np.mean(row['dice']):.4f}, {row['seconds']} s", file=sys.stderr, flush=True)
    keys = [dataclasses.asdict(one).items() for one in runs]
    print_table([row for row in read_rows(options.json) if any(key <= row.items() for key in keys)])
    return 0


if __name__ == "__main__":
    sys.exit(main())
