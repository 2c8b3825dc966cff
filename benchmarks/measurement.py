"""How exact a measured head circumference is, and whether its bounds hold: HC18 or any pictures with a reference.

Patients are drawn apart per seed: a quarter is held out, 15 % calibrate the bounds, the rest trains one network with the
product's own recipe on one thread. The
reference is the column `head_circumference_mm` of `index.csv`, or else the ellipse of the true mask.

The reference and the masks may disagree systematically (the masks of HC18 include the annotators' drawn line). How many
pixels of circumference that makes is the median over the training masks, no model involved, and is taken off every
estimate; figures without that are printed too.

    python benchmarks/measurement.py --data ../shared/data/hc18_ultrasound --seeds 2 --json measurement.json
"""

import argparse
import csv
import dataclasses
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np

from full_data import Question, choose_cases, cpu_seconds_per_step, machine, question_of, read_case, shape_of
from medloop.core.errors import MedloopError
from medloop.core.image import Mask
from medloop.core.seeds import derive_seed, generator
from medloop.datasets.dataset import CaseSource
from medloop.datasets.discover import open_dataset
from medloop.datasets.splits import SplitCase, assign_splits
from medloop.metrics.intervals import bootstrap_mean
from medloop.metrics.measure_bounds import bound_measure, fit_bounds
from medloop.metrics.measures import circumference_mm
from medloop.metrics.overlap import dice
from medloop.models.foundation.recipes import Recipe, choose_recipe, fingerprint

HELD_OUT, CALIBRATING = 0.25, 0.15
REFERENCE = "head_circumference_mm"


@dataclasses.dataclass(frozen=True)
class Measured:
    """One picture: its reference, the circumference of its true mask, of the prediction, and of each sample, all in mm."""

    name: str
    patient: str
    pixel_mm: float
    reference: float
    of_truth: float
    estimate: float
    samples: tuple[float, ...]
    dice: float

    def shifted(self, pixels: float) -> "Measured":
        """The same with so many pixels taken off every estimate."""
        less = pixels * self.pixel_mm
        return dataclasses.replace(self, estimate=self.estimate - less, samples=tuple(s - less for s in self.samples))


def references(folder: Path) -> dict[str, float]:
    """Case name → reference in mm, from index.csv; empty without that column."""
    path = folder / "index.csv"
    if not path.exists():
        return {}
    with path.open(newline="", encoding="utf-8") as file:
        return {Path(row["filename"]).stem: float(row[REFERENCE]) for row in csv.DictReader(file) if row.get(REFERENCE)}


def split(cases: Sequence[CaseSource], seed: int) -> dict[str, list[CaseSource]]:
    """Cases to train on, to calibrate with and to test on, by patient."""
    wanted = [SplitCase(case.name, case.patient) for case in cases]
    splits = assign_splits(wanted, validation=CALIBRATING, test=HELD_OUT, audit=0.0, seed=seed)
    return {name: [c for c in cases if splits[c.name] == name] for name in ("train", "validation", "test")}


def plan(training: Sequence[CaseSource], question: Question, seed: int, options: argparse.Namespace) -> Recipe:
    """The product's recipe with the steps that fit into the minutes of CPU time."""
    from medloop.models.training.train import plan_steps

    found = fingerprint([shape_of(read_case(case, question)[0]) for case in training[:50]])
    recipe = choose_recipe(
        found, kind="segmentation", classes=question.classes, minutes=options.minutes, threads=1, seed=derive_seed(seed, "measurement")
    )
    recipe = dataclasses.replace(recipe, validations=0, steps=options.steps)
    return (
        recipe if options.steps else dataclasses.replace(recipe, steps=plan_steps(recipe, cpu_seconds_per_step(recipe, training, question)))
    )


def noted_plan(folder: Path, decide: Callable[[], Recipe]) -> Recipe:
    """The recipe noted in the folder; decided and noted when there is none."""
    note = folder / "recipe.json"
    if not note.exists():
        folder.mkdir(parents=True, exist_ok=True)
        note.write_text(json.dumps(decide().to_json()))
    return Recipe.from_json(json.loads(note.read_text()))


