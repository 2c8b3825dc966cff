"""People and programs that answer, found or made by name."""

from itertools import count
from unicodedata import normalize

from medloop.core.errors import NotFoundError, SettingError
from medloop.core.names import checked_name, is_reserved, nearest
from medloop.core.records import Annotator, AnnotatorKind, Expertise, new_id, now
from medloop.loop.foundation.spent import REPRICE
from medloop.loop.foundation.workspace import Workspace
from medloop.store.reader import Reader

MAX_RATE = 1e6
MAX_HOURS = 168
MAX_CASES = 100_000


def annotator_named(workspace: Workspace, name: str, *, kind: AnnotatorKind = "person", program: bool = False) -> Annotator:
    """The annotator of that name, made at first use as of that kind; parts of medloop (`program`) may use a reserved name.

    Names that differ in letter case or Unicode form only are one person, called as they were first; where an older version
    kept both, each stays who they are. A program is no person who had its name before it was reserved: it gets a number then.

    Raises:
        InputError: An empty, over-long or reserved name, or one with control characters.
    """
    cleaned = checked_name(name, program=program)
    with workspace.store.read() as tx:
        _, found = _known_or_free(tx, cleaned, kind if program else None)
    if found is not None:
        return found
    identity = new_id("annotator")
    with workspace.store.write(identity) as tx:
        free, again = _known_or_free(tx, cleaned, kind if program else None)
        if again is not None:
            return again
        annotator = Annotator(id=identity, name=free, kind=kind, created_at=now())
        tx.add(annotator, verb="join")
    return annotator


def _known_or_free(tx: Reader, name: str, kind: AnnotatorKind | None) -> tuple[str, Annotator | None]:
    """The annotator of a name and kind (None: any), or None and the name that is free for one: with a number where it is taken."""
    names = (name if number == 1 else f"{name} {number}" for number in count(1))
    found = ((tried, known_annotator(tx, tried)) for tried in names)
    return next((tried, one) for tried, one in found if one is None or kind in (None, one.kind))


def annotator_names(tx: Reader) -> dict[str, str]:
    """The name of everybody who annotates, by id."""
    return {annotator.id: annotator.name for annotator in tx.find(Annotator)}


def annotating_people(tx: Reader) -> list[Annotator]:
    """Everybody who annotates and is no model and no part of medloop, in the order they joined."""
    return [one for one in tx.find(Annotator) if one.kind != "model" and not is_reserved(one.name)]


def set_cost(workspace: Workspace, name: str, cost_per_minute: float, *, actor: str, past: bool = False) -> Annotator:
    """Set what a minute of an annotator costs from now on, in any unit that the project keeps to.

    Minutes from before any rate was set take the first one; `past` makes all earlier minutes count by this one, knowingly.

    Raises:
        SettingError: A rate that is not above 0, or above `MAX_RATE`.
        NotFoundError: Nobody of that name has opened a case.
    """
    if not 0 < cost_per_minute <= MAX_RATE:
        raise SettingError(f"A cost per minute must lie above 0 and at most at {MAX_RATE:.0f}, got {cost_per_minute}")
    verb = REPRICE if past else "price"
    with workspace.store.write(actor) as tx:
        found = annotator_known(tx, name)
        changed = tx.change(Annotator, found.id, verb=verb, fields={"cost_per_minute": float(cost_per_minute)})
        if past and found.cost_per_minute == cost_per_minute:  # the rate stays, and what it counts for changes
            tx.record(verb, "annotator", found.id, {"changed": {"cost_per_minute": {"from": cost_per_minute, "to": cost_per_minute}}})
        return changed


def describe_annotator(
    workspace: Workspace,
    name: str,
    *,
    actor: str,
    expertise: Expertise | None = None,
    hours_per_week: float | None = None,
    cases_per_week: int | None = None,
) -> Annotator:
    """Say how experienced an annotator is and how much routing may give them; one who has not opened a case yet joins by it.

    Args:
        workspace: The project.
        name: The annotator's.
        actor: Who says so, for the audit.
        expertise: None leaves it as it is.
        hours_per_week: The most within seven days, 0 for no limit; None leaves it as it is.
        cases_per_week: The same in cases.

    Raises:
        InputError: A name that cannot be.
        SettingError: A limit outside its range.
    """
    for limit, most in ((hours_per_week, MAX_HOURS), (cases_per_week, MAX_CASES)):
        if limit is not None and not 0 <= limit <= most:
            raise SettingError(f"A limit per week must lie between 0 (none) and {most}, got {limit}")
    given = {"expertise": expertise, "hours_per_week": hours_per_week, "cases_per_week": cases_per_week}
    fields = {key: value or None for key, value in given.items() if value is not None}
    found = annotator_named(workspace, name)
    with workspace.store.write(actor) as tx:
        return tx.change(Annotator, found.id, verb="describe", fields=fields)


def annotator_known(tx: Reader, name: str) -> Annotator:
    """Somebody who annotates, by name; nobody joins by it.

    Raises:
        NotFoundError: Nobody of that name has opened a case.
    """
    found = known_annotator(tx, name)
    if found is None:
        remedy = f"{nearest(name, sorted(annotator_names(tx).values()))}people are known once they opened a case; medloop annotators DIR"
        raise NotFoundError(f"There is no annotator {name!r}", remedy=remedy)
    return found


def known_annotator(tx: Reader, name: str) -> Annotator | None:
    """The annotator of a checked name, else of one that reads the same."""
    exact = tx.find(Annotator, where={"name": name}, limit=1)
    alike = exact or [one for one in tx.find(Annotator) if normalize("NFC", one.name) == name]
    return next(iter(alike or [one for one in tx.find(Annotator) if _read(one.name) == _read(name)]), None)


def _read(name: str) -> str:
    return normalize("NFC", normalize("NFC", name).casefold())
