"""Is another scanner noticed, and what does triage promise of its cases? Power, false alarms, bad accepted with and without the check.

The product's folded recipe learns from some patients for a CPU minute; the others are held out, as they are and as four simulated scanners
would show them (`shift_cases.CHANGES`). From the held-out patients, again and again at random, some are evaluated and others come in. A
false alarm is a drift verdict for unchanged cases; power is that for changed ones; cases outside are counted by their own p. Triage is
fitted on the evaluated ones; of a pool that is half changed, the share of all that is accepted though it is bad is held against the risk.

    nice -n 10 python benchmarks/shift.py --data ../shared/data/hippocampus --seeds 1 --json shift.json
    python benchmarks/shift.py --data ../shared/data/acdc_cardiac --between ED,ES     # two kinds of the files' own, by their names
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np

from full_data import machine, question_of
from medloop.core.arrays import FloatArray
from medloop.core.errors import InputError, MedloopError
from medloop.core.seeds import generator
from medloop.datasets.dataset import CaseSource
from medloop.datasets.discover import open_dataset
from medloop.images.appearance import PER_CHANNEL, scale_free
from medloop.metrics.drift import LEVEL
from medloop.metrics.outlying import conformal_p, fit_distances, is_outside
from medloop.metrics.two_sample import classifier_test, holm, ks_test, mmd_test, two_sides
from medloop.quality.deferral import fit_deferral
from medloop.quality.triage import GOOD_DICE
from shift_cases import Looked, Seen, see

PERMUTATIONS = 199


def embeddings(cases: Sequence[Looked]) -> FloatArray:
    """Shape (cases, dimensions)."""
    return np.stack([case.embedding for case in cases])


def unit_free(cases: Sequence[Looked]) -> FloatArray:
    """Appearance without units, shape (cases, numbers)."""
    looks = np.stack([case.looks for case in cases])
    return looks[:, scale_free((looks.shape[1] - 6) // PER_CHANNEL)]


def drift_p(reference: Sequence[Looked], new: Sequence[Looked], rng: np.random.Generator) -> dict[str, float]:
    """Holm-corrected p-values of the report's tests without annotations; medians over patients are left out, one case each."""
    patients, incoming = [c.patient for c in reference], [c.patient for c in new]
    seen = two_sides(embeddings(reference), embeddings(new), patients, incoming)
    both = [np.concatenate([embeddings(side), unit_free(side)], axis=1) for side in (reference, new)]
    told = two_sides(both[0], both[1], patients, incoming)
    before, after = (np.stack([c.looks for c in side]) for side in (reference, new))
    intensities = min(holm([ks_test(before[:, n], after[:, n]).p for n in range(before.shape[1])]))
    raised = holm([mmd_test(seen, rng, permutations=PERMUTATIONS).p, classifier_test(told, rng, permutations=PERMUTATIONS).p, intensities])
    return dict(zip(("embedding", "classifier", "intensities"), raised, strict=True))


def outside(training: Sequence[Looked], held: Sequence[Looked], new: Sequence[Looked]) -> Any:
    """Which new cases lie outside, as the product decides it."""
    pairs = []
    for numbers in (embeddings, unit_free):
        far = fit_distances(numbers(training))
        pairs.append((far(numbers(held)), far(numbers(new))))
    patients = [c.patient for c in held]
    p_values = conformal_p(np.stack([new for _, new in pairs], axis=1), np.stack([known for known, _ in pairs], axis=1), patients)
    return is_outside(p_values, len(set(patients)))


def one_draw(seen: Seen, kind: str, rng: np.random.Generator, options: argparse.Namespace) -> dict[str, Any]:
    """One project: some patients evaluated, others of a kind coming in, and a pool of which half is of that kind."""
    usual = next(iter(seen.held_out))
    patients = sorted({c.patient for c in seen.held_out[usual]})
    order = [patients[n] for n in rng.permutation(len(patients))]
    judged, coming = set(order[: options.evaluated]), set(order[options.evaluated : options.evaluated + options.incoming])
    held = [c for c in seen.held_out[usual] if c.patient in judged]
    new = [c for c in seen.held_out[kind] if c.patient in coming]
    p_values = drift_p(held, new, rng)
    drifted = min(p_values["embedding"], p_values["classifier"]) <= LEVEL
    half = set(sorted(coming)[::2])
    pool = [c for c in new if c.patient in half] + [c for c in seen.held_out[usual] if c.patient in coming - half]
    is_new = np.array([n < sum(c.patient in half for c in new) for n in range(len(pool))])
    rule = fit_deferral([c.agreement for c in held], [c.truth for c in held], risk=options.risk, good=GOOD_DICE, hard=0.5)
    accepted = rule.accept.accepts([c.agreement for c in pool])
    out, bad = outside(seen.training, held, pool), np.array([c.truth < GOOD_DICE for c in pool])
    return {
        "drift": drifted,
        "images": p_values["intensities"] <= LEVEL,
        "outside": float(outside(seen.training, held, new).mean()),
        "accepted": float(accepted.mean()),
        "bad_accepted": float((accepted & bad).mean()),
        "accepted_checked": float((accepted & ~out).mean()),
        "bad_accepted_checked": float((accepted & ~out & bad).mean()),
        "bad_accepted_grouped": float((accepted & ~out & bad & ~(is_new & drifted)).mean()),
    }


