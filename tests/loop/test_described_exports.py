"""What describes a project for others: tables that pandas reads, a Croissant card that mlcroissant validates, a model card."""

import json
import logging
from pathlib import Path

import mlcroissant
import numpy as np
import pandas as pd
import pytest

from medloop.core.errors import NotFoundError
from medloop.core.records import Case, Evaluation, EvaluationTruth, Model, Snapshot, new_id, now
from medloop.loop.annotating.annotations import open_case, submit
from medloop.loop.annotating.submission import Submitted
from medloop.loop.data.annotation_tables import COLUMNS
from medloop.loop.data.exporting import export_project
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.arrays import load_mask
from medloop.loop.foundation.workspace import Workspace

from .conftest import SMALL, MakeWorkspace
from .test_pictures_in_and_out import picture
from .test_pictures_in_and_out import project as new_project

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the libraries that mlcroissant reads with

SPLITS = ["train", "train", "test", "test", "test", "test", "test", "test"]


@pytest.fixture
def workspace(make_workspace: MakeWorkspace) -> Workspace:
    """Eight cases with masks, of which a person has corrected the first one twice."""
    made = make_workspace(SPLITS, labelled=8)
    ann = annotator_named(made, "=Ann()")
    with made.store.read() as tx:
        case = tx.find(Case, where={"name": "case00"})[0]
    for value in (1, 2):
        opened = open_case(made, case.id, ann.id)
        submit(made, opened.assignment.id, Submitted(mask=np.full(SMALL, value, np.uint8), effort_seconds=3.5, replace=True))
    return made


def test_a_table_has_a_row_for_each_case_and_label_and_pandas_reads_both_kinds_alike(workspace: Workspace, tmp_path: Path) -> None:
    for fmt in ("table", "parquet"):
        assert export_project(workspace, tmp_path / fmt, fmt).cases == 8
    text, typed = pd.read_csv(tmp_path / "table/annotations.csv"), pd.read_parquet(tmp_path / "parquet/annotations.parquet")
    assert list(text.columns) == list(typed.columns) == list(COLUMNS)
    assert text[["case", "label"]].to_numpy().tolist()[:3] == [["case00", "large"], ["case00", "small"], ["case01", "large"]]
    first = typed.iloc[1]
    assert (first["revision"], first["voxels"], first["effort_seconds"], first["annotator_kind"]) == (3, np.prod(SMALL), 3.5, "person")
    assert str(typed["annotated_at_utc"].dt.tz) == "UTC"
    assert pd.to_datetime(text["annotated_at_utc"]).dt.tz_convert("UTC").tolist() == typed["annotated_at_utc"].tolist()
    for name in ("present", "voxels", "volume_ml", "diameter_mm", "split"):
        assert text[name].tolist() == pytest.approx(typed[name].tolist()) if name.endswith("m") else text[name].notna().all()
    assert text["annotator"].notna().tolist() == [True] * 2 + [False] * 14, "the importer is nobody"
    assert "Ann" not in (tmp_path / "table/annotations.csv").read_text(), "people have pseudonyms"
    with workspace.store.read() as tx:
        case = tx.find(Case, where={"name": "case03"})[0]
        (a,) = tx.current_annotations(case_ids=[case.id])
    counts = np.bincount(load_mask(workspace.store.blobs, a, case).array.ravel(), minlength=3)
    assert typed[typed["case"] == "case03"]["voxels"].tolist() == counts[1:].tolist()


