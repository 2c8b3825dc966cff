"""Which labels a source's masks annotate: by a column, by a rule, by what it names; and what goes out comes back."""

import json
import tempfile
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from medloop.core.errors import InputError, LabelError
from medloop.core.records import Annotation, Case, ProjectSettings
from medloop.datasets.table import annotated_cell, annotated_names
from medloop.loop.data.exporting import export_project
from medloop.loop.data.importing import import_dataset
from medloop.loop.foundation.annotated_labels import annotated_labels
from medloop.loop.foundation.arrays import load_mask
from medloop.loop.foundation.workspace import Workspace
from tests.datasets.nnunet_integrity import verify

SHAPE = (6, 5, 4)
LABELS = ("liver", "spleen", "left kidney")
ALL = frozenset(LABELS)


def write(folder: Path, name: str, *values: int) -> None:
    """An image and its mask, one slab per value."""
    drawn = np.zeros(SHAPE, np.uint8)
    for value in values:
        drawn[value] = value
    grey = np.random.default_rng(abs(hash(name)) % 1000).integers(-900, 900, SHAPE).astype(np.int16)
    for part, array in (("images", grey), ("labels", drawn)):
        (folder / part).mkdir(parents=True, exist_ok=True)
        nib.save(nib.Nifti1Image(array, np.eye(4)), folder / part / f"{name}.nii.gz")


def table(folder: Path, **cells: str) -> None:
    rows = "".join(f'{name}.nii.gz,"{cell}"\n' for name, cell in cells.items())
    (folder / "index.csv").write_text(f"filename,annotated\n{rows}")


def made(folder: Path, labels: tuple[str, ...] = LABELS) -> Workspace:
    chosen = ProjectSettings(validation_fraction=0.0, test_fraction=0.0, audit_fraction=0.0, train_after=0)
    return Workspace.create(folder, name=folder.name, kind="segmentation", labels=list(labels), settings=chosen)


def said(workspace: Workspace) -> dict[str, tuple[frozenset[str], tuple[int, ...]]]:
    """Case → the labels that its annotation annotates, and the values in its mask."""
    with workspace.store.read() as tx:
        labels, cases = annotated_labels(tx, workspace.task), {case.id: case for case in tx.find(Case)}
        every = tx.current_annotations()
    blobs = workspace.store.blobs
    found = {}
    for a in every:
        values = np.unique(load_mask(blobs, a, cases[a.case_id]).array)
        found[cases[a.case_id].name] = (frozenset(label.name for label in labels.of(a)), tuple(values.tolist()))
    return found


def test_a_column_says_it_case_by_case_and_a_rule_says_it_of_the_others(tmp_path: Path) -> None:
    write(tmp_path / "in", "a", 1)
    write(tmp_path / "in", "b", 1, 2)
    write(tmp_path / "in", "c")
    table(tmp_path / "in", a="Liver", b="liver; spleen", c="")
    with made(tmp_path / "project") as workspace:
        assert import_dataset(workspace, tmp_path / "in", annotated=["spleen"]).refused == ()
        annotated = {name: labels for name, (labels, _) in said(workspace).items()}
        assert annotated == {"a": {"liver"}, "b": {"liver", "spleen"}, "c": {"spleen"}}


def test_without_either_masks_annotate_every_label(tmp_path: Path) -> None:
    write(tmp_path / "in", "a", 1)
    with made(tmp_path / "project") as workspace:
        import_dataset(workspace, tmp_path / "in")
        assert said(workspace)["a"][0] == ALL


@pytest.mark.parametrize(
    ("cell", "rule"),
    [
        ("liver", r"a: a.nii.gz is annotated for liver only, and holds spleen \(20 voxels\) too; call these annotated, or leave them out"),
        ("liver;gall bladder", "a: Labels that are annotated: Unknown label 'gall bladder'; use some of liver, spleen, left kidney"),
        ("[]", "a: An annotation annotates at least one label, got none"),
    ],
)
def test_a_cell_that_cannot_be_true_costs_its_case_in_one_line_and_the_rest_goes_on(tmp_path: Path, cell: str, rule: str) -> None:
    write(tmp_path / "in", "a", 1, 2)
    write(tmp_path / "in", "b", 1)
    table(tmp_path / "in", a=cell, b="liver")
    with made(tmp_path / "project") as workspace:
        report = import_dataset(workspace, tmp_path / "in")
        (refusal,) = report.refused
        assert str(refusal).startswith(rule.replace("\\", ""))
        assert set(said(workspace)) == {"b"}


def test_a_rule_that_cannot_be_is_refused_at_once(tmp_path: Path) -> None:
    write(tmp_path / "in", "a", 1)
    with made(tmp_path / "project") as workspace:
        with pytest.raises(LabelError, match="Unknown label 'lung'"):
            import_dataset(workspace, tmp_path / "in", annotated=["lung"])
        with pytest.raises(InputError, match="at least one label"):
            import_dataset(workspace, tmp_path / "in", annotated=[])


