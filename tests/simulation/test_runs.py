"""Whole studies on phantoms: the loop itself runs, the same bits come out however it is run."""

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from medloop.core.errors import ConflictError, InputError, SettingError
from medloop.core.records import Annotation, Query, Round
from medloop.loop.workspace import Workspace
from medloop.simulation.design import StudyDesign, Unit
from medloop.simulation.files import write_json
from medloop.simulation.runs import open_study, run_study, write_results

from .phantom_data import small_design, tagged

KILLED = Path(__file__).with_name("killed_study.py")


def test_every_run_has_its_rounds_and_the_shared_first_one(finished):
    _, result = finished
    assert [(c.strategy, c.labelled) for c in result.curves] == [("random", (3, 5)), ("entropy", (3, 5))]
    first, second = result.curves
    assert first.scores[0] == second.scores[0]
    assert first.picks[0] == second.picks[0]
    assert (result.missing, [f.labelled for f in result.full]) == ((), [result.setup.pool])


def test_scores_lie_between_zero_and_one_and_belong_to_held_out_cases(finished):
    _, result = finished
    for curve in result.curves:
        for per_case, picks in zip(curve.per_case, curve.picks, strict=True):
            assert set(per_case) == set(result.setup.patients)
            assert not set(picks) & set(result.setup.patients)
            assert all(0 <= score <= 1 for score in per_case.values())


def test_each_run_is_an_ordinary_project_answered_by_its_strategy(finished):
    out, _ = finished
    with Workspace.open(Unit(0, "entropy", 2).run_folder(out)) as workspace, workspace.store.read() as tx:
        rounds = tx.find(Round, order=("index",))
        assert [str(r.state) for r in rounds] == ["closed", "closed"]
        assert [tx.get(Query, r.query_id).strategy for r in rounds] == ["random", "entropy"]
        assert {a.origin for a in tx.find(Annotation)} == {"imported", "simulated"}


def test_the_report_stands_alone(finished):
    out, _ = finished
    html = (out / "report.html").read_text()
    assert html.startswith("<!doctype html>")
    assert all(word not in html for word in ("<script", "http://", "https://", "src=", "@import", "url("))
    assert "No winner" in html


def test_a_second_call_changes_nothing(finished):
    out, result = finished
    before = (out / "results.json").read_bytes()
    assert run_study(result.design, out).curves == result.curves
    assert (out / "results.json").read_bytes() == before


def test_two_processes_give_the_same_bits(finished, tmp_path):
    out, result = finished
    run_study(result.design, tmp_path / "out", processes=2)
    assert (tmp_path / "out" / "results.json").read_bytes() == (out / "results.json").read_bytes()


@pytest.mark.parametrize("moment", ["answering", "training", "evaluating"])
def test_a_study_killed_within_a_round_ends_with_the_same_bits(finished, tmp_path, moment):
    out, result = finished
    design = tmp_path / "asked.json"
    write_json(design, result.design.to_json())
    child = subprocess.run([sys.executable, str(KILLED), str(design), str(tmp_path / "out"), moment], env={**os.environ}, check=False)
    assert child.returncode == -signal.SIGKILL
    run_study(result.design, tmp_path / "out")
    assert (tmp_path / "out" / "results.json").read_bytes() == (out / "results.json").read_bytes()


def test_another_design_in_the_same_folder_is_refused(finished):
    out, result = finished
    with pytest.raises(ConflictError, match="other batch, samples; choose another folder"):
        run_study(replace(result.design, batch=1, samples=3), out)


def test_an_unfinished_study_reports_what_it_has(finished, tmp_path):
    out, result = finished
    (tmp_path / "out" / "rounds" / "seed-0").mkdir(parents=True)
    for name in ("setup.json", "rounds/seed-0/shared-1.json", "rounds/seed-0/random-2.json"):
        (tmp_path / "out" / name).write_bytes((out / name).read_bytes())
    partial = write_results(result.design, tmp_path / "out")
    assert [c.strategy for c in partial.curves] == ["random"]
    assert partial.missing == ("seed 0, entropy, round 2", "seed 0, full, round 1")
    assert "Unfinished" in (tmp_path / "out" / "report.html").read_text()


def test_the_oracle_of_the_literature_and_classification_run_too(tmp_path):
    design = small_design(tagged(tmp_path / "tags"), strategies=("foreground-oracle", "coreset"), start=7, tag_error=0.1)
    result = run_study(design, tmp_path / "out")
    assert result.setup.metric == "accuracy"
    assert {c.strategy for c in result.curves} == {"foreground-oracle", "coreset"}


def test_what_cannot_be_studied_is_refused(phantoms, tmp_path):
    with pytest.raises(SettingError, match=r"ask 42 cases, but the pool has \d+; lower --start"):
        run_study(small_design(phantoms, start=40), tmp_path / "a")
    with pytest.raises(InputError, match="holds no answers"):
        run_study(small_design(phantoms / "images"), tmp_path / "b")
    with pytest.raises(SettingError, match="at least 1 process"):
        run_study(small_design(phantoms), tmp_path / "c", processes=0)
    with pytest.raises(ConflictError, match="holds no study"):
        open_study(tmp_path / "d")


def test_a_study_knows_its_design(finished):
    out, result = finished
    assert isinstance(result.design, StudyDesign)
    assert open_study(out) == result.design
