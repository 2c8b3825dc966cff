"""A project on a disk that is mounted for reading only, served: all of it is seen, no change is lost in silence."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from medloop.loop.annotating.annotations import next_assignment
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.workspace import Workspace
from medloop.server.web.locks import SERVER_LOCK, is_held

from .conftest import API, Served, serve_in_process


@pytest.fixture
def read_only(folder: Path, tmp_path: Path) -> Iterator[Path]:
    if os.geteuid() != 0:
        pytest.skip("mounting needs root")
    with Workspace.open(folder) as workspace:
        assert next_assignment(workspace, annotator_named(workspace, "local").id)
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(disk)], check=True)
    shutil.copytree(folder, disk / "project")
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    yield disk / "project"
    subprocess.run(["umount", "-l", str(disk)], check=True)


def test_everything_is_seen_and_every_change_is_refused_in_one_line(read_only: Path) -> None:
    for site in serve_in_process(read_only):
        project = site.client.get(site.url).json()
        assert project["read_only"] == f"{read_only} lies on a read-only disk"
        case = site.workspace_case()
        for address in ("/cases", "/progress", "/jobs", f"/cases/{case.id}", f"/cases/{case.id}/voxels"):
            assert site.client.get(f"{site.url}{address}").status_code == 200, address
        for address in ("/next", f"/cases/{case.id}/open", "/train"):
            answer = site.client.post(f"{site.url}{address}", json={})
            assert answer.status_code == 503, (address, answer.text)
            assert "lies on a read-only disk" in answer.json()["error"]["message"]
            assert "copy the project" in answer.json()["error"]["remedy"]


def test_a_project_that_can_be_written_says_nothing_of_it(site) -> None:
    assert site.client.get(site.url).json()["read_only"] == ""


def test_it_is_served_by_the_program_without_helpers(start, read_only: Path) -> None:
    server: Served = start(read_only)
    assert [project["name"] for project in server.get("/projects")] == ["Phantoms (segmentation)"]
    assert server.children() == {}
    assert not is_held(read_only, SERVER_LOCK)
    assert API == "/api/v1"
