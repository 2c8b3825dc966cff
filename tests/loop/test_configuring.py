"""Projects change after they were made: settings, texts, labels; what was annotated before stays true."""

import json
from pathlib import Path

import numpy as np
import pytest

from medloop.core.errors import InputError, LabelError, SettingError
from medloop.core.records import Annotator, Evaluation, Model, Query, Round, Snapshot, Task
from medloop.loop.annotating.annotations import next_assignment, open_case, submit
from medloop.loop.annotating.engines import choose_engine
from medloop.loop.annotating.submission import Submitted
from medloop.loop.data.exporting import export_project
from medloop.loop.foundation.annotated_labels import annotated_labels, label_gaps
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.configuring import TaskChange, configure
from medloop.loop.foundation.damage import LeftOut
from medloop.loop.foundation.job_control import JobControl
from medloop.loop.foundation.round_moves import start_training
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.judging.evaluation import score_annotations
from medloop.loop.learning.begun import Begun
from medloop.loop.learning.decisions import TrainingPlan
from medloop.loop.learning.training import _as_begun
from medloop.loop.overview.measurements import measure_case
from medloop.loop.querying.rounds import open_round, prepare_round
from medloop.loop.worker import drain
from medloop.store.audit import verify

from .conftest import MakeWorkspace
from .made_up import add_model, add_prediction, case_named


def test_changed_settings_are_kept_and_told_in_the_audit(pool: Workspace):
    changes = configure(pool, settings={"batch": 3, "target_score": 0.9}, name="Livers", actor="Ann")
    assert [(c.what, c.before, c.after, c.applies) for c in changes] == [
        ("name", "project", "Livers", "at once"),
        ("batch_size", "2", "3", "next query"),
        ("target_score", "0", "0.9", "at once"),
    ]
    fresh = pool.reload()
    assert (fresh.settings.batch_size, fresh.settings.target_score, fresh.project.name) == (3, 0.9, "Livers")
    with pool.store.read() as tx:
        last = [e for e in tx.events() if e.noun == "project"][-1]
    assert (last.actor, last.verb) == ("Ann", "configure")
    assert verify(pool.store).ok


def test_a_change_is_made_on_what_the_project_is_now_not_on_what_it_was(pool: Workspace):
    configure(pool, settings={"batch": 3})
    configure(pool, settings={"samples": 3})  # the same, older view of the project
    assert (pool.reload().settings.batch_size, pool.reload().settings.samples) == (3, 3)


@pytest.mark.parametrize(
    "settings", [{"batch": 0}, {"strategy": "nope"}, {"first_strategy": "entropy"}, {"seed": 9}, {"warm_start": "warm"}, {"colour": 1}]
)
def test_a_change_that_cannot_be_changes_nothing(pool: Workspace, settings: dict):
    with pytest.raises(SettingError):
        configure(pool, settings={"samples": 3, **settings}, name="other")
    assert pool.reload().project == pool.project


def test_a_classification_is_not_given_interactive_networks(tmp_path):
    with (
        Workspace.create(tmp_path / "p", name="p", kind="classification", labels=["a", "b"]) as workspace,
        pytest.raises(SettingError, match="interactive_network"),
    ):
        configure(workspace, settings={"interactive_network": True})


def test_choices_that_wait_are_made_anew_by_the_new_strategy_and_size(pool: Workspace):
    waiting = prepare_round(pool)
    assert waiting is not None
    configure(pool, settings={"batch": 5, "first_strategy": "random"})
    opened = open_round(pool.reload())
    assert opened is not None
    with pool.store.read() as tx:
        assert opened.query_id is not None
        assert len(tx.get(Query, opened.query_id).choices) == 5
        assert tx.count(Round) == 1


def test_a_round_that_people_work_on_keeps_its_cases(pool: Workspace, ann: Annotator):
    next_assignment(pool, ann.id)
    configure(pool, settings={"batch": 5})
    with pool.store.read() as tx:
        (current,) = tx.find(Round, where={"state": "annotating"})
        assert current.query_id is not None
        assert len(tx.get(Query, current.query_id).choices) == 2


def test_a_training_in_progress_ends_with_the_settings_and_labels_it_began_with(pool: Workspace, tmp_path):
    begun = _as_begun(pool, TrainingPlan(tmp_path))
    configure(pool, settings={"train_steps": 9}, task=TaskChange(added=["cyst"]))
    resumed = _as_begun(pool.reload(), TrainingPlan(tmp_path))
    assert (resumed.settings, resumed.task) == (begun.settings, begun.task)


