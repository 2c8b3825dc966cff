"""A project on a disk that is mounted for reading only, served: all of it is seen, no change is lost in silence."""

import gzip
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from medloop.core.records import Assignment, Case
from medloop.loop.annotating.annotations import next_assignment, open_case, skip_case, submit
from medloop.loop.annotating.submission import Submitted
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.workspace import Workspace
from medloop.server.web.locks import SERVER_LOCK, is_held

from .conftest import API, SHAPE, Served, Site, add_model, serve_in_process, small_disk


def cases_by_name(workspace: Workspace) -> list[Case]:
    with workspace.store.read() as tx:
        return tx.find(Case, order=("name",))


def write_on(folder: Path) -> None:
    """One case annotated by Ada, one proposed and skipped, one opened."""
    box = np.zeros(SHAPE, np.uint8)
    box[2:6, 2:6, 2:6] = 2
    with Workspace.open(folder) as workspace:
        ada, local = annotator_named(workspace, "Ada").id, annotator_named(workspace, "local").id
        first, second, *_ = cases_by_name(workspace)
        submit(workspace, open_case(workspace, first.id, ada).assignment.id, Submitted(mask=box))
        add_model(workspace, second.id)
        skip_case(workspace, open_case(workspace, second.id, local).assignment.id, reason="too dark")
        assert next_assignment(workspace, local)


@pytest.fixture
def read_only(folder: Path, tmp_path: Path) -> Iterator[Path]:
    write_on(folder)
    with small_disk(folder, tmp_path / "disk", "ro") as project:
        yield project


def look(site: Site, case: Case) -> dict:
    answer = site.client.get(f"{site.url}/cases/{case.id}/look")
    assert answer.status_code == 200, answer.text
    return answer.json()


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


def test_a_case_is_looked_at_with_whose_annotation_stands_and_its_mask(read_only: Path) -> None:
    for site in serve_in_process(read_only):
        seen = look(site, cases_by_name(site.workspace)[0])
        assert seen["situation"]["base"]["kind"] == "annotation"
        assert seen["situation"]["standing"]["annotator"] == "Ada"
        assert (seen["prediction"], seen["situation"]["withdrawn"]) == (None, None)
        mask = site.client.get(f"{site.url}/annotations/{seen['previous']['id']}/mask")
        assert np.frombuffer(gzip.decompress(mask.content) if mask.content[:2] == b"\x1f\x8b" else mask.content, np.uint8).max() == 2


def test_a_case_without_annotation_is_looked_at_with_its_proposal_and_why_it_was_skipped(read_only: Path) -> None:
    for site in serve_in_process(read_only):
        _, second, third, *_ = cases_by_name(site.workspace)
        seen = look(site, second)
        assert (seen["situation"]["base"]["kind"], seen["prediction"]["model_index"], seen["previous"]) == ("prediction", 1, None)
        assert seen["situation"]["withdrawn"]["reason"] == "too dark"
        assert look(site, third)["situation"]["base"]["kind"] == "blank"


def test_looking_at_a_case_writes_nothing_where_writing_is_possible(site: Site) -> None:
    def written() -> tuple[int, int]:
        with site.workspace.store.read() as tx:
            return len(tx.events()), tx.count(Assignment)

    before = written()
    look(site, site.workspace_case())
    assert written() == before


def test_a_damaged_annotation_is_not_what_is_looked_at(folder: Path) -> None:
    write_on(folder)
    for site in serve_in_process(folder):
        first = cases_by_name(site.workspace)[0]
        annotation = look(site, first)["previous"]["id"]
        with site.workspace.store.read() as tx:
            blob = next(a.blob for a in tx.current_annotations(case_ids=[first.id]) if a.id == annotation)
        assert blob is not None
        next((folder / "blobs").rglob(f"*{blob[-20:]}*")).write_bytes(b"")
        seen = look(site, first)
        assert (seen["previous"], seen["situation"]["base"]["kind"], seen["situation"]["standing"]["annotator"]) == (None, "blank", "Ada")


def test_a_project_that_can_be_written_says_nothing_of_it(site) -> None:
    assert site.client.get(site.url).json()["read_only"] == ""


def test_it_is_served_by_the_program_without_helpers(start, read_only: Path) -> None:
    server: Served = start(read_only)
    assert [project["name"] for project in server.get("/projects")] == ["Phantoms (segmentation)"]
    assert server.children() == {}
    assert not is_held(read_only, SERVER_LOCK)
    assert API == "/api/v1"
