"""Marks instead of masks: the same training cases by scribbles, boxes, extreme points, points or tags, against full masks.

A quarter of the patients of every set is held out, always the same ones; of the others some are annotated, drawn by seed: one case of each
patient, by marks that a careful person would give by the stated model (`medloop.interaction.weak.simulated`). All kinds learn by
the product's own recipe and take as many steps. Beside Dice stand the minutes that each kind takes by that model, and the ratio to the full
masks' Dice with its interval over seeds and held-out cases. The kind `mixed` takes full masks, scribbles, boxes and outermost points in
turn, from case to case. `--likely 0` leaves out what marks only make likely, `--agreed 0` what the running mean of the weights decides;
`--learned` learns the weights of kinds with the network, which is paired with the usual ones below the table. Every run is a line of the
`--json` file; one that is there is not run again.

    python benchmarks/weak_labels.py --data ../shared/data --seeds 3 --steps 400 --json weak_labels.jsonl
"""

import argparse
import dataclasses
import itertools
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

from medloop.core.image import Image, Mask
from medloop.core.seeds import generator
from medloop.interaction.weak.pseudo_labels import pseudo_labels
from medloop.interaction.weak.simulated import GIVEN_KINDS, mask_seconds, simulated_marks
from medloop.interaction.weak.supervision import supervise
from medloop.metrics.overlap import dice
from medloop.models.foundation.recipes import Recipe, WeakWeights
from semi_supervised import Item, Split, difference, plan, read_rows, read_set, split

DRAWS = 2000
MIXED = ("mask", "scribbles", "boxes", "extreme-points")
"""Kinds of annotation that the cases of `mixed` have in turn."""


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


def kinds_of(kind: str) -> tuple[str, ...]:
    """What the cases have in turn."""
    return MIXED if kind == "mixed" else (kind,)


def _pair(image: Image, mask: Mask) -> tuple[Image, Mask]:
    return image, mask


def run(cases: Split, recipe: Recipe, kind: str, seed: int) -> dict[str, Any]:
    """Train by one kind of annotation, then predict the held-out cases."""
    from medloop.models.inference.predict import Predictor
    from medloop.models.training.train import train

    begun = time.process_time()
    made = [
        training_case(item, own, recipe.classes, seed) for item, own in zip(cases.annotated, itertools.cycle(kinds_of(kind)), strict=False)
    ]
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
    spent = {"prepared_s": round(prepared, 1), "cpu_s": round(time.process_time() - begun, 1)}
    return {
        "dice": scores,
        "minutes": round(sum(seconds for _, seconds in made) / 60, 2),
        "weights": trained.metrics.get("mark_weights"),
        **spent,
    }


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


def print_learned(rows: Sequence[Mapping[str, Any]]) -> None:
    """Per set and kind: Dice with learned weights of kinds, less that with the usual ones, over seeds and held-out cases."""
    for name, kind in dict.fromkeys((row["dataset"], row["kind"]) for row in rows):
        own = {(row["learned"], row["seed"]): row["dice"] for row in rows if (row["dataset"], row["kind"]) == (name, kind)}
        seeds = [seed for learned, seed in own if learned and (False, seed) in own]
        if seeds:
            gain, low, high = difference([own[True, seed] for seed in seeds], [own[False, seed] for seed in seeds])
            print(f"{name} {kind}, weights learned less usual, {len(seeds)} seeds: {gain:+.4f} ({low:+.4f} to {high:+.4f})")


def options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
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
    found.add_argument("--learned", action="store_true", help="also with weights of kinds that are learned")
    found.add_argument("--json", type=Path, default=Path("weak_labels.jsonl"))
    return found.parse_args(arguments)


@dataclass(frozen=True)
class Run:
    """What one line of the results is about."""

    dataset: str
    seed: int
    kind: str
    steps: int
    labels: int
    likely: float
    agreed: float
    learned: bool


def wanted(given: argparse.Namespace) -> list[Run]:
    """Every run, seed after seed, so that results cut short hold whole seeds."""
    same = given.steps, given.labels, given.likely, given.agreed
    weighings = (False, True) if given.learned else (False,)
    drawn = itertools.product(range(given.seeds), given.datasets.split(","), given.kinds.split(","), weighings)
    return [Run(name, seed, kind, *same, learned) for seed, name, kind, learned in drawn if kind != "mask" or not learned]


def made(one: Run, given: argparse.Namespace) -> dict[str, Any]:
    """The run, as a line of the results."""
    items, classes = read_set(one.dataset, given.data)
    cases = split(items, one.labels, one.seed)
    cases = dataclasses.replace(cases, tested=cases.tested[: given.tested], unlabelled=cases.unlabelled[:10])
    weights = WeakWeights(likely=one.likely, agreed=one.agreed)
    recipe = dataclasses.replace(plan(cases, classes, given, one.seed), weak_weights=weights, weak_learned=one.learned)
    return {**dataclasses.asdict(one), **run(cases, recipe, one.kind, one.seed)}


def main() -> int:
    """Run what is missing, then print the table."""
    given = options()
    done = [{"learned": False, **row} for row in read_rows(given.json)]
    rows = []
    for one in wanted(given):
        row = next((row for row in done if dataclasses.asdict(one).items() <= row.items()), None)
        if row is None:
            row = made(one, given)
            with given.json.open("a") as file:
                file.write(json.dumps(row) + "\n")
            print(f"{one}: Dice {np.mean(row['dice']):.3f}, {row['minutes']} min, {row['cpu_s']} CPU s", file=sys.stderr, flush=True)
        rows.append(row)
    print_table([row for row in rows if not row["learned"]])
    print_learned(rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
