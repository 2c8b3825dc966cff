"""Explanations over REST: a real model behind a real assistant, and objections that stay."""

import base64
import gzip
import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uvicorn

from medloop.core.errors import StateError
from medloop.core.geometry import Grid
from medloop.core.image import Image, Mask
from medloop.core.records import Case, ProjectSettings, Source
from medloop.images.phantoms import phantom_3d
from medloop.loop.data.cases import Incoming, NewCase, add_case
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.round_moves import start_training
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.worker import drain
from medloop.server.app import create_app
from medloop.server.processes.assistant import Assistant, create_assistant, private_socket

from .conftest import ADDRESS, API, QUICK, SHAPE, Site, TestClient, add_model


@contextmanager
def beside(assistant: Assistant, folder: Path, path: Path) -> Iterator[Site]:
    """A served project and an assistant beside it, at a socket."""
    listener = private_socket(path)
    listener.listen()
    server = uvicorn.Server(uvicorn.Config(create_assistant(assistant), log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    app = create_app(folder, QUICK, assistant=path)
    with Workspace.open(folder) as workspace, TestClient(app, base_url=ADDRESS) as client:
        yield Site(client, workspace)
    server.should_exit = True
    thread.join()
    assistant.close()


@pytest.fixture
def explained(trained_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A served project with a trained model, and its assistant."""
    with beside(Assistant(trained_folder), trained_folder, tmp_path_factory.mktemp("s") / "a.sock") as site:
        yield site


class Refusing(Assistant):
    """Explains nothing, and says why."""

    def explain(self, asked: dict[str, str]) -> dict[str, Any]:
        """Refuse."""
        raise StateError(f"There are no {asked['what']} of tags", remedy="see the prediction's probabilities")


def unpacked(text: str, dtype: type, shape: tuple[int, int, int]) -> np.ndarray:
    return np.frombuffer(gzip.decompress(base64.b64decode(text)), dtype=dtype).reshape(shape, order="F")


def test_maps_hypotheses_and_similar_cases_lie_on_the_case(explained: Site) -> None:
    case = explained.workspace_case()
    url = f"{explained.url}/cases/{case.id}"
    for method in ("grad-cam", "integrated-gradients"):
        found = explained.client.get(f"{url}/explanation", params={"label": 1, "method": method}).json()
        values = unpacked(found["map"], np.int8, case.grid.shape)
        assert (found["method"], found["label"]) == (method, 1)
        assert found["largest"] == 0 or np.abs(values).max() == 127
    found = explained.client.get(f"{url}/hypotheses", params={"most": 2}).json()
    assert 1 <= len(found["hypotheses"]) <= 2
    assert sum(h["weight"] for h in found["hypotheses"]) == pytest.approx(1)
    assert unpacked(found["hypotheses"][0]["mask"], np.uint8, case.grid.shape).max() <= 2
    wrong = explained.client.get(f"{url}/explanation", params={"label": 9})
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (422, "unknown_label")
    assert explained.client.get(f"{url}/explanation", params={"label": 1, "method": "magic"}).status_code == 422
    assert explained.client.get(f"{explained.url}/cases/case-0/hypotheses").status_code == 404


def phantom_of(workspace: Workspace, name: str, mm: float, *, answered: bool) -> Case:
    made = phantom_3d(len(name), 3, SHAPE)
    grid = Grid.of_spacing(SHAPE, (mm, mm, mm))
    source = Source(format="phantom", names=(name,), sha256=hashlib.sha256(name.encode()).hexdigest())
    answer = Mask(np.minimum(made.mask.array, 2), grid) if answered else None
    by = annotator_named(workspace, "import", program=True) if answered else None
    image = Image(made.image.array, grid)
    made_case = add_case(
        workspace,
        image,
        NewCase(name=name, patient=name, split="train", source=source),
        Incoming(answer, by) if answer is not None else None,
    )
    assert made_case is not None
    return made_case


def test_a_case_of_absurd_voxel_size_is_named_and_refused_in_one_true_line(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    settings = ProjectSettings(train_after=0, audit_fraction=0.0, train_steps=2, samples=2, interactive_network=True)
    folder = tmp_path / "odd"
    with Workspace.create(folder, name="Odd", kind="segmentation", labels=["large", "small"], settings=settings) as workspace:
        for name, mm in (("a", 1.0), ("bb", 1.5), ("ccc", 1.5)):
            phantom_of(workspace, name, mm, answered=True)
        case = phantom_of(workspace, "kilometres", 1e6, answered=False)
        start_training(workspace)
        drain(workspace)
    with beside(Assistant(folder), folder, tmp_path_factory.mktemp("s") / "a.sock") as site:
        (damaged,) = site.client.get(site.url).json()["oversized"]
        opened = site.client.post(f"{site.url}/cases/{case.id}/open", json={}).json()
        click = {"kind": "point", "voxel": [5, 5, 4], "label": 1, "positive": True}
        url = f"{API}/projects/{site.workspace.project.id}/assignments/{opened['assignment']['id']}/prompts"
        answers = [site.client.get(f"{site.url}/cases/{case.id}/{asked}") for asked in ("explanation?label=1", "hypotheses")]
        answers.append(site.client.post(url, json={"base_revision": 0, "prompt": click}))
        results = [job.result for job in site.workspace.store.jobs.list()]
    assert (damaged["name"], damaged["remedy"]) == ("kilometres", "check the voxel size in its file, or flag the case")
    for answer in answers:
        told = answer.json()["error"]
        assert (answer.status_code, told["code"], told["remedy"]) == (422, "grid_too_large", "check the voxel size in its file")
        assert "1e+06 × 1e+06 × 1e+06 mm" in told["message"]
    assert any(entry["case_id"] == case.id for result in results for entry in (result or {}).get("left_out", []))


def test_what_the_assistant_refuses_is_told_in_its_own_words(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    with beside(Refusing(folder), folder, tmp_path_factory.mktemp("s") / "a.sock") as site:
        case = site.workspace_case()
        add_model(site.workspace, case.id)
        answer = site.client.get(f"{site.url}/cases/{case.id}/hypotheses")
    assert answer.status_code == 409
    told = {"code": "wrong_state", "message": "There are no hypotheses of tags", "remedy": "see the prediction's probabilities"}
    assert answer.json()["error"] == told


def test_without_an_assistant_the_remedy_is_named(site: Site) -> None:
    url = f"{site.url}/cases/{site.workspace_case().id}"
    answer = site.client.get(f"{url}/hypotheses")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "unavailable")
    assert site.client.get(f"{url}/similar").json()["error"]["code"] == "not_found"


def test_an_objection_is_recorded_and_listed(site: Site) -> None:
    case = site.workspace_case()
    url = f"{site.url}/cases/{case.id}/objections"
    body = {
        "label": 1,
        "method": "grad-cam",
        "regions": [{"start": [0, 0, 0], "stop": [2, 3, 4]}, {"axis": 2, "index": 7}],
        "reason": "ruler",
    }
    made = site.client.post(url, json=body, headers={"X-Annotator": "Ann"}).json()
    i, j, _ = case.grid.shape
    assert (made["case_id"], made["voxels"], made["reason"]) == (case.id, 24 + i * j, "ruler")
    assert site.client.post(url, json={**body, "regions": []}).json()["voxels"] == 0
    assert [o["voxels"] for o in site.client.get(url).json()] == [made["voxels"], 0]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"label": 9}, "unknown_label"),
        ({"method": "magic"}, "bad_setting"),
        ({"regions": [{"axis": 2, "index": 999}]}, "invalid_input"),
        ({"regions": [{"start": [3, 0, 0], "stop": [3, 1, 1]}]}, "invalid_input"),
        ({"more": 1}, "invalid_request"),
    ],
)
def test_an_objection_that_does_not_fit_is_refused(site: Site, change: dict, code: str) -> None:
    body = {"label": 1, "method": "grad-cam", "regions": [], **change}
    answer = site.client.post(f"{site.url}/cases/{site.workspace_case().id}/objections", json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, code)


def test_the_server_itself_imports_no_torch() -> None:
    import subprocess
    import sys

    code = "import sys, medloop.server.app; sys.exit('torch' in sys.modules or 'captum' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
