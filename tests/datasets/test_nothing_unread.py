"""Whatever a source holds is read or named: files of other kinds, second masks, unlisted masks, columns, cells, rows."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from medloop.core.errors import FormatError
from medloop.core.geometry import Grid
from medloop.core.image import Image, Mask
from medloop.core.records import Source
from medloop.datasets.dataset import Dataset
from medloop.datasets.discover import open_dataset
from medloop.datasets.export import ExportCase, export_nifti
from medloop.datasets.folder import open_folder
from medloop.datasets.nnunet import open_nnunet
from medloop.datasets.rows import open_rows
from medloop.images.notes import NoteGroup

from .layouts import msd, nnunet, touch, write_json


def lines(dataset: Dataset) -> list[str]:
    return [str(refusal) for refusal in dataset.refused]


def listed(folder: Path, text: str, *images: str) -> Dataset:
    touch(folder, *images)
    (folder / "labels.csv").write_text(text)
    return open_rows(folder)


def test_images_of_other_kinds_beside_pictures_are_named_by_folder(tmp_path: Path):
    touch(tmp_path, "a.png", "b.dcm", "c.vtk", "d.VTK", "notes.txt", "README", "sub/e.dcm", "sub/f.nii.gz", "sub/list.csv")
    (tmp_path / "raw").write_bytes(b"\0" * 128 + b"DICM")
    said = lines(open_folder(tmp_path))
    assert len(said) == 4
    assert any(line.startswith("./: ") and "2 DICOM files here are not read" in line for line in said)
    assert any("2 .vtk files here are not read; convert them" in line for line in said)
    assert any(line.startswith("sub/: ") and "1 DICOM file here is not read" in line for line in said)
    assert any(line.startswith("sub/: ") and "1 .nii.gz file here is not read" in line for line in said)


def test_images_outside_the_folder_of_images_are_named(tmp_path: Path):
    touch(tmp_path, "images/a.png", "masks/a.png", "old/b.png", "c.png", "Labels.txt")
    said = lines(open_folder(tmp_path))
    assert said == [
        "./: images lie in images/, 1 .png file here is not read; move them, or import that folder too",
        "old/: images lie in images/, 1 .png file here is not read; move them, or import that folder too",
    ]


def test_a_second_mask_of_an_image_is_called_that(tmp_path: Path):
    touch(tmp_path, "images/a.png", "labels/a_seg.png", "labels/a_mask.png", "labels/b.png")
    assert lines(open_folder(tmp_path)) == [
        "labels/a_seg.png: an image has one mask, labels/a_mask.png is read; keep one of them",
        "labels/b.png: a mask needs an image of the same name, got none; restore the image or drop the mask",
    ]


@pytest.mark.parametrize("twin", ["imagesTr/sub/a_0000.nii.gz", "imagesTr/a_0000.NII.GZ"])
def test_two_files_for_one_channel_are_named(tmp_path: Path, twin: str):
    folder = nnunet(tmp_path, ("a",))
    touch(folder, twin)
    dataset = open_nnunet(folder)
    assert len(dataset.cases) == 1
    assert "a channel of a case has one file" in lines(dataset)[0]


def test_of_two_masks_in_nnunet_the_one_with_the_stated_ending_counts(tmp_path: Path):
    folder = nnunet(tmp_path, ("a",))
    touch(folder, "labelsTr/a.nii", "labelsTr/a.png")
    dataset = open_nnunet(folder)
    assert dataset.cases[0].mask == folder / "labelsTr/a.nii.gz"
    assert [r.file for r in dataset.refused] == ["labelsTr/a.nii", "labelsTr/a.png"]


def test_masks_that_no_entry_of_a_decathlon_names_are_named(tmp_path: Path):
    folder = msd(tmp_path, ("a", "b"), training=["./imagesTr/a.nii.gz", {"image": "imagesTr/b.nii.gz", "label": "labelsTr/b.nii.gz"}])
    touch(folder, "imagesTs/c.nii.gz", "labelsTs/c.nii.gz")
    content = json.loads((folder / "dataset.json").read_text())
    write_json(folder, {**content, "test": ["./imagesTs/c.nii.gz"]})
    dataset = open_dataset(folder)
    assert [r.file for r in dataset.refused] == ["labelsTr/a.nii.gz", "labelsTs/c.nii.gz"]
    assert "must be listed in dataset.json with its image" in lines(dataset)[0]


def test_images_that_no_row_of_a_list_names_are_named(tmp_path: Path):
    dataset = listed(
        tmp_path, "image,mask\na.png,a.png\ngone.png,\n", "images/a.png", "images/b.png", "masks/a.png", "masks/b.png", "c.png"
    )
    values = [("labels.csv line 3", "gone.png"), ("labels.csv", "images/b.png, masks/b.png, c.png")]
    assert [(r.file, r.value) for r in dataset.refused] == values


def test_classes_beside_masks_are_said_to_be_unread(tmp_path: Path):
    dataset = listed(tmp_path, "image,mask,diagnosis\na.png,a.png,sick\n", "images/a.png", "masks/a.png")
    assert dataset.notes == ("labels.csv: column diagnosis is not read, as the masks in column mask are the labels",)


def test_labels_in_a_table_beside_a_folder_are_said_to_be_unread(tmp_path: Path):
    touch(tmp_path, "images/a.png", "labels/a.png")
    (tmp_path / "index.csv").write_text("image,class,patient\na.png,sick,p1\n")
    dataset = open_folder(tmp_path)
    assert dataset.cases[0].patient == "p1"
    assert dataset.notes == ("index.csv: its labels are not read (column class); import the table itself for them",)


def test_times_and_efforts_that_cannot_be_kept_are_named(tmp_path: Path):
    dataset = listed(
        tmp_path, 'image,label,annotated_at,effort_seconds\na.png,x,12.03.2024,"1,5"\nb.png,x,2024-03-12,2\n', "a.png", "b.png"
    )
    first, second = dataset.cases
    assert [note.split(",")[0] for note in first.notes] == [
        "its annotated_at in labels.csv is '12.03.2024'",
        "its effort_seconds in labels.csv is '1",
    ]
    assert second.notes == ()


def test_a_row_is_named_by_its_line_in_the_file(tmp_path: Path):
    dataset = listed(tmp_path, 'image,label\n\n ,\na.png,"two\nlines"\ngone.png,x\n', "a.png")
    assert [r.file for r in dataset.refused] == ["labels.csv line 5", "labels.csv line 6"]


@pytest.mark.parametrize("again", ["a.png", "./a.png", "images/a.png", "a"])
def test_rows_that_say_different_things_of_one_image_refuse_the_list(tmp_path: Path, again: str):
    with pytest.raises(FormatError, match="lines 2 and 3 say different things"):
        listed(tmp_path, f"image,label\na.png,x\n{again},y\n", "images/a.png")


def test_a_list_may_leave_the_suffix_out(tmp_path: Path):
    dataset = listed(tmp_path, "image_id,label\na,x\nb,x\n", "images/a.png", "images/b.png", "images/b.jpg")
    assert [c.name for c in dataset.cases] == ["a"]
    assert "a listed file must exist, got b" in lines(dataset)[0]


def test_an_export_says_which_names_it_changes(tmp_path: Path):
    grid = Grid((3, 4, 5), np.diag([1.0, 1.5, 2.0, 1.0]))
    source = Source(format="phantom", names=("x",), sha256="0" * 64)
    cases = [
        ExportCase(
            name, name, "train", Image(np.zeros((1, 3, 4, 5), np.int16), grid), Mask(np.ones((3, 4, 5), np.uint8), grid), None, source
        )
        for name in ("50%", "A b", "a B")
    ]
    done = export_nifti(cases, tmp_path / "out", ["liver"])
    assert done.notes[-1] == "names that no file can have on every system are changed (2 of them): '50%' is '50_', 'a B' is 'a B-2'"


def test_a_note_about_the_source_counts_no_cases():
    assert str(NoteGroup("source", "its labels are not read", ())) == "its labels are not read"


def test_a_row_for_a_file_that_is_no_case_of_its_own_says_so(tmp_path: Path):
    touch(tmp_path, "images/a.png", "images/b.txt")
    (tmp_path / "index.csv").write_text("image,patient\na.png,p1\nimages/b.txt,p2\nimages/gone.png,p3\n")
    rows = [str(r) for r in open_folder(tmp_path).refused if r.file.startswith("index.csv")]
    assert rows[0].startswith("index.csv line 3: a row names an image of its own, this file is left out or is part of another case")
    assert rows[1].startswith("index.csv line 4: a row needs its image, got images/gone.png")


def test_an_image_that_a_decathlon_lists_twice_is_named_as_such(tmp_path: Path):
    entry = {"image": "imagesTr/a.nii.gz", "label": "labelsTr/a.nii.gz"}
    folder = msd(tmp_path, ("a",), training=[entry, entry])
    assert lines(open_dataset(folder)) == [
        "imagesTr/a.nii.gz: an image is listed once in dataset.json, its first entry is read; keep the right one"
    ]


@pytest.mark.parametrize("layout", [msd, nnunet])
def test_masks_are_read_as_foreground_in_every_layout(tmp_path: Path, layout: Callable[[Path], Path]):
    assert open_dataset(layout(tmp_path), masks="foreground").masks == "foreground"


def test_a_patient_in_composed_and_decomposed_spelling_is_one(tmp_path: Path):
    dataset = listed(tmp_path, "image,label,patient\na.png,x,Jos\u00e9\nb.png,x,Jose\u0301\n", "a.png", "b.png")
    assert {case.patient for case in dataset.cases} == {"Jos\u00e9"}


def test_patients_that_differ_in_case_or_spaces_only_are_named(tmp_path: Path):
    touch(tmp_path, *"abcd")
    listed(tmp_path, "image,label,patient\na.png,x,P 1\nb.png,x,p  1\nc.png,x,P2\n", "a.png", "b.png", "c.png")
    assert open_dataset(tmp_path).notes == (
        "patients whose ids differ in letter case or spaces only count as different people: 'P 1' and 'p  1'; correct them if they are one",
    )


def test_a_time_in_the_future_is_named(tmp_path: Path):
    (case,) = listed(tmp_path, "image,label,annotated_at\na.png,x,2999-01-01\n", "a.png").cases
    assert case.notes == ("its annotated_at in labels.csv lies in the future; the time of the import is kept",)
    (case,) = listed(tmp_path, "image,label,annotated_at\na.png,x,0001-01-01T00:00+14:00\n", "a.png").cases
    assert (case.annotated_at, len(case.notes)) == (None, 1)
