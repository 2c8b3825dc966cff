"""The worker's turn through several projects, and what the server process never loads."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from medloop.core.records import Assignment
from medloop.loop.annotating.annotations import next_assignment, skip_case
from medloop.loop.annotating.drafts import Edit, save_patch
from medloop.loop.foundation import workspace as limits
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.workspace import Workspace
from medloop.server.processes.worker import work
from medloop.server.web.locks import WORKER_LOCK, is_held


def test_every_project_of_a_folder_gets_its_jobs_done(templates: Path, tmp_path: Path) -> None:
    for name in ("segmentation", "classification"):
        shutil.copytree(templates / name, tmp_path / name)
    workspaces = [Workspace.open(tmp_path / name) for name in ("segmentation", "classification")]
    jobs = [w.store.jobs.enqueue("query", {}) for w in workspaces]
    held: list[bool] = []

    def is_done() -> bool:
        held.append(all(is_held(w.folder, WORKER_LOCK) for w in workspaces))
        return all(w.store.jobs.get(j.id).state == "done" for w, j in zip(workspaces, jobs, strict=True))

    work(tmp_path, "worker-1", is_done)
    assert held[-1]
    assert not any(is_held(w.folder, WORKER_LOCK) for w in workspaces)
    for workspace in workspaces:
        workspace.close()


def test_a_job_that_fails_does_not_end_the_worker(folder: Path) -> None:
    with Workspace.open(folder) as workspace:
        bad, good = workspace.store.jobs.enqueue("nonsense", {}), workspace.store.jobs.enqueue("query", {})
        work(folder, "worker-1", lambda: workspace.store.jobs.get(good.id).state == "done")
        assert workspace.store.jobs.get(bad.id).state == "failed"


def test_a_case_left_open_is_given_back_by_the_worker_of_a_server_when_nobody_asks_for_a_case(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Workspace.open(folder) as workspace:
        ann, bob = (annotator_named(workspace, name).id for name in ("Ann", "Bob"))
        left, theirs = next_assignment(workspace, ann), next_assignment(workspace, bob)
        assert left is not None
        assert theirs is not None
        save_patch(workspace, left.assignment.id, Edit(0, [(0, 3, 1)]))
        skip_case(workspace, theirs.assignment.id, reason="blurred")
        monkeypatch.setattr(limits, "LEASE_HOURS", 0.0)

        def is_released() -> bool:
            with workspace.store.read() as tx:
                return tx.get(Assignment, left.assignment.id).state == "released"

        looks = iter(range(20))
        work(folder, "worker-1", lambda: is_released() or next(looks, None) is None)
        assert is_released()


HEAVY = ("torch", "monai", "scipy", "sklearn", "nibabel", "pydicom", "PIL", "pandas", "matplotlib")
USE = """
import json, sys
from pathlib import Path
import warnings; warnings.simplefilter("ignore")
from starlette.testclient import TestClient
from medloop.server.app import create_app
import medloop.server.processes.supervise
with TestClient(create_app(Path(sys.argv[1])), base_url="http://127.0.0.1") as client:
    url = "/api/v1/projects/" + client.get("/api/v1/projects").json()[0]["id"]
    opened = client.post(url + "/next", json={}).json()
    assignment = url + "/assignments/" + opened["assignment"]["id"]
    client.patch(assignment + "/draft", json={"base_revision": 0, "runs": [[0, 3, 1]]})
    client.post(assignment + "/submit", json={"revision": 1})
    client.post(url + "/train", json={})
    for address in ("", "/progress", "/jobs", "/cases", "/upcoming"):
        assert client.get(url + address).status_code == 200
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""


def test_a_server_that_has_done_all_its_work_has_loaded_nothing_heavy(folder: Path) -> None:
    answer = subprocess.run([sys.executable, "-c", USE, str(folder)], capture_output=True, text=True, check=True)
    assert set(json.loads(answer.stdout)).isdisjoint(HEAVY)
