from pathlib import Path

import pytest

from medloop.core.errors import FormatError, NotFoundError, SettingError
from medloop.datasets.dataset import Refusal
from medloop.datasets.discover import detect_format, open_dataset

from .layouts import msd, nnunet, touch


def csv(folder: Path, header: str = "image,label") -> None:
    (folder / "labels.csv").write_text(f"{header}\na.png,x\n")


def test_every_layout_is_recognised(tmp_path: Path):
    msd(tmp_path / "msd")
    nnunet(tmp_path / "nnunet")
    touch(tmp_path, "folder/images/a.png", "folder/masks/a.png", "csv/images/a.png", "pool/a.nii.gz", "dicom/1/0001.dcm")
    csv(tmp_path / "csv")
    found = {name: detect_format(tmp_path / name) for name in ("msd", "nnunet", "folder", "csv", "pool", "dicom")}
    assert found == {"msd": "msd", "nnunet": "nnunet", "folder": "folder", "csv": "csv", "pool": "folder", "dicom": "dicom"}


def test_an_index_without_classes_leaves_a_folder_a_folder(tmp_path: Path):
    touch(tmp_path, "images/a.png", "labels/a.png")
    (tmp_path / "index.csv").write_text("filename,group_id\na.png,1\n")
    assert detect_format(tmp_path) == "folder"


def test_masks_beside_classes_need_a_choice(tmp_path: Path):
    touch(tmp_path, "images/a.png", "masks/a.png")
    csv(tmp_path)
    with pytest.raises(FormatError, match=r"masks/ with masks or labels\.csv with classes; say --format folder or --format csv"):
        open_dataset(tmp_path)
    assert open_dataset(tmp_path, fmt="csv").kind == "classification"
    assert open_dataset(tmp_path, fmt="folder").kind == "segmentation"
    (tmp_path / "labels.csv").write_text("filename,mask,annotated\nimages/a.png,masks/a.png,liver\n")
    assert detect_format(tmp_path) == "csv", "a list that names the masks itself leaves no choice"


@pytest.mark.parametrize("files", [[], ["notes.txt"], ["cases/a/image.png", "cases/a/gold.png"], ["imagesTr/a.nii.gz"]])
def test_a_folder_in_no_layout_is_refused_in_one_line(tmp_path: Path, files: list[str]):
    touch(tmp_path, *files)
    with pytest.raises(FormatError) as caught:
        open_dataset(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_single_image_is_no_source(tmp_path: Path):
    touch(tmp_path, "a.nii.gz")
    with pytest.raises(FormatError, match="name the folder that holds it"):
        open_dataset(tmp_path / "a.nii.gz")


def test_a_source_that_is_not_there_is_not_found(tmp_path: Path):
    with pytest.raises(NotFoundError):
        open_dataset(tmp_path / "gone")


def test_settings_outside_the_known_are_refused(tmp_path: Path):
    for refused in ({"fmt": "zip"}, {"masks": "all"}):
        with pytest.raises(SettingError):
            open_dataset(tmp_path, **refused)
    touch(tmp_path, "a.png")
    for pattern in ("(", "no group"):
        with pytest.raises(SettingError):
            open_dataset(tmp_path, patient_pattern=pattern)


def test_a_refusal_is_one_line_whatever_is_in_it():
    assert str(Refusal("a\nb.png", "rule", "value\x1b[0m", "remedy")) == "a b.png: rule, got value [0m; remedy"


def test_a_damaged_table_about_something_else_does_not_end_the_import(tmp_path: Path):
    touch(tmp_path, "images/a.png")
    (tmp_path / "notes.csv").write_bytes("Größe;Wert\n".encode("latin-1"))
    dataset = open_dataset(tmp_path)
    assert ([c.name for c in dataset.cases], [r.file for r in dataset.refused]) == (["a"], ["notes.csv"])
    (tmp_path / "notes.csv").rename(tmp_path / "labels.csv")
    with pytest.raises(FormatError, match="UTF-8"):
        open_dataset(tmp_path)
