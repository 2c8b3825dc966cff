"""When a training starts within a round: after so many annotations, or so many whole cases where a case needs more than one."""

import dataclasses

import pytest

from medloop.core.records import Annotation, Annotator, Snapshot, new_id, now
from medloop.loop.annotating.annotations import open_case, submit
from medloop.loop.annotating.review_verdicts import approve
from medloop.loop.annotating.submission import Submitted
from medloop.loop.foundation import training_due
from medloop.loop.foundation.partial_annotations import SlicePart
from medloop.loop.foundation.training_due import new_to_learn
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.worker import run_job

from .conftest import FAST, MakeWorkspace
from .made_up import case_named
from .test_readings import cube, people, read_case, with_readings


def count(workspace: Workspace) -> int:
    with workspace.store.read() as tx:
        return new_to_learn(tx, 1000)


def trainings(workspace: Workspace) -> int:
    return len([job for job in workspace.store.jobs.list(limit=100) if job.kind == "train"])


def read(workspace: Workspace, name: str, person: Annotator, start: int = 4) -> Annotation:
    return read_case(workspace, case_named(workspace, name).id, person, cube(start))


def make_consensuses(workspace: Workspace) -> None:
    while (job := workspace.store.jobs.claim("tester", kinds=["reconcile"])) is not None:
        run_job(workspace, job)


def freeze(workspace: Workspace) -> None:
    """What a training does first, by itself."""
    with workspace.store.write("test") as tx:
        tx.add(Snapshot(id=new_id("snapshot"), annotation_ids=(), digest="0" * 64, created_at=now()), verb="freeze")


def test_half_read_cases_start_no_training_and_whole_ones_with_their_consensus_do(make_workspace: MakeWorkspace) -> None:
    rules = with_readings(readings=2, consensus="majority", read_twice=0.0, train_after=2)
    workspace = make_workspace(["train"] * 4, settings=rules)
    ann, bob = people(workspace, "Ann", "Bob")
    for name in ("case00", "case01", "case02"):
        read(workspace, name, ann)
    assert (count(workspace), trainings(workspace)) == (0, 0)
    read(workspace, "case00", bob)
    read(workspace, "case01", bob, start=6)
    assert (count(workspace), trainings(workspace)) == (0, 0), "a consensus is due first"
    make_consensuses(workspace)
    assert (count(workspace), trainings(workspace)) == (2, 1)


def test_without_fusing_a_case_counts_with_its_last_reading(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"] * 2, settings=with_readings(readings=2, consensus="latest", read_twice=0.0, train_after=1))
    ann, bob = people(workspace, "Ann", "Bob")
    read(workspace, "case00", ann)
    assert (count(workspace), trainings(workspace)) == (0, 0)
    read(workspace, "case00", bob)
    make_consensuses(workspace)
    assert (count(workspace), trainings(workspace)) == (1, 1)


@pytest.mark.parametrize("readings", [1, 2])
def test_a_case_that_must_be_reviewed_counts_once_it_is_approved(make_workspace: MakeWorkspace, readings: int) -> None:
    rules = with_readings(readings=readings, consensus="majority", read_twice=0.0, review="all", train_after=1)
    workspace = make_workspace(["train"] * 2, settings=rules)
    for person in people(workspace, "Ann", "Bob")[:readings]:
        read(workspace, "case00", person)
    make_consensuses(workspace)
    assert (count(workspace), trainings(workspace)) == (0, 0)
    (rita,) = people(workspace, "Rita")
    approve(workspace, case_named(workspace, "case00").id, rita.id)
    assert (count(workspace), trainings(workspace)) == (1, 1)


def test_what_a_training_has_taken_up_counts_no_more_until_something_else_stands(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"] * 2, settings=with_readings(readings=2, consensus="majority", read_twice=0.0))
    ann, bob, eva = people(workspace, "Ann", "Bob", "Eva")
    for person in (ann, bob):
        read(workspace, "case00", person)
    make_consensuses(workspace)
    assert count(workspace) == 1
    freeze(workspace)
    assert count(workspace) == 0
    read(workspace, "case01", ann)
    assert count(workspace) == 0
    read(workspace, "case00", eva)
    make_consensuses(workspace)
    assert count(workspace) == 1


def test_where_one_reading_is_all_a_case_needs_every_annotation_counts_as_before(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"] * 3 + ["test"] * 6, settings=dataclasses.replace(FAST, train_after=3))
    (ann,) = people(workspace, "Ann")
    read(workspace, "case00", ann)
    read(workspace, "case01", ann)
    for n in range(3, 9):
        read(workspace, f"case{n:02d}", ann)
    assert (count(workspace), trainings(workspace)) == (2, 0), "evaluation cases are not learned from"
    read(workspace, "case02", ann)
    assert (count(workspace), trainings(workspace)) == (3, 1)


def test_however_many_annotations_there_are_and_wherever_the_one_stands_that_counts(
    make_workspace: MakeWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = make_workspace(["train"] * 4, settings=with_readings(readings=2, consensus="latest", read_twice=0.0))
    ann, bob = people(workspace, "Ann", "Bob")
    for name in ("case00", "case01", "case02"):
        for person in (ann, bob):
            read(workspace, name, person)
    make_consensuses(workspace)
    read(workspace, "case03", ann)
    for size in (1, 2, 3, 100):
        monkeypatch.setattr(training_due, "AT_ONCE", size)
        assert count(workspace) == 3
        with workspace.store.read() as tx:
            assert new_to_learn(tx, 2) == 2


def test_parts_by_as_many_people_as_a_case_needs_count_as_one_case(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"] * 2, settings=with_readings(readings=2, consensus="majority", read_twice=0.0))
    case = case_named(workspace, "case00")
    for n, person in enumerate(people(workspace, "Ann", "Bob")):
        assert count(workspace) == 0
        opened = open_case(workspace, case.id, person.id)
        submit(workspace, opened.assignment.id, Submitted(mask=cube(), parts=[SlicePart(2, 5 + n)]))
    assert count(workspace) == 1
