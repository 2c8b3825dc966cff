"""Which rows name which blobs: what a backup must hold, an audit reads, and a damage is explained by."""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import JSON, Connection, select

from medloop.core.records import Annotation, Case, Consensus, Descriptor, Model, Prediction, ReferenceSeries, Task
from medloop.store.listed import one_of
from medloop.store.raw import RawRow, raw_rows
from medloop.store.rows import kind_of
from medloop.store.tables import cases, events

BLOB_FIELDS: Mapping[type[Any], tuple[str, ...]] = {
    Case: ("voxels",),
    ReferenceSeries: ("voxels",),
    Annotation: ("blob",),
    Consensus: ("uncertainty", "voxel_probabilities"),
    Model: ("weights",),
    Prediction: ("mask", "uncertainty", "features"),
    Descriptor: ("vector", "maker"),
    Task: ("pictures",),
}
"""Fields that hold the name of a blob, or a list of names; whoever adds one adds it here."""

EVENT_FIELDS: Mapping[str, tuple[str, ...]] = {
    "explanation": ("regions",),
    "pretraining": ("weights",),
    "importance": ("importances",),
    "client-label": ("blob",),
    "drawn-objects": ("blob",),
}
"""The same for bodies of events, by the noun they are about."""

OF_CASES = ("explanation", "client-label", "drawn-objects")
"""Nouns of events whose id is that of the case they belong to."""

ADVICE: Mapping[str, str] = {
    "case": "restore it from a backup, or import the same file again with --rehash; until then it cannot be shown or learned from",
    "reference": "restore it from a backup, or take it away and add it again: medloop reference; the case itself is whole",
    "annotation": "restore it from a backup, or annotate the case again: training and export leave this annotation out",
    "consensus": "restore it from a backup; it shows where people disagreed, and trainings with soft targets learn the case as fused",
    "model": "restore it from a backup, or train again: medloop train",
    "prediction": "restore it from a backup, or predict again: medloop predict",
    "descriptor": "restore it from a backup; it only serves to choose cases",
    "task": "restore it from a backup, or add the picture to the instructions again",
    "pretraining": "restore it from a backup, or pretrain again: medloop pretrain; trainings begin from scratch meanwhile",
    "importance": "restore it from a backup; the next training that holds weights works it out again, from the images there still are",
    "client-label": "restore it from a backup, or save the label again in the program that sent it; it is no annotation",
    "drawn-objects": "restore it from a backup; without it every separate part of a label is one object",
    "explanation": "restore it from a backup, or object to the explanation again",
}
"""What to do about a bad blob, by what it belongs to."""

_NAME = re.compile(r"[0-9a-f]{64}")
_MAKER = re.compile(r"|[0-9a-f]{64}|model-[0-9a-f]+|[0-9]{1,4}")
"""What may have made a descriptor: weights, which are a blob, a model, or a rule of that number."""


@dataclass(frozen=True)
class Reference:
    """One row, or body of an event, that needs one blob in one field, and the case it belongs to; "" for a model."""

    blob: str
    noun: str
    noun_id: str
    field: str
    case_id: str = ""


def references(connection: Connection) -> Iterator[Reference]:
    """Every use of a blob. Rows too damaged to be read are passed over: the audit names them."""
    for record, names in BLOB_FIELDS.items():
        kind = kind_of(record)
        for row in raw_rows(connection, kind.table):
            if not row.wrong:
                case_id = row.values["id"] if record is Case else row.values.get("case_id", "")
                for name in names:
                    for blob in _named(row.values[name]):
                        yield Reference(blob, kind.noun, row.values["id"], name, case_id)
    yield from _of_events(connection)


def referenced(connection: Connection, blobs: Collection[str]) -> set[str]:
    """Which of some blobs are used: as `references`, without reading every row of a large project."""
    found, wanted = set[str](), set(blobs)
    for record, names in BLOB_FIELDS.items():
        table = kind_of(record).table
        for column in (table.c[name] for name in names):
            if isinstance(column.type, JSON):  # lists of names: of models and tasks, which are few
                found |= wanted.intersection(blob for value in connection.execute(select(column)).scalars() for blob in _named(value))
            else:
                found |= set(
                    connection.execute(select(column).where(one_of(column, wanted, connection.dialect.name == "sqlite"))).scalars()
                )
    return found | wanted.intersection(reference.blob for reference in _of_events(connection))


def unreadable_rows(connection: Connection) -> int:
    """How many rows cannot be read, or hold something else than names of blobs, so that nobody knows which they need."""
    lost = sum(bool(row.wrong) for row in raw_rows(connection, events))
    for record, names in BLOB_FIELDS.items():
        for row in raw_rows(connection, kind_of(record).table):
            lost += bool(row.wrong) or not all(_is_maker(row) if name == "maker" else _is_named(row.values[name]) for name in names)
    return lost


def _is_maker(row: RawRow) -> bool:
    return _MAKER.fullmatch(str(row.values["maker"])) is not None


def _is_named(value: object) -> bool:
    if isinstance(value, list | tuple):
        return all(_is_named(item) for item in value)
    return value in (None, "") or (isinstance(value, str) and _NAME.fullmatch(value) is not None)


def case_names(connection: Connection) -> dict[str, str]:
    """Names of all cases by id."""
    return {row.id: row.name for row in connection.execute(select(cases.c.id, cases.c.name))}


def _of_events(connection: Connection) -> Iterator[Reference]:
    for row in raw_rows(connection, events, where=events.c.noun.in_(list(EVENT_FIELDS))):
        if row.wrong or not isinstance(row.values["body"], dict):
            continue
        noun, about = row.values["noun"], row.values["noun_id"]
        for name in EVENT_FIELDS[noun]:
            for blob in _named(row.values["body"].get(name)):
                yield Reference(blob, noun, about, name, about if noun in OF_CASES else "")


def _named(value: object) -> Iterator[str]:
    if isinstance(value, str) and _NAME.fullmatch(value):
        yield value
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _named(item)
