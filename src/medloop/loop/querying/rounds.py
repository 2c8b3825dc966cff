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

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from medloop.core.errors import StateError
from medloop.core.records import Annotator, Assignment, Case, Json, Query, Review, Round, now
from medloop.core.states import RoundState
from medloop.loop.foundation.annotators import annotator_known
from medloop.loop.foundation.assignees import assigned, is_kept
from medloop.loop.foundation.gold import Tutorial
from medloop.loop.foundation.job_control import JobControl
from medloop.loop.foundation.readings import (
    OWN_READINGS,
    case_readings,
    is_reviewing,
    most_readings,
    needs_several,
    project_settings,
    routes,
)
from medloop.loop.foundation.round_moves import add_round, advance, choices_left, move, round_cases
from medloop.loop.foundation.waiting import nothing_left_words
from medloop.loop.foundation.workspace import Workspace, require_masks
from medloop.loop.querying.assigning import assigned_choice
from medloop.loop.querying.disposing import dispose_arrivals
from medloop.loop.querying.gold_checks import check_or, is_free, tutorial_choice, tutorial_words
from medloop.loop.querying.lacking import cases_lacking, wanted_label
from medloop.loop.querying.pools import ExtraScores
from medloop.loop.querying.queries import make_query, queried_case_ids
from medloop.loop.querying.routing import NextChoice, Route, route, unrouted_words
from medloop.loop.querying.streaming import judge_arrivals
from medloop.loop.querying.workforce import used_up, workforce
from medloop.store.reader import Reader

AT_ONCE = 200
"""Cases looked at together for one that needs another reading: usually the first does."""


def next_choice(workspace: Workspace, annotator_id: str) -> NextChoice | None:
    """The next case for this annotator: work left open, what was returned to them, their tutorial, else real work or a gold case.

    Real work is a case of an open round, or of a new one. Of the cases of open rounds, and those read before that need one more
    reading, the first is taken, or with the setting `routing` the one for which this person is the reader to have; cases that are
    planned for others keep a further round from being opened.
    """
    with workspace.store.read() as tx:
        first = _left_open(tx, annotator_id) or _returned_to(tx, annotator_id) or tutorial_choice(tx, annotator_id)
        if first is not None:
            return first if isinstance(first, NextChoice) else None
        found = _free(workspace, tx, annotator_id, elsewhere=False)
        if found.choice is not None:
            return check_or(tx, annotator_id, found.choice)
    advance(workspace)
    with workspace.store.read() as tx:
        found = _free(workspace, tx, annotator_id)
        if found.choice is not None:
            return check_or(tx, annotator_id, found.choice)
        if found.held or found.full:
            return None
    open_round(workspace)
    with workspace.store.read() as tx:
        fresh = _free(workspace, tx, annotator_id).choice
        return None if fresh is None else check_or(tx, annotator_id, fresh)


def why_nothing(workspace: Workspace, annotator_id: str) -> str:
    """Why there is no case for an annotator, and what to do."""
    with workspace.store.read() as tx:
        tutorial = tutorial_choice(tx, annotator_id)
        if isinstance(tutorial, Tutorial):
            return tutorial_words(tutorial)
        return unrouted_words(tx, _free(workspace, tx, annotator_id)) or nothing_left_words(tx, annotator_id)


@dataclass(frozen=True)
class Outlook:
    """What an annotator would get next: the case's name and why, or "" and why there is none."""

    annotator: str
    case: str
    reason: str


def outlook(workspace: Workspace, annotator_id: str) -> Outlook:
    """What an annotator would get next, as things stand; nothing is opened or written. Gold cases are not foretold."""
    with workspace.store.read() as tx:
        name = tx.get(Annotator, annotator_id).name
        tutorial = tutorial_choice(tx, annotator_id)
        if isinstance(tutorial, Tutorial):
            return Outlook(name, "", tutorial_words(tutorial))
        route_ = _free(workspace, tx, annotator_id)
        found = _left_open(tx, annotator_id) or _returned_to(tx, annotator_id) or tutorial or route_.choice
        if found is not None:
            return Outlook(name, tx.get(Case, found.case_id).name, found.reason)
        further = bool(tx.some_unlabelled(["train", "audit"], 1)) and not route_.held and not route_.full
        words = "a further round will be opened" if further else unrouted_words(tx, route_) or nothing_left_words(tx, annotator_id)
        return Outlook(name, "", words)


