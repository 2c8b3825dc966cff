"""When a person gets a gold case instead of real work: in the tutorial always, later at the rate `gold_rate`, drawn by a hash."""

from medloop.core.records import Annotator, Assignment, Choice, Query, Round
from medloop.core.seeds import drawn_share
from medloop.loop.foundation.gold import Tutorial, gold_left, independent_proposal, tutorial_of
from medloop.loop.foundation.readings import project_settings
from medloop.loop.querying.chosen import choice_of
from medloop.loop.querying.routing import NextChoice
from medloop.store.reader import Reader

ROUNDS_BACK = 5
"""Rounds in which the work is looked for before which a gold case came: one stays open for a while."""


def tutorial_choice(tx: Reader, annotator_id: str) -> NextChoice | Tutorial | None:
    """The next case of a person's tutorial; the tutorial itself where it is blocked, None where there is none, or it is over."""
    if project_settings(tx).tutorial == 0:
        return None
    tutorial = tutorial_of(tx, tx.get(Annotator, annotator_id))
    if tutorial is None or tutorial.passed:
        return None
    if tutorial.blocked:
        return tutorial
    gold = gold_left(tx, annotator_id)[0]
    reason = f"{tutorial.words}; its truth is known, and you see it when you have submitted"
    return NextChoice(gold.case_id, None, reason, gold_id=gold.id)


def check_or(tx: Reader, annotator_id: str, work: NextChoice) -> NextChoice:
    """A gold case, where one is due to this person now, else the work; for nobody to know, a gold case has the reason of the work.

    It comes in place of work on a whole case alone: it has no slices, no label and no marks that were queried of it.
    """
    settings = project_settings(tx)
    if settings.gold_rate == 0:
        return work
    had = tx.count(Assignment, where={"annotator_id": annotator_id, "state": ["submitted", "skipped", "flagged"]})
    if drawn_share(settings.seed, "gold", annotator_id, had) >= settings.gold_rate:
        return work
    chosen = choice_of(tx, work.round_id, work.case_id)
    if work.assignment_id is not None or (chosen is not None and not _is_whole(chosen)):
        return work
    left = iter(gold_left(tx, annotator_id))
    if chosen is not None and chosen.kind == "verify":  # there must be something to check
        left = (one for one in left if independent_proposal(tx, one.case_id) is not None)
    gold = next(left, None)
    return NextChoice(gold.case_id, None, work.reason, gold_id=gold.id) if gold else work


def choice_shown(tx: Reader, assignment: Assignment) -> Choice | None:
    """What a query chose of an assignment's case; of a gold case it is that of the work before which it came, found by its reason."""
    if assignment.gold_id is None:
        return choice_of(tx, assignment.round_id, assignment.case_id)
    for past in tx.find(Round, order="index", descending=True, limit=ROUNDS_BACK):
        for one in tx.get(Query, past.query_id).choices if past.query_id else ():
            if one.reason and assignment.reason.startswith(one.reason) and _is_whole(one):
                return one
    return None


def _is_whole(chosen: Choice) -> bool:
    return not chosen.parts and chosen.label is None and chosen.kind in ("", "whole", "verify")


def tutorial_words(tutorial: Tutorial) -> str:
    """Why nothing comes after a tutorial that was not passed, and what to do."""
    remedy = "a lead adds gold cases (medloop gold add DIR CASE) or lets you begin (medloop gold admit DIR NAME)"
    return f"{tutorial.words[0].upper()}{tutorial.words[1:]}, and no gold case is left: {remedy}"


def is_free(tx: Reader, gold_id: str, annotator_id: str) -> bool:
    """Whether a gold case may still go to this person."""
    return any(one.id == gold_id for one in gold_left(tx, annotator_id))
