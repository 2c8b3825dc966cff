"""Blobs elsewhere, by command."""

import json
from pathlib import Path

import pytest

from medloop.loop.foundation.workspace import Workspace

from .conftest import Medloop


def test_blobs_move_and_the_old_place_is_cleared_when_told(medloop: Medloop, project: Path, tmp_path: Path) -> None:
    url = f"file://{tmp_path}/share/liver"
    said = medloop("move-blobs", project, url)
    assert (said.status, f"at {url}, before at folder. Start servers and workers" in said.err) == (0, True)
    assert list((project / "blobs").glob("??/*"))
    assert medloop("move-blobs", project, url).status == 0
    cleared = json.loads(medloop("move-blobs", project, "folder", "--clear", "--json").out)
    assert (cleared["removed"] > 0, list((project / "blobs").glob("??/*"))) == (True, [])
    assert medloop("doctor", project).status == 0
    assert medloop("audit", project).status == 0
    with Workspace.open(project) as workspace:
        assert workspace.store.blobs.where("0" * 64) == f"{url}/00/{'0' * 64}"
    again = medloop("move-blobs", project, url, "--clear")
    assert (again.status, f"The blobs of this project are at {url}" in again.err) == (1, True)


def test_a_new_project_keeps_its_blobs_where_it_is_told(medloop: Medloop, tmp_path: Path) -> None:
    url = f"file://{tmp_path}/share"
    made = ("--kind", "segmentation", "--label", "liver", "--blobs", url)
    assert medloop("init", tmp_path / "one", *made).status == 0
    assert (tmp_path / "share" / "medloop-blobs.json").exists()
    second = medloop("init", tmp_path / "two", *made)
    assert (second.status, "holds the blobs of another project" in second.err) == (1, True)
    assert not (tmp_path / "two" / "medloop.json").exists()


@pytest.mark.parametrize("url", ["s3://key:hunter2@bucket/p", "memory://x", "share/liver"])
def test_a_url_that_cannot_keep_blobs_is_wrong_use(medloop: Medloop, tmp_path: Path, project: Path, url: str) -> None:
    for words in (("init", tmp_path / "new", "--kind", "segmentation", "--label", "a", "--blobs", url), ("move-blobs", project, url)):
        said = medloop(*words)
        assert (said.status, "hunter2" in said.err, said.err.count("\n")) == (2, False, 1)


def test_only_a_project_in_postgresql_is_joined(medloop: Medloop, tmp_path: Path, project: Path) -> None:
    said = medloop("join", tmp_path / "new", "--database", f"sqlite:///{project / 'medloop.sqlite'}")
    assert (said.status, "shared through PostgreSQL" in said.err) == (2, True)
    said = medloop("join", project, "--database", "postgresql://nobody@127.0.0.1:9/none")
    assert (said.status, "already holds a medloop project" in said.err) == (1, True)
    said = medloop("join", tmp_path / "new", "--database", "postgresql://nobody:hunter2@127.0.0.1:9/none")
    assert (said.status, "hunter2" in said.err, (tmp_path / "new").exists()) == (1, False, False)
