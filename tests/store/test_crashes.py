"""What is acknowledged survives a kill, and writers in several threads and processes keep one chain."""

import subprocess
import sys
from pathlib import Path
from threading import Thread

from medloop.core.records import Annotation, Annotator
from medloop.store import audit
from medloop.store.store import Store
from tests.conftest import REPOSITORY
from tests.store import samples

ROUNDS = 3
ACKNOWLEDGED = 12


def start_writer(folder: Path, run: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "tests.store.writer_to_kill", str(folder), run]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY)


def read_acknowledged(writer: "subprocess.Popen[str]", least: int) -> list[str]:
    """Wait for some acknowledged answers, kill -9, and take what else was acknowledged until then."""
    assert writer.stdout is not None
    lines = [writer.stdout.readline().strip() for _ in range(least)]
    writer.kill()
    rest = writer.stdout.read()
    writer.wait()
    writer.stdout.close()
    return lines + [line for line in rest.splitlines(keepends=True) if line.endswith("\n")]


def test_a_killed_writer_loses_no_acknowledged_answer(store: Store) -> None:
    with store.write("me") as tx:
        samples.add_basics(tx, "a")
    for number in range(ROUNDS):
        acknowledged = [line.strip() for line in read_acknowledged(start_writer(store.folder, f"run{number}"), ACKNOWLEDGED + number)]
        with store.read() as tx:
            answers = [tx.get(Annotation, id) for id in acknowledged]  # noqa: A001
            every = tx.find(Annotation)
        assert len(answers) >= ACKNOWLEDGED
        assert all(answer.blob and store.blobs.get(answer.blob) for answer in every), "no row without its bytes"
        assert audit.verify(store, blobs=False).ok
    Store.open(store.folder).close()
    assert list((store.folder / "blobs" / "tmp").iterdir()) == []


def test_two_processes_write_one_chain(store: Store) -> None:
    with store.write("me") as tx:
        samples.add_basics(tx, "a")
    writers = [start_writer(store.folder, f"side{n}") for n in range(2)]
    acknowledged = [id for writer in writers for id in read_acknowledged(writer, ACKNOWLEDGED)]  # noqa: A001
    assert len(acknowledged) >= 2 * ACKNOWLEDGED
    assert audit.verify(store, blobs=False).ok


def test_many_threads_write_one_chain(store: Store) -> None:
    def join(name: str) -> None:
        for number in range(5):
            with store.write(name) as tx:
                tx.add(samples.annotator(f"{name}-{number}"))

    threads = [Thread(target=join, args=(f"thread{n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    report = audit.verify(store, blobs=False)
    assert (report.ok, report.events) == (True, 40)
    with store.read() as tx:
        assert tx.count(Annotator) == 40
