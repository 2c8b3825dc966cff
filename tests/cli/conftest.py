"""Data sets and projects on small phantoms, and two ways to call the program: in process, and as a process."""

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from medloop.cli.main import status_of
from medloop.core.records import ProjectSettings, Source
from medloop.datasets.export import ExportCase, export_csv, export_msd
from medloop.images.phantoms import phantom_3d, phantom_tags
from medloop.loop.data.importing import import_dataset
from medloop.loop.foundation.workspace import Workspace

SHAPE = (16, 16, 12)
LABELS = ["liver", "kidneys"]
SETTINGS = ProjectSettings(train_after=0, first_strategy="random", strategy="entropy", batch_size=2, train_steps=2, samples=2)
NOWHERE = Source(format="phantom", names=("phantom",), sha256="0" * 64)
PICTURE = Source(format="raster", names=("picture.png",), sha256="0" * 64)


@dataclass(frozen=True)
class Said:
    """How a command ended and what it said."""

    status: int
    out: str
    err: str


Medloop = Callable[..., Said]


@pytest.fixture
def medloop(capsys: pytest.CaptureFixture[str]) -> Medloop:
    """Call the command line in this process."""

    def call(*arguments: object) -> Said:
        capsys.readouterr()
        status = status_of([str(a) for a in arguments])
        said = capsys.readouterr()
        return Said(status, said.out, said.err)

    return call


def command_line(*arguments: object) -> list[str]:
    """The program as a process of its own."""
    return [sys.executable, "-c", "from medloop.cli.main import run; run()", *(str(a) for a in arguments)]


def run_process(*arguments: object, **environment: str) -> Said:
    """Run the program as a process of its own, to its end."""
    variables = {**os.environ, "OMP_NUM_THREADS": "1", **environment}
    done = subprocess.run(command_line(*arguments), capture_output=True, text=True, env=variables, timeout=280, check=False)
    return Said(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """A Decathlon folder of six labelled phantoms and three unlabelled ones."""
    phantoms = [phantom_3d(n, 1, SHAPE) for n in range(9)]
    cases = [ExportCase(p.name, p.patient, "train", p.image, p.mask if n < 6 else None, None, NOWHERE) for n, p in enumerate(phantoms)]
    export_msd(cases, tmp_path / "dataset", LABELS)
    (tmp_path / "dataset/medloop.csv").unlink()  # as if from elsewhere: splits are drawn
    return tmp_path / "dataset"


@pytest.fixture
def tagged(tmp_path: Path) -> Path:
    """A CSV of six classified pictures."""
    pictures = [phantom_tags(n, 1, (24, 24)) for n in range(6)]
    cases = [ExportCase(p.name, p.patient, "train", p.image, None, ("healthy", "lesion")[p.tag], PICTURE) for p in pictures]
    export_csv(cases, tmp_path / "tagged", ["healthy", "lesion"])
    return tmp_path / "tagged"


@pytest.fixture
def project(tmp_path: Path, dataset: Path) -> Path:
    """A project with that data set in it; six answers, three cases to ask."""
    return make_project(tmp_path / "project", dataset)


def make_project(folder: Path, source: Path, *, labels: Sequence[str] = LABELS, settings: ProjectSettings = SETTINGS) -> Path:
    """A project filled from a source."""
    with Workspace.create(folder, name=folder.name, kind="segmentation", labels=labels, settings=settings) as workspace:
        import_dataset(workspace, source)
    return folder
