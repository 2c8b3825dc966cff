"""References over REST: listed with what draws them, their voxels for who may look, and those of another case for nobody."""

import gzip
from dataclasses import replace
from pathlib import Path

import numpy as np

from medloop.core.image import Image
from medloop.images.nifti import write_image
from medloop.images.phantoms import phantom_3d
from medloop.images.result import ReadImage
from medloop.loop.data.keeping_references import NewReference, keep_reference
from medloop.loop.data.removing_references import remove_reference
from medloop.loop.foundation.arrays import load_image

from .conftest import SHAPE


def sent(site, url: str, image: Image, file: str, folder: Path, **how: object):
    write_image(folder / "image.nii.gz", image)
    headers = {"Content-Type": "application/octet-stream", "X-Filename": file}
    return site.client.post(f"{url}/references", content=(folder / "image.nii.gz").read_bytes(), headers=headers, params=how)


def test_a_reference_is_sent_once_and_taken_away(site, tmp_path: Path) -> None:
    case = site.workspace_case()
    url, image = f"{site.url}/cases/{case.id}", phantom_3d(77, 3, shape=SHAPE).image
    made = sent(site, url, image, "late%20T2.nii.gz", tmp_path, registered=True)
    assert made.status_code == 200, made.text
    assert (made.json()["name"], made.json()["placed"]) == ("late T2", True)
    assert sent(site, url, image, "late%20T2.nii.gz", tmp_path, registered=True).json()["id"] == made.json()["id"]
    other = phantom_3d(78, 3, shape=SHAPE).image
    assert sent(site, url, other, "other.nii.gz", tmp_path, name="late T2").json()["error"]["code"] == "conflict"
    assert sent(site, url, other, "..%2Fother.nii.gz", tmp_path).status_code == 422
    gone = site.client.request("DELETE", f"{url}/references/{made.json()['id']}", json={})
    assert (gone.status_code, gone.json()) == (200, {"name": "late T2"})
    assert site.client.request("DELETE", f"{url}/references/{made.json()['id']}", json={}).status_code == 404


def test_references_are_listed_with_their_place_and_only_those_of_the_case_that_stand_are_given(site) -> None:
    case, other = site.workspace_case(), site.last_case()
    image = load_image(site.workspace.store.blobs, other)
    found = ReadImage(image, replace(case.source, sha256="another", dicom={}))
    made = keep_reference(site.workspace, case, found, NewReference("FLAIR")).reference
    url = f"{site.url}/cases/{case.id}"
    assert (site.client.get(url).json()["references"], site.client.get(f"{site.url}/cases/{other.id}").json()["references"]) == (1, 0)
    (line,) = site.client.get(f"{url}/references").json()
    assert (line["name"], line["placed"], line["image"]["shape"]) == ("FLAIR", made.is_placed, list(image.grid.shape))
    assert line["image"]["affine"] == image.grid.affine.tolist()
    voxels = site.client.get(f"{url}/references/{made.id}/voxels")
    flat = np.frombuffer(voxels.content, image.array.dtype)
    np.testing.assert_array_equal(flat, image.array[0].ravel(order="F"))
    assert site.client.get(f"{site.url}/cases/{other.id}/references/{made.id}/voxels").status_code == 404
    assert site.client.post(f"{url}/open", json={}).json()["case"]["references"] == 1
    remove_reference(site.workspace, case, "FLAIR")
    assert site.client.get(f"{url}/references").json() == []
    assert site.client.get(f"{url}/references/{made.id}/voxels").status_code == 404
    assert gzip.compress(b"") != voxels.content
