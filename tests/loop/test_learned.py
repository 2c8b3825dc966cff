"""A training without anything new makes no model, and equal annotations are one piece of evidence."""

import dataclasses

import numpy as np
import pytest

from medloop.core.records import Case, Model, Project, Round, Snapshot, new_id, now
from medloop.core.states import RoundState
from medloop.loop.annotating.annotations import next_assignment, open_case, submit
from medloop.loop.annotating.submission import Submitted
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.arrays import load_mask
from medloop.loop.foundation.round_moves import start_training
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.overview.model_history import list_models
from medloop.loop.overview.progress import progress
from medloop.loop.overview.stopping import stopping_evidence
from medloop.loop.worker import drain
from medloop.query.budget.stability import KAPPA_WINDOW

from .conftest import FAST, MakeWorkspace
from .made_up import add_evaluation, add_prediction, case_named, every_case


def train(workspace: Workspace, *, again: bool = False) -> str:
    job = start_training(workspace, again=again)
    drain(workspace)
    return str(workspace.store.jobs.get(job.id).result.get("message", ""))


def count(workspace: Workspace) -> int:
    with workspace.store.read() as tx:
        return tx.count(Model)


def answer(workspace: Workspace) -> Case:
    opened = next_assignment(workspace, annotator_named(workspace, "Ann").id)
    assert opened is not None
    submit(workspace, opened.assignment.id, Submitted())
    return opened.case


def retrained(workspace: Workspace, index: int, digest: str) -> Model:
    snapshot = Snapshot(id=new_id("snapshot"), annotation_ids=(), digest=digest, created_at=now())
    model = Model(id=new_id("model"), index=index, recipe={}, snapshot_id=snapshot.id, weights=(), metrics={}, created_at=now())
    with workspace.store.write("worker") as tx:
        tx.add(snapshot)
        tx.add(model)
    return model


@pytest.fixture
def learned(make_workspace: MakeWorkspace) -> Workspace:
    workspace = make_workspace(["train"] * 6, labelled=2)
    train(workspace)
    return workspace


def test_training_again_without_anything_new_makes_no_model_and_says_since_when(learned: Workspace) -> None:
    assert train(learned).startswith("nothing new since model 1")
    assert count(learned) == 1
    with learned.store.read() as tx:
        assert tx.count(Snapshot) == 1


def test_a_model_is_made_again_when_it_is_asked_for(learned: Workspace) -> None:
    assert train(learned, again=True) == ""
    assert count(learned) == 2
    assert [m.nothing_new for m in list_models(learned)] == [False, True]


def test_a_new_annotation_or_a_changed_setting_is_something_new(learned: Workspace) -> None:
    answer(learned)
    assert train(learned) == ""
    longer = dataclasses.replace(learned.settings, train_steps=6)
    with learned.store.write("ann") as tx:
        tx.change(Project, learned.project.id, verb="configure", fields={"settings": longer})
    assert train(learned.reload()) == ""
    assert train(learned.reload()).startswith("nothing new since model 3")


def test_the_same_mask_given_again_is_nothing_new(learned: Workspace) -> None:
    case = case_named(learned, "case00")
    with learned.store.read() as tx:
        (given,) = tx.current_annotations(case_ids=[case.id])
    opened = open_case(learned, case.id, annotator_named(learned, "Ann").id)
    submit(learned, opened.assignment.id, Submitted(mask=load_mask(learned.store.blobs, given, case).array))
    assert train(learned).startswith("nothing new since model 1")


def test_a_round_whose_annotations_are_known_already_is_closed_and_says_so(learned: Workspace) -> None:
    answer(learned)
    train(learned)
    with learned.store.write("system") as tx:
        tx.add(Round(id="round-late", index=9, state=RoundState.TRAINING, created_at=now(), updated_at=now()))
    train(learned)
    with learned.store.read() as tx:
        late = tx.get(Round, "round-late")
    assert late.state == RoundState.CLOSED
    assert late.message.startswith("nothing new since model 2")


def test_models_of_equal_annotations_are_one_point_of_the_curve_and_of_the_advice(make_workspace: MakeWorkspace) -> None:
    tests = [f"case{n:02d}" for n in range(4, 12)]
    workspace = make_workspace(["train"] * 4 + ["test"] * 8)
    rng = np.random.default_rng(0)
    for index in range(1, 11):
        model = retrained(workspace, index, "a" * 64 if index < 6 else "b" * 64)
        scores = {name: 0.8 + 0.001 * (index >= 6) + 0.01 * float(rng.normal()) for name in tests}
        add_evaluation(workspace, model, "test", 2 if index < 6 else 4, scores)
        for case in every_case(workspace)[:4]:
            add_prediction(workspace, model, case)
    evidence = stopping_evidence(workspace)
    assert evidence.curve is not None
    assert evidence.curve.labels.tolist() == [2.0, 4.0]
    assert len(evidence.kappas) == 1 < KAPPA_WINDOW
    made = progress(workspace)
    assert [p.model_index for p in made.curve] == [5, 10]
    assert not made.stopping.stop
    assert sum(m.nothing_new for m in made.models) == 8


def test_the_curve_follows_what_was_learned_not_when_a_training_ended(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train", "test"])
    snapshots = [Snapshot(id=new_id("snapshot"), annotation_ids=(), digest=str(n) * 64, created_at=now()) for n in range(2)]
    with workspace.store.write("worker") as tx:
        for snapshot in snapshots:
            tx.add(snapshot)
        for index, snapshot in ((1, snapshots[1]), (2, snapshots[0])):
            tx.add(Model(id=f"model-{index}", index=index, recipe={}, snapshot_id=snapshot.id, weights=(), metrics={}, created_at=now()))
    with workspace.store.read() as tx:
        first, second = tx.find(Model, order=("index",))
    add_evaluation(workspace, first, "test", 8, {"case01": 0.9})
    add_evaluation(workspace, second, "test", 3, {"case01": 0.6})
    assert [(p.model_index, p.labelled_cases) for p in progress(workspace).curve] == [(2, 3), (1, 8)]


def test_settings_that_decide_are_kept_with_the_model(learned: Workspace) -> None:
    with learned.store.read() as tx:
        (model,) = tx.find(Model)
    assert model.metrics["learned_with"]["train_steps"] == FAST.train_steps
    assert model.metrics["annotated_cases"] == 2
