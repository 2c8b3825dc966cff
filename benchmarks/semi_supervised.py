"""What unlabelled cases add to few annotated ones: training with and without them, at equal CPU time or equal steps.

A quarter of the patients of every set is held out, always the same ones. Of the others a few are annotated, drawn by seed, and the rest
are images only. All ways learn from the same annotations by the recipe that the product chooses; the supervised one (`none`) never sees
the rest. With `--minutes` a step of each way is timed on one thread, in CPU time, before anything is trained, and the steps that fit are
fixed, so that a busy machine only takes longer; with `--steps` all take as many. Every run is a line of the `--json` file, written when
it ends; one that is there is not run again, and the table is printed at the end.

    python benchmarks/semi_supervised.py --data ../shared/data --minutes 5 --seeds 3 --json semi_supervised.jsonl
"""

import argparse
import csv
import dataclasses
import itertools
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np

from medloop.core.arrays import ClassProbabilities
from medloop.core.image import Image, Mask
from medloop.core.records import ProjectSettings
from medloop.core.seeds import derive_seed, generator
from medloop.datasets.discover import open_dataset
from medloop.images.phantoms import phantom_3d
from medloop.images.read import read_image, read_mask
from medloop.metrics.overlap import dice
from medloop.models.foundation.recipes import CaseShape, Recipe, choose_recipe, fingerprint
from medloop.models.pretext.descriptors import describe_image
from medloop.query.on_arrays import picks

HELD_OUT = 0.25
MOST_TESTED = 40
"""Test cases: enough for an interval, few enough that predicting them takes less time than a training."""

MOST_UNLABELLED = 60
SHAPED = 30
"""Cases whose shapes the recipe is chosen by."""

SETS = ("acdc_cardiac", "hippocampus", "hc18", "nuclei", "phantoms", "bubil")
PICTURES: Mapping[str, tuple[str, str]] = {
    "hc18": ("hc18_ultrasound", "masks"),
    "nuclei": ("nuclei_dsb2018", "labels"),
    "bubil": ("bubil_multirater", ""),
}
"""Folder of a set of pictures, and where its masks are; whatever is above 0 is the structure."""

WAYS = ("none", "copy-paste", "mean-teacher")
PHANTOMS, PHANTOM_SHAPE = 60, (48, 48, 32)
DRAWS = 10_000


@dataclass(frozen=True)
class Item:
    """One case of a set: its name, its patient, and how to read image and mask."""

    name: str
    patient: str
    load: Callable[[], tuple[Image, Mask]]


def read_set(name: str, data: Path) -> tuple[list[Item], int]:
    """The cases of a set and its number of classes, background included."""
    if name == "phantoms":
        return [Item(f"phantom-{n}", f"{n}", partial(_phantom, n)) for n in range(PHANTOMS)], 3
    if name in PICTURES:
        return list(_pictures(name, data / PICTURES[name][0])), 2
    dataset = open_dataset(data / name)
    items = [Item(c.name, c.patient, partial(_pair, Path(str(c.images[0])), Path(str(c.mask)))) for c in dataset.cases]
    return items, len(dataset.labels) + 1


def _pictures(name: str, folder: Path) -> Iterator[Item]:
    with (folder / "index.csv").open() as file:
        for row in csv.DictReader(file):
            if name == "bubil":
                place = folder / "cases" / row["case"]
                yield Item(row["case"], row["case"], partial(_pair, place / "image.png", place / "gold.png", whole=True))
            else:
                own = row["filename"]
                paths = folder / "images" / own, folder / PICTURES[name][1] / own
                yield Item(own, row.get("group_id") or own, partial(_pair, *paths, whole=True))


def _pair(image: Path, mask: Path, *, whole: bool = False) -> tuple[Image, Mask]:
    read = read_image(image).image
    found = read_mask(mask, read.grid)
    return read, Mask((found.array > 0).astype(np.uint8), read.grid) if whole else found


def _phantom(n: int) -> tuple[Image, Mask]:
    made = phantom_3d(n, shape=PHANTOM_SHAPE)
    return made.image, made.mask


def _image(item: Item) -> Image:
    return item.load()[0]


