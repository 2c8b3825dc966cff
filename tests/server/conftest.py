"""Real projects on small phantoms, and a client that speaks to them through the whole application."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
import time
import urllib.request
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uvicorn
from starlette.types import ASGIApp

from medloop.core.arrays import MaskArray
from medloop.core.records import Case, Model, Prediction, ProjectSettings, Snapshot, Source, Split, TaskKind, new_id, now
from medloop.images.encode import encode_mask
from medloop.images.phantoms import phantom_3d
from medloop.loop.annotating.annotations import next_assignment, submit
from medloop.loop.annotating.engines import EngineChoice
from medloop.loop.annotating.submission import Submitted
from medloop.loop.data.cases import NewCase, add_case
from medloop.loop.foundation import effort_log
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.round_moves import start_training
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.worker import drain
from medloop.server.app import create_app
from medloop.server.processes.assistant import Assistant, create_assistant, private_socket
from medloop.server.web.settings import ServerSettings
from tests.loop.tiny_engine import BallEngine

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # Starlette's wish for another HTTP library
    from starlette.testclient import TestClient

ADDRESS = "http://127.0.0.1:8000"
API = "/api/v1"
SHAPE = (12, 10, 8)
CASES = 5
QUICK = ServerSettings(poll_seconds=0.02, heartbeat_seconds=0.1, worker=False, assistant=False)


def fill_project(folder: Path, kind: TaskKind, *, cases: int = CASES) -> None:
    """A project of unlabelled phantoms; nothing trains by itself."""
    settings = ProjectSettings(train_after=0, first_strategy="random", audit_fraction=0.0, batch_size=2, train_steps=2, samples=2)
    with Workspace.create(folder, name=f"Phantoms ({kind})", kind=kind, labels=["large", "small"], settings=settings) as workspace:
        for index in range(cases):
            add_phantom(workspace, index)


def add_phantom(workspace: Workspace, index: int, *, split: Split = "train") -> Case | None:
    """One more unlabelled phantom."""
    phantom = phantom_3d(index, 3, shape=SHAPE)
    digest = hashlib.sha256(phantom.image.array.tobytes()).hexdigest()
    source = Source(format="phantom", names=(phantom.name,), sha256=digest)
    return add_case(workspace, phantom.image, NewCase(name=phantom.name, patient=phantom.patient, split=split, source=source))


def train_project(folder: Path) -> None:
    """Answer three cases, train a real network for two steps, and add a case that it has not seen."""
    box = np.zeros(SHAPE, np.uint8)
    box[2:6, 2:6, 2:6] = 1
    with Workspace.open(folder) as workspace:
        person = annotator_named(workspace, "local")
        for _ in range(3):
            opened = next_assignment(workspace, person.id)
            assert opened is not None
            submit(workspace, opened.assignment.id, Submitted(mask=box))
        start_training(workspace)
        drain(workspace)
        add_phantom(workspace, CASES)


@contextmanager
def small_disk(folder: Path, disk: Path, *options: str) -> Iterator[Path]:
    """A copy of a project on a file system of its own, mounted anew with options ("ro") once it is filled."""
    if os.geteuid() != 0:
        pytest.skip("mounting needs root")
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(disk)], check=True)
    try:
        shutil.copytree(folder, disk / "project")
        if options:
            subprocess.run(["mount", "-o", ",".join(("remount", *options)), str(disk)], check=True)
        yield disk / "project"
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def add_model(workspace: Workspace, case_id: str, *, index: int = 1, uncertainty: MaskArray | None = None) -> Prediction:
    """A made-up model that proposes a box in one case."""
    mask = np.zeros(SHAPE, np.uint8)
    mask[2:5, 2:5, 2:5] = 1
    snapshot = Snapshot(id=new_id("snapshot"), annotation_ids=(), digest="0" * 64, created_at=now())
    model = Model(id=new_id("model"), index=index, recipe={}, snapshot_id=snapshot.id, weights=(), metrics={"steps": 3}, created_at=now())
    prediction = Prediction(
        id=new_id("prediction"),
        case_id=case_id,
        model_id=model.id,
        mask=workspace.store.blobs.put(encode_mask(mask)),
        uncertainty=None if uncertainty is None else workspace.store.blobs.put(encode_mask(uncertainty)),
        probabilities=(0.7, 0.2, 0.1),
        features=None,
        scores={"entropy": 0.4},
        quality=0.8,
        quality_low=0.7,
        quality_high=0.9,
        created_at=now(),
    )
    with workspace.store.write("test") as tx:
        tx.add(snapshot)
        tx.add(model)
        tx.add(prediction)
    return prediction


@pytest.fixture(scope="session")
def templates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One filled project per kind, to be copied."""
    root = tmp_path_factory.mktemp("templates")
    fill_project(root / "segmentation", "segmentation")
    fill_project(root / "classification", "classification")
    return root


