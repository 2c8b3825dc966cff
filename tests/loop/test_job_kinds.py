"""The one table of what a worker can be asked to do."""

import inspect
from dataclasses import fields
from pathlib import Path

import pytest

from medloop.core.records import Job
from medloop.loop.foundation.job_kinds import KINDS, Kind, Predict, Train, kind_named, request_job
from medloop.loop.foundation.round_moves import start_training
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.worker import run_job

from .conftest import MakeWorkspace

PAGE = Path(__file__).parents[2] / "docs" / "loop.md"


def drawn() -> list[str]:
    """The table as it stands on the page about the loop."""
    lines = ["| Job | Priority | About | Requests next |", "| --- | --- | --- | --- |"]
    for kind in KINDS:
        about = ", ".join(f"`{field.name}`" for field in fields(kind.payload))
        said = [part for part in (about, (kind.payload.__doc__ or "").strip()) if part]
        lines.append(f"| `{kind.name}` | {kind.priority} | {': '.join(said)} | {', '.join(f'`{name}`' for name in kind.then)} |")
    return lines


def test_the_page_about_the_loop_draws_the_table_as_it_is() -> None:
    assert "\n".join(drawn()) in PAGE.read_text()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_kind_has_a_function_that_takes_the_workspace_and_its_control(kind: Kind) -> None:

    run = kind.load()
    assert len(inspect.signature(run).parameters) == 2


def test_what_a_job_asks_for_stands_in_its_row(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train", "train", "test", "test", "train", "train"], labelled=4)
    start_training(workspace)
    seen: dict[str, set[str]] = {}
    while (job := workspace.store.jobs.claim("tester")) is not None:
        before = _ids(workspace)
        run_job(workspace, job)
        seen.setdefault(job.kind, set()).update(j.kind for j in workspace.store.jobs.list(limit=100) if j.id not in before)
    assert seen.keys() == {"train", "predict", "evaluate", "query"}
    assert seen["train"] == {"predict", "evaluate"}
    assert seen["predict"] == {"query"}
    assert all(found <= set(kind_named(name).then) for name, found in seen.items())


def test_the_next_choices_are_predicted_first_and_a_training_comes_last(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"])
    training = request_job(workspace, Train(), "a")
    pool, upcoming = request_job(workspace, Predict("m", "pool"), "b"), request_job(workspace, Predict("m", "upcoming"), "c")
    assert upcoming.priority > kind_named("evaluate").priority > pool.priority > training.priority
    assert request_job(workspace, Train(), "a").id == training.id


def test_a_training_that_an_earlier_version_queued_is_still_understood(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train", "train"], labelled=2)
    workspace.store.jobs.enqueue("train", {})
    job = workspace.store.jobs.claim("tester")
    assert job is not None
    run_job(workspace, job)
    assert workspace.store.jobs.get(job.id).result["model_index"] == 1


def _ids(workspace: Workspace) -> set[str]:
    jobs: list[Job] = workspace.store.jobs.list(limit=100)
    return {job.id for job in jobs}