@dataclass(frozen=True)
class Split:
    """The cases of one run; no patient is in two of them."""

    annotated: list[Item]
    unlabelled: list[Item]
    tested: list[Item]


def split(items: Sequence[Item], labels: int, seed: int, *, tune: bool = False) -> Split:
    """Test patients, the same for all seeds; of the others one case each is annotated; five annotated cases are the first of ten.

    Which case of a patient is drawn, too: of a heart in two phases the first alone would leave out what the test cases show. With `tune`
    half of the patients that nobody annotates take the place of the test patients, which settings are not to be chosen by.
    """
    patients = sorted({item.patient for item in items})
    held_out = {str(p) for p in generator(0, "test").permutation(patients)[: max(1, round(HELD_OUT * len(patients)))]}
    order = [str(p) for p in generator(seed, "annotated").permutation([p for p in patients if p not in held_out])]
    if tune:
        kept = (len(order) + labels) // 2
        order, held_out = order[:kept], set(order[kept:])
    of = {patient: [item for item in items if item.patient == patient] for patient in patients}
    tested = [item for patient in patients if patient in held_out for item in of[patient]]
    rest = [item for patient in order[labels:] for item in of[patient]]
    annotated = [of[p][int(generator(seed, "case of", p).integers(len(of[p])))] for p in order[:labels]]
    return Split(annotated, rest[:MOST_UNLABELLED], tested[:MOST_TESTED])


def chosen_first(cases: Split, strategy: str, seed: int) -> Split:
    """The same patients with other annotated ones: those that a first strategy of the product chooses by what the images look like."""
    pool = [*cases.annotated, *cases.unlabelled]
    features = np.stack([describe_image(_image(item)) for item in pool])
    annotated = [pool[pick.index] for pick in picks(strategy, features=features, n=len(cases.annotated), seed=seed)]
    patients = {item.patient for item in annotated}
    return dataclasses.replace(cases, annotated=annotated, unlabelled=[item for item in pool if item.patient not in patients])


def plan(cases: Split, classes: int, options: argparse.Namespace, seed: int) -> Recipe:
    """The product's own recipe for these images, without steps where the time decides."""
    images = [_image(item) for item in (*cases.annotated, *cases.unlabelled)[:SHAPED]]
    found = fingerprint([CaseShape(i.grid.shape, i.grid.spacing_mm, i.channels) for i in images])
    chosen = choose_recipe(
        found, kind="segmentation", classes=classes, minutes=options.minutes, threads=1, seed=derive_seed(seed, "semi-supervised")
    )
    return dataclasses.replace(chosen, steps=options.steps, validations=0, checkpoint_seconds=1e9, precision=options.precision)


def changed(recipe: Recipe, changes: str) -> Recipe:
    """The recipe with some of its numbers changed: `name=number`, separated by commas."""
    pairs = (change.split("=") for change in changes.split(",") if change)
    return dataclasses.replace(recipe, **{name: type(getattr(recipe, name))(float(value)) for name, value in pairs})


def run(cases: Split, recipe: Recipe, folder: Path) -> dict[str, Any]:
    """Train, then predict the test cases as a project does: by the mean over its samples; and by the network's first pass alone."""
    from medloop.models.training.batches import TrainingCase
    from medloop.models.training.consistency import UnlabelledCase
    from medloop.models.training.train import TrainingRun, train_members

    training = [TrainingCase(item.name, item.load) for item in cases.annotated]
    pool = [UnlabelledCase(item.name, partial(_image, item)) for item in cases.unlabelled]
    recipe = recipe if recipe.steps else affordable(recipe, training, pool, folder)
    begun = time.process_time()
    trained = train_members(TrainingRun(recipe, training, [], folder / "run", lambda _: True, unlabelled=pool))
    spent = time.process_time() - begun
    weights = [file.read_bytes() for file in trained.weights]
    scores, alone = sampled_scores_of(recipe, weights, cases.tested, ProjectSettings().samples)
    own = {name: getattr(recipe, name) for name in ("patch", "batch", "augmented", "precision")}
    return {"steps": recipe.steps, "cpu_seconds": round(spent, 1), "dice": scores, "one_pass": alone, **own}