def outlooks(workspace: Workspace, name: str = "") -> tuple[Outlook, ...]:
    """The outlook of everybody at work, or of one annotator.

    Raises:
        NotFoundError: Nobody of that name has opened a case.
    """
    with workspace.store.read() as tx:
        who = [annotator_known(tx, name).id] if name else [worker.annotator.id for worker in workforce(tx, "")]
    return tuple(outlook(workspace, each) for each in who)


def is_wanted(tx: Reader, asked: NextChoice, annotator_id: str) -> bool:
    """Whether a case that `next_choice` named may still go to this annotator: nobody was faster."""
    if asked.gold_id is not None:
        return is_free(tx, asked.gold_id, annotator_id)
    reading = case_readings(tx, [asked.case_id])[asked.case_id]
    if is_kept(reading, assigned(tx, [asked.case_id]).get(asked.case_id, ()), annotator_id):
        return False
    if asked.round_id is not None:
        return round_cases(tx, tx.get(Round, asked.round_id), [asked.case_id])[asked.case_id].wants(annotator_id)
    return reading.wants(annotator_id) or reading.is_returned_to(annotator_id)


def upcoming_case(workspace: Workspace, *, after: str | None = None, annotator_id: str = "") -> str | None:
    """Id of the case that this annotator will probably be asked next, for prefetching; changes nothing."""
    with workspace.store.read() as tx:
        mine = assigned_choice(tx, annotator_id) if annotator_id else None
        if mine is not None and mine.case_id != after:
            return mine.case_id
        found = _best(workspace, tx, [c for c in _free_choices(tx, annotator_id) if c.case_id != after], annotator_id)
        if found.choice is not None:
            return found.choice.case_id
        for waiting in tx.find(Round, where={"state": "querying"}):
            if waiting.query_id:
                return tx.get(Query, waiting.query_id).choices[0].case_id
    return None


def open_round(workspace: Workspace, *, extra_scores: ExtraScores | None = None, thorough: bool = False) -> Round | None:
    """Begin annotating the prepared round, or a new one made now (see `make_query`); None when nothing is left to ask."""
    with workspace.store.write("system") as tx:
        ready = _prepared(tx)
        if ready is not None and ready.query_id is not None and choices_left(tx, ready):
            return move(tx, ready, RoundState.ANNOTATING, message=ready.message)
    prepared = prepare_round(workspace, extra_scores=extra_scores, thorough=thorough)
    if prepared is None:
        return None
    with workspace.store.write("system") as tx:
        fresh = tx.get(Round, prepared.id)
        return move(tx, fresh, RoundState.ANNOTATING, message=fresh.message) if fresh.state == RoundState.QUERYING else fresh


def prepare_round(workspace: Workspace, *, extra_scores: ExtraScores | None = None, thorough: bool = False) -> Round | None:
    """Make the query of the next round; a prepared round not begun yet gets the newer query.

    Its message says why another strategy than the project's chose, where one did.
    """
    with workspace.store.read() as tx:
        waiting = _prepared(tx)
        index = waiting.index if waiting else tx.count(Round) + 1
    notes: list[str] = []
    query = make_query(workspace, index, extra_scores=extra_scores, thorough=thorough, note=notes.append)
    message = "; ".join(notes)
    with workspace.store.write("system") as tx:
        waiting = _prepared(tx)
        if query is None:
            if waiting is not None:
                move(tx, waiting, RoundState.CLOSED, message="nothing left to query")
            return None
        if queried_case_ids(tx) & {c.case_id for c in query.choices}:
            return None  # another process opened a round meanwhile: its choices come first
        tx.add(query, verb="choose")
        if waiting is not None:
            return tx.change(Round, waiting.id, verb="choose", fields={"query_id": query.id, "message": message, "updated_at": now()})
        return add_round(tx, query, RoundState.QUERYING, message)


def choosing(workspace: Workspace, *, strategy: str = "", count: int | None = None, lacking: str | None = None) -> Workspace:
    """The same project with other settings for one query; `lacking` names the label that annotated cases are queried for.

    Raises:
        LabelError: The project does not have that label.
        StateError: The project is a classification, or no annotated case lacks the label.
    """
    changed: dict[str, Any] = {"strategy": strategy} if strategy else {}
    if count is not None:
        changed |= {"batch_size": count, "start_size": 0}
    if lacking is not None:
        require_masks(workspace, "Querying for a label")
        changed["query_label"] = lacking
    made = replace(workspace, project=replace(workspace.project, settings=replace(workspace.settings, **changed)))
    if lacking is not None and (label := wanted_label(made)) is not None:
        with workspace.store.read() as tx:
            if not cases_lacking(workspace, tx, label):
                raise StateError(f"No annotated case that could be queried lacks {label.name!r}", remedy="query without it")
    return made


