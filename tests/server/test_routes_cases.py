"""Projects, worklist, headers and voxels, as the page reads them."""

import dataclasses
import gzip

import numpy as np
import pytest

from medloop.images.encode import decode_voxels
from medloop.server.wire.windows import presets


def test_health_names_the_version(site) -> None:
    assert site.client.get("/api/v1/health").json() == {"status": "ok", "version": "0.1.0"}


def test_the_project_list_shows_what_is_served(site) -> None:
    (line,) = site.client.get("/api/v1/projects").json()
    assert line["id"] == site.workspace.project.id
    assert (line["kind"], line["cases"], line["annotated"], line["model"], line["round"]) == ("segmentation", 5, 0, None, None)
    assert line["labels"][0] == {"value": 1, "name": "large", "colour": "#b62700", "inside": None, "overlaps": [], "drawn": {}, "left": {}}


def test_a_project_shows_its_settings_and_counts(site) -> None:
    project = site.client.get(site.url).json()
    assert project["counts"]["total"] == project["counts"]["train"] == 5
    assert project["settings"]["batch_size"] == 2
    assert project["workers"] == {"alive": False}
    assert project["strategy"] == project["settings"]["strategy"]


def test_the_worklist_is_paged_and_searched(site) -> None:
    page = site.client.get(f"{site.url}/cases", params={"limit": 2, "offset": 3}).json()
    assert (page["total"], len(page["rows"])) == (5, 2)
    name = page["rows"][0]["name"]
    found = site.client.get(f"{site.url}/cases", params={"search": name.upper()}).json()
    assert [row["name"] for row in found["rows"]] == [name]
    assert found["rows"][0]["state"] == "unlabelled"


@pytest.mark.parametrize("query", ["state=any", "limit=0", "limit=1001", "offset=-1", "search=%00", "limit=x", "limit=1e999"])
def test_a_worklist_outside_its_limits_is_refused(site, query: str) -> None:
    answer = site.client.get(f"{site.url}/cases?{query}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "invalid_request")


def test_a_case_header_says_how_to_draw_it(site) -> None:
    case = site.workspace_case()
    header = site.client.get(f"{site.url}/cases/{case.id}").json()
    assert header["shape"] == list(case.grid.shape)
    assert np.array_equal(header["affine"], case.grid.affine)
    assert [p["name"] for p in header["planes"]] == ["axial", "coronal", "sagittal"]
    auto = {"name": "Auto", "low": case.window[0], "high": case.window[1], "curve": "exact", "explanation": ""}
    assert header["presets"][0] == auto


def test_voxels_arrive_as_stored_and_decode_to_the_image(site) -> None:
    case = site.workspace_case()
    url = f"{site.url}/cases/{case.id}/voxels"
    with site.client.stream("GET", url) as answer:
        raw = b"".join(answer.iter_raw())
    assert answer.headers["content-encoding"] == "gzip"
    assert raw == site.workspace.store.blobs.get(case.voxels)
    assert len(raw) == int(answer.headers["content-length"])
    image = decode_voxels(raw, (case.channels, *case.grid.shape), case.dtype)
    assert gzip.decompress(raw) == image.transpose(0, 3, 2, 1).tobytes()


def test_voxels_the_client_has_are_not_sent_again(site) -> None:
    case = site.workspace_case()
    url = f"{site.url}/cases/{case.id}/voxels"
    first = site.client.get(url)
    assert first.headers["etag"] == f'"{case.voxels}"'
    assert "immutable" in first.headers["cache-control"]
    again = site.client.get(url, headers={"If-None-Match": f'"other", W/"{case.voxels}"'})
    assert (again.status_code, again.content) == (304, b"")


def test_a_damaged_blob_is_not_sent(site) -> None:
    case = site.workspace_case()
    path = site.workspace.store.blobs.path(case.voxels)
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    answer = site.client.get(f"{site.url}/cases/{case.id}/voxels")
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "integrity")


@pytest.mark.parametrize("address", ["cases/case-0", "cases/case-0/voxels", "predictions/x", "predictions/x/mask", "annotations/x/mask"])
def test_an_unknown_id_is_not_found(site, address: str) -> None:
    answer = site.client.get(f"{site.url}/{address}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


def test_an_unknown_project_is_not_found(site) -> None:
    answer = site.client.get("/api/v1/projects/project-0/cases")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


@pytest.mark.parametrize("case", ["..%2f..%2fmedloop.json", "%00", "a" * 81, "a%5cb", "..", "%2e%2e"])
def test_an_id_that_is_no_id_never_reaches_the_disk(site, case: str) -> None:
    answer = site.client.get(f"{site.url}/cases/{case}/voxels")
    assert answer.status_code in (404, 422)


def test_two_projects_of_a_folder_are_served_together(serve_folder, templates) -> None:
    with serve_folder(templates) as client:
        kinds = [line["kind"] for line in client.get("/api/v1/projects").json()]
        assert sorted(kinds) == ["classification", "segmentation"]


def test_a_ct_gets_the_usual_windows(site) -> None:
    ct = dataclasses.replace(site.workspace_case(), value_range=(-1024.0, 3000.0))
    assert [p.name for p in presets(ct)] == ["Auto", "Full", "Abdomen", "Lung", "Bone", "Brain", "Mediastinum", "Liver"]
