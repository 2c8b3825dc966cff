"""A table beside images: no row is lost without a word, and no patient is torn."""

from pathlib import Path

import pytest

from medloop.core.errors import FormatError, SettingError
from medloop.datasets.discover import open_dataset
from medloop.datasets.folder import open_folder
from medloop.datasets.rows import open_rows

from .layouts import touch

SAME_NAMES = ("images/p1/scan.png", "images/p2/scan.png", "images/p3/scan.png")


def indexed(folder: Path, text: str):
    (folder / "index.csv").write_text(text, encoding="utf-8")
    return open_folder(folder)


@pytest.mark.parametrize(
    "entry", ["images/{}/scan.png", "{}/scan.png", "./images/{}/scan.png", "{}\\scan.png", "{}_scan", "data/{}/scan.png"]
)
def test_rows_find_images_of_the_same_name_by_their_folder(tmp_path: Path, entry: str):
    touch(tmp_path, *SAME_NAMES)
    rows = "".join(
        f"{entry.format(p)},{who},{split}\n" for p, who, split in (("p1", "x", "test"), ("p2", "x", "test"), ("p3", "y", "train"))
    )
    dataset = indexed(tmp_path, f"filename,patient,split\n{rows}")
    assert [(c.name, c.patient, c.split) for c in dataset.cases] == [
        ("p1_scan", "x", "test"),
        ("p2_scan", "x", "test"),
        ("p3_scan", "y", "train"),
    ]
    assert dataset.refused == ()


def test_a_row_that_could_mean_two_images_is_an_error(tmp_path: Path):
    touch(tmp_path, *SAME_NAMES)
    with pytest.raises(
        FormatError, match=r"line 2: 'scan.png' could mean 3 images \(p1_scan, p2_scan, p3_scan\); write each with its folder"
    ):
        indexed(tmp_path, "filename,patient\nscan.png,x\n")


def test_rows_without_an_image_and_images_without_a_row_are_named(tmp_path: Path):
    touch(tmp_path, "images/a.png", "images/b.png")
    dataset = indexed(tmp_path, "filename,patient\na.png,x\nz.png,y\n,w\n")
    assert [(r.file, r.value) for r in dataset.refused] == [("index.csv line 3", "z.png"), ("index.csv line 4", "an empty cell")]
    assert [c.notes for c in dataset.cases] == [(), ("index.csv has no row for it",)]


def test_two_rows_that_disagree_about_an_image_are_an_error(tmp_path: Path):
    touch(tmp_path, "images/a.png")
    with pytest.raises(FormatError, match="lines 2 and 3 say different things of a"):
        indexed(tmp_path, "filename,split\na.png,test\nimages/a.png,train\n")
    assert indexed(tmp_path, "filename,split\na.png,test\nimages/a.png,test\n").cases[0].split == "test"


def test_a_row_of_another_folder_is_not_taken_for_an_image_in_this_one(tmp_path: Path):
    touch(tmp_path, "images/p1/a.png")
    dataset = indexed(tmp_path, "filename,split\np2/a.png,test\n")
    assert (dataset.cases[0].split, len(dataset.refused)) == (None, 1)


def test_a_table_without_an_image_column_and_columns_not_read_are_named(tmp_path: Path):
    touch(tmp_path, "images/a.png")
    assert "needs a column for the image" in str(indexed(tmp_path, "scan,patient\na.png,x\n").refused[0])
    assert "columns that are not read: pat_nr, age" in indexed(tmp_path, "filename,pat_nr,age\na.png,x,3\n").notes[0]


def test_a_pattern_wins_over_the_table(tmp_path: Path):
    touch(tmp_path, "images/p1_a.png", "images/p2_a.png", "images/odd.png")
    (tmp_path / "index.csv").write_text("filename,patient\np1_a.png,X\np2_a.png,X\nodd.png,X\n")
    found = open_folder(tmp_path, patient_pattern=r"^(p\d)_").cases
    assert [(c.name, c.patient, bool(c.notes)) for c in found] == [("odd", "X", True), ("p1_a", "p1", False), ("p2_a", "p2", False)]


@pytest.mark.parametrize("pattern", [r"^(z\d)", "^(|q)x"])
def test_a_pattern_that_catches_nobody_is_an_error(tmp_path: Path, pattern: str):
    touch(tmp_path, "images/p1_a.png")
    with pytest.raises(SettingError, match="matches none of 1, for example 'p1_a'"):
        open_dataset(tmp_path, patient_pattern=pattern)


@pytest.mark.parametrize("layout", ["folder", "csv"])
def test_cells_that_name_nobody_do_not_make_one_patient_of_all(tmp_path: Path, layout: str):
    touch(tmp_path, "images/a.png", "images/b.png", "images/c.png")
    name = "index.csv" if layout == "folder" else "labels.csv"
    (tmp_path / name).write_text("filename,patient,label\na.png,ANON,x\nb.png,anon,y\nc.png,Anna,x\n")
    found = (open_folder if layout == "folder" else open_rows)(tmp_path).cases
    assert [c.patient for c in found] == ["a", "b", "Anna"]
    assert ["names nobody" in " ".join(c.notes) for c in found] == [True, True, False]


@pytest.mark.parametrize(("cells", "patients"), [(("0", "0", "1"), ["0", "0", "1"]), (("0", "0", "0"), ["a", "b", "c"])])
def test_patient_0_is_a_person_among_others(tmp_path: Path, cells: tuple[str, ...], patients: list[str]):
    touch(tmp_path, "images/a.png", "images/b.png", "images/c.png")
    rows = "".join(f"{n}.png,{cell}\n" for n, cell in zip("abc", cells, strict=True))
    assert [c.patient for c in indexed(tmp_path, f"filename,patient\n{rows}").cases] == patients


def test_a_listed_mask_is_never_the_image_itself(tmp_path: Path):
    touch(tmp_path, "images/a.png", "masks/a.png", "b.png")
    (tmp_path / "labels.csv").write_text("filename,mask\na.png,a.png\nb.png,b.png\n")
    dataset = open_rows(tmp_path)
    assert [(c.images[0].parent.name, c.mask and c.mask.parent.name) for c in dataset.cases] == [("images", "masks")]
    assert "an image and its mask are two files" in str(dataset.refused[0])
