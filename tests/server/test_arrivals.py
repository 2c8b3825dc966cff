"""An image sent over REST is imported as any other, predicted by the assistant, and judged before the response."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from medloop.images.nifti import write_image
from medloop.images.phantoms import phantom_3d
from medloop.loop.foundation.configuring import configure
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.querying.streaming import verdicts

from .conftest import SHAPE, Site, serve_in_process, serving_assistant


@pytest.fixture
def scan(tmp_path: Path) -> bytes:
    write_image(tmp_path / "scan.nii.gz", phantom_3d(90, 3, shape=SHAPE).image)
    return (tmp_path / "scan.nii.gz").read_bytes()


@pytest.fixture
def streaming(trained_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A trained project whose stream wants nearly everything annotated, with an assistant."""
    with Workspace.open(trained_folder) as workspace:
        configure(workspace, settings={"stream": "fixed", "stream_budget": 0.99, "audit_fraction": 0.0})
    with serving_assistant(trained_folder, tmp_path_factory.mktemp("s") / "a.sock") as path:
        yield from serve_in_process(trained_folder, assistant=path)


def send(site: Site, name: str, content: bytes):
    headers = {"Content-Type": "application/octet-stream", "X-Filename": name}
    return site.client.post(f"{site.url}/cases", content=content, headers=headers)


def test_a_new_image_is_judged_in_the_response_and_once(streaming: Site, scan: bytes) -> None:
    found = send(streaming, "n%C3%A9w.nii.gz", scan)
    assert found.status_code == 200, found.text
    arrived = found.json()
    assert (arrived["name"], arrived["split"], arrived["note"]) == ("néw", "train", "")
    with streaming.workspace.store.read() as tx:
        stored = verdicts(tx)[arrived["case_id"]]
    assert arrived["verdict"] == {"annotate": stored.annotate, "score": stored.score, "reason": stored.reason}
    assert stored.annotate is (stored.score >= 0.01)
    assert send(streaming, "n%C3%A9w.nii.gz", scan).json() == arrived  # sent again it is there already
    (line,) = streaming.client.get(f"{streaming.url}/cases", params={"search": "néw"}).json()["rows"]
    assert line["reason"] == str(stored)


@pytest.mark.parametrize("name", ["..%2Fa.nii.gz", ".hidden.nii.gz", "a%00.nii.gz", "noending", "a" * 201 + ".nii"])
def test_a_name_that_is_no_plain_file_name_is_refused(streaming: Site, scan: bytes, name: str) -> None:
    found = send(streaming, name, scan)
    assert (found.status_code, found.json()["error"]["message"][:36]) == (422, "An image is sent with a plain file n")


def test_bytes_that_are_no_image_are_refused_and_leave_nothing(streaming: Site) -> None:
    before = streaming.client.get(f"{streaming.url}/cases").json()["total"]
    for name in ("broken.nii.gz", "notes.txt"):
        found = send(streaming, name, b"no image")
        assert (found.status_code, found.json()["error"]["code"]) == (422, "bad_file")
    assert streaming.client.get(f"{streaming.url}/cases").json()["total"] == before


def test_a_project_without_a_stream_or_a_model_says_so(site: Site, scan: bytes) -> None:
    assert "The settings stream and stream_risk are off" in send(site, "new.nii.gz", scan).json()["error"]["message"]
    configure(site.workspace, settings={"stream": "rate", "audit_fraction": 0.0})
    arrived = send(site, "new.nii.gz", scan).json()
    assert arrived["verdict"] is None
    assert arrived["note"].startswith("Not predicted yet")