def scores_of(recipe: Recipe, weights: Sequence[bytes], tested: Sequence[Item]) -> list[float]:
    """Mean Dice over the labels of every test case, by one pass of networks of these weights."""
    return sampled_scores_of(recipe, weights, tested, 1)[0]


def sampled_scores_of(recipe: Recipe, weights: Sequence[bytes], tested: Sequence[Item], samples: int) -> tuple[list[float], list[float]]:
    """Mean Dice over the labels of every test case: of the mean over so many samples, and of the first of them."""
    from medloop.models.inference.predict import Predictor

    predictor, scores, alone = Predictor.load(recipe, list(weights)), [], []
    for item in tested:
        image, truth = item.load()
        predicted = predictor.predict(image, samples=samples, rng=generator(recipe.seed, "predict", item.name))
        scores.append(_mean_dice(predicted.probabilities, truth, recipe.classes))
        alone.append(_mean_dice(predicted.samples[0], truth, recipe.classes))
    return scores, alone


def _mean_dice(probabilities: ClassProbabilities, truth: Mask, classes: int) -> float:
    found = dice(probabilities.argmax(axis=0).astype(np.uint8), truth.array, range(1, classes))
    return float(np.mean(list(found.values())))


def affordable(recipe: Recipe, training: Sequence[Any], pool: Sequence[Any], folder: Path) -> Recipe:
    """The recipe with the steps that fit into the minutes in CPU time, after the cases were prepared, and the quicker precision."""
    from medloop.models.foundation.compute import limited_threads
    from medloop.models.training.batches import prepare_cases
    from medloop.models.training.consistency import prepare_unlabelled
    from medloop.models.training.train import plan_steps, quickest_precision, seconds_per_step

    begun = time.process_time()
    with limited_threads(1):
        cases, others = prepare_cases(recipe, training, folder / "a"), prepare_unlabelled(recipe, pool, folder / "b")
        spent = time.process_time() - begun
        timed = partial(seconds_per_step, cases=cases, clock=time.process_time, pool=others)
        precision, seconds = quickest_precision(recipe, timed)
    return dataclasses.replace(recipe, precision=precision, steps=plan_steps(recipe, seconds, spent=spent))


@dataclass(frozen=True)
class Run:
    """What one line of the results is about."""

    dataset: str
    labels: int
    seed: int
    way: str
    minutes: float
    steps: int
    precision: str = "auto"
    changes: str = ""
    tune: bool = False
    first: str = "random"


def wanted(options: argparse.Namespace) -> list[Run]:
    """Every run, seed after seed, so that results cut short hold whole seeds."""
    sets, labels, ways = options.datasets.split(","), [int(n) for n in options.labels.split(",")], options.ways.split(",")
    seeds = range(options.first_seed, options.first_seed + options.seeds)
    minutes = 0.0 if options.steps else options.minutes
    given = minutes, options.steps, options.precision
    drawn = {"tune": options.tune, "first": options.first_strategy}
    runs = itertools.product(seeds, labels, sets, ways, options.changes.split("/"))
    return [Run(name, n, seed, way, *given, changes=change, **drawn) for seed, n, name, way, change in runs]


def read_rows(file: Path) -> list[dict[str, Any]]:
    """The runs that are done."""
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def _is(one: Run, row: Mapping[str, Any]) -> bool:
    usual = {"precision": "auto", "changes": "", "tune": False, "first": "random"}
    return all(row.get(name, usual.get(name)) == value for name, value in dataclasses.asdict(one).items())


def difference(with_them: Sequence[Sequence[float]], without: Sequence[Sequence[float]]) -> tuple[float, float, float]:
    """Mean difference of Dice and its 95 % interval, both drawn again: rows are seeds, columns test cases."""
    table = np.asarray(with_them, dtype=np.float64) - np.asarray(without, dtype=np.float64)
    seeds, cases = table.shape
    rng = generator(0, "bootstrap")
    rows, columns = rng.integers(seeds, size=(DRAWS, seeds)), rng.integers(cases, size=(DRAWS, cases))
    means = [table[np.ix_(row, column)].mean() for row, column in zip(rows, columns, strict=True)]
    low, high = np.quantile(means, (0.025, 0.975))
    return float(table.mean()), float(low), float(high)


