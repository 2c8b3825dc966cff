"""What weights that learned from the pool's images save in labels: the same trainings begun with them and from scratch.

A quarter of the patients of every set is held out, always the same ones. Per seed, the network of the product's own recipe learns once from
the images of the others, by restoring patches (`restore`) or also by knowing them again (`both`); then, for each number of annotated cases,
it is trained from scratch (`none`) and from these weights, on the same cases, for the same number of steps. `full` is a training from
scratch on all cases that may be annotated. Printed are Dice and its difference, over seeds and test cases, and the labels to 95 % of the
full-data score with an interval over seeds. Every run is a line of the `--json` file; one that is there is not run again.

    python benchmarks/pretraining.py --data ../shared/data --datasets nuclei,hippocampus --seeds 3 --steps 300 --json pretraining.jsonl
"""

import argparse
import dataclasses
import json
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from medloop.core.seeds import derive_seed, generator
from medloop.metrics.overlap import dice
from medloop.models.foundation.recipes import Recipe
from medloop.simulation.curves import Curve
from medloop.simulation.efficiency import Needed, labels_needed
from semi_supervised import Item, Split, _image, difference, plan, read_rows, read_set, split

SETS = ("nuclei", "acdc_cardiac")
WAYS: Mapping[str, float | None] = {"none": None, "restore": 0.0, "both": 0.1}
"""Ways to begin, and the weight of knowing a patch again beside restoring it; none begins from scratch."""

FULL = "full"
SHARE = 0.95
MOST_IMAGES = 60
"""Images that the pretraining may see, and cases that the full-data model learns from."""


def images_of(items: Sequence[Item], seed: int) -> list[Item]:
    """The cases that are not held out, in the order in which they are annotated."""
    everything = split(items, 10**6, seed).annotated
    return everything[:MOST_IMAGES]


def pretrained(recipe: Recipe, pool: Sequence[Item], steps: int, contrast: float, folder: Path) -> tuple[bytes, dict[str, Any]]:
    """Weights that learned from the images, and what it took."""
    from medloop.models.training.consistency import UnlabelledCase
    from medloop.models.training.pretraining import PretrainingRun, pretrain

    own = dataclasses.replace(recipe, steps=steps)
    cases = [UnlabelledCase(item.name, partial(_image, item)) for item in pool]
    begun = time.process_time()
    file, metrics = pretrain(PretrainingRun(own, cases, folder, lambda _: True, contrast=contrast))
    return file.read_bytes(), {**metrics, "cpu_seconds": round(time.process_time() - begun, 1)}


def initial_of(recipe: Recipe, weights: bytes) -> list[bytes]:
    """What a training begins with: its own initialisation, and the weights in all layers but the head."""
    from medloop.models.foundation.checkpoint import decode_weights, encode_weights
    from medloop.models.foundation.networks import build_network
    from medloop.models.foundation.transfer import transfer

    fresh = build_network(recipe, seed=derive_seed(recipe.seed, 0, "weights")).state_dict()
    return [encode_weights(transfer(fresh, decode_weights(weights)).weights)]


def run(annotated: Sequence[Item], tested: Sequence[Item], recipe: Recipe, folder: Path, initial: Sequence[bytes]) -> dict[str, Any]:
    """Train, then predict the test cases."""
    from medloop.models.inference.predict import Predictor
    from medloop.models.training.batches import TrainingCase
    from medloop.models.training.train import TrainingRun, train_members

    training = [TrainingCase(item.name, item.load) for item in annotated]
    begun = time.process_time()
    trained = train_members(TrainingRun(recipe, training, [], folder, lambda _: True, initial))
    spent = time.process_time() - begun
    predictor = Predictor.load(recipe, [file.read_bytes() for file in trained.weights])
    scores = []
    for item in tested:
        image, truth = item.load()
        answer = predictor.predict(image, samples=1, rng=generator(recipe.seed, "predict", item.name))
        found = dice(answer.probabilities.argmax(axis=0).astype(np.uint8), truth.array, range(1, recipe.classes))
        scores.append(float(np.mean(list(found.values()))))
    return {"cpu_seconds": round(spent, 1), "dice": scores}


def run_seed(name: str, seed: int, options: argparse.Namespace, done: Sequence[Mapping[str, Any]]) -> None:
    """Every run of a set with one seed that is not there yet."""
    labels, ways = [int(n) for n in options.labels.split(",")], options.ways.split(",")
    wanted = [(FULL, "none"), *((n, way) for n in labels for way in ways)]
    given = {"dataset": name, "seed": seed, "steps": options.steps, "pretraining_steps": options.pretraining_steps}
    there = {(r["labels"], r["way"]) for r in done if all(r[key] == value for key, value in given.items())}
    lacking = [one for one in wanted if one not in there]
    if not lacking:
        return
    items, classes = read_set(name, options.data)
    pool, tested = images_of(items, seed), split(items, 1, seed).tested
    recipe = plan(Split(list(pool), [], []), classes, options, seed)
    starts: dict[str, tuple[bytes, dict[str, Any]]] = {"none": (b"", {})}
    with tempfile.TemporaryDirectory() as folder:
        for n, way in lacking:
            if (contrast := WAYS[way]) is not None and way not in starts:
                starts[way] = pretrained(recipe, pool, options.pretraining_steps, contrast, Path(folder) / way)
            weights, took = starts[way]
            own = pool if n == FULL else pool[: int(n)]
            found = run(own, tested, recipe, Path(folder) / f"{n}-{way}", initial_of(recipe, weights) if weights else [])
            own_facts = {"labels": n, "way": way, "pool": len(pool), "pretraining": took, "patch": recipe.patch, "batch": recipe.batch}
            row = {**given, **own_facts, **found}
            with options.json.open("a") as out:
                out.write(json.dumps(row) + "\n")
            words = f"{name} seed {seed} {n} {way}: Dice {np.mean(found['dice']):.4f}, {found['cpu_seconds']} CPU s"
            print(words, file=sys.stderr, flush=True)


