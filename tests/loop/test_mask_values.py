"""What the values of a mask mean: labels, one foreground, or black and white."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from PIL import Image as Picture

from medloop.core.errors import SettingError
from medloop.core.records import Annotation, Case, ProjectSettings
from medloop.datasets.discover import open_dataset
from medloop.loop.data.importing import ImportReport, import_dataset
from medloop.loop.foundation.arrays import load_mask
from medloop.loop.foundation.workspace import Workspace

SHAPE = (7, 6, 5)
SETTINGS = ProjectSettings(validation_fraction=0.0, test_fraction=0.0)


def imported(folder: Path, drawn: np.ndarray, *, labels: tuple[str, ...] = ("cell",), **how: str) -> tuple[ImportReport, list[int]]:
    """Import one case with this mask; the values that were kept."""
    for part, array in (("images", np.arange(drawn.size).reshape(drawn.shape).astype(np.int16)), ("labels", drawn)):
        (folder / "in" / part).mkdir(parents=True)
        if drawn.ndim == 2:
            Picture.fromarray(array.astype(np.uint8) if part == "images" else array).save(folder / "in" / part / "x.png")
        else:
            nib.save(nib.Nifti1Image(array, np.eye(4)), folder / "in" / part / "x.nii.gz")
    workspace = Workspace.create(folder / "p", name="p", kind="segmentation", labels=list(labels), settings=SETTINGS)
    report = import_dataset(workspace, open_dataset(folder / "in", **how))
    with workspace.store.read() as tx:
        kept = [load_mask(workspace.store.blobs, a, tx.get(Case, a.case_id)).values() for a in tx.find(Annotation)]
    return report, [int(value) for values in kept for value in values]


@pytest.mark.parametrize("dtype", [np.uint16, np.int32, np.float32])
@pytest.mark.parametrize("flat", [False, True])
def test_instance_maps_above_255_are_one_foreground(tmp_path: Path, dtype: type, flat: bool) -> None:
    if flat and dtype is not np.uint16:
        dtype = np.uint16
    drawn = np.zeros((8, 6) if flat else SHAPE, dtype)
    drawn[1, 1], drawn[2, 2], drawn[3, 3] = 256, 300, 65535
    report, values = imported(tmp_path, drawn, masks="foreground")
    assert (report.refused, values) == ((), [0, 1])


@pytest.mark.parametrize("white", [255, 65535])
@pytest.mark.parametrize("flat", [False, True])
@pytest.mark.parametrize("masks", ["labels", "foreground"])
def test_black_and_white_is_the_only_label_and_said(tmp_path: Path, white: int, flat: bool, masks: str) -> None:
    drawn = np.zeros((8, 6) if flat else SHAPE, np.uint8 if white == 255 else np.uint16)
    drawn[1:3, 1:3] = white
    report, values = imported(tmp_path, drawn, masks=masks)
    assert (report.refused, values) == ((), [0, 1])
    assert any("black and white" in note.text for note in report.notes) == (masks == "labels")


@pytest.mark.parametrize("flat", [False, True])
def test_black_and_white_does_not_choose_among_several_labels(tmp_path: Path, flat: bool) -> None:
    drawn = np.zeros((8, 6) if flat else SHAPE, np.uint8)
    drawn[1:3, 1:3] = 255
    report, values = imported(tmp_path, drawn, labels=("cell", "edge"))
    assert values == []
    assert "does not say which of the project's 2 labels it shows; save it with the label's value" in str(report.refused[0])


def test_several_labels_read_as_foreground_are_said_to_be_the_first(tmp_path: Path) -> None:
    drawn = np.zeros(SHAPE, np.uint8)
    drawn[1, 1, 1], drawn[2, 2, 2] = 1, 2
    report, values = imported(tmp_path, drawn, labels=("cell", "edge"), masks="foreground")
    assert values == [0, 1]
    assert "every mask value above 0 is read as the first label, 'cell'" in [note.text for note in report.notes]


@pytest.mark.parametrize("names", [["Background"], ["IGNORE", "x"], ["liver", "Liver"], ["Zo\u00eb", "zoe\u0308"], ["straße", "STRASSE"]])
def test_names_that_other_tools_read_otherwise_are_refused(tmp_path: Path, names: list[str]) -> None:
    with pytest.raises(SettingError, match=r"cannot be called|different"):
        Workspace.create(tmp_path / "p", name="p", kind="segmentation", labels=names)


def test_a_class_may_be_called_background(tmp_path: Path) -> None:
    made = Workspace.create(tmp_path / "p", name="p", kind="classification", labels=["background", "cell"])
    assert [label.name for label in made.task.labels] == ["background", "cell"]


def test_labels_of_a_source_match_whatever_their_case(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for n, tag in enumerate(("Well", "SICK", "ill")):
        Picture.fromarray(np.full((6, 8), n, np.uint8)).save(tmp_path / f"in/c{n}.png")
        with (tmp_path / "in/labels.csv").open("a") as table:
            table.write(("filename,label\n" if n == 0 else "") + f"c{n}.png,{tag}\n")
    workspace = Workspace.create(tmp_path / "p", name="p", kind="classification", labels=["well", "sick"], settings=SETTINGS)
    report = import_dataset(workspace, tmp_path / "in")
    assert (report.added, [r.file for r in report.refused]) == (("c0", "c1"), ["c2"])


def test_a_single_label_of_another_name_is_taken_and_said(tmp_path: Path) -> None:
    for part in ("imagesTr", "labelsTr"):
        (tmp_path / "in" / part).mkdir(parents=True)
        nib.save(nib.Nifti1Image(np.eye(6, dtype=np.uint8)[..., None], np.eye(4)), tmp_path / "in" / part / "x.nii.gz")
    entry = '{"image": "./imagesTr/x.nii.gz", "label": "./labelsTr/x.nii.gz"}'
    (tmp_path / "in/dataset.json").write_text('{"labels": {"0": "background", "1": "spleen"}, "training": [' + entry + "]}")
    workspace = Workspace.create(tmp_path / "p", name="p", kind="segmentation", labels=["liver"], settings=SETTINGS)
    report = import_dataset(workspace, tmp_path / "in")
    assert report.labelled == 1
    assert "the source's only label 'spleen' is read as the project's only one, 'liver'" in [note.text for note in report.notes]


def test_labels_that_a_source_does_not_name_are_not_annotated_by_it(tmp_path: Path) -> None:
    for part in ("imagesTr", "labelsTr"):
        (tmp_path / "in" / part).mkdir(parents=True)
        nib.save(nib.Nifti1Image(np.eye(6, dtype=np.uint8)[..., None], np.eye(4)), tmp_path / "in" / part / "x.nii.gz")
    entry = '{"image": "./imagesTr/x.nii.gz", "label": "./labelsTr/x.nii.gz"}'
    (tmp_path / "in/dataset.json").write_text('{"labels": {"0": "background", "1": "Liver"}, "training": [' + entry + "]}")
    workspace = Workspace.create(tmp_path / "p", name="p", kind="segmentation", labels=["liver", "tumour"], settings=SETTINGS)
    report = import_dataset(workspace, tmp_path / "in")
    said = "the source does not name tumour: not annotated in its cases, and their background says nothing of it"
    assert any(note.text.startswith(said) for note in report.notes)
    with workspace.store.read() as tx:
        assert [annotation.annotated for annotation in tx.current_annotations()] == [(1,)]
