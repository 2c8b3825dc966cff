from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Picture

from medloop.core.records import Annotation, Annotator, Case, ProjectSettings
from medloop.loop.annotating.annotations import flag_case, open_case, skip_case, submit
from medloop.loop.annotating.submission import Submitted
from medloop.loop.data.importing import import_dataset
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.arrays import load_mask
from medloop.loop.foundation.workspace import Workspace

SHAPE = (6, 8)


def picture(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Picture.fromarray(np.random.default_rng(seed).integers(0, 200, SHAPE).astype(np.uint8)).save(path)


def mask(path: Path, columns: int, *, value: int = 1) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    drawn = np.zeros(SHAPE, np.uint8)
    drawn[1:4, 1 : 1 + columns] = value
    Picture.fromarray(drawn).save(path)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Eight pictures without a mask."""
    for n in range(8):
        picture(tmp_path / f"in/images/c{n}.png", n)
    return tmp_path / "in"


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    settings = ProjectSettings(validation_fraction=0.0, test_fraction=0.25, train_after=0)
    return Workspace.create(tmp_path / "project", name="p", kind="segmentation", labels=["a", "b"], settings=settings)


def annotations(workspace: Workspace, name: str) -> list[Annotation]:
    with workspace.store.read() as tx:
        (case,) = tx.find(Case, where={"name": name})
        return tx.find(Annotation, where={"case_id": case.id})


def columns(workspace: Workspace, annotation: Annotation) -> int:
    with workspace.store.read() as tx:
        case = tx.get(Case, annotation.case_id)
    return int(load_mask(workspace.store.blobs, annotation, case).array.any(axis=(1, 2)).sum())


def splits(workspace: Workspace) -> dict[str, str]:
    with workspace.store.read() as tx:
        return {case.name: case.split for case in tx.find(Case)}


def test_a_mask_beside_an_image_already_imported_is_taken_as_the_importers_annotation(workspace: Workspace, source: Path) -> None:
    import_dataset(workspace, source)
    before = splits(workspace)
    mask(source / "masks/c3.png", 2)
    report = import_dataset(workspace, source)
    assert (report.annotated, report.corrected, report.added, report.refused) == (("c3",), (), (), ())
    assert len(report.duplicates) == 7
    (made,) = annotations(workspace, "c3")
    assert (made.origin, columns(workspace, made)) == ("imported", 2)
    assert splits(workspace) == before


def test_a_corrected_mask_supersedes_the_older_imported_one(workspace: Workspace, source: Path) -> None:
    mask(source / "masks/c3.png", 2)
    import_dataset(workspace, source)
    mask(source / "masks/c3.png", 4)
    report = import_dataset(workspace, source)
    assert (report.annotated, report.corrected) == ((), ("c3",))
    older, newer = annotations(workspace, "c3")
    assert newer.supersedes == older.id
    with workspace.store.read() as tx:
        assert [a.id for a in tx.current_annotations()] == [newer.id]


def test_a_correction_taken_back_in_the_source_is_a_third_annotation(workspace: Workspace, source: Path) -> None:
    for drawn in (2, 4, 2):
        mask(source / "masks/c3.png", drawn)
        import_dataset(workspace, source)
    assert [columns(workspace, a) for a in annotations(workspace, "c3")] == [2, 4, 2]


def test_the_same_import_again_adds_no_annotation(workspace: Workspace, source: Path) -> None:
    import_dataset(workspace, source)
    mask(source / "masks/c3.png", 2)
    import_dataset(workspace, source)
    report = import_dataset(workspace, source)
    assert (report.annotated, report.corrected, len(report.duplicates)) == ((), (), 8)
    assert len(annotations(workspace, "c3")) == 1


def test_labels_hidden_at_first_come_with_a_second_import(workspace: Workspace, source: Path) -> None:
    for n in range(8):
        mask(source / f"masks/c{n}.png", 2)
    first = import_dataset(workspace, source, annotations="evaluation")
    assert first.labelled == 2
    (hidden,) = (note for note in first.notes if "not requested" in note.text)
    assert len(hidden.cases) == 6
    before = splits(workspace)
    second = import_dataset(workspace, source)
    assert len(second.annotated) == 6
    assert splits(workspace) == before


def test_a_cell_filled_in_later_is_taken(tmp_path: Path) -> None:
    settings = ProjectSettings(validation_fraction=0.0, test_fraction=0.0)
    workspace = Workspace.create(tmp_path / "p", name="p", kind="classification", labels=["well", "sick"], settings=settings)
    for n in range(2):
        picture(tmp_path / f"in/c{n}.png", n)
    for cells, expected in ((("sick", ""), None), (("sick", "well"), "annotated"), (("well", "well"), "corrected")):
        rows = "\n".join(f"c{n}.png,{cell}" for n, cell in enumerate(cells))
        (tmp_path / "in/labels.csv").write_text(f"filename,label\n{rows}\n")
        report = import_dataset(workspace, tmp_path / "in")
        assert expected is None or len(getattr(report, expected)) == 1
    assert [a.tag for a in annotations(workspace, "c0")] == [1, 0]
    assert [a.tag for a in annotations(workspace, "c1")] == [0]


def test_a_later_label_that_cannot_be_taken_is_named(workspace: Workspace, source: Path) -> None:
    import_dataset(workspace, source)
    mask(source / "masks/c3.png", 2, value=9)
    mask(source / "masks/c4.png", 2)
    report = import_dataset(workspace, source)
    assert report.annotated == ("c4",)
    assert [(r.file, "[9]" in r.rule) for r in report.refused] == [("c3", True)]
    assert annotations(workspace, "c3") == []


def ann(workspace: Workspace) -> Annotator:
    return annotator_named(workspace, "Ann")


def opened_by_ann(workspace: Workspace, name: str) -> str:
    with workspace.store.read() as tx:
        (case,) = tx.find(Case, where={"name": name})
    return open_case(workspace, case.id, ann(workspace).id).assignment.id


def test_a_flag_stands_against_a_label_from_a_file(workspace: Workspace, source: Path) -> None:
    import_dataset(workspace, source)
    flag_case(workspace, opened_by_ann(workspace, "c3"), reason="wrong patient")
    skip_case(workspace, opened_by_ann(workspace, "c4"), reason="too hard")
    for name in ("c3", "c4"):
        mask(source / f"masks/{name}.png", 2)
    report = import_dataset(workspace, source)
    assert report.annotated == ("c4",)
    assert "Ann has flagged this case (wrong patient), its label stays out" in str(report.refused[0])


@pytest.mark.parametrize(("close", "word"), [(flag_case, "flagged"), (skip_case, "skipped")])
def test_what_a_person_took_back_comes_back_with_another_label_only(workspace: Workspace, source: Path, close: Callable, word: str) -> None:
    mask(source / "masks/c3.png", 2)
    import_dataset(workspace, source)
    close(workspace, opened_by_ann(workspace, "c3"), reason="half of it is missing")
    again = import_dataset(workspace, source)
    assert f"Ann has {word} this case (half of it is missing), its label stays out" in str(again.refused[0])
    assert len(annotations(workspace, "c3")) == 1
    mask(source / "masks/c3.png", 4)
    assert import_dataset(workspace, source).corrected == ("c3",)
    assert import_dataset(workspace, source).refused == ()


def test_a_persons_own_annotation_stays_beside_the_imported_one(workspace: Workspace, source: Path) -> None:
    import_dataset(workspace, source)
    whole = np.ones((8, 6, 1), np.uint8)
    submit(workspace, opened_by_ann(workspace, "c3"), Submitted(mask=whole))
    mask(source / "masks/c3.png", 2)
    assert import_dataset(workspace, source).annotated == ("c3",)
    human, imported = annotations(workspace, "c3")
    assert (human.origin, imported.origin, imported.supersedes) == ("human", "imported", None)
    with workspace.store.read() as tx:
        assert {a.id for a in tx.current_annotations()} == {human.id, imported.id}


def test_a_mask_fits_an_image_whose_pixel_size_was_listed_later(workspace: Workspace, source: Path) -> None:
    import_dataset(workspace, source)
    (source / "index.csv").write_text("filename,pixel_size_mm\nc3.png,0.5\n")
    mask(source / "masks/c3.png", 2)
    report = import_dataset(workspace, source)
    assert report.annotated == ("c3",)
    assert any(note.cases == ("c3",) and "voxel size" in note.text for note in report.notes)


def test_an_author_named_later_takes_over_the_imported_label(workspace: Workspace, source: Path) -> None:
    mask(source / "masks/c3.png", 2)
    import_dataset(workspace, source)
    (source / "index.csv").write_text("filename,annotator\nc3.png,Dr Lee\n")
    assert import_dataset(workspace, source).corrected == ()
    mask(source / "masks/c3.png", 4)
    assert import_dataset(workspace, source).corrected == ("c3",)
    older, newer = annotations(workspace, "c3")
    assert newer.supersedes == older.id
    with workspace.store.read() as tx:
        assert tx.get(Annotator, newer.annotator_id).name == "Dr Lee"
        assert [a.id for a in tx.current_annotations()] == [newer.id]


def test_an_author_whose_name_is_medloops_own_is_not_kept(workspace: Workspace, source: Path) -> None:
    mask(source / "masks/c3.png", 2)
    (source / "index.csv").write_text("filename,annotator\nc3.png,system\n")
    report = import_dataset(workspace, source)
    assert report.labelled == 1
    assert any("cannot be kept" in note.text and note.cases == ("c3",) for note in report.notes)
