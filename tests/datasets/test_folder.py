from pathlib import Path

import pytest

from medloop.core.errors import FormatError
from medloop.datasets.folder import open_folder

from .layouts import touch


@pytest.mark.parametrize("masks", ["labels", "masks", "annotations", "Masks"])
def test_images_and_masks_pair_by_name(tmp_path: Path, masks: str):
    touch(tmp_path, "images/a.png", "images/b.jpeg", f"{masks}/a.png", f"{masks}/b.png")
    dataset = open_folder(tmp_path)
    assert [(c.name, c.mask and c.mask.name) for c in dataset.cases] == [("a", "a.png"), ("b", "b.png")]
    assert (dataset.kind, dataset.refused) == ("segmentation", ())


@pytest.mark.parametrize("ending", ["_mask", "-seg", "_Annotation", "_gt"])
def test_masks_may_carry_the_usual_endings(tmp_path: Path, ending: str):
    touch(tmp_path, "images/a.png", f"masks/a{ending}.png")
    assert open_folder(tmp_path).cases[0].labelled


def test_an_image_without_mask_is_an_unlabelled_case(tmp_path: Path):
    touch(tmp_path, "images/a.png", "images/b.png", "labels/a.png")
    assert [c.labelled for c in open_folder(tmp_path).cases] == [True, False]


def test_a_mask_without_image_is_refused(tmp_path: Path):
    touch(tmp_path, "images/a.png", "labels/z.png")
    assert "labels/z.png: a mask needs an image of the same name" in str(open_folder(tmp_path).refused[0])


def test_images_alone_make_a_pool(tmp_path: Path):
    touch(tmp_path, "a.nii.gz", "b.nii", "notes.txt", "deeper/c.nii.gz")
    dataset = open_folder(tmp_path)
    assert [c.name for c in dataset.cases] == ["a", "b"]
    assert (dataset.kind, [r.file for r in dataset.refused]) == (None, ["deeper/"])


def test_files_that_are_no_images_are_named(tmp_path: Path):
    touch(tmp_path, "images/a.png", "images/readme.txt", "images/.hidden", "images/._a.png")
    assert [r.file for r in open_folder(tmp_path).refused] == ["images/readme.txt"]


def test_equal_names_in_sub_folders_keep_their_folder(tmp_path: Path):
    touch(tmp_path, "images/p1/a.png", "images/p2/a.png", "images/p2/b.png", "labels/p1/a.png")
    assert [(c.name, c.labelled) for c in open_folder(tmp_path).cases] == [("b", False), ("p1_a", True), ("p2_a", False)]


def test_two_images_of_one_name_and_place_are_one_case_and_one_refusal(tmp_path: Path):
    touch(tmp_path, "images/a.png", "images/a.nii.gz")
    dataset = open_folder(tmp_path)
    assert len(dataset.cases) == len(dataset.refused) == 1


def test_an_index_adds_patients_splits_and_pixel_sizes(tmp_path: Path):
    touch(tmp_path, "images/a.png", "images/b.png", "images/c.png", "masks/a.png")
    (tmp_path / "index.csv").write_text("filename,group_id,pixel_size_mm,split\na.png,007,0.25,test\nb.png,007,,\n")
    a, b, c = open_folder(tmp_path).cases
    assert (a.patient, a.pixel_mm, a.split) == ("007", 0.25, "test")
    assert (b.patient, b.pixel_mm, b.split) == ("007", None, None)
    assert c.patient == "c"


def test_a_labels_json_says_which_label_each_mask_value_is(tmp_path: Path):
    touch(tmp_path, "images/a.png", "labels/a.png", "labels.json")
    (tmp_path / "labels.json").write_text('{"tumour": 2, "liver": 1, "ignore": 255}')
    dataset = open_folder(tmp_path)
    assert (dataset.labels, dataset.label_values, dataset.ignore) == (("liver", "tumour"), {"liver": 1, "tumour": 2}, 255)
    assert open_folder(tmp_path, masks="foreground").labels == ()
    (tmp_path / "labels.json").write_text('{"tumour": 1, "liver": 1}')
    with pytest.raises(FormatError, match=r"labels\.json: .*each once"):
        open_folder(tmp_path)


def test_bad_cells_of_an_index_are_named_and_ignored(tmp_path: Path):
    touch(tmp_path, "images/a.png")
    (tmp_path / "index.csv").write_text("filename,pixel_size_mm,split\na.png,wide,holdout\n")
    dataset = open_folder(tmp_path)
    assert len(dataset.cases) == 1
    assert [r.value for r in dataset.refused] == ["holdout", "wide"]


def test_links_out_of_the_folder_are_refused(tmp_path: Path):
    touch(tmp_path, "secret.png", "set/images/a.png")
    (tmp_path / "set/images/b.png").symlink_to(tmp_path / "secret.png")
    dataset = open_folder(tmp_path / "set")
    assert [c.name for c in dataset.cases] == ["a"]
    assert "a link must not lead out" in str(dataset.refused[0])


def test_a_linked_images_folder_outside_is_not_entered(tmp_path: Path):
    touch(tmp_path, "other/a.png")
    (tmp_path / "set").mkdir()
    (tmp_path / "set/images").symlink_to(tmp_path / "other")
    with pytest.raises(FormatError, match="needs image files"):
        open_folder(tmp_path / "set")


def test_an_empty_folder_is_refused(tmp_path: Path):
    with pytest.raises(FormatError, match="needs image files"):
        open_folder(tmp_path)


def test_instance_maps_are_marked_when_asked(tmp_path: Path):
    touch(tmp_path, "images/a.png", "labels/a.png")
    assert open_folder(tmp_path, masks="foreground").masks == "foreground"


def test_the_real_ultrasound_set_groups_by_examination(data_folder: Path):
    dataset = open_folder(data_folder / "hc18_ultrasound")
    assert (len(dataset.cases), len({c.patient for c in dataset.cases})) == (483, 390)
    assert all(c.mask and c.pixel_mm for c in dataset.cases)


def test_masks_that_are_not_read_are_named(tmp_path: Path):
    touch(tmp_path, "outside/a.png", "set/images/a.png", "set/labels/a.png", "set/masks/a.png")
    assert [r.file for r in open_folder(tmp_path / "set").refused] == ["masks/"]
    touch(tmp_path, "other/images/a.png")
    (tmp_path / "other/masks").symlink_to(tmp_path / "outside")
    (found,) = open_folder(tmp_path / "other").refused
    assert str(found).startswith("masks: a linked folder must not lead out")
