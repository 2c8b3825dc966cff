"""Who may read a project, and what can be done with one that nobody may write."""

import os
import shutil
import sqlite3
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config

from medloop.core.errors import MedloopError, StorageError
from medloop.core.records import Case, PromptRecord
from medloop.store import audit
from medloop.store.database import Database
from medloop.store.private import why_read_only
from medloop.store.schema import MIGRATIONS
from medloop.store.store import DATABASE_FILE, Store
from tests.store import samples

NOBODY = 65534


def modes(folder: Path) -> dict[str, str]:
    """What is not private, by path."""
    found = {str(path.relative_to(folder.parent)): stat.S_IMODE(path.lstat().st_mode) for path in (folder, *folder.rglob("*"))}
    return {name: oct(mode) for name, mode in found.items() if mode & 0o077}


def used(folder: Path) -> None:
    """A project in which something was stored, with a log beside its database."""
    store = Store.open(folder)
    with store.write("me") as tx:
        samples.add_basics(tx, "a")
    store.blobs.put(b"bytes")
    store.close()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    before = os.umask(0o022)
    Store.create(tmp_path / "project").close()
    used(tmp_path / "project")
    os.umask(before)
    return tmp_path / "project"


def test_a_new_project_is_private_whatever_the_umask(project: Path) -> None:
    store = Store.open(project)
    with store.write("me") as tx:
        tx.add(samples.case("b", patient="p2"))
        assert (project / f"{DATABASE_FILE}-wal").exists()
        assert modes(project) == {}
    store.close()
    assert stat.S_IMODE(project.stat().st_mode) == 0o700
    assert stat.S_IMODE((project / DATABASE_FILE).stat().st_mode) == 0o600


def test_a_project_of_an_older_version_is_made_private_when_it_is_opened_and_nothing_else_is(project: Path) -> None:
    theirs = project / "notes.txt"
    theirs.write_text("not medloop's")
    for path in (project, *project.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    Store.open(project).close()
    assert list(modes(project)) == ["project/notes.txt"]


def test_a_loose_file_in_a_private_folder_is_mended_too(project: Path) -> None:
    (project / DATABASE_FILE).chmod(0o664)
    Store.open(project).close()
    assert modes(project) == {}


@pytest.fixture
def read_only(project: Path, tmp_path: Path) -> Iterator[Path]:
    """The folder of the project on a disk that is really read only; tests fill the disk first."""
    if os.geteuid() != 0:
        pytest.skip("mounting needs root")
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", str(disk)], check=True)
    shutil.copytree(project, disk / "project")
    yield disk / "project"
    subprocess.run(["umount", "-l", str(disk)], check=True)


def lock(folder: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(folder.parent)], check=True)


def looked_at(folder: Path) -> int:
    """How many cases a project has; everything that reads works and everything that writes is refused in one line."""
    store = Store.open(folder)
    try:
        assert store.read_only
        with store.read() as tx:
            count = tx.count(Case)
        report = audit.verify(store, blobs=False)
        assert (report.ok, report.reason) == (True, "")
        assert store.blobs.get(store.blobs.put(b"bytes") if not store.read_only else next(iter(store.blobs.names()))) == b"bytes"
        for write in (lambda: store.blobs.put(b"new"), lambda: _add(store), lambda: store.jobs.enqueue("train", {})):
            with pytest.raises(StorageError, match=r"^Nothing can be (stored|changed): .*copy the project") as refused:
                write()
            assert "\n" not in str(refused.value)
        return count
    finally:
        store.close()


def _add(store: Store) -> None:
    with store.write("me") as tx:
        tx.add(samples.case("z", patient="p9"))


def test_a_project_on_a_read_only_disk_is_looked_at_and_not_written(read_only: Path) -> None:
    lock(read_only)
    assert looked_at(read_only) == 1
    assert why_read_only(read_only) == f"{read_only} lies on a read-only disk"


