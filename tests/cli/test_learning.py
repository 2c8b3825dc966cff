import json
import os
import signal
import subprocess
import threading
import time
from pathlib import Path

from medloop.core.records import ProjectSettings, Query
from medloop.core.states import JobState
from medloop.loop.foundation.workspace import Workspace
from medloop.server.web.locks import WORKER_LOCK, FolderLock

from .conftest import Medloop, command_line, make_project, run_process

ENDLESS = ProjectSettings(train_after=0, train_steps=1_000_000, train_minutes=60)


def wait_for(path: Path, state: JobState, seconds: float = 120.0) -> None:
    """Wait until the newest job is in a state and has reported progress."""
    pause, deadline = threading.Event(), time.monotonic() + seconds
    with Workspace.open(path) as workspace:
        while not any(j.progress > 0 or state != JobState.RUNNING for j in workspace.store.jobs.list(state=state)):
            assert time.monotonic() < deadline, f"no job was {state} in time"
            pause.wait(0.1)


def test_a_query_names_its_cases_and_why(medloop: Medloop, project: Path):
    said = json.loads(medloop("query", project, "--strategy", "random", "--count", 2, "--json").out)
    assert (said["round"], said["strategy"], len({c["case"] for c in said["choices"]})) == (1, "random", len(said["choices"]))
    assert all(c["reason"] for c in said["choices"])


def test_a_planned_query_chooses_nothing_and_names_what_does_not_fit(medloop: Medloop, project: Path):
    said = json.loads(medloop("query", project, "--plan", "--strategy", "random", "--json").out)
    with Workspace.open(project) as workspace, workspace.store.read() as tx:
        assert said["cases"] == len(tx.unlabelled_cases(["train"]))
        assert tx.find(Query) == []
    made = medloop("query", project, "--plan", "--strategy", "random", "--cases", 10**7 * 10**7)
    assert (made.status, "Memory does not suffice" in made.out) == (0, True)
    assert "belong to --plan" in medloop("query", project, "--cases", 5).err


def test_a_query_without_model_says_that_another_strategy_chose(medloop: Medloop, project: Path):
    said = medloop("query", project, "--strategy", "entropy", "--count", 1)
    assert said.status == 0
    assert "the first strategy, random, chose instead" in said.err


def test_a_query_describes_the_images_when_the_first_strategy_needs_it(medloop: Medloop, tmp_path: Path, dataset: Path):
    settings = ProjectSettings(first_strategy="typiclust", batch_size=2, train_after=0)
    project = make_project(tmp_path / "cold", dataset, settings=settings)
    assert json.loads(medloop("query", project, "--json").out)["strategy"] == "typiclust"


def test_an_unknown_strategy_is_wrong_use(medloop: Medloop, project: Path):
    assert medloop("query", project, "--strategy", "nope").status == 2


def test_prediction_needs_a_model(medloop: Medloop, project: Path):
    said = medloop("predict", project)
    assert said.status == 1
    assert f"train one with: medloop train {project}" in said.err


def test_background_work_is_only_asked_for(medloop: Medloop, project: Path):
    asked = json.loads(medloop("train", project, "--background", "--json").out)
    assert (asked["kind"], asked["state"]) == ("train", "queued")
    assert json.loads(medloop("status", project, "--json").out)["jobs"][0]["id"] == asked["job"]


def test_training_without_answers_fails_with_the_reason(medloop: Medloop, tmp_path: Path):
    medloop("init", tmp_path / "p", "--kind", "segmentation", "--label", "liver")
    said = medloop("train", tmp_path / "p")
    assert said.status == 1
    assert "at least 2 annotated" in said.err


def test_training_here_makes_a_judged_model_that_has_seen_the_pool(project: Path):
    said = run_process("train", project, "--threads", 1, "--json")
    assert said.status == 0, said.err
    assert json.loads(said.out)["model"]["index"] == 1
    assert json.loads(said.out)["evaluations"]
    asked = json.loads(run_process("query", project, "--strategy", "entropy", "--count", 1, "--json").out)
    assert asked["strategy"] == "entropy"
    assert run_process("predict", project).status == 0


def test_an_interrupted_training_goes_back_to_the_queue(tmp_path: Path, dataset: Path):
    folder = make_project(tmp_path / "p", dataset, settings=ENDLESS)
    process = subprocess.Popen(command_line("train", folder), stderr=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    wait_for(folder, JobState.RUNNING)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 1
    assert err.splitlines()[-1].startswith("medloop: Interrupted")
    with Workspace.open(folder) as workspace:
        assert [job.state for job in workspace.store.jobs.list()] == [JobState.QUEUED]


def test_with_a_worker_alive_training_is_watched_not_done(project: Path):
    with FolderLock(project, WORKER_LOCK, shared=True), Workspace.open(project) as workspace:
        process = subprocess.Popen(command_line("train", project, "--json"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        wait_for(project, JobState.QUEUED)
        job = workspace.store.jobs.claim("a worker")
        assert job is not None
        workspace.store.jobs.fail(job, "the disk is full", retry=False)
        _, err = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "The train job failed: the disk is full" in err