def parts_of(cases: Sequence[CaseSource], between: str, options: argparse.Namespace, seed: int) -> tuple[list[CaseSource], Any]:
    """Training cases, and held-out ones by kind; kinds are words in the cases' names."""
    kinds = between.split(",") if between else [""]
    patients = sorted({case.patient for case in cases})
    order = [patients[n] for n in generator(seed, "shift", "split").permutation(len(patients))][: options.patients]
    first = set(order[: options.training])
    training = [c for c in cases if c.patient in first and kinds[0] in c.name]
    held_out = {kind: [c for c in cases if c.patient in set(order) - first and kind in c.name] for kind in kinds}
    if len(training) < 8 or any(len(found) < options.evaluated + options.incoming for found in held_out.values()):
        counts = {kind: len(found) for kind, found in held_out.items()}
        raise InputError(
            f"Too few patients: {len(training)} to learn from, held out {counts}", remedy="give fewer --training, --evaluated, --incoming"
        )
    return training, held_out


def run_seed(options: argparse.Namespace, seed: int, folder: Path) -> dict[str, Any]:
    """Train, look, and draw many projects."""
    dataset = open_dataset(options.data)
    cases = [case for case in dataset.cases if case.labelled]
    training, held_out = parts_of(cases, options.between, options, seed)
    seen = see(training, held_out, question_of(dataset), seed=seed, minutes=options.minutes, folder=folder)
    found: dict[str, Any] = {"seed": seed, "steps": seen.steps, "cpu_minutes": seen.minutes, "kinds": {}}
    for kind, looked in seen.held_out.items():
        draws = [one_draw(seen, kind, generator(seed, "shift", kind, n), options) for n in range(options.draws)]
        means = {name: float(np.mean([draw[name] for draw in draws])) for name in draws[0]}
        found["kinds"][kind or "as they are"] = {"dice": float(np.mean([c.truth for c in looked])), "cases": len(looked), **means}
    return found


def print_seed(found: Mapping[str, Any]) -> None:
    """One line for each kind."""
    print(f"seed {found['seed']}: {found['steps']} steps, {found['cpu_minutes']:.1f} CPU minutes")
    columns = ("Dice", "drift", "images", "outside", "accepted", "bad", "checked", "bad", "with groups")
    print(f"{'kind':<14}" + "".join(f"{name:>12}" for name in columns))
    shown = ("drift", "images", "outside", "accepted", "bad_accepted", "accepted_checked", "bad_accepted_checked", "bad_accepted_grouped")
    for kind, row in found["kinds"].items():
        print(f"{kind:<14}{row['dice']:>12.2f}" + "".join(f"{row[name]:>12.1%}" for name in shown))


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="data set with annotations")
    parser.add_argument("--between", default="", help="two words in the cases' names, such as ED,ES: learn from the first, meet the second")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--minutes", type=float, default=0.5, help="CPU minutes of training")
    parser.add_argument("--patients", type=int, default=70, help="at most, in all")
    parser.add_argument("--training", type=int, default=20, help="patients to learn from")
    parser.add_argument("--evaluated", type=int, default=25)
    parser.add_argument("--incoming", type=int, default=20)
    parser.add_argument("--risk", type=float, default=0.1)
    parser.add_argument("--draws", type=int, default=40, help="projects drawn for each kind")
    parser.add_argument("--json", type=Path)
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run and print; the exit status."""
    options = parse(arguments)
    try:
        found = []
        for seed in options.seeds:
            with tempfile.TemporaryDirectory() as folder:
                found.append(run_seed(options, seed, Path(folder)))
            print_seed(found[-1])
    except MedloopError as error:
        print(f"shift.py: {error}", file=sys.stderr)
        return 1
    if options.json:
        plain = {name: str(value) if isinstance(value, Path) else value for name, value in vars(options).items()}
        options.json.write_text(json.dumps({"options": plain, "machine": machine(), "seeds": found}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
