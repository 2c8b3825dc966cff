import json
from pathlib import Path

import numpy as np

from medloop.core.image import Image
from medloop.images.nifti import write_image
from medloop.images.phantoms import phantom_3d

from .conftest import Medloop


def test_images_and_cases_are_judged(medloop: Medloop, project: Path, tmp_path: Path):
    listed = json.loads(medloop("acquisition", project, "--json").out)
    assert len(listed) > 0
    shape = phantom_3d(90, 3).image
    write_image(tmp_path / "new.nii.gz", shape)
    said = medloop("acquisition", project, tmp_path / "new.nii.gz")
    assert (said.status, "no rate of false alarms is known" in said.out + said.err) == (0, True)
    assert "fine detail against coarse" in said.out


def test_one_bad_file_costs_itself_and_the_status(medloop: Medloop, project: Path, tmp_path: Path):
    image = phantom_3d(90, 3).image
    write_image(tmp_path / "new.nii.gz", image)
    write_image(tmp_path / "empty.nii.gz", Image(np.zeros_like(image.array), image.grid))
    said = medloop("acquisition", project, tmp_path / "empty.nii.gz", tmp_path / "new.nii.gz", tmp_path / "none.nii")
    assert said.status == 1
    assert [line.split(":")[1].strip() for line in said.err.splitlines() if line.startswith("medloop: ")] == ["empty.nii.gz", "none.nii"]
    assert "new.nii.gz" in said.out


def test_wrong_use_is_told(medloop: Medloop, project: Path):
    assert medloop("acquisition", project, "--alarm", "0.9").status == 2
    assert medloop("acquisition", project, "--measure", "weight").status == 2
