"""Does a stream keep its promise, how much does it accept, and how soon does the alarm come? The product's own path, simulated arrivals.

Every seed is a project: some patients train a model and others evaluate it, then the rest arrive in batches in a watched folder, are
imported, predicted and decided by the product, and a simulated reader reads the audit sample from the data set's masks. In the second half
the images change as another scanner would show them (`shift_cases.CHANGES`). What was accepted is held against the truth, which the
product sees of the audit sample only; intervals are Clopper and Pearson's. Then many streams are drawn from this project's own scores and
Dice: how often is the true share of bad ones above the promise, how often does the alarm come though it is kept, and after how many audited
patients where a stated share more is bad.

    nice -n 10 python benchmarks/stream.py --data ../shared/data/hippocampus --seeds 1 --json stream.json
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np

from full_data import Question, machine, question_of, read_case
from medloop.core.arrays import FloatArray
from medloop.core.errors import InputError, MedloopError
from medloop.core.image import Mask
from medloop.core.records import Case, Prediction, ProjectSettings
from medloop.core.seeds import generator
from medloop.datasets.dataset import CaseSource, Dataset
from medloop.datasets.discover import open_dataset
from medloop.images.nifti import write_image
from medloop.loop.annotating.annotations import open_case, submit
from medloop.loop.annotating.submission import Submitted
from medloop.loop.data.importing import import_dataset
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.arrays import load_proposal
from medloop.loop.foundation.disposed import dispositions
from medloop.loop.foundation.round_moves import start_training
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.judging.evaluation_cases import evaluated_cases
from medloop.loop.judging.triage import confidence_score
from medloop.loop.overview.stream_standing import stream_standing
from medloop.loop.worker import drain
from medloop.metrics.betting import first_alarm
from medloop.metrics.overlap import dice
from medloop.quality.accepting import fit_acceptance
from shift_cases import CHANGES


def clopper_pearson(bad: int, count: int) -> tuple[float, float]:
    """95 % interval of a share."""
    from scipy.stats import beta

    low = float(beta.ppf(0.025, bad, count - bad + 1)) if bad else 0.0
    high = float(beta.ppf(0.975, bad + 1, count - bad)) if bad < count else 1.0
    return low, high


def begin(dataset: Dataset, cases: Mapping[str, Sequence[CaseSource]], options: argparse.Namespace, seed: int, folder: Path) -> Workspace:
    """A project with a trained and evaluated model, whose stream is on."""
    settings = ProjectSettings(
        train_minutes=options.minutes, samples=4, train_after=0, seed=seed, stream_risk=options.risk, stream_sure=options.sure,
        stream_good=options.good, stream_hard=min(0.3, options.good), stream_audit=options.audit,
    )  # fmt: skip
    labels = list(dataset.labels or ("foreground",))
    workspace = Workspace.create(folder, name="stream", kind="segmentation", labels=labels, settings=settings)
    given = [replace(case, split=split) for split, found in cases.items() if split != "arrive" for case in found]  # type: ignore[arg-type]
    import_dataset(workspace, replace(dataset, cases=tuple(given)))
    start_training(workspace)
    drain(workspace)
    print("trained and evaluated", file=sys.stderr, flush=True)
    return workspace


def arrive(workspace: Workspace, cases: Sequence[CaseSource], question: Question, kind: str, watch: Path) -> dict[str, Mask]:
    """A batch comes into a folder, is taken in and decided, and its audit sample is read; name → truth."""
    watch.mkdir()
    truths: dict[str, Mask] = {}
    for n, source in enumerate(cases):
        image, truth = read_case(source, question)
        assert isinstance(truth, Mask)
        name = f"{watch.name}-{n:03d}"
        write_image(watch / f"{name}.nii.gz", CHANGES[kind](image, generator(n, "stream", name)) if kind else image)
        truths[name] = truth
    import_dataset(workspace, watch, annotations="none")
    drain(workspace)
    reader = annotator_named(workspace, "reader")
    with workspace.store.read() as tx:
        audit = tx.find(Case, where={"name": list(truths), "split": "audit"})
    for case in audit:
        submit(workspace, open_case(workspace, case.id, reader.id).assignment.id, Submitted(mask=truths[case.name].array))
    drain(workspace)
    print(f"{watch.name}: {len(truths)} decided, {len(audit)} read", file=sys.stderr, flush=True)
    return truths


def truth_of(workspace: Workspace, truths: Mapping[str, Mask]) -> dict[str, tuple[float, float]]:
    """Name → score that decides, and true mean Dice, of every case that arrived."""
    values, found = workspace.task.mask_values, dict[str, tuple[float, float]]()
    with workspace.store.read() as tx:
        cases = {case.id: case for case in tx.find(Case, where={"name": list(truths)})}
        seen = tx.find(Prediction, where={"case_id": list(cases)})
    for prediction in seen:
        case = cases[prediction.case_id]
        scores = dice(load_proposal(workspace.store.blobs, prediction, case), truths[case.name].array, values)
        found[case.name] = confidence_score(prediction), float(np.mean(list(scores.values())))
    return found


def summary(workspace: Workspace, truth: Mapping[str, tuple[float, float]], good: float) -> dict[str, Any]:
    """What was decided of some cases, and how many of the accepted are bad."""
    with workspace.store.read() as tx:
        decided = {tx.get(Case, i).name: one.decision for i, one in dispositions(tx).items()}
    mine = {name: decided[name] for name in truth if name in decided}
    accepted = [name for name, decision in mine.items() if decision == "accepted"]
    bad = sum(truth[name][1] < good for name in accepted)
    counts = {decision: sum(one == decision for one in mine.values()) for decision in ("accepted", "deferred", "second reader")}
    interval = clopper_pearson(bad, len(accepted)) if accepted else None
    return {"cases": len(truth), "bad_of_all": sum(score < good for _, score in truth.values()), **counts, "bad": bad, "interval": interval}


def drawn(scores: FloatArray, bad: FloatArray, options: argparse.Namespace, seed: int) -> dict[str, float | None]:
    """Streams drawn from one population, with replacement: broken promises, false alarms and the delay of the alarm."""
    broken, accepting, coverage, false, delays = 0, 0, list[float](), 0, list[float]()
    for n in range(options.draws):
        rng = generator(seed, "stream", n)
        judged = rng.integers(len(scores), size=options.evaluated)
        rule = fit_acceptance(scores[judged], bad[judged], list(range(options.evaluated)), risk=options.risk, sure=options.sure)
        if rule.above == inf:
            continue
        accepting += 1
        taken = scores > rule.above
        share = float(bad[taken].mean()) if taken.any() else 0.0
        broken += share > options.risk
        coverage.append(float(taken.mean()))
        false += share <= options.risk and first_alarm((rng.random(300) < share).astype(float), options.risk) is not None
        delay = first_alarm((rng.random(2000) < options.risk + options.worse).astype(float), options.risk)
        delays.append(float(delay) if delay else inf)
    return {
        "accepting": accepting / options.draws,
        "broken": broken / options.draws,
        "coverage": float(np.mean(coverage)) if coverage else None,
        "false_alarms": false / accepting if accepting else None,
        "delay_median": float(np.median(delays)) if delays else None,
    }


def run_seed(options: argparse.Namespace, seed: int, folder: Path) -> dict[str, Any]:
    """One project, and the streams that are drawn from what it saw."""
    dataset = open_dataset(options.data)
    question, labelled = question_of(dataset), [case for case in dataset.cases if case.labelled]
    order = [labelled[n] for n in generator(seed, "stream", "cases").permutation(len(labelled))]
    first, second = options.training, options.training + options.evaluated
    parts = {"train": order[:first], "test": order[first:second], "arrive": order[second : second + 2 * options.arriving]}
    if len(parts["arrive"]) < 2 * options.arriving:
        raise InputError(f"Too few cases: {len(labelled)}", remedy="give fewer --training, --evaluated, --arriving")
    with begin(dataset, parts, options, seed, folder / "p") as workspace:
        usual, changed = parts["arrive"][: options.arriving], parts["arrive"][options.arriving :]
        before, after = dict[str, Mask](), dict[str, Mask]()
        alarmed: int | None = None
        for n in range(0, options.arriving, options.batch):
            before |= arrive(workspace, usual[n : n + options.batch], question, "", folder / f"usual{n:03d}")
        for n in range(0, options.arriving, options.batch):
            after |= arrive(workspace, changed[n : n + options.batch], question, options.change, folder / f"changed{n:03d}")
            if stream_standing(workspace).alarm and alarmed is None:
                alarmed = n + options.batch
        with workspace.store.read() as tx:
            live = tx.live_model()
            judged = evaluated_cases(tx, live.id) if live else []
        truth = truth_of(workspace, before)
        pairs = [*((confidence_score(c.prediction), c.truth) for c in judged if c.split == "test"), *truth.values()]
        scores, true = np.array([score for score, _ in pairs]), np.array([value for _, value in pairs])
        return {
            "seed": seed,
            "words": stream_standing(workspace).words,
            "usual": summary(workspace, truth, options.good),
            "changed": summary(workspace, truth_of(workspace, after), options.good),
            "alarm_after_changed_cases": alarmed,
            "drawn": drawn(scores, (true < options.good).astype(float), options, seed),
        }


def print_seed(found: Mapping[str, Any], options: argparse.Namespace) -> None:
    """A line for each half, and one for the drawn streams."""
    print(f"seed {found['seed']}: {'; '.join(found['words'])}")
    for kind in ("usual", "changed"):
        row = found[kind]
        low, high = row["interval"] or (float("nan"), float("nan"))
        share = f"{row['bad']} bad of {row['accepted']} ({low:.1%} to {high:.1%}), promised {options.risk:.0%}"
        print(f"{kind:<8} {row['cases']} cases, {row['bad_of_all']} bad: accepted {row['accepted'] / row['cases']:.0%}, {share}; {row}")
    print(f"alarm after {found['alarm_after_changed_cases']} changed cases; drawn streams: {found['drawn']}")


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="data set with annotated masks")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--minutes", type=float, default=0.5, help="minutes of training")
    parser.add_argument("--training", type=int, default=20, help="cases to learn from")
    parser.add_argument("--evaluated", type=int, default=60)
    parser.add_argument("--arriving", type=int, default=40, help="cases of each half")
    parser.add_argument("--batch", type=int, default=20)
    parser.add_argument("--change", choices=sorted(CHANGES), default="contrast")
    parser.add_argument("--risk", type=float, default=0.1)
    parser.add_argument("--sure", type=float, default=0.9)
    parser.add_argument("--good", type=float, default=0.7)
    parser.add_argument("--audit", type=float, default=0.2)
    parser.add_argument("--worse", type=float, default=0.2, help="so much more than promised is bad where the alarm's delay is measured")
    parser.add_argument("--draws", type=int, default=300)
    parser.add_argument("--json", type=Path)
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run and print; the exit status."""
    options = parse(arguments)
    found = []
    try:
        for seed in options.seeds:
            with tempfile.TemporaryDirectory() as folder:
                found.append(run_seed(options, seed, Path(folder)))
            print_seed(found[-1], options)
    except MedloopError as error:
        print(f"stream.py: {error}", file=sys.stderr)
        return 1
    if options.json:
        plain = {name: str(value) if isinstance(value, Path) else value for name, value in vars(options).items()}
        options.json.write_text(json.dumps({"options": plain, "machine": machine(), "seeds": found}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
