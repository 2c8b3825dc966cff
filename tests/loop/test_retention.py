"""Images go when they may not be kept any longer; what people made of them stays, and whoever opens such a case is told."""

import dataclasses
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection

from medloop.core.errors import ImageRemovedError, SettingError
from medloop.core.names import is_reserved
from medloop.core.records import Annotation, Case, Model, time_text
from medloop.loop.annotating.annotations import next_assignment, open_case
from medloop.loop.data import retention as rule
from medloop.loop.data.pacs_spool import alone
from medloop.loop.data.retention import Retention, remove_due, remove_in_turn, retention
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.arrays import load_image
from medloop.loop.foundation.configuring import configure
from medloop.loop.foundation.refusals import refused_cases
from medloop.loop.foundation.round_moves import start_training
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.querying.descriptions import small_views
from medloop.loop.worker import drain
from medloop.store.audit import verify
from medloop.store.doctor import examine
from medloop.store.moving import move_blobs
from medloop.store.references import referenced, references

from .conftest import FAST, MakeWorkspace

RULE = dataclasses.replace(FAST, retention_days=30, train_steps=2)


def later(days: float) -> str:
    return time_text(datetime.now(UTC) + timedelta(days=days))


def case_named(workspace: Workspace, name: str) -> Case:
    with workspace.store.read() as tx:
        return tx.find(Case, where={"name": name})[0]


def names(found: Retention) -> list[str]:
    return [one.name for one in found.due]


