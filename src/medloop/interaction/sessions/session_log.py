"""Sessions as JSON: what was said and what it changed, so that work goes on after a crash or on another day.

`restore_session` takes the recorded changes and asks no engine; `replay_session` asks the engines again and must come
to the same mask. Undo and redo survive both. A log belongs to one image, whose hash it holds.
"""

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from medloop.core.errors import FormatError, IntegrityError, UnavailableError
from medloop.core.image import Image
from medloop.interaction.engine import Engine
from medloop.interaction.guard import Guard
from medloop.interaction.sessions.entries import Entry, Paint, entry_to_json, gesture_from_json
from medloop.interaction.sessions.runs import apply_delta, check_runs, delta_of_runs, delta_within, plain_runs
from medloop.interaction.sessions.session import Session, State

FORMAT = 1

_Answer: TypeAlias = Callable[[Session, Any, State, Mapping[str, Any]], Entry]


def session_to_json(session: Session) -> dict[str, Any]:
    """A session's whole history as plain JSON."""
    known: dict[int, int] = {}
    entries: list[dict[str, Any]] = []
    states: list[list[int]] = []
    for state in session.history:
        for entry in state:
            if id(entry) not in known:
                known[id(entry)] = len(entries)
                entries.append(entry_to_json(entry))
        states.append([known[id(entry)] for entry in state])
    guard, background = session.around.guard, np.zeros_like(session.base)
    return {
        "format": FORMAT,
        "image": image_digest(session.image),
        "labels": list(session.around.labels),
        "locked": list(session.locked),
        "guard": {"reach_mm": guard.reach_mm if math.isfinite(guard.reach_mm) else None},
        "base": [list(r) for r in plain_runs(delta_within(background, (0, 0, 0), session.base))],
        "entries": entries,
        "states": _folded(states),
        "at": session.undoable,
    }


def restore_session(record: Mapping[str, Any], image: Image, engine: Engine) -> Session:
    """The session as it was saved, without asking any engine.

    Args:
        record: Of `session_to_json`.
        image: The same image.
        engine: Who answers from now on.

    Raises:
        FormatError: A record that is not one, or of another format.
        IntegrityError: Another image.
        InputError, LabelError: Gestures that do not fit the image or the labels.
    """
    return _rebuilt(record, image, engine, _recorded)


def replay_session(record: Mapping[str, Any], image: Image, engines: Sequence[Engine]) -> Session:
    """The session with every prompt answered again.

    Args:
        record: Of `session_to_json`.
        image: The same image.
        engines: Those that answered, in any order; the first answers from then on.

    Raises:
        UnavailableError: An engine that answered is not among them.
        FormatError, IntegrityError, InputError, LabelError: See `restore_session`.
    """
    by_name = {e.name: e for e in engines}

    def again(session: Session, mask: Any, before: State, saved: Mapping[str, Any]) -> Entry:
        said = gesture_from_json(saved["said"])
        if not isinstance(said, Paint):
            if saved["engine"] not in by_name:
                remedy = "restore the session instead of replaying it"
                raise UnavailableError(f"The engine {saved['engine']!r} answered, given are {sorted(by_name)}", remedy=remedy)
            session.use(by_name[saved["engine"]])
        return session.answer(mask, before, said, item=int(saved["item"]), locked=tuple(saved["locked"]))[0]

    session = _rebuilt(record, image, engines[0], again)
    session.use(engines[0])
    return session


def image_digest(image: Image) -> str:
    """Hash of an image's grid and voxels."""
    digest = hashlib.sha256(repr((image.grid.to_json(), image.array.shape, image.array.dtype.str)).encode())
    digest.update(np.ascontiguousarray(image.array).data)
    return digest.hexdigest()


def _recorded(session: Session, mask: Any, _: State, saved: Mapping[str, Any]) -> Entry:
    runs = [(int(s), int(n), int(v)) for s, n, v in saved["runs"]]
    if runs:
        check_runs(runs, mask.size, labels=session.around.labels)
    said = gesture_from_json(saved["said"])
    return Entry(int(saved["item"]), said, tuple(saved["locked"]), str(saved["engine"]), delta_of_runs(mask, runs))


def _rebuilt(record: Mapping[str, Any], image: Image, engine: Engine, answer: _Answer) -> Session:
    try:
        if record["format"] != FORMAT:
            raise FormatError(f"A session log has format {FORMAT}, got {record['format']!r}")
        if record["image"] != image_digest(image):
            raise IntegrityError("The session was held on another image", remedy="open it with the image it was held on")
        return _filled(_begun(record, image, engine), record, answer)
    except (KeyError, TypeError, IndexError) as error:
        raise FormatError(f"Not a session log: {type(error).__name__} {error}") from error


def _begun(record: Mapping[str, Any], image: Image, engine: Engine) -> Session:
    base = np.zeros(image.grid.shape, dtype=np.uint8, order="F")
    runs = [(int(s), int(n), int(v)) for s, n, v in record["base"]]
    if runs:
        check_runs(runs, base.size, labels=record["labels"])
    apply_delta(base, delta_of_runs(base, runs))
    reach = record["guard"]["reach_mm"]
    guard = Guard(math.inf if reach is None else float(reach))
    return Session(image, engine, labels=record["labels"], base=base, locked=record["locked"], guard=guard)


def _filled(session: Session, record: Mapping[str, Any], answer: _Answer) -> Session:
    mask = session.base.copy(order="F")
    history: list[State] = []
    made: dict[int, Entry] = {}
    for state in record["states"]:
        done = history[-1][: state["keep"]] if history else ()
        _move(mask, history[-1] if history else (), done)
        for number in state["then"]:
            if number not in made:
                made[number] = answer(session, mask, done, record["entries"][number])
            apply_delta(mask, made[number].delta)
            done = (*done, made[number])
        history.append(done)
    at = int(record["at"])
    if not 0 <= at < len(history) or history[0]:
        raise FormatError(f"A session log begins with nothing and stands at one of its {len(history)} states, got {at}")
    session.resume(history, at)
    return session


def _move(mask: Any, old: State, kept: State) -> None:
    for entry in reversed(old[len(kept) :]):
        apply_delta(mask, entry.delta, backwards=True)


def _folded(states: Sequence[Sequence[int]]) -> list[dict[str, Any]]:
    """Each state as how much of the one before it keeps, and what follows then."""
    folded: list[dict[str, Any]] = []
    before: Sequence[int] = ()
    for state in states:
        keep = 0
        while keep < min(len(before), len(state)) and before[keep] == state[keep]:
            keep += 1
        folded.append({"keep": keep, "then": list(state[keep:])})
        before = state
    return folded
