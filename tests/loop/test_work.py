import dataclasses
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from medloop.core.errors import MedloopError
from medloop.core.records import Case, Evaluation, Job, Model, Prediction, Round, Snapshot
from medloop.core.states import RoundState
from medloop.loop.annotating.annotations import next_assignment, submit
from medloop.loop.annotating.submission import Submitted
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.arrays import load_image, load_proposal
from medloop.loop.foundation.configuring import configure
from medloop.loop.foundation.round_moves import start_training
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.overview.progress import progress
from medloop.loop.overview.report import report_html
from medloop.loop.worker import drain, run_job
from medloop.store.jobs import JobQueue

from .conftest import FAST, MakeWorkspace
from .made_up import add_answer, case_named


@pytest.fixture
def trained(make_workspace: MakeWorkspace) -> Workspace:
    """Two answered training cases, three with truth for the test, three unanswered; one model."""
    workspace = make_workspace(["train", "train", "test", "test", "test", "train", "train", "train"], labelled=5)
    start_training(workspace)
    drain(workspace)
    return workspace


def test_a_training_makes_a_model_predicts_the_pool_judges_and_prepares_the_next_query(trained: Workspace) -> None:
    with trained.store.read() as tx:
        model = tx.live_model()
        assert model is not None
        predicted = {tx.get(Case, p.case_id).name for p in tx.latest_predictions(model.id)}
        (evaluation,) = tx.find(Evaluation)
        (prepared,) = tx.find(Round)
    assert predicted == {f"case{n:02d}" for n in range(8)}  # the two answered ones too, to be shown as like cases
    assert evaluation.split == "test"
    assert evaluation.labelled_cases == 2
    assert (evaluation.low, evaluation.high) == (None, None)  # three patients say nothing about how much patients vary
    assert prepared.state == RoundState.QUERYING
    assert model.metrics["steps"] == FAST.train_steps


def test_a_proposal_lies_on_its_cases_grid_and_uses_known_labels(trained: Workspace) -> None:
    ann = annotator_named(trained, "Ann")
    opened = next_assignment(trained, ann.id)
    assert opened is not None
    assert opened.prediction is not None
    proposal = load_proposal(trained.store.blobs, opened.prediction, opened.case)
    assert proposal.shape == load_image(trained.store.blobs, opened.case).grid.shape
    assert set(np.unique(proposal)) <= {0, 1, 2}
    assert 0.0 <= opened.prediction.scores["agreement"] <= 1.0


def test_expected_quality_is_unknown_until_enough_cases_are_evaluated(trained: Workspace) -> None:
    with trained.store.read() as tx:
        assert {p.quality for p in tx.find(Prediction)} == {None}


def test_a_second_round_grows_the_curve_and_closes(trained: Workspace) -> None:
    ann = annotator_named(trained, "Ann")
    for _ in range(2):
        opened = next_assignment(trained, ann.id)
        assert opened is not None
        submit(trained, opened.assignment.id, Submitted(effort_seconds=30.0))
    drain(trained)
    made = progress(trained)
    assert [p.labelled_cases for p in made.curve] == [2, 4]
    assert made.curve[1].effort_minutes == pytest.approx(1.0)
    assert made.labels_per_hour == pytest.approx(120.0)
    assert made.rounds[0].state == "closed"
    assert made.rounds[0].annotated == 2
    assert "Learning curve" in report_html(trained)


def test_the_answers_of_a_model_are_frozen_by_content(trained: Workspace) -> None:
    with trained.store.read() as tx:
        (snapshot,) = tx.find(Snapshot)
    assert len(snapshot.annotation_ids) == 2
    assert len(snapshot.digest) == 64


def test_the_same_answers_train_the_same_weights(make_workspace: MakeWorkspace) -> None:
    weights = []
    for name in ("first", "second"):
        workspace = make_workspace(["train", "train"], labelled=2, name=name)
        start_training(workspace)
        drain(workspace)
        with workspace.store.read() as tx:
            weights.append([m.weights for m in tx.find(Model)])
    assert weights[0] == weights[1]


