import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from medloop.core.geometry import Grid
from medloop.core.image import Image, Mask
from medloop.core.records import Case
from medloop.datasets.discover import open_dataset
from medloop.datasets.export import ExportCase, export_nifti
from medloop.images.read import read_mask
from medloop.loop.foundation.workspace import Workspace

from .conftest import LABELS, PICTURE, Medloop

TWO = ["--label", LABELS[0], "--label", LABELS[1]]


def test_init_makes_a_project_with_its_settings(medloop: Medloop, tmp_path: Path):
    said = medloop(
        "init", tmp_path / "p", "--kind", "segmentation", *TWO, "--strategy", "random", "--batch", 7, "--name", "Livers", "--json"
    )
    made = json.loads(said.out)
    assert (made["name"], made["labels"]) == ("Livers", {"liver": 1, "kidneys": 2})
    with Workspace.open(tmp_path / "p") as workspace:
        assert (workspace.settings.strategy, workspace.settings.batch_size) == ("random", 7)


def test_init_takes_a_first_strategy_that_needs_no_model(medloop: Medloop, tmp_path: Path):
    medloop("init", tmp_path / "p", "--kind", "segmentation", *TWO, "--first-strategy", "typiclust")
    with Workspace.open(tmp_path / "p") as workspace:
        assert workspace.settings.first_strategy == "typiclust"
    refused = medloop("init", tmp_path / "q", "--kind", "segmentation", *TWO, "--first-strategy", "entropy")
    assert refused.status == 2
    assert "must need no model" in refused.err


def test_init_takes_budgets_and_a_target(medloop: Medloop, tmp_path: Path):
    limits = ["--budget-labels", 40, "--budget-minutes", 90, "--budget-money", 500, "--target-score", 0.85]
    medloop("init", tmp_path / "p", "--kind", "segmentation", *TWO, *limits)
    with Workspace.open(tmp_path / "p") as workspace:
        s = workspace.settings
    assert (s.budget_labels, s.budget_minutes, s.budget_money, s.target_score) == (40, 90.0, 500.0, 0.85)
    assert medloop("init", tmp_path / "q", "--kind", "segmentation", *TWO, "--target-score", 1.5).status == 2


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], ("scratch", "descriptors")),
        (["--warm-start"], ("all", "descriptors")),
        (["--training", "replay", "--cold-start", "selfsup"], ("replay", "selfsup")),
        (["--training", "new", "--warm-start"], ("new", "descriptors")),
    ],
)
def test_init_says_what_trainings_and_first_rounds_begin_with(
    medloop: Medloop, tmp_path: Path, options: list[str], expected: tuple[str, str]
):
    assert medloop("init", tmp_path / "p", "--kind", "segmentation", *TWO, *options).status == 0
    with Workspace.open(tmp_path / "p") as workspace:
        assert (workspace.settings.warm_start, workspace.settings.cold_start) == expected


@pytest.mark.parametrize("option", ["--training", "--cold-start"])
def test_init_refuses_words_it_does_not_know(medloop: Medloop, tmp_path: Path, option: str):
    said = medloop("init", tmp_path / "p", "--kind", "segmentation", *TWO, option, "sometimes")
    assert said.status == 2
    assert f"{option} must be one of" in said.err


def test_init_twice_is_refused(medloop: Medloop, project: Path):
    said = medloop("init", project, "--kind", "segmentation", *TWO)
    assert said.status == 1
    assert "already holds a medloop project" in said.err


def test_import_counts_what_came_in_and_may_be_repeated(medloop: Medloop, tmp_path: Path, dataset: Path):
    medloop("init", tmp_path / "p", "--kind", "segmentation", *TWO)
    first = json.loads(medloop("import", tmp_path / "p", dataset, "--json").out)
    again = json.loads(medloop("import", tmp_path / "p", dataset, "--json").out)
    assert (len(first["added"]), first["labelled"], len(first["refused"])) == (9, 6, 0)
    assert (len(again["added"]), len(again["duplicates"])) == (0, 9)
    assert medloop("import", tmp_path / "p", dataset).status == 0


def test_a_damaged_file_costs_itself_and_is_named(medloop: Medloop, tmp_path: Path, dataset: Path):
    medloop("init", tmp_path / "p", "--kind", "segmentation", *TWO)
    bad = sorted((dataset / "imagesTr").iterdir())[0]
    bad.write_bytes(bad.read_bytes()[:200])
    said = medloop("import", tmp_path / "p", dataset)
    assert said.status == 0
    assert "8 cases added (5 with an annotation), 0 labelled and 0 corrected that were there, 0 unchanged, 1 left out" in said.out
    assert said.err.startswith("left out: ")
    assert bad.name in said.err