def run_query(workspace: Workspace, control: JobControl) -> Json:
    """The job: prepare the next round, with everything that its strategy needs."""
    judge_arrivals(workspace)
    dispose_arrivals(workspace)
    round_ = prepare_round(workspace, thorough=True)
    if round_ and round_.message:
        control.log(round_.message)
    return {"round": round_.index if round_ else None}


def _prepared(tx: Reader) -> Round | None:
    waiting = tx.find(Round, where={"state": "querying"}, limit=1)
    return waiting[0] if waiting else None


def _left_open(tx: Reader, annotator_id: str) -> NextChoice | None:
    for left in tx.find(Assignment, where={"annotator_id": annotator_id, "state": "open"}, order=("opened_at",)):
        if not is_reviewing(left) and (left.round_id is not None or left.revision > 0 or left.gold_id is not None):
            return NextChoice(left.case_id, left.round_id, left.reason, left.id)
    return None


def _returned_to(tx: Reader, annotator_id: str) -> NextChoice | None:
    """The first case that a reviewer returned to this annotator, and that they have not annotated since."""
    cases = {review.case_id for review in tx.find(Review, where={"returned_to": annotator_id})}
    for case_id, reading in case_readings(tx, sorted(cases)).items():
        returned = reading.returned
        if returned is not None and reading.is_returned_to(annotator_id):
            by = tx.get(Annotator, returned.annotator_id).name
            mine = tx.find(Assignment, where={"case_id": case_id, "annotator_id": annotator_id, "state": "open"})
            opened = [one for one in mine if not is_reviewing(one)]
            why = f"returned by {by}{f': {returned.comment}' if returned.comment else ''}"
            return NextChoice(case_id, None, why, opened[0].id if opened else None)
    return None


def _begun_elsewhere(tx: Reader, annotator_id: str) -> list[NextChoice]:
    """Cases that somebody read outside of the open rounds and that need one more reading: so many of the first."""
    if not needs_several(tx):
        return []
    most, asked = most_readings(tx), queried_case_ids(tx)
    begun = [i for i in tx.begun_cases(OWN_READINGS, fewer_than=most, not_by=annotator_id) if i not in asked]
    for start in range(0, len(begun), AT_ONCE):
        found = case_readings(tx, begun[start : start + AT_ONCE])
        whose = assigned(tx, list(found))
        free = [
            NextChoice(i, None, f"one more reading: {one.words}")
            for i, one in found.items()
            if one.wants(annotator_id) and not is_kept(one, whose.get(i, ()), annotator_id)
        ]
        if free:
            return free
    return []


def _free(workspace: Workspace, tx: Reader, annotator_id: str, *, elsewhere: bool = True) -> Route:
    """What was assigned to this annotator, then what they may read of the open rounds, then of what was read `elsewhere`.

    With routing the last two are looked at together.
    """
    mine = assigned_choice(tx, annotator_id)
    if mine is not None:
        return Route(mine)
    choices = _free_choices(tx, annotator_id)
    if elsewhere and (routes(project_settings(tx)) or not choices):
        choices += _begun_elsewhere(tx, annotator_id)
    return _best(workspace, tx, choices, annotator_id)


def _best(workspace: Workspace, tx: Reader, choices: Sequence[NextChoice], annotator_id: str) -> Route:
    if not annotator_id or not routes(project_settings(tx)):
        return Route(next(iter(choices), None))
    full = used_up(tx, tx.get(Annotator, annotator_id))
    return route(workspace, tx, choices, annotator_id) if choices and not full else Route(None, full=full)


def _free_choices(tx: Reader, annotator_id: str) -> list[NextChoice]:
    """Choices of open rounds that need one more reading and may get it from this annotator, in order."""
    free: list[NextChoice] = []
    for current in tx.find(Round, where={"state": "annotating"}, order=("index",)):
        choices = tx.get(Query, current.query_id).choices if current.query_id else ()
        ids = [c.case_id for c in choices]
        found, whose = round_cases(tx, current, ids), assigned(tx, ids)
        free += [
            NextChoice(c.case_id, current.id, c.reason)
            for c in choices
            if found[c.case_id].wants(annotator_id) and not is_kept(found[c.case_id].reading, whose.get(c.case_id, ()), annotator_id)
        ]
    return free