def train(recipe: Recipe, cases: Sequence[CaseSource], question: Question, folder: Path) -> float:
    """Train in this process; CPU minutes."""
    from medloop.models.training.batches import TrainingCase
    from medloop.models.training.train import TrainingProgress, TrainingRun, train_member

    begun = time.process_time()

    def report(progress: TrainingProgress) -> bool:
        if progress.step % 200 == 0:
            print(f"  {progress.message}, {time.process_time() - begun:.0f} CPU s", file=sys.stderr, flush=True)
        return True

    training = [TrainingCase(c.name, partial(read_case, c, question)) for c in cases]
    train_member(TrainingRun(recipe, training, [], folder, report), 0)
    return (time.process_time() - begun) / 60


def measure_cases(
    recipe: Recipe, folder: Path, cases: Sequence[CaseSource], question: Question, known: Mapping[str, float], samples: int
) -> list[Measured]:
    """Predict and measure pictures the network has not seen."""
    from medloop.models.foundation.checkpoint import checkpoint_file
    from medloop.models.inference.predict import Predictor

    predictor = Predictor.load(recipe, [checkpoint_file(folder / "member-0").read_bytes()])
    found = []
    for case in cases:
        image, truth = read_case(case, question)
        answer = predictor.predict(image, samples=samples, rng=generator(recipe.seed, "predict", case.name))
        guess = answer.probabilities.argmax(axis=0).astype(np.uint8)
        assert isinstance(truth, Mask)
        of_truth = circumference_mm(truth.array == 1, image.grid)
        found.append(
            Measured(
                name=case.name,
                patient=case.patient,
                pixel_mm=image.grid.spacing_mm[0],
                reference=known.get(case.name, of_truth),
                of_truth=of_truth,
                estimate=circumference_mm(guess == 1, image.grid),
                samples=tuple(circumference_mm(one.argmax(axis=0) == 1, image.grid) for one in answer.samples),
                dice=dice(guess, truth.array, [1])[1],
            )
        )
    return found


def systematic_pixels(cases: Sequence[CaseSource], question: Question, known: Mapping[str, float]) -> float:
    """By how many pixels the true masks measure more than the reference: the median over training masks."""
    gaps = []
    for case in cases:
        image, truth = read_case(case, question)
        if case.name in known and isinstance(truth, Mask):
            gaps.append((circumference_mm(truth.array == 1, image.grid) - known[case.name]) / image.grid.spacing_mm[0])
    return float(np.median(gaps)) if gaps else 0.0


def judge(test: Sequence[Measured], calibration: Sequence[Measured], seed: int, coverage: float) -> dict[str, Any]:
    """Errors, and how often bounds fitted on the calibrating pictures hold on the held-out ones."""
    rule = fit_bounds(*arrays(calibration), coverage=coverage)
    bounds = [bound_measure(m.estimate, np.array(m.samples), rule) for m in test]
    errors = [abs(m.estimate - m.reference) for m in test]
    taken = [n for n, b in enumerate(bounds) if b.accepted]
    inside = [float(bounds[n].low <= test[n].reference <= bounds[n].high) for n in taken]
    return {
        "error_mm": interval(errors, test, seed),
        "bias_mm": float(np.nanmean([m.estimate - m.reference for m in test])),
        "accepted": len(taken) / len(test),
        "accepted_error_mm": interval([errors[n] for n in taken], [test[n] for n in taken], seed),
        "inside": interval(inside, [test[n] for n in taken], seed),
        "width_mm": float(np.mean([bounds[n].high - bounds[n].low for n in taken])) if taken else None,
        "rejected_error_mm": float(np.mean([e for n, e in enumerate(errors) if n not in taken])) if len(taken) < len(test) else None,
        "not_found": int(sum(not np.isfinite(m.estimate) or m.estimate <= 0 for m in test)),
        "margin": rule.margin,
        "largest_spread": rule.largest_spread,
    }


def interval(values: Sequence[float], of: Sequence[Measured], seed: int) -> list[float] | None:
    """Mean with its 95 % interval over patients; None without values or where one is missing."""
    if not values or not np.isfinite(values).all():
        return None
    found = bootstrap_mean(values, [m.patient for m in of], generator(seed, "bootstrap"))
    return [float(np.mean(values)), *(float("nan") if end is None else end for end in (found.low, found.high))]


