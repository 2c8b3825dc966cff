"""Cases and annotations of a project as tables for pandas (extra `notebook`)."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from medloop.core.errors import UnavailableError
from medloop.core.names import natural_key
from medloop.core.records import Annotation, Case
from medloop.loop.foundation.annotated_labels import annotated_labels
from medloop.loop.foundation.annotators import annotator_names
from medloop.loop.foundation.workspace import Workspace
from medloop.store.states import SHOWN_STATES

if TYPE_CHECKING:
    from pandas import DataFrame

_EVERY = 2**31

CASES = {"case": "str", "patient": "str", "split": "str", "state": "str", "annotations": "int64", "open": "int64"}
CASES |= {"expected_quality": "float64", "entropy": "float64"}
"""Columns of the table of cases and what they hold; quality and entropy are those of the newest proposal."""

ANNOTATIONS = {"id": "str", "case": "str", "patient": "str", "annotator": "str", "kind": "str", "origin": "str", "class": "str"}
ANNOTATIONS |= {"labels": "object", "in_force": "bool", "seconds": "float64", "untouched": "float64", "created_at": "datetime64[us, UTC]"}
"""Columns of the table of annotations: seconds of active work (nan where none were recorded), share of the proposal left untouched."""


def cases_frame(workspace: Workspace) -> "DataFrame":
    """A row per case, by name, with the columns of `CASES`.

    Raises:
        UnavailableError: pandas is not installed.
    """
    with workspace.store.read() as tx:
        found = tx.worklist(limit=_EVERY)
    rows = ((c.name, c.patient, c.split, SHOWN_STATES[c.state], c.annotations, c.open_assignments, c.quality, c.uncertainty) for c in found)
    return _frame(CASES, rows)


def annotations_frame(workspace: Workspace) -> "DataFrame":
    """A row per annotation ever submitted or imported, by case and time, with the columns of `ANNOTATIONS`.

    Raises:
        UnavailableError: pandas is not installed.
    """
    with workspace.store.read() as tx:
        cases, names = {case.id: case for case in tx.find(Case)}, annotator_names(tx)
        in_force = {one.id for one in tx.current_annotations()}
        in_force |= {one.id for one in (*tx.partial_annotations(), *tx.marked_annotations())}
        scope, found = annotated_labels(tx, workspace.task), tx.find(Annotation)
    words = {label.value: label.name for label in workspace.task.labels}
    found.sort(key=lambda one: (natural_key(cases[one.case_id].name), one.created_at))
    rows = (
        (
            *(one.id, cases[one.case_id].name, cases[one.case_id].patient, names[one.annotator_id], one.kind, one.origin),
            *(None if one.tag is None else words.get(one.tag), tuple(label.name for label in scope.of(one) if one.kind != "rejected")),
            *(one.id in in_force, one.effort_seconds or None, one.untouched, one.created_at),
        )
        for one in found
    )
    return _frame(ANNOTATIONS, rows)


def _frame(columns: dict[str, str], rows: Iterable[tuple[object, ...]]) -> "DataFrame":
    try:
        import pandas
    except ImportError as error:
        raise UnavailableError("Tables need pandas, which is not installed", remedy="pip install 'medloop[notebook]'") from error
    made = pandas.DataFrame(list(rows), columns=list(columns))
    times = [name for name, kind in columns.items() if kind.startswith("datetime")]
    for name in times:
        made[name] = pandas.to_datetime(made[name], utc=True, format="ISO8601")
    return made.astype(columns)
