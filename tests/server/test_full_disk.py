"""A project on a disk without a free byte: it is looked at and exported to another disk, and a refused change loses nothing."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from medloop.cli.main import app
from medloop.core.records import Annotation, DraftPatch
from medloop.loop.foundation.workspace import Workspace

from .conftest import Site, serve_in_process, small_disk
from .test_read_only import cases_by_name, look, write_on


def fill_up(disk: Path) -> Path:
    """Leave not one byte on a disk; the file that takes the room."""
    with (disk / "filler").open("wb", buffering=0) as filler:
        try:
            while True:
                filler.write(bytes(4096))
        except OSError:
            pass
    room = os.statvfs(disk)
    assert room.f_bavail == 0
    return disk / "filler"


@pytest.fixture
def disk(folder: Path, tmp_path: Path) -> Iterator[Path]:
    write_on(folder)
    with small_disk(folder, tmp_path / "disk") as project:
        yield project.parent


@pytest.fixture
def full(disk: Path) -> Path:
    fill_up(disk)
    return disk / "project"


def test_a_full_disk_is_looked_at_by_the_page(full: Path) -> None:
    for site in serve_in_process(full):
        assert site.client.get(site.url).json()["read_only"].startswith(f"the disk of {full} is full")
        assert look(site, cases_by_name(site.workspace)[0])["situation"]["standing"]["annotator"] == "Ada"
        case = site.workspace_case()
        assert site.client.get(f"{site.url}/cases/{case.id}/voxels").status_code == 200
        answer = site.client.post(f"{site.url}/cases/{case.id}/open", json={})
        assert (answer.status_code, "is full" in answer.json()["error"]["message"]) == (507, True)


def test_the_commands_that_only_read_work_on_a_full_disk(full: Path, tmp_path: Path) -> None:
    for command in (["status", str(full)], ["audit", str(full)], ["export", str(full), str(tmp_path / "out"), "--format", "nnunet"]):
        done = CliRunner().invoke(app, command)
        assert done.exit_code == 0, (command, done.output, done.exception)
    assert list((tmp_path / "out").rglob("*.nii.gz"))


def test_a_change_on_a_full_disk_is_refused_truly(full: Path) -> None:
    done = CliRunner().invoke(app, ["train", str(full)])
    assert done.exit_code != 0
    assert "is full" in str(done.exception or done.output)


def test_a_disk_that_fills_up_under_a_server_refuses_edits_truly_and_loses_nothing(disk: Path) -> None:
    for site in serve_in_process(disk / "project"):
        opened = site.opened()
        drafts = f"{site.url}/assignments/{opened['assignment']['id']}/draft"
        assert site.client.patch(drafts, json={"base_revision": 0, "runs": [[0, 5, 1]]}).status_code == 200
        filler, revision, refused = fill_up(disk), 1, None
        while refused is None:  # the pages that the journal has already are used up first
            runs = [[voxel, 1, 1 + voxel % 2] for voxel in range(900)]
            answer = site.client.patch(drafts, json={"base_revision": revision, "runs": runs})
            revision, refused = (revision + 1, None) if answer.status_code == 200 else (revision, answer)
        assert refused.status_code == 507
        assert "disk is full" in refused.json()["error"]["message"].lower()
        assert site.client.get(site.url).json()["read_only"].endswith("then open the project again")
        assert saved(site) == (revision, 1)
        filler.unlink()
        assert site.client.get(site.url).json()["read_only"] == ""
        again = site.client.patch(drafts, json={"base_revision": revision, "runs": [[7, 1, 2]]})
        assert again.status_code == 200, again.text
    with Workspace.open(disk / "project") as workspace, workspace.store.read() as tx:
        assert (tx.count(DraftPatch), tx.count(Annotation)) == (revision + 1, 1)


def saved(site: Site) -> tuple[int, int]:
    return site.count(DraftPatch), site.count(Annotation)
