"""A candidate on trial proposes in a share of the cases; the work on its proposals is held against that on the model's in use."""

from datetime import timedelta
from pathlib import Path

import pytest

from medloop.core.errors import SettingError
from medloop.core.records import Case, Model, Prediction, now
from medloop.loop.annotating.annotations import choose_case, submit
from medloop.loop.annotating.submission import Submitted
from medloop.loop.data.exporting import export_project
from medloop.loop.foundation import effort_log
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.trials import current_trial, is_blinded, proposal_to_show, trials
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.judging.live_models import choose_live
from medloop.loop.judging.releasing import refuse_model, release_model, use_automatic, use_model
from medloop.loop.judging.trial_effort import trial_efforts
from medloop.loop.overview.case_outlook import case_outlook

from .conftest import MakeWorkspace
from .made_up import add_prediction, every_case
from .releases import configured, evaluated, trained
from .test_live_models import line, live

TESTS = [f"case{n:02d}" for n in range(2, 9)]
POOL = 16  # of eight all are in one arm once in 128 times


@pytest.fixture
def tried(make_workspace: MakeWorkspace) -> Workspace:
    """Two models, the second one on trial in half of the eight cases of the pool, all of which both have seen."""
    splits = ["train", "train", *["test"] * len(TESTS), *["train"] * POOL]
    workspace = configured(make_workspace(splits, labelled=2 + len(TESTS)), release="gate", release_canary=0.5)
    first = trained(workspace, 1)
    evaluated(workspace, first, {name: {"large": 0.8, "small": 0.8} for name in TESTS})
    second = trained(workspace, 2)
    evaluated(workspace, second, {name: {"large": 0.8, "small": 0.8} for name in TESTS})
    for case in pool(workspace):
        for model in (first, second):
            add_prediction(workspace, model, case)
    return workspace


def pool(workspace: Workspace) -> list[Case]:
    return every_case(workspace)[2 + len(TESTS) :]


def shown(workspace: Workspace, case: Case) -> Prediction | None:
    with workspace.store.read() as tx:
        return proposal_to_show(tx, case.id)


def test_a_candidate_that_passes_waits_on_trial_and_its_share_of_the_cases_opens_with_its_proposals(tried: Workspace) -> None:
    assert (live(tried), line(tried, 2).candidate, line(tried, 2).on_trial) == (1, True, True)
    assert "model 2 passes the gate and is on trial in 50% of the cases, model 1 stays in use" in line(tried, 2).note
    with tried.store.read() as tx:
        trial = current_trial(tx)
    assert trial is not None
    authors = {case.id: found.model_id for case in pool(tried) if (found := shown(tried, case))}
    assert set(authors.values()) == {trial.model_id, trial.against_id}
    assert all((author == trial.model_id) == trial.takes(case_id) for case_id, author in authors.items())
    assert ("predict", "trial") in [(job.kind, job.payload.get("scope")) for job in tried.store.jobs.list(state="queued")]
    for model_id in (trial.model_id, trial.against_id):
        with tried.store.read() as tx:
            assert is_blinded(tx, model_id)


def test_evaluation_cases_never_open_with_the_proposals_of_the_candidate_that_they_judge(tried: Workspace) -> None:
    with tried.store.read() as tx:
        trial = current_trial(tx)
        assert trial is not None
    taken = next(case for case in every_case(tried) if case.split == "test" and trial.takes(case.id))
    with tried.store.read() as tx:
        candidate = next(one.model for one in tx.learned_models() if one.model.id == trial.model_id)
    add_prediction(tried, candidate, taken)
    assert shown(tried, taken) is None