@pytest.fixture(scope="session")
def trained_template(templates: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a real, barely trained model and one case that it has not predicted."""
    folder = Path(shutil.copytree(templates / "segmentation", tmp_path_factory.mktemp("trained") / "project"))
    train_project(folder)
    return folder


@pytest.fixture
def trained_folder(trained_template: Path, tmp_path: Path) -> Path:
    """A fresh copy of it."""
    return Path(shutil.copytree(trained_template, tmp_path / "trained"))


@pytest.fixture
def folder(templates: Path, tmp_path: Path) -> Path:
    """A fresh segmentation project."""
    return Path(shutil.copytree(templates / "segmentation", tmp_path / "project"))


@pytest.fixture
def tag_folder(templates: Path, tmp_path: Path) -> Path:
    """A fresh classification project."""
    return Path(shutil.copytree(templates / "classification", tmp_path / "tags"))


@pytest.fixture
def client_of() -> Callable[[ASGIApp], TestClient]:
    """A client for any application, at the address the page would have."""
    return lambda app: TestClient(app, base_url=ADDRESS)


@dataclass(frozen=True)
class Site:
    """A client, the project it sees, and the same project opened beside the server."""

    client: TestClient
    workspace: Workspace

    @property
    def url(self) -> str:
        """Address of the project."""
        return f"{API}/projects/{self.workspace.project.id}"

    def workspace_case(self) -> Case:
        """The first case by name."""
        with self.workspace.store.read() as tx:
            return tx.find(Case, order=("name",), limit=1)[0]

    def last_case(self) -> Case:
        """The case added last."""
        with self.workspace.store.read() as tx:
            return tx.find(Case, descending=True, limit=1)[0]

    def count(self, kind: type) -> int:
        """How many records of a kind the store holds."""
        with self.workspace.store.read() as tx:
            return tx.count(kind)

    def opened(self) -> dict:
        """The next case, opened."""
        return self.client.post(f"{self.url}/next", json={}).json()


@pytest.fixture
def an_hour_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Work is reported an hour after its case was opened, by the server's clock."""
    monkeypatch.setattr(effort_log, "now", lambda: now(timedelta(hours=1)))


def serve_in_process(folder: Path, settings: ServerSettings = QUICK, *, assistant: Path | None = None) -> Iterator[Site]:
    """Run the application and open the project beside it."""
    app = create_app(folder, settings, assistant=assistant)
    with Workspace.open(folder) as workspace, TestClient(app, base_url=ADDRESS) as client:
        yield Site(client, workspace)


@pytest.fixture
def serve_folder() -> Callable[[Path], TestClient]:
    """A client of a served folder, to be entered."""
    return lambda folder: TestClient(create_app(folder, QUICK), base_url=ADDRESS)


@pytest.fixture
def site(folder: Path) -> Iterator[Site]:
    """A served segmentation project."""
    yield from serve_in_process(folder)


@pytest.fixture
def balls() -> BallEngine:
    """The engine that the assistant of `refined_site` uses."""
    return BallEngine()


@contextmanager
def serving_assistant(folder: Path, path: Path, *choose: Callable[[Workspace, str], EngineChoice]) -> Iterator[Path]:
    """An assistant on a socket, in a thread."""
    assistant = Assistant(folder, *choose)
    listener = private_socket(path)
    listener.listen()
    server = uvicorn.Server(uvicorn.Config(create_assistant(assistant), log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield path
    finally:
        server.should_exit = True
        thread.join()
        assistant.close()


@pytest.fixture
def refined_site(folder: Path, tmp_path_factory: pytest.TempPathFactory, balls: BallEngine) -> Iterator[Site]:
    """A served segmentation project with an assistant that answers gestures by `balls`."""
    with serving_assistant(
        folder, tmp_path_factory.mktemp("s") / "a.sock", lambda _workspace, _name: EngineChoice("balls", lambda: balls)
    ) as path:
        yield from serve_in_process(folder, assistant=path)


@pytest.fixture
def tag_site(tag_folder: Path) -> Iterator[Site]:
    """A served classification project."""
    yield from serve_in_process(tag_folder)


@pytest.fixture
def predicted(site: Site) -> Prediction:
    """A prediction of the first case by a made-up model."""
    return add_model(site.workspace, site.workspace_case().id)


PROGRAM = """
import sys
from pathlib import Path
from medloop.core.errors import MedloopError
from medloop.server.web.settings import read_settings
from medloop.server.processes.supervise import serve
import os
try:
    serve(Path(sys.argv[1]), read_settings(os.environ), ready=lambda url: print(url, flush=True))
except MedloopError as error:
    sys.exit(str(error))
"""


@dataclass
class Served:
    """A real server process."""

    process: subprocess.Popen[str]
    url: str

    def get(self, address: str) -> Any:
        """The JSON at an address."""
        with urllib.request.urlopen(f"{self.url}api/v1{address}", timeout=60) as answer:
            return json.load(answer)

    def send(self, method: str, address: str, body: object = None, *, raw: bytes = b"", **headers: str) -> Any:
        """Change something; JSON unless raw bytes are given."""
        kind = "application/octet-stream" if raw else "application/json"
        data = raw or json.dumps(body or {}).encode()
        request = urllib.request.Request(f"{self.url}api/v1{address}", data, {"Content-Type": kind, **headers}, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def children(self) -> dict[str, int]:
        """Process ids of worker and assistant, by name."""
        found = {}
        for status in Path("/proc").glob("[0-9]*/stat"):
            try:
                parent = int(status.read_text().rpartition(")")[2].split()[1])
                command = (status.parent / "cmdline").read_text().split("\0")
            except OSError:
                continue  # it has just ended
            if parent == self.process.pid and "-m" in command:
                found[command[command.index("-m") + 1].rpartition(".")[2]] = int(status.parent.name)
        return found


def wait_until(condition: Callable[[], bool], seconds: float = 240.0) -> bool:
    """Look at a condition of other processes until it holds; False when it never does."""
    deadline, pause = time.monotonic() + seconds, threading.Event()
    while time.monotonic() < deadline:
        if condition():
            return True
        pause.wait(0.05)
    return False


def is_alive(pid: int) -> bool:
    """Whether a process still does something."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


@pytest.fixture
def start() -> Iterator[Callable[..., Served]]:
    """Start real servers; all of them are gone afterwards."""
    served: list[Served] = []

    def start_server(folder: Path, **settings: str) -> Served:
        environment = {**os.environ, "MEDLOOP_PORT": "0", "OMP_NUM_THREADS": "1", **settings}
        command = [sys.executable, "-c", PROGRAM, str(folder)]
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert process.stdout is not None
        served.append(Served(process, process.stdout.readline().strip()))
        return served[-1]

    yield start_server
    for server in served:
        server.process.kill()
        server.process.communicate()


@pytest.fixture
def until() -> Callable[..., bool]:
    """`wait_until`, for tests."""
    return wait_until


@pytest.fixture
def alive() -> Callable[[int], bool]:
    """`is_alive`, for tests."""
    return is_alive