def test_images_are_due_by_the_day_and_only_with_a_rule(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"] * 2, settings=RULE)
    assert names(retention(workspace, at=later(29.9))) == []
    assert names(retention(workspace, at=later(30.1))) == ["case00", "case01"]
    assert retention(workspace).next_due[:10] == later(30)[:10]
    plain = make_workspace(["train"], name="plain")
    assert names(retention(plain, at=later(9999))) == []
    with pytest.raises(SettingError, match="kept for ever"):
        remove_due(plain, actor="test")


def test_what_people_made_stays_and_the_project_goes_on_without_the_images(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"] * 5, labelled=4, settings=RULE)
    start_training(workspace)
    drain(workspace)
    before = case_named(workspace, "case00")
    done = remove_due(workspace, actor="test", at=later(31))
    assert done.removed == ("case00", "case01", "case02", "case03", "case04")
    assert done.freed > 0
    assert not workspace.store.blobs.exists(before.voxels)
    with workspace.store.read() as tx:
        assert len(tx.current_annotations()) == 4
        assert all(workspace.store.blobs.exists(a.blob) for a in tx.find(Annotation) if a.blob)
    case = case_named(workspace, "case00")
    assert case.notes[-1].startswith("image removed on")
    with pytest.raises(ImageRemovedError, match=r"image removed on .* keeps images 30 days"):
        load_image(workspace.store.blobs, case)
    ann = annotator_named(workspace, "Ann")
    with pytest.raises(ImageRemovedError):
        open_case(workspace, case.id, ann.id)
    assert next_assignment(workspace, ann.id) is None  # case04 was annotated by nobody, and is not queried any more
    assert [one.name for one in refused_cases(workspace)] == ["case04"]
    assert len(retention(workspace).removed) == 5
    assert remove_due(workspace, actor="test", at=later(31)).removed == ()
    assert verify(workspace.store).ok
    assert examine(workspace.store).ok


def test_a_training_leaves_removed_cases_out_and_says_so(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"] * 4, labelled=4, settings=RULE)
    for name in ("case00", "case01"):  # open, so their images stay
        open_case(workspace, case_named(workspace, name).id, annotator_named(workspace, "Ann").id)
    remove_due(workspace, actor="test", at=later(31))
    job = start_training(workspace)
    drain(workspace)
    result = workspace.store.jobs.get(job.id).result
    assert [one["case"] for one in result["left_out"]] == ["case02", "case03"]
    assert "image removed on" in result["left_out"][0]["reason"]
    with workspace.store.read() as tx:
        assert tx.find(Model)[0].metrics["training_cases"] == 2


def test_a_case_that_somebody_has_open_keeps_its_image_until_they_are_done(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"] * 2, settings=RULE)
    ann = annotator_named(workspace, "Ann")
    open_case(workspace, case_named(workspace, "case00").id, ann.id)
    done = remove_due(workspace, actor="test", at=later(31))
    assert done.removed == ("case01",)
    assert [(one.name, one.open_with) for one in done.waiting] == [("case00", ("Ann",))]


def test_a_worker_removes_only_where_the_project_wants_it_and_looks_once(make_workspace: MakeWorkspace) -> None:
    plain, ruled = (make_workspace(["train"], settings=RULE, name=name) for name in ("plain", "ruled"))
    assert remove_in_turn(plain) is None
    configure(ruled, settings={"retention_by_worker": True})
    found = remove_in_turn(ruled)
    assert found is not None
    assert found.removed == ()  # nothing is due today
    assert remove_in_turn(ruled) is None


def test_the_small_views_that_networks_learn_from_go_too(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"], settings=RULE)
    small_views(workspace, case_named(workspace, "case00"))
    remove_due(workspace, actor="test", at=later(31))
    assert list((workspace.work_folder / "thumbnails").iterdir()) == []
    with pytest.raises(ImageRemovedError):
        small_views(workspace, case_named(workspace, "case00"))


def test_bytes_that_a_killed_removal_left_go_with_the_next(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"], settings=RULE)
    blobs, blob = workspace.store.blobs, case_named(workspace, "case00").voxels
    aside = workspace.folder / "aside"
    shutil.copy(blobs.path(blob), aside)
    remove_due(workspace, actor="test", at=later(31))
    shutil.move(aside, blobs.path(blob))  # as after a kill between the note and the deletion
    assert remove_due(workspace, actor="test", at=later(31)).freed > 0
    assert not blobs.exists(blob)


def test_prepared_images_of_a_training_that_was_killed_and_cancelled_go_too(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"] * 2, labelled=2, settings=RULE)
    job = start_training(workspace)
    prepared, checkpoint = workspace.work_folder / job.id / "prepared-0", workspace.work_folder / job.id / "member-0.safetensors"
    prepared.mkdir(parents=True)
    (prepared / "0.image.npy").write_bytes(b"voxels")
    checkpoint.write_bytes(b"weights")
    remove_due(workspace, actor="test")
    assert prepared.exists()  # it may run still
    workspace.store.jobs.cancel(job.id, actor="test")
    remove_due(workspace, actor="test")
    assert (prepared.exists(), checkpoint.exists()) == (False, True)


def test_files_that_an_archive_sent_and_that_became_no_case_go_when_they_are_due(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace([], settings=RULE)
    aside = workspace.folder / "received" / "refused" / "1.dcm"
    fetched = workspace.work_folder / "pacs-pull" / "growing" / "dicom-1" / "1.dcm"
    waiting = workspace.folder / "received" / "growing" / "dicom-2" / "1.dcm"  # becomes a case once a listener is there
    for file in (aside, fetched, waiting):
        file.parent.mkdir(parents=True)
        file.write_bytes(b"of a patient")
    assert retention(workspace).files == 0
    assert retention(workspace, at=later(31)).files == 2
    with alone(workspace.work_folder / "pacs-pull", "pull"):
        assert remove_due(workspace, actor="test", at=later(31)).files == 1  # a pull at work needs what it fetched
    done = remove_due(workspace, actor="test", at=later(31))
    assert (done.files, done.freed) == (1, len(b"of a patient"))
    assert (aside.exists(), fetched.exists(), waiting.exists()) == (False, False, True)


def test_nobody_is_called_as_the_rule_is() -> None:
    assert is_reserved("Retention Rule")


def test_the_blobs_that_something_needs_are_found_without_reading_all(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"] * 3, labelled=2, settings=RULE)
    start_training(workspace)
    drain(workspace)
    with workspace.store.read() as tx:
        every = {one.blob for one in references(tx.connection)}
        assert referenced(tx.connection, [*every, "0" * 64]) == every
        assert referenced(tx.connection, ["0" * 64]) == set()


def test_nobody_waits_for_many_removals_from_a_bucket_in_one_transaction(
    make_workspace: MakeWorkspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = make_workspace(["train"] * 5, settings=RULE)
    move_blobs(workspace.store, f"file://{tmp_path}/share", actor="test")
    monkeypatch.setattr(rule, "AT_ONCE_ELSEWHERE", 2)
    began, removed, store = list[int](), list[int](), workspace.store
    fence, remove = store.database.fence, store.blobs.remove

    def counted(connection: Connection) -> None:
        began.append(1)
        fence(connection)

    def noted(name: str) -> None:
        removed.append(len(began))
        remove(name)

    monkeypatch.setattr(store.database, "fence", counted)
    monkeypatch.setattr(store.blobs, "remove", noted)
    assert len(remove_due(workspace, actor="test", at=later(31)).removed) == 5
    assert len(removed) == 5
    assert max(removed.count(number) for number in removed) == 2
    assert examine(workspace.store).ok
