"""What a second site costs the first one: a model learns one site, goes on with another, and is tested on both.

Sequences of two sites: phantoms (made-up pictures of 32² pixels, which take seconds) and hippocampi as they are, then with the grey values
and noise of another scanner (simulated); hearts at the end of the diastole, then of the systole (ACDC); nuclei in fluorescence, then
stained tissue in grey. A quarter of the patients of each site is held out, always the same ones. The first model learns by the recipe that
the product chooses. Every way goes on from it with the same steps on the same cases of the second site:

    naive          nothing is kept
    replay         some cases of the first site are learned again (--memory), drawn as a reservoir
    ewc            weights that mattered are held (--ewc)
    distillation   what the first model says of the new cases is learned, too (--distillation)
    replay+ewc     both
    adapt          nothing is learned, no annotation of the second site is used: intensities are brought to the first site's
                   (`medloop adapt`), rising or falling, whichever brings the new cases nearer in the network's embedding

With `--new-cases 3` the second site has three annotated cases: what a handful of annotations is worth on a site that was never seen.

Each run is a line of the `--json` file, written when it ends, and one that is there is not run again; weights stay in `--work`. The goal:
replay+ewc keeps 97 % or more of the first site's Dice where the naive way loses 5 % or more.

    python benchmarks/continual.py --data ../shared/data --sets nuclei --seeds 3 --json continual.jsonl --work /tmp/continual
"""

import argparse
import csv
import dataclasses
import hashlib
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np

from medloop.core.arrays import FloatArray
from medloop.core.image import Image, Mask
from medloop.core.seeds import derive_seed, generator
from medloop.images.phantoms import phantom_2d
from medloop.loop.learning.memory import chosen_evenly
from medloop.metrics.intervals import Interval, bootstrap_mean, paired_difference
from medloop.metrics.outlying import fit_distances
from medloop.metrics.overlap import dice
from medloop.models.foundation.landmarks import Landmarks, fit_landmarks
from medloop.models.foundation.recipes import CaseShape, Recipe, choose_recipe, fingerprint
from semi_supervised import Item, _pair, read_set

SETS = ("phantoms", "nuclei", "hippocampus", "acdc_cardiac")
PHANTOMS, PHANTOM_SHAPE = 80, (32, 32)
WAYS = ("naive", "replay", "ewc", "distillation", "replay+ewc", "adapt")
HELD_OUT = 0.25
MOST_TESTED = 20
KEPT_GOAL, LOST_GOAL = 0.97, 0.05


def other_scanner(item: Item) -> tuple[Image, Mask]:
    """A case as another scanner would show it: the grey values inverted and bent, with coil shading and noise."""
    image, mask = item.load()
    rng = generator(0, "scanner", item.name)
    low, high = np.percentile(image.array, (0.5, 99.5))
    grey = np.clip((image.array - low) / max(float(high - low), 1e-6), 0, 1)
    ramp = np.linspace(-1, 1, image.array.shape[1])[None, :, None, None] * rng.uniform(0.1, 0.3)
    changed = (1 - grey**1.5) * (1 + ramp)
    noisy = np.hypot(changed + rng.normal(0, 0.05, changed.shape), rng.normal(0, 0.05, changed.shape))
    return Image(noisy.astype(np.float32), image.grid), mask


def in_grey(item: Item) -> tuple[Image, Mask]:
    """A picture with one channel."""
    image, mask = item.load()
    return Image(image.array.astype(np.float32).mean(axis=0, keepdims=True), image.grid), mask


