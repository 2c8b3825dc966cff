"""Does a stream keep its promise, how much does it accept, and how soon does the alarm come? The product's own path, simulated arrivals.

Every seed is a project: some patients train a model and others evaluate it, then the rest arrive in batches in a watched folder, are
imported, predicted and decided by the product, and a simulated reader reads the audit sample from the data set's masks. In the second half
the images change as another scanner would show them (`shift_cases.CHANGES`). What was accepted is held against the truth, which the
product sees of the audit sample only; intervals are Clopper and Pearson's. Then many streams are drawn from this project's own scores and
Dice: how often is the true share of bad ones above the promise, how often does the alarm come though it is kept, and after how many audited
patients where a stated share more is bad. At last the triage alone: a threshold with at most 1 % bad above it on the evaluated cases, held
against the unchanged arrivals.

Projects lie in --work and every batch is a line of --json: a run that was stopped goes on with the next batch, and whatever is there is
reported. `--quick` is a small run to try the path.

    nice -n 10 python benchmarks/stream.py --data ../shared/data/hippocampus --seeds 1 --work /tmp/stream --json stream.jsonl
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import Any, TypeAlias

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
from medloop.loop.judging.stream_audit import watch_stream
from medloop.loop.judging.triage import confidence_score
from medloop.loop.overview.stream_standing import stream_standing
from medloop.loop.querying.disposing import dispose_arrivals
from medloop.loop.worker import drain
from medloop.metrics.betting import first_alarm
from medloop.metrics.overlap import dice
from medloop.quality.accepting import fit_acceptance
from shift_cases import CHANGES

Row: TypeAlias = dict[str, Any]

DONE = "trained"
"""A file in the project's folder once its model is there."""


def clopper_pearson(bad: int, count: int) -> tuple[float, float]:
    """95 % interval of a share."""
    from scipy.stats import beta

    low = float(beta.ppf(0.025, bad, count - bad + 1)) if bad else 0.0
    high = float(beta.ppf(0.975, bad + 1, count - bad)) if bad < count else 1.0
    return low, high


def begin(options: argparse.Namespace, seed: int, folder: Path) -> Workspace:
    """A project with a trained and evaluated model, whose stream is on; the one of before where a run was stopped."""
    if (folder / DONE).exists():
        return Workspace.open(folder)
    if (begun := trained(folder)) is not None:
        return begun
    shutil.rmtree(folder, ignore_errors=True)
    settings = ProjectSettings(
        train_minutes=options.minutes, samples=2, train_after=0, seed=seed, stream_risk=options.risk, stream_sure=options.sure,
        stream_good=options.good, stream_hard=min(0.3, options.good), stream_audit=options.audit, release="gate",
    )  # fmt: skip
    dataset = open_dataset(options.data)
    labels = list(dataset.labels or ("foreground",))
    workspace = Workspace.create(folder, name="stream", kind="segmentation", labels=labels, settings=settings)
    parts = parts_of(dataset, options, seed)
    given = [replace(case, split=split) for split in ("train", "test") for case in parts[split]]  # type: ignore[arg-type]
    import_dataset(workspace, replace(dataset, cases=tuple(given)))
    start_training(workspace)
    drain(workspace)
    (folder / DONE).touch()
    tell(f"seed {seed}: trained and evaluated")
    return workspace


def trained(folder: Path) -> Workspace | None:
    """A project of a run that was stopped after its training, evaluated by now; None where there is none."""
    with suppress(MedloopError):
        workspace = Workspace.open(folder)
        with workspace.store.read() as tx:
            live = tx.live_model()
        if live is not None:
            drain(workspace)
            (folder / DONE).touch()
            return workspace
        workspace.close()
    return None


def parts_of(dataset: Dataset, options: argparse.Namespace, seed: int) -> dict[str, list[CaseSource]]:
    """Cases to learn from, to evaluate, and to arrive as they are and changed.

    Raises:
        InputError: The data set has too few.
    """
    labelled = [case for case in dataset.cases if case.labelled]
    order = [labelled[n] for n in generator(seed, "stream", "cases").permutation(len(labelled))]
    found, start = dict[str, list[CaseSource]](), 0
    wanted = {"train": options.training, "test": options.evaluated, "usual": options.arriving, "changed": options.arriving}
    for name, count in wanted.items():
        found[name], start = order[start : start + count], start + count
    if len(order) < start:
        raise InputError(f"{len(order)} annotated cases, {start} are needed", remedy="give fewer --training, --evaluated, --arriving")
    return found