def print_table(rows: Sequence[Mapping[str, Any]]) -> None:
    """One line per set, number of labels and way: Dice, steps and CPU seconds, and the difference from the supervised way."""
    print(f"{'set':<14} {'labels':>6} {'seeds':>5} {'way':<13} {'Dice':>6} {'steps':>6} {'CPU s':>6}  difference (95 % interval)")
    kinds = dict.fromkeys((row["dataset"], row["labels"]) for row in rows)
    for name, labels in kinds:
        these = [row for row in rows if (row["dataset"], row["labels"]) == (name, labels)]
        found = {(f"{row['way']} {row.get('changes', '')}".strip(), row["seed"]): row for row in these}
        for way in dict.fromkeys(way for way, _ in found):
            seeds = [seed for one, seed in found if one == way and ("none", seed) in found]
            own = [found[way, seed] for seed in seeds]
            if not own:
                continue
            mean, steps, spent = (float(np.mean([np.mean(row[key]) for row in own])) for key in ("dice", "trained_steps", "cpu_seconds"))
            words = ""
            if way != "none":
                gain, low, high = difference([row["dice"] for row in own], [found["none", seed]["dice"] for seed in seeds])
                words = f"{gain:+.4f} ({low:+.4f} to {high:+.4f})"
            print(f"{name:<14} {labels:>6} {len(seeds):>5} {way:<13} {mean:.4f} {steps:>6.0f} {spent:>6.0f}  {words}")


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds the sets")
    parser.add_argument("--datasets", default=",".join(SETS), help="which of them")
    parser.add_argument("--seeds", type=int, default=3, help="number of seeds: each has its own annotated cases and weights")
    parser.add_argument("--first-seed", type=int, default=0, help="the first of these seeds")
    parser.add_argument("--labels", default="5,10", help="numbers of annotated cases")
    parser.add_argument("--ways", default=",".join(WAYS), help="values of the setting unlabelled")
    parser.add_argument("--minutes", type=float, default=5.0, help="CPU minutes of each training")
    parser.add_argument("--steps", type=int, default=0, help="steps of each training in place of the time, by the same recipe")
    parser.add_argument("--precision", default="auto", choices=("auto", "float32", "bfloat16"), help="of the networks")
    parser.add_argument("--changes", default="", help="numbers of the recipe to change, as dropout=0.2,batch=4; several, parted by /")
    parser.add_argument("--first-strategy", default="random", help="what chooses the annotated cases, as for medloop init: maxherding, …")
    parser.add_argument("--tune", action="store_true", help="test on cases of other patients, to choose settings on")
    parser.add_argument("--json", type=Path, required=True, help="where every run becomes a line, and is found again")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the runs that are missing, print the table."""
    options = parse(arguments)
    runs = wanted(options)
    for one in runs:
        if any(_is(one, row) for row in read_rows(options.json)):
            continue
        items, classes = read_set(one.dataset, options.data)
        cases = split(items, one.labels, one.seed, tune=one.tune)
        cases = cases if one.first == "random" else chosen_first(cases, one.first, one.seed)
        recipe = changed(plan(cases, classes, options, one.seed), one.changes)
        recipe = dataclasses.replace(recipe, unlabelled=one.way)  # type: ignore[arg-type]  # checked there
        with tempfile.TemporaryDirectory() as folder:
            found = run(cases, recipe, Path(folder))
        row = {**dataclasses.asdict(one), "trained_steps": found.pop("steps"), "pool": len(cases.unlabelled), **found}
        with options.json.open("a") as out:
            out.write(json.dumps(row) + "\n")
        words = f"{one}: Dice {np.mean(found['dice']):.4f} after {row['trained_steps']} steps, {found['cpu_seconds']} CPU s"
        print(words, file=sys.stderr, flush=True)
    print_table([row for row in read_rows(options.json) if any(_is(one, row) for one in runs)])
    return 0


if __name__ == "__main__":
    sys.exit(main())
