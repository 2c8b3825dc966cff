"""Marks in place of a mask, from submission over training to export."""

import json
from pathlib import Path

import numpy as np
import pytest

from medloop.core.errors import ConflictError, FormatError, InputError, LabelError, NotFoundError, SettingError, StateError
from medloop.core.records import Annotation, Evaluation, Model
from medloop.interaction.prompts import Box, Point, Scribble
from medloop.interaction.weak.marks import Mark, Tag
from medloop.loop.annotating.annotations import open_case, submit
from medloop.loop.annotating.drafts import append_patch
from medloop.loop.annotating.history import case_history
from medloop.loop.annotating.marking import SubmittedMarks, submit_marks
from medloop.loop.annotating.submission import Submitted
from medloop.loop.annotating.withdrawing import undo_submit
from medloop.loop.data.exporting import export_project
from medloop.loop.data.marks_files import import_marks, marked_cases
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.configuring import TaskChange, configure
from medloop.loop.foundation.consensus import consensus_annotations
from medloop.loop.foundation.crowds import training_annotations
from medloop.loop.foundation.effort_log import plain_seconds
from medloop.loop.foundation.marked import load_marks, marked_lines
from medloop.loop.foundation.partial_annotations import SlicePart
from medloop.loop.foundation.round_moves import start_training
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.learning.pretraining import network_recipe
from medloop.loop.project import Project
from medloop.loop.worker import drain
from medloop.store.audit import verify

from .conftest import FAST, MakeWorkspace
from .made_up import case_named
from .test_parts import give_all, ids

STROKES: tuple[Mark, ...] = (Scribble(((5, 5, 5), (6, 5, 5), (7, 5, 5)), 1), Point((15, 15, 5), 2), Scribble(((0, 0, 5), (0, 1, 5)), 0))


def give_marks(workspace: Workspace, case_id: str, marks: tuple[Mark, ...] = STROKES, *, by: str = "Ann") -> Annotation:
    opened = open_case(workspace, case_id, annotator_named(workspace, by).id)
    return submit_marks(workspace, opened.assignment.id, SubmittedMarks(marks=marks, reported=plain_seconds(7.0)))


def test_marks_are_kept_with_author_effort_and_history(pool: Workspace) -> None:
    made = give_marks(pool, ids(pool)[0])
    assert (made.kind, made.effort_seconds, made.origin) == ("marks", 7.0, "human")
    assert load_marks(pool.store.blobs, made) == STROKES
    (line,) = case_history(pool, made.case_id)
    assert (line.who, line.what, line.in_force, line.restorable) == ("Ann", "gave marks", True, False)
    assert verify(pool.store).ok


def test_a_case_with_marks_is_unlabelled_and_no_truth(pool: Workspace) -> None:
    case_id = give_marks(pool, ids(pool)[0]).case_id
    with pool.store.read() as tx:
        assert case_id in {c.id for c in tx.unlabelled_cases(["train"])}
        assert not tx.current_annotations(case_ids=[case_id])
        assert not consensus_annotations(tx, "train")
        assert [a.case_id for a in training_annotations(pool, tx)] == [case_id]
    assert "1 case known by marks alone: learned from, and left out of evaluation" in marked_lines(pool)[0]


def test_marks_given_again_replace_ones_own_and_add_to_others(pool: Workspace) -> None:
    case_id = ids(pool)[0]
    first = give_marks(pool, case_id)
    second = give_marks(pool, case_id, (Tag(1, True),))
    third = give_marks(pool, case_id, (Tag(2, False),), by="Bob")
    assert second.supersedes == first.id
    assert third.supersedes is None
    with pool.store.read() as tx:
        assert [a.id for a in tx.marked_annotations()] == [second.id, third.id]


def test_undoing_marks_brings_the_earlier_ones_back(pool: Workspace) -> None:
    case_id = ids(pool)[0]
    first, second = give_marks(pool, case_id), give_marks(pool, case_id, (Tag(1, True),))
    undo_submit(pool, second.assignment_id or "")
    with pool.store.read() as tx:
        assert [a.id for a in tx.marked_annotations()] == [first.id]


def test_a_mask_says_more_than_marks_whoever_gave_it(pool: Workspace) -> None:
    one, two = ids(pool)[:2]
    give_marks(pool, one)
    give_marks(pool, two)
    give_all(pool, one)
    give_all(pool, two, by="Bob")
    with pool.store.read() as tx:
        assert {a.kind for a in training_annotations(pool, tx)} == {"mask"}
        assert len(tx.marked_annotations()) == 1
    assert marked_lines(pool) == []


