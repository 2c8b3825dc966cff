"""The moves of rounds that annotations, trainings and evaluations set off (see `rounds` for what the states mean).

They are made inside write transactions, which exclude each other, so two processes that advance the same project cannot make
a move twice.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from medloop.core.records import Assignment, Job, Model, Query, Round, Snapshot, new_id, now
from medloop.core.states import RoundState, move_round
from medloop.loop.foundation.annotated_labels import lacking_cases, scope_in_force
from medloop.loop.foundation.crowds import training_annotations
from medloop.loop.foundation.follow_up import AGAIN, due_for_evaluation, request_consensus, request_evaluation_of
from medloop.loop.foundation.job_kinds import Train, request_job
from medloop.loop.foundation.leases import any_stale, release_stale
from medloop.loop.foundation.readings import CaseReading, case_readings, due_for_consensus
from medloop.loop.foundation.training_due import new_to_learn
from medloop.loop.foundation.workspace import Workspace
from medloop.store.reader import Reader
from medloop.store.writer import Writer

MIN_TRAINING_ANNOTATIONS = 2


def advance(workspace: Workspace) -> None:
    """Make every move that is due: release assignments whose lease ran out, end finished rounds, start their training."""
    release_stale(workspace)
    due = False
    with workspace.store.write("system") as tx:
        for current in tx.find(Round, where={"state": "annotating"}, order=("index",)):
            if choices_left(tx, current):
                continue
            reconciled = move(tx, current, RoundState.RECONCILING)
            if len({a.case_id for a in training_annotations(workspace, tx)}) < MIN_TRAINING_ANNOTATIONS:
                move(tx, reconciled, RoundState.CLOSED, message="too few annotations to train")
            else:
                move(tx, reconciled, RoundState.TRAINING)
                due = True
    if due:
        start_training(workspace)


def after_annotation(workspace: Workspace, case_id: str | None = None) -> None:
    """What a change to a case, or to the rules of all, sets in motion: the end of its round, a training; mostly nothing: one look."""
    with workspace.store.read() as tx:
        ended = any_stale(tx) or any(not choices_left(tx, r) for r in tx.find(Round, where={"state": "annotating"}))
        outdated, unfused = due_for_evaluation(workspace, tx), due_for_consensus(tx, case_id)
        wanted = workspace.settings.train_after
        enough = 0 < wanted <= new_to_learn(tx, wanted)
    if ended:
        advance(workspace)
    if unfused:
        request_consensus(workspace)
    if outdated is not None:
        request_evaluation_of(workspace, outdated)
    if enough:
        start_training(workspace)


def start_training(workspace: Workspace, *, again: bool = False, actor: str = "system") -> Job:
    """Ask the worker for a new model; one that has not yet frozen its answers counts, `again` trains also on nothing new."""
    with workspace.store.read() as tx:
        key = f"train-{tx.count(Snapshot) + 1}"
    return request_job(workspace, Train(again), f"{key}{AGAIN}" if again else key, actor=actor)


def claim_rounds(tx: Writer, snapshot: Snapshot) -> None:
    """Note which rounds' answers a snapshot holds: all that wait for training; failed ones are taken up again."""
    for failed in tx.find(Round, where={"state": "failed"}):
        move(tx, failed, RoundState.TRAINING)
    for waiting in tx.find(Round, where={"state": "training"}):
        tx.change(Round, waiting.id, verb="freeze", fields={"snapshot_id": snapshot.id, "updated_at": now()})


def mark_trained(tx: Writer, model: Model) -> None:
    """Rounds whose answers a new model has learned go on to evaluation."""
    for current in tx.find(Round, where={"state": "training", "snapshot_id": model.snapshot_id}):
        move_round(current.state, RoundState.EVALUATING)
        fields = {"state": RoundState.EVALUATING, "model_id": model.id, "updated_at": now()}
        tx.change(Round, current.id, verb="evaluate", fields=fields)


def close_evaluated(workspace: Workspace, model_id: str) -> None:
    """Rounds whose model is judged are done."""
    with workspace.store.write("system") as tx:
        for current in tx.find(Round, where={"state": "evaluating", "model_id": model_id}):
            move(tx, current, RoundState.CLOSED)


def close_learned(workspace: Workspace, model: Model, message: str) -> None:
    """Rounds whose answers a model has learned already are done."""
    with workspace.store.write("system") as tx:
        for failed in tx.find(Round, where={"state": "failed"}):
            move(tx, failed, RoundState.TRAINING)
        for waiting in tx.find(Round, where={"state": "training"}):
            move_round(waiting.state, RoundState.CLOSED)
            fields = {"state": RoundState.CLOSED, "model_id": model.id, "message": message, "updated_at": now()}
            tx.change(Round, waiting.id, verb="closed", fields=fields)


