"""Predictions and descriptions by several processes: the same as in one, whatever dies in between."""

import multiprocessing
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from medloop.core.errors import CancelledError, StateError
from medloop.core.records import Case, Descriptor, Model, Prediction
from medloop.execution.processes import LocalWorker, local_processes
from medloop.execution.workers import Workers
from medloop.loop.foundation import shards
from medloop.loop.foundation.described import describe_cases
from medloop.loop.foundation.follow_up import request_pool
from medloop.loop.foundation.job_control import JobControl
from medloop.loop.foundation.round_moves import start_training
from medloop.loop.foundation.shards import Shared
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.judging.pool_predictions import predict_cases
from medloop.loop.worker import drain, run_job
from medloop.store.audit import verify
from tests.loop import sharded

from .conftest import FAST, MakeWorkspace


@pytest.fixture(scope="module")
def two() -> Iterator[Workers[LocalWorker]]:
    with local_processes(2) as executor:
        yield executor


@pytest.fixture(autouse=True)
def _small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "CASES_PER_TASK", 4)


def cases_of(workspace: Workspace) -> list[Case]:
    with workspace.store.read() as tx:
        return tx.find(Case, order=("name",))


def predictions_of(workspace: Workspace) -> Mapping[str, tuple[object, ...]]:
    """Everything of the predictions that does not change from run to run, by name of the case."""
    with workspace.store.read() as tx:
        rows = tx.find(Prediction)
        assert len({(row.case_id, row.model_id) for row in rows}) == len(rows)
        return {tx.get(Case, r.case_id).name: (r.mask, r.uncertainty, r.features, r.scores, r.probabilities, r.quality) for r in rows}


def test_a_pool_predicted_by_workers_of_which_one_is_killed_is_that_of_one_process(
    make_workspace: MakeWorkspace, tmp_path: Path, two: Workers[LocalWorker]
) -> None:
    here = make_workspace(["train"] * 14, labelled=2)
    start_training(here)
    job = here.store.jobs.claim("test", kinds=("train",))
    assert job is not None
    run_job(here, job)
    shutil.copytree(here.folder, tmp_path / "copy")
    drain(here)
    with Workspace.open(tmp_path / "copy") as opened:
        killed: list[int] = []

        class Killing(JobControl):
            def report(self, progress: float, message: str) -> None:
                super().report(progress, message)
                if progress > 0 and not killed and (children := multiprocessing.active_children()):
                    killed.append(children[0].pid or 0)
                    children[0].kill()

        with opened.store.read() as tx:
            model = tx.live_model()
        assert model is not None
        job = request_pool(opened, model)
        claimed = opened.store.jobs.claim("test", kinds=("predict",))
        assert claimed is not None
        with Killing(opened, claimed) as control:
            left_out = predict_cases(opened.placed(two), model, cases_of(opened), control)
        assert killed
        assert not left_out.cases
        found = predictions_of(opened)
        assert len(found) == 14
        assert predictions_of(here).items() <= found.items()
        assert verify(opened.store).ok


def test_a_killed_description_is_complete_and_the_same(make_workspace: MakeWorkspace, tmp_path: Path, two: Workers[LocalWorker]) -> None:
    workspace = make_workspace(["train"] * 10)
    make = partial(sharded.mean_unless_killed, str(tmp_path / "killed"), "case05")
    found = describe_cases(workspace.placed(two), "mean", "", cases_of(workspace), make)
    assert (tmp_path / "killed").exists()
    assert found == describe_cases(workspace, "elsewhere", "", cases_of(workspace), sharded.mean_of)
    with workspace.store.read() as tx:
        assert tx.count(Descriptor) == 20


def test_a_stopped_description_keeps_whole_shards_and_goes_on(make_workspace: MakeWorkspace, two: Workers[LocalWorker]) -> None:
    workspace = make_workspace(["train"] * 10).placed(two)

    def stop(progress: float, _message: str) -> None:
        if progress > 0:
            raise CancelledError("stop")

    with pytest.raises(CancelledError):
        describe_cases(workspace, "mean", "", cases_of(workspace), sharded.mean_of, report=stop)
    with workspace.store.read() as tx:
        assert 0 < tx.count(Descriptor) < 10
    assert len(describe_cases(workspace, "mean", "", cases_of(workspace), sharded.mean_of)) == 10


def test_damaged_bytes_cost_their_case_only(make_workspace: MakeWorkspace, two: Workers[LocalWorker]) -> None:
    workspace = make_workspace(["train"] * 10)
    cases = cases_of(workspace)
    (blob,) = (path for path in (workspace.folder / "blobs").rglob("*") if path.name == cases[3].voxels)
    blob.chmod(0o600)
    blob.write_bytes(b"damaged")
    found = describe_cases(workspace.placed(two), "mean", "", cases, sharded.mean_of)
    assert set(found) == {case.id for case in cases} - {cases[3].id}
    with workspace.store.read() as tx:
        assert [event.noun_id for event in tx.events_about("damage")] == [cases[3].id]


def test_a_project_in_a_file_is_not_worked_on_by_another_machine(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"])
    shared = Shared.of(workspace)
    assert shared.open().project == workspace.project
    elsewhere = Shared(shared.folder, shared.project, shared.task, "another-host", is_sqlite=True)
    with pytest.raises(StateError, match=r"SQLite is worked on by one machine, another-host; this is .*; move it to PostgreSQL"):
        elsewhere.open()


def test_members_that_two_processes_train_are_those_of_one_process(
    make_workspace: MakeWorkspace, tmp_path: Path, two: Workers[LocalWorker]
) -> None:
    here = make_workspace(["train"] * 3 + ["validation"], labelled=4, settings=replace(FAST, members=2))
    start_training(here)
    shutil.copytree(here.folder, tmp_path / "copy")
    weights = []
    with Workspace.open(tmp_path / "copy") as opened:
        for workspace in (here, opened.placed(two)):
            job = workspace.store.jobs.claim("test", kinds=("train",))
            assert job is not None
            run_job(workspace, job)
            with workspace.store.read() as tx:
                weights.append(tx.find(Model)[0].weights)
    assert len(weights[0]) == 2
    assert weights[0] == weights[1]
