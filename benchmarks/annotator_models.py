"""What annotator models buy: a network from one noisy annotation per image, against clean labels and threefold consensus.

A simulated team (good, over- and under-segmenting, careless, random; raters_teams.py) annotates the training cases. The arms, on the same
split, with the same recipe and number of steps:

    clean                the data's own labels
    clean, MODEL         the same, given in turn by three annotators, with the annotator model: nothing may be lost
    three, FUSION        three annotations per case, fused: three times as many annotations as the others. FUSION is majority or staple as
                         in a project, or sitk: SimpleITK's STAPLE of several labels
    one, none            one annotation per case, by an annotator drawn at random
    one, MODEL           the same annotations with the annotator model

Goal: one, MODEL reaches 98 % of the Dice of clean with at most 40 % of the annotations of the consensus. Each unit (data set, seed, arm)
is kept as JSON in --work; a run that was interrupted goes on, also within a training. Without --run it only says what is left and how
long that takes, by the units that are done and a few timed steps. Intervals over seeds are Student's; the difference to clean is also
given over patients, each with the mean of the seeds that held it out.

    python benchmarks/annotator_models.py --data ../shared/data/hc18_ultrasound ../shared/data/acdc_cardiac --seeds 4 --work FOLDER --run
"""

import argparse
import dataclasses
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np

from full_data import Question, choose_cases, cpu_seconds_per_step, machine, question_of, read_case, shape_of, split
from medloop.core.arrays import MaskArray
from medloop.core.image import Image, Mask
from medloop.core.seeds import derive_seed, generator
from medloop.datasets.dataset import CaseSource
from medloop.datasets.discover import open_dataset
from medloop.metrics.intervals import Interval, mean_over_runs, paired_difference
from medloop.metrics.overlap import dice
from medloop.models.foundation.recipes import Recipe, choose_recipe, fingerprint
from medloop.raters import majority_mask, staple
from raters import peer_labels
from raters_teams import TEAM, depths_of, draw

MODELS = ("crowd-layer", "confusion", "pixel")
CLEAN, CONSENSUS, PLAIN = "clean", "three, majority", "one, none"
FUSED = (CONSENSUS, "three, staple", "three, sitk")
ONE = tuple(f"one, {name}" for name in MODELS)
ARMS = (CLEAN, PLAIN, *ONE, *FUSED, *(f"clean, {name}" for name in MODELS))
"""In the order in which they are trained, so that an interrupted run holds the comparison that is asked for first."""
NAMES = tuple(TEAM)
read_once = cache(read_case)


@dataclasses.dataclass(frozen=True)
class Unit:
    """One training: a data set's folder, the seed of split, team and weights, and the arm."""

    data: Path
    seed: int
    arm: str

    @property
    def stem(self) -> str:
        """Name of its folder and, with .json, of its result."""
        return f"{self.data.name}-{self.seed}-{self.arm.replace(', ', '-').replace(' ', '-')}"

    @property
    def model(self) -> str:
        """The annotator model of the arm, or none."""
        named = self.arm.split(", ")[-1]
        return named if named in MODELS else "none"

    @property
    def readings(self) -> int:
        """Annotations per case."""
        return 3 if self.arm in FUSED else 1


@cache
def drawn_by(case: CaseSource, name: str, question: Question, seed: int) -> MaskArray:
    """What an annotator of the team makes of a case, the same in every arm; without the axis of slices in a picture."""
    _, truth = read_once(case, question)
    truth, labels = _flat(truth), range(1, question.classes)
    return draw(TEAM[name], truth, labels, depths_of(truth, labels), generator(seed, "annotates", case.name, name))


def readers_of(case: CaseSource, seed: int) -> list[str]:
    """Three annotators of a case, drawn at random; the first is the one of the arms with one annotation."""
    return list(generator(seed, "readers", case.name).choice(NAMES, 3, replace=False))


def annotate(case: CaseSource, question: Question, unit: Unit) -> tuple[Image, Mask | int]:
    """The image, and its annotation in an arm."""
    image, truth = read_once(case, question)
    if not isinstance(truth, Mask) or unit.arm.startswith(CLEAN):
        return image, truth
    drawn = [drawn_by(case, name, question, unit.seed) for name in readers_of(case, unit.seed)[: unit.readings]]
    mask = drawn[0] if len(drawn) == 1 else fuse(drawn, unit.arm, range(1, question.classes))
    return image, Mask(np.asarray(mask, dtype=np.uint8).reshape(truth.array.shape), truth.grid)


