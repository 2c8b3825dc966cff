"""With the gate a new model is a candidate: it is in use once it is shown not to be worse anywhere, or once a person releases it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from medloop.core.errors import InputError, NotFoundError, SettingError, StateError
from medloop.core.records import Case, LiveChoice, Model, Snapshot, new_id, now
from medloop.loop.data.exporting import export_project
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.follow_up import follow_up
from medloop.loop.foundation.round_moves import start_training
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.judging import live_models
from medloop.loop.judging.live_models import place_trained
from medloop.loop.judging.release_costs import measured_costs
from medloop.loop.judging.release_gate import judge_release
from medloop.loop.judging.releasing import release_model, roll_back, use_automatic, use_model
from medloop.loop.judging.shared_scores import SharedScores
from medloop.loop.overview.model_history import list_models
from medloop.loop.worker import drain
from medloop.metrics.release import Gate

from .conftest import MakeWorkspace
from .made_up import add_answer, add_prediction, every_case
from .releases import TESTS, configured, evaluated, trained, two_models
from .test_live_models import line, live


@pytest.fixture
def project(make_workspace: MakeWorkspace) -> Workspace:
    """Two training patients, and twenty test patients with annotations; the gate is asked."""
    workspace = make_workspace(["train", "train", *["test"] * 20], labelled=22)
    return configured(workspace, release="gate")


def test_a_model_as_good_passes_and_the_table_says_on_what(project: Workspace) -> None:
    two_models(project, {"large": 0.0})
    assert live(project) == 2
    assert line(project, 2).note.startswith("model 2 is in use: all cases: ")
    assert "held; so are all of 4 figures; time and memory were not measured" in line(project, 2).note
    assert not line(project, 2).candidate


def test_a_model_not_shown_to_be_worse_is_no_longer_enough(project: Workspace) -> None:
    two_models(project, {"large": -0.01}, spread=0.06)
    assert live(project) == 1
    assert line(project, 2).candidate
    assert "model 2 is a candidate, model 1 stays in use: all cases: " in line(project, 2).note
    assert "not shown" in line(project, 2).note
    assert "a model as good as the one in use passes in " in line(project, 2).note


def test_a_model_that_lost_one_label_waits_though_it_is_better_on_average(project: Workspace) -> None:
    two_models(project, {"large": 0.3, "small": -0.2})
    found = line(project, 2)
    assert (live(project), found.candidate) == (1, True)
    assert [text.split(":")[0] for text in found.gate][:3] == ["all cases", "label large", "label small"]
    assert "label small: -0.198 on 20 patients" in found.note
    assert "label large" not in found.note


def test_without_evaluation_patients_a_candidate_waits_for_a_person(make_workspace: MakeWorkspace) -> None:
    workspace = configured(make_workspace(["train"] * 4, labelled=2), release="gate")
    trained(workspace, 1)
    trained(workspace, 2)
    assert live(workspace) == 1
    assert line(workspace, 2).candidate
    assert "the gate needs annotated evaluation patients" in line(workspace, 2).note


def test_a_candidate_is_released_with_a_reason_and_a_signature_and_not_otherwise(project: Workspace) -> None:
    two_models(project, {"large": -0.3})
    with pytest.raises(StateError, match="the gate has not let it pass") as refused:
        use_model(project, 2, actor="test")
    assert "release 2" in refused.value.remedy
    with pytest.raises(InputError, match="1 to 500 characters, got 0"):
        release_model(project, 2, why=" ", signed_as="Ada", actor="test")
    with pytest.raises(SettingError):
        release_model(project, 2, why="new scanner", signed_as="", actor="test")
    with pytest.raises(NotFoundError):
        release_model(project, 7, why="new scanner", signed_as="Ada", actor="test")
    assert live(project) == 1
    release_model(project, 2, why="the new\nscanner", signed_as="Ada Byron", actor="test")
    assert live(project) == 2
    assert line(project, 2).note.startswith("model 2 was released by Ada Byron: the new scanner")
    assert not line(project, 2).candidate
    with pytest.raises(StateError, match="in use already"):
        release_model(project, 2, why="again", signed_as="Ada", actor="test")
    third = trained(project, 3)
    evaluated(project, third, {name: {"large": 0.9} for name in TESTS})
    assert live(project) == 3, "the next candidate is held against the released one"
    assert not line(project, 2).candidate
    use_model(project, 2, actor="test")  # once released, it is no candidate any more


def test_rolling_back_uses_the_model_before_until_the_choice_is_given_back(project: Workspace) -> None:
    with pytest.raises(StateError, match="No other model"):
        roll_back(project, actor="test")
    two_models(project, {"large": 0.05})
    assert live(project) == 2
    assert roll_back(project, actor="test").index == 1
    assert live(project) == 1
    assert line(project, 1).pinned
    third = trained(project, 3)
    evaluated(project, third, {name: {"large": 0.95} for name in TESTS})
    assert live(project) == 1
    assert use_automatic(project, actor="test").index == 1
    assert "rolled back and out of use: model 2" in line(project, 1).note
    use_model(project, 2, actor="test")  # it was in use before, so that nobody needs to release it again


def test_rolling_back_passes_over_decisions_about_models_that_never_were_in_use(project: Workspace) -> None:
    two_models(project, {"large": 0.05})
    evaluated(project, trained(project, 3), {name: {"large": 0.1} for name in TESTS})
    assert live(project) == 2
    assert roll_back(project, actor="test").index == 1


def test_the_change_record_says_what_changed_on_what_evidence_and_who_decided(project: Workspace, tmp_path: Path) -> None:
    two_models(project, {"large": 0.3, "small": -0.2})
    release_model(project, 2, why="small ones are not needed", signed_as="Ada Byron", actor="test")
    export_project(project, tmp_path / "out", "change-record", model=2)
    text = (tmp_path / "out" / "CHANGE_RECORD.md").read_text()
    for words in (
        "model 2, in place of model 1",
        "## 1 Description of modifications",
        "- Data: 2 annotations of 2 patients, before 1",
        "- New: 1 annotation of 1 patient; no longer used: 0 annotations",
        "- Recipe: `steps` was `100`, is `200`",
        "## 2 Modification protocol",
        "- Evaluation: 20 test cases, never trained on",
        "at least −0.02 for all cases and −0.05 for each label",
        "## 3 Impact assessment",
        "| label small | 20 | -0.",
        "worse |",
        "- Time and memory of a proposal were not measured",
        "Signed by Ada Byron",
        "(release): small ones are not needed",
    ):
        assert words in text


def test_the_record_of_a_model_from_before_decisions_does_not_call_it_the_first(project: Workspace, tmp_path: Path) -> None:
    snapshot = Snapshot(id=new_id("snapshot"), annotation_ids=(), digest="0" * 64, created_at=now())
    with project.store.write("worker") as tx:
        tx.add(snapshot)
        tx.add(Model(id=new_id("model"), index=5, recipe={}, snapshot_id=snapshot.id, weights=(), metrics={}, created_at=now()))
    export_project(project, tmp_path / "old", "change-record", model=5)
    text = (tmp_path / "old" / "CHANGE_RECORD.md").read_text()
    assert "model 5, from before decisions were kept" in text
    assert "first" not in text


def test_decisions_of_an_earlier_version_are_read(project: Workspace) -> None:
    two_models(project, {"large": 0.0})
    with project.store.read() as tx:
        before = tx.find(LiveChoice)[-1]
    assert before.comparison["gate"]["passes"]
    configured(project, release="unless-worse")
    evaluated(project, trained(project, 3), {name: {"large": 0.8} for name in TESTS})
    assert [one.gate == () for one in list_models(project)] == [True, False, True]


def test_a_training_is_judged_with_its_calibration_and_what_a_proposal_takes(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace([*["train"] * 3, *["test"] * 6], labelled=9)
    configured(workspace, release="gate", release_margin=1.0, release_group_margin=1.0, release_slowdown=1000.0)
    for _ in range(2):
        start_training(workspace, again=True)
        drain(workspace)
    with workspace.store.read() as tx:
        newest = tx.find(Model, order=("index",))[-1]
        gate = Gate.from_json(
            next(c for c in tx.find(LiveChoice) if c.judged_id == newest.id and "gate" in c.comparison).comparison["gate"]
        )
    (calibration,) = [one for one in gate.findings if one.kind == "calibration"]
    assert calibration.patients == 6
    assert calibration.verdict == "held"
    assert [cost.name.split(" in ")[0] for cost in gate.costs] == ["time of a proposal", "memory at its peak"]
    assert all(0 < cost.newer < 1000 * cost.older for cost in gate.costs)
    assert live(workspace) == newest.index


def test_a_candidate_that_takes_too_much_is_stopped(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace([*["train"] * 3, *["test"] * 6], labelled=9)
    start_training(workspace, again=True)
    drain(workspace)
    with workspace.store.read() as tx:
        model, case_ids = tx.find(Model)[0], [case.id for case in tx.find(Case, where={"split": "test"})]
    several = replace(model, recipe={**model.recipe, "members": 30}, weights=model.weights * 30)  # so many that no busy machine hides them
    seconds, _ = measured_costs(workspace, several, model, case_ids, 2.0)
    assert seconds.stops
    seconds, _ = measured_costs(workspace, model, several, case_ids, 2.0)
    assert not seconds.stops


def test_rolled_back_twice_the_model_that_was_rolled_back_first_stays_out_of_use(project: Workspace) -> None:
    two_models(project, {"large": 0.05})
    evaluated(project, trained(project, 3), {name: {"large": 0.99} for name in TESTS})
    assert live(project) == 3
    assert [roll_back(project, actor="test").index for _ in range(2)] == [2, 1]
    with pytest.raises(StateError, match="No other model"):
        roll_back(project, actor="test")
    use_model(project, 3, actor="test")
    assert roll_back(project, actor="test").index == 1


def test_a_model_judged_while_another_is_released_is_held_against_that_one(project: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    two_models(project, {"large": -0.3})
    third, asked = trained(project, 3), live_models.judge_release

    def meanwhile(workspace: Workspace, newer: Model, older: Model, *more: Any) -> Gate:
        if older.index == 1:
            release_model(project, 2, why="the new scanner", signed_as="Ada", actor="test")
        return asked(workspace, newer, older, *more)

    monkeypatch.setattr(live_models, "judge_release", meanwhile)
    evaluated(project, third, {name: {"large": 0.8} for name in TESTS})
    found = line(project, 3).comparison
    assert found is not None
    assert (found.with_index, live(project)) == (2, 3)


def test_a_candidate_that_waits_for_evaluation_patients_is_judged_when_they_come(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace([*["train"] * 3, *["test"] * 7], labelled=3)
    configured(workspace, release="gate", release_margin=1.0, release_group_margin=1.0, release_slowdown=1000.0)
    for _ in range(2):
        start_training(workspace, again=True)
        drain(workspace)
    assert "no patient was judged with both" in line(workspace, 2).note
    tests, ann = [case for case in every_case(workspace) if case.split == "test"], annotator_named(workspace, "Ann")
    for case in tests[:5]:
        add_answer(workspace, ann, case)
    follow_up(workspace)
    drain(workspace)
    assert "too few to judge" in line(workspace, 2).note
    add_answer(workspace, ann, tests[5])
    follow_up(workspace)
    drain(workspace)
    assert live(workspace) == 2
    last = line(workspace, 2).note
    add_answer(workspace, ann, tests[6])
    follow_up(workspace)
    drain(workspace)
    assert line(workspace, 2).note == last


def test_what_a_model_proposes_of_a_label_that_nobody_annotated_does_not_count_against_its_calibration(
    make_workspace: MakeWorkspace,
) -> None:
    workspace = configured(make_workspace(["train", "train", *["test"] * 6], labelled=2), release="gate")
    models = [trained(workspace, 1), trained(workspace, 2)]
    tests, ann = [case for case in every_case(workspace) if case.split == "test"], annotator_named(workspace, "Ann")
    for case in tests:
        add_prediction(workspace, models[0], case, label=1, foreground=0.0, uncertain=True)
        add_prediction(workspace, models[1], case, label=2, foreground=0.5, uncertain=True)
        add_answer(workspace, ann, case, labels=(1,), annotated=(1,))
    cases = {case.id: {"large": (0.8, 0.8)} for case in tests}
    shared = SharedScores("test cases", tuple(case.patient for case in tests), cases)
    gate = judge_release(workspace, models[1], models[0], shared, workspace.settings)
    (calibration,) = [one for one in gate.findings if one.kind == "calibration"]
    assert abs(calibration.difference) < 0.05


def test_cases_in_which_a_label_is_not_annotated_make_no_group_by_size(make_workspace: MakeWorkspace) -> None:
    workspace = configured(make_workspace(["train", "train", *["test"] * 20], labelled=2), release="gate")
    models = [trained(workspace, 1), trained(workspace, 2)]
    tests, ann = [case for case in every_case(workspace) if case.split == "test"], annotator_named(workspace, "Ann")
    for n, case in enumerate(tests):
        add_answer(workspace, ann, case, **({"labels": (1,), "annotated": (1,)} if n < 10 else {"labels": (1, 2)}))
    cases = {case.id: {"large": (0.8, 0.8)} for case in tests}
    shared = SharedScores("test cases", tuple(case.patient for case in tests), cases)
    gate = judge_release(workspace, models[1], models[0], shared, workspace.settings)
    assert not [one.name for one in gate.findings if one.name.startswith("size")]


def test_a_change_record_names_long_entries_of_a_recipe_by_their_digest_and_the_margins_of_the_decision(
    project: Workspace, tmp_path: Path
) -> None:
    second = two_models(project, {"large": -0.3})
    configured(project, release="unless-worse", release_margin=0.5)
    plans = {"plans": {"configurations": {str(n): {"patch_size": [n] * 3} for n in range(500)}}, "words": "a`b"}
    with project.store.write("test") as tx:
        snapshot = tx.get(Snapshot, second.snapshot_id)
        tx.add(replace(second, id=new_id("model"), index=9, recipe={**second.recipe, **plans}, snapshot_id=snapshot.id))
        place_trained(tx, tx.find(Model, where={"index": 9})[0], tx.live_model())
    export_project(project, tmp_path / "out", "change-record", model=9)
    lines = (tmp_path / "out" / "CHANGE_RECORD.md").read_text().splitlines()
    (told,) = [one for one in lines if "`plans`" in one]
    assert len(told) < 250
    assert "was not there, is `{'configurations'" in told
    assert "SHA-256" in told
    assert any("is `a'b`" in one for one in lines)
    export_project(project, tmp_path / "judged", "change-record", model=2)
    assert "at least −0.02 for all cases and −0.05 for each" in (tmp_path / "judged" / "CHANGE_RECORD.md").read_text()
