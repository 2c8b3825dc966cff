"""When a person gets a gold case instead of real work: in the tutorial always, later at the rate `gold_rate`, drawn by a hash."""

from medloop.core.records import Annotator, Assignment
from medloop.core.seeds import drawn_share
from medloop.loop.foundation.gold import Tutorial, gold_left, tutorial_of
from medloop.loop.foundation.readings import project_settings
from medloop.loop.querying.routing import NextChoice
from medloop.store.reader import Reader


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
    """A gold case, where one is due to this person now, else the work; for nobody to know, a gold case has the reason of the work."""
    settings = project_settings(tx)
    if settings.gold_rate == 0:
        return work
    had = tx.count(Assignment, where={"annotator_id": annotator_id, "state": ["submitted", "skipped", "flagged"]})
    if drawn_share(settings.seed, "gold", annotator_id, had) >= settings.gold_rate:
        return work
    left = gold_left(tx, annotator_id)
    return NextChoice(left[0].case_id, None, work.reason, gold_id=left[0].id) if left else work


def tutorial_words(tutorial: Tutorial) -> str:
    """Why nothing comes after a tutorial that was not passed, and what to do."""
    remedy = "a lead adds gold cases (medloop gold add DIR CASE) or lets you begin (medloop gold admit DIR NAME)"
    return f"{tutorial.words[0].upper()}{tutorial.words[1:]}, and no gold case is left: {remedy}"


def is_free(tx: Reader, gold_id: str, annotator_id: str) -> bool:
    """Whether a gold case may still go to this person."""
    return any(one.id == gold_id for one in gold_left(tx, annotator_id))
