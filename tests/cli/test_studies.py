import json
from pathlib import Path

from .conftest import run_process

TINY = [
    "--strategies",
    "random,entropy",
    "--seeds",
    1,
    "--start",
    2,
    "--batch",
    1,
    "--rounds",
    2,
    "--steps",
    2,
    "--samples",
    2,
    "--test",
    0.4,
]


def test_a_study_is_run_reported_and_repeated_for_nothing(dataset: Path, tmp_path: Path):
    said = run_process("simulate", dataset, "--out", tmp_path / "study", *TINY)
    assert said.status == 0, said.err
    assert "random" in said.out
    assert (tmp_path / "study/report.html").read_text().startswith("<!doctype html>")
    again = run_process("simulate", dataset, "--out", tmp_path / "study", *TINY, "--json")
    assert json.loads(again.out) == json.loads((tmp_path / "study/results.json").read_text())


def test_another_study_in_the_same_folder_is_refused(dataset: Path, tmp_path: Path):
    folder = tmp_path / "study"
    folder.mkdir()
    (folder / "design.json").write_text(json.dumps({"dataset": "x", "strategies": ["random"]}))
    said = run_process("simulate", dataset, "--out", folder, *TINY)
    assert said.status == 1
    assert "holds a study with other" in said.err
    assert said.err.count("\n") == 1
