"""The built-in networks against nnU-Net: one project, the same annotations, equal CPU time, Dice on the same evaluation patients.

A quarter of the patients of each set is held out, always the same ones, and `--labels` of the others have one annotated case each.
nnU-Net learns first, for `--steps` iterations of its own; planning and preprocessing count. Then the built-in networks learn for as many
steps as fit into the same CPU time, timed on a short training of the same project. Both are settings of the product (`learner`), one fold
or network, one thread; what is timed is the job `train`, with all its processes. Every run is a line of the `--json` file; one that is
there is not run again. Needs an environment with nnU-Net (docs/nnunet.md).

    MEDLOOP_NNUNET_PYTHON=~/nnunet/bin/python python benchmarks/learners.py --data ../shared/data --seeds 2 --steps 20 --json learners.jsonl
"""

import argparse
import hashlib
import json
import os
import resource
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np

from medloop.core.errors import MedloopError
from medloop.core.records import Evaluation, Job, JobState, Model, ProjectSettings, Source
from medloop.loop.data.cases import Incoming, NewCase, add_case
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.configuring import configure
from medloop.loop.foundation.round_moves import start_training
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.worker import run_job
from semi_supervised import Split, difference, read_rows, read_set, split

SETS = ("hippocampus", "acdc_cardiac")
LEARNERS = ("nnunet", "builtin")
PILOT_STEPS = 50


def cpu_seconds() -> float:
    """Processor time of this process and of all that it has waited for."""
    spent = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in spent)


def project(folder: Path, cases: Split, classes: int, seed: int) -> Workspace:
    """A project with the annotated cases to learn from, and the tested ones as evaluation patients."""
    settings = ProjectSettings(strategy="random", train_after=0, audit_fraction=0.0, samples=4, seed=seed)
    labels = [f"label {value}" for value in range(1, classes)]
    workspace = Workspace.create(folder, name="learners", kind="segmentation", labels=labels, settings=settings)
    person = annotator_named(workspace, "reference", program=True)
    for part, items in (("train", cases.annotated), ("test", cases.tested)):
        for item in items:
            image, mask = item.load()
            digest = hashlib.sha256(image.array.tobytes()).hexdigest()
            source = Source(format="nifti", names=(item.name,), sha256=digest)
            new = NewCase(name=f"{part} {item.name}", patient=f"{part} {item.patient}", split=part, source=source)
            add_case(workspace, image, new, Incoming(mask, person))
    return workspace


def trained(workspace: Workspace, **settings: Any) -> tuple[Model, float]:
    """The model that a training makes, and its CPU seconds.

    Raises:
        MedloopError: The training failed.
    """
    configure(workspace, settings=settings)
    workspace = workspace.reload()
    asked = start_training(workspace, again=True, actor="benchmark")
    begun = cpu_seconds()
    ended = _run(workspace, asked)
    spent = cpu_seconds() - begun
    return workspace.store.get(Model, ended.result["model_id"]), spent


def _run(workspace: Workspace, wanted: Job) -> Job:
    """Run a job, and only it of those that wait."""
    for other in workspace.store.jobs.list(JobState.QUEUED):
        if other.id != wanted.id:
            workspace.store.jobs.cancel(other.id)
    claimed = workspace.store.jobs.claim("benchmark")
    if claimed is None:
        raise MedloopError("The job must wait in the queue, it does not")
    run_job(workspace, claimed)
    ended = workspace.store.jobs.get(wanted.id)
    if ended.state != JobState.DONE:
        raise MedloopError(f"The job {ended.kind} failed: {ended.error}")
    return ended


def dices(workspace: Workspace, model: Model) -> list[float]:
    """Mean Dice of each evaluation case, by the product's own evaluation, in the order of their names."""
    from medloop.loop.foundation.follow_up import request_evaluation_of

    request_evaluation_of(workspace, model)
    (waiting,) = [job for job in workspace.store.jobs.list(JobState.QUEUED) if job.kind == "evaluate"]
    _run(workspace, waiting)
    with workspace.store.read() as tx:
        found = [one for one in tx.find(Evaluation) if one.model_id == model.id and one.split == "test"][-1]
    return [round(float(np.mean(list(found.per_case[case].values()))), 4) for case in sorted(found.per_case)]


def compare(name: str, seed: int, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Both learners on one project."""
    items, classes = read_set(name, options.data)
    cases = split(items, options.labels, seed)
    cases = Split(cases.annotated, [], cases.tested[: options.tested])
    known = {"dataset": name, "seed": seed, "labels": options.labels, "tested": len(cases.tested)}
    with tempfile.TemporaryDirectory() as place, project(Path(place) / "project", cases, classes, seed) as workspace:
        theirs, budget = trained(workspace, learner="nnunet", train_steps=options.steps)
        rows = [_row(known, "nnunet", workspace, theirs, budget)]
        _, short = trained(workspace, learner="builtin", train_steps=PILOT_STEPS, train_minutes=max(0.05, budget / 60))
        _, longer = trained(workspace, train_steps=2 * PILOT_STEPS)
        per_step = max(1e-3, (longer - short) / PILOT_STEPS)
        steps = max(PILOT_STEPS, round((budget - (short - PILOT_STEPS * per_step)) / per_step))
        ours, spent = trained(workspace, train_steps=steps)
        return [*rows, _row(known, "builtin", workspace, ours, spent)]


def _row(known: Mapping[str, Any], learner: str, workspace: Workspace, model: Model, spent: float) -> dict[str, Any]:
    facts = {"learner": learner, "steps": model.metrics["steps"], "cpu_seconds": round(spent, 1)}
    return {**known, **facts, "dice": dices(workspace, model)}


def print_table(rows: Sequence[Mapping[str, Any]]) -> None:
    """One line per set and learner, and the difference over seeds and cases."""
    for name in dict.fromkeys(row["dataset"] for row in rows):
        own = [row for row in rows if row["dataset"] == name]
        for learner in LEARNERS:
            of = [row for row in own if row["learner"] == learner]
            if of:
                mean, minutes = np.mean([row["dice"] for row in of]), np.mean([row["cpu_seconds"] for row in of]) / 60
                steps = ", ".join(str(row["steps"]) for row in of)
                print(f"{name} {learner}: Dice {mean:.4f}, {minutes:.1f} CPU minutes, steps {steps}, {len(of)} seeds")
        both = [[row["dice"] for row in own if row["learner"] == learner] for learner in LEARNERS]
        if both[0] and len(both[0]) == len(both[1]):
            mean, low, high = difference(both[1], both[0])
            print(f"{name} built-in less nnU-Net: {mean:+.4f} ({low:+.4f} to {high:+.4f})")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--datasets", default=",".join(SETS))
    parser.add_argument("--labels", type=int, default=8)
    parser.add_argument("--tested", type=int, default=20)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--json", type=Path, required=True)
    options = parser.parse_args(arguments)
    for seed in range(options.seeds):
        for name in options.datasets.split(","):
            done = read_rows(options.json)
            if any(row["dataset"] == name and row["seed"] == seed and row["labels"] == options.labels for row in done):
                continue
            with options.json.open("a") as file:
                for row in compare(name, seed, options):
                    print(json.dumps(row), file=sys.stderr)
                    file.write(json.dumps(row) + "\n")
    print_table(read_rows(options.json))
    return 0


if __name__ == "__main__":
    sys.exit(main())
