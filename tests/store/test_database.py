import os
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from threading import Event, Thread

import pytest
from sqlalchemy import literal, select
from sqlalchemy.engine.interfaces import CacheStats
from sqlalchemy.schema import CreateTable

from medloop.core.errors import StateError, StorageError
from medloop.core.records import Annotator, Case
from medloop.store import audit, database
from medloop.store.database import Database, Turns
from medloop.store.store import DATABASE_FILE, Store
from medloop.store.tables import events
from tests.store import samples


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 4 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = os.geteuid() == 0 and subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)], capture_output=True)
    if not mounted or mounted.returncode:
        pytest.skip("mounting a small disk needs root and mount rights")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def consume(steps: Iterator[None]) -> None:
    for _ in steps:
        pass


def test_a_full_disk_says_so_keeps_what_was_there_and_goes_on_after_making_room(small_disk: Path) -> None:
    store = Store.create(small_disk / "project")
    with store.write("me") as tx:
        samples.add_basics(tx, "a")
    ballast = small_disk / "ballast"
    free = os.statvfs(small_disk).f_bavail * os.statvfs(small_disk).f_frsize
    ballast.write_bytes(b"x" * free)
    long_names = [samples.annotator(f"{number}-{'x' * 2000}") for number in range(500)]
    with pytest.raises(StorageError, match=r"disk is full.*free some space"), store.write("me") as tx:
        consume(tx.add(record) for record in long_names)
    with pytest.raises(StorageError, match=r"disk is full.*free some space"):
        store.blobs.put(os.urandom(100_000))
    ballast.unlink()
    with store.write("me") as tx:
        assert tx.count(Annotator) == 1
        tx.add(samples.case("b"))
    assert audit.verify(store, blobs=False).ok
    store.close()


def test_what_was_compiled_for_one_file_is_not_compiled_for_the_next(tmp_path: Path) -> None:
    found = []
    for name in ("a", "b"):
        with closing(Database(f"sqlite:///{tmp_path / name}")) as opened, opened.writing() as connection:
            connection.execute(CreateTable(events, if_not_exists=True))
            found.append(connection.execute(select(events.c.seq, literal("test of files"))).context.cache_hit)
    assert found == [CacheStats.CACHE_MISS, CacheStats.CACHE_HIT]


def test_a_database_locked_by_another_program_gives_advice(sqlite_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "BUSY_SECONDS", 0)
    impatient = Store.open(sqlite_store.folder)
    other = sqlite3.connect(sqlite_store.folder / DATABASE_FILE, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StorageError, match=r"stayed locked.*find the program"), impatient.write("me"):
        pass
    with impatient.read() as tx:
        assert tx.count(Case) == 0, "reading goes on"
    other.execute("ROLLBACK")
    with impatient.write("me") as tx:
        samples.add_basics(tx, "a")
    other.close()
    impatient.close()


def test_a_read_only_database_gives_advice(sqlite_store: Store) -> None:
    with sqlite_store.write("me") as tx:
        tx._connection.exec_driver_sql("PRAGMA query_only=ON")
        with pytest.raises(StorageError, match=r"read only.*make the folder"):
            samples.add_basics(tx)
        tx._connection.exec_driver_sql("PRAGMA query_only=OFF")


def test_turns_come_in_the_order_of_asking() -> None:
    turns, order, threads = Turns(), [], []
    release = Event()

    def take(number: int) -> None:
        with turns.turn():
            order.append(number)

    with turns.turn():
        for number in range(6):
            thread = Thread(target=take, args=(number,))
            thread.start()
            threads.append(thread)
            while turns.waiting < number + 1:
                release.wait(0.001)
    for thread in threads:
        thread.join()
    assert order == list(range(6))


def test_a_turn_inside_a_turn_is_refused() -> None:
    turns = Turns()
    with turns.turn(), pytest.raises(StateError, match="already open"), turns.turn():
        pass
    with turns.turn():
        pass


def test_a_postgresql_server_that_does_not_answer_gives_advice(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"does not respond.*check that it runs"):
        Store.create(tmp_path / "project", url=f"postgresql://nobody@/none?host={tmp_path}")