def needed_of(rows: Sequence[Mapping[str, Any]], way: str) -> Needed | None:
    """Labels of a way to `SHARE` of the full-data score from scratch, over the seeds that have every run."""
    numbers = sorted({int(r["labels"]) for r in rows if r["labels"] != FULL})
    score = {(r["labels"], r["way"], r["seed"]): float(np.mean(r["dice"])) for r in rows}
    seeds = sorted({s for _, _, s in score if (FULL, "none", s) in score and all((n, way, s) in score for n in numbers)})
    if not seeds:
        return None
    curves = [Curve(way, s, tuple(numbers), tuple(score[n, way, s] for n in numbers), ()) for s in seeds]
    return labels_needed(curves, {s: score[FULL, "none", s] for s in seeds}, SHARE, max(int(r["pool"]) for r in rows))


def print_tables(rows: Sequence[Mapping[str, Any]]) -> None:
    """Dice per set, number of labels and way with the difference from scratch; then labels to `SHARE` of the full-data score."""
    for name in dict.fromkeys(str(r["dataset"]) for r in rows):
        own = [r for r in rows if r["dataset"] == name]
        for n in sorted({r["labels"] for r in own}, key=lambda n: (n == FULL, 0 if n == FULL else n)):
            found = {(r["way"], r["seed"]): r["dice"] for r in own if r["labels"] == n}
            for way in dict.fromkeys(way for way, _ in found):
                seeds = [s for w, s in found if w == way and ("none", s) in found]
                if seeds:
                    print(f"{name:<14} {n!s:>5} labels {way:<8} {len(seeds)} seeds: {_figures(found, way, seeds)}")
        for way in dict.fromkeys(str(r["way"]) for r in own):
            if (needed := needed_of(own, way)) is not None:
                print(f"{name:<14} labels to {SHARE:.0%} of full data, {way}: {words_of(needed)}")


def _figures(found: Mapping[tuple[str, int], Sequence[float]], way: str, seeds: Sequence[int]) -> str:
    mean = float(np.mean([np.mean(found[way, s]) for s in seeds]))
    if way == "none":
        return f"Dice {mean:.4f}"
    gain, low, high = difference([found[way, s] for s in seeds], [found["none", s] for s in seeds])
    return f"Dice {mean:.4f}  {gain:+.4f} ({low:+.4f} to {high:+.4f})"


def words_of(needed: Needed) -> str:
    """Labels needed, in words."""
    if needed.labels is None:
        return "not reached"
    if needed.low is None:
        return f"{needed.labels:.1f} ({needed.note or 'no interval'})"
    return f"{needed.labels:.1f} ({needed.low:.1f} to {'beyond' if needed.high is None else f'{needed.high:.1f}'})"


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds the sets")
    parser.add_argument("--datasets", default=",".join(SETS), help="which of them")
    parser.add_argument("--seeds", type=int, default=3, help="number of seeds: each has its own annotated cases and weights")
    parser.add_argument("--first-seed", type=int, default=0, help="the first of these seeds")
    parser.add_argument("--labels", default="2,4,8,16", help="numbers of annotated cases")
    parser.add_argument("--steps", type=int, default=300, help="steps of each training, from scratch or not")
    parser.add_argument("--pretraining-steps", type=int, default=0, help="steps of the pretraining; 0 takes as many")
    parser.add_argument("--ways", default=",".join(WAYS), help="which ways to begin")
    parser.add_argument("--minutes", type=float, default=1.0, help="the time that the recipe is chosen for")
    parser.add_argument("--precision", default="auto", choices=("auto", "float32", "bfloat16"), help="of the networks")
    parser.add_argument("--json", type=Path, required=True, help="where every run becomes a line, and is found again")
    options = parser.parse_args(arguments)
    options.pretraining_steps = options.pretraining_steps or options.steps
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the runs that are missing, print the tables."""
    options = parse(arguments)
    for seed in range(options.first_seed, options.first_seed + options.seeds):
        for name in options.datasets.split(","):
            run_seed(name, seed, options, read_rows(options.json))
    lengths = options.steps, options.pretraining_steps
    print_tables([r for r in read_rows(options.json) if (r["steps"], r["pretraining_steps"]) == lengths])
    return 0


if __name__ == "__main__":
    sys.exit(main())