def test_an_import_of_nothing_fails(medloop: Medloop, tmp_path: Path, dataset: Path):
    medloop("init", tmp_path / "p", "--kind", "segmentation", *TWO)
    for image in dataset.rglob("*.nii.gz"):
        image.write_bytes(b"")
    said = medloop("import", tmp_path / "p", dataset)
    assert said.status == 1
    assert said.err.splitlines()[-1].startswith("medloop: Nothing was imported")


@pytest.mark.parametrize(("source", "words"), [("gone", "No such file or folder"), ("empty", "in no known layout")])
def test_a_source_that_is_none_is_one_line(medloop: Medloop, tmp_path: Path, source: str, words: str):
    (tmp_path / "empty").mkdir()
    medloop("init", tmp_path / "p", "--kind", "segmentation", *TWO)
    said = medloop("import", tmp_path / "p", tmp_path / source)
    assert (said.status, said.err.count("\n")) == (1, 1)
    assert words in said.err


def test_classes_are_imported_and_exported_by_the_same_commands(medloop: Medloop, tmp_path: Path, tagged: Path):
    medloop("init", tmp_path / "p", "--kind", "classification", "--label", "healthy", "--label", "lesion")
    assert json.loads(medloop("import", tmp_path / "p", tagged, "--json").out)["labelled"] == 6
    said = medloop("export", tmp_path / "p", tmp_path / "out", "--format", "csv")
    assert said.status == 0
    before, after = (open_dataset(folder).cases for folder in (tagged, tmp_path / "out"))
    assert [(c.name, c.tag, c.patient) for c in after] == [(c.name, c.tag, c.patient) for c in before]


def test_labels_of_another_project_are_refused(medloop: Medloop, tmp_path: Path, dataset: Path):
    medloop("init", tmp_path / "p", "--kind", "segmentation", "--label", "spleen", "--label", "liver")
    said = medloop("import", tmp_path / "p", dataset)
    assert said.status == 1
    assert "kidneys" in said.err


def test_status_tells_where_a_project_stands(medloop: Medloop, project: Path):
    found = json.loads(medloop("status", project, "--json").out)
    assert (found["counts"]["total"], found["counts"]["annotated"], found["model"], found["worker"]) == (9, 6, None, False)
    assert found["stopping"]["stop"] is False
    assert [line["label"] for line in found["queried"]] == list(LABELS)
    said = medloop("status", project).out
    assert "6 annotated, 3 unlabelled" in said
    assert "advice  go on\n        No model was judged yet" in said


def test_a_report_is_written_and_its_figures_are_printed(medloop: Medloop, project: Path, tmp_path: Path):
    said = medloop("report", project, "--out", tmp_path / "r.html", "--json")
    assert (tmp_path / "r.html").read_text().startswith("<!doctype html>")
    assert json.loads(said.out)["total"] == 9


def test_a_report_needs_a_place(medloop: Medloop, project: Path, tmp_path: Path):
    for place in (tmp_path, tmp_path / "gone" / "r.html"):
        assert medloop("report", project, "--out", place).status == 2


@pytest.mark.parametrize("layout", ["nifti", "msd", "nnunet"])
def test_an_export_holds_the_answers_as_they_came(medloop: Medloop, project: Path, dataset: Path, tmp_path: Path, layout: str):
    said = medloop("export", project, tmp_path / "out", "--format", layout, "--json")
    assert json.loads(said.out)["cases"] == 6
    before = {c.name: c for c in open_dataset(dataset).cases if c.mask}
    for case in open_dataset(tmp_path / "out").cases:
        truth = before[case.name].mask
        assert case.mask is not None
        assert truth is not None
        exported, imported = read_mask(case.mask), read_mask(truth)
        assert (exported.array == imported.array).all()
        assert exported.grid == imported.grid


@pytest.mark.parametrize("layout", ["csv", "model", "zip"])
def test_an_export_that_does_not_fit_leaves_nothing(medloop: Medloop, project: Path, tmp_path: Path, layout: str):
    said = medloop("export", project, tmp_path / "out", "--format", layout)
    assert said.status in (1, 2)
    assert said.err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_the_audit_of_an_untouched_project_is_unbroken(medloop: Medloop, project: Path):
    found = json.loads(medloop("audit", project, "verify", "--json").out)
    assert found["ok"]
    assert found["events"] > 9


