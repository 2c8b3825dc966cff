import json
from pathlib import Path

from medloop.loop.foundation.workspace import Workspace

from ..loop.made_up import add_evaluation, add_model, add_prediction, every_case
from .conftest import Medloop


def evaluate(folder: Path, patients: int) -> None:
    """Judge one case of the project as if it were as many patients' answers."""
    with Workspace.open(folder) as workspace:
        model, cases = add_model(workspace, 1), every_case(workspace)
        for n, case in enumerate(cases):
            add_prediction(workspace, model, case, agreement=0.5 + n / 100)
        add_evaluation(workspace, model, "test", 1, {case.name: 0.9 for case in cases[:patients]})


def test_without_a_model_the_way_out_is_named(medloop: Medloop, project: Path):
    said = medloop("triage", project)
    assert said.status == 1
    assert "annotate evaluation cases and train a model" in said.err


def test_too_few_evaluated_patients_are_one_line(medloop: Medloop, project: Path):
    evaluate(project, 2)
    said = medloop("triage", project, "--risk", "0.1")
    assert (said.status, said.err.count("\n")) == (1, 1)
    assert "needs at least 9 evaluated patients, got 2" in said.err


def test_below_five_evaluated_patients_nothing_is_accepted_at_any_risk(medloop: Medloop, project: Path):
    evaluate(project, 4)
    said = medloop("triage", project, "--risk", "0.9")
    assert (said.status, said.out, said.err.count("\n")) == (1, "", 1)
    assert said.err.endswith("needs at least 5 evaluated patients, got 4 (4 test); annotate more evaluation cases\n")


def test_a_loose_risk_sorts_the_pool(medloop: Medloop, project: Path):
    evaluate(project, 5)
    found = json.loads(medloop("triage", project, "--risk", "0.4", "--json").out)
    assert {case["decision"] for case in found["cases"]} == {"accept"}
    assert all(case["reason"] for case in found["cases"])
    assert found["curve"][-1]["coverage"] == 1.0
    said = medloop("triage", project, "--risk", "0.4")
    assert f"accept: {len(found['cases'])}; review: 0; second expert: 0" in said.out
    assert "100% accepted, 0.0% of these below 0.7" in said.out


def test_a_risk_that_is_none_is_wrong_use(medloop: Medloop, project: Path):
    assert medloop("triage", project, "--risk", "0").status == 2


def test_quality_without_a_model_or_with_too_many_references_is_one_line(medloop: Medloop, project: Path):
    said = medloop("quality", project)
    assert (said.status, said.err.count("\n")) == (1, 1)
    assert "needs a model, got none" in said.err
    assert medloop("quality", project, "--references", "11").status == 2


def test_calibration_needs_a_model_and_a_known_method(medloop: Medloop, project: Path):
    said = medloop("calibrate", project)
    assert (said.status, said.err.count("\n")) == (1, 1)
    assert "got no model" in said.err
    assert medloop("calibrate", project, "--method", "magic").status == 2
