"""Marks instead of masks: the same training cases by scribbles, boxes, extreme points, points or tags, against full masks.

A quarter of the patients of every set is held out, always the same ones; of the others some are annotated, drawn by seed: one case of each
patient, by marks that a careful person would give by the stated model (`medloop.interaction.weak.simulated`). All kinds learn by
the product's own recipe and take as many steps. Beside Dice stand the minutes that each kind takes by that model, and the ratio to the full
masks' Dice with its interval over seeds and held-out cases. `--likely 0` leaves out what marks only make likely, `--agreed 0` what the
running mean of the weights decides. Every run is a line of the `--json` file; one that is there is not run again.

    python benchmarks/weak_labels.py --data ../shared/data --seeds 3 --steps 400 --json weak_labels.jsonl
"""

import argparse
import dataclasses
import json
import os
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np

from medloop.core.image import Image, Mask
from medloop.core.seeds import generator
from medloop.interaction.weak.pseudo_labels import pseudo_labels
from medloop.interaction.weak.simulated import GIVEN_KINDS, mask_seconds, simulated_marks
from medloop.interaction.weak.supervision import supervise
from medloop.metrics.overlap import dice
from medloop.models.foundation.recipes import Recipe, WeakWeights
from semi_supervised import Item, Split, plan, read_set, split

DRAWS = 2000


def training_case(item: Item, kind: str, classes: int, seed: int) -> tuple[Any, float]:
    """The training case by one kind of annotation, and the seconds that it takes by the stated model."""
    from medloop.models.training.batches import TrainingCase
    from medloop.models.training.weak_targets import WeakTarget

    image, truth = item.load()
    if kind == "mask":
        return TrainingCase(item.name, item.load), mask_seconds(truth.array, truth.grid)
    labels = tuple(range(1, classes))
    rng = generator(seed, "marks", item.name)
    given = simulated_marks(truth.array, truth.grid, kind, labels, rng, image=image.array)  # type: ignore[arg-type]
    known = supervise(given.marks, truth.array.shape, {n: f"label {n}" for n in labels})  # type: ignore[arg-type]
    likely = Mask(pseudo_labels(image, known), truth.grid)
    weak = partial(WeakTarget, known.sets, known.possible, known.present)
    return TrainingCase(f"{item.name} by {kind}", partial(_pair, image, likely), weak=weak), given.seconds


def _pair(image: Image, mask: Mask) -> tuple[Image, Mask]:
    return image, mask


def run(cases: Split, recipe: Recipe, kind: str, seed: int) -> dict[str, Any]:
    """Train by one kind of annotation, then predict the held-out cases."""
    from medloop.models.inference.predict import Predictor
    from medloop.models.training.train import train

    begun = time.process_time()
    made = [training_case(item, kind, recipe.classes, seed) for item in cases.annotated]
    prepared = time.process_time() - begun
    with tempfile.TemporaryDirectory() as folder:
        trained = train(recipe, [case for case, _ in made], [], Path(folder), report=lambda _: True)
        predictor = Predictor.load(recipe, [file.read_bytes() for file in trained.weights])
    scores = []
    for item in cases.tested:
        image, truth = item.load()
        chances = predictor.predict(image, samples=1, rng=generator(seed, "predict", item.name)).probabilities
        found = dice(chances.argmax(axis=0).astype(np.uint8), truth.array, range(1, recipe.classes))
        scores.append(float(np.mean(list(found.values()))))
    minutes = sum(seconds for _, seconds in made) / 60
    return {"dice": scores, "minutes": round(minutes, 2), "prepared_s": round(prepared, 1), "cpu_s": round(time.process_time() - begun, 1)}


def ratio(own: Sequence[Sequence[float]], full: Sequence[Sequence[float]]) -> tuple[float, float, float]:
    """Mean Dice over that of full masks and its 95 % interval; seeds (rows) and held-out cases (columns) are drawn again, paired."""
    a, b, rng = np.array(own), np.array(full), np.random.default_rng(0)
    drawn = []
    for _ in range(DRAWS):
        rows, columns = rng.integers(len(a), size=len(a)), rng.integers(a.shape[1], size=a.shape[1])
        drawn.append(a[np.ix_(rows, columns)].mean() / max(1e-9, b[np.ix_(rows, columns)].mean()))
    low, high = np.quantile(drawn, [0.025, 0.975])
    return float(a.mean() / max(1e-9, b.mean())), float(low), float(high)