def sites(name: str, data: Path) -> tuple[list[Item], list[Item], int]:
    """The cases of the first and of the second site, of different patients, and the number of classes."""
    if name == "nuclei":
        kinds = dict(_kinds(data / "nuclei_dsb2018"))
        items = [Item(n, n, partial(in_grey, Item(n, n, partial(_pair, *_paths(data, n), whole=True)))) for n in sorted(kinds)]
        return [i for i in items if "colour" not in kinds[i.name]], [i for i in items if "colour" in kinds[i.name]], 2
    items, classes = read_set(name, data) if name != "phantoms" else ([_phantom(n) for n in range(PHANTOMS)], 3)
    patients = sorted({item.patient for item in items})
    second = {str(p) for p in generator(0, "second site").permutation(patients)[: len(patients) // 2]}
    if name == "acdc_cardiac":
        early, late = (sorted(item.name for item in items if item.name.endswith(end)) for end in ("frame01", "frame02"))
        return _of(items, early, set(patients) - second), _of(items, late, second), classes
    elsewhere = [Item(f"{item.name}-other", item.patient, partial(other_scanner, item)) for item in items if item.patient in second]
    return [item for item in items if item.patient not in second], elsewhere, classes


def _phantom(n: int) -> Item:
    def load() -> tuple[Image, Mask]:
        made = phantom_2d(n, shape=PHANTOM_SHAPE)
        return made.image, made.mask

    return Item(f"phantom-{n}", f"{n}", load)


def _of(items: Sequence[Item], names: Sequence[str], patients: set[str]) -> list[Item]:
    return [item for item in items if item.name in names and item.patient in patients]


def _kinds(folder: Path) -> Iterator[tuple[str, str]]:
    with (folder / "index.csv").open() as file:
        for row in csv.DictReader(file):
            yield row["filename"], row["type"]


def _paths(data: Path, name: str) -> tuple[Path, Path]:
    folder = data / "nuclei_dsb2018"
    return folder / "images" / name, folder / "labels" / name


def split(items: Sequence[Item], count: int, seed: int, *, tune: bool) -> tuple[list[Item], list[Item]]:
    """So many training cases, drawn by seed, and the test cases; with `tune` others take the place of the test cases."""
    patients = sorted({item.patient for item in items})
    held_out = [str(p) for p in generator(0, "test").permutation(patients)][: max(1, round(HELD_OUT * len(patients)))]
    order = [str(p) for p in generator(seed, "training").permutation([p for p in patients if p not in held_out])]
    tested = set(order[count:]) if tune else set(held_out)
    training = [item for item in items if item.patient in order[:count]]
    return training[:count], [item for item in items if item.patient in tested][:MOST_TESTED]


def plan(items: Sequence[Item], classes: int, options: argparse.Namespace, seed: int) -> Recipe:
    """The product's own recipe for the first site."""
    images = [item.load()[0] for item in items]
    found = fingerprint([CaseShape(i.grid.shape, i.grid.spacing_mm, i.channels) for i in images])
    minutes, own = options.minutes, derive_seed(seed, "continual")
    recipe = choose_recipe(found, kind="segmentation", classes=classes, minutes=minutes, threads=1, seed=own)
    return dataclasses.replace(recipe, steps=options.steps, validations=0, checkpoint_seconds=20.0, precision="auto")


def learn(recipe: Recipe, items: Sequence[Item], folder: Path, **more: Any) -> bytes:
    """The weights of one training; one that ended before is found again."""
    from medloop.models.training.batches import TrainingCase
    from medloop.models.training.train import TrainingRun, train_members

    run = TrainingRun(recipe, [TrainingCase(i.name, i.load) for i in items], [], folder, lambda _: True, **more)
    return train_members(run).weights[0].read_bytes()


def go_on(way: str, recipe: Recipe, before: bytes, first: Sequence[Item], second: Sequence[Item], options: argparse.Namespace) -> bytes:
    """The weights after the second site, learned in one of the ways."""
    from medloop.models.training.anchor import Anchor
    from medloop.models.training.batches import TrainingCase
    from medloop.models.training.importance import importances_of

    folder = options.folder / f"new {options.new_cases}" if options.new_cases else options.folder
    strengths = {"ewc": options.ewc if "ewc" in way else 0.0, "distillation": options.distillation if "distillation" in way else 0.0}
    own = dataclasses.replace(recipe, steps=options.second_steps, seed=derive_seed(recipe.seed, "second"), **strengths)
    importances: tuple[bytes, ...] = ()
    if "ewc" in way:
        importances = importances_of(recipe, [before], [TrainingCase(i.name, i.load) for i in first], folder / "importance")
    kept = chosen_evenly("reservoir", [i.name for i in first], options.memory if "replay" in way else 0, seed=recipe.seed, turn=1)
    items = [*second, *(item for item in first if item.name in kept)]
    settings = hashlib.sha256(repr((way, strengths, options.memory, options.second_steps)).encode()).hexdigest()[:8]
    return learn(own, items, folder / f"{way}-{settings}", initial=(before,), anchor=Anchor(recipe.classes, importances))


def adapted_to(recipe: Recipe, weights: bytes, first: Sequence[Item], second: Sequence[Item]) -> Landmarks | None:
    """The map of intensities that brings the second site's cases nearest to the first's, as `medloop adapt` chooses it."""
    from medloop.models.foundation.fitting import fit_for_networks
    from medloop.models.inference.predict import Predictor

    predictor = Predictor.load(recipe, [weights])
    rising = fit_landmarks([fit_for_networks(recipe, item.load()[0], item.name).array for item in first])

    def seen(items: Sequence[Item]) -> FloatArray:
        return np.stack([predictor.predict(i.load()[0], samples=1, rng=generator(0, "adapt")).features for i in items])

    distance, tried = fit_distances(seen(first)), []
    for aligned in (None, rising, dataclasses.replace(rising, falling=True)):
        predictor.aligned = aligned
        tried.append((float(np.median(distance(seen(second)))), aligned))
    return min(tried, key=lambda one: one[0])[1]


def scores_of(recipe: Recipe, weights: bytes, tested: Sequence[Item], aligned: Landmarks | None = None) -> dict[str, float]:
    """Mean Dice over the labels by test case, by one pass of the network."""
    from medloop.models.inference.predict import Predictor

    predictor, found = Predictor.load(recipe, [weights]), {}
    predictor.aligned = aligned
    for item in tested:
        image, truth = item.load()
        chances = predictor.predict(image, samples=1, rng=generator(0, "predict", item.name)).probabilities
        by_label = dice(chances.argmax(0).astype(np.uint8), truth.array, list(range(1, recipe.classes)))
        found[item.name] = round(float(np.mean(list(by_label.values()))), 4)
    return found


def run(name: str, seed: int, options: argparse.Namespace, write: Callable[[dict[str, Any]], None], done: set[tuple[Any, ...]]) -> None:
    """The first site of one sequence and seed, then every way that was not run yet."""
    first, second, classes = sites(name, options.data)
    before_cases, first_tested = split(first, options.cases, seed, tune=options.tune)
    new_cases, second_tested = split(second, options.new_cases or options.cases, seed, tune=options.tune)
    options.folder = options.work / f"{name}-{seed}-{options.steps}-{options.cases}"
    recipe = plan(before_cases, classes, options, seed)
    before = learn(recipe, before_cases, options.folder / "before")
    facts = {"set": name, "seed": seed, "steps": options.steps, "second_steps": options.second_steps, "cases": options.cases}
    facts |= {"memory": options.memory, "ewc": options.ewc, "distillation": options.distillation}
    if options.new_cases:
        facts["new_cases"] = options.new_cases
    for way in ("before", *options.ways):
        if key({**facts, "way": way}) in done:
            continue
        weights = before if way in ("before", "adapt") else go_on(way, recipe, before, before_cases, new_cases, options)
        aligned = adapted_to(recipe, before, before_cases, new_cases) if way == "adapt" else None
        scores = {"first": scores_of(recipe, weights, first_tested), "second": scores_of(recipe, weights, second_tested, aligned)}
        write({**facts, "way": way, **scores})


def key(row: dict[str, Any]) -> tuple[Any, ...]:
    """What a run is known by: rows of other settings are other runs."""
    return tuple(value for name, value in sorted(row.items()) if name not in ("first", "second"))


def table(rows: Sequence[dict[str, Any]]) -> str:
    """One line for each set and way, over all seeds."""
    lines = ["| Set | Seeds | Way | First site | Share kept | Second site |", "| --- | --- | --- | --- | --- | --- |"]
    for name in dict.fromkeys(row["set"] for row in rows):
        own = [row for row in rows if row["set"] == name]
        before = {row["seed"]: row["first"] for row in own if row["way"] == "before"}
        for way in ("before", *WAYS):
            runs = [row for row in own if row["way"] == way and row["seed"] in before]
            if runs:
                kept = _kept(runs, before) if way != "before" else ""
                shown = (_words(_mean(runs, "first")), kept, _words(_mean(runs, "second")))
                lines.append(f"| {name} | {len(runs)} | {way} | {' | '.join(shown)} |")
    return "\n".join(lines)


def _mean(runs: Sequence[dict[str, Any]], site: str) -> Interval:
    """Mean over test cases, a case's runs averaged first."""
    pairs = [(case, score) for row in runs for case, score in row[site].items()]
    return bootstrap_mean([score for _, score in pairs], [case for case, _ in pairs], generator(0, "table"))


def _kept(runs: Sequence[dict[str, Any]], before: dict[int, dict[str, float]]) -> str:
    """Share of the first site's Dice that is left, and the paired difference."""
    pairs = [(case, score, before[row["seed"]][case]) for row in runs for case, score in row["first"].items()]
    after, was = [b for _, b, _ in pairs], [c for _, _, c in pairs]
    change = paired_difference(after, was, [case for case, _, _ in pairs], generator(0, "table"))
    return f"{np.mean(after) / np.mean(was):.1%} (change {_words(change)})"


def _words(found: Interval) -> str:
    ends = "" if found.low is None else f" ({found.low:.3f} to {found.high:.3f})"
    return f"{found.mean:.3f}{ends}"


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the sets")
    parser.add_argument("--sets", nargs="+", default=list(SETS), choices=SETS)
    parser.add_argument("--ways", nargs="+", default=list(WAYS), choices=WAYS)
    parser.add_argument("--seeds", type=int, default=3, help="how many, from --first-seed on")
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--cases", type=int, default=12, help="training cases of each site")
    parser.add_argument(
        "--new-cases", type=int, default=0, help="training cases of the second site, where they are to be others than --cases"
    )
    parser.add_argument("--memory", type=int, default=4, help="cases of the first site that are replayed")
    parser.add_argument("--ewc", type=float, default=1.0)
    parser.add_argument("--distillation", type=float, default=1.0)
    parser.add_argument("--minutes", type=float, default=0.5, help="of the recipe's choice; --steps decides how long it trains")
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--second-steps", type=int, default=100)
    parser.add_argument("--tune", action="store_true", help="test on cases that are no test cases, to choose strengths")
    parser.add_argument("--json", type=Path, required=True, help="lines, one for each run")
    parser.add_argument("--work", type=Path, required=True, help="folder for weights")
    return parser.parse_args()


def main() -> None:
    """Run what is lacking and print the table."""
    options = arguments()
    rows = [json.loads(line) for line in options.json.read_text().splitlines()] if options.json.exists() else []

    def write(row: dict[str, Any]) -> None:
        rows.append(row)
        with options.json.open("a") as file:
            file.write(json.dumps(row) + "\n")
        means = {site: round(float(np.mean(list(row[site].values()))), 3) for site in ("first", "second")}
        print(row["set"], row["seed"], row["way"], means, file=sys.stderr, flush=True)

    for name in options.sets:
        for seed in range(options.first_seed, options.first_seed + options.seeds):
            run(name, seed, options, write, {key(row) for row in rows})
    print(table(rows))


if __name__ == "__main__":
    main()
