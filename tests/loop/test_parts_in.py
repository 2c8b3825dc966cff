"""Masks of parts that were drawn elsewhere: slices and boxes of cases that are there, from sparse nnU-Net data sets, too."""

from functools import partial
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from medloop.core.errors import InputError
from medloop.loop.data.exporting import export_project
from medloop.loop.data.parts_in import import_parts, parts_of
from medloop.loop.foundation.partial_annotations import BoxPart, SlicePart, annotated_voxels, load_partial, merged_annotation
from medloop.loop.foundation.workspace import Workspace
from medloop.store.audit import verify

from .conftest import MakeWorkspace
from .made_up import case_named
from .test_parts import give_slices, ids

SHAPE = (6, 5, 4)


@pytest.mark.parametrize(
    "parts",
    [
        [SlicePart(0, 2), SlicePart(0, 5)],
        [SlicePart(1, 0)],
        [SlicePart(2, 1), SlicePart(2, 2)],
        [BoxPart((0, 0, 1), (2, 2, 3)), BoxPart((4, 3, 1), (6, 5, 2))],
    ],
)
def test_slices_and_boxes_are_found_again(parts: list[SlicePart | BoxPart]) -> None:
    known = annotated_voxels(parts, SHAPE)
    assert np.array_equal(annotated_voxels(parts_of(known), SHAPE), known)


def test_what_is_no_part_is_refused() -> None:
    bent = annotated_voxels([BoxPart((0, 0, 0), (3, 1, 1)), BoxPart((0, 0, 0), (1, 3, 1))], SHAPE)
    for known, rule in ((bent, "another shape on slice 1"), (np.ones(SHAPE, bool), "every voxel"), (np.zeros(SHAPE, bool), "no voxel")):
        with pytest.raises(InputError, match=rule):
            parts_of(known)


def test_parts_of_an_nnunet_export_come_in_once_and_others_are_named(make_workspace: MakeWorkspace, tmp_path: Path) -> None:
    splits = ["train", "train", "validation"]
    first, second = make_workspace(splits), partial(make_workspace, name="second")(splits)
    give_slices(first, ids(first)[0], {3: 1, 4: 2})
    export_project(first, tmp_path / "Dataset001_Parts", "nnunet")
    labels = tmp_path / "Dataset001_Parts/labelsTr"
    stored = nib.load(labels / "case00.nii.gz")
    for name in ("case02", "stranger"):
        nib.save(stored, labels / f"{name}.nii.gz")
    nib.save(nib.Nifti1Image(np.full(stored.shape, 9, np.uint8), stored.affine), labels / "case01.nii.gz")
    report = import_parts(second, tmp_path / "Dataset001_Parts")
    assert (report.taken, report.known, len(report.refused)) == (("case00",), (), 3)
    words = " ".join(str(one) for one in report.refused)
    assert "case02 is a validation case" in words
    assert "a mask of parts is called like a case of the project" in words
    assert "0, the task's labels or 3 where nothing is annotated, got also [9]" in words
    assert [given(second).tolist(), import_parts(second, labels).known] == [given(first).tolist(), ("case00",)]
    assert verify(second.store).ok


def given(workspace: Workspace) -> np.ndarray:
    case = case_named(workspace, "case00")
    with workspace.store.read() as tx:
        (made,) = tx.partial_annotations(case_ids=[case.id])
    return load_partial(workspace.store.blobs, made, case)[1]


def test_parts_that_are_put_back_as_they_were_count_again(make_workspace: MakeWorkspace, tmp_path: Path) -> None:
    workspace = make_workspace(["train"])
    case, other = case_named(workspace, "case00"), tmp_path / "other"
    for folder, k, value in ((tmp_path / "first", 3, 1), (tmp_path / "corrected", 3, 2), (other, 5, 1)):
        mask = np.full(case.grid.shape, 255, np.uint8)
        mask[:, :, k] = value
        folder.mkdir()
        nib.save(nib.Nifti1Image(mask, case.grid.affine), folder / "case00.nii.gz")
    folders = [tmp_path / name for name in ("first", "other", "first", "corrected", "first", "first", "other")]
    assert [len(import_parts(workspace, folder).taken) for folder in folders] == [1, 1, 0, 1, 1, 0, 0]
    with workspace.store.read() as tx:
        parts = tx.partial_annotations(case_ids=[case.id])
    assert set(np.unique(merged_annotation(workspace.store.blobs, parts, case).array[:, :, 3])) == {1}