def test_what_a_source_does_not_name_its_masks_do_not_annotate(tmp_path: Path) -> None:
    write(tmp_path / "in", "a", 1)
    with made(tmp_path / "one", ("liver",)) as workspace:
        import_dataset(workspace, tmp_path / "in")
        export_project(workspace, tmp_path / "out", "msd")
    with made(tmp_path / "two") as workspace:
        report = import_dataset(workspace, tmp_path / "out")
        assert said(workspace)["a"][0] == {"liver"}
        assert any("does not name spleen, left kidney: not annotated" in note.text for note in report.notes)
    with made(tmp_path / "three") as workspace:
        import_dataset(workspace, tmp_path / "out", annotated=LABELS)
        assert said(workspace)["a"][0] == ALL


def test_two_sources_of_the_same_images_add_up_label_by_label(tmp_path: Path) -> None:
    write(tmp_path / "livers", "a", 1)
    write(tmp_path / "spleens", "a", 2)
    with made(tmp_path / "project") as workspace:
        import_dataset(workspace, tmp_path / "livers", annotated=["liver"])
        report = import_dataset(workspace, tmp_path / "spleens", annotated=["spleen"])
        assert report.corrected == ("a",)
        assert said(workspace)["a"] == ({"liver", "spleen"}, (0, 1, 2))
        assert import_dataset(workspace, tmp_path / "livers", annotated=["liver"]).duplicates == ("a",)
        overlapping = np.full(SHAPE, 3, np.uint8)
        nib.save(nib.Nifti1Image(overlapping, np.eye(4)), tmp_path / "spleens/labels/a.nii.gz")
        (refusal,) = import_dataset(workspace, tmp_path / "spleens", annotated=["left kidney"]).refused
        assert "a voxel has one label, 40 of this mask are liver, spleen by an earlier import" in str(refusal)


def test_an_ignore_label_alone_does_not_say_which_labels_are_annotated(tmp_path: Path) -> None:
    write(tmp_path / "in", "a", 1)
    write(tmp_path / "spleens", "b", 2)
    with made(tmp_path / "first") as workspace:
        import_dataset(workspace, tmp_path / "in", annotated=["liver"])
        report = export_project(workspace, tmp_path / "Dataset000_One", "nnunet")
        assert "ignore" not in json.loads((tmp_path / "Dataset000_One/dataset.json").read_text())["labels"], "else nothing were background"
        assert any("no case for training annotates spleen, left kidney: nnU-Net takes it as absent" in note for note in report.notes)
        import_dataset(workspace, tmp_path / "spleens", annotated=["spleen"])
        report = export_project(workspace, tmp_path / "Dataset001_Out", "nnunet")
    assert any("background is the ignore label in 2 cases in which not every label is annotated: a, b" in note for note in report.notes)
    verify(tmp_path / "Dataset001_Out")
    (tmp_path / "Dataset001_Out/medloop.csv").unlink()
    with made(tmp_path / "second") as workspace:
        refusal, _ = import_dataset(workspace, tmp_path / "Dataset001_Out").refused
        assert "the voxels of its ignore label, 4, do not say which labels are annotated" in str(refusal)
        import_dataset(workspace, tmp_path / "Dataset001_Out", annotated=["liver", "spleen"])
        assert said(workspace)["a"] == ({"liver", "spleen"}, (0, 1))


letters = st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs"))
names = st.lists(st.text(letters, min_size=1, max_size=12), min_size=1, max_size=4)


@given(names.map(lambda found: tuple(dict.fromkeys(name.strip() or "x" for name in found))))
def test_names_in_a_cell_come_back(found: tuple[str, ...]) -> None:
    assert annotated_names({"annotated": annotated_cell(found)}) == found


subsets = st.sets(st.sampled_from(LABELS), min_size=1)


@settings(max_examples=8, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(annotated=st.lists(st.tuples(subsets, subsets), min_size=1, max_size=3), fmt=st.sampled_from(["nifti", "msd", "nnunet"]))
def test_what_goes_out_comes_back_exactly(annotated: list[tuple[set[str], set[str]]], fmt: str) -> None:
    """Of each case the labels that are annotated, and those of them that the mask holds."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        cells = {}
        for number, (labels, held) in enumerate(annotated):
            write(folder / "in", f"c{number}", *(LABELS.index(label) + 1 for label in held & labels))
            cells[f"c{number}"] = "; ".join(sorted(labels))
        table(folder / "in", **cells)
        with made(folder / "first") as workspace:
            assert import_dataset(workspace, folder / "in").refused == ()
            before = said(workspace)
            export_project(workspace, folder / "Dataset001_Out", fmt)
        with made(folder / "second") as workspace:
            assert import_dataset(workspace, folder / "Dataset001_Out").refused == ()
            assert said(workspace) == before
        assert {case: labels for case, (labels, _) in before.items()} == {f"c{n}": labels for n, (labels, _) in enumerate(annotated)}


def test_an_annotation_from_before_annotates_every_label_of_its_version(tmp_path: Path) -> None:
    write(tmp_path / "in", "a", 1)
    with made(tmp_path / "project") as workspace:
        import_dataset(workspace, tmp_path / "in")
        with workspace.store.read() as tx:
            (kept,) = tx.find(Annotation)
            (event,) = tx.events_about("annotation", [kept.id])
        assert kept.annotated == ()
        assert "annotated" not in event.body
