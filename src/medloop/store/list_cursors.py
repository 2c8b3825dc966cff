"""Where a part of a list ends: a cursor holds the order and what its last line is sorted by, and the next part begins behind it."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from typing import Any, TypeAlias

from sqlalchemy import ColumnElement, and_, literal, or_, tuple_

from medloop.core.errors import InputError

Key: TypeAlias = tuple[ColumnElement[Any], bool]
"""What lines are sorted by, and whether from the largest on."""

MOST = 2**62
"""No number in a list is as large."""


def behind(keys: Sequence[Key], values: Sequence[Any]) -> ColumnElement[bool]:
    """Whether a line stands behind a place: at the first key in which it differs, on the far side."""
    if not any(descending for _, descending in keys):
        return tuple_(*(key for key, _ in keys)) > tuple_(*(literal(value) for value in values))  # found in an index
    ways = []
    for n, (key, descending) in enumerate(keys):
        same = [other == value for (other, _), value in zip(keys[:n], values[:n], strict=True)]
        ways.append(and_(*same, key < values[n] if descending else key > values[n]))
    return or_(*ways)


def cursor_of(order: str, values: Sequence[Any]) -> str:
    """The cursor of a place in a list of that order."""
    return urlsafe_b64encode(json.dumps([order, *values]).encode()).decode().rstrip("=")


def values_in(cursor: str, order: str, keys: Sequence[Key]) -> list[Any]:
    """The values in a cursor.

    Raises:
        InputError: It is none, or of a list in another order.
    """
    try:
        found = json.loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, list) or len(found) != len(keys) + 1 or found[0] != order or not all(map(_fits, keys, found[1:])):
        raise InputError("This cursor is of a list in another order", remedy="begin again without `after`")
    return list(found[1:])


def _fits(key: Key, value: object) -> bool:
    """Whether a database can compare a value with a key."""
    if key[0].type.python_type is str:
        return isinstance(value, str) and "\0" not in value
    return isinstance(value, int | float) and abs(value) < MOST