def test_a_training_begun_under_older_names_of_settings_goes_on(pool: Workspace, tmp_path):
    settings = {"summed": "top", "guided": True, "right_reasons": 30.0, "train_steps": 3, "pseudo_labels": True}
    (tmp_path / "plan.json").write_text(json.dumps({"project": {"settings": settings, "task_id": pool.task.id}}))
    resumed = _as_begun(pool, TrainingPlan(tmp_path)).settings
    assert (resumed.aggregation, resumed.interactive_network, resumed.explanation_penalty, resumed.train_steps) == ("top", True, 30.0, 3)
    assert resumed.unlabelled == "pseudo-labels"


def test_labels_are_renamed_coloured_and_added_in_a_new_version(pool: Workspace):
    change = TaskChange(added=["cyst"], renamed={"large": "liver"}, colours={"liver": "#AA0000", "cyst": "#00aa00"}, instructions="Slowly.")
    changes = configure(pool, task=change, actor="Ann")
    task = pool.reload().task
    assert [(x.value, x.name) for x in task.labels] == [(1, "liver"), (2, "small"), (3, "cyst")]
    assert [task.labels[0].colour, task.labels[2].colour] == ["#aa0000", "#00aa00"]
    assert (task.version, task.instructions) == (2, "Slowly.")
    assert [c.what for c in changes] == ["instructions", "label 1", "colour of liver", "label 3"]
    with pool.store.read() as tx:
        assert [t.version for t in tx.find(Task, order=("version",))] == [1, 2]
    assert verify(pool.store).ok


def test_two_labels_may_swap_their_names(pool: Workspace):
    configure(pool, task=TaskChange(renamed={"large": "small", "small": "large"}))
    assert [x.name for x in pool.reload().task.labels] == ["small", "large"]


def test_nothing_changed_makes_no_new_version(pool: Workspace):
    assert configure(pool, settings={"batch": 2}, name="project", task=TaskChange(renamed={"large": "large"}, instructions="")) == []
    with pool.store.read() as tx:
        assert tx.count(Task) == 1


@pytest.mark.parametrize(
    "change",
    [
        TaskChange(renamed={"huge": "x"}),
        TaskChange(colours={"large": "red"}),
        TaskChange(added=["small"]),
        TaskChange(added=["SMALL"]),
        TaskChange(added=["Background"]),
        TaskChange(renamed={"small": "ignore"}),
        TaskChange(added=[" "]),
        TaskChange(renamed={"large": "small"}),
        TaskChange(added=[f"label {n}" for n in range(300)]),
    ],
)
def test_labels_that_cannot_be_are_refused(pool: Workspace, change: TaskChange):
    with pytest.raises((LabelError, SettingError)):
        configure(pool, task=change)
    assert pool.reload().task == pool.task


def test_an_annotation_speaks_only_of_the_labels_it_knew(make_workspace: MakeWorkspace):
    old = make_workspace(["test", "test", "train"], labelled=1)
    configure(old, task=TaskChange(added=["cyst"]))
    workspace = old.reload()
    ann = annotator_named(workspace, "Ann")
    case, second = case_named(workspace, "case00"), case_named(workspace, "case01")
    submit(workspace, open_case(workspace, second.id, ann.id).assignment.id, Submitted(mask=np.full(second.grid.shape, 3, dtype=np.uint8)))
    with workspace.store.read() as tx:
        answers = tx.current_annotations()
        said = annotated_labels(tx, workspace.task)
        known = {a.case_id: [x.name for x in said.of(a)] for a in answers}
    assert known == {case.id: ["large", "small"], second.id: ["large", "small", "cyst"]}
    model = add_model(workspace, 1)
    for one in (case, second):
        add_prediction(workspace, model, one, label=1, foreground=0.5)
    scores = score_annotations(workspace, model, answers, {c.id: c for c in (case, second)})
    assert {i: set(found) for i, found in scores.items()} == {case.id: {"large", "small"}, second.id: {"large", "small", "cyst"}}
    assert {m.label for m in measure_case(workspace, case.id).measures} == {"large", "small"}
    assert {m.label for m in measure_case(workspace, second.id).measures} == {"large", "small", "cyst"}


def test_a_model_from_before_a_label_stays_useful_and_the_next_one_learns_it(make_workspace: MakeWorkspace):
    old = make_workspace(["train", "train", "test", "train", "train"], labelled=3)
    configure(old, settings={"warm_start": "all", "interactive_network": True})
    start_training(old.reload())
    drain(old.reload())
    configure(old, task=TaskChange(added=["cyst"]))
    workspace = old.reload()
    assert choose_engine(workspace).key == "classical"  # the network has no output for the new label
    ann = annotator_named(workspace, "Ann")
    opened = next_assignment(workspace, ann.id)
    assert opened is not None
    assert opened.prediction is not None
    submit(workspace, opened.assignment.id, Submitted(mask=np.full(opened.case.grid.shape, 3, dtype=np.uint8)))
    start_training(workspace)
    drain(workspace)
    with workspace.store.read() as tx:
        first, second = tx.find(Model, order=("index",))
        judged = {e.model_id: set(next(iter(e.per_case.values()))) for e in tx.find(Evaluation)}
    assert (first.recipe["classes"], second.recipe["classes"]) == (3, 4)
    assert judged == {first.id: {"large", "small"}, second.id: {"large", "small"}}  # the test case was annotated before
    assert choose_engine(workspace).key == f"network {second.id}"


