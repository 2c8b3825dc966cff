"""Which model is in use: by what it learned from, by the same patients, or by a person."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from medloop.core.errors import CancelledError, NotFoundError, SettingError
from medloop.core.records import Annotation, Job, Model, Snapshot, new_id, now
from medloop.loop.annotating.annotations import next_assignment, open_case, submit
from medloop.loop.annotating.submission import Submitted
from medloop.loop.data.exporting import export_project
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.job_control import JobControl
from medloop.loop.foundation.round_moves import start_training
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.judging.live_models import choose_live, keep_unjudged, place_trained
from medloop.loop.judging.pool_predictions import run_prediction
from medloop.loop.judging.releasing import use_automatic, use_model
from medloop.loop.judging.shared_scores import compare_models
from medloop.loop.learning.training import run_training
from medloop.loop.overview.model_history import ModelLine, list_models
from medloop.loop.overview.progress import progress
from medloop.loop.overview.report import report_html
from medloop.loop.project import Project
from medloop.loop.worker import drain
from medloop.store.audit import verify

from .conftest import MakeWorkspace
from .made_up import add_answer, add_evaluation, case_named

TESTS = [f"case{n:02d}" for n in range(2, 10)]


def claimed(workspace: Workspace, wanted: Job) -> Job:
    job = workspace.store.jobs.claim("tester", lease_seconds=600)
    while job is not None and job.id != wanted.id:
        job = workspace.store.jobs.claim("tester", lease_seconds=600)
    assert job is not None
    return job


def stopped_after_freezing(workspace: Workspace) -> Job:
    """A training that has frozen its annotations and whose worker is gone."""
    job = claimed(workspace, start_training(workspace))
    asked = iter(range(100))
    with JobControl(workspace, job, stop=lambda: next(asked) > 1) as control, pytest.raises(CancelledError):
        run_training(workspace, control)
    return job


def live(workspace: Workspace) -> int:
    with workspace.store.read() as tx:
        model = tx.live_model()
    return model.index if model else 0


def trained(workspace: Workspace, index: int, *, like: int | None = None) -> Model:
    """A made-up training's end: the model is stored and placed as the worker does it."""
    digest = f"{like or index:064d}"
    snapshot = Snapshot(id=new_id("snapshot"), annotation_ids=("annotation",) * index, digest=digest, created_at=now())
    model = Model(id=new_id("model"), index=index, recipe={}, snapshot_id=snapshot.id, weights=(), metrics={}, created_at=now())
    with workspace.store.write("worker") as tx:
        tx.add(snapshot)
        before = tx.live_model()
        tx.add(model)
        place_trained(tx, model, before)
    return model


def judged(workspace: Workspace, model: Model, score: float, *, cases: list[str] = TESTS) -> None:
    """Evaluate a model as the worker does: scores spread a little around one value, then the choice."""
    scores = {name: score + 0.01 * (n % 3 - 1) * (model.index % 2) for n, name in enumerate(cases)}
    add_evaluation(workspace, model, "test", model.index, scores)
    choose_live(workspace, model)


def line(workspace: Workspace, index: int) -> ModelLine:
    return next(one for one in list_models(workspace) if one.index == index)


@pytest.fixture
def project(make_workspace: MakeWorkspace) -> Workspace:
    """Two training patients, and eight test patients with annotations."""
    return make_workspace(["train", "train", *["test"] * 8], labelled=10)


