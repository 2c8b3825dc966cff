"""What the cases of a project that were begun wait for, in words: somebody else to read them, a consensus, a reviewer, a correction."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass

from medloop.core.names import counted, first_named, in_natural_order
from medloop.core.records import Annotator, ProjectSettings
from medloop.loop.foundation.disposed import accepted_cases, streamed, waiting_arrivals
from medloop.loop.foundation.readings import ROUNDING, CaseReading, begun_readings, needs_several, project_settings
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
    if not _matters(tx):
        return None
    begun, waiting = begun_readings(tx)
    found = list(waiting.values())
    states = Counter(r.state for r in found) + Counter({"accepted": len(begun) - len(found)})
    everybody = {who for who in tx.people_at_work() if tx.get(Annotator, who).kind != "model"}
    lines = [_lacking(tx, found, everybody), *_unreviewed(tx, found), _unsure(tx, found)]
    return ReadingSummary(project_settings(tx).readings, dict(states), tuple(filter(None, lines)))


def nothing_left_words(tx: Reader, annotator_id: str) -> str:
    """Why there is no case for an annotator."""
    waiting = list(begun_readings(tx)[1].values()) if _matters(tx) else []
    lines = [_lacking(tx, waiting, {annotator_id}, you=True), *_unreviewed(tx, waiting), _unsure(tx, waiting), _streamed(tx)]
    return "; ".join(filter(None, lines)) or "Every case is annotated, skipped, or open with or assigned to somebody else"


def _streamed(tx: Reader) -> str:
    """Cases that no query takes as a stream decides about them; "" without any."""
    if not streamed(tx):
        return ""
    on = project_settings(tx).stream_risk > 0 and tx.live_model() is not None
    free, undecided = len(tx.unread_among(accepted_cases(tx))), len(waiting_arrivals(tx)) if on else 0
    lines = [f"{counted(free, 'case')} accepted by the stream (medloop dispositions DIR)"] if free else []
    lines += [f"{counted(undecided, 'case')} to be decided by the stream once a worker has predicted them"] if undecided else []
    return "; ".join(lines)


def unaccepted_lines(tx: Reader) -> list[str]:
    """The cases that have an annotation and wait for something, a line per state, for whoever takes them elsewhere as they stand."""
    found = {i: r for i, r in begun_readings(tx)[1].items() if r.state != "accepted"} if _matters(tx) else {}
    names = {case_id: name for case_id, (name, _) in tx.patients_of(found).items()}
    by_words: dict[str, list[str]] = {}
    for case_id, reading in found.items():
        by_words.setdefault(reading.words, []).append(names[case_id])
    return [f"not accepted so far, {words}: {first_named(in_natural_order(each))}" for words, each in sorted(by_words.items())]


def _matters(tx: Reader) -> bool:
    """Whether cases need more than one reading, or a review."""
    return needs_several(tx) or project_settings(tx).review != "none"


def _lacking(tx: Reader, found: list[CaseReading], people: Collection[str], *, you: bool = False) -> str:
    """Cases that lack a reading which none of these people can give, having read or skipped them; "" without any."""
    lacking = [r for r in found if r.state == "read" and len(r.readers) < r.needed]
    own = [r for r in lacking if people and {*people} <= {*r.readers, *r.declined}]
    if not own:
        return ""
    names = sorted(tx.get(Annotator, who).name for who in people)
    everybody = (
        f"{names[0]} is the only one who annotates here and has" if len(names) == 1 else f"{', '.join(names)} annotate here and have"
    )
    done = "read" if all({*people} <= {*r.readers} for r in own) else "read or skipped"
    needed = max(r.needed for r in own)
    remedy = f"somebody else must read them, or {_lower(project_settings(tx), min(len(r.readers) for r in own))}"
    who = "You have" if you else everybody
    return f"{who} {done} {counted(len(own), 'case')} of which each needs {needed} readings by different people: {remedy}"


def _lower(settings: ProjectSettings, readings: int) -> str:
    """The settings by which so many readings are enough, in words."""
    wanted = ({"readings": readings} if readings != settings.readings else {}) | ({"read_twice": 0} if settings.read_twice else {})
    words = " and ".join(f"{name} to {value}" for name, value in wanted.items())
    return f"set {words} (medloop configure DIR {' '.join(f'{name}={value}' for name, value in wanted.items())})"


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
    returned = Counter((tx.get(Annotator, str(r.returned.returned_to)).name, r.return_declined) for r in found if r.returned)
    lines = [f"{counted(review, 'case')} in review: approve, return or adjudicate them (medloop review DIR)"] if review else []
    lines += [f"{counted(unfused, 'case')} read, without a consensus so far: the worker makes it"] if unfused else []
    todo = {False: "who must annotate again", True: "who skipped it: return it to somebody else (medloop return DIR CASE --to NAME)"}
    return lines + [f"{counted(n, 'case')} returned to {name}, {todo[declined]}" for (name, declined), n in sorted(returned.items())]
