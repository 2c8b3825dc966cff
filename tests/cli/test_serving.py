import json
import os
import signal
import subprocess
import threading
import time
import urllib.request
from pathlib import Path

import pytest

from medloop.server.web.locks import WORKER_LOCK, is_held

from .conftest import Medloop, command_line

ALONE = {"MEDLOOP_WORKER": "0", "MEDLOOP_ASSISTANT": "0"}


def start(*arguments: object, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command_line(*arguments), stderr=subprocess.PIPE, text=True, env={**os.environ, **environment, "OMP_NUM_THREADS": "1"}
    )


def stop(process: subprocess.Popen[str], number: int) -> tuple[int, str]:
    process.send_signal(number)
    _, err = process.communicate(timeout=120)
    return process.returncode, err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_serve_says_its_address_answers_and_stops_cleanly(project: Path, number: int):
    process = start("serve", project, "--port", 0, "--no-worker", "--no-assistant")
    assert process.stderr is not None
    line = process.stderr.readline()
    address = next(word for word in line.split() if word.startswith("http://127.0.0.1:"))
    with urllib.request.urlopen(f"{address}api/v1/health", timeout=10) as answer:
        assert json.load(answer)["status"] == "ok"
    code, rest = stop(process, number)
    assert (code, rest) == (0, "")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_worker_is_seen_and_stops_cleanly(project: Path, number: int):
    process = start("worker", project)
    pause, deadline = threading.Event(), time.monotonic() + 120
    while not is_held(project, WORKER_LOCK):
        assert time.monotonic() < deadline
        pause.wait(0.1)
    code, err = stop(process, number)
    assert code == 0
    assert err.startswith("Working for ")


def test_a_served_folder_is_not_served_twice(project: Path):
    first = start("serve", project, "--port", 0, "--no-worker", "--no-assistant")
    assert first.stderr is not None
    first.stderr.readline()
    second = start("serve", project, "--port", 0, "--no-worker", "--no-assistant")
    _, err = second.communicate(timeout=120)
    stop(first, signal.SIGTERM)
    assert second.returncode == 1
    assert "already serves" in err


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "example.org"])
def test_listening_beyond_loopback_is_refused_before_anything_else(medloop: Medloop, tmp_path: Path, host: str):
    said = medloop("serve", tmp_path / "gone", "--host", host)
    assert said.status == 2
    assert "encryption only" in said.err or "is an IP address" in said.err
    assert said.err.count("\n") == 1


def test_settings_of_the_environment_are_checked_too(medloop: Medloop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MEDLOOP_HOST", "0.0.0.0")
    assert medloop("serve", tmp_path).status == 2


def test_the_demonstration_makes_its_project_once(tmp_path: Path):
    process = start("demo", "--folder", tmp_path / "demo", "--port", 0, "--no-browser", **ALONE)
    assert process.stderr is not None
    lines = [process.stderr.readline(), process.stderr.readline()]
    code, _ = stop(process, signal.SIGTERM)
    assert code == 0
    assert lines[0].startswith("Making 24 phantoms")
    assert "http://127.0.0.1:" in lines[1]
    again = start("demo", "--folder", tmp_path / "demo", "--port", 0, "--no-browser", **ALONE)
    assert again.stderr is not None
    assert again.stderr.readline().startswith("Serving ")
    assert stop(again, signal.SIGTERM)[0] == 0
