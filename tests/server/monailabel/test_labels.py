"""Labels in and out: what is saved is the sender's annotation, by names, on the image's grid, and replaces nothing unseen."""

import gzip
import json
from pathlib import Path

import numpy as np

from medloop.core.image import Mask
from medloop.core.records import Annotation, Annotator, Case
from medloop.images.nifti import write_mask
from medloop.images.nrrd_write import write_seg_nrrd
from medloop.images.read import read_mask
from medloop.images.segments import Segment
from medloop.loop.annotating.annotations import choose_case, submit
from medloop.loop.annotating.drafts import Edit, save_patch
from medloop.loop.annotating.review_verdicts import return_case
from medloop.loop.annotating.submission import Submitted
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.arrays import load_mask
from tests.server.conftest import SHAPE
from tests.server.monailabel.conftest import Surface


def drawn(*values: int) -> np.ndarray:
    """A mask with a block of each value."""
    mask = np.zeros(SHAPE, np.uint8)
    for place, value in enumerate(values):
        mask[2 * place + 1 : 2 * place + 3, 2:5, 2:5] = value
    return mask


def as_nifti(tmp_path: Path, case: Case, mask: np.ndarray) -> bytes:
    path = tmp_path / "sent.nii.gz"
    write_mask(path, Mask(mask, case.grid), case.source)
    return path.read_bytes()


def save(surface: Surface, content: bytes, params: dict | None = None, *, name: str = "/tmp/x/sent.nii.gz", tag: str = ""):
    path = f"/datastore/label?image={surface.case.name}" + (f"&tag={tag}" if tag else "")
    return surface.send_form("PUT", path, {} if params is None else {"params": params}, label=(name, content))


def annotations(surface: Surface) -> list[Annotation]:
    with surface.workspace.store.read() as tx:
        return tx.find(Annotation, where={"case_id": surface.case.id})


def test_a_saved_label_is_an_annotation_by_the_sender_with_its_history(surface: Surface, tmp_path: Path) -> None:
    info = [{"name": "large", "idx": 1}, {"name": "small", "idx": 2}]
    said = save(surface, as_nifti(tmp_path, surface.case, drawn(1, 2)), {"label_info": info, "client_id": "slicer"})
    assert said.status == 200
    assert said.json["image"] == said.json["label"] == surface.case.name
    (made,) = annotations(surface)
    assert np.array_equal(load_mask(surface.workspace.store.blobs, made, surface.case).array, drawn(1, 2))
    with surface.workspace.store.read() as tx:
        assert tx.get(Annotator, made.annotator_id).name == "local"
        assert [event.verb for event in tx.events_about("annotation", [made.id])] == ["submit"]
    noted = surface.get(f"/datastore/label/info?label={surface.case.name}&tag=final").json
    assert (noted["client_id"], noted["annotator"]) == ("slicer", "local")


def test_values_are_read_by_name_and_not_by_number(surface: Surface, tmp_path: Path) -> None:
    info = [{"name": "Small", "idx": 1}, {"name": "LARGE", "idx": 2}]
    assert save(surface, as_nifti(tmp_path, surface.case, drawn(1, 2)), {"label_info": info}).status == 200
    assert np.array_equal(load_mask(surface.workspace.store.blobs, annotations(surface)[0], surface.case).array, drawn(2, 1))


def test_numbers_that_count_a_left_out_segment_are_places(surface: Surface, tmp_path: Path) -> None:
    info = [{"name": "large", "idx": 2}, {"name": "small", "idx": 3}]
    assert save(surface, as_nifti(tmp_path, surface.case, drawn(1, 2)), {"label_info": info}).status == 200
    assert np.array_equal(load_mask(surface.workspace.store.blobs, annotations(surface)[0], surface.case).array, drawn(1, 2))


UNCLEAR = [
    ((2,), [("large", 2), ("small", 3)], "can be read in two ways"),
    ((), [("liver", 1)], "names labels of the project"),
    ((1, 2), [("large", 1), ("liver", 2)], "got voxels of liver"),
    ((3,), [("large", 1)], "names every value"),
    ((1,), [("large", 1), ("LARGE", 2)], "stands there twice"),
    ((), [], "got nothing"),
    ((7,), None, "may hold 0 and the task's labels"),
]


def test_a_label_that_is_not_clear_is_refused_in_one_line(surface: Surface, tmp_path: Path) -> None:
    for values, info, why in UNCLEAR:
        params = {} if info is None else {"label_info": [{"name": name, "idx": idx} for name, idx in info]}
        refused = save(surface, as_nifti(tmp_path, surface.case, drawn(*values)), params)
        assert (refused.status, why in refused.json["detail"]) == (422, True), why
    assert annotations(surface) == []


def test_a_label_that_is_named_alone_says_nothing_of_the_others(surface: Surface, tmp_path: Path) -> None:
    assert save(surface, as_nifti(tmp_path, surface.case, drawn(1)), {"label_info": [{"name": "large", "idx": 1}]}).status == 200
    assert annotations(surface)[0].annotated == (1,)


def test_segments_of_slicer_have_names_and_its_own_ones_are_left_out(surface: Surface, tmp_path: Path) -> None:
    path = tmp_path / "x.seg.nrrd"
    segments = [Segment("background", 3), Segment("small", 1), Segment("large", 2)]
    write_seg_nrrd(path, Mask(drawn(1, 2, 3), surface.case.grid), segments, {})
    assert save(surface, path.read_bytes(), {"label_info": [{"name": "x", "idx": 9}]}, name="/tmp/x.seg.nrrd").status == 200
    assert np.array_equal(load_mask(surface.workspace.store.blobs, annotations(surface)[0], surface.case).array, drawn(2, 1))