def fuse(masks: Sequence[MaskArray], arm: str, labels: Sequence[int]) -> MaskArray:
    """One mask of several; voxels on which SimpleITK cannot decide count as background."""
    if arm == "three, sitk":
        fused = peer_labels(masks)
        return np.where(fused > max(labels), 0, fused).astype(np.uint8)
    return (majority_mask if arm == CONSENSUS else staple)(masks, labels).mask


def _flat(truth: Mask | int) -> MaskArray:
    assert isinstance(truth, Mask)
    return truth.array[..., 0] if truth.grid.is_2d else truth.array


def whose(case: CaseSource, number: int, unit: Unit) -> int:
    """Index of the annotator of a case."""
    return number % 3 if unit.arm.startswith(CLEAN) else NAMES.index(readers_of(case, unit.seed)[0])


def recipe_of(unit: Unit, cases: Sequence[CaseSource], question: Question, options: argparse.Namespace) -> Recipe:
    """The product's own choice for the minutes given, with a fixed number of steps and the annotator model of the arm."""
    found = fingerprint([shape_of(read_once(case, question)[0]) for case in cases[:50]])
    recipe = choose_recipe(
        found,
        kind="segmentation",
        classes=question.classes,
        minutes=options.minutes,
        threads=1,
        seed=derive_seed(unit.seed, "annotator models"),
    )
    modelled = 0 if unit.model == "none" else 3 if unit.arm.startswith(CLEAN) else len(NAMES)
    return dataclasses.replace(recipe, steps=options.steps, validations=0, annotator_model=unit.model, annotators=modelled)


def cases_of(unit: Unit, options: argparse.Namespace) -> tuple[Question, list[CaseSource], list[CaseSource]]:
    """Labels, training and held-out cases of a unit."""
    question, cases = labelled_cases(unit.data)
    return question, *split(choose_cases(cases, options.cases), unit.seed)


@cache
def labelled_cases(folder: Path) -> tuple[Question, tuple[CaseSource, ...]]:
    """Labels of a data set, and its cases that have an annotation."""
    dataset = open_dataset(folder)
    return question_of(dataset), tuple(case for case in dataset.cases if case.labelled)


