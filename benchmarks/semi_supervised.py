"""What unlabelled cases add to few annotated ones: training with and without them, at equal CPU time or equal steps.

Of every set a quarter of the patients is held out. Of the others a few are annotated, the rest are images only. Both ways learn from the
same annotations with the recipe that the product chooses; the supervised one never sees the rest. With `--minutes` a step of each way is
timed on one thread, in CPU time, before anything is trained, and the steps that fit are fixed, so that a busy machine only takes longer;
with `--steps` both take as many. Every run is a line of the `--json` file, and a line that is there is not run again.

    python benchmarks/semi_supervised.py --data ../shared/data --minutes 5 --seeds 3 --json semi_supervised.jsonl
"""

import argparse
import csv
import dataclasses
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np

from medloop.core.geometry import Grid
from medloop.core.image import Image, Mask
from medloop.core.seeds import derive_seed, generator
from medloop.datasets.discover import open_dataset
from medloop.images.phantoms import phantom_3d
from medloop.images.read import read_image, read_mask
from medloop.metrics.overlap import dice
from medloop.models.foundation.recipes import CaseShape, Recipe, choose_recipe, fingerprint

HELD_OUT = 0.25
MOST_TESTED = 40
"""Test patients per seed: enough for an interval, few enough that prediction takes less time than training."""
MOST_UNLABELLED = 60
SETS = ("acdc", "hippocampus", "hc18", "nuclei", "phantoms", "bubil")
WAYS = ("none", "mean-teacher", "copy-paste")
PHANTOMS = 60
DRAWS = 4000


@dataclass(frozen=True)
class Item:
    """One case of a set: its name, its patient, and how to read image and mask."""

    name: str
    patient: str
    load: Callable[[], tuple[Image, Mask]]


def read_set(name: str, data: Path) -> tuple[list[Item], int]:
    """The cases of a set and its number of classes, background included."""
    if name == "phantoms":
        return [Item(f"phantom-{n}", f"{n}", lambda n=n: _phantom(n)) for n in range(PHANTOMS)], 3
    if name in ("acdc", "hippocampus"):
        dataset = open_dataset(data / ("acdc_cardiac" if name == "acdc" else name))
        made = [Item(c.name, c.patient, lambda c=c: _pair(c.images[0], c.mask, whole=False)) for c in dataset.cases]
        return made, len(dataset.labels) + 1
    return list(_pictures(name, data)), 2


def _pictures(name: str, data: Path) -> Iterator[Item]:
    folder = data / {"hc18": "hc18_ultrasound", "nuclei": "nuclei_dsb2018", "bubil": "bubil_multirater"}[name]
    with (folder / "index.csv").open() as file:
        for row in csv.DictReader(file):
            if name == "bubil":
                place = folder / "cases" / row["case"]
                yield Item(row["case"], row["case"], lambda p=place: _pair(p / "image.png", p / "gold.png", whole=True))
            else:
                masks = "masks" if name == "hc18" else "labels"
                files = folder / "images" / row["filename"], folder / masks / row["filename"]
                yield Item(row["filename"], row.get("group_id") or row["filename"], lambda f=files: _pair(*f, whole=True))


def _pair(image: Any, mask: Any, *, whole: bool) -> tuple[Image, Mask]:
    read = read_image(image).image
    found = read_mask(Path(mask), read.grid)
    return read, Mask((found.array > 0).astype(np.uint8), read.grid) if whole else found


def _phantom(n: int) -> tuple[Image, Mask]:
    made = phantom_3d(n, shape=(48, 48, 32))
    return made.image, made.mask


@dataclass(frozen=True)
class Split:
    """The cases of one run."""

    annotated: list[Item]
    unlabelled: list[Item]
    tested: list[Item]


def split(items: Sequence[Item], labels: int, seed: int) -> Split:
    """Patients of the test, then annotated cases, each of another patient, then the rest; fewer labels are the first of more."""
    order = generator(seed, "patients").permutation(sorted({item.patient for item in items}))
    cases = {patient: [item for item in items if item.patient == patient] for patient in order}
    held_out = max(1, round(HELD_OUT * len(order)))
    tested = [item for patient in order[:held_out] for item in cases[patient]][:MOST_TESTED]
    annotated = [cases[patient][0] for patient in order[held_out : held_out + labels]]
    others = [item for patient in order[held_out:] for item in cases[patient] if item not in annotated]
    return Split(annotated, others[:MOST_UNLABELLED], tested)


