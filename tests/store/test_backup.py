"""Backups: complete while others write, absent when anything goes wrong, and a project again afterwards."""

import os
import shutil
import stat
import subprocess
import threading
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text

from medloop.core.errors import ConflictError, StorageError, UnavailableError
from medloop.core.records import Annotation, Case
from medloop.store import audit
from medloop.store.backup import RESTORE, back_up_project
from medloop.store.database import parse_url
from medloop.store.settings_file import HostSettings, write_host_settings
from medloop.store.store import Store
from tests.postgres import empty_database
from tests.store import samples

from .test_audit_tampering import fill


@pytest.fixture
def project(tmp_path: Path) -> Store:
    store = Store.create(tmp_path / "project")
    fill(store)
    yield store
    store.close()


def test_a_backup_opens_and_verifies_where_it_is_and_where_it_is_copied_to(project: Store, tmp_path: Path) -> None:
    done = back_up_project(project, tmp_path / "copies" / "monday")
    assert (done.blobs, done.missing) == (5, ())
    shutil.copytree(done.folder, tmp_path / "restored")
    digest = audit.verify(project).last_digest
    for folder in (done.folder, tmp_path / "restored"):
        store = Store.open(folder)
        report = audit.verify(store, last_digest=digest)
        assert (report.ok, report.blobs, report.last_digest) == (True, 5, digest), report.reason
        store.close()
    assert stat.S_IMODE(done.folder.stat().st_mode) == 0o700


def test_a_backup_under_load_holds_one_moment_and_every_blob_of_it(project: Store, tmp_path: Path) -> None:
    ended = threading.Event()
    written: list[str] = []

    def work() -> None:
        while not ended.is_set():
            number = len(written) + 2
            blob = project.blobs.put(os.urandom(5000))
            with project.write("me") as tx:
                tx.add(_answer(number, blob))
            written.append(blob)

    writers = threading.Thread(target=work)
    writers.start()
    try:
        for round_ in range(3):
            back_up_project(project, tmp_path / f"backup-{round_}")
    finally:
        ended.set()
        writers.join()
    counts = []
    for round_ in range(3):
        store = Store.open(tmp_path / f"backup-{round_}")
        report = audit.verify(store)
        assert report.ok, report.reason
        with store.read() as tx:
            counts.append(tx.count(Annotation))
        store.close()
    assert counts == sorted(counts)
    assert len(written) > 0


def _answer(number: int, blob: str) -> Annotation:
    from dataclasses import replace

    return replace(samples.annotation(number=number), blob=blob)


def test_a_damaged_blob_is_named_and_the_rest_is_copied(project: Store, tmp_path: Path) -> None:
    path = project.blobs.path(project.blobs.put(b"mask"))
    path.write_bytes(b"mosk")
    done = back_up_project(project, tmp_path / "backup")
    assert done.blobs == 4
    assert path.name in done.missing[0]
    assert not (tmp_path / "backup" / "blobs" / path.name[:2] / path.name).exists()


def test_nothing_is_written_over_and_nothing_is_left_half_done(project: Store, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "theirs").write_text("x")
    with pytest.raises(ConflictError, match="not an empty folder"):
        back_up_project(project, tmp_path / "full")
    with pytest.raises(ConflictError, match="in the project itself"):
        back_up_project(project, project.folder / "backup")
    (tmp_path / "file").write_text("x")
    with pytest.raises(StorageError, match="cannot be written"):
        back_up_project(project, tmp_path / "file" / "below")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "full", "project"]


def test_the_backup_of_a_project_that_can_only_be_read_is_one_that_can_be_written(project: Store, tmp_path: Path) -> None:
    """The way out that the refusals name."""
    done = back_up_project(project, tmp_path / "backup")
    store = Store.open(done.folder)
    with store.write("me") as tx:
        tx.add(samples.case("b", patient="p2"))
    assert audit.verify(store, blobs=False).ok
    store.close()


@pytest.mark.postgres
def test_a_backup_of_a_project_in_postgres_is_restored_as_its_text_says(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if shutil.which("pg_dump") is None:
        monkeypatch.setenv("PATH", f"{os.environ['PATH']}:{sorted(Path('/usr/lib/postgresql').glob('*/bin'))[-1]}")
    empty_database(postgres_url)
    store = Store.create(tmp_path / "project", url=postgres_url)
    fill(store)
    done = back_up_project(store, tmp_path / "backup")
    assert (done.folder / "RESTORE.txt").read_text() == RESTORE
    assert not (done.folder / "medloop.json").exists(), "a copy must not open the first project's database"
    digest = audit.verify(store).last_digest
    store.close()

    admin = create_engine(postgres_url, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text("CREATE DATABASE restored"))
    url = make_url(postgres_url).set(drivername="postgresql", database="restored")
    target = url.render_as_string(hide_password=False)
    subprocess.run(["pg_restore", "--no-owner", "--dbname", target, str(done.folder / "medloop.dump")], check=True, capture_output=True)
    shutil.copytree(done.folder, tmp_path / "restored")
    write_host_settings(tmp_path / "restored", HostSettings(target))
    again = Store.open(tmp_path / "restored")
    report = audit.verify(again, last_digest=digest)
    assert (report.ok, report.blobs) == (True, 5), report.reason
    with again.read() as tx:
        assert tx.count(Case) == 1
    again.close()
    with admin.connect() as connection:
        connection.execute(text("DROP DATABASE restored"))
    admin.dispose()


@pytest.mark.postgres
def test_without_pg_dump_a_backup_is_refused_in_words(postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    empty_database(postgres_url)
    store = Store.create(tmp_path / "project", url=postgres_url)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UnavailableError, match="needs pg_dump; install"):
        back_up_project(store, tmp_path / "backup")
    assert [p.name for p in tmp_path.iterdir()] == ["project"]
    store.close()


def test_a_password_is_not_shown_in_the_list_of_processes() -> None:
    from medloop.store.backup import _libpq

    bare, environment = _libpq(parse_url("postgresql://ann:secret%40x@db.example:5433/med"))
    assert "secret" not in bare
    assert (environment, bare) == ({"PGPASSWORD": "secret@x"}, "postgresql://ann@db.example:5433/med")
