"""A project's blobs go to another place while it is used, and a backup of a project whose blobs are elsewhere stands for itself."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text

from medloop.core.errors import ConflictError, NotFoundError, SettingError, StateError, StorageError
from medloop.core.records import Annotation
from medloop.store import audit
from medloop.store.backup import back_up_project
from medloop.store.blobs import Blobs
from medloop.store.doctor import examine
from medloop.store.homes import Places
from medloop.store.joining import join
from medloop.store.moving import clear_place, move_blobs
from medloop.store.settings_file import read_host_settings
from medloop.store.store import Store
from tests.postgres import empty_database
from tests.store import samples

from .test_audit_tampering import fill


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Store]:
    store = Store.create(tmp_path / "project")
    fill(store)
    yield store
    store.close()


def reopened(store: Store) -> Store:
    store.close()
    return Store.open(store.folder)


def test_blobs_move_to_a_url_and_back_and_the_audit_holds(project: Store, bucket: str) -> None:
    url = f"{bucket}/p"
    done = move_blobs(project, url, actor="cli")
    assert (done.before, done.now, done.blobs, done.missing) == ("folder", url, 5, ())
    store = reopened(project)
    assert store.blobs.shared
    assert audit.verify(store).blobs == 5
    assert examine(store).ok
    assert clear_place(store, "folder") == 5
    assert list(Blobs(store.folder / "blobs").names()) == []
    with pytest.raises(StateError, match=f"The blobs of this project are at {url}"):
        clear_place(store, url)
    assert move_blobs(store, "folder", actor="cli").now == "folder"
    again = reopened(store)
    assert (again.blobs.shared, audit.verify(again).blobs) == (False, 5)
    assert clear_place(again, url) == 5
    assert read_host_settings(again.folder).shared is False
    again.close()


def test_a_move_that_was_cut_short_goes_on_and_takes_what_came_meanwhile(
    project: Store, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, seen = f"{bucket}/p", []

    def cut(share: float, name: str) -> None:
        seen.append(name)
        if len(seen) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        move_blobs(project, url, actor="cli", report=cut)
    assert not project.blobs.shared

    def write_meanwhile(share: float, name: str) -> None:
        if share == 0.0:
            blob = project.blobs.put(b"drawn while it moved")
            with project.write("me") as tx:
                tx.add(replace(samples.annotation(), id="annotation-late", blob=blob))

    assert move_blobs(project, url, actor="cli", report=write_meanwhile).blobs == 6
    store = reopened(project)
    assert examine(store).ok
    assert store.blobs.fetch(store.get(Annotation, "annotation-late").blob) == b"drawn while it moved"
    store.close()


def test_who_had_the_project_open_stores_nothing_in_the_old_place(project: Store, bucket: str) -> None:
    other = Store.open(project.folder)
    move_blobs(project, f"{bucket}/p", actor="cli")
    blob = other.blobs.put(b"into the old folder")
    with pytest.raises(ConflictError, match="were moved while this program had it open; start it again"), other.write("me") as tx:
        tx.add(replace(samples.annotation(), id="annotation-lost", blob=blob))
    other.close()
    with project.write("me") as tx:  # the one that moved them goes on
        tx.add(replace(samples.annotation(), id="annotation-kept", blob=project.blobs.put(b"new place")))
    assert examine(project).ok


def test_a_lost_blob_keeps_no_project_from_moving_and_is_named(project: Store, bucket: str) -> None:
    lost = project.blobs.put(b"weights")
    project.blobs.path(lost).unlink()
    done = move_blobs(project, f"{bucket}/p", actor="cli")
    assert (done.blobs, done.missing) == (4, (f"{lost} is damaged or gone",))


def test_the_bucket_of_another_project_is_refused_and_nothing_is_changed(project: Store, bucket: str, tmp_path: Path) -> None:
    Store.create(tmp_path / "another", url=Places(blobs=f"{bucket}/p")).close()
    with pytest.raises(ConflictError, match="holds the blobs of another project"):
        move_blobs(project, f"{bucket}/p", actor="cli")
    with pytest.raises(ConflictError, match="holds the blobs of another project"):
        Store.create(tmp_path / "third", url=Places(blobs=f"{bucket}/p"))
    with pytest.raises(ConflictError, match="holds no blobs of this project"):
        clear_place(project, f"{bucket}/p")
    store = reopened(project)
    assert not store.blobs.shared
    store.close()


def test_one_place_by_two_names_is_never_cleared(project: Store, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="lies in the project's own folder"):
        move_blobs(project, f"file://{project.folder}/blobs", actor="cli")
    (tmp_path / "share").mkdir()
    (tmp_path / "alias").symlink_to(tmp_path / "share")
    move_blobs(project, f"file://{tmp_path}/share", actor="cli")
    move_blobs(project, f"file://{tmp_path}/alias", actor="cli")
    with pytest.raises(StateError, match="by another name"):
        clear_place(project, f"file://{tmp_path}/share")
    assert examine(project).ok


def test_a_store_that_cannot_be_reached_leaves_the_project_where_it_is(project: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("medloop.store.object_store.TRIES", 1)
    for name, value in {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(StorageError, match="cannot be reached"):
        move_blobs(project, "s3://bucket/p", actor="cli")
    store = reopened(project)
    assert (store.blobs.shared, examine(store).ok) == (False, True)
    store.close()


def test_a_backup_of_a_shared_project_is_one_of_its_own(bucket: str, tmp_path: Path) -> None:
    store = Store.create(tmp_path / "project", url=Places(blobs=f"{bucket}/p"))
    fill(store)
    digest = audit.verify(store).last_digest
    done = back_up_project(store, tmp_path / "backup")
    assert (done.blobs, done.missing) == (5, ())
    shutil.rmtree(store.folder / "blob-cache")
    store.close()
    for folder in (done.folder, shutil.copytree(done.folder, tmp_path / "restored")):
        copy = Store.open(folder)
        report = audit.verify(copy, last_digest=digest)
        assert (report.ok, report.blobs, copy.blobs.shared) == (True, 5, False), report.reason
        copy.blobs.put(b"only here")
        assert examine(copy, sweep=True).swept == 1
        copy.close()
    original = Store.open(store.folder)
    assert examine(original).ok
    original.close()


def test_a_medloop_that_knows_no_other_places_refuses_the_folder(bucket: str, tmp_path: Path) -> None:
    Store.create(tmp_path / "project", url=Places(blobs=f"{bucket}/p")).close()
    written = json.loads((tmp_path / "project" / "medloop.json").read_text())
    assert written["format"] == 2
    assert bucket not in json.dumps(written)


def test_what_is_swept_from_a_shared_project_waits_a_day(bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store.create(tmp_path / "project", url=Places(blobs=f"{bucket}/p"))
    other = Store.open(tmp_path / "project")  # it is no reason to refuse
    fill(store)
    orphan = other.blobs.put(b"its row is about to come")
    found = examine(store, sweep=True)
    assert (found.orphans, found.swept) == ((orphan,), 0)
    with other.write("me") as tx:
        tx.add(replace(samples.annotation(), id="annotation-late", blob=orphan))
    monkeypatch.setattr("medloop.store.object_blobs.ORPHAN_HOURS", -1.0)
    assert examine(store, sweep=True).swept == 0
    assert examine(store).ok
    other.close()
    store.close()


@pytest.fixture
def shared(postgres_url: str, bucket: str, tmp_path: Path) -> Iterator[tuple[Store, str]]:
    """A project that hosts can share, on its first host."""
    empty_database(postgres_url)
    store = Store.create(tmp_path / "first", url=Places(postgres_url, f"{bucket}/p"))
    fill(store)
    yield store, postgres_url
    store.close()


@pytest.mark.postgres
def test_a_second_host_joins_and_both_see_what_the_other_stores(shared: tuple[Store, str], tmp_path: Path) -> None:
    first, url = shared
    done = join(tmp_path / "second", url, cache_gb=1)
    assert done.blobs == first.blobs.home.url
    second = Store.open(tmp_path / "second")
    blob = second.blobs.put(b"drawn on the second host")
    with second.write("me") as tx:
        tx.add(replace(samples.annotation(), id="annotation-second", blob=blob))
    assert first.blobs.get(first.get(Annotation, "annotation-second").blob) == b"drawn on the second host"
    assert examine(second).ok
    assert audit.verify(first).ok
    with pytest.raises(ConflictError, match="already holds a medloop project"):
        join(tmp_path / "second", url)
    second.close()


@pytest.mark.postgres
def test_a_host_that_cannot_have_the_blobs_does_not_join(
    shared: tuple[Store, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, url = shared
    monkeypatch.setattr("medloop.store.object_store.TRIES", 1)
    with monkeypatch.context() as here:
        here.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        with pytest.raises(StorageError, match="cannot be reached"):
            join(tmp_path / "second", url)
    move_blobs(first, "folder", actor="cli")
    with pytest.raises(ConflictError, match="in a folder of another host; there, first: medloop move-blobs"):
        join(tmp_path / "second", url)
    assert not (tmp_path / "second" / "medloop.json").exists()


@pytest.mark.postgres
def test_blobs_that_went_into_a_folder_are_looked_for_in_no_other(shared: tuple[Store, str], tmp_path: Path) -> None:
    first, url = shared
    join(tmp_path / "second", url)
    move_blobs(first, "folder", actor="cli")
    with pytest.raises(ConflictError, match="were moved into a folder of another host"):
        Store.open(tmp_path / "second")
    store = reopened(first)
    assert examine(store).ok
    store.close()


@pytest.mark.postgres
def test_a_project_of_another_schema_or_none_is_not_joined(postgres_url: str, shared: tuple[Store, str], tmp_path: Path) -> None:
    first, url = shared
    with pytest.raises(SettingError, match="shared through PostgreSQL"):
        join(tmp_path / "second", f"sqlite:///{tmp_path / 'x.sqlite'}")
    with first.database.engine.begin() as connection:
        newest = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    try:
        with pytest.raises(StorageError, match="Another version of medloop made this project's schema"):
            join(tmp_path / "second", url)
        with pytest.raises(ConflictError, match="brought this project to schema 9999"), first.write("me") as tx:
            tx.add(replace(samples.annotation(), id="annotation-x"))
        with pytest.raises(ConflictError, match="install the same medloop everywhere"):
            first.jobs.enqueue("train", {})
    finally:
        with first.database.engine.begin() as connection:
            connection.execute(text(f"UPDATE alembic_version SET version_num = '{newest}'"))
    empty_database(postgres_url)
    with pytest.raises(NotFoundError, match="holds no"):
        join(tmp_path / "second", url)


@pytest.mark.postgres
def test_a_backup_becomes_a_project_again_after_its_bucket_was_lost(
    shared: tuple[Store, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, url = shared
    backup = back_up_project(first, tmp_path / "backup").folder
    first.close()
    monkeypatch.setattr("medloop.store.object_store.TRIES", 1)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    lost = next(iter(Blobs(backup / "blobs").names()))
    away = (backup / "blobs" / lost[:2] / lost).rename(tmp_path / lost)
    with pytest.raises(StorageError, match="cannot be reached"):
        join(backup, url)
    away.rename(backup / "blobs" / lost[:2] / lost)
    join(backup, url)
    restored = Store.open(backup)
    assert move_blobs(restored, "folder", actor="cli").missing == ()
    assert audit.verify(restored).ok
    restored.close()


@pytest.mark.postgres
def test_a_restored_dump_gets_blobs_of_its_own_from_the_backups_folder(
    shared: tuple[Store, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the backup's RESTORE.txt says; the same database stands for the restored one, which another identity tells apart."""
    first, url = shared
    backup = back_up_project(first, tmp_path / "backup").folder
    assert "medloop move-blobs FOLDER folder" in (backup / "RESTORE.txt").read_text()
    home = first.blobs.home.url
    first.close()
    monkeypatch.setattr("medloop.store.blob_homes.database_identity", lambda *_: "restored")
    join(backup, url)
    restored = Store.open(backup)
    assert restored.blobs.home.url == home
    with pytest.raises(ConflictError, match="is not the one that these blobs belong to"):
        examine(restored, sweep=True)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")  # the original's are not needed
    done = move_blobs(restored, "folder", actor="cli")
    assert (done.now, done.blobs) == ("folder", 5)
    assert audit.verify(restored).ok
    restored.close()
