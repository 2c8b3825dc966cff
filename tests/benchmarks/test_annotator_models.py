"""The study of annotator models: every arm sees what it says, and a run that was interrupted goes on."""

import json
from pathlib import Path

import numpy as np
import pytest

import annotator_models as study
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


def annotated(folder: Path, arm: str):
    question, _ = study.labelled_cases(folder)
    return lambda case: study.annotate(case, question, study.Unit(folder, 0, arm))[1].array[..., 0]


@pytest.mark.parametrize("arm", study.FUSED)
def test_three_annotations_are_fused_to_labels_of_the_task(folder: Path, arm: str) -> None:
    if arm == "three, sitk":
        pytest.importorskip("SimpleITK", reason="needs SimpleITK, the peer")
    question, cases = study.labelled_cases(folder)
    truths, fused = ([annotated(folder, name)(case) for case in cases] for name in (study.CLEAN, arm))
    assert set(np.unique(fused)) == {0, 1}
    single = [
        np.mean([dice(study.drawn_by(c, n, question, 0), t, [1])[1] for n in study.readers_of(c, 0)])
        for c, t in zip(cases, truths, strict=True)
    ]
    assert np.mean([dice(f, t, [1])[1] for f, t in zip(fused, truths, strict=True)]) > np.mean(single)


def test_annotations_of_a_team_differ_as_it_does_and_are_the_same_in_every_arm(folder: Path) -> None:
    question, cases = study.labelled_cases(folder)
    truths = [annotated(folder, study.CLEAN)(case) for case in cases]
    drawn = {n: [study.drawn_by(c, n, question, 0) for c in cases] for n in study.NAMES}
    sizes = {name: np.mean([np.count_nonzero(mask) for mask in masks]) for name, masks in drawn.items()}
    assert sizes["under"] < sizes["good-1"] < sizes["over"]
    right = {n: np.mean([dice(m, t, [1])[1] for m, t in zip(masks, truths, strict=True)]) for n, masks in drawn.items()}
    assert max(right, key=right.get) == "good-1"
    assert min(right, key=right.get) == "random"
    first = study.readers_of(cases[0], 0)[0]
    for arm in (study.PLAIN, "one, confusion"):
        assert np.array_equal(annotated(folder, arm)(cases[0]), drawn[first][0])


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
    assert set(rows) == set(arms)
    assert rows["one, confusion"]["annotations of consensus"].startswith("0.3333")
    modelled = next(unit for unit in every["units"] if unit["arm"] == "one, confusion")
    assert np.shape(modelled["confusions"]) == (len(study.NAMES), 2, 2)
    assert modelled["recipe"]["annotator_model"] == "confusion"
    assert "phantoms | one, confusion" in capsys.readouterr().out
