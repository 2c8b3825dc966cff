"""Which frames or slices of a case are to be annotated, as a project declares it: names and places, read from one line of text.

end-diastole@first, end-systole@40%     names, with the place where each is looked for first; a person may move them
upper, lower                            names alone, spread evenly
first, middle, last                     these places, so named
evenly:5                                the middles of five equal parts
every:10                                every tenth, from the first
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from medloop.core.errors import SettingError

MAX_NAMED = 64
MAX_NAME = 40
_PLACES = ("first", "middle", "last")
_REMEDY = "for example end-diastole@first, end-systole@40%, or first, middle, last, or evenly:5, or every:10"


@dataclass(frozen=True)
class NamedPlace:
    """A name, and which of the slices it is, from 0."""

    name: str
    index: int


@dataclass(frozen=True)
class _Item:
    """One item: the names and places that it means among so many slices; without a place it waits for its share of them."""

    text: str
    places: Callable[[int], list[NamedPlace]] | None = None


def check_template(text: str) -> None:
    """Refuse what is no template; "" is none and fine.

    Raises:
        SettingError: Naming the item that is off.
    """
    named_places(text, 1)


def named_places(text: str, count: int) -> tuple[NamedPlace, ...]:
    """The names of a template and their places among the slices of a case, in the order of the template.

    Args:
        text: The template; "" has no names.
        count: Slices, at least 1; a number behind the last slice means the last one.

    Raises:
        SettingError: Text that is no template.
    """
    items = [_item(part.strip()) for part in text.split(",")] if text.strip() else []
    free = sum(item.places is None for item in items)
    found: list[NamedPlace] = []
    spread = iter(_evenly(free, count))
    for item in items:
        found += [NamedPlace(item.text, next(spread))] if item.places is None else item.places(count)
    names = [place.name for place in found]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise SettingError(f"A template has each name once, got {twice[0]!r} twice", remedy="rename one of the two")
    return tuple(found)


def _item(text: str) -> _Item:
    rule = re.fullmatch(r"(evenly|every):(\d{1,5})", text)
    if rule is not None:
        number, most = int(rule[2]), MAX_NAMED if rule[1] == "evenly" else 99_999
        if not 1 <= number <= most:
            raise SettingError(f"{rule[1]} in a template needs a number from 1 to {most}, got {number}", remedy=_REMEDY)
        return _Item(text, lambda count: _numbered(sorted(set(_evenly(number, count))) if rule[1] == "evenly" else range(0, count, number)))
    name, at, place = (part.strip() for part in text.partition("@"))
    if not name or len(name) > MAX_NAME or not name.isprintable() or ":" in name:
        raise SettingError(f"A name in a template has 1 to {MAX_NAME} printable characters without a colon, got {name!r}", remedy=_REMEDY)
    if not at:
        return _Item(name, (lambda count: [NamedPlace(name, _place(name, count))]) if name in _PLACES else None)
    _place(place, 1)
    return _Item(name, lambda count: [NamedPlace(name, _place(place, count))])


def _place(text: str, count: int) -> int:
    """Which slice "first", "middle", "last", "40%" or "12" (from 1) is.

    Raises:
        SettingError: None of these.
    """
    if text in _PLACES:
        return {"first": 0, "middle": (count - 1) // 2, "last": count - 1}[text]
    share = re.fullmatch(r"(\d{1,3}(?:\.\d+)?)\s*%", text)
    if share is not None and float(share[1]) <= 100:
        return round((count - 1) * float(share[1]) / 100)
    if re.fullmatch(r"[1-9]\d{0,4}", text):
        return min(int(text), count) - 1
    raise SettingError(f"A place in a template is first, middle, last, a number from 1 or up to 100 %, got {text!r}", remedy=_REMEDY)


def _evenly(number: int, count: int) -> list[int]:
    """The middles of so many equal parts."""
    return [(2 * n + 1) * count // (2 * number) for n in range(number)]


def _numbered(indices: Sequence[int]) -> list[NamedPlace]:
    return [NamedPlace(f"{n} of {len(indices)}", index) for n, index in enumerate(indices, start=1)]
