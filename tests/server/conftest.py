"""Real projects on small phantoms, and a client that speaks to them through the whole application."""

import hashlib
import shutil
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from starlette.types import ASGIApp

from medloop.core.records import Case, Model, Prediction, ProjectSettings, Snapshot, Source, TaskKind, new_id, now
from medloop.images.encode import encode_mask
from medloop.images.phantoms import phantom_3d
from medloop.loop.importing import add_case
from medloop.loop.workspace import Workspace
from medloop.server.app import create_app
from medloop.server.settings import ServerSettings

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
    settings = ProjectSettings(train_after=0, first_strategy="random", audit_fraction=0.0, batch_size=2)
    with Workspace.create(folder, name=f"Phantoms ({kind})", kind=kind, labels=["large", "small"], settings=settings) as workspace:
        for index in range(cases):
            phantom = phantom_3d(index, 3, shape=SHAPE)
            digest = hashlib.sha256(phantom.image.array.tobytes()).hexdigest()
            source = Source(format="phantom", names=(phantom.name,), sha256=digest)
            add_case(workspace, phantom.image, name=phantom.name, patient=phantom.patient, split="train", source=source)


def add_model(workspace: Workspace, case_id: str, *, index: int = 1) -> Prediction:
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
        uncertainty=None,
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

    def count(self, kind: type) -> int:
        """How many records of a kind the store holds."""
        with self.workspace.store.read() as tx:
            return tx.count(kind)

    def opened(self) -> dict:
        """The next case, opened."""
        return self.client.post(f"{self.url}/next", json={}).json()


def serve_in_process(folder: Path, settings: ServerSettings = QUICK) -> Iterator[Site]:
    """Run the application and open the project beside it."""
    with Workspace.open(folder) as workspace, TestClient(create_app(folder, settings), base_url=ADDRESS) as client:
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
def tag_site(tag_folder: Path) -> Iterator[Site]:
    """A served classification project."""
    yield from serve_in_process(tag_folder)
