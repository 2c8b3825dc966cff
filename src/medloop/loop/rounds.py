"""Rounds as a state machine over the store: ask, wait for answers, train, close.

    querying     a query is being prepared, or is ready for when it is needed
    annotating   its choices are handed out; several rounds may be open with several annotators
    reconciling  every choice is answered, skipped or flagged
    training     a training job will learn from these answers (a later job may cover several rounds)
    evaluating   its model exists and is being judged
    closed       done

Moves are made inside write transactions, which exclude each other, so two processes that advance the
same project cannot make a move twice. The next round's query is prepared by the worker when a new model
has seen the pool; asking therefore never waits, and falls back to a query made on the spot.
"""

from dataclasses import dataclass

from medloop.core.records import Annotation, Assignment, Case, Job, Model, Query, Round, Snapshot, new_id, now
from medloop.core.states import RoundState, move_round
from medloop.loop.asking import asked_case_ids, make_query
from medloop.loop.consensus import training_answers
from medloop.loop.leases import release_stale
from medloop.loop.pools import ExtraScores
from medloop.loop.predicting import ask_evaluation
from medloop.loop.workspace import Workspace
from medloop.store.reader import Reader
from medloop.store.writer import Writer

MIN_TRAINING_ANSWERS = 2


@dataclass(frozen=True)
class Asked:
    """What to open next: a case of a round, or an assignment that was left open."""

    case_id: str
    round_id: str | None
    reason: str
    assignment_id: str | None = None


def next_choice(workspace: Workspace, annotator_id: str) -> Asked | None:
    """The next case for this annotator: work left open, then open rounds in order, then a new round."""
    with workspace.store.read() as tx:
        left_open = _left_open(tx, annotator_id)
        asked = left_open or _first_free(tx)
    if asked is not None:
        return asked
    advance(workspace)
    with workspace.store.read() as tx:
        given_back = _first_free(tx)
    if given_back is not None:
        return given_back
    open_round(workspace)
    with workspace.store.read() as tx:
        return _first_free(tx)


def upcoming_case(workspace: Workspace, *, after: str | None = None) -> str | None:
    """Id of the case that will probably be asked next, for prefetching; changes nothing."""
    with workspace.store.read() as tx:
        for choice in _free_choices(tx):
            if choice.case_id != after:
                return choice.case_id
        for waiting in tx.find(Round, where={"state": "querying"}):
            if waiting.query_id:
                return tx.get(Query, waiting.query_id).choices[0].case_id
    return None


def open_round(workspace: Workspace, *, extra_scores: ExtraScores | None = None, thorough: bool = False) -> Round | None:
    """Begin annotating the prepared round, or a new one made now (see `make_query`); None when nothing is left to ask."""
    with workspace.store.write("system") as tx:
        ready = _prepared(tx)
        if ready is not None and _still_askable(tx, ready):
            return _move(tx, ready, RoundState.ANNOTATING)
    prepared = prepare_round(workspace, extra_scores=extra_scores, thorough=thorough)
    if prepared is None:
        return None
    with workspace.store.write("system") as tx:
        fresh = tx.get(Round, prepared.id)
        return _move(tx, fresh, RoundState.ANNOTATING) if fresh.state == RoundState.QUERYING else fresh


def prepare_round(workspace: Workspace, *, extra_scores: ExtraScores | None = None, thorough: bool = False) -> Round | None:
    """Make the query of the next round; a prepared round not begun yet gets the newer query."""
    with workspace.store.read() as tx:
        waiting = _prepared(tx)
        index = waiting.index if waiting else tx.count(Round) + 1
    query = make_query(workspace, index, extra_scores=extra_scores, thorough=thorough)
    with workspace.store.write("system") as tx:
        waiting = _prepared(tx)
        if query is None:
            if waiting is not None:
                _move(tx, waiting, RoundState.CLOSED, message="nothing left to ask")
            return None
        if asked_case_ids(tx) & {c.case_id for c in query.choices}:
            return None  # another process opened a round meanwhile: its choices come first
        tx.add(query, verb="choose")
        if waiting is not None:
            return tx.change(Round, waiting.id, verb="choose", fields={"query_id": query.id, "updated_at": now()})
        return _add_round(tx, query)


def advance(workspace: Workspace) -> None:
    """Make every move that is due: release assignments whose lease ran out, end finished rounds, start their training."""
    release_stale(workspace)
    due = False
    with workspace.store.write("system") as tx:
        for current in tx.find(Round, where={"state": "annotating"}, order=("index",)):
            if _choices_left(tx, current):
                continue
            reconciled = _move(tx, current, RoundState.RECONCILING)
            if len({a.case_id for a in training_answers(tx, "train")}) < MIN_TRAINING_ANSWERS:
                _move(tx, reconciled, RoundState.CLOSED, message="too few answers to train")
            else:
                _move(tx, reconciled, RoundState.TRAINING)
                due = True
    if due:
        start_training(workspace)


def after_answer(workspace: Workspace) -> None:
    """What an answer sets in motion: the end of its round, or a training in between."""
    advance(workspace)
    ask_evaluation(workspace)
    if workspace.settings.train_after and _new_answers(workspace) >= workspace.settings.train_after:
        start_training(workspace)


