"""Annotations that are probably wrong: found against the other readers and against models that never saw the case."""

import dataclasses

import numpy as np
import pytest

from medloop.core.errors import InputError, LabelError, SettingError, StateError
from medloop.core.records import Annotation, Case, Model, Prediction, Snapshot, new_id, now
from medloop.images.encode import encode_mask
from medloop.loop.annotating.annotations import open_case, submit
from medloop.loop.annotating.submission import Submitted
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.configuring import configure
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.overview.suspects import probabilities_of, suspects

from .conftest import FAST, SMALL, MakeWorkspace
from .test_readings import cube, first_case, people, read_case, standing


def predicted(workspace: Workspace, learned_from: list[str]) -> None:
    """A model that learned from these annotations and is sure of a cube in every case."""
    classes = workspace.task.classes
    with workspace.store.write("worker") as tx:
        snapshot = Snapshot(id=new_id("snapshot"), annotation_ids=tuple(learned_from), digest="d" * 64, created_at=now())
        tx.add(snapshot)
        made = {"recipe": {"classes": classes}, "weights": ("1" * 64,), "metrics": {}}
        model = Model(id=new_id("model"), index=1, snapshot_id=snapshot.id, created_at=now(), **made)
        tx.add(model)
        for case in tx.find(Case):
            prediction = Prediction(
                id=new_id("prediction"),
                case_id=case.id,
                model_id=model.id,
                mask=workspace.store.blobs.put(encode_mask(cube(4))),
                uncertainty=workspace.store.blobs.put(encode_mask(np.zeros(SMALL, dtype=np.uint8))),
                probabilities=(0.9, 0.1, 0.0),
                features=None,
                scores={},
                created_at=now(),
            )
            tx.add(prediction)


def test_a_mask_that_a_model_contradicts_is_suspect_unless_the_model_learned_from_its_case(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"] * 3)
    with workspace.store.read() as tx:
        cases = tx.find(Case)
    (ann,) = people(workspace, "Ann")
    given = [read_case(workspace, case.id, ann, cube(start)) for case, start in zip(cases, (4, 14, 14), strict=True)]
    predicted(workspace, [given[2].id])
    found = suspects(workspace)
    assert [(s.case, s.annotation_id, s.against) for s in found] == [(cases[1].name, given[1].id, "model")]
    assert found[0].score > 0.9


def test_probabilities_follow_from_the_kept_entropy(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"])
    predicted(workspace, [])
    with workspace.store.read() as tx:
        prediction = tx.find(Prediction)[0]
    found = probabilities_of(workspace, prediction, first_case(workspace))
    np.testing.assert_allclose(found.sum(axis=0), 1.0)
    assert found[1][cube(4) == 1].min() == 1.0


def test_a_damaged_annotation_is_passed_over(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"])
    case = first_case(workspace)
    given = [read_case(workspace, case.id, person, cube(4 + n)) for n, person in enumerate(people(workspace, "Ann", "Bob", "Eva"))]
    workspace.store.blobs.path(str(given[0].blob)).unlink()
    assert suspects(workspace) == ()


def test_a_label_outside_the_task_and_a_second_submission_are_refused(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"], settings=dataclasses.replace(FAST, readings=2))
    case = first_case(workspace)
    opened = open_case(workspace, case.id, annotator_named(workspace, "Ann").id)
    with pytest.raises(LabelError, match="may hold 0 and the task's labels"):
        submit(workspace, opened.assignment.id, Submitted(mask=cube(label=9)))
    submit(workspace, opened.assignment.id, Submitted(mask=cube()))
    with pytest.raises(StateError, match="submitted, not open"):
        submit(workspace, opened.assignment.id, Submitted(mask=cube()))


def test_a_method_of_another_kind_of_task_is_refused(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"])
    with pytest.raises(
        SettingError,
        match="fuses readings by one of latest, majority, staple, staple_cases, simple, shape_based, locally_weighted, got glad",
    ):
        configure(workspace, settings={"consensus": "glad"})


def test_the_name_of_the_program_that_fuses_is_nobodys(make_workspace: MakeWorkspace) -> None:
    with pytest.raises(InputError, match="kept for medloop itself"):
        annotator_named(make_workspace(["train"]), "Consensus")


def test_a_clock_that_runs_backwards_does_not_change_which_reading_is_the_latest(
    make_workspace: MakeWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = make_workspace(["train"])
    case = first_case(workspace)
    ann, bob = people(workspace, "Ann", "Bob")
    read_case(workspace, case.id, ann, cube())
    opened = open_case(workspace, case.id, bob.id)
    monkeypatch.setattr("medloop.loop.annotating.annotations.now", lambda: "2001-01-01T00:00:00.000000Z")
    last = submit(workspace, opened.assignment.id, Submitted(mask=cube(6)))
    with workspace.store.read() as tx:
        assert tx.get(Annotation, last.id).created_at.startswith("2001")
    assert standing(workspace, case.id).id == last.id
