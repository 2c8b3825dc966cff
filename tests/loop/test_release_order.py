"""Orders of events around a release: what was rolled back, pinned, overtaken or interrupted, and evidence that is of yesterday."""

from collections.abc import Mapping
from typing import Any

import pytest

from medloop.core.errors import ConflictError, StateError
from medloop.core.records import LiveChoice, Model
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.follow_up import request_evaluation_of
from medloop.loop.foundation.in_force import newest_proposal
from medloop.loop.foundation.label_versions import NOT_LEARNED
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.judging import live_models
from medloop.loop.judging.live_models import choose_live
from medloop.loop.judging.releasing import refuse_model, release_model, roll_back, use_automatic, use_model
from medloop.loop.learning.settling import settle
from medloop.loop.worker import run_job
from medloop.metrics.release import Gate

from .conftest import MakeWorkspace
from .made_up import add_answer, add_prediction, case_named
from .releases import configured, evaluated, trained
from .releases import two_models as two_models_on
from .test_live_models import line, live

TESTS = [f"case{n:02d}" for n in range(2, 9)]


@pytest.fixture
def project(make_workspace: MakeWorkspace) -> Workspace:
    """Two training patients, and seven test patients with annotations; the gate is asked."""
    return configured(make_workspace(["train", "train", *["test"] * 7], labelled=9), release="gate")


def two_models(workspace: Workspace, newer: Mapping[str, float]) -> Model:
    """Two models, the newer one's scores lower or higher by label as `newer` says."""
    return two_models_on(workspace, newer, cases=TESTS)


def jobs(workspace: Workspace) -> list[tuple[str, str]]:
    """Kind and model of the jobs that wait."""
    return [(job.kind, job.payload.get("model_id", "")) for job in workspace.store.jobs.list(state="queued")]


def test_a_model_that_was_rolled_back_never_comes_back_by_itself(project: Workspace) -> None:
    second = two_models(project, {"large": 0.05})
    roll_back(project, actor="test")
    assert use_automatic(project, actor="test").index == 1
    assert ("evaluate", second.id) not in jobs(project)
    assert choose_live(project, second) is None  # an evaluation that was asked for earlier ends now
    assert live(project) == 1
    configured(project, release="unless-worse")
    assert choose_live(project, second) is None
    assert live(project) == 1
    use_model(project, 2, actor="test")  # somebody may
    assert live(project) == 2


def test_proposals_of_a_model_that_was_rolled_back_or_waits_are_not_shown(project: Workspace) -> None:
    case = case_named(project, "case00")
    second = two_models(project, {"large": 0.05})
    made = add_prediction(project, second, case)
    with project.store.read() as tx:
        assert newest_proposal(tx, case.id) == made
    roll_back(project, actor="test")
    third = trained(project, 3)
    add_prediction(project, third, case)
    with project.store.read() as tx:
        assert newest_proposal(tx, case.id) is None


def test_a_release_that_lifts_a_pin_says_so(project: Workspace) -> None:
    two_models(project, {"large": -0.3})
    use_model(project, 1, actor="test")
    release_model(project, 2, why="new scanner", signed_as="Ada", actor="test")
    assert "new scanner; model 1 is pinned no longer" in line(project, 2).note
    assert not line(project, 2).pinned


def test_a_model_that_passes_while_another_is_pinned_is_a_candidate_for_people(project: Workspace) -> None:
    trained(project, 1)
    use_model(project, 1, actor="test")
    evaluated(project, trained(project, 2), {name: {"large": 0.9} for name in TESTS})
    assert line(project, 2).candidate


def test_a_label_that_only_the_model_in_use_has_learned_stops_the_newer_one_and_a_new_label_does_not(project: Workspace) -> None:
    evaluated(project, trained(project, 1), {name: {"large": 0.8, "small": 0.8} for name in TESTS})
    evaluated(project, trained(project, 2, **{NOT_LEARNED: [2]}), {name: {"large": 0.9} for name in TESTS})
    assert (live(project), line(project, 2).candidate) == (1, True)
    assert "label small: the model in use has learned it, the newer one has not: lost" in line(project, 2).note
    release_model(project, 2, why="nobody needs small ones", signed_as="Ada", actor="test")
    evaluated(project, trained(project, 3), {name: {"large": 0.9, "small": 0.8} for name in TESTS})
    assert live(project) == 3
    assert "label small: only the newer model has learned it, nothing to hold it against" in line(project, 3).gate


def test_a_label_that_no_evaluation_patient_has_is_named_and_stops_nobody(project: Workspace) -> None:
    two_models(project, {"large": 0.0})
    assert live(project) == 2
    assert "label small: no evaluation patient has an annotation of it, not judged" in line(project, 2).gate


def test_the_gate_reads_predictions_of_the_evaluation_cases_only(project: Workspace) -> None:
    second = two_models(project, {"large": 0.0})
    for name in ("case00", "case02"):
        add_prediction(project, second, case_named(project, name))
    wanted = case_named(project, "case02").id
    with project.store.read() as tx:
        assert [one.case_id for one in tx.latest_predictions(second.id, among=[wanted])] == [wanted]
        assert tx.latest_predictions(second.id, among=[]) == []


