from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Picture

from medloop.datasets.discover import open_dataset
from medloop.simulation.prepare import read_labels


def dataset(folder: Path, *values: int):
    """Pictures whose masks hold these values."""
    for name in ("images", "labels"):
        (folder / name).mkdir()
    for number, value in enumerate(values):
        mask = np.zeros((8, 8), dtype=np.uint8)
        mask[2:4] = value
        Picture.fromarray(mask).save(folder / "images" / f"{number}.png")
        Picture.fromarray(mask).save(folder / "labels" / f"{number}.png")
    return open_dataset(folder)


@pytest.mark.parametrize(
    ("values", "labels", "reading"),
    [
        ((255, 255), ("foreground",), "foreground"),
        ((1, 3), ("label 1", "label 2", "label 3"), "labels"),
        ((7, 151), ("foreground",), "foreground"),
    ],
)
def test_masks_without_names_are_labels_or_one_foreground(tmp_path: Path, values, labels, reading):
    assert read_labels(dataset(tmp_path, *values)) == (labels, reading)