def test_the_work_of_both_arms_is_counted_and_said_where_people_decide(
    tried: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(effort_log, "now", lambda: now(timedelta(hours=1)))  # so long ago the cases were opened
    ann = annotator_named(tried, "Ann")
    for case in pool(tried):
        opened = choose_case(tried, case.id, ann.id)
        assert case_outlook(tried, opened.assignment.id).verdict == ""
        assert case_outlook(tried, opened.assignment.id).lacking == "not judged while two models are compared"
        submit(tried, opened.assignment.id, Submitted(revision=0, effort_seconds=40.0))
    (found,) = trial_efforts(tried)
    assert sum(found.cases) == POOL
    assert min(found.cases) > 0
    assert found.seconds.ratio == pytest.approx(1.0)
    assert "too few cases for an interval (at least 12 in each arm)" in found.seconds.note
    assert found.voxels is not None
    assert (found.voxels.newer, found.voxels.older) == (0.0, 0.0)
    assert line(tried, 2).trial == found.lines
    refuse_model(tried, 2, why="no gain", actor="test")
    export_project(tried, tmp_path / "out", "change-record", model=2)
    text = (tmp_path / "out" / "CHANGE_RECORD.md").read_text()
    assert "- Trial: model 2 on trial against model 1 in 50% of the training cases" in text
    assert "- Trial: ended: model 2 was refused by test: no gain; model 1 stays in use" in text


def test_a_trial_ends_when_the_candidate_is_released_refused_or_overtaken(tried: Workspace) -> None:
    evaluated(tried, trained(tried, 3), {name: {"large": 0.2, "small": 0.2} for name in TESTS})
    with tried.store.read() as tx:
        assert [one.ended_at for one in trials(tx)] == [None]  # a worse model overtakes nobody
    evaluated(tried, trained(tried, 4), {name: {"large": 0.9, "small": 0.9} for name in TESTS})
    assert [(one.index, one.on_trial) for one in (line(tried, 2), line(tried, 4))] == [(2, False), (4, True)]
    configured(tried, release_canary=0.0)
    assert not line(tried, 4).on_trial  # paused
    configured(tried, release_canary=0.5)
    release_model(tried, 4, why="less work", signed_as="Ada", actor="test")
    with tried.store.read() as tx:
        assert current_trial(tx) is None
        assert [one.ended_at is not None for one in trials(tx)] == [True, True]
        assert trials(tx)[-1].ending.startswith("model 4 was released by Ada")


def test_a_worse_candidate_is_tried_on_nobody_and_without_the_gate_there_is_no_trial(tried: Workspace) -> None:
    evaluated(tried, trained(tried, 3), {name: {"large": 0.2, "small": 0.2} for name in TESTS})
    assert not line(tried, 3).on_trial
    with pytest.raises(SettingError, match="release_canary tries candidates of the gate"):
        configured(tried, release="unless-worse")


def test_a_trial_rests_while_a_model_is_pinned(tried: Workspace) -> None:
    use_model(tried, 1, actor="test")
    with tried.store.read() as tx:
        assert current_trial(tx) is None
    use_automatic(tried, actor="test")
    with tried.store.read() as tx:
        assert current_trial(tx) is not None


def test_cases_opened_while_a_trial_rests_are_of_no_arm(tried: Workspace) -> None:
    ann, cases = annotator_named(tried, "Ann"), iter(pool(tried))

    def annotate() -> None:
        opened = choose_case(tried, next(cases).id, ann.id)
        submit(tried, opened.assignment.id, Submitted(revision=0))

    annotate()
    configured(tried, release_canary=0.0)
    annotate()
    use_model(tried, 1, actor="test")
    annotate()
    configured(tried, release_canary=0.5)  # it rests still: a model is pinned
    annotate()
    use_automatic(tried, actor="test")
    annotate()
    (found,) = trial_efforts(tried)
    assert (sum(found.cases), found.rested, found.unseen) == (2, 3, 0)
    assert "left out: 3 cases opened while the trial rested" in found.lines


def test_a_refused_candidate_is_not_put_to_use_by_a_later_evaluation(tried: Workspace) -> None:
    with tried.store.read() as tx:
        second = tx.find(Model, where={"index": 2})[0]
    refuse_model(tried, 2, why="slower to correct", actor="test")
    configured(tried, release_canary=0.0)
    assert choose_live(tried, second) is None  # as when a pin is given back, which has later models evaluated again
    assert live(tried) == 1
    release_model(tried, 2, why="after all", signed_as="Ann", actor="test")
    assert live(tried) == 2
