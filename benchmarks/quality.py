"""How well is a prediction's quality known without its truth? Predicted Dice, its interval, triage, deferral, calibration.

Two models with the product's folded recipe learn from different patients, a few CPU minutes each. Held-out patients, each
clean and once corrupted (noise, blur or bias field; see `--severity`), are predicted; every sign of quality is written down
and held against the true Dice. What is fitted is fitted, calibrated and tested on different patients (40, 30 and 30 %),
repeated over random divisions; a clean case and its corrupted version are always on the same side. Reverse classification
learns from ten labelled references alone.

    python benchmarks/quality.py --data ../shared/data/hippocampus --seeds 1 --json quality.json
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np

from full_data import Question, choose_cases, machine, question_of
from medloop.core.errors import InputError, MedloopError
from medloop.datasets.dataset import Dataset
from medloop.datasets.discover import open_dataset
from medloop.quality.triage import GOOD_DICE
from quality_cases import look, model_seed, split_parts, train_model
from quality_figures import COVERAGE, RISK, calibration, predicted_dice, ranking, reverse_figures

FEWEST_HELD_OUT = 25
"""Patients needed so that each division has enough to fit, calibrate and test on."""

WEAK_DICE = 0.5
"""Below this on clean cases nearly every prediction is bad, and telling bad from worse is no triage."""


def run_seed(dataset: Dataset, question: Question, seed: int, options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Train, look and measure once."""
    cases = choose_cases([case for case in dataset.cases if case.labelled], options.cases)
    parts = split_parts(cases, seed, training=options.training, held_out=options.held_out)
    if (patients := len({c.patient for c in parts.held_out})) < FEWEST_HELD_OUT:
        raise InputError(f"At least {FEWEST_HELD_OUT} held-out patients are needed, got {patients}", remedy="give more labelled cases")
    learned = (parts.first, parts.second)
    models = [
        train_model(learned[n], question, model_seed(seed, n), options.minutes, options.heads, folder / f"model-{n}") for n in range(2)
    ]
    print(f"seed {seed}: models of {models[0][0].steps} and {models[1][0].steps} steps trained", file=sys.stderr, flush=True)
    seen = look(parts, question, models, seed, references=options.references, band_mm=options.band_mm, severity=options.severity)
    truth = np.array([s.truth for s in seen])
    corrupted = np.array([s.corrupted for s in seen])
    return {
        "seed": seed,
        "training_cases": [len(cases) for cases in learned],
        "held_out": len(seen),
        "patients": patients,
        "cpu_minutes": [minutes for _, _, minutes in models],
        "recipe": models[0][0].to_json(),
        "dice": {"clean": float(truth[~corrupted].mean()), "corrupted": float(truth[corrupted].mean())},
        "good": float(np.mean(truth >= GOOD_DICE)),
        "ranking": ranking(seen),
        "predicted": predicted_dice(seen, seed, repeats=options.repeats, trees=options.trees),
        "reverse": reverse_figures(seen, seed),
        "calibration": calibration(seen, seed),
        "cases": [{"name": s.name, "corrupted": s.corrupted, "truth": s.truth, "reverse": s.reverse, **s.features} for s in seen],
    }


