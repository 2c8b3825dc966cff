"""What has to be predicted and evaluated next, asked of the worker as soon as it is missing.

Cases that came after a model, and annotations of evaluation cases that changed, must not wait for the next training. A
job that is already at work may have looked before the change: then a second one is queued behind it, never a third.
"""

import hashlib
from collections.abc import Collection

from medloop.core.records import EVALUATION_SPLITS, Evaluation, Job, Model, Split
from medloop.core.states import JobState
from medloop.loop.foundation.damage import damaged_cases, damaged_now
from medloop.loop.foundation.job_kinds import Choose, Evaluate, Payload, Predict, Propose, Reconcile, request_job
from medloop.loop.foundation.outside import standing_proposer
from medloop.loop.foundation.readings import due_for_consensus
from medloop.loop.foundation.trials import current_trial
from medloop.loop.foundation.workspace import Workspace
from medloop.store.reader import Reader

AGAIN = "-again"

POOL: tuple[Split, ...] = ("train", "audit")
"""Splits whose unanswered cases are predicted and requested."""


def follow_up(workspace: Workspace) -> None:
    """After cases or annotations were added, changed or withdrawn: predict, evaluate and fuse what lacks it."""
    request_unpredicted(workspace)
    with workspace.store.read() as tx:
        proposer = standing_proposer(tx)
        waiting = proposer is not None and tx.unpredicted(proposer.id, POOL) > 0
    if proposer is not None and waiting:
        _request(workspace, Propose(proposer.id), f"propose-{proposer.id}")
    with workspace.store.read() as tx:
        unfused = due_for_consensus(tx)
    if unfused:
        request_consensus(workspace)
    request_evaluation(workspace)


def request_unpredicted(workspace: Workspace) -> None:
    """Let the model in use, and a candidate on trial, see the cases that they have not seen."""
    with workspace.store.read() as tx:
        live, trial = tx.live_model(), current_trial(tx)
        lacking = live is not None and tx.unpredicted(live.id, POOL) > 0
        tried = tx.get(Model, trial.model_id) if trial is not None and lacking else None
    if live is not None and lacking:
        request_pool(workspace, live)
    if tried is not None:
        request_trial_of(workspace, tried)


def request_consensus(workspace: Workspace) -> Job:
    """Make a consensus of the cases that have their readings."""
    return _request(workspace, Reconcile(), "reconcile")


def request_evaluation(workspace: Workspace) -> None:
    """Evaluate the model in use anew where annotations of evaluation cases have changed since."""
    with workspace.store.read() as tx:
        due = due_for_evaluation(workspace, tx)
    if due is not None:
        request_evaluation_of(workspace, due)


def due_for_evaluation(workspace: Workspace, tx: Reader) -> Model | None:
    """The model in use, if annotations of evaluation cases have changed since it was held against them."""
    live = tx.live_model()
    if live is None:
        return None
    damaged = frozenset(case.case_id for case in damaged_now(workspace, tx))
    return live if any(is_outdated(tx, live, split, damaged) for split in EVALUATION_SPLITS) else None


def request_evaluation_of(workspace: Workspace, model: Model) -> None:
    """Evaluate one model."""
    _request(workspace, Evaluate(model.id), evaluation_keys(model.id)[0])


def evaluation_keys(model_id: str) -> tuple[str, str]:
    """Keys of the jobs that evaluate a model: the one asked for, and the one behind it while it runs."""
    return f"evaluate-{model_id}", f"evaluate-{model_id}{AGAIN}"


def request_predictions_of(workspace: Workspace, model: Model) -> None:
    """Let a model that goes live see the next choices, then the pool."""
    _request(workspace, Predict(model.id, "upcoming"), f"upcoming-{model.id}")
    request_pool(workspace, model)


def request_trial_of(workspace: Workspace, model: Model) -> None:
    """Let a candidate on trial see its share of the pool."""
    _request(workspace, Predict(model.id, "trial"), f"trial-{model.id}")


def request_pool(workspace: Workspace, model: Model, *, actor: str = "system") -> Job:
    """Let a model see the pool."""
    return _request(workspace, Predict(model.id, "pool"), f"pool-{model.id}", actor)


def request_query(workspace: Workspace, model: Model) -> None:
    """Prepare the next round's query."""
    _request(workspace, Choose(), f"query-{model.id}")


def damaged_ids(workspace: Workspace) -> frozenset[str]:
    """Ids of the cases whose bytes are known to be damaged: nothing is held against them until they are restored."""
    return frozenset(case.case_id for case in damaged_cases(workspace))


def truth_digest(tx: Reader, split: Split, damaged: Collection[str] = ()) -> str:
    """Over the ids of the annotations of a split that count now, those of damaged cases left out; "" without any."""
    return digest_without(tx, tx.current_annotation_ids([split]), split, damaged)


def digest_without(tx: Reader, annotation_ids: Collection[str], split: Split, damaged: Collection[str]) -> str:
    """Over ids of annotations of a split, those of damaged cases left out; "" where none is left."""
    gone = {a.id for a in tx.current_annotations(splits=[split], case_ids=damaged)} if damaged else set()
    ids = [i for i in annotation_ids if i not in gone]
    return hashlib.sha256("\n".join(ids).encode()).hexdigest() if ids else ""


def is_outdated(tx: Reader, model: Model, split: Split, damaged: Collection[str] = ()) -> bool:
    """Whether a model was not yet held against the annotations of a split as they are now and can be read."""
    told, digest = tx.evaluation_truth(model.id, split), truth_digest(tx, split, damaged)
    if told is not None:
        return told.digest != digest
    evaluations = tx.current_evaluations(model_id=model.id, split=split)
    return _differs(tx, evaluations[0], split) if evaluations else digest != ""


def _differs(tx: Reader, evaluation: Evaluation, split: Split) -> bool:
    """For a figure from before its annotations were noted: whether other cases have one now, or a later one."""
    now = tx.current_annotations(splits=[split])
    return {a.case_id for a in now} != set(evaluation.per_case) or any(a.created_at > evaluation.created_at for a in now)


def _request(workspace: Workspace, payload: Payload, key: str, actor: str = "system") -> Job:
    requested = request_job(workspace, payload, key, actor=actor)
    return request_job(workspace, payload, f"{key}{AGAIN}", actor=actor) if requested.state == JobState.RUNNING else requested
