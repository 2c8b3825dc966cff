"""How good a start slices are that were filled in between others or carried on from a neighbour, beside repeating the nearest slice.

With `--trained N` a network learns from N cases first, and what counts are answers made from its proposals: every few slices are mended by
a simulated expert (`correcting`), and those between are accepted as proposed, interpolated from the mended outlines, or
corrected as their mended neighbours were (`medloop.interaction.carrying`).

    python benchmarks/slices.py --data ../shared/data/hippocampus --seeds 1 --json slices.json
    python benchmarks/slices.py --data ../shared/data/hippocampus --seeds 2 --trained 12 --json mended.json
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
sys.path.insert(0, str(Path(__file__).parent))

import numpy as np

from correcting import UNKNOWN, mend_slices
from full_data import Question, machine, question_of, read_case, split
from medloop.core.errors import MedloopError
from medloop.core.image import Mask
from medloop.core.seeds import generator
from medloop.datasets.dataset import CaseSource
from medloop.datasets.discover import open_dataset
from medloop.interaction.carrying import carry_corrections
from medloop.interaction.interpolate import interpolate_slices, propagate_slice
from medloop.interaction.simulated_users.effort import EffortModel
from medloop.metrics.intervals import bootstrap_mean, interval_words
from medloop.metrics.overlap import dice
from review import proposals

GAPS = (2, 3, 4, 6)
MENDED_GAPS = (3, 4, 5, 6, 8)


def measure(case: CaseSource, question: Question) -> dict[str, float]:
    """Dice of every way to come by slices, mean over the labels of the case."""
    image, truth = read_case(case, question)
    if not isinstance(truth, Mask):
        raise SystemExit("error: slices need masks, this data set has classes")
    axis, mask, labels = image.grid.paging_axis, truth.array, range(1, question.classes)
    size, found = mask.shape[axis], {}

    def score(made: Any, first: int, last: int) -> float:
        span = range(first, last + 1)
        return float(np.mean(list(dice(np.take(made, span, axis=axis), np.take(mask, span, axis=axis), labels).values())))

    def filled_in(done: Sequence[int]) -> Any:
        kept = mask * np.isin(np.arange(size), done).reshape([-1 if a == axis else 1 for a in range(3)]).astype(np.uint8)
        for label in labels:
            kept = interpolate_slices(kept, axis=axis, answered=done, label=label, spacing_mm=image.grid.spacing_mm)
        return kept

    def carried_on(n: int) -> Any:
        made = np.zeros_like(mask)
        np.moveaxis(made, axis, 0)[n] = np.take(mask, n, axis=axis)
        for label in labels:
            if (np.take(mask, n, axis=axis) == label).any():
                made = propagate_slice(image, made, axis=axis, source=n, target=n + 1, label=label)
        return np.take(made, n + 1, axis=axis)

    for gap in GAPS:
        done = list(range(0, size, gap))
        nearest = [min(done, key=lambda d, n=n: abs(d - n)) for n in range(size)]  # type: ignore[misc]
        found[f"every {gap}. slice, filled in"] = score(filled_in(done), 0, done[-1])
        found[f"every {gap}. slice, nearest repeated"] = score(np.take(mask, nearest, axis=axis), 0, done[-1])
    carried = [carried_on(n) for n in range(size - 1)]
    first = np.zeros_like(np.take(mask, 0, axis=axis))
    found["carried on from the neighbour"] = score(np.stack([first, *carried], axis=axis), 1, size - 1)
    found["copied from the neighbour"] = score(np.take(mask, [0, *range(size - 1)], axis=axis), 1, size - 1)
    return found


def measure_mended(question: Question, seed: int, training: Sequence[CaseSource], unseen: Sequence[CaseSource], options: Any) -> list[Any]:
    """(patient, Dice of every way to make an answer of a proposal, and minutes) of cases that a network trained here has not seen."""
    found = []
    for case, (proposed, axis) in zip(unseen, proposals(training, unseen, question, seed, options), strict=True):
        spacing_mm = read_case(case, question)[0].grid.spacing_mm
        found.append((case.patient, mended_scores(proposed.proposal, proposed.truth, axis, spacing_mm, range(1, question.classes))))
    return found


def mended_scores(proposal: Any, truth: Any, axis: int, spacing_mm: Sequence[float], labels: Sequence[int]) -> dict[str, float]:
    """Dice of a proposal, and of the answers that mending every few slices makes of it."""
    effort, every = EffortModel(), list(range(truth.shape[axis]))

    def score(made: Any) -> float:
        return float(np.mean(list(dice(made, truth, labels).values())))

    found = {"proposal": score(proposal)}
    for gap in MENDED_GAPS:
        slices = every[gap // 2 :: gap]
        given = mend_slices(proposal, truth, axis, slices, effort)
        shaped = np.where(given.mask == UNKNOWN, np.uint8(0), given.mask)
        for label in labels:
            shaped = interpolate_slices(shaped, axis=axis, answered=slices, label=label, spacing_mm=spacing_mm)
        np.moveaxis(shaped, axis, 0)[: slices[0]] = np.moveaxis(proposal, axis, 0)[: slices[0]]
        np.moveaxis(shaped, axis, 0)[slices[-1] + 1 :] = np.moveaxis(proposal, axis, 0)[slices[-1] + 1 :]
        carried = carry_corrections(proposal, given.whole, axis=axis, answered=dict.fromkeys(labels, slices), spacing_mm=spacing_mm)
        ways = {"accepted": given.whole, "interpolated": shaped, "corrected": carried}
        found |= {f"every {gap}. slice mended, others {way}": score(made) for way, made in ways.items()}
        found[f"every {gap}. slice mended, minutes"] = given.seconds / 60
    return found


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="a Decathlon folder, images/ + masks/ folder, or CSV with 3D images")
    parser.add_argument("--seeds", type=int, default=1, help="number of seeds: each draws its own cases")
    parser.add_argument("--json", type=Path, help="where to write everything measured")
    parser.add_argument("--cases", type=int, default=40, help="cases drawn per seed")
    parser.add_argument("--trained", type=int, default=0, help="cases a network learns from first, to mend its proposals; 0 measures masks")
    parser.add_argument("--steps", type=int, default=250, help="training steps of that network")
    parser.add_argument("--samples", type=int, default=2, help="answers of the network averaged into a proposal")
    return parser.parse_args(arguments)


def measure_seed(
    labelled: Sequence[CaseSource], question: Question, seed: int, options: argparse.Namespace
) -> list[tuple[str, dict[str, float]]]:
    """(patient, scores) of the cases drawn for a seed."""
    if options.trained:
        training, unseen = split(labelled, seed)
        learned = [training[n] for n in generator(seed, "training").permutation(len(training))[: options.trained]]
        return measure_mended(question, seed, learned, unseen[: options.cases], options)
    drawn = [labelled[n] for n in generator(seed, "slices").permutation(len(labelled))[: options.cases]]
    return [(case.patient, measure(case, question)) for case in drawn]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the table, write the JSON."""
    options = parse(arguments)
    try:
        dataset = open_dataset(options.data)
        question = question_of(dataset)
        labelled = [case for case in dataset.cases if case.labelled]
        scores = [found for seed in range(options.seeds) for found in measure_seed(labelled, question, seed, options)]
    except MedloopError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    table = {}
    print("| way | Dice (or minutes) | 95 % interval |\n| --- | --- | --- |")
    for name in scores[0][1]:
        found = bootstrap_mean([score[name] for _, score in scores], [patient for patient, _ in scores], generator(0, "bootstrap", name))
        table[name] = {"mean": found.mean, "low": found.low, "high": found.high}
        print(f"| {name} | {found.mean:.3f} | {interval_words(found)} |")
    if options.json:
        settings = {name: str(value) for name, value in vars(options).items()}
        options.json.write_text(json.dumps({"table": table, "options": settings, "machine": machine(), "cases": scores}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
