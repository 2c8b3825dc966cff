"""Similar cases from the store, and hypotheses from a real model."""

import numpy as np
import pytest

from medloop.core.errors import LabelError, NotFoundError, StateError
from medloop.core.records import Annotator
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.described import describe_cases
from medloop.loop.foundation.round_moves import start_training
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.judging.predictions import load_predictor
from medloop.loop.overview.explanations import alternatives, explain_case, similar_cases
from medloop.loop.worker import drain

from .conftest import MakeWorkspace
from .made_up import add_answer, add_evaluation, add_model, add_prediction, case_named, every_case


def test_the_nearest_answered_cases_come_with_labels_and_quality(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train", "train", "test", "test"])
    ann, model = annotator_named(workspace, "Ann"), add_model(workspace, 1)
    for case, entropy in zip(every_case(workspace), (0.0, 9.0, 0.1, 30.0), strict=True):
        add_prediction(workspace, model, case, entropy=entropy)
    for name, labels in (("case01", (1,)), ("case02", (1, 2)), ("case03", (2,))):
        add_answer(workspace, ann, case_named(workspace, name), labels=labels)
    add_evaluation(workspace, model, "test", 2, {"case02": 0.75})
    found = similar_cases(workspace, case_named(workspace, "case00").id, count=2, distance="euclidean")
    assert (found.by, [c.name for c in found.cases]) == ("model", ["case02", "case01"])
    assert (found.cases[0].labels, found.cases[0].quality) == (("large", "small"), 0.75)
    assert (found.cases[1].labels, found.cases[1].quality) == (("large",), None)


def test_before_a_model_images_are_compared(pool: Workspace, ann: Annotator) -> None:
    cases = every_case(pool)
    describe_cases(pool, "descriptors", "", cases, lambda _workspace, case: np.array([1.0, float(case.name[-1])]))
    for name in ("case01", "case05"):
        add_answer(pool, ann, case_named(pool, name))
    found = similar_cases(pool, case_named(pool, "case00").id)
    assert (found.by, [c.name for c in found.cases]) == ("descriptors", ["case01", "case05"])


def test_nothing_to_compare_is_said(pool: Workspace) -> None:
    with pytest.raises(NotFoundError, match="nothing to compare"):
        similar_cases(pool, case_named(pool, "case00").id)


def test_a_real_model_is_explained_on_the_case_itself(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"] * 3, labelled=2)
    start_training(workspace)
    drain(workspace)
    case = case_named(workspace, "case02")
    with workspace.store.read() as tx:
        model = tx.live_model()
    assert model is not None
    predictor = load_predictor(workspace.store.blobs, model)
    found = alternatives(workspace, case.id, predictor, most=3, samples=4)
    again = alternatives(workspace, case.id, predictor, most=3, samples=4)
    assert 1 <= len(found.hypotheses) <= 3
    assert all(h.mask.shape == case.grid.shape for h in found.hypotheses)
    assert [h.weight for h in again.hypotheses] == [h.weight for h in found.hypotheses]
    assert explain_case(workspace, case.id, predictor, label=1, method="grad-cam").map.shape == case.grid.shape
    with pytest.raises(LabelError):
        explain_case(workspace, case.id, predictor, label=7, method="grad-cam")


def test_tags_have_no_hypotheses(make_workspace: MakeWorkspace) -> None:
    import dataclasses

    workspace = make_workspace(["train"])
    tags = dataclasses.replace(workspace, task=dataclasses.replace(workspace.task, kind="classification"))
    with pytest.raises(StateError, match="tags"):
        alternatives(tags, case_named(workspace, "case00").id, None)  # type: ignore[arg-type]