def arrive(workspace: Workspace, cases: Sequence[CaseSource], question: Question, kind: str, watch: Path) -> Row:
    """A batch comes into a folder, is taken in and decided, and its audit sample is read; what is known of it."""
    watch.mkdir(exist_ok=True)
    truths: dict[str, Mask] = {}
    for n, source in enumerate(cases):
        image, truth = read_case(source, question)
        assert isinstance(truth, Mask)
        name = f"{watch.name}-{n:03d}"
        if not (watch / f"{name}.nii.gz").exists():
            write_image(watch / f"{name}.nii.gz", CHANGES[kind](image, generator(n, "stream", name)) if kind else image)
        truths[name] = truth
    import_dataset(workspace, watch, annotations="none")
    drain(workspace)
    dispose_arrivals(workspace)
    reader = annotator_named(workspace, "reader")
    with workspace.store.read() as tx:
        audit = [case for case in tx.find(Case, where={"name": list(truths), "split": "audit"}) if not tx.annotated_among([case.id])]
    for case in audit:
        submit(workspace, open_case(workspace, case.id, reader.id).assignment.id, Submitted(mask=truths[case.name].array))
    watch_stream(workspace)
    standing = stream_standing(workspace)
    tell(f"{watch.name}: {len(truths)} decided, {len(audit)} read")
    return {"cases": known_of(workspace, truths), "alarm": bool(standing.alarm), "words": list(standing.words)}


def known_of(workspace: Workspace, truths: Mapping[str, Mask]) -> dict[str, Row]:
    """Of every case that arrived, by name: its decision, the score that decides, the true mean Dice, and whether it was audited."""
    values, found = workspace.task.mask_values, dict[str, Row]()
    with workspace.store.read() as tx:
        cases = {case.id: case for case in tx.find(Case, where={"name": list(truths)})}
        seen, decided = tx.find(Prediction, where={"case_id": list(cases)}), dispositions(tx, list(cases))
    for prediction in seen:
        case = cases[prediction.case_id]
        scores = dice(load_proposal(workspace.store.blobs, prediction, case), truths[case.name].array, values)
        one = decided.get(case.id)
        found[case.name] = {
            "score": confidence_score(prediction), "dice": float(np.mean(list(scores.values()))), "audit": case.split == "audit",
            "decision": one.decision if one else "", "reason": one.reason if one else "",
        }  # fmt: skip
    return found


def run_seed(options: argparse.Namespace, seed: int, rows: list[Row]) -> None:
    """Go on with one project until all of its batches have come; each is a line of the file of rows."""
    dataset = open_dataset(options.data)
    question, parts, folder = question_of(dataset), parts_of(dataset, options, seed), options.work / f"{options.data.name}-{seed}"
    folder.mkdir(parents=True, exist_ok=True)
    batches = [(kind, n) for kind in ("usual", "changed") for n in range(0, options.arriving, options.batch)]
    left = [one for one in batches if not any((row["kind"], row["at"], row["seed"]) == (*one, seed) for row in rows)]
    with begin(options, seed, folder / "p") as workspace:
        if not any(row["kind"] == "judged" and row["seed"] == seed for row in rows):
            with workspace.store.read() as tx:
                live = tx.live_model()
                judged = evaluated_cases(tx, live.id) if live else []
            pairs = [[confidence_score(c.prediction), c.truth] for c in judged if c.split == "test"]
            keep(options, rows, {"kind": "judged", "at": 0, "seed": seed, "pairs": pairs})
        for kind, n in left:
            change = options.change if kind == "changed" else ""
            row = arrive(workspace, parts[kind][n : n + options.batch], question, change, folder / f"{kind}{n:03d}")
            keep(options, rows, {"kind": kind, "at": n, "seed": seed, **row})


def keep(options: argparse.Namespace, rows: list[Row], row: Row) -> None:
    """Add a row, also to the file."""
    row |= {"data": options.data.name}
    rows.append(row)
    if options.json:
        with options.json.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")


def kept(options: argparse.Namespace) -> list[Row]:
    """The rows of earlier runs on this data set."""
    if options.json is None or not options.json.exists():
        return []
    rows = [json.loads(line) for line in options.json.read_text(encoding="utf-8").splitlines() if line.strip()]
    return [row for row in rows if row["data"] == options.data.name]


def drawn(scores: FloatArray, bad: FloatArray, options: argparse.Namespace, seed: int) -> dict[str, float | None]:
    """Streams drawn from one population, with replacement: broken promises, false alarms and the delay of the alarm."""
    broken, accepting, coverage, false, delays = 0, 0, list[float](), 0, list[float]()
    for n in range(options.draws):
        rng = generator(seed, "stream", n)
        judged = rng.integers(len(scores), size=options.evaluated)
        rule = fit_acceptance(scores[judged], bad[judged], list(range(options.evaluated)), risk=options.risk, sure=options.sure)
        delay = first_alarm((rng.random(2000) < options.risk + options.worse).astype(float), options.risk)
        delays.append(float(delay) if delay else inf)
        if rule.above == inf:
            continue
        accepting += 1
        taken = scores > rule.above
        share = float(bad[taken].mean()) if taken.any() else 0.0
        broken += share > options.risk
        coverage.append(float(taken.mean()))
        false += share <= options.risk and first_alarm((rng.random(300) < share).astype(float), options.risk) is not None
    return {
        "accepting": accepting / options.draws,
        "broken": broken / options.draws,
        "coverage": float(np.mean(coverage)) if coverage else None,
        "false_alarms": false / accepting if accepting else None,
        "delay_median": float(np.median(delays)),
        "delay_p90": float(np.quantile(delays, 0.9)),
    }


