"""Whole studies on phantoms: the loop itself runs, the same bits come out however it is run."""

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from medloop.core.errors import ConflictError, InputError, MedloopError, SettingError
from medloop.core.records import Annotation, Query, Round
from medloop.core.settings import GivenKind
from medloop.execution.placement import Placement
from medloop.loop.foundation.workspace import Workspace
from medloop.query import strategies as registry
from medloop.simulation.design import StudyDesign, Unit
from medloop.simulation.files import read_json, write_json
from medloop.simulation.noise import Noise
from medloop.simulation.oracle import Errors, Oracle
from medloop.simulation.prepare import TRUTH, prepare
from medloop.simulation.report import study_html
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


def test_the_report_says_what_was_equal_for_all_and_that_nothing_was_added(finished):
    out, result = finished
    html = (out / "report.html").read_text()
    assert "the same budget for all strategies: begun anew each round, 6 steps" in html
    assert "one for all 4 trainings" in html
    assert "baselines were not added" in html
    assert [count for _, count in result.recipes] == [4]


def test_the_report_warns_when_recipes_differ(finished):
    _, result = finished
    ((recipe, count),) = result.recipes
    assert "Caution" not in study_html(result)
    html = study_html(replace(result, recipes=((recipe, count - 1), ({**recipe, "patch": [8, 8, 1]}, 1))))
    assert "they differ in patch" in html
    assert "2 recipes, planned from the annotated images alone, differ in patch" in html


def test_foreground_is_counted_in_the_truth(finished):
    out, result = finished
    curve = result.curves[0]
    with Oracle(out / TRUTH) as oracle:
        counted = [sum(int((oracle.truth(name).array > 0).sum()) for name in picks) for picks in curve.picks]
    assert curve.foreground == (counted[0], counted[0] + counted[1])
    assert sum(result.setup.foreground.values()) > curve.foreground[-1]


def test_an_older_study_without_foreground_or_recipes_is_still_read(finished, tmp_path):
    out, result = finished
    for name in ("setup.json", *(f"rounds/seed-0/{n}.json" for n in ("shared-1", "random-2", "entropy-2", "full-1"))):
        record = read_json(out / name)
        write_json(tmp_path / name, {key: value for key, value in record.items() if key not in ("foreground", "recipe")})
    old = write_results(result.design, tmp_path)
    assert [c.scores for c in old.curves] == [c.scores for c in result.curves]
    assert (old.recipes, old.curves[0].foreground) == ((), ())


def test_a_strategy_that_cannot_choose_is_refused_instead_of_replaced(phantoms, tmp_path, monkeypatch):
    clock = replace(registry.strategy("entropy"), name="by-the-clock", needs=frozenset({"oracle_minutes"}))
    monkeypatch.setattr(registry, "BUILT_IN", (*registry.BUILT_IN, clock))
    with pytest.raises(
        MedloopError, match=r"by-the-clock, round 2: .* do not hold what by-the-clock needs \(oracle_minutes\); random chose; leave it out"
    ):
        run_study(small_design(phantoms, strategies=("by-the-clock",), steps=2), tmp_path / "out")


def test_a_subsample_keeps_whole_patients_and_every_split(phantoms, tmp_path):
    some = prepare(small_design(phantoms, cases=9), tmp_path / "some")
    every = prepare(small_design(phantoms), tmp_path / "all")
    assert some.pool + len(some.patients) <= 10
    assert set(some.patients) < set(every.patients)
    assert set(some.foreground) < set(every.foreground)
    assert prepare(small_design(phantoms, cases=9), tmp_path / "again") == some


def test_cases_to_validate_on_are_neither_asked_nor_measured(phantoms, tmp_path):
    held_back = prepare(small_design(phantoms, validation_fraction=0.25), tmp_path / "out")
    assert (held_back.split, held_back.pool, len(held_back.patients)) == ("test", 8, 4)


def test_a_second_call_changes_nothing(finished):
    out, result = finished
    before = (out / "results.json").read_bytes()
    assert run_study(result.design, out).curves == result.curves
    assert (out / "results.json").read_bytes() == before


