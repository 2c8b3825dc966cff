"""Archives over REST against a real Orthanc: looked up, pulled and pushed by jobs, and nothing of whom one looked for is kept."""

import http.server
import socketserver
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import pytest

from medloop.core.records import Job
from medloop.loop.annotating.measuring import MeasurementRequest
from medloop.loop.data.pacs_spool import alone
from medloop.loop.foundation.job_kinds import ARCHIVE
from medloop.loop.project import Project
from medloop.loop.worker import drain, keep_up, run_job

from ..dicom_series import IDENTITY, write_stack
from ..orthanc import Orthanc, write_sites
from .conftest import Site, serve_in_process


@pytest.fixture
def archived(running_orthanc: Orthanc, tmp_path: Path) -> Iterator[Site]:
    """A project whose archive holds a series of one patient."""
    running_orthanc.empty()
    running_orthanc.put(sorted(write_stack(tmp_path / "files").iterdir()))
    folder = tmp_path / "project"
    Project.create(folder, kind="segmentation", labels=["liver"]).close()
    write_sites(folder, running_orthanc)
    yield from serve_in_process(folder)


def sent(site: Site, verb: str, **body: object) -> httpx.Response:
    return site.client.post(f"{site.url}/archives/{verb}", json=body)


def job(site: Site, reply: httpx.Response) -> Job:
    """The job that a reply names, once it has ended."""
    assert reply.status_code == 200, reply.text
    drain(site.workspace)
    return site.workspace.store.jobs.get(reply.json()["job_id"])


def test_what_is_found_is_pulled_annotated_and_pushed_back_once(archived: Site, running_orthanc: Orthanc) -> None:
    assert archived.client.get(f"{archived.url}/archives").json() == {"servers": ["dimse", "web"], "trouble": ""}
    found = sent(archived, "find", server="web", patient=IDENTITY).json()
    (study,) = found["studies"]
    assert (study["patient"], study["instances"], found["more"]) == (IDENTITY, 4, False)
    wanted = {"server": "web", "studies": [study["study"]], "modality": "CT"}
    first, again = sent(archived, "pull", **wanted), sent(archived, "pull", **wanted)
    assert first.json() == again.json()  # the same pull that waits already counts
    assert job(archived, first).result["message"].startswith("1 series, 0 were there; 4 files fetched, 1 case added")
    assert not list((archived.workspace.work_folder / "pacs-wanted").iterdir())
    assert job(archived, sent(archived, "pull", **wanted)).result["there"] == 1

    project = Project(archived.workspace)
    opened = project.next()
    assert opened is not None
    project.measure(opened, MeasurementRequest(kind="length", points=[(1, 1, 1), (4, 3, 1)], axis=2, index=1))
    project.submit(opened, (np.indices(opened.case.grid.shape)[0] > 2).astype(np.uint8))
    for fmt, modality in (("dicom-seg", "SEG"), ("dicom-sr", "SR")):
        body = {"server": "web", "format": fmt, "case_ids": [opened.case.id]}
        assert (
            job(archived, sent(archived, "push", **body)).result["message"]
            == f"1 object stored on web as {fmt}, 0 there before, 0 left out"
        )
        assert job(archived, sent(archived, "push", **body)).result["before"] == 1
        stored = [running_orthanc.call("GET", f"/series/{one}").json() for one in running_orthanc.call("GET", "/series").json()]
        assert [one["MainDicomTags"]["Modality"] for one in stored].count(modality) == 1
        assert {one["ParentStudy"] for one in stored} == {stored[0]["ParentStudy"]}

    with archived.workspace.store.read() as tx:
        kept = str([event.body for event in tx.events()]) + str(tx.find(Job))
    assert IDENTITY not in kept
    assert study["study"] not in kept


def test_what_a_cancelled_pull_was_about_is_forgotten_at_once(archived: Site) -> None:
    waiting = sent(archived, "pull", server="web", studies=["1.2.3"]).json()["job_id"]
    kept = archived.workspace.work_folder / "pacs-wanted"
    assert len(list(kept.iterdir())) == 1
    assert archived.client.post(f"{archived.url}/jobs/{waiting}/cancel", json={}).json()["state"] == "cancelled"
    assert not list(kept.iterdir())
    running = sent(archived, "pull", server="web", studies=["1.2.3"]).json()["job_id"]
    claimed = archived.workspace.store.jobs.claim("worker", kinds=ARCHIVE)
    assert claimed is not None
    assert archived.client.post(f"{archived.url}/jobs/{running}/cancel", json={}).status_code == 200
    assert len(list(kept.iterdir())) == 1  # still needed until it stops
    fetched = archived.workspace.work_folder / "pacs-pull" / "growing" / "dicom-1"
    fetched.mkdir(parents=True)
    (fetched / "1.dcm").write_bytes(b"of a patient")
    run_job(archived.workspace, claimed)
    assert archived.workspace.store.jobs.get(running).state == "cancelled"
    assert not list(kept.iterdir())
    assert not fetched.exists()


