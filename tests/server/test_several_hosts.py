"""Two servers and two workers, each with a folder of its own, on one PostgreSQL database and one bucket: as on four hosts."""

import gzip
import json
import os
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest

from medloop.core.records import Annotation, Model, Prediction, ProjectSettings
from medloop.images.encode import decode_mask
from medloop.loop.foundation.workspace import Workspace
from medloop.server.web.locks import somebody_works
from medloop.store import audit, claims
from medloop.store.claims import ConflictError, require_fellow
from medloop.store.doctor import examine
from medloop.store.homes import Places
from medloop.store.joining import join
from tests.postgres import empty_database

from .conftest import CASES, SHAPE, Served, add_phantom, wait_until

SETTINGS = ProjectSettings(train_after=0, first_strategy="random", audit_fraction=0.0, batch_size=2, train_steps=150, samples=2)

WORKER = """
import sys
from pathlib import Path
from medloop.store import jobs
from medloop.loop.foundation import job_control
jobs.LEASE_SECONDS = job_control.LEASE_SECONDS = 3.0
jobs.JobQueue.claim.__kwdefaults__["lease_seconds"] = 3.0  # its death is noticed in three seconds instead of fifteen
from medloop.server.processes.worker import work
work(Path(sys.argv[1]), sys.argv[2], lambda: False)
"""


@pytest.fixture
def hosts(postgres_url: str, bucket: str, tmp_path: Path) -> list[Path]:
    """The folders of four hosts, of one project of phantoms."""
    empty_database(postgres_url)
    folders = [tmp_path / name for name in ("server-1", "server-2", "worker-1", "worker-2")]
    places = Places(postgres_url, f"{bucket}/phantoms")
    with Workspace.create(folders[0], name="p", kind="segmentation", labels=["a", "b"], settings=SETTINGS, url=places) as workspace:
        for index in range(CASES):
            add_phantom(workspace, index)
    for folder in folders[1:]:
        join(folder, postgres_url)
    return folders


@pytest.fixture
def begun() -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    processes: list[subprocess.Popen[bytes]] = []

    def begin(*command: str) -> subprocess.Popen[bytes]:
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
        processes.append(subprocess.Popen([sys.executable, *command], env=environment))
        return processes[-1]

    yield begin
    for process in processes:
        process.kill()
        process.wait()


@pytest.mark.postgres
def test_two_servers_and_two_workers_share_a_project_and_one_worker_may_die(
    hosts: list[Path], start: Callable[..., Served], begun: Callable[..., subprocess.Popen[bytes]]
) -> None:
    first = begun("-c", WORKER, str(hosts[2]), "worker-third-1")
    one, two = (start(folder, MEDLOOP_WORKER="0", MEDLOOP_ASSISTANT="0") for folder in hosts[:2])
    project = f"/projects/{one.get('/projects')[0]['id']}"
    with urllib.request.urlopen(f"{two.url}api/v1{project}/stream", timeout=60) as news:
        assert _told(news, 0)
        given = _annotate(one, project, 3)
        assert _told(news, 3)  # made on the other server
    with Workspace.open(hosts[1]) as here:
        for annotation_id, mask in given.items():
            made = here.store.get(Annotation, annotation_id)
            assert np.array_equal(decode_mask(here.store.blobs.get(str(made.blob)), SHAPE), mask)
        case = two.get(f"{project}/cases")["rows"][0]["id"]
        with urllib.request.urlopen(f"{two.url}api/v1{project}/cases/{case}/voxels", timeout=60) as voxels:
            assert len(gzip.decompress(voxels.read())) % np.prod(SHAPE) == 0
        job = two.send("POST", f"{project}/train", {})["job_id"]
        assert wait_until(lambda: here.store.jobs.get(job).state == "running")
        begun("-c", WORKER, str(hosts[3]), "worker-fourth-1")
        assert somebody_works(here)
        assert two.get(project)["workers"]["alive"]
        assert wait_until(lambda: here.store.jobs.get(job).progress > 0)
        first.kill()
        assert wait_until(lambda: here.store.jobs.get(job).state == "done"), here.store.jobs.get(job)
        assert here.store.jobs.get(job).attempt == 2
        assert wait_until(lambda: not here.store.jobs.active("predict") and _count(here, Prediction) >= CASES)
        assert _count(here, Model) == 1
        assert _count(here, Annotation) == 3
        with here.store.read() as tx:
            seen = [prediction.case_id for prediction in tx.find(Prediction)]
        assert len(seen) == len(set(seen)) == CASES
        assert audit.verify(here.store).ok
        assert examine(here.store).ok


def _annotate(server: Served, project: str, count: int) -> dict[str, np.ndarray]:
    """Annotate so many cases; what was acknowledged."""
    given = {}
    for number in range(count):
        opened = server.send("POST", f"{project}/next", {})["assignment"]["id"]
        mask = np.zeros(SHAPE, np.uint8)
        mask[2:6, 2:6, 2 : 5 + number] = 1
        address = f"{project}/assignments/{opened}/mask"
        made = server.send("PUT", address, raw=mask.tobytes(order="F"), **{"X-Shape": "12,10,8"})
        given[made["annotation_id"]] = mask
    return given


