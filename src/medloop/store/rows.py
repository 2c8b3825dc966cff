"""Records to rows and back: plain fields as they are, nested ones by the codec of their type.

`kind_of` answers for each record type: its noun in the audit, its table, and which fields may change.
Codecs give plain JSON values, so a row doubles as the record's JSON for digests.
What is stored keeps its names whatever the program calls it today (columns, verbs of events, keys such as `answered`, `ask` or `guided`):
older projects open unchanged and their digests hold. Settings alone are read under older names too (`core.declaring.OLDER_NAMES`).
"""

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass, fields, is_dataclass
from typing import Any, Generic, TypeVar, get_args, get_origin, get_type_hints

import numpy as np
from sqlalchemy import RowMapping, Table

from medloop.core import accounts, records
from medloop.core.errors import InputError, IntegrityError
from medloop.core.geometry import Grid
from medloop.core.records import Json
from medloop.core.states import JobState, RoundState
from medloop.store import tables
from medloop.store.database import NAMED_BY_AUDIT

R = TypeVar("R")
Row = dict[str, Any]


@dataclass(frozen=True)
class Codec:
    """How one field becomes a plain value and comes back."""

    encode: Callable[[Any], Any]
    decode: Callable[[Any], Any]


@dataclass(frozen=True)
class Kind(Generic[R]):
    """One record type in the store: noun, table, codecs by field (others are stored as they are), what `Writer.change` may set.

    The values of sealed fields stand in no event; the SHA-256 of the row covers them as the others.
    """

    record: type[R]
    noun: str
    table: Table
    codecs: Mapping[str, Codec]
    changeable: frozenset[str] = frozenset()
    sealed: frozenset[str] = frozenset()


def kind_of(record: type[R]) -> Kind[R]:
    """The store's description of a record type.

    Raises:
        InputError: A type that has no table.
    """
    found = _KINDS.get(record)
    if found is None:
        raise InputError(f"The store keeps no {getattr(record, '__name__', record)!r}", remedy="use a record of medloop.core.records")
    return found


def kinds() -> tuple[Kind[Any], ...]:
    """Every record type, in the order of their tables."""
    return tuple(_KINDS.values())


def to_row(record: object) -> Row:
    """A record as plain JSON values by column name.

    Raises:
        InputError: A number that is not finite, or a nested value that JSON cannot hold.
    """
    codecs = kind_of(type(record)).codecs
    row = {f.name: _encode(codecs, f.name, getattr(record, f.name)) for f in fields(record)}  # type: ignore[arg-type]  # a record is a dataclass
    for name, value in row.items():
        _require_plain(value, f"{type(record).__name__}.{name}")
    return row


def encode_fields(kind: Kind[Any], values: Mapping[str, Any]) -> Row:
    """Some fields of a record as plain JSON values.

    Raises:
        InputError: As `to_row`.
    """
    row = {name: _encode(kind.codecs, name, value) for name, value in values.items()}
    for name, value in row.items():
        _require_plain(value, f"{kind.record.__name__}.{name}")
    return row


def from_row(kind: Kind[R], row: Mapping[str, Any] | RowMapping) -> R:
    """The record of a row.

    Raises:
        IntegrityError: A column holds something else than was stored, so that there is no record.
    """
    names = [f.name for f in fields(kind.record)]  # type: ignore[arg-type]  # a record is a dataclass
    try:
        return kind.record(**{n: kind.codecs[n].decode(row[n]) if n in kind.codecs else row[n] for n in names})
    except (TypeError, ValueError, AttributeError, LookupError) as error:
        named = f"the {kind.noun} {row.get('id', '')!s:.80}".strip()
        raise IntegrityError(f"{named} is damaged: its row does not hold what was stored ({error})", remedy=NAMED_BY_AUDIT) from error


def _encode(codecs: Mapping[str, Codec], name: str, value: Any) -> Any:
    encoded = codecs[name].encode(value) if name in codecs else value
    return encoded.item() if isinstance(encoded, np.generic) else encoded


def _require_plain(value: Any, where: str) -> None:
    """Refuse what would not come back from the database as it went in."""
    if isinstance(value, float) and not math.isfinite(value):
        raise InputError(f"{where} must be finite, got {value}", remedy="leave the entry out or use None")
    if isinstance(value, str):
        _require_text(value, where)
    elif isinstance(value, list) and all(type(item) is int for item in value):
        return  # the runs of an edit: many, and short work
    elif isinstance(value, list):
        for item in value:
            _require_plain(item, where)
    elif isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise InputError(f"{where} needs text as keys, got {key!r}")
            _require_plain(item, f"{where}[{key!r}]")
    elif not isinstance(value, int | float | None):
        raise InputError(f"{where} cannot be stored: {type(value).__name__} is not JSON", remedy="store numbers, text, lists and mappings")