def test_marks_are_refused_where_they_would_be_lost_or_wrong(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train", "train", "test"])
    one, two, test = (case_named(workspace, f"case{n:02d}").id for n in range(3))
    with pytest.raises(StateError, match="case02 is a test case"):
        give_marks(workspace, test)
    give_all(workspace, one)
    with pytest.raises(StateError, match="annotated this whole case already"):
        give_marks(workspace, one)
    with pytest.raises(InputError, match="Marks agree with the mask of the case, which says large"):
        give_marks(workspace, one, (Tag(1, False),), by="Bob")
    with pytest.raises(LabelError, match=r"1 \(large\), 2 \(small\)"):
        give_marks(workspace, two, (Tag(9),))
    opened = open_case(workspace, two, annotator_named(workspace, "Cy").id)
    with workspace.store.write("Cy") as tx:
        append_patch(tx, opened.assignment, ((0, 3, 1),), verb="edit")
    with pytest.raises(ConflictError, match="this draft holds one that was drawn"):
        submit_marks(workspace, opened.assignment.id, SubmittedMarks(marks=STROKES))


def test_marks_may_not_contradict_the_slices_that_one_has_drawn(pool: Workspace) -> None:
    case_id = ids(pool)[0]
    opened = open_case(pool, case_id, annotator_named(pool, "Ann").id)
    mask = np.zeros(opened.case.grid.shape, dtype=np.uint8)
    submit(pool, opened.assignment.id, Submitted(mask=mask, parts=[SlicePart(2, 5)]))
    with pytest.raises(InputError, match="Marks agree with the slices that you have drawn, which says background"):
        give_marks(pool, case_id)
    give_marks(pool, case_id, by="Bob")


def test_marks_of_a_classification_are_refused(tmp_path: Path) -> None:
    with (
        Project.create(tmp_path / "p", kind="classification", labels=["no", "yes"]) as project,
        pytest.raises(StateError, match="submit the class"),
    ):
        project.import_marks(tmp_path / "none.json")


def test_marks_and_masks_are_learned_together_and_marks_are_not_evaluated(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"] * 4 + ["test"] * 2, labelled=0)
    give_all(workspace, case_named(workspace, "case00").id)
    give_all(workspace, case_named(workspace, "case04").id)
    give_marks(workspace, case_named(workspace, "case01").id)
    give_marks(workspace, case_named(workspace, "case02").id, (Box((4, 4, 4), (12, 12, 12), 1), Tag(2, False)))
    give_marks(workspace, case_named(workspace, "case03").id, (Tag(1, True), Tag(2, True)))
    start_training(workspace)
    drain(workspace)
    with workspace.store.read() as tx:
        model = tx.find(Model)[0]
        (evaluation,) = tx.find(Evaluation)
    assert model.metrics["marked_cases"] == 3
    assert set(evaluation.per_case) == {case_named(workspace, "case04").id}


def test_marks_alone_are_learned_and_a_label_without_any_mark_is_never_proposed(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"] * 3)
    for n in range(2):
        give_marks(workspace, case_named(workspace, f"case{n:02d}").id, (Box((4, 4, 4), (12, 12, 12), 1), Scribble(((0, 0, 5),), 0)))
    start_training(workspace)
    drain(workspace)
    with workspace.store.read() as tx:
        model = tx.find(Model)[0]
    assert model.metrics["not_learned"] == [2]
    start_training(workspace)
    drain(workspace)
    with workspace.store.read() as tx:
        assert tx.count(Model) == 1, "the same marks make the same model"


def test_marks_on_labels_that_overlap_are_learned(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"] * 3)
    configure(workspace, task=TaskChange(overlaps={"small": ["large"]}), actor="test")
    workspace = workspace.reload()
    give_marks(workspace, case_named(workspace, "case00").id)
    give_marks(workspace, case_named(workspace, "case01").id, (Box((4, 4, 4), (12, 12, 12), 1), Box((8, 4, 4), (16, 12, 12), 2), Tag(1)))
    case = case_named(workspace, "case02")
    give_marks(workspace, case.id, (Tag(1, False), Point((1, 1, 1), 2)))
    start_training(workspace)
    drain(workspace)
    with workspace.store.read() as tx:
        (model,) = tx.find(Model)
    assert (model.recipe["classes"], model.metrics["marked_cases"]) == (4, 3)
    assert "not_learned" not in model.metrics


def test_marks_that_contradict_what_was_declared_later_are_left_out_and_the_training_goes_on(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"] * 2)
    give_marks(workspace, case_named(workspace, "case00").id)
    give_marks(workspace, case_named(workspace, "case01").id, (Tag(1, False), Point((1, 1, 1), 2)))
    configure(workspace, task=TaskChange(inside={"small": "large"}), actor="test")
    workspace = workspace.reload()
    start_training(workspace)
    drain(workspace)
    with workspace.store.read() as tx:
        (model,) = tx.find(Model)
    assert model.metrics["marked_cases"] == 1
    lines = [line.text for job in workspace.store.jobs.list() for line in workspace.store.jobs.logs(job.id)]
    assert "Marks of 1 case contradict the labels of today and are not learned: case01 (large is tagged absent, and marked at" in str(lines)


def test_marks_come_back_from_an_export(make_workspace: MakeWorkspace, tmp_path: Path) -> None:
    workspace = make_workspace(["train"] * 2)
    give_marks(workspace, case_named(workspace, "case00").id)
    give_marks(workspace, case_named(workspace, "case01").id, (Tag(1, False), Point((1, 2, 3), 2)), by="Bob")
    report = export_project(workspace, tmp_path / "out", "marks")
    assert report.cases == 2
    other = make_workspace(["train"] * 2, name="other")
    found = import_marks(other, report.folder, actor="test")
    assert found.taken == ("case00", "case01")
    assert not found.refused
    before, after = marked_cases(workspace), marked_cases(other)
    assert [(a.case, a.annotator, a.marks, a.effort_seconds) for a in before] == [
        (a.case, a.annotator, a.marks, a.effort_seconds) for a in after
    ]
    assert import_marks(other, report.folder, actor="test").known == ("case00", "case01")


def write(path: Path, cases: list[object], **more: object) -> Path:
    path.write_text(json.dumps({"cases": cases, **more}), encoding="utf-8")
    return path


def test_one_bad_entry_of_a_document_is_named_and_the_rest_goes_on(make_workspace: MakeWorkspace, tmp_path: Path) -> None:
    workspace = make_workspace(["train", "train", "test"], labelled=1)
    tag = {"kind": "tag", "label": 7, "present": True}
    document = write(
        tmp_path / "m.json",
        [
            {"case": "case00", "marks": [{**tag, "present": False}]},
            {"case": "case01", "marks": [tag], "effort_seconds": 3},
            {"case": "case02", "marks": [tag]},
            {"case": "nobody", "marks": [tag]},
            {"case": "case01", "marks": [{"kind": "box", "label": 7, "start": [0, 0, 0], "stop": [99, 2, 2]}]},
            {"case": "case01", "marks": [{"kind": "tag", "label": 1}]},
            {"case": "case01", "marks": [tag], "effort_seconds": -1},
            3,
        ],
        labels={"Large": 7},
    )
    report = import_marks(workspace, document, actor="test")
    assert report.taken == ("case01",)
    said = [str(line) for line in report.refused]
    for line, part in zip(
        said,
        ("which says large", "test case", "no case 'nobody'", "box must lie", "one of the labels [0, 7]", "Seconds", "entry"),
        strict=True,
    ):
        assert part in line
    with workspace.store.read() as tx:
        (made,) = tx.marked_annotations()
    assert (made.origin, made.effort_seconds) == ("imported", 3.0)


@pytest.mark.parametrize("text", ["", "[]", '{"cases": 3}', '{"cases": [], "version": 9}'])
def test_a_file_that_is_no_document_of_marks_is_refused(pool: Workspace, tmp_path: Path, text: str) -> None:
    path = tmp_path / "m.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(FormatError, match=r"m\.json"):
        import_marks(pool, path, actor="test")
    with pytest.raises((NotFoundError, FormatError)):
        import_marks(pool, tmp_path / "gone.json", actor="test")
    with pytest.raises(LabelError):
        import_marks(pool, write(tmp_path / "n.json", [], labels={"heart": 1}), actor="test")


def test_from_python(tmp_path: Path, make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"] * 2, settings=FAST)
    project = Project(workspace)
    opened = project.open_case("case00", "ann")
    project.submit_marks(opened, [Point((5, 5, 5), 1), Point((0, 0, 0), 0)], effort_seconds=4, labels=["large"])
    (line,) = project.marks()
    assert (line.case, line.annotated, line.effort_seconds) == ("case00", ("large",), 4.0)


def test_the_weights_of_what_marks_say_are_a_setting(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"] * 4)
    usual = network_recipe(workspace).weak_weights
    configure(workspace, settings={"mark_weights": "likely=0.5, tagged=0"})
    assert network_recipe(workspace.reload()).weak_weights == usual._replace(likely=0.5, tagged=0.0)
    for text, words in (
        ("likely", "A weight of mark_weights lies between 0 and 1000, got 'likely'"),
        ("likely=nan", "A weight of mark_weights lies between 0 and 1000, got 'likely=nan'"),
        ("likely=1,likely=2", "one weight at most, got 'likely=2'"),
        ("guessed=1", "one weight at most, got 'guessed=1'"),
        ("marked=0,likely=0,excluded=0,tagged=0,agreed=0", "must leave something to learn"),
    ):
        with pytest.raises(SettingError, match=words):
            configure(workspace.reload(), settings={"mark_weights": text})
