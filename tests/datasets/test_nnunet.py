from pathlib import Path

import pytest

from medloop.core.errors import FormatError
from medloop.datasets.discover import detect_format
from medloop.datasets.nnunet import open_nnunet

from .layouts import nnunet, touch, write_json


def test_channels_of_a_case_come_in_order(tmp_path: Path):
    dataset = open_nnunet(nnunet(tmp_path, channels=2))
    assert [p.name for p in dataset.cases[0].images] == ["a_0000.nii.gz", "a_0001.nii.gz"]
    assert dataset.channels == ("channel0", "channel1")


def test_a_case_without_one_of_its_channels_is_refused(tmp_path: Path):
    nnunet(tmp_path, channels=2)
    (tmp_path / "imagesTr/a_0001.nii.gz").unlink()
    dataset = open_nnunet(tmp_path)
    assert [c.name for c in dataset.cases] == ["b"]
    assert "needs channels 0000 to 0001, got 0000" in str(dataset.refused[0])


def test_version_1_is_told_from_the_decathlon_by_its_files(tmp_path: Path):
    touch(tmp_path, "imagesTr/a_0000.nii.gz", "labelsTr/a.nii.gz")
    entry = {"image": "./imagesTr/a.nii.gz", "label": "./labelsTr/a.nii.gz"}
    write_json(tmp_path, {"labels": {"0": "background", "1": "liver"}, "modality": {"0": "CT"}, "training": [entry]})
    assert detect_format(tmp_path) == "nnunet"
    assert open_nnunet(tmp_path).cases[0].labelled


def test_a_decathlon_whose_names_end_in_four_digits_stays_one(tmp_path: Path):
    touch(tmp_path, "imagesTr/a_0001.nii.gz", "labelsTr/a_0001.nii.gz")
    entry = {"image": "./imagesTr/a_0001.nii.gz", "label": "./labelsTr/a_0001.nii.gz"}
    write_json(tmp_path, {"labels": {"0": "background", "1": "liver"}, "modality": {"0": "CT"}, "training": [entry]})
    assert detect_format(tmp_path) == "msd"


def test_test_images_are_labelled_only_with_a_mask(tmp_path: Path):
    nnunet(tmp_path)
    touch(tmp_path, "imagesTs/x_0000.nii.gz", "imagesTs/y_0000.nii.gz", "labelsTs/x.nii.gz")
    assert [(c.name, c.labelled, c.split) for c in open_nnunet(tmp_path).cases][2:] == [("x", True, "test"), ("y", False, None)]


def test_masks_and_images_without_partner_are_named(tmp_path: Path):
    nnunet(tmp_path)
    touch(tmp_path, "labelsTr/alone.nii.gz", "imagesTr/bare_0000.nii.gz")
    dataset = open_nnunet(tmp_path)
    assert [c.name for c in dataset.cases] == ["a", "b"]
    assert [r.file for r in dataset.refused] == ["imagesTr/bare_0000.nii.gz", "labelsTr/alone.nii.gz"]


def test_colour_pictures_hold_all_channels_in_one_file(tmp_path: Path):
    nnunet(tmp_path, ending=".png")
    write_json(tmp_path, {"labels": {"background": 0, "road": 1}, "channel_names": {"0": "R", "1": "G", "2": "B"}, "file_ending": ".png"})
    assert len(open_nnunet(tmp_path).cases) == 2


def test_files_of_another_ending_are_named(tmp_path: Path):
    nnunet(tmp_path)
    touch(tmp_path, "imagesTr/c_0000.nii")
    assert "files end in .nii.gz as dataset.json says, got .nii" in str(open_nnunet(tmp_path).refused[0])


def test_an_ending_we_cannot_read_is_refused(tmp_path: Path):
    nnunet(tmp_path, ending=".b2nd")
    with pytest.raises(FormatError, match="file_ending"):
        open_nnunet(tmp_path)