def test_two_processes_give_the_same_bits(finished, tmp_path):
    out, result = finished
    run_study(result.design, tmp_path / "out", placement=Placement(2))
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


def test_a_study_whose_data_set_was_refused_may_be_asked_for_anew(phantoms, tmp_path):
    with pytest.raises(MedloopError):
        run_study(small_design(phantoms, format="csv"), tmp_path / "out")
    with pytest.raises(SettingError, match="but the pool has"):
        run_study(small_design(phantoms, start=40), tmp_path / "out")
    assert open_study(tmp_path / "out").start == 40


def test_an_unfinished_study_reports_what_it_has(finished, tmp_path):
    out, result = finished
    (tmp_path / "out" / "rounds" / "seed-0").mkdir(parents=True)
    for name in ("setup.json", "rounds/seed-0/shared-1.json", "rounds/seed-0/random-2.json"):
        (tmp_path / "out" / name).write_bytes((out / name).read_bytes())
    partial = write_results(result.design, tmp_path / "out")
    assert [c.strategy for c in partial.curves] == ["random"]
    assert partial.missing == ("seed 0, full, round 1", "seed 0, entropy, round 2")
    assert "Unfinished" in (tmp_path / "out" / "report.html").read_text()


def test_the_oracle_of_the_literature_and_classification_run_too(tmp_path):
    design = small_design(tagged(tmp_path / "tags"), strategies=("foreground-oracle", "coreset"), start=7, tag_error=0.1)
    result = run_study(design, tmp_path / "out")
    assert result.setup.metric == "accuracy"
    assert {c.strategy for c in result.curves} == {"foreground-oracle", "coreset"}


def test_what_cannot_be_studied_is_refused(phantoms, tmp_path):
    with pytest.raises(SettingError, match=r"query 42 cases, but the pool has \d+; lower --start"):
        run_study(small_design(phantoms, start=40), tmp_path / "a")
    with pytest.raises(InputError, match="holds no annotations"):
        run_study(small_design(phantoms / "images"), tmp_path / "b")
    with pytest.raises(ConflictError, match="holds no study"):
        open_study(tmp_path / "d")


def test_a_study_knows_its_design(finished):
    out, result = finished
    assert isinstance(result.design, StudyDesign)
    assert open_study(out) == result.design


def test_marks_in_place_of_masks_are_learned_and_cost_their_minutes(phantoms: Path, tmp_path: Path) -> None:
    design = small_design(phantoms, strategies=("random",), given="scribbles")
    result = run_study(design, tmp_path)
    (curve,) = result.curves
    assert curve.labelled == (3, 5)
    assert 0 < curve.minutes[0] < curve.minutes[1]
    with Workspace.open(Unit(0, "random", 2).run_folder(tmp_path)) as workspace, workspace.store.read() as tx:
        given = tx.find(Annotation, where={"origin": "simulated"})
        assert {a.kind for a in given} == {"marks"}
        assert len({a.case_id for a in given}) == 5
    assert "scribbles in place of masks" in study_html(result)
    again = write_results(design, tmp_path)
    assert again.to_json() == result.to_json()


def test_masks_of_a_study_cost_minutes_too(finished) -> None:
    _, result = finished
    assert all(0 < curve.minutes[0] < curve.minutes[1] for curve in result.curves)


@pytest.mark.parametrize("kind", ["boxes", "superpixels"])
def test_who_sees_a_structure_wrongly_marks_it_wrongly(finished, kind: GivenKind) -> None:
    out, result = finished
    names = sorted(result.setup.patients)
    errors = Errors(noise=Noise("shift", share=1.0, mm=4.0))
    with Oracle(out / TRUTH) as careful, Oracle(out / TRUTH, errors) as wrong:
        assert any(careful.marks(name, kind).marks != wrong.marks(name, kind).marks for name in names)
        assert wrong.marks(names[0], kind) == wrong.marks(names[0], kind)