def test_a_croissant_card_is_valid_and_its_records_are_the_images(
    workspace: Workspace, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    report = export_project(workspace, tmp_path / "out", "croissant")
    assert any("names no license" in note for note in report.notes)
    with caplog.at_level(logging.ERROR):
        card = mlcroissant.Dataset(str(tmp_path / "out/croissant.json"))
    assert not card.metadata.ctx.issues.errors
    found = [record["cases/filename"].decode() for record in card.records("cases")]
    assert found == [f"case{n:02d}.nii.gz" for n in range(8)]
    sets = {
        one["@id"]: one["includes"]
        for one in json.loads((tmp_path / "out/croissant.json").read_text())["distribution"]
        if "includes" in one
    }
    assert {name: len(list((tmp_path / "out").glob(glob))) for name, glob in sets.items()} == {"images-nii-gz": 8, "labels-nii-gz": 8}
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_classes_have_a_table_and_a_card_too(tmp_path: Path) -> None:
    from medloop.loop.data.importing import import_dataset

    for n in range(2):
        picture(tmp_path / f"in/images/c{n}.png", n)
    (tmp_path / "in/labels.csv").write_text("filename,label\nc0.png,well\nc1.png,sick\n")
    made = new_project(tmp_path / "made", kind="classification", labels=("well", "sick"))
    import_dataset(made, tmp_path / "in")
    export_project(made, tmp_path / "table", "table")
    assert pd.read_csv(tmp_path / "table/annotations.csv")["present"].tolist() == [True, False, False, True]
    export_project(made, tmp_path / "card", "croissant")
    records = list(mlcroissant.Dataset(str(tmp_path / "card/croissant.json")).records("cases"))
    assert [one["cases/label"] for one in records] == [b"well", b"sick"]


def judged(workspace: Workspace) -> Model:
    """A model that was held against the six test cases: the large label at 0.5 to 1, the small one at 0.4."""
    snapshot = Snapshot(id=new_id("snapshot"), annotation_ids=(), digest="1" * 64, created_at=now())
    model = Model(
        id=new_id("model"),
        index=1,
        recipe={"dimension": 3, "features": [8]},
        snapshot_id=snapshot.id,
        weights=(),
        metrics={},
        created_at=now(),
    )
    with workspace.store.read() as tx:
        ids = [case.id for case in sorted(tx.find(Case), key=lambda case: case.name) if case.split == "test"]
    per_case = {i: {"large": 0.5 + n / 10, "small": 0.4} for n, i in enumerate(ids)}
    means = [np.mean(list(one.values())) for one in per_case.values()]
    evaluation = Evaluation(
        id=new_id("evaluation"), model_id=model.id, split="test", metric="dice", mean=float(np.mean(means)), low=0.4, high=0.7,
        labelled_cases=2, effort_minutes=1.0, per_case=per_case, created_at=now(),
    )  # fmt: skip
    truth = EvaluationTruth(
        id=new_id("truth"), model_id=model.id, split="test", evaluation_id=evaluation.id, digest="2" * 64, created_at=now()
    )
    with workspace.store.write("worker") as tx:
        for one in (snapshot, model, evaluation, truth):
            tx.add(one)
    return model


def test_a_model_card_has_the_sections_figures_with_intervals_and_open_fields(workspace: Workspace, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no model"):
        export_project(workspace, tmp_path / "none", "model-card")
    judged(workspace)
    report = export_project(workspace, tmp_path / "out", "model-card", model=1)
    text = (tmp_path / "out/MODEL_CARD.md").read_text()
    sections = [line.removeprefix("## ") for line in text.splitlines() if line.startswith("## ")]
    assert sections == [
        "Model details", "Intended use", "Factors", "Metrics", "Evaluation data", "Training data", "Quantitative analyses",
        "Ethical considerations", "Caveats and recommendations",
    ]  # fmt: skip
    (large,) = [line.split("|") for line in text.splitlines() if line.startswith("| label large")]
    assert [cell.strip() for cell in large[2:5]] == ["6", "6", "0.750"]
    low, high = (float(one) for one in large[5].split(" to "))
    assert low < 0.75 < high
    assert any(line.startswith("| label small | 6 | 6 | 0.400 |") for line in text.splitlines())
    assert text.count("To be filled in by the project's lead") >= 8
    assert f"{text.count('To be filled in')} fields that only the project's lead can fill in" in report.notes[0]