def _told(news: Iterable[bytes], annotations: int) -> bool:
    """Listen to a server until a page would show so many annotations."""
    return any(json.loads(line.removeprefix(b"data: ")).get("annotations") == annotations for line in news if line.startswith(b"data: "))


def _count(workspace: Workspace, kind: type) -> int:
    with workspace.store.read() as tx:
        return tx.count(kind)


@pytest.mark.postgres
def test_a_server_or_worker_of_another_version_is_refused(hosts: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    with Workspace.open(hosts[0]) as one, Workspace.open(hosts[1]) as other:
        held = claims.claim_database(one.store.database, one.folder, shared=True)
        beside = claims.claim_database(other.store.database, other.folder, shared=True)
        monkeypatch.setattr(claims, "__version__", "99.0")
        refused = "runs medloop .* on this project, this is 99.0; stop all servers and workers, install the same version"
        with pytest.raises(ConflictError, match=refused):
            claims.claim_database(other.store.database, other.folder, shared=True)
        with pytest.raises(ConflictError, match=refused):
            claims.sign_on(other.store.database)
        with pytest.raises(ConflictError, match=refused):
            require_fellow(other.store.database, other.folder, shared=True)
        held.close()
        beside.close()


@pytest.mark.postgres
def test_a_copied_image_goes_from_every_host_that_works(hosts: list[Path]) -> None:
    from medloop.core.records import Case
    from medloop.loop.data.retention import forget_here, remove_due

    with Workspace.open(hosts[0]) as one, Workspace.open(hosts[1]) as other:
        with other.store.read() as tx:
            voxels = [case.voxels for case in tx.find(Case)]
        assert all(other.store.blobs.get(blob) for blob in voxels)
        with one.store.write("me") as tx:
            tx.change(type(one.project), one.project.id, verb="configure", fields={"settings": _with_retention(one)})
        remove_due(one.reload(), actor="me", at="2099-01-01T00:00:00.000Z")
        copies = [hosts[1] / "blob-cache" / blob[:2] / blob for blob in voxels]
        assert all(copy.exists() for copy in copies)
        forget_here(other)
        assert not any(copy.exists() for copy in copies)


def _with_retention(workspace: Workspace) -> ProjectSettings:
    from dataclasses import replace

    return replace(workspace.settings, retention_days=1)


@pytest.mark.postgres
def test_a_submission_waits_on_the_page_while_the_bucket_is_gone(hosts: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Refused in words, nothing half stored; the draft is kept and the same submission goes through afterwards."""
    from medloop.core.errors import StorageError
    from medloop.loop.annotating.annotations import next_assignment, submit
    from medloop.loop.annotating.drafts import Edit, save_patch
    from medloop.loop.annotating.submission import Submitted
    from medloop.loop.foundation.annotators import annotator_named

    with Workspace.open(hosts[0]) as one:
        opened = next_assignment(one, annotator_named(one, "Ann").id)
        assert opened is not None
        save_patch(one, opened.assignment.id, Edit(0, [(0, 9, 1)]))
    with monkeypatch.context() as gone, Workspace.open(hosts[1]) as two:
        two.store.blobs.get(opened.case.voxels)
        gone.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        gone.setattr("medloop.store.object_store.TRIES", 1)
        two.store.blobs._store._opened = None  # type: ignore[attr-defined]  # as after a restart in the middle of it
        with pytest.raises(StorageError, match="cannot be reached"):
            submit(two, opened.assignment.id, Submitted(revision=1))
        assert _count(two, Annotation) == 0
    with Workspace.open(hosts[1]) as two:
        submit(two, opened.assignment.id, Submitted(revision=1))
        assert _count(two, Annotation) == 1
    shutil.rmtree(hosts[1] / "blob-cache")
    with Workspace.open(hosts[1]) as two:
        assert examine(two.store).ok


@pytest.mark.postgres
def test_hosts_have_one_key_for_pseudonyms_which_is_copied_by_hand(hosts: list[Path], postgres_url: str, tmp_path: Path) -> None:
    from medloop.core.errors import IntegrityError
    from medloop.loop.foundation.pseudonyms import known_as, pseudonyms_of

    with Workspace.open(hosts[0]) as one, Workspace.open(hosts[1]) as other:
        assert known_as(other)("1.2.3") == "1.2.3"  # nobody has one yet
        word = pseudonyms_of(one).uid("1.2.3")
        for attempt in (lambda: pseudonyms_of(other), lambda: known_as(other)):
            with pytest.raises(IntegrityError, match=r"Another host has the project's key .* copy deidentification.key here"):
                attempt()
        assert not (hosts[1] / "deidentification.key").exists()
        shutil.copy(hosts[0] / "deidentification.key", hosts[1])
        assert known_as(other)("1.2.3") == pseudonyms_of(other).uid("1.2.3") == word
        (hosts[1] / "deidentification.key").write_text("0" * 64)
        with pytest.raises(IntegrityError, match="is not the one of the other hosts"):
            pseudonyms_of(other)
    assert join(tmp_path / "fifth", postgres_url).lacking == (
        "deidentification.key: copy it from a host that imported DICOM, or import there only",
    )
