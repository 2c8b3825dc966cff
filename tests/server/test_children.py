"""Child processes: kept running, asked to stop, and ended with everything they started."""

import os
import signal
from pathlib import Path

import pytest

from medloop.server.processes.children import Child

STUBBORN = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
grandchild = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
open(sys.argv[1], "w").write(str(grandchild.pid))
time.sleep(60)
"""
DYING = "import sys; open(sys.argv[1], 'a').write('x')"
TIED = """
import sys
from medloop.server.processes.lifeline import Lifeline
line = Lifeline(grace_seconds=60)
open(sys.argv[1], "w").write("up")
line.stopping.wait(60)
open(sys.argv[1], "w").write("stopped")
"""


@pytest.fixture
def note(tmp_path: Path) -> Path:
    return tmp_path / "note.txt"


@pytest.fixture
def child(tmp_path: Path, note: Path, monkeypatch: pytest.MonkeyPatch):
    """A child that runs a given program; ended with the test."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    made: list[Child] = []

    def make(program: str) -> Child:
        (tmp_path / "a_program.py").write_text(program)
        made.append(Child("test", "a_program", [str(note)], {}))
        made[-1].start()
        return made[-1]

    yield make
    for each in made:
        each.request_stop()
        each.wait(0)


def test_a_child_that_ends_is_started_again(child, until, note: Path) -> None:
    child(DYING)
    assert until(lambda: note.exists() and len(note.read_text()) >= 2)


def test_the_pause_before_a_new_start_grows(child, until, note: Path, caplog: pytest.LogCaptureFixture) -> None:
    child(DYING)
    assert until(lambda: len(caplog.messages) >= 3)
    assert [m.rpartition(" in ")[2] for m in caplog.messages[:3]] == ["0.5 s", "1.0 s", "2.0 s"]
    assert "exit status 0" in caplog.messages[0]


def test_a_stopped_child_is_not_started_again(child, until, note: Path) -> None:
    one = child(TIED)
    assert until(lambda: note.exists() and note.read_text() == "up")
    one.request_stop()
    one.wait(60)
    assert one.pid is None
    assert note.read_text() == "stopped"


def test_a_child_that_does_not_listen_is_ended_with_all_it_started(child, until, alive, note: Path) -> None:
    one = child(STUBBORN)
    assert until(lambda: note.exists() and note.read_text() != "")
    grandchild = int(note.read_text())
    one.request_stop()
    one.wait(0.1)
    assert one.pid is None
    assert until(lambda: not alive(grandchild))


def test_a_child_that_is_killed_takes_along_all_it_started(child, until, alive, note: Path) -> None:
    one = child(STUBBORN)
    assert until(lambda: note.exists() and note.read_text() != "")
    grandchild = int(note.read_text())
    assert one.pid is not None
    os.kill(one.pid, signal.SIGKILL)
    assert until(lambda: not alive(grandchild))


def test_waiting_for_a_child_that_never_ran_returns() -> None:
    Child("none", "none", [], {}).wait(1)
