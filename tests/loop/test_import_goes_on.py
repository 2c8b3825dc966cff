"""One file that cannot be read costs one case; only a store that cannot write ends an import."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Picture

from medloop.core.errors import MedloopError, StorageError
from medloop.core.records import Case
from medloop.loop.data import read_ahead as intake
from medloop.loop.data.importing import import_dataset
from medloop.loop.foundation.workspace import Workspace
from medloop.store.audit import verify


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Eight pictures."""
    (tmp_path / "in/images").mkdir(parents=True)
    for n in range(8):
        pixels = np.random.default_rng(n).integers(0, 200, (6, 8)).astype(np.uint8)
        Picture.fromarray(pixels).save(tmp_path / f"in/images/c{n}.png")
    return tmp_path / "in"


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace.create(tmp_path / "project", name="p", kind="segmentation", labels=["a"])


def stored(workspace: Workspace) -> list[str]:
    with workspace.store.read() as tx:
        return sorted(case.name for case in tx.find(Case))


def test_a_file_that_vanishes_midway_is_named_and_the_rest_goes_on(workspace: Workspace, source: Path) -> None:
    def vanish(done: int, _total: int, _name: str) -> None:
        if done == 2:
            (source / "images/c4.png").unlink()

    report = import_dataset(workspace, source, report=vanish)
    assert len(report.added) == 7
    assert [r.file for r in report.refused] == ["c4"]
    assert "no such file" in report.refused[0].rule


def test_a_mask_that_vanishes_midway_is_named(workspace: Workspace, source: Path) -> None:
    (source / "masks").mkdir()
    Picture.fromarray(np.ones((6, 8), np.uint8)).save(source / "masks/c4.png")
    report = import_dataset(workspace, source, report=lambda *_: (source / "masks/c4.png").unlink(missing_ok=True))
    assert (len(report.added), [r.file for r in report.refused]) == (7, ["c4"])


FAULTS = (PermissionError(13, "Permission denied"), MemoryError(), StorageError("c2.png: cannot be read: Input/output error"), EOFError())


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: type(fault).__name__)
def test_whatever_reading_raises_costs_one_case(
    workspace: Workspace, source: Path, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    real = intake.read_image

    def reading(paths):
        if Path(paths).name == "c2.png":
            raise fault
        return real(paths)

    monkeypatch.setattr(intake, "read_image", reading)
    report = import_dataset(workspace, source)
    assert (len(report.added), [r.file for r in report.refused]) == (7, ["c2"])
    assert "\n" not in str(report.refused[0])


def test_a_folder_named_like_a_picture_and_a_link_to_nowhere_are_named(workspace: Workspace, source: Path) -> None:
    (source / "images/odd.png").mkdir()
    (source / "images/gone.png").symlink_to(source / "images/nothing.png")
    os.mkfifo(source / "images/pipe.png")
    report = import_dataset(workspace, source)
    assert len(report.added) == 8
    assert {r.file for r in report.refused} == {"images/gone.png", "images/pipe.png"}


def test_a_store_that_cannot_write_ends_the_import_and_says_how_far_it_came(
    workspace: Workspace, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = workspace.store.blobs.put

    def full(data: bytes) -> str:
        if len(stored(workspace)) == 3:
            raise StorageError("The disk is full", remedy="free some space")
        return real(data)

    monkeypatch.setattr(workspace.store.blobs, "put", full)
    with pytest.raises(StorageError, match=r"stopped at c3, 3 of 8 cases are done and kept: The disk is full; free some space, then"):
        import_dataset(workspace, source)
    assert stored(workspace) == ["c0", "c1", "c2"]


def test_an_interrupt_keeps_what_is_finished_and_the_same_import_goes_on(workspace: Workspace, source: Path) -> None:
    def interrupt(done: int, _total: int, _name: str) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_dataset(workspace, source, report=interrupt)
    assert stored(workspace) == ["c0", "c1", "c2"]
    assert len(import_dataset(workspace, source).added) == 5


KILLED = """
import os, signal, sys
from pathlib import Path
from medloop.loop.data.importing import import_dataset
from medloop.loop.foundation.workspace import Workspace

def report(done, total, name):
    if done == 4:
        os.kill(os.getpid(), signal.SIGKILL)

with Workspace.open(Path(sys.argv[1])) as workspace:
    import_dataset(workspace, Path(sys.argv[2]), report=report)
"""


def test_a_killed_import_goes_on_where_it_was_and_doubles_nothing(workspace: Workspace, source: Path) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, str(workspace.folder), str(source)], check=False, timeout=120)
    assert done.returncode == -signal.SIGKILL
    before = stored(workspace)
    assert before == ["c0", "c1", "c2", "c3"]
    report = import_dataset(workspace, source)
    assert (len(report.added), sorted(report.duplicates), report.refused) == (4, before, ())
    assert stored(workspace) == [f"c{n}" for n in range(8)]
    assert verify(workspace.store).ok


def test_an_import_in_which_nothing_can_be_read_names_all(workspace: Workspace, source: Path) -> None:
    for path in (source / "images").iterdir():
        path.write_bytes(b"nothing")
    report = import_dataset(workspace, source)
    assert (report.added, len(report.refused)) == ((), 8)
    assert not any(isinstance(r, MedloopError) for r in report.refused)
