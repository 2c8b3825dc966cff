"""A patient has one split: in the source, in the project, and over both."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Picture

from medloop.core.errors import ConflictError, FormatError
from medloop.core.records import Case, ProjectSettings
from medloop.loop.data.importing import ImportReport, import_dataset
from medloop.loop.foundation.workspace import Workspace
from tests.datasets.layouts import nnunet


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    settings = ProjectSettings(validation_fraction=0.0, test_fraction=0.0, audit_fraction=0.0)
    return Workspace.create(tmp_path / "project", name="p", kind="classification", labels=["x", "y"], settings=settings)


def listed(folder: Path, rows: list[tuple[str, str, str]]) -> Path:
    """Pictures with a class, by (name, patient, split)."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    for name, _, _ in rows:
        seed = sum(name.encode())
        Picture.fromarray(np.random.default_rng(seed).integers(0, 200, (6, 8)).astype(np.uint8)).save(folder / f"images/{name}.png")
    lines = "".join(f"{name}.png,x,{patient},{split}\n" for name, patient, split in rows)
    (folder / "labels.csv").write_text(f"filename,label,patient,split\n{lines}")
    return folder


def splits(workspace: Workspace) -> dict[str, str]:
    with workspace.store.read() as tx:
        return {case.name: case.split for case in tx.find(Case)}


def test_a_patient_whom_the_table_puts_into_two_splits_is_an_error(workspace: Workspace, tmp_path: Path) -> None:
    source = listed(tmp_path / "in", [("a", "anna", "train"), ("b", "anna", "test"), ("c", "bert", "test")])
    with pytest.raises(FormatError, match=r"puts 1 patient in two splits: anna: test \(b\), train \(a\); give each patient one split"):
        import_dataset(workspace, source)
    assert splits(workspace) == {}


def test_a_table_that_would_move_a_patient_is_an_error(workspace: Workspace, tmp_path: Path) -> None:
    import_dataset(workspace, listed(tmp_path / "in", [("a", "anna", "train"), ("b", "bert", "test")]))
    later = listed(tmp_path / "later", [("c", "anna", "test"), ("d", "carl", "test")])
    with pytest.raises(ConflictError, match=r"Splits never move, but 1 patient would: anna is in train, the source says test"):
        import_dataset(workspace, later)
    assert splits(workspace) == {"a": "train", "b": "test"}


def test_patients_named_later_may_not_join_cases_of_two_splits(workspace: Workspace, tmp_path: Path) -> None:
    import_dataset(workspace, listed(tmp_path / "in", [("a", "", "train"), ("b", "", "test")]))
    with pytest.raises(ConflictError, match=r"already has 1 patient in two splits: anna: test \(b\), train \(a\)"):
        import_dataset(workspace, listed(tmp_path / "in", [("a", "anna", ""), ("b", "anna", "")]))


def test_new_images_of_a_patient_named_later_follow_those_that_are_there(workspace: Workspace, tmp_path: Path) -> None:
    import_dataset(workspace, listed(tmp_path / "in", [("a", "", "test"), ("b", "", "train")]))
    report = import_dataset(workspace, listed(tmp_path / "in", [("a", "anna", ""), ("b", "", ""), ("c", "anna", "")]))
    assert splits(workspace) == {"a": "test", "b": "train", "c": "test"}
    assert [(n.cases, "stays with the patient" in n.text) for n in report.notes if "patient it was" in n.text] == [(("a",), True)]


def test_an_image_drawn_along_with_its_patient_is_named(workspace: Workspace, tmp_path: Path) -> None:
    report = import_dataset(workspace, listed(tmp_path / "in", [("a", "anna", "test"), ("b", "anna", ""), ("c", "bert", "")]))
    assert splits(workspace) == {"a": "test", "b": "test", "c": "train"}
    assert [n.cases for n in report.notes if "kept for test" in n.text] == [("b",)]


def test_a_mask_put_among_the_tests_later_is_taken_without_moving_its_case(tmp_path: Path) -> None:
    settings = ProjectSettings(validation_fraction=0.0, test_fraction=0.0, audit_fraction=0.0)
    workspace = Workspace.create(tmp_path / "project", name="p", kind="segmentation", labels=["liver"], settings=settings)
    source = nnunet(tmp_path / "in", ["a"], ending=".png")
    for n, part in enumerate(("imagesTr/a_0000", "imagesTs/b_0000", "labelsTr/a")):
        (source / part).parent.mkdir(exist_ok=True)
        Picture.fromarray(np.full((6, 8), 1 if part.startswith("labels") else 40 + n, np.uint8)).save(source / f"{part}.png")
    import_dataset(workspace, source)
    (source / "labelsTs").mkdir()
    Picture.fromarray(np.ones((6, 8), np.uint8)).save(source / "labelsTs/b.png")
    report = import_dataset(workspace, source)
    assert (report.annotated, splits(workspace)) == (("b",), {"a": "train", "b": "train"})
    assert [n.cases for n in report.notes if "splits never move" in n.text] == [("b",)]


def import_during(workspace: Workspace, source: Path, other: Path) -> ImportReport:
    """Import a source, and another one wholly when the first case of it is about to be taken, as another process may."""

    def meanwhile(done: int, _total: int, _name: str) -> None:
        if done == 0:
            import_dataset(workspace, other)

    return import_dataset(workspace, source, report=meanwhile)


def test_two_imports_of_one_source_at_once_take_every_case_once_and_refuse_none(workspace: Workspace, tmp_path: Path) -> None:
    source = listed(tmp_path / "in", [("a", "anna", ""), ("b", "bert", ""), ("c", "carl", "")])
    report = import_during(workspace, source, source)
    assert (sorted(report.duplicates), report.added, report.refused) == (["a", "b", "c"], (), ())
    assert splits(workspace) == {"a": "train", "b": "train", "c": "train"}


def test_a_patient_whom_another_import_brought_meanwhile_keeps_one_split(workspace: Workspace, tmp_path: Path) -> None:
    source = listed(tmp_path / "in", [("a", "anna", ""), ("c", "carl", "")])
    import_during(workspace, source, listed(tmp_path / "other", [("b", "anna", "test")]))
    assert splits(workspace) == {"a": "test", "b": "test", "c": "train"}


def test_a_split_that_another_import_has_fixed_otherwise_meanwhile_is_an_error(workspace: Workspace, tmp_path: Path) -> None:
    source = listed(tmp_path / "in", [("a", "anna", "train")])
    with pytest.raises(ConflictError, match="anna is in test, the source says train"):
        import_during(workspace, source, listed(tmp_path / "other", [("b", "anna", "test")]))
    assert splits(workspace) == {"b": "test"}
