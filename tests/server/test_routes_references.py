"""References over REST: listed with what draws them, their voxels for who may look, and those of another case for nobody."""

import gzip
from dataclasses import replace

import numpy as np

from medloop.images.result import ReadImage
from medloop.loop.data.adding_references import remove_reference
from medloop.loop.data.keeping_references import NewReference, keep_reference
from medloop.loop.foundation.arrays import load_image


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
