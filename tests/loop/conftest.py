"""Small projects on phantoms, made in milliseconds."""

import hashlib
import shutil
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

from medloop.core.records import Annotator, Model, ProjectSettings, Source, Split
from medloop.images.phantoms import Phantom, phantom_3d
from medloop.loop.data.cases import Incoming, NewCase, add_case
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.workspace import Workspace

SMALL = (24, 24, 16)
FAST = ProjectSettings(strategy="entropy", batch_size=2, train_after=0, train_steps=4, samples=2, audit_fraction=0.0, seed=3)

MakeWorkspace = Callable[..., Workspace]


@cache
def small_phantom(index: int) -> Phantom:
    """One of the phantoms that most projects here are made of; drawing it takes half as long as adding it."""
    return phantom_3d(index, 1, SMALL)


@pytest.fixture
def make_workspace(tmp_path: Path) -> Iterator[MakeWorkspace]:
    """A factory: splits name the cases to make; `labelled` of them (in order) get their truth as imported answer."""
    opened: list[Workspace] = []

    def make(
        splits: list[Split],
        *,
        labelled: int = 0,
        settings: ProjectSettings = FAST,
        name: str = "project",
        url: str | None = None,
        patients: int = 1000,
    ) -> Workspace:
        labels = ["large", "small"]
        workspace = Workspace.create(tmp_path / name, name=name, kind="segmentation", labels=labels, settings=settings, url=url)
        opened.append(workspace)
        teacher = annotator_named(workspace, "import", program=True)
        for index, split in enumerate(splits):
            phantom = small_phantom(index)
            digest = hashlib.sha256(phantom.image.array.tobytes()).hexdigest()
            add_case(
                workspace,
                phantom.image,
                NewCase(
                    name=f"case{index:02d}",
                    patient=f"patient{index % patients:02d}" + (f"-{split}" if patients < len(splits) else ""),
                    split=split,
                    source=Source(format="phantom", names=(phantom.name,), sha256=digest),
                ),
                Incoming(phantom.mask, teacher) if index < labelled else None,
            )
        return workspace

    yield make
    for workspace in opened:
        workspace.close()


@pytest.fixture
def pool(make_workspace: MakeWorkspace) -> Workspace:
    """Six training cases without answers."""
    return make_workspace(["train"] * 6)


@pytest.fixture
def ann(pool: Workspace) -> Annotator:
    """A person of the pool's project."""
    return annotator_named(pool, "Ann")


@pytest.fixture(scope="session")
def stream_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with 30 evaluated patients and a stream; each test has a copy of it."""
    from .streamed import streaming

    folder = tmp_path_factory.mktemp("streaming") / "p"
    streaming(folder)[0].close()
    return folder


@pytest.fixture
def streamed(stream_template: Path, tmp_path: Path) -> Iterator[tuple[Workspace, Model | None]]:
    """A copy of `stream_template` and its model in use."""
    with Workspace.open(shutil.copytree(stream_template, tmp_path / "p")) as workspace:
        with workspace.store.read() as tx:
            model = tx.live_model()
        yield workspace, model