def test_a_page_from_before_a_label_does_not_speak_of_it(pool: Workspace, ann: Annotator):
    first, second, third = (open_case(pool, case_named(pool, f"case0{n}").id, ann.id).assignment for n in range(3))
    shape = case_named(pool, "case00").grid.shape
    configure(pool, task=TaskChange(added=["cyst"]))
    workspace = pool.reload()
    every_label = np.indices(shape)[0].astype(np.uint8) % 3
    stale = submit(workspace, first.id, Submitted(mask=every_label))
    fresh = submit(workspace, second.id, Submitted(mask=np.ones(shape, dtype=np.uint8), task_version=2))
    used = submit(workspace, third.id, Submitted(mask=np.full(shape, 3, dtype=np.uint8), task_version=1))
    with workspace.store.read() as tx:
        said = annotated_labels(tx, workspace.task)
    assert [len(said.of(a)) for a in (stale, fresh, used)] == [2, 3, 3]
    with pytest.raises(InputError, match="versions 1 to 2"):
        submit(workspace, open_case(workspace, first.case_id, ann.id).assignment.id, Submitted(task_version=7))


def test_annotations_that_lack_a_label_are_named_where_they_go_out(make_workspace: MakeWorkspace, tmp_path):
    workspace = make_workspace(["train", "train"], labelled=2)
    assert label_gaps(workspace) == ()
    configure(workspace, task=TaskChange(added=["cyst"]))
    (gap,) = label_gaps(workspace.reload())
    assert (gap.label, gap.annotations, gap.names) == ("cyst", 2, ("case00", "case01"))
    report = export_project(workspace.reload(), tmp_path / "out", "nifti")
    assert any("'cyst' is annotated in no case" in note for note in report.notes)


def test_validation_cases_that_come_while_a_training_is_interrupted_wait_for_the_next(make_workspace: MakeWorkspace, tmp_path):
    workspace = make_workspace(["validation", "train", "train", "validation"], labelled=3)

    def validation() -> list[str]:
        job = workspace.store.jobs.enqueue("train", {})
        snapshot = Snapshot(id="snapshot", annotation_ids=(), digest="0" * 64, created_at="")
        begun = Begun(workspace, JobControl(workspace, job), TrainingPlan(tmp_path), LeftOut(workspace), snapshot)
        return [case.id for case in begun.validation(list)]

    assert validation() == ["case00"]
    ann = annotator_named(workspace, "Ann")
    submit(workspace, open_case(workspace, case_named(workspace, "case03").id, ann.id).assignment.id, Submitted())
    assert validation() == ["case00"]


def test_predictions_of_one_model_are_all_made_alike(make_workspace: MakeWorkspace):
    workspace = make_workspace(["train", "train", "train"], labelled=2)
    start_training(workspace)
    drain(workspace)
    with workspace.store.read() as tx:
        model = tx.find(Model)[0]
    configure(workspace, settings={"aggregation": "sum", "samples": 5})
    assert (model.metrics["aggregation"], model.metrics["samples"]) == ("mean", 2)


def test_a_project_name_that_does_not_print_is_refused_and_one_in_two_forms_is_one(pool: Workspace):
    for name in ("a\nb", "abc\u202etxt", "\u200b"):
        with pytest.raises(SettingError, match="characters that print"):
            configure(pool, name=name)
    configure(pool, name="Le\u0301sions")
    assert pool.reload().project.name == "L\u00e9sions"
    assert configure(pool, name="L\u00e9sions") == []


def test_a_label_is_found_in_both_unicode_forms_and_with_blanks_around(pool: Workspace):
    configure(pool, task=TaskChange(added=[" Le\u0301sion "], colours={"Le\u0301sion": "#102030"}))
    configure(pool, task=TaskChange(renamed={"Le\u0301sion": "e\u0301"}, colours={"e\u0301 ": "#405060"}))
    last = pool.reload().task.labels[-1]
    assert (last.name, last.colour) == ("\u00e9", "#405060")


def test_an_export_notes_labels_that_came_later_in_plain_words(make_workspace: MakeWorkspace, tmp_path: Path):
    labelled = make_workspace(["train", "train"], labelled=2)
    configure(labelled, task=TaskChange(added=["cyst"]))
    notes = export_project(labelled.reload(), tmp_path / "out", "nnunet").notes
    assert any("'cyst' is annotated in no case" in note for note in notes)
    assert not any(note.startswith("note") for note in notes), "who prints them says that they are notes"
