"""The study of annotator models: every arm sees what it says, and a run that was interrupted goes on."""

import json
from pathlib import Path

import numpy as np
import pytest

import annotator_models as study
from medloop.datasets.discover import open_dataset
from medloop.metrics.overlap import dice
from tests.simulation.phantom_data import slices


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return slices(tmp_path_factory.mktemp("phantoms") / "phantoms", count=12)


def run(folder: Path, work: Path, *more: str) -> dict:
    out = work / "all.json"
    arguments = ["--data", str(folder), "--seeds", "1", "--steps", "2", "--minutes", "0.1", "--work", str(work), "--json", str(out)]
    assert study.main([*arguments, *more]) == 0
    return json.loads(out.read_text())


def test_annotations_of_a_team_differ_as_it_does_and_are_the_same_in_every_arm(folder: Path) -> None:
    cases = [case for case in open_dataset(folder).cases if case.labelled]
    question = study.question_of(open_dataset(folder))
    truths = [study.annotate(case, question, study.CLEAN, 0)[1].array[..., 0] for case in cases]
    drawn = {n: [study.drawn_by(c, n, t, [1], 0) for c, t in zip(cases, truths, strict=True)] for n in study.NAMES}
    sizes = {name: np.mean([np.count_nonzero(mask) for mask in masks]) for name, masks in drawn.items()}
    assert sizes["under"] < sizes["good-1"] < sizes["over"]
    right = {n: np.mean([dice(m, t, [1])[1] for m, t in zip(masks, truths, strict=True)]) for n, masks in drawn.items()}
    assert max(right, key=right.get) == "good-1"
    assert min(right, key=right.get) == "random"
    first = study.readers_of(cases[0], 0)[0]
    for arm in (study.PLAIN, "one, confusion"):
        assert np.array_equal(study.annotate(cases[0], question, arm, 0)[1].array[..., 0], drawn[first][0])


def test_a_run_says_what_is_left_goes_on_and_compares_arm_by_arm(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    arms = [study.CLEAN, study.CONSENSUS, "one, confusion"]
    assert run(folder, tmp_path, "--arms", *arms)["units"] == []
    assert "the others take about" in capsys.readouterr().err
    first = run(folder, tmp_path, "--run", "--arms", study.CLEAN)
    kept = {file: file.stat().st_mtime_ns for file in tmp_path.glob("phantoms-0-*.json")}
    assert len(kept) == len(first["units"]) == 1
    every = run(folder, tmp_path, "--run", "--arms", *arms)
    assert all(file.stat().st_mtime_ns == at for file, at in kept.items())
    rows = {row["arm"]: row for row in every["summary"]}
    assert list(rows) == arms
    assert rows["one, confusion"]["annotations of consensus"].startswith("0.3333")
    modelled = next(unit for unit in every["units"] if unit["arm"] == "one, confusion")
    assert np.shape(modelled["confusions"]) == (len(study.NAMES), 2, 2)
    assert modelled["recipe"]["annotator_model"] == "confusion"
    assert "phantoms | one, confusion" in capsys.readouterr().out
