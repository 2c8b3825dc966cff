from pathlib import Path

import pytest

from medloop.core.errors import FormatError
from medloop.datasets.msd import open_msd

from .layouts import msd, touch, write_json


def lines(dataset):
    return [str(refusal) for refusal in dataset.refused]


def test_labels_are_named_with_their_values(tmp_path: Path):
    dataset = open_msd(msd(tmp_path))
    assert (dataset.labels, dict(dataset.label_values), dataset.channels) == (("liver", "tumour"), {"liver": 1, "tumour": 2}, ("CT",))


def test_every_listed_case_has_image_and_mask(tmp_path: Path):
    dataset = open_msd(msd(tmp_path))
    assert [(c.name, c.images[0].name, c.mask and c.mask.name) for c in dataset.cases] == [
        ("a", "a.nii.gz", "a.nii.gz"),
        ("b", "b.nii.gz", "b.nii.gz"),
    ]
    assert dataset.refused == ()


def test_entries_may_name_another_suffix_than_the_file_has(tmp_path: Path):
    assert open_msd(msd(tmp_path, suffix=".nii")).cases[0].images[0].name == "a.nii"


def test_entries_of_the_test_list_are_unlabelled_cases(tmp_path: Path):
    touch(tmp_path, "imagesTs/c.nii.gz")
    dataset = open_msd(msd(tmp_path, test=["./imagesTs/c.nii.gz"]))
    assert [(c.name, c.labelled, c.split) for c in dataset.cases][-1] == ("c", False, None)


def test_labelled_entries_of_the_test_list_keep_their_split(tmp_path: Path):
    touch(tmp_path, "imagesTs/c.nii.gz", "labelsTs/c.nii.gz")
    dataset = open_msd(msd(tmp_path, test=[{"image": "imagesTs/c.nii.gz", "label": "labelsTs/c.nii.gz"}]))
    assert dataset.cases[-1].split == "test"


def test_macos_shadow_files_are_ignored(tmp_path: Path):
    touch(tmp_path, "imagesTr/._a.nii.gz", "labelsTr/._a.nii.gz", "imagesTr/.DS_Store", "__MACOSX/imagesTr/._a.nii.gz")
    assert len(open_msd(msd(tmp_path)).cases) == 2
    assert open_msd(msd(tmp_path)).refused == ()


def test_cases_are_found_by_folder_when_nothing_is_listed(tmp_path: Path):
    assert [c.name for c in open_msd(msd(tmp_path, training=[])).cases] == ["a", "b"]


def test_a_missing_mask_costs_one_case_and_is_named(tmp_path: Path):
    msd(tmp_path)
    (tmp_path / "labelsTr/a.nii.gz").unlink()
    dataset = open_msd(tmp_path)
    assert [c.name for c in dataset.cases] == ["b"]
    assert lines(dataset) == ["labelsTr/a.nii.gz: a file named in dataset.json must exist, got nothing there; restore it or drop the entry"]


@pytest.mark.parametrize("entry", ["../secret.nii.gz", "/etc/passwd", "imagesTr/../../x.nii.gz", "..\\x.nii.gz", "", "a\x00b"])
def test_entries_that_leave_the_folder_are_refused(tmp_path: Path, entry: str):
    (tmp_path / "secret.nii.gz").write_text("x")
    training = [{"image": entry, "label": "./labelsTr/a.nii.gz"}, {"image": "imagesTr/b.nii.gz", "label": "labelsTr/b.nii.gz"}]
    dataset = open_msd(msd(tmp_path / "set", training=training))
    assert [c.name for c in dataset.cases] == ["b"]
    assert any("a listed path must" in line for line in lines(dataset))
    assert all("\n" not in line and "\x00" not in line for line in lines(dataset))


def test_links_that_leave_the_folder_are_refused(tmp_path: Path):
    (tmp_path / "outside.nii.gz").write_text("x")
    msd(tmp_path / "set")
    image = tmp_path / "set/imagesTr/a.nii.gz"
    image.unlink()
    image.symlink_to(tmp_path / "outside.nii.gz")
    dataset = open_msd(tmp_path / "set")
    assert [c.name for c in dataset.cases] == ["b"]
    assert "within the source's folder" in lines(dataset)[0]


def test_a_case_listed_twice_is_taken_once(tmp_path: Path):
    twice = [{"image": "imagesTr/a.nii.gz", "label": "labelsTr/a.nii.gz"}] * 2
    dataset = open_msd(msd(tmp_path, names=("a",), training=twice))
    assert len(dataset.cases) == 1
    assert "an image is listed once in dataset.json" in lines(dataset)[0]


def test_images_that_are_not_listed_are_named(tmp_path: Path):
    msd(tmp_path)
    touch(tmp_path, "imagesTr/extra.nii.gz")
    assert lines(open_msd(tmp_path)) == ["imagesTr/extra.nii.gz: an image must be listed in dataset.json; add it to `training` or `test`"]


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        ("", "valid JSON"),
        ("[1]", "JSON object"),
        ("[" * 100_000, "valid JSON"),
        ('{"labels": {"1": "x"}, "training": 3}', "must be a list"),
        ('{"labels": {"1": "x"}, "training": [3]}', "entry 0 of `training`"),
        ('{"labels": [], "training": []}', "`labels` must map"),
        ('{"labels": {"0": "background"}}', "at least one value"),
        ('{"labels": {"1": "x", "01": "y"}}', "each once"),
    ],
)
def test_a_damaged_dataset_json_is_refused_in_one_line(tmp_path: Path, content: str, rule: str):
    (tmp_path / "dataset.json").write_text(content)
    with pytest.raises(FormatError, match=rule) as caught:
        open_msd(tmp_path)
    assert "\n" not in str(caught.value)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path):
    (tmp_path / "dataset.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(FormatError, match="UTF-8"):
        open_msd(tmp_path)


def test_labels_that_no_value_stands_for_are_named(tmp_path: Path):
    msd(tmp_path)
    write_json(tmp_path, {"labels": {"background": 0, "whole": [1, 2], "ignore": 3, "liver": 1, "big": 256}, "training": []})
    dataset = open_msd(tmp_path)
    assert (dataset.labels, dict(dataset.inside)) == (("liver", "whole"), {"liver": "whole"})
    assert len(dataset.refused) == 1
    assert dataset.ignore == 3


def test_frames_of_one_patient_share_the_patient(tmp_path: Path):
    dataset = open_msd(msd(tmp_path, names=("patient001_frame01", "patient001_frame12", "other_7")))
    assert [c.patient for c in dataset.cases] == ["other_7", "patient001", "patient001"]


def test_a_pattern_of_ones_own_names_the_patient(tmp_path: Path):
    dataset = open_msd(msd(tmp_path, names=("s1-a", "s1-b")), patient_pattern=r"^(s\d+)-")
    assert {c.patient for c in dataset.cases} == {"s1"}


def test_the_real_hippocampus_and_heart_sets_open_whole(data_folder: Path):
    hippocampus, heart = open_msd(data_folder / "hippocampus"), open_msd(data_folder / "acdc_cardiac")
    assert (len(hippocampus.cases), hippocampus.labels, hippocampus.refused) == (200, ("Anterior", "Posterior"), ())
    assert (len(heart.cases), len({c.patient for c in heart.cases})) == (60, 30)