def test_what_a_pull_was_about_is_forgotten_also_where_its_worker_died_before_it_was_cancelled(archived: Site) -> None:
    workspace = archived.workspace
    running = sent(archived, "pull", server="web", studies=["1.2.3"]).json()["job_id"]
    assert workspace.store.jobs.claim("dead", kinds=ARCHIVE, lease_seconds=0.0) is not None
    assert archived.client.post(f"{archived.url}/jobs/{running}/cancel", json={}).status_code == 200
    fetched = workspace.work_folder / "pacs-pull" / "growing" / "dicom-1"
    fetched.mkdir(parents=True)
    keep_up(workspace)  # a worker that is alive: who was asked to stop still may
    assert len(list((workspace.work_folder / "pacs-wanted").iterdir())) == 1
    while workspace.store.jobs.get(running).state != "cancelled":
        workspace.store.jobs.claim("next", kinds=["nothing"])
    keep_up(workspace)
    assert not list((workspace.work_folder / "pacs-wanted").iterdir())
    assert not fetched.exists()


def test_a_pull_waits_for_one_of_the_command_line(archived: Site) -> None:
    workspace = archived.workspace
    found = sent(archived, "find", server="web", patient=IDENTITY).json()
    wanted = sent(archived, "pull", server="web", studies=[found["studies"][0]["study"]]).json()["job_id"]
    with ThreadPoolExecutor(1) as pool:
        with alone(workspace.work_folder / "pacs-pull", "pull"):
            running = pool.submit(drain, workspace)
            while "waits" not in workspace.store.jobs.get(wanted).message:
                assert not running.done()
        running.result()
    assert "1 case added" in workspace.store.jobs.get(wanted).result["message"]


def test_a_search_for_everything_and_a_server_that_is_not_listed_are_refused(archived: Site, running_orthanc: Orthanc) -> None:
    assert "something that narrows it" in sent(archived, "find", server="web").json()["error"]["message"]
    assert "lists no server 'other'" in sent(archived, "find", server="other", patient="4711*").json()["error"]["message"]
    assert "lists no server 'other'" in sent(archived, "pull", server="other", studies=["1.2.3"]).json()["error"]["message"]
    write_sites(archived.workspace.folder, running_orthanc, hosts='"pacs.example"')
    refused = sent(archived, "pull", server="web", studies=["1.2.3"]).json()["error"]
    assert "is not allowed" in refused["message"]
    assert "127.0.0.1" not in str(refused)
    assert archived.client.get(f"{archived.url}/archives").json()["servers"] == []
    (archived.workspace.folder / "pacs.toml").unlink()
    assert "pacs.toml" in archived.client.get(f"{archived.url}/archives").json()["trouble"]


def test_a_pull_of_what_is_not_there_fails_in_one_line(archived: Site) -> None:
    reply = sent(archived, "pull", server="web", studies=["1.2.3"])
    with pytest.raises(Exception, match="No series of images is in these studies"):
        drain(archived.workspace)
    assert archived.workspace.store.jobs.get(reply.json()["job_id"]).state == "failed"


def test_an_archive_that_refuses_its_credentials_signs_nobody_out(archived: Site) -> None:
    with socketserver.TCPServer(("127.0.0.1", 0), Refusing) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        place = archived.workspace.folder / "pacs.toml"
        place.write_text(f'hosts = ["127.0.0.1"]\n[servers.ward]\nurl = "http://127.0.0.1:{server.server_address[1]}"\n')
        refused = sent(archived, "find", patient="4711*")
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "unavailable")
        wanted = sent(archived, "pull", studies=["1.2.3"]).json()["job_id"]
        with pytest.raises(Exception, match="refuses the credentials"):
            drain(archived.workspace)
        assert archived.workspace.store.jobs.get(wanted).attempt == 1  # no password is tried twice
        server.shutdown()


class Refusing(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(401)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_words: object) -> None:
        pass
