"""Into which groups a drift report puts cases, and which groups had drifted when they were compared last.

Comparing takes seconds. What was found is kept beside the project for whoever opens a case, and goes with the model that it is about.
"""

from collections.abc import Iterable, Sequence

from medloop.core.errors import InputError
from medloop.core.records import Case, Model, now
from medloop.loop.foundation.memo import memo
from medloop.loop.foundation.subgroups import subgroups_of
from medloop.loop.foundation.workspace import Workspace

ATTRIBUTES = ("scanner", "manufacturer", "site", "stratum")
"""Columns by which cases fall into groups, where they have one of them; the first that they have."""

ALL = "all"

_MEMO = "drift"


def group_of(case: Case, column: str) -> str:
    """The name of the group of a case by a column, such as "scanner B"; "all" without a column."""
    if column == ALL:
        return ALL
    value = subgroups_of(case).get(column, "")
    return f"{column} {value}" if value else f"no {column}"


def column_of(pool: Sequence[Case], by: str) -> str:
    """The column that makes groups of these cases; `by` where it is given.

    Raises:
        InputError: No case has a value there.
    """
    there = {name for case in pool for name in subgroups_of(case)}
    if by and by != ALL and by not in there:
        listed = ", ".join(sorted(there)) or "none"
        raise InputError(f"No case to compare has a value in the column {by!r}, they have {listed}", remedy=f"use one of these, or {ALL}")
    return by or next((name for name in ATTRIBUTES if name in there), ALL)


def remember_drifted(workspace: Workspace, model: Model, column: str, drifted: Iterable[str]) -> None:
    """Keep which groups of a column have drifted from the domain of a model."""
    with memo(workspace, _MEMO) as kept:
        before = kept.values.get("columns", {}) if kept.values.get("model") == model.id else {}
        kept.values = {"model": model.id, "columns": {**before, column: {"groups": sorted(drifted), "at": now()}}}
        kept.grown = True


def drifted_group(workspace: Workspace, model: Model, case: Case) -> str:
    """The group of a case that had drifted from the domain of a model when it was compared last, with the day; "" for none."""
    with memo(workspace, _MEMO) as kept:
        columns = kept.values.get("columns", {}) if kept.values.get("model") == model.id else {}
    found = ((group_of(case, column), one) for column, one in sorted(columns.items()))
    return next((f"{'the pool' if name == ALL else name} drifted ({one['at'][:10]})" for name, one in found if name in one["groups"]), "")
