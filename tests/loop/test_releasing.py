"""With the gate a new model is a candidate: it is in use once it is shown not to be worse anywhere, or once a person releases it."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from medloop.core.errors import InputError, NotFoundError, SettingError, StateError
from medloop.core.records import Case, Evaluation, LiveChoice, Model, Snapshot, new_id, now
from medloop.core.settings import SettingValue
from medloop.loop.data.exporting import export_project
from medloop.loop.foundation.configuring import configure
from medloop.loop.foundation.round_moves import start_training
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.judging.live_models import choose_live, place_trained, use_automatic, use_model
from medloop.loop.judging.release_costs import measured_costs
from medloop.loop.judging.releasing import release_model, roll_back
from medloop.loop.overview.model_history import list_models
from medloop.loop.worker import drain
from medloop.metrics.release import Gate

from .conftest import MakeWorkspace
from .made_up import case_named
from .test_live_models import line, live

TESTS = [f"case{n:02d}" for n in range(2, 22)]


@pytest.fixture
def project(make_workspace: MakeWorkspace) -> Workspace:
    """Two training patients, and twenty test patients with annotations; the gate is asked."""
    workspace = make_workspace(["train", "train", *["test"] * 20], labelled=22)
    return configured(workspace, release="gate")


def configured(workspace: Workspace, **settings: SettingValue) -> Workspace:
    configure(workspace, settings=settings, actor="test")
    return workspace


def trained(workspace: Workspace, index: int) -> Model:
    """A made-up training's end: the model is stored and placed as the worker does it; it learned from one annotation, or from both."""
    with workspace.store.write("worker") as tx:
        ids = tuple(sorted(tx.current_annotation_ids(["train"]))[: min(index, 2)])
        snapshot = Snapshot(id=new_id("snapshot"), annotation_ids=ids, digest=f"{index:064d}", created_at=now())
        recipe = {"steps": 100 * index}
        model = Model(id=new_id("model"), index=index, recipe=recipe, snapshot_id=snapshot.id, weights=(), metrics={}, created_at=now())
        tx.add(snapshot)
        before = tx.live_model()
        tx.add(model)
        place_trained(tx, model, before)
    return model


def evaluated(workspace: Workspace, model: Model, scores: Mapping[str, Mapping[str, float]]) -> None:
    """Evaluate a model as the worker does: scores by case and label, then the decision."""
    evaluation = Evaluation(
        id=new_id("evaluation"), model_id=model.id, split="test", metric="dice",
        mean=float(np.mean([list(one.values()) for one in scores.values()])), low=None, high=None, labelled_cases=2, effort_minutes=0.0,
        per_case={case_named(workspace, name).id: dict(one) for name, one in scores.items()}, created_at=now(),
    )  # fmt: skip
    with workspace.store.write("worker") as tx:
        tx.add(evaluation)
    choose_live(workspace, model)


def two_models(workspace: Workspace, newer: Mapping[str, float], *, spread: float = 0.01) -> Model:
    """Two models with scores spread around 0.8: the newer one's mean differs by label as `newer` says."""
    rng = np.random.default_rng(0)
    first = trained(workspace, 1)
    base = {name: {label: 0.8 + 0.05 * rng.standard_normal() for label in newer} for name in TESTS}
    evaluated(workspace, first, base)
    second = trained(workspace, 2)
    evaluated(
        workspace,
        second,
        {name: {label: base[name][label] + newer[label] + spread * rng.standard_normal() for label in newer} for name in TESTS},
    )
    return second


def test_a_model_as_good_passes_and_the_table_says_on_what(project: Workspace) -> None:
    two_models(project, {"large": 0.0})
    assert live(project) == 2
    assert line(project, 2).note.startswith("model 2 is in use: all cases: ")
    assert "held; so are all of 4 figures" in line(project, 2).note
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
    assert use_automatic(project, actor="test").index == 2
    use_model(project, 1, actor="test")  # it was in use before, so that nobody needs to release it again


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
        "Signed by Ada Byron",
        "(release): small ones are not needed",
    ):
        assert words in text


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
    several = replace(model, recipe={**model.recipe, "members": 6}, weights=model.weights * 6)
    seconds, _ = measured_costs(workspace, several, model, case_ids, 2.0)
    assert seconds.stops
    seconds, _ = measured_costs(workspace, model, several, case_ids, 2.0)
    assert not seconds.stops