def triage(judged: FloatArray, arrived: FloatArray, good: float) -> str:
    """The lowest score above which at most 1 % of the evaluated cases are bad, held against cases that arrived; (score, Dice) each."""
    order = judged[np.argsort(-judged[:, 0])]
    share = np.cumsum(order[:, 1] < good) / np.arange(1, len(order) + 1)
    able = np.flatnonzero(share <= 0.01)
    if not len(able):
        return "triage: no threshold has 1 % bad above it"
    taken = arrived[arrived[:, 0] >= order[able[-1], 0]]
    bad = int((taken[:, 1] < good).sum())
    return f"triage at 1 % bad: {len(taken)} of {len(arrived)} accepted ({len(taken) / len(arrived):.0%}), {share_words(bad, len(taken))}"


def share_words(bad: int, count: int) -> str:
    """So many bad ones, with an interval."""
    if not count:
        return "none accepted"
    low, high = clopper_pearson(bad, count)
    return f"{bad} bad of {count}: {bad / count:.1%} ({low:.1%} to {high:.1%})"


def report(rows: Sequence[Row], options: argparse.Namespace) -> None:
    """What came of every seed, and of all together."""
    total: dict[str, list[Row]] = {"usual": [], "changed": []}
    for seed in sorted({row["seed"] for row in rows}):
        own = sorted((row for row in rows if row["seed"] == seed), key=lambda row: (row["kind"] == "changed", row["at"]))
        for kind, found in total.items():
            cases = [case for row in own if row["kind"] == kind for case in row["cases"].values()]
            found += cases
            print(f"seed {seed}, {kind}: {counts_words(cases, options)}")
        alarms = [row["at"] + options.batch for row in own if row["kind"] == "changed" and row["alarm"]]
        early = any(row["alarm"] for row in own if row["kind"] == "usual")
        print(f"seed {seed}: alarm {f'after {alarms[0]} changed cases' if alarms else 'never'}{', before the change' if early else ''}")
        pairs = np.array([pair for row in own if row["kind"] == "judged" for pair in row["pairs"]])
        usual = np.array([(c["score"], c["dice"]) for row in own if row["kind"] == "usual" for c in row["cases"].values()])
        if len(pairs) and len(usual):
            every = np.concatenate([pairs, usual])
            print(f"seed {seed}: {triage(pairs, usual, options.good)}")
            print(f"seed {seed}, drawn streams: {drawn(every[:, 0], (every[:, 1] < options.good).astype(float), options, seed)}")
    for kind, cases in total.items():
        print(f"all, {kind}: {counts_words(cases, options)}")


def counts_words(cases: Sequence[Row], options: argparse.Namespace) -> str:
    """What was decided about cases, and how many of the accepted are bad."""
    if not cases:
        return "none arrived so far"
    bad = sum(case["dice"] < options.good for case in cases)
    accepted = [case for case in cases if case["decision"] == "accepted"]
    two = sum(case["decision"] == "second reader" for case in cases)
    shares = f"accepted {len(accepted)} ({len(accepted) / len(cases):.0%}), to two readers {two}"
    words = share_words(sum(case["dice"] < options.good for case in accepted), len(accepted))
    return f"{len(cases)} cases, {bad} bad: {shares}; {words}, promised {options.risk:.0%}"


def tell(line: str) -> None:
    """Say how far it is."""
    print(line, file=sys.stderr, flush=True)


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
    parser.add_argument("--work", type=Path, help="where the projects lie, so that a run can go on; forgotten afterwards without")
    parser.add_argument("--json", type=Path, help="a line per batch; read again by the next run")
    parser.add_argument("--quick", action="store_true", help="few cases and little training, to try the path")
    parser.add_argument("--report", action="store_true", help="only report what is there")
    options = parser.parse_args(arguments)
    if options.quick:
        vars(options).update(minutes=0.1, training=8, evaluated=24, arriving=8, batch=8, risk=0.2, sure=0.8, draws=50)
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    """Run and print; the exit status."""
    options = parse(arguments)
    rows = kept(options)
    try:
        with tempfile.TemporaryDirectory() as folder:
            options.work = options.work or Path(folder)
            for seed in () if options.report else options.seeds:
                run_seed(options, seed, rows)
    except MedloopError as error:
        print(f"stream.py: {error}", file=sys.stderr)
        return 1
    print(f"{options.data.name} on {machine()}")
    report(rows, options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