def test_the_audit_finds_a_changed_row(medloop: Medloop, project: Path):
    import sqlite3

    with sqlite3.connect(project / "medloop.sqlite") as database:
        tables = [row[0] for row in database.execute("select name from sqlite_master where type = 'table' and name like 'case%'")]
        database.execute(f"update {tables[0]} set patient = 'somebody else'")
    database.close()
    said = medloop("audit", project, "verify")
    assert said.status == 1
    assert "The audit is broken" in said.err


def test_a_copied_project_can_be_opened_elsewhere(medloop: Medloop, project: Path, tmp_path: Path):
    shutil.copytree(project, tmp_path / "moved")
    shutil.rmtree(project)
    assert json.loads(medloop("status", tmp_path / "moved", "--json").out)["counts"]["total"] == 9


def test_instance_maps_are_one_label_when_asked(medloop: Medloop, tmp_path: Path):
    grid = Grid.flat(8, 8)
    instances = np.arange(64, dtype=np.uint8).reshape(8, 8, 1)
    case = ExportCase("a", "p", "train", Image(instances[None], grid), Mask(instances, grid), None, PICTURE)
    export_nifti([case], tmp_path / "nuclei", ["nucleus"])
    medloop("init", tmp_path / "p", "--kind", "segmentation", "--label", "nucleus")
    refused = medloop("import", tmp_path / "p", tmp_path / "nuclei")
    assert (refused.status, "got also [2, 3" in refused.err) == (1, True)
    assert json.loads(medloop("import", tmp_path / "p", tmp_path / "nuclei", "--masks", "foreground", "--json").out)["labelled"] == 1


def test_a_pattern_tells_the_patient_from_the_name(medloop: Medloop, tmp_path: Path, dataset: Path):
    medloop("init", tmp_path / "p", "--kind", "segmentation", *TWO)
    for image in dataset.glob("dataset.json"):
        image.write_text(image.read_text().replace('"patient"', '"nobody"'))
    assert medloop("import", tmp_path / "p", dataset, "--patient-pattern", "^(phantom)").status == 0
    with Workspace.open(tmp_path / "p") as workspace, workspace.store.read() as tx:
        assert {case.patient for case in tx.find(Case)} == {"phantom"}
    assert medloop("import", tmp_path / "p", dataset, "--patient-pattern", "(").status == 2


def test_many_rows_without_their_images_are_five_lines_and_a_count(medloop: Medloop, tmp_path: Path, dataset: Path):
    medloop("init", tmp_path / "p", "--kind", "segmentation", *TWO)
    rows = "".join(f"gone{n}.nii.gz,somebody\n" for n in range(700))
    (dataset / "index.csv").write_text(f"filename,patient\n{rows}")
    source = folder_of(dataset, tmp_path / "folder")
    said = medloop("import", tmp_path / "p", source)
    lines = [line for line in said.err.splitlines() if line.startswith("left out: ")]
    assert len(lines) == 6
    assert "gone4.nii.gz" in lines[4]
    assert lines[5] == "left out: and 695 more of this kind"
    assert "700 left out" in said.out


def folder_of(dataset: Path, folder: Path) -> Path:
    """The labelled images of a Decathlon data set as images/ and labels/, with the table beside them."""
    shutil.copytree(dataset / "imagesTr", folder / "images")
    shutil.copytree(dataset / "labelsTr", folder / "labels")
    shutil.copy(dataset / "index.csv", folder)
    return folder


def test_what_reading_remarked_is_grouped_and_counted_for_people_and_programs(medloop: Medloop, tmp_path: Path, dataset: Path):
    for folder in ("p", "q"):
        medloop("init", tmp_path / folder, "--kind", "segmentation", *TWO)
    said = medloop("import", tmp_path / "p", dataset, "--annotations", "none")
    told = json.loads(medloop("import", tmp_path / "q", dataset, "--answers", "none", "--json").out)
    labelled = [name.name.removesuffix(".nii.gz") for name in sorted((dataset / "labelsTr").iterdir())]
    remark = "has a label that was not requested (--annotations none)"
    assert {"kind": "other", "text": remark, "cases": labelled} in told["notes"]
    lines = [line for line in said.err.splitlines() if remark in line]
    assert len(lines) == 1
    assert lines[0].startswith(f"note: 6 cases: {remark} ({', '.join(labelled[:5])} and 1 more")
