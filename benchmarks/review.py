"""How many slices a reviewer opens to mend half of a model's errors: guided by doubt, page by page, and at random.

A small network is trained on a few cases; its proposals for held-out cases are reviewed by a simulated person who mends every
error on each slice opened. The guided order sees only the model's own samples (flips, then dropout), never the truth. Paging
starts one slice before the proposed structure, not at the empty edge of the volume, and random draws from the same slices.
Intervals are bootstrap intervals over patients.

    python benchmarks/review.py --data ../shared/data/hippocampus --seeds 1 --json review.json
"""

import argparse
import dataclasses
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np

from full_data import Question, choose_cases, machine, question_of, read_case, shape_of, split
from medloop.core.errors import MedloopError
from medloop.core.image import Mask
from medloop.core.seeds import derive_seed, generator
from medloop.datasets.dataset import CaseSource, Dataset
from medloop.datasets.discover import open_dataset
from medloop.interaction.attention import error_chances
from medloop.metrics.intervals import bootstrap_mean
from medloop.models.foundation.recipes import choose_recipe, fingerprint
from review_orders import (
    ReviewCase,
    best_order,
    errors_by_slice,
    errors_left,
    guided_order,
    guided_pile,
    paged_pile,
    pile_left,
    random_order,
    sequential_order,
    slices_to_reach,
)

SHARES = (0.75, 0.5, 0.25, 0.1)
"""Of the first error that may be left; the mark is set at a half."""

RANDOM_ORDERS = 20
RESAMPLES = 200


def proposals(training: Sequence[CaseSource], held_out: Sequence[CaseSource], question: Question, seed: int, options: Any) -> list[Any]:
    """Train, then propose: one (case, axis) per held-out case."""
    from medloop.models.inference.predict import Predictor
    from medloop.models.training.batches import TrainingCase
    from medloop.models.training.train import train

    found = fingerprint([shape_of(read_case(case, question)[0]) for case in training])
    recipe = choose_recipe(found, kind="segmentation", classes=question.classes, minutes=8.0, threads=1, seed=derive_seed(seed, "review"))
    recipe = dataclasses.replace(recipe, steps=options.steps, validations=0)
    cases = [TrainingCase(case.name, partial(read_case, case, question)) for case in training]
    with tempfile.TemporaryDirectory() as folder:
        trained = train(recipe, cases, [], Path(folder), report=lambda _: True)
        predictor = Predictor.load(recipe, [file.read_bytes() for file in trained.weights])
    return [propose(predictor, case, question, seed, options.samples) for case in held_out]


def propose(predictor: Any, case: CaseSource, question: Question, seed: int, samples: int) -> tuple[ReviewCase, int]:
    """A proposal with its chances of error, and the axis a person pages along."""
    image, truth = read_case(case, question)
    assert isinstance(truth, Mask)
    answer = predictor.predict(image, samples=samples, rng=generator(seed, "predict", case.name))
    proposal = answer.probabilities.argmax(axis=0).astype(np.uint8)
    chances = error_chances(answer.samples, proposal)
    return ReviewCase(case.name, proposal, truth.array, chances), image.grid.paging_axis


def review(case: ReviewCase, axis: int, seed: int) -> dict[str, dict[str, float]]:
    """Slices opened per order and share of errors left."""
    rng = generator(seed, "random order", case.name)
    orders = {
        "guided": [guided_order(case, axis)],
        "sequential": [sequential_order(case, axis)],
        "random": [random_order(case, axis, rng) for _ in range(RANDOM_ORDERS)],
        "best possible": [best_order(case, axis)],
    }
    return {
        name: {str(s): float(np.mean([slices_to_reach(errors_left(case.errors, axis, o), s) for o in tried])) for s in SHARES}
        for name, tried in orders.items()
    }


def review_pile(pairs: Sequence[tuple[ReviewCase, int]], patients: Sequence[str], seed: int) -> dict[str, Any]:
    """All cases as one pile: slices opened when guided and paged, and the saving with its interval over patients."""
    rng, groups = generator(seed, "pile"), sorted(set(patients))
    members = {patient: [n for n, own in enumerate(patients) if own == patient] for patient in groups}
    drawn = [[n for g in rng.choice(len(groups), len(groups)) for n in members[groups[g]]] for _ in range(RESAMPLES)]
    opened, resampled = _pile_slices(pairs), np.array([_pile_slices([pairs[n] for n in draw]) for draw in drawn])
    fewer, low, high = 1 - opened[0] / opened[1], *np.quantile(1 - resampled[:, 0] / resampled[:, 1], [0.025, 0.975], axis=0)
    return {
        str(share): {"guided": opened[0, n], "sequential": opened[1, n], "fewer": fewer[n], "low": low[n], "high": high[n]}
        for n, share in enumerate(SHARES)
    }


def _pile_slices(pairs: Sequence[tuple[ReviewCase, int]]) -> Any:
    """Slices opened until each of `SHARES` is left, guided and paged: shape (2, shares), at least 1."""
    wrong = [errors_by_slice(case.errors, axis) for case, axis in pairs]
    curves = [pile_left(wrong, order(pairs)) for order in (guided_pile, paged_pile)]
    return np.array([[max(1, slices_to_reach(left, share)) for share in SHARES] for left in curves])


