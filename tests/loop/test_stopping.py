"""The advice on real projects, and where it is shown."""

import dataclasses

import numpy as np
import pytest

from medloop.core.records import Split
from medloop.loop.foundation.annotators import annotator_named, set_cost
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.overview.progress import progress
from medloop.loop.overview.report import report_html
from medloop.loop.overview.stopping import agreements, stopping_evidence
from medloop.query.stopping import Advice, advise

from .conftest import FAST, MakeWorkspace
from .made_up import add_answer, add_evaluation, add_model, add_prediction, case_named, every_case

TESTS = [f"case{n:02d}" for n in range(4, 12)]
SPLITS: list[Split] = ["train"] * 4 + ["test"] * 8


def stopping_advice(workspace: Workspace) -> Advice:
    return advise(stopping_evidence(workspace))


def judged(workspace: Workspace, means: list[float], noise: float = 0.0) -> Workspace:
    rng = np.random.default_rng(0)
    for index, mean in enumerate(means, start=1):
        scores = {name: float(mean + 0.01 * n + noise * rng.normal()) for n, name in enumerate(TESTS)}
        add_evaluation(workspace, add_model(workspace, index), "test", 2 * index, scores)
    return workspace


def test_a_new_project_goes_on_and_says_why(pool: Workspace) -> None:
    advice = stopping_advice(pool)
    assert not advice.stop
    assert advice.reasons[0].startswith("No model was judged yet")
    assert advice.expected_gain is None


def test_a_flat_curve_stops_and_a_rising_one_does_not(make_workspace: MakeWorkspace) -> None:
    flat = judged(make_workspace(SPLITS, name="flat"), [0.5, 0.7] + [0.8] * 10)
    rising = judged(make_workspace(SPLITS, name="rising"), list(np.linspace(0.3, 0.8, 8)))
    noisy = judged(make_workspace(SPLITS, name="noisy"), [0.7] * 8, noise=0.2)
    assert stopping_advice(flat).stop
    assert not stopping_advice(rising).stop
    assert not stopping_advice(noisy).stop


def test_models_that_were_judged_on_other_cases_are_left_out(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(SPLITS)
    add_evaluation(workspace, add_model(workspace, 1), "test", 2, {"case04": 0.1})
    for index in (2, 3):
        add_evaluation(workspace, add_model(workspace, index), "test", 2 * index, dict.fromkeys(TESTS, 0.5))
    curve = stopping_evidence(workspace).curve
    assert curve is not None
    assert curve.labels.tolist() == [4.0, 6.0]
    assert curve.patients == 8


def test_test_cases_speak_before_validation_cases(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train", "validation", "test"])
    model = add_model(workspace, 1)
    add_evaluation(workspace, model, "validation", 2, {"case01": 0.9})
    curve = stopping_evidence(workspace).curve
    assert curve is not None
    assert "optimistic" in curve.source
    add_evaluation(workspace, model, "test", 2, {"case02": 0.5})
    curve = stopping_evidence(workspace).curve
    assert curve is not None
    assert curve.source == "test cases"


def test_budgets_count_answers_minutes_and_money(make_workspace: MakeWorkspace) -> None:
    settings = dataclasses.replace(FAST, budget_labels=2, budget_minutes=100.0, target_score=0.9)
    workspace = make_workspace(["train"] * 4, labelled=1, settings=settings)
    ann = annotator_named(workspace, "Ann")
    add_answer(workspace, ann, case_named(workspace, "case01"), seconds=120.0)
    assert not stopping_advice(workspace).stop
    add_answer(workspace, ann, case_named(workspace, "case02"), seconds=60.0)
    advice = stopping_advice(workspace)
    assert advice.stop
    assert "The budget is spent: 2 of 2 annotations." in advice.reasons
    assert "The budget holds: 3 of 100 minutes of work." in advice.reasons
    assert advice.minutes == pytest.approx(1.5)  # one case is left; the median of 60 s and 120 s


def test_cost_is_spoken_of_where_a_rate_is_set_and_minutes_where_none_is(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"] * 4, labelled=1, settings=dataclasses.replace(FAST, budget_money=10.0))
    ann = annotator_named(workspace, "Ann")
    add_answer(workspace, ann, case_named(workspace, "case01"), seconds=120.0)
    advice = stopping_advice(workspace)
    assert "The budget holds: 2 of 10 of cost (in minutes: no cost per minute is set)." in advice.reasons
    assert "cost of about" not in advice.reasons[-1]
    assert "<th>cost" not in report_html(workspace)
    set_cost(workspace, "ann", 7.5, actor="test")
    advice = stopping_advice(workspace)
    assert advice.stop
    assert "The budget is spent: 15 of 10 of cost." in advice.reasons
    assert "about 4 minutes and a cost of about 30" in advice.reasons[-1]
    assert ">15</td>" in report_html(workspace)


def test_agreement_of_consecutive_models_by_hand(pool: Workspace) -> None:
    models = [add_model(pool, n) for n in (1, 2, 3)]
    for model, foreground in zip(models, (0.5, 0.5, 0.25), strict=True):
        for case in every_case(pool):
            add_prediction(pool, model, case, foreground=foreground)
    # second pair: a quarter of the voxels left the label: agreement 0.75, by chance 0.5
    assert agreements(pool, models) == pytest.approx([1.0, 0.5])
    assert agreements(pool, models) == pytest.approx([1.0, 0.5])


def test_progress_and_report_carry_the_advice(make_workspace: MakeWorkspace) -> None:
    workspace = judged(make_workspace(SPLITS), [0.5, 0.6, 0.65, 0.68])
    made = progress(workspace)
    page = report_html(workspace)
    assert made.stopping.expected_gain is not None
    assert made.stopping.reasons[-1] in page
    assert "Going on is advised." in page
    assert "of these chosen by a query" in page
