import dataclasses
import functools
import math

import pytest

from medloop.core.errors import InputError, SettingError
from medloop.core.records import Split
from medloop.loop.foundation.job_kinds import Evaluate, request_job
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.judging.triage import triage_pool

from .conftest import MakeWorkspace
from .made_up import add_evaluation, add_model, add_prediction, case_named, every_case
from .test_annotated_labels import give


def judged(make_workspace: MakeWorkspace, split: Split = "test", evaluated: int = 10) -> Workspace:
    """Evaluated cases whose Dice is their agreement (0.05, 0.15, …, 0.95), and three of the pool between them."""
    workspace = make_workspace([split] * evaluated + ["train"] * 3)
    model = add_model(workspace, 1)
    scores = {}
    for n, case in enumerate(every_case(workspace)):
        agreement = (n + 0.5) / 10 if n < evaluated else (0.99, 0.61, 0.1)[n - evaluated]
        add_prediction(workspace, model, case, agreement=agreement)
        if n < evaluated:
            scores[case.name] = agreement
    add_evaluation(workspace, model, split, 1, scores)
    return workspace


def test_each_case_gets_its_decision_and_a_reason_the_worst_first(make_workspace: MakeWorkspace) -> None:
    found = triage_pool(judged(make_workspace), risk=0.1, good=0.7, hard=0.4)
    assert [(c.name, c.decision) for c in found.cases] == [("case12", "second expert"), ("case11", "review"), ("case10", "accept")]
    assert (found.accept.above, found.second.above) == (0.65, 0.35)
    assert found.cases[0].reason == "0.100 is not above 0.350: it may well be below 0.4"
    assert "at most 10% of all cases below 0.7" in found.cases[2].reason


def test_the_curve_is_measured_on_the_evaluated_cases(make_workspace: MakeWorkspace) -> None:
    curve = triage_pool(judged(make_workspace), risk=0.2).curve
    assert (curve[0].score, curve[0].coverage, curve[0].share_bad) == (0.95, pytest.approx(0.1), 0.0)
    assert (curve[-1].coverage, curve[-1].share_bad, curve[-1].share_of_all) == (1.0, pytest.approx(0.7), pytest.approx(0.7))


def test_too_few_evaluated_patients_are_refused_in_one_line(make_workspace: MakeWorkspace) -> None:
    with pytest.raises(
        InputError, match=r"A risk of 0\.05 needs at least 19 evaluated patients, got 10 \(10 test\); annotate more"
    ) as refused:
        triage_pool(judged(make_workspace), risk=0.05)
    assert "\n" not in str(refused.value)


def test_without_an_evaluated_model_nothing_is_promised(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"])
    add_model(workspace, 1)
    with pytest.raises(InputError, match="needs an evaluated model"):
        triage_pool(workspace)


def test_while_an_evaluation_is_under_way_nobody_is_asked_for_more_annotations(make_workspace: MakeWorkspace) -> None:
    workspace = judged(make_workspace, evaluated=5)
    request_job(workspace, Evaluate("model-1"), "evaluate")
    with pytest.raises(InputError, match="An evaluation is under way") as refused:
        triage_pool(workspace)
    assert refused.value.remedy == "wait until it is done"


def test_validation_cases_set_no_threshold_since_they_also_chose_the_weights(make_workspace: MakeWorkspace) -> None:
    with pytest.raises(InputError, match=r"A risk of 0\.1 needs at least 9 evaluated patients, got 0"):
        triage_pool(judged(make_workspace, "validation"), risk=0.1)


def test_four_patients_with_many_cases_carry_no_risk(make_workspace: MakeWorkspace) -> None:
    few = judged(functools.partial(make_workspace, patients=4))
    with pytest.raises(InputError, match="needs at least 9 evaluated patients, got 4"):
        triage_pool(few, risk=0.1)


def test_fair_cases_alone_decide_where_they_are_enough(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["test"] * 9 + ["validation"] * 2 + ["train"])
    model = add_model(workspace, 1)
    for case in every_case(workspace):
        add_prediction(workspace, model, case, agreement=0.9)
    add_evaluation(workspace, model, "test", 1, {f"case{n:02d}": 0.9 for n in range(9)})
    add_evaluation(workspace, model, "validation", 1, {"case09": 0.0, "case10": 0.0})
    found = triage_pool(workspace, risk=0.1)
    assert (found.splits, found.optimistic, found.accept.patients, found.accept.above) == (("test",), False, 9, -math.inf)
    assert [c.decision for c in found.cases] == ["accept"]


def test_cases_of_the_pool_that_were_not_predicted_are_counted(make_workspace: MakeWorkspace) -> None:
    workspace = judged(make_workspace)
    newer = add_model(workspace, 2)
    evaluated = [f"case{n:02d}" for n in range(5)]
    for name in evaluated:
        add_prediction(workspace, newer, case_named(workspace, name), agreement=0.9)
    add_evaluation(workspace, newer, "test", 2, dict.fromkeys(evaluated, 0.9))
    found = triage_pool(workspace, risk=0.5)
    assert (found.model_index, found.cases, found.unpredicted) == (2, (), 3)


def test_bad_limits_are_refused(make_workspace: MakeWorkspace) -> None:
    workspace = judged(make_workspace)
    with pytest.raises(SettingError, match="risk"):
        triage_pool(workspace, risk=1.5)
    with pytest.raises(SettingError, match="at most good"):
        triage_pool(workspace, good=0.3, hard=0.4)
    with pytest.raises(SettingError, match=r"at most good, got 0\.5 above nan"):
        triage_pool(workspace, good=float("nan"))


def test_the_result_is_a_value(make_workspace: MakeWorkspace) -> None:
    assert dataclasses.asdict(triage_pool(judged(make_workspace)))["risk"] == 0.1


def test_cases_that_are_annotated_for_some_labels_only_are_left_out_and_counted(make_workspace: MakeWorkspace) -> None:
    workspace = judged(make_workspace)
    give(workspace, "case11", "Ann", 1, annotated=(1,))
    found = triage_pool(workspace, risk=0.1, good=0.7, hard=0.4)
    assert ([c.name for c in found.cases], found.in_part) == (["case12", "case10"], 1)