def print_table(rows: Sequence[Mapping[str, Any]]) -> None:
    """Per set and kind: Dice of each seed, the ratio to full masks, the minutes of all annotated cases."""
    head = ("set", "kind", "Dice by seed", "mean", "of full masks (95 % interval)", "minutes", "of drawing")
    print(f"| {' | '.join(head)} |")
    print("|" + " --- |" * len(head))
    for name in dict.fromkeys(row["dataset"] for row in rows):
        own = [row for row in rows if row["dataset"] == name]
        full = {row["seed"]: row for row in own if row["kind"] == "mask"}
        for kind in dict.fromkeys(row["kind"] for row in own):
            of_kind = [row for row in own if row["kind"] == kind and row["seed"] in full] or [row for row in own if row["kind"] == kind]
            seeds = ", ".join(f"{np.mean(row['dice']):.3f}" for row in of_kind)
            minutes = float(np.mean([row["minutes"] for row in of_kind]))
            paired, share = "-", "-"
            if full and all(row["seed"] in full for row in of_kind):
                value, low, high = ratio([row["dice"] for row in of_kind], [full[row["seed"]]["dice"] for row in of_kind])
                paired = f"{value:.3f} ({low:.3f} to {high:.3f})"
                share = f"{minutes / np.mean([full[row['seed']]['minutes'] for row in of_kind]):.0%}"
            print(f"| {name} | {kind} | {seeds} | {np.mean([r['dice'] for r in of_kind]):.3f} | {paired} | {minutes:.1f} | {share} |")


def options() -> argparse.Namespace:
    """The command line."""
    found = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    found.add_argument("--data", type=Path, default=Path("../shared/data"))
    found.add_argument("--datasets", default="acdc_cardiac,hippocampus", help="of semi_supervised.py: acdc_cardiac, hippocampus, hc18, …")
    found.add_argument("--seeds", type=int, default=3)
    found.add_argument("--kinds", default=",".join(GIVEN_KINDS))
    found.add_argument("--labels", type=int, default=10, help="annotated patients")
    found.add_argument("--tested", type=int, default=12, help="most held-out cases")
    found.add_argument("--steps", type=int, default=400)
    found.add_argument("--minutes", type=float, default=5.0, help="what the recipe is chosen for")
    found.add_argument("--precision", default="auto")
    found.add_argument("--likely", type=float, default=WeakWeights().likely)
    found.add_argument("--agreed", type=float, default=WeakWeights().agreed)
    found.add_argument("--json", type=Path, default=Path("weak_labels.jsonl"))
    return found.parse_args()


def main() -> int:
    """Run what is missing, then print the table."""
    given = options()
    done = [json.loads(line) for line in given.json.read_text().splitlines()] if given.json.exists() else []
    same = {"steps": given.steps, "labels": given.labels, "likely": given.likely, "agreed": given.agreed}
    rows = []
    for name in given.datasets.split(","):
        items, classes = read_set(name, given.data)
        for seed in range(given.seeds):
            cases = split(items, given.labels, seed)
            cases = dataclasses.replace(cases, tested=cases.tested[: given.tested], unlabelled=cases.unlabelled[:10])
            recipe = dataclasses.replace(
                plan(cases, classes, given, seed), weak_weights=WeakWeights(likely=given.likely, agreed=given.agreed)
            )
            for kind in given.kinds.split(","):
                key = {"dataset": name, "seed": seed, "kind": kind, **same}
                row = next((one for one in done if all(one[k] == v for k, v in key.items())), None)
                if row is None:
                    row = {**key, **run(cases, recipe, kind, seed)}
                    with given.json.open("a") as file:
                        file.write(json.dumps(row) + "\n")
                    print(f"{name} seed {seed} {kind}: Dice {np.mean(row['dice']):.3f}, {row['minutes']} min", file=sys.stderr, flush=True)
                rows.append(row)
    print_table(rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
