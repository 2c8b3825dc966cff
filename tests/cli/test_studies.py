import json
from pathlib import Path

from medloop.simulation.prepare import SETUP

from .conftest import Medloop, run_process

STUDY = """
strategies = ["entropy"]
only = true
seeds = [0]
steps = 2
samples = 1
test_fraction = 0.4
[[datasets]]
path = "dataset"
budgets = [{ start = 2, batch = 1, rounds = 2 }]
"""
TINY = [
    "--only",
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
    (folder / SETUP).write_text("{}")  # its data set was taken
    said = run_process("simulate", dataset, "--out", folder, *TINY)
    assert said.status == 1
    assert "holds a study with other" in said.err
    assert said.err.count("\n") == 1


def test_a_study_file_is_run_and_reported(dataset: Path, tmp_path: Path):
    (tmp_path / "study.toml").write_text(STUDY)
    said = run_process("simulate", tmp_path / "study.toml", "--out", tmp_path / "out")
    assert said.status == 0, said.err
    assert "dataset-2+1x1: One strategy alone cannot be compared." in said.out
    again = run_process("simulate", tmp_path / "study.toml", "--out", tmp_path / "out", "--json")
    assert json.loads(again.out) == json.loads((tmp_path / "out/results.json").read_text())


def test_a_study_file_decides_what_options_may_not(medloop: Medloop, tmp_path: Path):
    (tmp_path / "study.toml").write_text(STUDY)
    said = medloop("simulate", tmp_path / "study.toml", "--out", tmp_path / "out", "--test", 0.3)
    assert said.status != 0
    assert "--test is decided by the study file study.toml; change it there" in said.err


def test_an_unknown_key_of_a_study_file_is_one_line(medloop: Medloop, tmp_path: Path):
    (tmp_path / "study.toml").write_text(STUDY.replace("steps = 2", "stepps = 2"))
    said = medloop("simulate", tmp_path / "study.toml", "--out", tmp_path / "out")
    assert said.status != 0
    assert "has no setting 'stepps'; it has annotators, batch" in said.err
    assert said.err.count("\n") == 1


def test_a_study_of_pretraining_is_run_with_and_without_it_and_says_what_it_saves(dataset: Path, tmp_path: Path):
    said = run_process("simulate", dataset, "--out", tmp_path / "study", *TINY, "--pretraining", "pool")
    assert said.status == 0, said.err
    assert "labels from scratch" in said.out
    assert "labels with pretraining" in said.out
    assert "Labels that pretraining saves" in (tmp_path / "study/report.html").read_text()
    assert (tmp_path / "study/scratch/results.json").exists()