def arrays(measured: Sequence[Measured]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Estimates, samples and references as `fit_bounds` takes them."""
    return (
        np.array([m.estimate for m in measured]),
        np.array([m.samples for m in measured]),
        np.array([m.reference for m in measured]),
    )


def run_seed(seed: int, options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Split, train, measure, judge."""
    dataset = open_dataset(options.data)
    question, known = question_of(dataset), references(options.data)
    parts = split(choose_cases([c for c in dataset.cases if c.labelled], options.cases), seed)
    offset = systematic_pixels(parts["train"], question, known)
    recipe = noted_plan(folder, lambda: plan(parts["train"], question, seed, options))
    print(
        f"seed {seed}: {[len(p) for p in parts.values()]} pictures, {recipe.steps} steps of {recipe.batch}×{recipe.patch}", file=sys.stderr
    )
    minutes = train(recipe, parts["train"], question, folder)
    begun = time.process_time()
    calibration, test = (measure_cases(recipe, folder, parts[p], question, known, options.samples) for p in ("validation", "test"))
    per_picture = (time.process_time() - begun) / (len(calibration) + len(test))
    shifted = [[m.shifted(offset) for m in part] for part in (test, calibration)]
    return {
        "seed": seed,
        **judge(*shifted, seed, options.coverage),
        "uncorrected": judge(test, calibration, seed, options.coverage),
        "offset_pixels": offset,
        "dice": float(np.mean([m.dice for m in test])),
        "true_mask_error_mm": float(np.mean([abs(m.of_truth - offset * m.pixel_mm - m.reference) for m in test])),
        "pictures": {name: len(part) for name, part in parts.items()},
        "cpu_minutes": minutes,
        "cpu_seconds_per_picture": per_picture,
        "recipe": recipe.to_json(),
        "measured": [dataclasses.asdict(m) for m in shifted[0]],
    }


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="images/, masks/ and index.csv with pixel sizes")
    parser.add_argument("--seeds", type=int, default=1, help="number of seeds: each has its own split and weights")
    parser.add_argument("--first-seed", type=int, default=0, help="the first of these seeds")
    parser.add_argument("--json", type=Path, help="where to write everything measured")
    parser.add_argument("--minutes", type=float, default=8.0, help="CPU minutes of one training")
    parser.add_argument("--steps", type=int, default=0, help="training steps; 0 takes what fits into the minutes")
    parser.add_argument("--samples", type=int, default=8, help="answers of the network per picture")
    parser.add_argument("--coverage", type=float, default=0.9, help="share of accepted pictures whose truth bounds should hold")
    parser.add_argument("--work", type=Path, help="folder for checkpoints; naming it again resumes")
    parser.add_argument("--cases", type=int, default=None, help="use only N pictures, drawn at random once")
    return parser.parse_args(arguments)


def print_table(results: Sequence[Mapping[str, Any]]) -> None:
    """Two lines per seed: with the systematic difference taken off, and without."""
    head = ("", "error mm", "bias", "accepted", "their error", "inside bounds", "width", "Dice")
    print("seed", "{:<12} {:<20} {:>6} {:>8} {:<20} {:<20} {:>6} {:>6}".format(*head))
    for r in results:
        for what, row in (("corrected", r), ("as measured", r["uncorrected"])):
            shown = [_shown(row[name]) for name in ("error_mm", "accepted_error_mm", "inside")]
            width = f"{row['width_mm']:.1f}" if row["width_mm"] is not None else "-"
            print(
                f"{r['seed']:>4} {what:<12} {shown[0]:<20} {row['bias_mm']:>6.2f} {row['accepted']:>8.3f} {shown[1]:<20} {shown[2]:<20} "
                f"{width:>6} {r['dice']:>6.4f}"
            )


def _shown(found: Sequence[float] | None) -> str:
    return f"{found[0]:.2f} ({found[1]:.2f}–{found[2]:.2f})" if found else "not measurable"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run all seeds, print the table, write the JSON."""
    options = parse(arguments)
    try:
        with tempfile.TemporaryDirectory() as temporary:
            seeds = range(options.first_seed, options.first_seed + options.seeds)
            results = [run_seed(seed, options, (options.work or Path(temporary)) / f"seed-{seed}") for seed in seeds]
    except MedloopError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print_table(results)
    if options.json:
        command = " ".join([Path(sys.argv[0]).name, *(arguments or sys.argv[1:])])
        facts = {"data": str(options.data), "date": datetime.now(UTC).strftime("%Y-%m-%d"), "command": command, "machine": machine()}
        options.json.write_text(json.dumps({**facts, "results": results}, indent=1, default=float))
    return 0


if __name__ == "__main__":
    sys.exit(main())