def test_two_people_who_roll_back_the_same_model_go_back_once(project: Workspace) -> None:
    two_models(project, {"large": 0.05})
    evaluated(project, trained(project, 3), {name: {"large": 0.99} for name in TESTS})
    assert roll_back(project, actor="ann", index=3).index == 2
    with pytest.raises(ConflictError, match="Model 3 is not in use, model 2 is"):
        roll_back(project, actor="bob", index=3)
    assert live(project) == 2


def test_a_release_against_a_model_that_is_in_use_no_longer_is_refused_or_says_so(project: Workspace) -> None:
    two_models(project, {"large": -0.3})
    evaluated(project, trained(project, 3), {name: {"large": 0.95} for name in TESTS})
    assert live(project) == 3
    with pytest.raises(ConflictError, match="Model 1 is not in use, model 3 is"):
        release_model(project, 2, why="new scanner", signed_as="Ada", actor="test", instead_of=1)
    release_model(project, 2, why="new scanner", signed_as="Ada", actor="test", instead_of=3)
    assert "new scanner (judged against model 1, in place of model 3)" in line(project, 2).note


def test_evidence_from_before_annotations_changed_is_not_decided_on(project: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    two_models(project, {"large": -0.3})
    third, asked, ann = trained(project, 3), live_models.judge_release, annotator_named(project, "Ann")

    def meanwhile(*given: Any) -> Gate:
        add_answer(project, ann, case_named(project, "case05"))
        return asked(*given)

    monkeypatch.setattr(live_models, "judge_release", meanwhile)
    evaluated(project, third, {name: {"large": 0.8} for name in TESTS})
    assert live(project) == 1
    assert ("evaluate", third.id) in jobs(project)
    assert "waits for its evaluation" in line(project, 3).note


def test_a_release_on_evidence_from_before_annotations_changed_says_so(project: Workspace) -> None:
    two_models(project, {"large": -0.3})
    add_answer(project, annotator_named(project, "Ann"), case_named(project, "case05"))
    release_model(project, 2, why="new scanner", signed_as="Ada", actor="test")
    assert "(annotations of evaluation cases have changed since it was judged)" in line(project, 2).note


def test_a_candidate_that_is_judged_after_a_newer_one_came_into_use_was_overtaken(project: Workspace) -> None:
    first = trained(project, 1)
    evaluated(project, first, {name: {"large": 0.8} for name in TESTS})
    second, third = trained(project, 2), trained(project, 3)
    evaluated(project, third, {name: {"large": 0.9} for name in TESTS})
    assert live(project) == 3
    for _ in range(2):
        evaluated(project, second, {name: {"large": 0.95} for name in TESTS})
    assert live(project) == 3
    assert line(project, 2).note == "model 2 was overtaken by model 3, which learned later"
    with project.store.read() as tx:
        assert len([c for c in tx.find(LiveChoice, where={"judged_id": second.id}) if "overtaken" in c.reason]) == 1


def test_a_refused_candidate_is_none_any_more_and_needs_a_reason(project: Workspace) -> None:
    two_models(project, {"large": -0.3})
    refuse_model(project, 2, why="too many false lesions", actor="test")
    assert not line(project, 2).candidate
    assert line(project, 2).note.startswith("model 2 was refused by test: too many false lesions; model 1 stays in use")
    with pytest.raises(StateError, match="Model 2 is no candidate"):
        refuse_model(project, 2, why="again", actor="test")
    with pytest.raises(StateError, match="Model 1 is no candidate"):
        refuse_model(project, 1, why="it is in use", actor="test")


def test_a_worker_killed_between_its_decision_and_what_follows_asks_again(
    make_workspace: MakeWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = configured(make_workspace(["train", "train", *["test"] * 7, "train"], labelled=9), release="gate")
    evaluated(workspace, trained(workspace, 1), {name: {"large": 0.8} for name in TESTS})
    second = trained(workspace, 2)

    def killed(*_given: Any, **_more: Any) -> None:
        raise SystemExit

    with monkeypatch.context() as patched:
        patched.setattr(live_models, "request_predictions_of", killed)
        with pytest.raises(SystemExit):
            evaluated(workspace, second, {name: {"large": 0.9} for name in TESTS})
    assert live(workspace) == 2
    assert jobs(workspace) == []
    request_evaluation_of(workspace, second)
    job = workspace.store.jobs.claim("another")
    assert job is not None
    run_job(workspace, job)
    assert ("predict", second.id) in jobs(workspace)


def test_a_worker_killed_before_its_decision_is_followed_by_one_that_decides(project: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    evaluated(project, trained(project, 1), {name: {"large": 0.8} for name in TESTS})
    second = trained(project, 2)

    def killed(*_given: Any, **_more: Any) -> None:
        raise SystemExit

    with monkeypatch.context() as patched:
        patched.setattr(live_models, "decide", killed)
        with pytest.raises(SystemExit):
            evaluated(project, second, {name: {"large": 0.9} for name in TESTS})
    assert "waits for its evaluation" in line(project, 2).note
    settle(project)  # every worker between its jobs
    job = project.store.jobs.claim("another")
    assert job is not None
    run_job(project, job)
    assert live(project) == 2