def _require_text(value: str, where: str) -> None:
    if "\x00" in value or (not value.isascii() and any("\ud800" <= letter <= "\udfff" for letter in value)):
        raise InputError(f"{where} is not valid text: {value[:60]!a}", remedy="remove zero bytes and undecodable characters")


def plain(value: Any) -> Any:
    """Tuples to lists, mappings to dicts, numpy scalars to numbers, at any depth."""
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value.item() if isinstance(value, np.generic) else value


def _grid(*, shape: list[int], affine: list[list[float]]) -> Grid:
    return Grid((shape[0], shape[1], shape[2]), np.array(affine, dtype=np.float64))


_LATER_SETTINGS = (
    frozenset({"query_unit", "query_parts", "stream", "stream_budget", "unlabelled", "cold_start", "aggregation", "uncertainty_source"})
    | {
        "budget_labels",
        "budget_minutes",
        "budget_money",
        "target_score",
        "bias_correction",
        "correction_weight",
        "explanation_penalty",
        "annotator_model",
    }
    | {"interactive_network", "calibration", "prompt_encoding", "adaptation", "any_label"}
    | {"readings", "read_twice", "blind", "minimum_agreement", "review", "consensus", "targets"}
    | {"routing", "sure_enough", "case_worth", "gold_rate", "tutorial", "tutorial_score", "robust", "learner"}
    | {"learn_group", "replay_cases", "replay_choice", "ewc", "distillation", "retention_days", "retention_by_worker"}
)
_LATER: Mapping[type[Any], frozenset[str]] = {
    records.Source: frozenset({"display", "resampled"}),
    records.Choice: frozenset({"probability", "parts", "kind", "minutes", "label", "left", "pool"}),
    records.Label: frozenset({"inside", "code", "overlaps", "shared"}),
    records.ProjectSettings: _LATER_SETTINGS,
    records.Annotator: frozenset({"expertise", "hours_per_week", "cases_per_week", "admitted"}),
    records.Task: frozenset({"pictures"}),
    accounts.Account: frozenset({"issuer", "subject", "preferences"}),
    records.Assignment: frozenset({"began_with", "base_id", "blind", "gold_id", "annotated"}),
    records.Annotation: frozenset({"began_with", "untouched", "annotated"}),
    records.Evaluation: frozenset({"leaning", "surfaces"}),
    records.Consensus: frozenset({"voxel_probabilities", "expected_error"}),
}
"""Fields that records gained after projects existed. At their default nested records do not write them, and events do not
tell of them, so that a row from before still has the digest its event tells."""


def event_values(record: type[Any], row: Mapping[str, Any]) -> Row:
    """What an event tells of a row: its values without later fields that are at their default."""
    later = _LATER.get(record, frozenset())
    usual = {f.name: plain(f.default) for f in fields(record) if f.name in later}
    return {name: value for name, value in row.items() if name not in later or value not in (None, usual[name])}


def _nested(item: Any) -> Any:
    later = _LATER.get(type(item), frozenset())
    usual = {f.name: f.default for f in fields(item)}
    return plain({name: value for name, value in asdict(item).items() if name not in later or value != usual[name]})


def _settings_from_json(value: Any) -> records.ProjectSettings:
    """Settings of any version: some had other names (`OLDER_NAMES`) and were yes or no (`OLDER_VALUES`)."""
    return records.ProjectSettings(**value)


def _records(record: type[Any]) -> Codec:
    return Codec(lambda items: [_nested(item) for item in items], lambda items: tuple(record(**item) for item in items))


_JSON = Codec(plain, lambda value: value)
_TUPLE = Codec(plain, tuple)
_LATER_TUPLE = Codec(plain, lambda value: tuple(value or ()))
_RUNS = Codec(
    lambda runs: [[int(start), int(length), int(value)] for start, length, value in runs], lambda runs: tuple(tuple(run) for run in runs)
)
_POINTS = Codec(
    lambda points: [[float(value) for value in point] for point in points],
    lambda points: tuple(tuple(map(float, point)) for point in points),
)
_FLOAT = Codec(float, float)
_OPTIONAL = Codec(lambda value: None if value is None else float(value), lambda value: value)
_GRID = Codec(
    lambda grid: {"shape": list(grid.shape), "affine": grid.affine.tolist()},
    lambda value: _grid(**value),  # nothing else may stand there: the audit compares what a record says
)
_SOURCE = Codec(_nested, records.source_from_json)
_SETTINGS = Codec(_nested, _settings_from_json)
_ROUND_STATE = Codec(lambda state: RoundState(state).value, RoundState)
_JOB_STATE = Codec(lambda state: JobState(state).value, JobState)

