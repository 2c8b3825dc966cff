"""Query annotated cases for a label that they lack: the pool is the cases annotated in part, and only that label is to be drawn.

A choice of such a query names the label. Its round is done with the case once what stands annotates the label, and it may go to
anybody, also to those who annotated the rest. Who skips it leaves the annotation as it is, and is not given the case for that label again.
"""

from dataclasses import dataclass, replace

import numpy as np

from medloop.core.arrays import BoolArray
from medloop.core.records import Assignment, Choice, Label, Split
from medloop.loop.foundation.annotated_labels import labels_named, lacking_cases
from medloop.loop.foundation.damage import damaged_cases
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.querying.chosen import choice_of
from medloop.loop.querying.pool_table import PoolTable
from medloop.store.reader import Reader


@dataclass(frozen=True)
class LabelPool:
    """The label that is queried, and by split which cases of the table lack it, each of shape (cases,)."""

    label: Label
    free: dict[Split, BoolArray]

    def choices(self, found: list[Choice]) -> list[Choice]:
        """The same choices, for this label only."""
        return [replace(one, label=self.label.value, reason=f"lacks {self.label.name}; {one.reason}") for one in found]


def wanted_label(workspace: Workspace) -> Label | None:
    """The label that cases are queried for; None queries whole cases.

    Raises:
        LabelError: The project does not have it.
    """
    if not workspace.settings.query_label:
        return None
    (value,) = labels_named(workspace.task, [workspace.settings.query_label])
    return next(label for label in workspace.task.labels if label.value == value)


def label_pool(workspace: Workspace, tx: Reader, table: PoolTable, taken: set[str]) -> LabelPool | None:
    """The cases that may be queried for the wanted label; None where none is wanted or no annotated case lacks it.

    Args:
        workspace: The project.
        tx: A reading transaction.
        table: Every case.
        taken: Cases of rounds that are being annotated.
    """
    label = wanted_label(workspace)
    if label is None:
        return None
    lacking = cases_lacking(workspace, tx, label) - taken - {case.case_id for case in damaged_cases(workspace)}
    free: dict[Split, BoolArray] = {"train": _rows(table, lacking, "r"), "audit": _rows(table, lacking, "a")}
    return LabelPool(label, free) if any(rows.any() for rows in free.values()) else None


def cases_lacking(workspace: Workspace, tx: Reader, label: Label) -> set[str]:
    """Ids of annotated cases that lack a label, that nobody has open, and that nobody skipped when they were queried for it."""
    lacking = {case_id for case_id, labels in lacking_cases(tx, workspace.task).items() if label in labels}
    given = tx.find(Assignment, where={"case_id": sorted(lacking), "state": ["open", "skipped"]}) if lacking else []
    return lacking - {one.case_id for one in given if one.state == "open" or queried_label(tx, one.round_id, one.case_id) == label.value}


def left_for_label(workspace: Workspace, tx: Reader) -> int:
    """How many annotated cases are left to query for the wanted label; 0 where none is wanted."""
    label = wanted_label(workspace)
    return len(cases_lacking(workspace, tx, label)) if label else 0


def queried_label(tx: Reader, round_id: str | None, case_id: str) -> int | None:
    """Value of the only label that a round queries of a case; None where it is every label."""
    chosen = choice_of(tx, round_id, case_id)
    return chosen.label if chosen else None


def _rows(table: PoolTable, ids: set[str], code: str) -> BoolArray:
    codes = np.frombuffer(table.splits.encode("ascii"), dtype=np.uint8)
    chosen = np.zeros(len(table.ids), dtype=np.bool_)
    chosen[table.places_of(ids)] = True
    found: BoolArray = chosen & (codes == ord(code))
    return found