def test_a_training_resumed_after_a_crash_does_not_take_the_place_of_one_that_learned_more(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"] * 8, labelled=3)
    job = stopped_after_freezing(workspace)
    ann = annotator_named(workspace, "Ann")
    for name in ("case03", "case04", "case05"):
        add_answer(workspace, ann, case_named(workspace, name))
    newer = claimed(workspace, start_training(workspace))
    with JobControl(workspace, newer) as control:
        run_training(workspace, control)
    workspace.store.jobs.finish(newer, {})
    with JobControl(workspace, job) as control:
        result = run_training(workspace, control)
    workspace.store.jobs.finish(job, result)
    drain(workspace)
    with workspace.store.read() as tx:
        learned = {m.index: len(tx.get(Snapshot, m.snapshot_id).annotation_ids) for m in tx.find(Model)}
        predicted = {m.index: len(tx.latest_predictions(m.id)) for m in tx.find(Model)}
    assert learned == {1: 6, 2: 3}
    assert live(workspace) == 1
    assert (predicted[1] > 0, predicted[2]) == (True, 0)
    assert "model 2 learned from 3 annotations, before model 1 learned from 6 annotations: kept, not in use" in str(result["note"])
    assert line(workspace, 2).note.endswith("kept, not in use")


def test_a_training_begun_by_an_earlier_version_with_a_file_per_decision_goes_on_with_the_same(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"] * 8, labelled=3)
    job = stopped_after_freezing(workspace)
    folder = workspace.work_folder / job.id
    decided = json.loads((folder / "plan.json").read_text())
    assert {"project", "snapshot", "parent", "validation"} <= decided.keys()
    for name, value in decided.items():
        (folder / f"{name}.json").write_text(json.dumps(value))
    (folder / "plan.json").unlink()
    add_answer(workspace, annotator_named(workspace, "Ann"), case_named(workspace, "case03"))
    with JobControl(workspace, job) as control:
        run_training(workspace, control)
    with workspace.store.read() as tx:
        assert tx.find(Model)[0].snapshot_id == decided["snapshot"]["snapshot_id"]
        assert tx.count(Snapshot) == 1


def test_the_first_model_is_in_use_at_once(project: Workspace) -> None:
    trained(project, 1)
    assert live(project) == 1


def test_a_worse_model_stays_out_of_use_and_every_place_says_why(project: Workspace) -> None:
    judged(project, trained(project, 1), 0.986)
    second = trained(project, 2)
    assert live(project) == 1
    assert line(project, 2).note == "model 2 waits for its evaluation, model 1 is in use"
    judged(project, second, 0.928)
    assert live(project) == 1
    said = line(project, 2)
    assert said.comparison is not None
    assert (said.comparison.verdict, said.comparison.patients, said.comparison.with_index) == ("worse", 8, 1)
    assert said.comparison.difference == pytest.approx(-0.058, abs=0.005)
    assert said.note.startswith("model 1 stays in use, model 2 is worse: -0.05")
    assert said.note in report_html(project)
    assert [(m.index, m.live) for m in progress(project).models] == [(1, True), (2, False)]


def test_a_model_that_is_not_shown_to_be_worse_takes_over(project: Workspace) -> None:
    judged(project, trained(project, 1), 0.800)
    judged(project, trained(project, 2), 0.798)
    assert live(project) == 2
    assert line(project, 2).note.startswith("model 2 is in use: ")
    assert "no difference shown" in line(project, 2).note


def test_with_too_few_patients_the_newer_one_takes_over_and_it_is_said(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train", "train", "test", "test"], labelled=4)
    judged(workspace, trained(workspace, 1), 0.9, cases=TESTS[:2])
    judged(workspace, trained(workspace, 2), 0.5, cases=TESTS[:2])
    assert live(workspace) == 2
    assert "too few patients for an interval" in line(workspace, 2).note


def test_without_evaluation_patients_the_newest_knowledge_is_in_use_at_once(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train", "train"], labelled=2)
    trained(workspace, 1)
    trained(workspace, 2)
    assert live(workspace) == 2
    assert "without evaluation patients it is not compared with model 1" in line(workspace, 2).note


def test_validation_patients_decide_only_where_there_are_no_others(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train", "train", *["validation"] * 8], labelled=10)
    for index, score in ((1, 0.9), (2, 0.5)):
        model = trained(workspace, index)
        add_evaluation(workspace, model, "validation", index, {name: score + 0.01 * (n % 2) for n, name in enumerate(TESTS)})
        choose_live(workspace, model)
    assert live(workspace) == 1
    assert "validation cases, which also chose the weights" in line(workspace, 2).note


def test_after_a_worse_model_the_next_one_is_held_against_the_one_in_use(project: Workspace) -> None:
    for index, score in ((1, 0.9), (2, 0.5), (3, 0.95)):
        judged(project, trained(project, index), score)
    third = line(project, 3)
    assert third.comparison is not None
    assert (third.comparison.with_index, third.comparison.verdict, live(project)) == (1, "better", 3)


def test_who_pinned_a_model_is_told_by_name(project: Workspace) -> None:
    judged(project, trained(project, 1), 0.8)
    use_model(project, 1, actor=annotator_named(project, "宮崎").id)
    assert line(project, 1).note == "model 1 was pinned by 宮崎"
    use_automatic(project, actor=annotator_named(project, "宮崎").id)
    assert line(project, 1).note.startswith("宮崎 gave the choice back")


def test_a_pinned_model_stays_until_the_choice_is_given_back(project: Workspace) -> None:
    judged(project, trained(project, 1), 0.8)
    judged(project, trained(project, 2), 0.9)
    use_model(project, 1, actor="ann")
    assert (live(project), line(project, 1).pinned) == (1, True)
    judged(project, trained(project, 3), 0.95)
    assert live(project) == 1
    third = line(project, 3)
    assert third.note.startswith("model 1 stays in use as it is pinned; model 3: +0.15")
    assert third.comparison is not None
    assert use_automatic(project, actor="ann").index == 2
    with project.store.read() as tx:
        choose_live(project, tx.find(Model, where={"index": 3})[0])
        told = [e.actor for e in tx.events_about("choice", verbs=["pin", "unpin"])]
    assert live(project) == 3
    assert told == ["ann", "ann"]
    assert verify(project.store).ok


def test_giving_back_a_choice_nobody_made_changes_nothing(project: Workspace) -> None:
    with pytest.raises(NotFoundError, match="no model yet"):
        use_automatic(project, actor="ann")
    judged(project, trained(project, 1), 0.8)
    before = len(line(project, 1).note)
    assert use_automatic(project, actor="ann").index == 1
    assert len(line(project, 1).note) == before


def test_a_model_there_is_not_is_refused_with_those_there_are(project: Workspace) -> None:
    trained(project, 1)
    with pytest.raises(NotFoundError, match="There is no model 7; models there are: 1"):
        use_model(project, 7, actor="ann")


def test_a_model_whose_evaluation_failed_for_good_stays_out_and_says_so(project: Workspace) -> None:
    judged(project, trained(project, 1), 0.8)
    second = trained(project, 2)
    keep_unjudged(project, second, "the evaluation failed: a blob is damaged")
    assert live(project) == 1
    assert line(project, 2).note == "model 2 could not be evaluated (the evaluation failed: a blob is damaged); model 1 stays in use"


def test_only_the_model_in_use_predicts_the_pool(project: Workspace) -> None:
    judged(project, trained(project, 1), 0.9)
    second = trained(project, 2)
    project.store.jobs.enqueue("predict", {"model_id": second.id, "scope": "pool"}, priority=100)
    job = project.store.jobs.claim("tester")
    assert job is not None
    with JobControl(project, job) as control:
        assert run_prediction(project, control) == {"message": "model 1 is in use, nothing to do"}


def test_both_models_are_judged_on_the_same_annotations_also_those_that_came_later(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"] * 4 + ["test"] * 8, labelled=2)
    ann = annotator_named(workspace, "Ann")
    start_training(workspace)
    drain(workspace)
    for name in [f"case{n:02d}" for n in range(4, 12)]:
        add_answer(workspace, ann, case_named(workspace, name))
    add_answer(workspace, ann, case_named(workspace, "case02"))
    start_training(workspace)
    drain(workspace)
    with workspace.store.read() as tx:
        judged_cases = {e.model_id: set(e.per_case) for e in tx.current_evaluations(split="test")}
    assert len(judged_cases) == 2
    assert {len(cases) for cases in judged_cases.values()} == {8}
    assert line(workspace, 2).comparison is not None


def test_any_model_can_be_exported_and_the_one_in_use_is_by_default(project: Workspace, tmp_path: Path) -> None:
    for index, score in ((1, 0.9), (2, 0.5)):
        judged(project, trained(project, index), score)
    for number, out in ((None, "live"), (2, "two")):
        export_project(project, tmp_path / out, "model", model=number)
    assert '"index": 1' in (tmp_path / "live" / "model.json").read_text()
    assert '"index": 2' in (tmp_path / "two" / "model.json").read_text()
    with pytest.raises(NotFoundError, match="There is no model 9"):
        export_project(project, tmp_path / "nine", "model", model=9)
    with pytest.raises(SettingError, match="for the formats model, torchscript"):
        export_project(project, tmp_path / "masks", "nifti", model=1)


def test_a_project_from_before_takes_the_model_of_the_newest_snapshot(project: Workspace) -> None:
    snapshots = [Snapshot(id=new_id("snapshot"), annotation_ids=(), digest=f"{n:064d}", created_at=now()) for n in range(2)]
    with project.store.write("worker") as tx:
        for snapshot in snapshots:
            tx.add(snapshot)
        for index, snapshot in ((1, snapshots[1]), (2, snapshots[0])):  # the training of the older snapshot ended last
            tx.add(Model(id=f"model-{index}", index=index, recipe={}, snapshot_id=snapshot.id, weights=(), metrics={}, created_at=now()))
    assert live(project) == 1


def test_the_verbs_in_python(project: Workspace) -> None:
    judged(project, trained(project, 1), 0.8)
    judged(project, trained(project, 2), 0.9)
    with Project.open(project.folder) as face:
        assert face.use_model(1).index == 1
        assert [m.live for m in face.models()] == [True, False]
        assert face.use_model(None).index == 2


def test_a_model_in_use_proposes_on_the_case_that_is_opened(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"] * 4, labelled=2)
    start_training(workspace)
    drain(workspace)
    ann = annotator_named(workspace, "Ann")
    opened = next_assignment(workspace, ann.id)
    assert opened is not None
    submit(workspace, opened.assignment.id, Submitted())
    start_training(workspace)
    drain(workspace)
    use_model(workspace, 1, actor="ann")
    drain(workspace)
    left = open_case(workspace, case_named(workspace, "case03").id, ann.id)
    assert left.prediction is not None
    with workspace.store.read() as tx:
        assert tx.get(Model, left.prediction.model_id).index == 1
        assert tx.count(Annotation) == 3


def test_the_table_of_models_shows_no_interval_of_fewer_patients_than_one_holds_for(project: Workspace) -> None:
    model = trained(project, 1)
    add_evaluation(project, model, "test", 1, dict.fromkeys(TESTS[:2], 0.8))  # stored with an interval, as older versions did
    assert (line(project, 1).score, line(project, 1).low, line(project, 1).high) == (pytest.approx(0.8), None, None)
    add_evaluation(project, model, "test", 1, dict.fromkeys(TESTS, 0.8))
    assert line(project, 1).low is not None


def test_models_are_compared_over_the_labels_that_both_know(project: Workspace) -> None:
    older, newer = trained(project, 1), trained(project, 2)
    add_evaluation(project, older, "test", 1, dict.fromkeys(TESTS, 0.8))
    add_evaluation(project, newer, "test", 2, dict.fromkeys(TESTS, 0.8))
    with project.store.write("worker") as tx:  # a label that was added later, which the newer model hardly knows yet
        (told,) = tx.current_evaluations(model_id=newer.id)
        tx.add(replace(told, id=new_id("evaluation"), per_case={i: {**s, "late": 0.1} for i, s in told.per_case.items()}, mean=0.45))
    with project.store.read() as tx:
        found = compare_models(tx, newer, older)
    assert found is not None
    assert (found.difference, found.verdict) == (0.0, "no difference shown")
    first, second = progress(project).curve
    assert (first.warning, second.warning) == (
        "scored without late, unlike other points of this curve: not to be compared with them",
        "",
    )


def test_a_kept_interval_of_three_patients_is_shown_nowhere(project: Workspace) -> None:
    judged(project, trained(project, 1), 0.8, cases=TESTS[:3])
    found = line(project, 1)
    assert (found.score, found.low, found.high) == (pytest.approx(0.8), None, None)
    assert found.interval_words == "no interval: 3 patients, at least 5 needed"


def test_a_model_is_not_said_to_be_in_use_after_another_was_pinned_and_given_back(project: Workspace) -> None:
    for index in (1, 2):
        judged(project, trained(project, index), 0.8)
    assert line(project, 1).note == "was in use until model 2 took its place"
    use_model(project, 1, actor="Ann")
    assert line(project, 1).note == "model 1 was pinned by Ann"
    assert line(project, 2).note.startswith("was in use until model 1 took its place; ")
    use_automatic(project, actor="Ann")
    assert line(project, 1).note == "was in use until model 2 took its place"
    found = line(project, 2)
    assert found.note.startswith("Ann gave the choice back: model 2 is in use; +0.001 against model 1 on 8 patients")
    assert found.comparison is not None


def test_a_model_that_was_kept_out_does_not_say_that_a_model_replaced_since_stays_in_use(project: Workspace) -> None:
    for index, score in ((1, 0.8), (2, 0.5), (3, 0.9)):
        judged(project, trained(project, index), score)
    assert line(project, 2).note.startswith("model 1 stays in use, model 2 is worse: ")
    assert line(project, 2).note.endswith("(at that time; model 3 is in use now)")
