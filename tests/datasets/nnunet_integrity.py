"""What nnU-Net's own check of a raw data set asks for, written out with SimpleITK.

Source: nnU-Net 2.8.1, experiment_planning/verify_dataset_integrity.py, utilities/label_handling/label_handling.py and
imageio/simpleitk_reader_writer.py (Isensee et al. 2021). Every line that makes that check stop is an assertion here.
"""

import json
import re
from pathlib import Path

import numpy as np
import SimpleITK


def verify(folder: Path) -> dict[str, list[Path]]:
    """Check a folder as nnU-Net does; returns the training cases' image files."""
    description = json.loads((folder / "dataset.json").read_text())
    assert {"labels", "channel_names", "numTraining", "file_ending"} <= set(description)
    assert (folder / "imagesTr").is_dir()
    assert (folder / "labelsTr").is_dir()
    ending, channels = description["file_ending"], len(description["channel_names"])
    cases = _cases(folder, ending)
    assert len(cases) == description["numTraining"] > 0
    labels = _labels(description["labels"])
    for name, images in cases.items():
        assert len(images) == channels
        _verify_case(images, folder / "labelsTr" / f"{name}{ending}", labels)
    return cases


def _cases(folder: Path, ending: str) -> dict[str, list[Path]]:
    named = re.compile(rf"(.+)_(\d{{4}}){re.escape(ending)}")
    found: dict[str, list[Path]] = {}
    for path in sorted((folder / "imagesTr").iterdir()):
        match = named.fullmatch(path.name)
        assert match is not None, path.name
        found.setdefault(match.group(1), []).append(path)
    return found


def _labels(given: dict[str, int]) -> list[int]:
    assert given["background"] == 0
    values = sorted(value for name, value in given.items() if name != "ignore")
    assert values == list(range(len(values)))
    assert given.get("ignore", len(values)) == len(values)
    return values + [len(values)] * ("ignore" in given)


def _verify_case(images: list[Path], mask: Path, labels: list[int]) -> None:
    read, drawn = [SimpleITK.ReadImage(path) for path in images], SimpleITK.ReadImage(mask)
    for image in read:
        assert image.GetSize() == drawn.GetSize() == read[0].GetSize()
        assert image.GetSpacing() == read[0].GetSpacing()
        for said in ("GetSpacing", "GetOrigin", "GetDirection"):
            assert np.allclose(getattr(image, said)(), getattr(drawn, said)())
        assert np.isfinite(SimpleITK.GetArrayFromImage(image)).all()
    assert set(np.unique(SimpleITK.GetArrayFromImage(drawn)).tolist()) <= set(labels)