_BY_TYPE: Mapping[Any, Codec] = {
    float: _FLOAT,
    float | None: _OPTIONAL,
    Json: _JSON,
    Json | None: _JSON,
    Grid: _GRID,
    records.Source: _SOURCE,
    records.ProjectSettings: _SETTINGS,
    RoundState: _ROUND_STATE,
    JobState: _JOB_STATE,
}


def _kind(record: type[R], noun: str, table: Table, *changeable: str, sealed: Collection[str] = (), **codecs: Codec) -> Kind[R]:
    """A kind whose fields have the codecs of their types, but for those named here."""
    by_type = {name: _codec_of(hint) for name, hint in get_type_hints(record).items()}
    return Kind(
        record, noun, table, {name: codec for name, codec in by_type.items() if codec} | codecs, frozenset(changeable), frozenset(sealed)
    )


def _codec_of(hint: Any) -> Codec | None:
    if get_origin(hint) is tuple:
        return _records(get_args(hint)[0]) if is_dataclass(get_args(hint)[0]) else _TUPLE
    return _BY_TYPE.get(hint)


_WORKED = (
    *("active_seconds", "idle_seconds", "first_stroke_seconds", "strokes", "prompts", "slices_viewed", "undos"),
    *("began_at", "ended_at", "note"),
)
_ALL: tuple[Kind[Any], ...] = (
    _kind(records.Task, "task", tables.tasks),
    _kind(records.Project, "project", tables.projects, "name", "task_id", "settings"),
    _kind(records.Case, "case", tables.cases, "voxels", "notes"),
    _kind(records.ReferenceSeries, "reference", tables.reference_series, "voxels", "removed_at"),
    _kind(
        records.Annotator,
        "annotator",
        tables.annotators,
        "name",
        "kind",
        "roles",
        "cost_per_minute",
        "expertise",
        "hours_per_week",
        "cases_per_week",
        "admitted",
    ),
    _kind(accounts.Account, "account", tables.accounts, "password", "disabled", "issuer", "subject", "preferences", sealed=("password",)),
    _kind(accounts.Membership, "membership", tables.memberships, "role"),
    _kind(accounts.SignIn, "sign-in", tables.sign_ins, "ended_at"),
    _kind(accounts.ApiToken, "token", tables.api_tokens, "revoked_at"),
    _kind(accounts.OneTimeLink, "link", tables.one_time_links, "used_at"),
    _kind(records.Snapshot, "snapshot", tables.snapshots),
    _kind(records.Model, "model", tables.models),
    _kind(records.Prediction, "prediction", tables.predictions),
    _kind(records.Query, "query", tables.queries),
    _kind(records.Round, "round", tables.rounds, "state", "query_id", "snapshot_id", "model_id", "message", "updated_at"),
    _kind(
        records.Assignment,
        "assignment",
        tables.assignments,
        *("state", "revision", "reason", "closed_at", "proposal_id", "round_id", "annotated"),
        annotated=_LATER_TUPLE,
    ),
    _kind(records.DraftPatch, "patch", tables.draft_patches, runs=_RUNS),
    _kind(records.PromptRecord, "prompt", tables.prompts, "withdrawn"),
    _kind(records.Annotation, "annotation", tables.annotations, annotated=_LATER_TUPLE),
    _kind(records.Withdrawal, "withdrawal", tables.withdrawals),
    _kind(records.Review, "review", tables.reviews),
    _kind(records.Consensus, "consensus", tables.consensuses),
    _kind(records.Routed, "routing", tables.routed),
    _kind(records.GoldCase, "gold", tables.gold_cases, "withdrawn_at"),
    _kind(records.GoldReading, "check", tables.gold_readings),
    _kind(records.Assignee, "assignee", tables.assignees, "ended_at"),
    _kind(records.Effort, "effort", tables.efforts, *_WORKED),
    _kind(
        records.Measurement,
        "measurement",
        tables.measurements,
        *("points", "axis", "index", "figures", "note", "changed_at", "withdrawn_at"),
        points=_POINTS,
    ),
    _kind(records.NamedFrame, "named_frame", tables.named_frames),
    _kind(records.Provenance, "provenance", tables.provenances),
    _kind(records.Descriptor, "descriptor", tables.descriptors),
    _kind(records.Evaluation, "evaluation", tables.evaluations, leaning=_LATER_TUPLE),
    _kind(records.EvaluationTruth, "truth", tables.evaluation_truths),
    _kind(records.LiveChoice, "choice", tables.live_choices),
    _kind(records.Job, "job", tables.jobs),
)
_KINDS: dict[type[Any], Kind[Any]] = {kind.record: kind for kind in _ALL}
