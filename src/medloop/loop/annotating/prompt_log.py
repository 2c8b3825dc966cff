"""The log of an assignment's prompts: every gesture stays, with the revision that took it back.

A gesture that is changed, or taken back and brought back, continues as a new record that `replaces` the one before: all
records of one gesture form its line, of which at most one is in force.
"""

import dataclasses
from collections.abc import Sequence

from medloop.core.errors import NotFoundError
from medloop.core.records import PromptRecord, new_id, now
from medloop.interaction.prompts import Prompt, prompt_from_json
from medloop.store.reader import Reader
from medloop.store.writer import Writer


def prompt_log(tx: Reader, assignment_id: str) -> list[PromptRecord]:
    """Every prompt an assignment ever had, in the order they were given."""
    return tx.find(PromptRecord, where={"assignment_id": assignment_id})


def in_force(log: Sequence[PromptRecord]) -> list[PromptRecord]:
    """The prompts that hold now, each at the place of the gesture it continues."""
    place = line_starts(log)
    return sorted((record for record in log if record.withdrawn is None), key=lambda record: place[record.id])


def gesture_of(record: PromptRecord) -> Prompt:
    """The gesture itself."""
    return prompt_from_json(record.prompt)


def take_back(tx: Writer, assignment_id: str, named: Sequence[str], revision: int) -> None:
    """Withdraw gestures with the patch of that revision; one that is not in force stays as it is.

    Raises:
        NotFoundError: An id that is no prompt of this assignment.
    """
    for prompt_id in named:
        log = prompt_log(tx, assignment_id)
        current = _current(log, prompt_id)
        if current is not None:
            tx.change(PromptRecord, current.id, verb="withdraw", fields={"withdrawn": revision})


def bring_back(tx: Writer, assignment_id: str, named: Sequence[str], revision: int) -> None:
    """Put withdrawn gestures in force again, as the named records say; one that is in force stays as it is.

    Raises:
        NotFoundError: An id that is no prompt of this assignment.
    """
    for prompt_id in named:
        log = prompt_log(tx, assignment_id)
        if _current(log, prompt_id) is not None:
            continue
        place = line_starts(log)
        last = [record for record in log if place[record.id] == place[prompt_id]][-1]
        named_record = next(record for record in log if record.id == prompt_id)
        again = dataclasses.replace(
            named_record, id=new_id("prompt"), revision=revision, replaces=last.id, withdrawn=None, created_at=now()
        )
        tx.add(again, verb="restore")


def named_in_force(log: Sequence[PromptRecord], prompt_id: str) -> PromptRecord:
    """The record in force of the gesture that an id belongs to.

    Raises:
        NotFoundError: No prompt of this assignment, or one that was taken back.
    """
    current = _current(log, prompt_id)
    if current is None:
        raise NotFoundError(f"The prompt {prompt_id!r} was taken back already", remedy="read the prompts again")
    return current


def _current(log: Sequence[PromptRecord], prompt_id: str) -> PromptRecord | None:
    place = line_starts(log)
    if prompt_id not in place:
        raise NotFoundError(f"This assignment has no prompt {prompt_id!r}", remedy="read the prompts again")
    return next((r for r in log if place[r.id] == place[prompt_id] and r.withdrawn is None), None)


def line_starts(log: Sequence[PromptRecord]) -> dict[str, int]:
    """For each record id, the number in the log of the first record of its line."""
    place: dict[str, int] = {}
    for number, record in enumerate(log):
        place[record.id] = number if record.replaces is None else place[record.replaces]
    return place
