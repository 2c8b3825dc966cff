"""Conditions that name many values."""

import json
from collections.abc import Collection
from enum import Enum
from typing import Any

from sqlalchemy import ColumnElement, cast, func, select
from sqlalchemy.dialects.postgresql import JSONB

LONG_LIST = 500
"""Longer collections of ids travel as one JSON parameter: databases limit the number of parameters."""


def scalar(value: Any) -> Any:
    """A value as a column holds it."""
    return value.value if isinstance(value, Enum) else value


def one_of(column: ColumnElement[Any], wanted: Collection[Any], is_sqlite: bool) -> ColumnElement[bool]:
    """Whether a column holds one of these values, however many there are."""
    values = [scalar(value) for value in wanted]
    if len(values) <= LONG_LIST:
        return column.in_(values)
    listed = json.dumps(values)
    if is_sqlite:
        return column.in_(select(func.json_each(listed).table_valued("value").c.value))
    return column.in_(select(func.jsonb_array_elements_text(cast(json.loads(listed), JSONB)).table_valued("value").c.value))
