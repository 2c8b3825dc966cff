"""The assistant: proposals from a real model, over a private socket, with errors in the one shape."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from medloop.core.errors import UnavailableError
from medloop.core.records import Case, Model, Prediction
from medloop.loop.foundation.workspace import Workspace
from medloop.server.processes.assistant import Assistant, create_assistant, private_socket
from medloop.server.web.assistant import AssistantLink
from medloop.server.web.proposals import Proposer


@pytest.fixture
def trained(trained_folder: Path, client_of) -> Iterator[tuple[Workspace, Any]]:
    """A trained project and its assistant."""
    assistant = Assistant(trained_folder)
    with Workspace.open(trained_folder) as workspace:
        yield workspace, client_of(create_assistant(assistant))
    assistant.close()


def unseen(workspace: Workspace) -> tuple[str, str]:
    """Project and case id of the case no model has predicted."""
    with workspace.store.read() as tx:
        return workspace.project.id, tx.find(Case, descending=True, limit=1)[0].id


def test_a_case_is_predicted_once_with_the_newest_model(trained) -> None:
    workspace, client = trained
    project_id, case_id = unseen(workspace)
    assert client.get("/health").json() == {"status": "ok", "model_id": None}
    body = {"project_id": project_id, "case_id": case_id}
    first, second = (client.post("/propose", json=body).json()["prediction_id"] for _ in range(2))
    with workspace.store.read() as tx:
        prediction, model = tx.get(Prediction, first), tx.find(Model)[0]
    assert first == second
    assert (prediction.case_id, prediction.model_id) == (case_id, model.id)
    assert client.get("/health").json()["model_id"] == model.id


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"{", 422), (b"[]", 422), (b'{"case_id": 3}', 422), (b"{}", 404), (b'{"project_id": "x", "case_id": "y"}', 404)],
)
def test_a_question_it_cannot_answer_is_refused_in_the_one_shape(trained, body: bytes, status: int) -> None:
    answer = trained[1].post("/propose", content=body)
    assert answer.status_code == status
    assert set(answer.json()["error"]) == {"code", "message", "remedy"}


@pytest.mark.parametrize("body", [b"{", b"[]", b"{}", b'{"verb": "wish"}', b'{"verb": "add", "project_id": "p", "assignment_id": "a"}'])
def test_a_request_to_refine_of_another_shape_is_refused(trained, body: bytes) -> None:
    answer = trained[1].post("/refine", content=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "bad_file")


def test_an_unknown_case_is_not_found(trained) -> None:
    workspace, client = trained
    answer = client.post("/propose", json={"project_id": workspace.project.id, "case_id": "case-0"})
    assert answer.status_code == 404


def test_its_socket_is_private_and_replaces_a_left_over_one(tmp_path: Path) -> None:
    path = tmp_path / "a.sock"
    for _ in range(2):
        private_socket(path).close()
        assert path.stat().st_mode & 0o777 == 0o600


@pytest.fixture
def running(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The socket of an assistant that runs for a project without a model."""
    path = tmp_path_factory.mktemp("s") / "a.sock"
    assistant = Assistant(folder)
    server = uvicorn.Server(uvicorn.Config(create_assistant(assistant), log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [_listening(path)]})
    thread.start()
    yield path
    server.should_exit = True
    thread.join()
    assistant.close()


def _listening(path: Path):
    listener = private_socket(path)
    listener.listen()
    return listener


def test_without_a_model_the_server_hears_that_there_is_none(running: Path, folder: Path) -> None:
    with Workspace.open(folder) as workspace:
        project_id, case_id = unseen(workspace)
    with pytest.raises(UnavailableError, match="There is no model yet"):
        asyncio.run(AssistantLink(running).request("/propose", {"project_id": project_id, "case_id": case_id}))


def test_an_assistant_that_does_not_run_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="does not respond"):
        asyncio.run(AssistantLink(tmp_path / "none.sock").request("/propose", {}, start_seconds=0.0))


def test_nothing_is_asked_when_the_newest_model_is_shown_or_there_is_none(trained_folder: Path, tmp_path: Path) -> None:
    proposer = Proposer(AssistantLink(tmp_path / "none.sock"), lambda *_: None)
    with Workspace.open(trained_folder) as workspace, workspace.store.read() as tx:
        shown, newest = tx.find(Prediction, limit=1)[0], tx.live_model()
    assert not proposer.want("p", "case-1", shown=None, newest=None)
    assert not proposer.want("p", shown.case_id, shown=shown, newest=newest)
    assert proposer.want("p", shown.case_id, shown=None, newest=newest)
    proposer.close()


def test_without_an_assistant_nothing_is_asked(trained_folder: Path) -> None:
    proposer = Proposer(AssistantLink(None), lambda *_: None)
    with Workspace.open(trained_folder) as workspace, workspace.store.read() as tx:
        newest = tx.live_model()
    assert newest is not None
    assert not proposer.want("p", "case-1", shown=None, newest=newest)
    proposer.close()
