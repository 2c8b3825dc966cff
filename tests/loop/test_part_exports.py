"""Cases annotated in parts go to nnU-Net with its ignore label around the parts, and to no format that cannot say so."""

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from medloop.core.errors import NotFoundError
from medloop.loop.data.exporting import export_project
from medloop.loop.foundation.workspace import Workspace
from tests.datasets.nnunet_integrity import verify

from .test_parts import give_all, give_slices, ids


def test_parts_reach_nnunet_and_the_rest_of_their_case_is_ignored(pool: Workspace, tmp_path: Path) -> None:
    first, second, *_ = ids(pool)
    give_slices(pool, first, {3: 1, 4: 0})
    give_slices(pool, first, {4: 2}, by="Bob")
    with pytest.raises(NotFoundError, match="no annotation"):
        export_project(pool, tmp_path / "nifti", "nifti")
    give_all(pool, second)
    report = export_project(pool, tmp_path / "Dataset001_Parts", "nnunet")
    assert report.cases == 2
    assert any("all but the annotated parts of 1 case is the ignore label: case00" in note for note in report.notes)
    assert set(verify(tmp_path / "Dataset001_Parts")) == {"case00", "case01"}
    assert json.loads((tmp_path / "Dataset001_Parts/dataset.json").read_text())["labels"]["ignore"] == 3
    mask = np.asarray(nib.load(tmp_path / "Dataset001_Parts/labelsTr/case00.nii.gz").dataobj)
    assert [np.unique(mask[:, :, n]).tolist() for n in (2, 3, 4, 5)] == [[3], [1], [2], [3]]
    assert 3 not in np.asarray(nib.load(tmp_path / "Dataset001_Parts/labelsTr/case01.nii.gz").dataobj)
    give_all(pool, first)
    again = export_project(pool, tmp_path / "Dataset002_Whole", "nnunet")
    assert (again.cases, any("annotated parts" in note for note in again.notes)) == (2, False)
