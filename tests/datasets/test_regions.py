"""nnU-Net's regions are read as labels inside labels, written the same, and refused where they are neither."""

import json
from pathlib import Path

import numpy as np
import pytest

from medloop.core.errors import FormatError
from medloop.core.geometry import Grid
from medloop.core.image import Image, Mask
from medloop.core.records import Source
from medloop.datasets.discover import open_dataset
from medloop.datasets.export import ExportCase, export_msd, export_nifti, export_nnunet
from medloop.datasets.regions import without_regions
from medloop.images.read import read_mask

LABELS = ("tumour", "liver", "spleen")
REGIONS = {1: (1,), 2: (2, 1), 3: (3,)}
MASK = np.arange(4, dtype=np.uint8).repeat(16).reshape(4, 4, 4)


def case(annotated: tuple[str, ...] = (), mask: np.ndarray = MASK) -> ExportCase:
    grid = Grid((4, 4, 4), np.diag([1.0, 2.0, 3.0, 1.0]))
    image = Image(np.zeros((1, 4, 4, 4), dtype=np.float32), grid)
    source = Source(format="phantom", names=("a",), sha256="0" * 64)
    return ExportCase(
        name="a", patient="p", split="train", image=image, mask=Mask(mask, grid), tag=None, source=source, annotated=annotated
    )


def test_regions_inside_each_other_are_labels_with_one_value_each() -> None:
    given = {"background": 0, "whole": [1, 2, 3], "core": [2, 3], "enhancing": 3, "ignore": 4}
    found, inside = without_regions(given, [1, 2, 3])
    assert found == {"background": 0, "whole": 1, "core": 2, "enhancing": 3, "ignore": 4}
    assert inside == {"core": "whole", "enhancing": "core"}
    assert without_regions({"background": 0, "a": 1}, None) == ({"background": 0, "a": 1}, {})


@pytest.mark.parametrize(
    ("given", "order", "said"),
    [
        ({"a": [1, 2], "b": [2, 3]}, None, "regions must lie inside each other or apart, 'a' [1, 2] and 'b' [2, 3] do neither"),
        ({"a": [1, 2, 3], "b": 3}, None, "a region needs one value that no region inside it has, 'a' [1, 2, 3] has [1, 2]"),
        ({"a": [1, 2], "b": 1, "c": 2}, None, "'a' [1, 2] has []"),
        ({"a": [1, 2], "b": 2}, [1], "regions_class_order must hold the value of each region once, [1, 2], got [1]"),
    ],
)
def test_regions_that_medloop_cannot_keep_are_refused_in_one_line(given: dict, order: object, said: str) -> None:
    with pytest.raises(FormatError) as caught:
        without_regions(given, order)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_regions_that_overlap_are_labels_where_what_they_share_is_a_region_too() -> None:
    given = {"background": 0, "vessel": [1, 3], "tumour": [2, 3], "vessel + tumour": 3}
    found, _ = without_regions(given, [1, 2, 3])
    assert found == {"background": 0, "vessel": 1, "tumour": 2, "vessel + tumour": 3}


def test_an_nnunet_export_says_regions_and_comes_back_exactly(tmp_path: Path) -> None:
    export_nnunet([case()], tmp_path / "Dataset001_x", LABELS, regions=REGIONS)
    written = json.loads((tmp_path / "Dataset001_x/dataset.json").read_text())
    assert list(written["labels"].items()) == [("background", 0), ("liver", [2, 1]), ("tumour", 1), ("spleen", 3)]
    assert written["regions_class_order"] == [2, 1, 3]
    found = open_dataset(tmp_path / "Dataset001_x")
    assert (dict(found.label_values), dict(found.inside)) == ({"tumour": 1, "liver": 2, "spleen": 3}, {"tumour": "liver"})
    (one,) = found.cases
    assert np.array_equal(read_mask(one.mask).array, MASK)


def test_where_an_inner_label_is_not_annotated_nnunet_ignores_what_it_lies_inside_of(tmp_path: Path) -> None:
    mask = np.where(MASK == 1, 2, MASK).astype(np.uint8)  # all of the liver is plain liver
    done = export_nnunet([case(("liver", "spleen"), mask)], tmp_path / "Dataset001_x", LABELS, regions=REGIONS)
    drawn = read_mask(tmp_path / "Dataset001_x/labelsTr/a.nii.gz").array
    assert np.array_equal(drawn, np.where(mask == 3, 3, 4))
    assert any("what a missing label lies inside of, is the ignore label" in note for note in done.notes)


def test_a_nifti_export_has_a_mask_for_each_label_with_everything_inside_it(tmp_path: Path) -> None:
    export_nifti([case()], tmp_path / "out", LABELS, regions=REGIONS)
    for name, held in zip(LABELS, ([1], [1, 2], [3]), strict=True):
        assert np.array_equal(read_mask(tmp_path / "out/regions" / name / "a.nii.gz").array, np.isin(MASK, held))
    assert np.array_equal(read_mask(tmp_path / "out/labels/a.nii.gz").array, MASK)
    export_nifti([case(("spleen",), np.where(MASK == 3, 3, 0).astype(np.uint8))], tmp_path / "part", LABELS, regions=REGIONS)
    assert [one.name for one in (tmp_path / "part/regions").iterdir()] == ["spleen"]
    export_nifti([case()], tmp_path / "plain", LABELS)
    assert not (tmp_path / "plain/regions").exists()


def test_decathlon_cannot_say_it_and_a_note_does(tmp_path: Path) -> None:
    done = export_msd([case()], tmp_path / "out", LABELS, regions=REGIONS)
    assert any("cannot say that liver holds tumour" in note for note in done.notes)