def test_what_was_committed_last_is_seen_though_it_still_waits_beside_the_file(project: Path, read_only: Path) -> None:
    """A copy taken while a program ran, or left by a crash: the newest case is only in the write-ahead log."""
    store = Store.open(project)
    with store.write("me") as tx:
        tx.add(samples.case("newest", patient="p7"))
    for path in project.glob(f"{DATABASE_FILE}*"):
        if not path.name.endswith("-shm"):
            shutil.copy(path, read_only / path.name)
    store.close()
    with sqlite3.connect(f"file:{read_only / DATABASE_FILE}?immutable=1", uri=True) as connection:
        assert connection.execute("SELECT count(*) FROM cases").fetchone()[0] == 1, "the file alone does not know the newest"
    connection.close()
    lock(read_only)
    assert looked_at(read_only) == 2


def made_by_revision(revision: str, file: Path) -> None:
    """An empty database as an older version made it."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with closing(Database(f"sqlite:///{file}")) as database, database.writing() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def test_an_older_project_on_a_read_only_disk_is_read_from_a_copy(read_only: Path) -> None:
    for path in read_only.glob(f"{DATABASE_FILE}*"):
        path.unlink()
    made_by_revision("0002", read_only / DATABASE_FILE)
    lock(read_only)
    store = Store.open(read_only)
    with store.read() as tx:
        assert tx.count(PromptRecord) == 0, "a table that came later"
    with pytest.raises(StorageError, match="Nothing can be changed"):
        _add(store)
    store.close()
    assert not list(Path(tempfile.gettempdir()).glob("medloop-*/medloop.sqlite"))


@pytest.fixture
def shared() -> Iterator[Path]:
    """A folder that every user can reach, as pytest's own is not."""
    folder = Path(tempfile.mkdtemp(prefix="medloop-test-"))
    yield folder
    shutil.rmtree(folder)


@contextmanager
def somebody_else(folder: Path) -> Iterator[None]:
    """Act as a user who is not root, to whom the folder belongs; whoever runs the tests without being root is one already.

    What comes from the program's own files, which that user may not be able to reach, has to be loaded before.
    """
    if os.geteuid() != 0:
        yield
        return
    for path in (folder, *folder.rglob("*")):
        os.chown(path, NOBODY, NOBODY)
    os.setegid(NOBODY)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)


def test_a_project_that_this_user_may_only_read_is_looked_at(shared: Path) -> None:
    folder = shared / "project"
    Store.create(folder).close()
    used(folder)
    with somebody_else(shared):
        for path in (folder, *folder.rglob("*")):
            path.chmod(0o500 if path.is_dir() else 0o400)
        assert looked_at(folder) == 1
        folder.chmod(0o700)
        with pytest.raises(MedloopError) as refused:
            _add(Store.open(folder))
        assert "this user may only read" in str(refused.value)
        assert "\n" not in str(refused.value)
        for path in (folder, *folder.rglob("*")):
            path.chmod(0o700)
        used_again = Store.open(folder)
        assert used_again.read_only == ""
        used_again.close()


def test_half_written_files_are_swept_at_the_next_start_and_living_writers_are_left_alone(project: Path) -> None:
    import fcntl

    left = project / "work" / "job-1" / "member-0.step-3.safetensors.tmp"
    busy = left.with_name("member-1.json.tmp")
    left.parent.mkdir(parents=True)
    left.write_bytes(b"half")
    with busy.open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        Store.open(project).close()
        assert (left.exists(), busy.exists()) == (False, True)


def test_a_database_beside_the_project_is_private_too(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        Store.create(tmp_path / "project", url=f"sqlite:///{tmp_path / 'rows.sqlite'}").close()
        assert stat.S_IMODE((tmp_path / "rows.sqlite").stat().st_mode) == 0o600
        (tmp_path / "rows.sqlite").chmod(0o644)
        Store.open(tmp_path / "project").close()
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "rows.sqlite").stat().st_mode) == 0o600