def start_training(workspace: Workspace, *, again: bool = False, actor: str = "system") -> Job:
    """Ask the worker for a new model; a training that has not yet frozen its answers already counts.

    Args:
        workspace: The project.
        again: Train also when nothing is new since the last model.
        actor: Who asks, for the audit.
    """
    with workspace.store.read() as tx:
        key = f"train-{tx.count(Snapshot) + 1}"
    jobs = workspace.store.jobs
    if again:
        return jobs.enqueue("train", {"again": True}, key=f"{key}-again", priority=5, actor=actor)
    return jobs.enqueue("train", {}, key=key, priority=5, actor=actor)


def claim_rounds(tx: Writer, snapshot: Snapshot) -> None:
    """Note which rounds' answers a snapshot holds: all that wait for training; failed ones are taken up again."""
    for failed in tx.find(Round, where={"state": "failed"}):
        _move(tx, failed, RoundState.TRAINING)
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
            _move(tx, current, RoundState.CLOSED)


def close_learned(workspace: Workspace, model: Model, message: str) -> None:
    """Rounds whose answers a model has learned already are done."""
    with workspace.store.write("system") as tx:
        for failed in tx.find(Round, where={"state": "failed"}):
            _move(tx, failed, RoundState.TRAINING)
        for waiting in tx.find(Round, where={"state": "training"}):
            move_round(waiting.state, RoundState.CLOSED)
            fields = {"state": RoundState.CLOSED, "model_id": model.id, "message": message, "updated_at": now()}
            tx.change(Round, waiting.id, verb="closed", fields=fields)


def fail_round(workspace: Workspace, round_id: str, message: str) -> None:
    """A round that waits for work nobody will do; the next training takes it up again."""
    with workspace.store.write("system") as tx:
        current = tx.get(Round, round_id)
        if current.state in (RoundState.TRAINING, RoundState.EVALUATING):
            _move(tx, current, RoundState.FAILED, message=message)


def mark_failed(workspace: Workspace, message: str) -> None:
    """Rounds waiting for a training that failed for good; a later training takes them up again."""
    with workspace.store.write("system") as tx:
        for current in tx.find(Round, where={"state": "training"}):
            _move(tx, current, RoundState.FAILED, message=message)


def _move(tx: Writer, current: Round, target: RoundState, *, message: str = "") -> Round:
    move_round(current.state, target)
    return tx.change(Round, current.id, verb=str(target), fields={"state": target, "message": message, "updated_at": now()})


def _add_round(tx: Writer, query: Query) -> Round:
    new = Round(
        id=new_id("round"),
        index=tx.count(Round) + 1,
        state=RoundState.QUERYING,
        query_id=query.id,
        created_at=now(),
        updated_at=now(),
    )
    tx.add(new, verb="plan")
    return new


def _prepared(tx: Reader) -> Round | None:
    waiting = tx.find(Round, where={"state": "querying"}, limit=1)
    return waiting[0] if waiting else None


def _still_askable(tx: Reader, prepared: Round) -> bool:
    return prepared.query_id is not None and bool(_choices_left(tx, prepared))


def _choices_left(tx: Reader, current: Round) -> list[str]:
    """Case ids of a round that are neither answered (in part, for this round, counts too), skipped nor flagged."""
    if current.query_id is None:
        return []
    asked = [c.case_id for c in tx.get(Query, current.query_id).choices]
    answered = {a.case_id for a in tx.current_annotations(case_ids=asked)}
    refused = {a.case_id for a in tx.find(Assignment, where={"case_id": asked, "state": ["skipped", "flagged"]})}
    done = {a.case_id for a in tx.find(Assignment, where={"case_id": asked, "round_id": current.id, "state": "submitted"})}
    return [case_id for case_id in asked if case_id not in answered | refused | done]


def _left_open(tx: Reader, annotator_id: str) -> Asked | None:
    for left in tx.find(Assignment, where={"annotator_id": annotator_id, "state": "open"}, order=("opened_at",)):
        if left.round_id is not None or left.revision > 0:
            return Asked(left.case_id, left.round_id, left.reason, left.id)
    return None


def _first_free(tx: Reader) -> Asked | None:
    return next(iter(_free_choices(tx)), None)


def _free_choices(tx: Reader) -> list[Asked]:
    """Choices of open rounds that nobody has open, in order."""
    free: list[Asked] = []
    for current in tx.find(Round, where={"state": "annotating"}, order=("index",)):
        left = set(_choices_left(tx, current))
        taken = {a.case_id for a in tx.find(Assignment, where={"case_id": list(left), "state": "open"})} if left else set()
        choices = tx.get(Query, current.query_id).choices if current.query_id else ()
        free += [Asked(c.case_id, current.id, c.reason) for c in choices if c.case_id in left - taken]
    return free


def _new_answers(workspace: Workspace) -> int:
    """Answers to training cases since the newest snapshot, counted up to `train_after`."""
    wanted = workspace.settings.train_after
    with workspace.store.read() as tx:
        snapshots = tx.find(Snapshot, order=("created_at",), descending=True, limit=1)
        newest = tx.find(Annotation, order=("created_at",), descending=True, limit=wanted)
        cases = {a.case_id for a in newest}
        count = {a.id for a in (*tx.current_annotations(case_ids=cases), *tx.partial_annotations(case_ids=cases))}
        since = [a for a in newest if a.id in count and (not snapshots or a.created_at > snapshots[0].created_at)]
        return sum(tx.get(Case, a.case_id).split == "train" for a in since)
