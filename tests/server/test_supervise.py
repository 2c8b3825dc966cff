"""Real processes: light server, worker and assistant beside it, restarts, and a clean end however it comes."""

import json
import os
import signal
import socket
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from medloop.server.web.feed import MAX_LISTENERS

ALONE = {"MEDLOOP_WORKER": "0", "MEDLOOP_ASSISTANT": "0"}


def maps(pid: int) -> str:
    return Path(f"/proc/{pid}/maps").read_text()


def memory_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1024


def test_the_server_stays_light_and_an_idle_assistant_has_not_loaded_torch(start, until, folder: Path) -> None:
    server = start(folder)
    assert until(lambda: set(server.children()) == {"worker", "assistant"})
    assert until(lambda: server.get("/projects")[0]["cases"] == 5)
    project = server.get("/projects")[0]["id"]
    assert until(lambda: server.get(f"/projects/{project}")["workers"]["alive"])
    assert until(lambda: (folder / "assistant.sock").exists())
    assert (folder / "assistant.sock").stat().st_mode & 0o777 == 0o600
    for pid in (server.process.pid, server.children()["assistant"]):
        assert "libtorch" not in maps(pid)
    assert memory_mb(server.process.pid) <= 150


def test_the_worker_gives_way_to_the_page(start, until, folder: Path) -> None:
    server = start(folder, MEDLOOP_ASSISTANT="0")
    project = server.get("/projects")[0]["id"]
    assert until(lambda: server.get(f"/projects/{project}")["workers"]["alive"])
    worker = server.children()["worker"]
    group = Path(f"/proc/{worker}/autogroup")
    assert os.getpriority(os.PRIO_PROCESS, worker) == 10
    assert not group.exists() or group.read_text().endswith("nice 5\n")
    assert os.getpriority(os.PRIO_PROCESS, server.process.pid) == 0


def test_a_killed_worker_and_a_killed_assistant_are_started_again(start, until, folder: Path) -> None:
    server = start(folder)
    assert until(lambda: len(server.children()) == 2)
    before = server.children()
    for pid in before.values():
        os.kill(pid, signal.SIGKILL)
    assert until(lambda: len(server.children()) == 2 and not set(server.children().values()) & set(before.values()))
    assert server.get("/health")["status"] == "ok"


def test_a_second_server_on_the_same_folder_is_refused_in_one_line(start, folder: Path) -> None:
    first = start(folder, **ALONE)
    second = start(folder, **ALONE)
    message = second.process.communicate(timeout=60)[1]
    assert second.process.returncode == 1
    assert f"Another medloop server (process {first.process.pid}) already serves" in message
    assert len(message.splitlines()) == 1
    assert first.get("/health")["status"] == "ok"


def test_listening_beyond_loopback_is_refused_in_one_line(start, folder: Path) -> None:
    server = start(folder, MEDLOOP_HOST="0.0.0.0")
    message = server.process.communicate(timeout=60)[1]
    assert server.process.returncode == 1
    assert "with accounts and encryption only" in message
    assert len(message.splitlines()) == 1


def test_a_taken_port_is_named_with_the_remedy(start, folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        server = start(folder, **ALONE, MEDLOOP_PORT=str(other.getsockname()[1]))
        message = server.process.communicate(timeout=60)[1]
    assert server.process.returncode == 1
    assert "--port" in message
    assert len(message.splitlines()) == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_asked_to_stop_it_ends_its_streams_and_its_children_in_time(start, until, alive, folder: Path, number: int) -> None:
    server = start(folder)
    assert until(lambda: len(server.children()) == 2)
    children = server.children().values()
    stream = urllib.request.urlopen(f"{server.url}api/v1/projects/{server.get('/projects')[0]['id']}/stream", timeout=60)
    assert stream.readline() == b"retry: 2000\n"
    server.process.send_signal(number)
    assert b"event: change" in stream.read()
    server.process.wait(timeout=60)
    assert server.process.returncode == 0
    assert not any(alive(pid) for pid in children)
    assert not (folder / "assistant.sock").exists()


def test_a_page_that_went_away_no_longer_counts_as_a_listener(start, until, folder: Path) -> None:
    server = start(folder, **ALONE, MEDLOOP_HEARTBEAT_SECONDS="0.05")
    address = f"{server.url}api/v1/projects/{server.get('/projects')[0]['id']}/stream"
    for _ in range(MAX_LISTENERS):
        with urllib.request.urlopen(address, timeout=60) as stream:
            stream.readline()

    def is_free() -> bool:
        try:
            with urllib.request.urlopen(address, timeout=60) as stream:
                return stream.readline() == b"retry: 2000\n"
        except urllib.error.HTTPError:
            return False

    assert until(is_free)


def test_killed_outright_it_leaves_no_orphan(start, until, alive, folder: Path) -> None:
    server = start(folder)
    assert until(lambda: (folder / "assistant.sock").exists())
    children = server.children().values()
    server.process.kill()
    assert until(lambda: not any(alive(pid) for pid in children))
    again = start(folder, **ALONE)
    assert again.get("/health")["status"] == "ok"


def test_a_missing_proposal_is_made_by_the_assistant_and_told_on_the_stream(start, until, trained_folder: Path) -> None:
    server = start(trained_folder, MEDLOOP_WORKER="0")
    assert until(lambda: (trained_folder / "assistant.sock").exists())
    project = server.get("/projects")[0]["id"]
    rows = server.get(f"/projects/{project}/cases")["rows"]
    unseen = next(row["id"] for row in rows if row["entropy"] is None)
    with urllib.request.urlopen(f"{server.url}api/v1/projects/{project}/stream", timeout=60) as stream:
        opened = server.send("POST", f"/projects/{project}/cases/{unseen}/open")
        assert opened["prediction"] is None
        while stream.readline() != b"event: proposal\n":
            pass
        told = json.loads(stream.readline().removeprefix(b"data: "))
    assert told["case_id"] == unseen
    assert server.get(f"/projects/{project}/predictions/{told['prediction_id']}")["case_id"] == unseen
    assert "libtorch" not in maps(server.process.pid)


def test_the_worker_trains_what_the_page_asks_for(start, until, trained_folder: Path) -> None:
    server = start(trained_folder, MEDLOOP_ASSISTANT="0")
    project = server.get("/projects")[0]["id"]
    job = server.send("POST", f"/projects/{project}/train", {"again": True})["job_id"]
    ended = ("done", "failed")
    assert until(lambda: {j["id"]: j["state"] for j in server.get(f"/projects/{project}/jobs")}[job] in ended)
    assert server.get(f"/projects/{project}")["model"]["index"] == 2
    lines = server.get(f"/projects/{project}/jobs/{job}/log")["lines"]
    assert any("model 2 is ready" in line["text"] for line in lines)


def test_endless_headers_are_refused_and_cost_no_memory(start, folder: Path) -> None:
    server = start(folder, **ALONE)
    before = memory_mb(server.process.pid)
    port = int(server.url.rstrip("/").rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        try:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n")
            for number in range(100_000):
                connection.sendall(b"X-%d: %s\r\n" % (number, b"x" * 100))
            answer = connection.recv(100)
        except (BrokenPipeError, ConnectionResetError):
            answer = b"HTTP/1.1 400"
    assert b" 400" in answer or answer == b""
    assert memory_mb(server.process.pid) - before < 20
    assert server.get("/health")["status"] == "ok"