def print_seed(found: dict[str, Any]) -> None:
    """The tables of one seed."""
    dice, minutes = found["dice"], " and ".join(f"{m:.1f}" for m in found["cpu_minutes"])
    print(f"\nseed {found['seed']}: {found['patients']} held-out patients, models of {minutes} CPU minutes")
    print(f"Dice {dice['clean']:.3f} clean, {dice['corrupted']:.3f} corrupted, {found['good']:.0%} reach {GOOD_DICE}")
    if dice["clean"] < WEAK_DICE:
        print(f"The models are too weak for these figures to mean anything: clean Dice below {WEAK_DICE}; give more --minutes")
    print(f"{'sign':<28} {'Spearman':>8} {'AURC':>7} {'excess':>7} {'AUGRC':>7}")
    for name, row in found["ranking"].items():
        print(f"{name:<28} {row['spearman']:>8.3f} {row['aurc']:>7.4f} {row['excess_aurc']:>7.4f} {row['augrc']:>7.4f}")
    print(f"\n{'predicted Dice by':<28} {'MAE':>20} {'covered (' + format(COVERAGE, '.0%') + ')':>15} {'width':>6} {'good/bad':>20}")
    for way, row in found["predicted"]["ways"].items():
        print(f"{way:<28} {_interval(row['mae']):>20} {row['covered'][0]:>15.3f} {row['width'][0]:>6.3f} {_interval(row['triage']):>20}")
    reverse = found["reverse"]
    print(f"{'reverse classification':<28} {_interval(reverse['mae']):>20} {'':>15} {'':>6} {_interval(reverse['triage']):>20}")
    deferral = found["predicted"]["deferral"]
    print(f"\naccepted at risk {RISK}: {deferral['accepted'][0]:.1%}; accepted and bad: {_interval(deferral['accepted_and_bad'])} of all")
    print(f"temperature {found['calibration']['temperature']:.2f}")
    for name, row in found["calibration"].items():
        if isinstance(row, dict):
            print(f"  ECE {row['ece']:.4f}  classwise {row['classwise_ece']:.4f}  Brier {row['brier']:.4f}  NLL {row['nll']:.4f}  {name}")


def _interval(values: Sequence[float]) -> str:
    return "{:.3f} ({:.3f}–{:.3f})".format(*values)


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="segmentation data in any layout that medloop reads")
    parser.add_argument("--seeds", type=int, default=1, help="number of seeds: each has its own split and models")
    parser.add_argument("--first-seed", type=int, default=0, help="the first of these seeds")
    parser.add_argument("--json", type=Path, help="where to write everything measured")
    parser.add_argument("--minutes", type=float, default=4.0, help="CPU minutes of each of the two models")
    parser.add_argument("--heads", type=int, default=1, help="heads of each model; several add their one-pass agreement")
    parser.add_argument("--training", type=int, default=40, help="patients each model learns from")
    parser.add_argument("--held-out", type=int, default=60, help="held-out patients at most")
    parser.add_argument("--references", type=int, default=10, help="labelled references of reverse classification")
    parser.add_argument("--severity", type=float, default=1.0, help="strength of the corruptions: 1 about halves the Dice of hippocampi")
    parser.add_argument("--repeats", type=int, default=10, help="random divisions of the held-out patients")
    parser.add_argument("--trees", type=int, default=50, help="of the forest among the regression's candidates")
    parser.add_argument("--band-mm", type=float, default=3.0, help="half width of the band near borders")
    parser.add_argument("--cases", type=int, default=None, help="use only N cases, drawn at random once")
    parser.add_argument("--work", type=Path, help="folder for checkpoints; naming it again resumes")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run all seeds, print the tables, write the JSON."""
    options = parse(arguments)
    results = []
    try:
        dataset = open_dataset(options.data)
        question = question_of(dataset)
        if question.kind != "segmentation":
            raise InputError("Quality is measured on segmentations, got a classification", remedy="name a folder with masks")
        with tempfile.TemporaryDirectory() as temporary:
            for seed in range(options.first_seed, options.first_seed + options.seeds):
                results.append(run_seed(dataset, question, seed, options, (options.work or Path(temporary)) / f"seed-{seed}"))
                print_seed(results[-1])
    except MedloopError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if options.json:
        command = " ".join([Path(sys.argv[0]).name, *(arguments or sys.argv[1:])])
        body = {"data": str(options.data), "date": datetime.now(UTC).strftime("%Y-%m-%d"), "command": command, "machine": machine()}
        options.json.write_text(json.dumps(body | {"results": results}, indent=1, default=float))
    return 0


if __name__ == "__main__":
    sys.exit(main())