def plan(cases: Split, classes: int, way: str, seed: int, options: argparse.Namespace) -> Recipe:
    """The product's own recipe for these images; steps that fit into the CPU time with this way of learning."""
    shapes = [CaseShape(i.grid.shape, i.grid.spacing_mm, i.channels) for i, _ in (item.load() for item in (*cases.annotated, *cases.unlabelled[:30]))]
    recipe = choose_recipe(
        fingerprint(shapes), kind="segmentation", classes=classes, minutes=options.minutes, threads=1, seed=derive_seed(seed, "semi")
    )
    return dataclasses.replace(recipe, steps=options.steps, validations=0, unlabelled=way, checkpoint_seconds=1e9)  # type: ignore[arg-type]


def run(cases: Split, recipe: Recipe, folder: Path) -> dict[str, Any]:
    """Train, then predict the test cases."""
    from medloop.models.foundation.compute import limited_threads
    from medloop.models.inference.predict import Predictor
    from medloop.models.training.batches import TrainingCase, prepare_cases
    from medloop.models.training.consistency import UnlabelledCase, prepare_unlabelled
    from medloop.models.training.train import plan_steps, seconds_per_step, train

    training = [TrainingCase(item.name, item.load) for item in cases.annotated]
    pool = [UnlabelledCase(item.name, lambda item=item: item.load()[0]) for item in cases.unlabelled]
    if not recipe.steps:
        begun = time.process_time()
        with limited_threads(1):
            ready, others = prepare_cases(recipe, training, folder / "a"), prepare_unlabelled(recipe, pool, folder / "b")
            spent = time.process_time() - begun
            seconds = seconds_per_step(recipe, ready, clock=time.process_time, pool=others)
        recipe = dataclasses.replace(recipe, steps=plan_steps(recipe, seconds, spent=spent))
    begun = time.process_time()
    trained = train(recipe, training, [], folder / "run", report=lambda _: True, unlabelled=pool)
    spent = time.process_time() - begun
    predictor = Predictor.load(recipe, [file.read_bytes() for file in trained.weights])
    scores = []
    for item in cases.tested:
        image, truth = item.load()
        answer = predictor.predict(image, samples=1, rng=generator(recipe.seed, "predict", item.name))
        found = dice(answer.probabilities.argmax(axis=0).astype(np.uint8), truth.array, range(1, recipe.classes))
        scores.append(float(np.mean(list(found.values()))))
    return {"steps": recipe.steps, "cpu_seconds": round(spent, 1), "dice": scores, "patients": [item.patient for item in cases.tested]}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--datasets", default=",".join(SETS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--labels", default="5,10")
    parser.add_argument("--ways", default=",".join(WAYS))
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--steps", type=int, default=0)
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--tag", default="")
    parser.add_argument("--set", action="append", default=[])
    options = parser.parse_args()
    from medloop.models.training import consistency
    for pair in options.set:
        key, value = pair.split("=")
        assert hasattr(consistency, key)
        setattr(consistency, key, float(value))
    for seed in range(options.first_seed, options.first_seed + options.seeds):
        for name in options.datasets.split(","):
            items, classes = read_set(name, options.data)
            for labels in map(int, options.labels.split(",")):
                cases = split(items, labels, seed)
                for way in options.ways.split(","):
                    recipe = plan(cases, classes, way, seed, options)
                    with tempfile.TemporaryDirectory() as folder:
                        found = run(cases, recipe, Path(folder))
                    row = {"set": name, "labels": labels, "way": way, "seed": seed, "tag": options.tag, "minutes": options.minutes, "fixed": options.steps, "pool": len(cases.unlabelled), **found}
                    with options.json.open("a") as out:
                        out.write(json.dumps(row) + "\n")
                    print(f"{name} {labels} {way} {seed} {options.tag}: {np.mean(found['dice']):.4f} steps {found['steps']} cpu {found['cpu_seconds']} patch {recipe.patch} batch {recipe.batch}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
