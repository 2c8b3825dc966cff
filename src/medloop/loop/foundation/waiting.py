"""What the cases of a project that were begun wait for, in words: somebody else to read them, a consensus, a reviewer, a correction."""

from collections import Counter
from dataclasses import dataclass

from medloop.core.names import counted
from medloop.core.records import Annotator
from medloop.loop.foundation.readings import OWN_READINGS, ROUNDING, CaseReading, case_readings, needs_several, project_settings
from medloop.store.reader import Reader


@dataclass(frozen=True)
class ReadingSummary:
    """How far the cases are that somebody has read.

    Attributes:
        needed: Readings per case (`readings`).
        cases: By state of their readings.
        lines: What they wait for, in words, with the remedy; () when nothing waits.
    """

    needed: int
    cases: dict[str, int]
    lines: tuple[str, ...]


def reading_summary(tx: Reader) -> ReadingSummary | None:
    """How far the readings are; None in a project whose cases need one reading and no review."""
    found = _begun(tx)
    if found is None:
        return None
    people = [a.id for a in tx.find(Annotator) if a.kind != "model" and any(a.id in r.readers for r in found)]
    alone = people[0] if len(people) == 1 else ""
    lacking = _lacking(found, alone, alone_name=tx.get(Annotator, alone).name if alone else "")
    lines = [lacking, *_unreviewed(tx, found), _unsure(tx, found)]
    return ReadingSummary(project_settings(tx).readings, dict(Counter(r.state for r in found)), tuple(filter(None, lines)))


def nothing_left_words(tx: Reader, annotator_id: str) -> str:
    """Why there is no case for an annotator."""
    waiting = _begun(tx) or []
    lines = [_lacking(waiting, annotator_id), *_unreviewed(tx, waiting), _unsure(tx, waiting)]
    return "; ".join(filter(None, lines)) or "Every case is annotated, skipped or open with somebody else"


def _begun(tx: Reader) -> list[CaseReading] | None:
    """The cases that somebody has read; None in a project whose cases need one reading and no review."""
    settings = project_settings(tx)
    if not needs_several(settings) and settings.review == "none":
        return None
    return list(case_readings(tx, tx.begun_cases(OWN_READINGS)).values())


def _lacking(found: list[CaseReading], annotator_id: str, *, alone_name: str = "") -> str:
    """Cases that lack a reading which this annotator cannot give, having read them; "" without any."""
    own = [r for r in found if r.state == "read" and len(r.readers) < r.needed and annotator_id in r.readers]
    if not own:
        return ""
    who = f"{alone_name} is the only one who annotates here and has" if alone_name else "You have"
    needed = max(r.needed for r in own)
    remedy = f"somebody else must read them, or set readings to {needed - 1} (medloop configure DIR readings={needed - 1})"
    return f"{who} read {counted(len(own), 'case')} of which each needs {needed} readings by different people: {remedy}"


def _unsure(tx: Reader, found: list[CaseReading]) -> str:
    """Cases that got all their readings and are not sure enough; "" without any, and without routing."""
    most = project_settings(tx).sure_enough
    unsure = sum(r.state == "accepted" and r.quality is not None and r.quality < most - ROUNDING for r in found)
    if not unsure:
        return ""
    remedy = "raise readings, or let a reviewer decide (medloop adjudicate)"
    have = "has all the readings it" if unsure == 1 else "have all the readings they"
    return f"{counted(unsure, 'case')} {have} may get and stay below sure_enough ({most:g}): {remedy}"


def _unreviewed(tx: Reader, found: list[CaseReading]) -> list[str]:
    review = sum(r.state == "in review" for r in found)
    unfused = sum(r.consensus_due for r in found)
    returned = Counter(tx.get(Annotator, r.returned.returned_to).name for r in found if r.returned and r.returned.returned_to)
    lines = [f"{counted(review, 'case')} in review: approve, return or adjudicate them (medloop review DIR)"] if review else []
    lines += [f"{counted(unfused, 'case')} read, without a consensus so far: the worker makes it"] if unfused else []
    return lines + [f"{counted(n, 'case')} returned to {name}, who must annotate again" for name, n in sorted(returned.items())]