def fail_round(workspace: Workspace, round_id: str, message: str) -> None:
    """A round that waits for work nobody will do; the next training takes it up again."""
    with workspace.store.write("system") as tx:
        current = tx.get(Round, round_id)
        if current.state in (RoundState.TRAINING, RoundState.EVALUATING):
            move(tx, current, RoundState.FAILED, message=message)


def mark_failed(workspace: Workspace, message: str) -> None:
    """Rounds waiting for a training that failed for good; a later training takes them up again."""
    with workspace.store.write("system") as tx:
        for current in tx.find(Round, where={"state": "training"}):
            move(tx, current, RoundState.FAILED, message=message)


def move(tx: Writer, current: Round, target: RoundState, *, message: str = "") -> Round:
    """Put a round into another state; `core.states.move_round` says which moves there are."""
    move_round(current.state, target)
    return tx.change(Round, current.id, verb=str(target), fields={"state": target, "message": message, "updated_at": now()})


def add_round(tx: Writer, query: Query, state: RoundState, message: str = "") -> Round:
    """Add the next round, of this query."""
    at, index = now(), tx.count(Round) + 1
    added = Round(id=new_id("round"), index=index, state=state, query_id=query.id, message=message, created_at=at, updated_at=at)
    tx.add(added, verb="plan")
    return added


def choices_left(tx: Reader, current: Round) -> list[str]:
    """Case ids of a round that lack a reading (one in part, for this round, counts too), a consensus or a review, and are not refused."""
    asked = [c.case_id for c in tx.get(Query, current.query_id).choices] if current.query_id else []
    return [case_id for case_id, found in round_cases(tx, current, asked).items() if not found.done]


@dataclass(frozen=True)
class RoundCase:
    """A case of a round.

    Attributes:
        reading: How far its readings are.
        given: Annotators who have read it, or annotated for this round what was queried of it.
        refused: It was skipped or flagged, and has no annotation.
        label: It is queried for one label only, which its annotation: "lacks" or "has" by now; "" for every label.
    """

    reading: CaseReading
    given: frozenset[str]
    refused: bool
    label: Literal["", "lacks", "has"] = ""

    @property
    def done(self) -> bool:
        """Whether the round waits for nothing of it."""
        if self.label:
            return self.refused or self.label == "has"
        waits = self.reading.state in ("in review", "returned") or self.reading.consensus_due
        return self.refused or self.reading.state == "accepted" or (len(self.given) >= self.reading.needed and not waits)

    def wants(self, annotator_id: str) -> bool:
        """Whether this annotator may give the next reading."""
        if self.label:
            busy = bool(self.reading.open) or self.reading.state == "returned" or self.reading.consensus_due
            return not busy and not self.done and annotator_id not in self.reading.declined
        taken = {*self.given, *self.reading.open}
        lacking = len(taken) < self.reading.needed and self.reading.state != "returned" and not self.reading.consensus_due
        return lacking and not self.done and annotator_id not in taken and annotator_id not in self.reading.declined


def round_cases(tx: Reader, current: Round, case_ids: Sequence[str]) -> dict[str, RoundCase]:
    """These cases of a round, by id."""
    refused = tx.refused_among(case_ids)
    submitted = tx.find(Assignment, where={"case_id": case_ids, "round_id": current.id, "state": "submitted"})
    given = {case_id: {a.annotator_id for a in submitted if a.case_id == case_id} for case_id in {a.case_id for a in submitted}}
    labels, skipped = _labels_queried(tx, current, case_ids), _skipped_for(tx, current, case_ids)
    return {
        case_id: RoundCase(
            reading,
            frozenset(given.get(case_id, set())) | {*reading.readers},
            case_id in refused or (case_id in labels and case_id in skipped),
            labels.get(case_id, ""),
        )
        for case_id, reading in case_readings(tx, case_ids).items()
    }


def _labels_queried(tx: Reader, current: Round, case_ids: Sequence[str]) -> dict[str, Literal["lacks", "has"]]:
    """The cases that a round queries for one label only, and whether what stands lacks it still."""
    choices = tx.get(Query, current.query_id).choices if current.query_id else ()
    wanted = {one.case_id: one.label for one in choices if one.label is not None and one.case_id in set(case_ids)}
    if not wanted:
        return {}
    lacking = lacking_cases(tx, scope_in_force(tx).task, case_ids=list(wanted))
    missing = {case_id: {label.value for label in labels} for case_id, labels in lacking.items()}
    return {case_id: "lacks" if value in missing.get(case_id, ()) else "has" for case_id, value in wanted.items()}


def _skipped_for(tx: Reader, current: Round, case_ids: Sequence[str]) -> set[str]:
    """Cases that somebody skipped in this round."""
    return {one.case_id for one in tx.find(Assignment, where={"case_id": case_ids, "round_id": current.id, "state": "skipped"})}
