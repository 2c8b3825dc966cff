"""A server on a socket with the MONAI Label surface, and clients that know nothing of medloop."""

import http.client
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from medloop.core.records import Case
from medloop.loop.annotating.engines import EngineChoice
from medloop.loop.foundation.workspace import Workspace
from medloop.server.app import create_app
from medloop.server.web.connections import GuardedProtocol
from tests.loop.tiny_engine import BallEngine
from tests.server.conftest import QUICK, add_model, serving_assistant

BOUNDARY = "----------lImIt_of_THE_fIle_eW_$"


@dataclass(frozen=True)
class Answer:
    """What a server answered."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Surface:
    """The surface of one project, over sockets, and the project beside it."""

    port: int
    workspace: Workspace
    authorization: str = ""

    @property
    def path(self) -> str:
        return f"/monai/{self.workspace.project.id}"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{self.path}"

    @property
    def case(self) -> Case:
        """The first case by name."""
        with self.workspace.store.read() as tx:
            return tx.find(Case, order=("name",), limit=1)[0]

    def send(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        known = {"Authorization": self.authorization} if self.authorization else {}
        connection.request(method, self.path + path, body, {**known, **{name.replace("_", "-"): value for name, value in headers.items()}})
        got = connection.getresponse()
        answer = Answer(got.status, {name.lower(): value for name, value in got.getheaders()}, got.read())
        connection.close()
        return answer

    def get(self, path: str, **headers: str) -> Answer:
        return self.send("GET", path, **headers)

    def send_json(self, method: str, path: str, body: Any) -> Answer:
        return self.send(method, path, json.dumps(body).encode(), Content_Type="application/json")

    def send_form(self, method: str, path: str, fields: dict[str, Any] | None = None, **files: tuple[str, bytes]) -> Answer:
        """A form with JSON fields and files, written as the clients write it."""
        lines: list[bytes] = []
        for name, value in (fields or {}).items():
            lines += [f"--{BOUNDARY}".encode(), f'Content-Disposition: form-data; name="{name}"'.encode(), b"", json.dumps(value).encode()]
        for name, (filename, content) in files.items():
            head = f'Content-Disposition: form-data; name="{name}"; filename="{filename}"'
            lines += [f"--{BOUNDARY}".encode(), head.encode(), b"Content-Type: application/octet-stream", b"", content]
        body = b"\r\n".join([*lines, f"--{BOUNDARY}--".encode(), b""])
        return self.send(method, path, body, Content_Type=f"multipart/form-data; boundary={BOUNDARY}")


@contextmanager
def on_a_socket(app: Any) -> Iterator[int]:
    """Serve an application as `medloop serve` does; its port."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, http=GuardedProtocol, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        thread.join(0.01)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()


def predict_all(workspace: Workspace) -> None:
    """Let made-up models have seen every case."""
    with workspace.store.read() as tx:
        cases = tx.find(Case, order=("name",))
    for number, case in enumerate(cases, 1):
        add_model(workspace, case.id, index=number)


@pytest.fixture
def surface(folder: Path) -> Iterator[Surface]:
    """A served project whose cases made-up models have seen."""
    with Workspace.open(folder) as workspace:
        predict_all(workspace)
        with on_a_socket(create_app(folder, QUICK)) as port:
            yield Surface(port, workspace)


@pytest.fixture
def assisted(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Surface]:
    """The same with an assistant that answers clicks by balls."""
    with Workspace.open(folder) as workspace:
        predict_all(workspace)
        place = tmp_path_factory.mktemp("s") / "a.sock"
        with (
            serving_assistant(folder, place, lambda _workspace, _name: EngineChoice("balls", lambda: BallEngine())) as socket,
            on_a_socket(create_app(folder, QUICK, assistant=socket)) as port,
        ):
            yield Surface(port, workspace)