def test_too_few_answers_end_the_job_with_a_reason(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train", "train"], labelled=1)
    job = start_training(workspace)
    drain(workspace)
    assert "at least 2" in workspace.store.jobs.get(job.id).result["message"]


def test_an_unknown_kind_of_job_fails_with_a_remedy_and_the_worker_lives(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"])
    workspace.store.jobs.enqueue("juggle", {})
    with pytest.raises(MedloopError, match="juggle"):
        drain(workspace)


def test_a_cancelled_training_stops_and_makes_no_model(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train", "train"], labelled=2, settings=dataclasses.replace(FAST, train_steps=5000))
    queued = start_training(workspace)
    job = workspace.store.jobs.claim("tester")
    assert job is not None
    workspace.store.jobs.cancel(queued.id)
    run_job(workspace, job)
    with workspace.store.read() as tx:
        assert tx.count(Model) == 0
    assert workspace.store.jobs.get(queued.id).state == "cancelled"


def test_a_worker_told_to_stop_gives_its_job_back(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train", "train"], labelled=2, settings=dataclasses.replace(FAST, train_steps=5000))
    queued = start_training(workspace)
    job = workspace.store.jobs.claim("tester")
    assert job is not None
    run_job(workspace, job, stop=lambda: True)
    assert workspace.store.jobs.get(queued.id).state == "queued"


WORKER = """
import sys
from pathlib import Path
from medloop.server.processes.worker import work
work(Path(sys.argv[1]), sys.argv[2], lambda: False)
"""


def start_worker(folder: Path, owner: str) -> "subprocess.Popen[bytes]":
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen([sys.executable, "-c", WORKER, str(folder), owner], env=environment)


def wait_until_progress(workspace: Workspace, job_id: str, least: float) -> None:
    for _ in range(4000):
        job = workspace.store.jobs.get(job_id)
        if job.progress >= least or job.state in ("done", "failed"):
            return
        os.sched_yield()
        signal.sigtimedwait([], 0.02)
    pytest.fail(f"the job made no progress: {job}")


def claim_from_the_dead(workspace: Workspace) -> Job | None:
    """What another worker gets that has watched the silent job for an hour by its clock."""
    seconds = [0.0]
    queue = JobQueue(workspace.store.database, clock=lambda: seconds[0])
    assert queue.claim("second") is None
    seconds[0] = 3600.0
    return queue.claim("second")


def test_a_killed_worker_loses_nothing_and_its_training_goes_on(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train", "train"], labelled=2, settings=dataclasses.replace(FAST, train_steps=60))
    job = start_training(workspace)
    worker = start_worker(workspace.folder, "first")
    try:
        wait_until_progress(workspace, job.id, 0.2)
    finally:
        worker.send_signal(signal.SIGKILL)
        worker.wait()
    again = claim_from_the_dead(workspace)
    assert again is not None
    assert again.id == job.id
    run_job(workspace, again)
    with workspace.store.read() as tx:
        models = tx.find(Model)
    assert len(models) == 1
    assert models[0].metrics["steps"] == 60


KILLED = """
import os, signal, sys
from pathlib import Path
from medloop.loop.learning.decisions import TrainingPlan
from medloop.server.processes.worker import work
decide = TrainingPlan.decide
def until(plan, name, make):
    if name == sys.argv[2]:
        os.kill(os.getpid(), signal.SIGKILL)
    return decide(plan, name, make)
TrainingPlan.decide = until
work(Path(sys.argv[1]), "first", lambda: False)
"""


@pytest.mark.parametrize("before", ["learned", "validation"])
def test_a_training_killed_between_two_decisions_goes_on_with_those_it_had_made(make_workspace: MakeWorkspace, before: str) -> None:
    workspace = make_workspace(["train"] * 6, labelled=3, settings=dataclasses.replace(FAST, warm_start="replay"))
    start_training(workspace)
    drain(workspace)
    ann = annotator_named(workspace, "Ann")
    add_answer(workspace, ann, case_named(workspace, "case03"))
    job = start_training(workspace)
    killed = subprocess.run([sys.executable, "-c", KILLED, str(workspace.folder), before], env=os.environ | {"OMP_NUM_THREADS": "1"})
    assert killed.returncode == -signal.SIGKILL
    decided = json.loads((workspace.work_folder / job.id / "plan.json").read_text())
    assert before not in decided
    assert {"project", "snapshot", "parent"} <= decided.keys()
    add_answer(workspace, ann, case_named(workspace, "case04"))
    configure(workspace, settings={"warm_start": "scratch", "train_steps": 9})
    again = claim_from_the_dead(workspace)
    assert again is not None
    assert again.id == job.id
    run_job(workspace.reload(), again)
    with workspace.store.read() as tx:
        first, second = tx.find(Model, order=("index",))
    assert second.snapshot_id == decided["snapshot"]["snapshot_id"]
    assert second.metrics["parent"] == decided["parent"]["model_id"] == first.id
    assert second.metrics["learned"] == decided.get("learned", second.metrics["learned"])
    assert (len(second.metrics["learned"]), second.metrics["steps"]) == (2, FAST.train_steps)


def test_predicting_again_adds_nothing(trained: Workspace) -> None:
    with trained.store.read() as tx:
        model, before = tx.live_model(), tx.count(Prediction)
    assert model is not None
    trained.store.jobs.enqueue("predict", {"model_id": model.id, "scope": "pool"})
    drain(trained)
    with trained.store.read() as tx:
        assert tx.count(Prediction) == before


def test_a_warm_start_goes_on_from_the_newest_model(make_workspace: MakeWorkspace) -> None:
    weights = {}
    for warm in (False, True):
        settings = dataclasses.replace(FAST, warm_start="all" if warm else "scratch")
        workspace = make_workspace(["train", "train"], labelled=2, settings=settings, name=f"warm-{warm}")
        for again in (False, True):
            start_training(workspace, again=again)
            drain(workspace)
        with workspace.store.read() as tx:
            first, second = tx.find(Model, order=("index",))
        assert second.metrics.get("parent") == (first.id if warm else None)
        weights[warm] = (first.weights, second.weights)
    assert weights[False][0] == weights[False][1] == weights[True][0]
    assert weights[True][1] != weights[True][0]