def run_unit(unit: Unit, folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Train one arm and score it on the held-out cases' own labels."""
    from medloop.models.inference.predict import Predictor
    from medloop.models.training.batches import TrainingCase
    from medloop.models.training.train import train

    question, training, held_out = cases_of(unit, options)
    recipe = recipe_of(unit, training, question, options)
    made = [
        TrainingCase(case.name, partial(annotate, case, question, unit), annotator=whose(case, number, unit))
        for number, case in enumerate(training)
    ]
    begun = time.process_time()
    trained = train(recipe, made, [], folder, report=lambda _: True)
    predictor = Predictor.load(recipe, [file.read_bytes() for file in trained.weights])
    scores = [score(predictor, *read_once(case, question), question) for case in held_out]
    return {
        "data": unit.data.name,
        "seed": unit.seed,
        "arm": unit.arm,
        "mean": float(np.mean(scores)),
        "per_case": scores,
        "patients": [case.patient for case in held_out],
        "training_cases": len(training),
        "annotations": len(training) * unit.readings,
        "held_out_cases": len(held_out),
        "cpu_minutes": (time.process_time() - begun) / 60,
        "confusions": trained.metrics.get("confusions"),
        "recipe": recipe.to_json(),
    }


def score(predictor: Any, image: Image, truth: Mask | int, question: Question) -> float:
    """Mean foreground Dice of one case."""
    found = predictor.predict(image, samples=1, rng=np.random.default_rng(0)).probabilities.argmax(axis=0).astype(np.uint8)
    assert isinstance(truth, Mask)
    return float(np.mean(list(dice(found, truth.array, range(1, question.classes)).values())))


def units_of(options: argparse.Namespace) -> Iterator[Unit]:
    """Every unit, seed by seed, so that an interrupted run holds whole comparisons."""
    for seed in range(options.seeds):
        yield from (Unit(data, seed, arm) for data in options.data for arm in options.arms)


def known_units(units: Sequence[Unit], work: Path) -> dict[Unit, dict[str, Any]]:
    """Results that are kept."""
    return {unit: json.loads(file.read_text()) for unit in units if (file := work / f"{unit.stem}.json").exists()}


def minutes_left(units: Sequence[Unit], known: Mapping[Unit, dict[str, Any]], options: argparse.Namespace) -> float:
    """CPU minutes of the units that are not done, by those of the same data set that are, else by a few timed steps."""
    total = 0.0
    for data in options.data:
        left = [unit for unit in units if unit.data == data and unit not in known]
        done = [found["cpu_minutes"] for unit, found in known.items() if unit.data == data]
        if left:
            total += len(left) * (float(np.mean(done)) if done else _timed(left[0], options))
    return total


def _timed(unit: Unit, options: argparse.Namespace) -> float:
    question, training, _ = cases_of(unit, options)
    recipe = recipe_of(Unit(unit.data, unit.seed, CLEAN), training, question, options)
    return recipe.steps * cpu_seconds_per_step(recipe, training, question) / 60


def summarise(known: Mapping[Unit, dict[str, Any]]) -> list[dict[str, Any]]:
    """Per data set and arm: Dice over seeds, its share of the clean arm's and difference to it, the share of the consensus' annotations."""
    rows = []
    for data in dict.fromkeys(unit.data.name for unit in known):
        by_arm = {arm: {u.seed: f for u, f in known.items() if (u.data.name, u.arm) == (data, arm)} for arm in ARMS}
        for arm, found in by_arm.items():
            if found:
                row = {"data": data, "arm": arm, "seeds": str(len(found)), "dice": _over_seeds([f["mean"] for f in found.values()])}
                row["of clean"] = _over_seeds(_shares(found, by_arm[CLEAN], lambda f: f["mean"]))
                row["minus clean, patients"] = _over_patients(found, by_arm[CLEAN])
                row["annotations of consensus"] = _over_seeds(_shares(found, by_arm[CONSENSUS], lambda f: f["annotations"]))
                rows.append(row)
    return rows


def _over_patients(found: Mapping[int, Any], base: Mapping[int, Any]) -> str:
    seeds = sorted(found.keys() & base.keys())
    if not seeds:
        return "–"
    a, b, patients = (
        [v for seed in seeds for v in kept[seed][name]] for kept, name in ((found, "per_case"), (base, "per_case"), (base, "patients"))
    )
    return _worded(paired_difference(a, b, patients, generator(0, "patients")))


def _shares(found: Mapping[int, Any], base: Mapping[int, Any], figure: Callable[[Any], float]) -> list[float]:
    return [figure(found[seed]) / figure(base[seed]) for seed in sorted(found.keys() & base.keys())]


def _over_seeds(values: Sequence[float]) -> str:
    return _worded(mean_over_runs(list(values))) if values else "–"


def _worded(mean: Interval) -> str:
    return f"{mean.mean:.4f}" + (f" ({mean.low:.4f} to {mean.high:.4f})" if mean.low is not None and mean.high is not None else "")


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, nargs="+", required=True, help="folders of images with masks")
    parser.add_argument("--seeds", type=int, default=4, help="seeds: each has its own split, team and weights")
    parser.add_argument("--json", type=Path, help="where to write everything measured")
    parser.add_argument("--work", type=Path, help="folder of results and checkpoints; naming it again resumes")
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=ARMS, help="only these arms")
    parser.add_argument("--cases", type=int, default=None, help="use only N cases, drawn at random once")
    parser.add_argument("--steps", type=int, default=1500, help="steps of each training")
    parser.add_argument("--minutes", type=float, default=10.0, help="minutes by which the recipe is chosen")
    parser.add_argument("--run", action="store_true", help="train what is left; otherwise only say what it takes")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is left, print the table, write the JSON."""
    options = parse(arguments)
    with tempfile.TemporaryDirectory() as temporary:
        work = options.work or Path(temporary)
        work.mkdir(parents=True, exist_ok=True)
        units = list(units_of(options))
        left = [unit for unit in units if unit not in known_units(units, work)]
        print(f"{len(units) - len(left)} of {len(units)} units are done", file=sys.stderr)
        if left and not options.run:
            print(f"the others take about {minutes_left(units, known_units(units, work), options):.0f} CPU minutes; --run", file=sys.stderr)
        for unit in left if options.run else ():
            found = run_unit(unit, work / unit.stem, options)
            (work / f"{unit.stem}.json").write_text(json.dumps(found))
            print(f"{unit.stem}: Dice {found['mean']:.4f}, {found['cpu_minutes']:.1f} CPU minutes", file=sys.stderr, flush=True)
        known = known_units(units, work)
    for row in summarise(known):
        print(" | ".join(row.values()))
    if options.json:
        command = " ".join([Path(sys.argv[0]).name, *(arguments or sys.argv[1:])])
        body = {"date": datetime.now(UTC).strftime("%Y-%m-%d"), "command": command, "machine": machine()}
        options.json.write_text(json.dumps({**body, "summary": summarise(known), "units": list(known.values())}, indent=1, default=float))
    return 0


if __name__ == "__main__":
    sys.exit(main())
