"""An image is judged over REST and forgotten."""

import json
from pathlib import Path
from tempfile import gettempdir

import numpy as np
import pytest

from medloop.core.records import Case
from medloop.images.nifti import write_image
from medloop.images.phantoms import phantom_3d

from .conftest import SHAPE, serve_in_process, serving_assistant


@pytest.fixture
def scan(tmp_path: Path) -> bytes:
    write_image(tmp_path / "scan.nii.gz", phantom_3d(90, 3, shape=SHAPE).image)
    return (tmp_path / "scan.nii.gz").read_bytes()


def events_of(site) -> int:
    with site.workspace.store.read() as tx:
        return len(tx.events(limit=1000))


def send(site, content: bytes, name: str = "Doe%5EJane.nii.gz", **asked: object):
    headers = {"Content-Type": "application/octet-stream", "X-Filename": name}
    return site.client.post(f"{site.url}/acquisition", content=content, headers=headers, params=asked)


def test_an_image_is_judged_and_nothing_of_it_is_kept(
    site, scan: bytes, caplog: pytest.LogCaptureFixture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))  # others judge images at the same time
    before = site.count(Case), events_of(site)
    found = send(site, scan)
    assert found.status_code == 200, found.text
    assert (found.json()["verdict"], found.json()["patients"]) == ("unknown", 5)
    assert found.json()["picture"].startswith("data:image/png;base64,")
    assert (site.count(Case), events_of(site)) == before
    assert not list(Path(gettempdir()).glob("medloop-acquisition-*"))
    assert "Doe" not in caplog.text + found.text


@pytest.mark.parametrize(
    ("content", "name", "status"), [(b"", "a.nii.gz", 422), (b"no image", "Doe%5EJane.nii.gz", 422), (b"no image", "..%2F..%2Fetc", 422)]
)
def test_what_is_no_image_is_refused_without_its_name(site, content: bytes, name: str, status: int) -> None:
    found = send(site, content, name)
    assert found.status_code == status
    assert not {"Doe", "etc"} & set(found.text.split())
    assert "Doe" not in found.text
    assert "\n" not in found.json()["error"]["message"]


def test_a_truncated_file_is_refused(site, scan: bytes) -> None:
    assert send(site, scan[: len(scan) // 2]).status_code == 422


def test_a_demand_outside_its_range_is_refused(site, scan: bytes) -> None:
    assert send(site, scan, alarm=0.9).status_code == 422
    assert send(site, scan, measure="weight").status_code == 422


def test_a_case_is_judged_by_what_is_stored(site) -> None:
    case = site.workspace_case()
    found = site.client.get(f"{site.url}/cases/{case.id}/acquisition").json()
    assert (found["verdict"], found["picture"]) == ("unknown", "")
    assert {"detail", "noise", "contrast"} <= {line["name"] for line in found["signs"]}


def test_with_an_assistant_the_model_in_use_proposes(trained_folder: Path, tmp_path_factory: pytest.TempPathFactory, scan: bytes) -> None:
    with serving_assistant(trained_folder, tmp_path_factory.mktemp("s") / "a.sock") as path:
        for site in serve_in_process(trained_folder, assistant=path):
            before = events_of(site)
            found = send(site, scan).json()
            assert found["model"] == 1
            assert {m["label"] for m in found["measures"]} == {"large", "small"}
            assert "cut" in {line["name"] for line in found["signs"]}
            assert events_of(site) == before
            assert np.isfinite(json.loads(json.dumps(found["signs"]))[0]["value"])


def test_the_list_shows_and_filters_what_was_found_of_the_images(site) -> None:
    case = site.workspace_case()
    assert site.client.get(f"{site.url}/cases?acquisition=judged").json()["rows"] == []
    site.client.get(f"{site.url}/cases/{case.id}/acquisition")
    (row,) = site.client.get(f"{site.url}/cases?acquisition=unknown").json()["rows"]
    assert (row["id"], row["acquisition"]) == (case.id, "unknown")
    assert site.client.get(f"{site.url}/cases?acquisition=acquire+again").json()["total"] == 0
    assert "acquisition" in site.client.get(f"{site.url}/cases/csv").text.splitlines()[0]