def calibration(cases: Sequence[ReviewCase]) -> dict[str, float]:
    """Expected against true errors over all cases: 1 is a model that knows how wrong it is."""
    wrong = sum(float(case.errors.sum()) for case in cases)
    return {"expected": sum(float(case.chances.sum()) for case in cases), "true": wrong}


def run_seed(dataset: Dataset, question: Question, seed: int, options: argparse.Namespace) -> dict[str, Any]:
    """Train, propose, review every held-out case."""
    training, held_out = split(choose_cases([c for c in dataset.cases if c.labelled], options.cases), seed)
    training = [training[n] for n in generator(seed, "training").permutation(len(training))[: options.training]]
    begun = time.process_time()
    pairs = proposals(training, held_out, question, seed, options)
    reviewed = {case.name: review(case, axis, seed) for case, axis in pairs}
    patients = {case.name: case.patient for case in held_out}
    return {
        "seed": seed,
        "cases": reviewed,
        "patients": patients,
        "pile": review_pile(pairs, [case.patient for case in held_out], seed),
        "errors": calibration([case for case, _ in pairs]),
        "cpu_minutes": (time.process_time() - begun) / 60,
    }


def summarise(results: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Mean slices per order and share, and how many fewer than page by page, with intervals over patients."""
    rows = [(result["patients"][name], by_order) for result in results for name, by_order in result["cases"].items()]
    patients, table = [patient for patient, _ in rows], {}
    for share in map(str, SHARES):
        paged = np.array([by_order["sequential"][share] for _, by_order in rows])
        line: dict[str, Any] = {"sequential": float(paged.mean())}
        for name in ("guided", "random", "best possible"):
            opened = np.array([by_order[name][share] for _, by_order in rows])
            # Each case weighs by the slices paging needs, so that the mean of these is the saving of the whole pile.
            saved = bootstrap_mean(((paged - opened) / paged.mean()).tolist(), patients, generator(0, "bootstrap", name, share))
            line[name] = {
                "slices": float(opened.mean()),
                "fewer": saved.mean,
                "low": float("nan") if saved.low is None else saved.low,
                "high": float("nan") if saved.high is None else saved.high,
            }
        table[share] = line
    return table


def print_table(table: dict[str, Any]) -> None:
    """The summary for people."""
    print("| errors left | page by page | guided | fewer | random | fewer | best possible, fewer |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for share, line in table.items():
        guided, drawn, best = line["guided"], line["random"], line["best possible"]
        interval = f"{guided['fewer']:.0%} ({guided['low']:.0%} to {guided['high']:.0%})"
        print(
            f"| {float(share):.0%} | {line['sequential']:.1f} | {guided['slices']:.1f} | {interval} | {drawn['slices']:.1f} "
            f"| {drawn['fewer']:.0%} | {best['fewer']:.0%} |"
        )


def print_piles(results: Sequence[dict[str, Any]]) -> None:
    """What guidance saves over a whole pile, and how well the model knows its errors."""
    for result in results:
        start, errors = f"seed {result['seed']}", result["errors"]
        for share, line in result["pile"].items():
            interval = f"{line['fewer']:.0%} ({line['low']:.0%} to {line['high']:.0%})"
            print(f"{start}, one pile, {float(share):.0%} left: {line['guided']} of {line['sequential']} slices, {interval} fewer")
        known = f"{errors['expected']:.0f} errors expected, {errors['true']:.0f} true"
        print(f"{start}: {known}; {result['cpu_minutes']:.1f} CPU min")


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="a Decathlon folder, images/ + masks/ folder, or CSV with 3D images")
    parser.add_argument("--seeds", type=int, default=1, help="number of seeds: each has its own split and weights")
    parser.add_argument("--first-seed", type=int, default=0, help="the first of these seeds")
    parser.add_argument("--json", type=Path, help="where to write everything measured")
    parser.add_argument("--training", type=int, default=24, help="cases to learn from")
    parser.add_argument("--steps", type=int, default=250, help="steps of training")
    parser.add_argument("--samples", type=int, default=2, help="samples per proposal")
    parser.add_argument("--cases", type=int, default=None, help="use only N cases, drawn at random once")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run all seeds, print the table, write the JSON."""
    options = parse(arguments)
    try:
        dataset = open_dataset(options.data)
        question = question_of(dataset)
        if question.kind != "segmentation":
            print("error: a review needs a segmentation", file=sys.stderr)
            return 2
        results = [run_seed(dataset, question, seed, options) for seed in range(options.first_seed, options.first_seed + options.seeds)]
    except MedloopError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    table = summarise(results)
    print_table(table)
    print_piles(results)
    if options.json:
        settings = {name: str(value) for name, value in vars(options).items()}
        options.json.write_text(
            json.dumps({"table": table, "seeds": results, "options": settings, "machine": machine()}, indent=1, default=float)
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
