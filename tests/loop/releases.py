"""Models whose trainings and evaluations are made up, decided about as the worker does it."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from medloop.core.declaring import SettingValue
from medloop.core.records import Evaluation, Model, Snapshot, new_id, now
from medloop.loop.foundation.configuring import configure
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.judging.live_models import choose_live, place_trained

from .made_up import case_named

TESTS = [f"case{n:02d}" for n in range(2, 22)]


def configured(workspace: Workspace, **settings: SettingValue) -> Workspace:
    configure(workspace, settings=settings, actor="test")
    return workspace


def trained(workspace: Workspace, index: int, **metrics: Any) -> Model:
    """A made-up training's end: the model is stored and placed as the worker does it; it learned from one annotation, or from both."""
    with workspace.store.write("worker") as tx:
        ids = tuple(sorted(tx.current_annotation_ids(["train"]))[: min(index, 2)])
        snapshot = Snapshot(id=new_id("snapshot"), annotation_ids=ids, digest=f"{index:064d}", created_at=now())
        recipe = {"steps": 100 * index}
        model = Model(
            id=new_id("model"), index=index, recipe=recipe, snapshot_id=snapshot.id, weights=(), metrics=metrics, created_at=now()
        )
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


def two_models(workspace: Workspace, newer: Mapping[str, float], *, spread: float = 0.01, cases: Sequence[str] = TESTS) -> Model:
    """Two models with scores spread around 0.8: the newer one's mean differs by label as `newer` says."""
    rng = np.random.default_rng(0)
    first = trained(workspace, 1)
    base = {name: {label: 0.8 + 0.05 * rng.standard_normal() for label in newer} for name in cases}
    evaluated(workspace, first, base)
    second = trained(workspace, 2)
    evaluated(
        workspace,
        second,
        {name: {label: base[name][label] + newer[label] + spread * rng.standard_normal() for label in newer} for name in cases},
    )
    return second
