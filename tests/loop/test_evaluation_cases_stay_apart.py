"""Evaluation cases are never selected, and audit cases never train: through the loop, with predictions for every case."""

import dataclasses

import pytest

from medloop.core.records import Annotation, Case, Query, Snapshot, Split
from medloop.loop.annotating.annotations import next_assignment, submit
from medloop.loop.annotating.submission import Submitted
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.round_moves import start_training
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.querying.queries import AUDIT_REASON, queried_case_ids
from medloop.loop.querying.rounds import prepare_round
from medloop.loop.worker import drain

from .conftest import FAST, MakeWorkspace
from .made_up import add_model, add_prediction, every_case

SPLITS: list[Split] = ["test", "train", "validation", "train", "audit", "train", "test", "audit", "train", "validation", "train"]


def predicted(make_workspace: MakeWorkspace, strategy: str) -> Workspace:
    """A project whose evaluation cases look most attractive to every strategy: most doubt, most foreground."""
    workspace = make_workspace(SPLITS, settings=dataclasses.replace(FAST, strategy=strategy))
    model = add_model(workspace, 1)
    for n, case in enumerate(every_case(workspace)):
        add_prediction(workspace, model, case, entropy=0.01 * n + (0.5 if case.split != "train" else 0.0), foreground=0.02 * (n + 1))
    return workspace


@pytest.mark.parametrize("strategy", ["random", "entropy", "margin", "bald", "foreground", "suggestive", "coreset"])
def test_whatever_the_strategy_only_training_and_audit_cases_are_asked(make_workspace: MakeWorkspace, strategy: str) -> None:
    workspace = predicted(make_workspace, strategy)
    ann = annotator_named(workspace, "Ann")
    asked: list[Split] = []
    while (opened := next_assignment(workspace, ann.id)) is not None:
        asked.append(opened.case.split)
        assert (opened.assignment.reason == AUDIT_REASON) == (opened.case.split == "audit")
        submit(workspace, opened.assignment.id, Submitted())
    assert sorted(asked) == ["audit"] * 2 + ["train"] * 5
    with workspace.store.read() as tx:
        chosen = {tx.get(Case, i).split for i in queried_case_ids(tx, ever=True)}
        made = {tx.get(Case, c.case_id).split for q in tx.find(Query) for c in q.choices}
    assert chosen == made == {"train", "audit"}


def test_a_query_as_large_as_the_project_still_leaves_evaluation_cases_out(make_workspace: MakeWorkspace) -> None:
    workspace = predicted(make_workspace, "entropy")
    settings = dataclasses.replace(workspace.settings, batch_size=100)
    prepare_round(dataclasses.replace(workspace, project=dataclasses.replace(workspace.project, settings=settings)))
    with workspace.store.read() as tx:
        (query,) = tx.find(Query)
        splits = [tx.get(Case, c.case_id).split for c in query.choices]
    assert sorted(splits) == ["audit"] * 2 + ["train"] * 5


@pytest.mark.parametrize(("batch", "audited"), [(3, 1), (4, 1), (8, 2)])
def test_a_quarter_of_a_query_are_audit_cases_and_one_at_least(make_workspace: MakeWorkspace, batch: int, audited: int) -> None:
    workspace = make_workspace(["train"] * 9 + ["audit"] * 6, settings=dataclasses.replace(FAST, batch_size=batch))
    prepare_round(workspace)
    with workspace.store.read() as tx:
        (query,) = tx.find(Query)
        splits = [tx.get(Case, c.case_id).split for c in query.choices]
    assert (splits.count("train"), splits.count("audit")) == (batch, audited)


def test_audit_answers_are_given_and_never_learned(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train", "audit", "train", "audit", "test", "train"], settings=dataclasses.replace(FAST, batch_size=5))
    ann = annotator_named(workspace, "Ann")
    while (opened := next_assignment(workspace, ann.id)) is not None:
        submit(workspace, opened.assignment.id, Submitted(effort_seconds=1.0))
    start_training(workspace)
    drain(workspace)
    with workspace.store.read() as tx:
        answered = {tx.get(Case, a.case_id).split for a in tx.current_annotations()}
        learned = {tx.get(Case, tx.get(Annotation, i).case_id).split for s in tx.find(Snapshot) for i in s.annotation_ids}
    assert answered == {"train", "audit"}
    assert learned == {"train"}