def test_raw_voxels_of_ohif_lie_on_the_images_grid(surface: Surface) -> None:
    info = {"label_info": [{"name": "large", "idx": 1}, {"name": "small", "idx": 2}]}
    raw = drawn(1, 2).astype("<u2").tobytes(order="F")
    assert save(surface, raw[:-1], info, name=f"{'long' * 60}.bin").status == 422
    assert save(surface, raw, info, name="label.bin").status == 200
    assert np.array_equal(load_mask(surface.workspace.store.blobs, annotations(surface)[0], surface.case).array, drawn(1, 2))


def test_another_grid_and_a_damaged_file_are_refused(surface: Surface, tmp_path: Path) -> None:
    whole = as_nifti(tmp_path, surface.case, drawn(1))
    moved = bytearray(gzip.decompress(whole))
    moved[280:284] = np.float32(7.0).tobytes()  # srow_x[0]
    for content in (gzip.compress(bytes(moved)), whole[:40], b""):
        assert save(surface, content, {}).status == 422
    assert annotations(surface) == []


def test_somebody_elses_label_is_replaced_only_by_who_has_taken_it(surface: Surface, tmp_path: Path) -> None:
    with_ann = annotator_named(surface.workspace, "ann")
    first = submit(surface.workspace, choose_case(surface.workspace, surface.case.id, with_ann.id).assignment.id, Submitted(mask=drawn(1)))
    content = as_nifti(tmp_path, surface.case, drawn(2))
    refused = save(surface, content, {})
    assert (refused.status, len(annotations(surface))) == (409, 1)
    assert "by ann" in refused.json["detail"]
    taken = surface.get(f"/datastore/label?label={surface.case.name}&tag=final")
    (tmp_path / "taken.nii.gz").write_bytes(taken.body)
    assert np.array_equal(read_mask(tmp_path / "taken.nii.gz", surface.case.grid).array, drawn(1))
    assert "attachment; filename=" in taken.headers["content-disposition"]
    assert save(surface, content, {}).status == 200
    assert {a.id for a in annotations(surface)} > {first.id}


def test_replace_is_said_in_params(surface: Surface, tmp_path: Path) -> None:
    ann = annotator_named(surface.workspace, "ann")
    submit(surface.workspace, choose_case(surface.workspace, surface.case.id, ann.id).assignment.id, Submitted(mask=drawn(1)))
    assert save(surface, as_nifti(tmp_path, surface.case, drawn(2)), {"replace": True}).status == 200


def test_a_draft_of_the_page_is_not_closed_by_a_file(surface: Surface, tmp_path: Path) -> None:
    local = annotator_named(surface.workspace, "local")
    opened = choose_case(surface.workspace, surface.case.id, local.id)
    save_patch(surface.workspace, opened.assignment.id, Edit(0, [(5, 3, 1)]))
    refused = save(surface, as_nifti(tmp_path, surface.case, drawn(1)), {})
    assert refused.status == 409
    assert "1 edits" in refused.json["detail"]


def test_a_return_is_told_once_before_a_file_settles_it(surface: Surface, tmp_path: Path) -> None:
    content = as_nifti(tmp_path, surface.case, drawn(1))
    assert save(surface, content, {}).status == 200
    lead = annotator_named(surface.workspace, "lead")
    return_case(surface.workspace, surface.case.id, lead.id, comment="the tip is missing")
    told = save(surface, content, {})
    assert told.status == 409
    assert "the tip is missing" in told.json["detail"]
    assert save(surface, content, {}).status == 200


def test_other_tags_are_files_that_never_count(surface: Surface, tmp_path: Path) -> None:
    content = as_nifti(tmp_path, surface.case, drawn(2))
    assert save(surface, content, {"segmentationMeta": {"status": "flagged"}}, tag="version_1").status == 200
    assert annotations(surface) == []
    listed = surface.get("/datastore/?output=all").json["objects"][surface.case.name]["labels"]
    assert listed["version_1"]["info"]["segmentationMeta"] == {"status": "flagged"}
    assert surface.send("HEAD", f"/datastore/label?image={surface.case.name}&tag=version_1").status == 200
    assert surface.send("HEAD", f"/datastore/label?image={surface.case.name}&tag=final").status == 404
    form = "params=" + json.dumps({"segmentationMeta": {"status": "approved"}})
    kind = "application/x-www-form-urlencoded"
    path = f"/datastore/updatelabelinfo?label={surface.case.name}&tag=version_1"
    updated = surface.send("PUT", path, form.encode(), Content_Type=kind)
    assert (updated.status, updated.json) == (200, None)
    info = surface.get(f"/datastore/label/info?label={surface.case.name}&tag=version_1").json
    assert info["segmentationMeta"] == {"status": "approved"}
    assert surface.send("DELETE", f"/datastore/label?id={surface.case.name}&tag=version_1").json == {}
    assert surface.get(f"/datastore/label?label={surface.case.name}&tag=version_1").status == 404


def test_what_is_noted_of_a_label_is_not_inherited_by_the_next(surface: Surface, tmp_path: Path) -> None:
    content = as_nifti(tmp_path, surface.case, drawn(1))
    assert save(surface, content, {"segmentationMeta": {"approvedBy": "lead"}}).status == 200
    assert save(surface, content, {}).status == 200
    assert "segmentationMeta" not in surface.get(f"/datastore/label/info?label={surface.case.name}&tag=final").json


def test_deleting_ones_own_label_undoes_the_submission(surface: Surface, tmp_path: Path) -> None:
    assert save(surface, as_nifti(tmp_path, surface.case, drawn(1)), {}).status == 200
    assert surface.send("DELETE", f"/datastore/label?id={surface.case.name}&tag=final").json == {}
    assert surface.get(f"/datastore/label?label={surface.case.name}").status == 404
    assert len(annotations(surface)) == 1
