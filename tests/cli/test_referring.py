"""`medloop import --channels` and `medloop reference`, with what they refuse."""

import json
from pathlib import Path

import nibabel
import numpy as np

from .conftest import Medloop


def volume(path: Path, size: int = 6, spacing: float = 1.0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(np.full((size,) * 3, size, np.int16), np.diag([spacing, spacing, spacing, 1.0])), path)
    return path


def test_channels_and_references_from_import_to_removal(medloop: Medloop, tmp_path: Path) -> None:
    project, source = tmp_path / "p", tmp_path / "set"
    for name, size, spacing in (("a_T1", 6, 1.0), ("a_T2", 3, 2.0), ("a_PD", 4, 2.0)):
        volume(source / f"{name}.nii.gz", size, spacing)
    assert medloop("init", project, "--kind", "segmentation", "--label", "liver").status == 0
    said = medloop("import", project, source, "--references", "study")
    assert (said.status, "--channels says which series is the case" in said.err) == (2, True)
    said = medloop("import", project, source, "--channels", "T1,T2")
    assert (said.status, "--resample-channels" in said.err) == (1, True)
    said = medloop("import", project, source, "--channels", "T1,T2", "--resample-channels", "--references", "study")
    assert said.out.startswith("1 case added")
    assert "1 other series kept as references" in said.err
    assert "channel T2 was resampled from 2 × 2 × 2 mm onto the grid of T1, linearly" in said.err
    said = medloop("reference", "add", project, "a", volume(tmp_path / "late.nii.gz", 5, 2.0), "--name", "late")
    assert said.out.startswith("late stands beside a: by the positions in the files")
    assert [line["name"] for line in json.loads(medloop("reference", "list", project, "a", "--json").out)] == ["PD", "late"]
    assert medloop("reference", "remove", project, "a", "late").status == 0
    assert "late" not in medloop("reference", "list", project).out
    said = medloop("reference", "remove", project, "a", "late")
    assert (said.status, "has no reference 'late'; it has PD" in said.err) == (1, True)
