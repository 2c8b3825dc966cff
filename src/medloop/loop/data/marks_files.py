"""Marks of many cases as one JSON document: brought in, and taken away again.

    {"medloop": "marks", "version": 1, "labels": {"liver": 1}, "cases": [
      {"case": "patient-07", "annotator": "Ann", "effort_seconds": 12.5, "marks": [
        {"kind": "scribble", "label": 1, "voxels": [[40, 52, 7], [41, 52, 7]]},
        {"kind": "tag", "label": 1, "present": true}]}]}

Cases are named as in the project. `labels` says what the values mean; without it they are the project's own. What is wrong with one case
is named, with rule, value and remedy, and costs that case; the rest goes on. The same document twice changes nothing.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from medloop.core.errors import FormatError, InputError, MedloopError, NotFoundError
from medloop.core.names import counted, folded, in_natural_order
from medloop.core.records import Annotation, Annotator, Case, new_id, now
from medloop.datasets.dataset import Refusal
from medloop.datasets.files import read_list
from medloop.datasets.table import MAX_EFFORT_SECONDS
from medloop.interaction.weak.marks import Mark, mark_from_json, mark_to_json
from medloop.loop.annotating.marking import checked_marks_labels, earlier_marks, require_sound, require_trainable
from medloop.loop.data.cases import IMPORTER
from medloop.loop.foundation.annotated_labels import labels_named
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.in_force import standing_annotation
from medloop.loop.foundation.marked import encode_marks, load_marks
from medloop.loop.foundation.round_moves import after_annotation
from medloop.loop.foundation.workspace import Workspace

MARKS_FILE = "marks.json"
"""A source with a file of this name brings its marks along; exports write it."""
_VERSION = 1


@dataclass(frozen=True)
class MarksReport:
    """What became of a document of marks.

    Attributes:
        taken: Names of the cases whose marks are new, or replace earlier ones of the same annotator.
        known: Of those whose marks were there already.
        beside_masks: Of taken ones that have a mask as well, which says more: their marks are kept and not learned from.
        refused: What stays out, and why.
    """

    taken: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    beside_masks: tuple[str, ...] = ()
    refused: tuple[Refusal, ...] = ()

    def __str__(self) -> str:
        return f"{counted(len(self.taken), 'case')} with new marks, {len(self.known)} unchanged, {len(self.refused)} left out"


@dataclass(frozen=True)
class MarkedLine:
    """The marks of one person on one case, as a document holds them."""

    case: str
    annotator: str
    annotated_at: str
    effort_seconds: float
    marks: tuple[Mark, ...] = field(repr=False)
    annotated: tuple[str, ...] = ()


def import_marks(workspace: Workspace, path: Path, *, actor: str) -> MarksReport:
    """Take the marks of a document; see the module's text.

    Raises:
        FormatError: The document as a whole cannot be read.
        LabelError: Its labels are not the project's.
        StateError: The project is a classification.
    """
    checked_marks_labels(workspace, None)  # before a document is looked for that the project could not take
    return take_marks(workspace, _read(path), path.name, actor=actor)


def take_marks(workspace: Workspace, document: Mapping[str, Any], name: str, *, actor: str) -> MarksReport:
    """Take the marks of a document that is read already; `name` stands for it in messages.

    Raises:
        LabelError: Its labels are not the project's.
        StateError: The project is a classification.
    """
    checked_marks_labels(workspace, None)
    values = _values(workspace, document)
    taken, known, beside, refused = list[str](), list[str](), list[str](), list[Refusal]()
    for number, entry in enumerate(document["cases"], start=1):
        called = str(entry.get("case", "")) if isinstance(entry, Mapping) else ""
        try:
            case, is_new, has_mask = _take(workspace, entry, values, actor)
        except MedloopError as error:
            refused.append(Refusal(called or f"{name} entry {number}", error.message, "", error.remedy))
            continue
        (taken if is_new else known).append(case.name)
        beside += [case.name] if is_new and has_mask else []
    if taken:
        after_annotation(workspace)
    return MarksReport(tuple(taken), tuple(known), tuple(beside), tuple(refused))


def marked_cases(workspace: Workspace) -> tuple[MarkedLine, ...]:
    """Every person's marks in force, by case name and in the order given."""
    labels = {label.value: label.name for label in workspace.task.labels}
    with workspace.store.read() as tx:
        given = tx.marked_annotations()
        cases = {case.id: case for case in tx.find(Case, where={"id": sorted({a.case_id for a in given})})}
        people = {one.id: one.name for one in tx.find(Annotator)}
    lines = [
        MarkedLine(
            cases[a.case_id].name,
            people[a.annotator_id] if people[a.annotator_id] != IMPORTER else "",
            a.created_at,
            a.effort_seconds,
            load_marks(workspace.store.blobs, a),
            tuple(labels[value] for value in a.annotated if value in labels),
        )
        for a in given
    ]
    order = {name: n for n, name in enumerate(in_natural_order({line.case for line in lines}))}
    return tuple(sorted(lines, key=lambda line: order[line.case]))


def marks_document(workspace: Workspace, lines: Sequence[MarkedLine]) -> str:
    """The text of a document that `import_marks` reads back."""
    entries = []
    for line in lines:
        entry: dict[str, Any] = {"case": line.case, "annotator": line.annotator, "annotated_at": line.annotated_at}
        entry |= {"effort_seconds": line.effort_seconds} | ({"annotated": list(line.annotated)} if line.annotated else {})
        entries.append(entry | {"marks": [mark_to_json(mark) for mark in line.marks]})
    labels = {label.name: label.value for label in workspace.task.labels}
    text = json.dumps({"medloop": "marks", "version": _VERSION, "labels": labels, "cases": entries}, ensure_ascii=False)
    return f"{text}\n"


def marks_files(workspace: Workspace) -> dict[str, str]:
    """The document by its name, for an export; nothing without marks."""
    lines = marked_cases(workspace)
    return {MARKS_FILE: marks_document(workspace, lines)} if lines else {}


def marks_beside(source: Path) -> Path | None:
    """The document of marks that a source brings along; None without one."""
    found = (source if source.is_dir() else source.parent) / MARKS_FILE
    return found if found.is_file() else None


def _read(path: Path) -> Mapping[str, Any]:
    try:
        found: dict[str, Any] = json.loads(read_list(path))
    except (ValueError, RecursionError) as error:
        raise FormatError(
            f"{path.name}: marks are a JSON document, got what cannot be read ({error})", remedy="see docs/weak-labels.md"
        ) from None
    except OSError as error:
        raise NotFoundError(f"No document of marks at {path} ({error.strerror})", remedy="check the path") from None
    is_document = isinstance(found, dict) and isinstance(found.get("cases"), list)
    if not is_document or found.get("version", _VERSION) != _VERSION:
        got = f"version {found.get('version')}" if is_document else "another document"
        rule = f"{path.name}: a document of marks has a list of cases and version {_VERSION}, got {got}"
        raise FormatError(rule, remedy="see docs/weak-labels.md")
    return found


def _values(workspace: Workspace, document: Mapping[str, Any]) -> Mapping[int, int]:
    """Values of the document and the project's; background is 0 in both."""
    own = {label.value: label.value for label in workspace.task.labels}
    given = document.get("labels")
    if given is None:
        return {0: 0, **own}
    if not isinstance(given, Mapping) or not all(isinstance(value, int) for value in given.values()):
        raise FormatError(
            f"The labels of a document of marks are names with whole numbers, got {given!r}"[:200], remedy="see docs/weak-labels.md"
        )
    known = {folded(label.name) for label in workspace.task.labels}
    used = {folded(str(name)): int(value) for name, value in given.items()}
    labels_named(workspace.task, [name for name in given if folded(str(name)) not in known])
    return {0: 0, **{used[folded(label.name)]: label.value for label in workspace.task.labels if folded(label.name) in used}}


def _take(workspace: Workspace, entry: Any, values: Mapping[int, int], actor: str) -> tuple[Case, bool, bool]:
    """Take one case's marks; the case, whether they are new, and whether it has a mask, too."""
    if not isinstance(entry, Mapping) or not isinstance(entry.get("marks"), list):
        raise InputError(
            "An entry of a document of marks names a case and lists its marks, got another thing", remedy="see docs/weak-labels.md"
        )
    marks = [_translated(mark_from_json(one), values) for one in entry["marks"]]
    seconds = _seconds(entry.get("effort_seconds", 0.0))
    annotated = checked_marks_labels(workspace, labels_named(workspace.task, entry["annotated"])) if entry.get("annotated") else ()
    name = str(entry.get("annotator") or "")
    annotator = annotator_named(workspace, name) if name else annotator_named(workspace, IMPORTER, program=True)
    with workspace.store.write(actor) as tx:
        found = tx.find(Case, where={"name": str(entry.get("case", ""))})
        if not found:
            raise NotFoundError(f"The project has no case {entry.get('case')!r}", remedy="import its image first, or correct the name")
        case, standing = found[0], standing_annotation(tx, found[0].id)
        require_trainable(case)
        blob, before = workspace.store.blobs.put(encode_marks(marks)), earlier_marks(tx, case.id, annotator.id)
        if before is not None and tx.get(Annotation, before).blob == blob:
            return case, False, standing is not None
        require_sound(workspace, tx, case, marks, annotated=annotated, annotator_id=annotator.id, standing=standing)
        made = Annotation(
            id=new_id("annotation"), case_id=case.id, task_id=workspace.task.id, annotator_id=annotator.id, kind="marks", blob=blob,
            origin="imported", supersedes=before, effort_seconds=seconds, created_at=now(), began_with="elsewhere", annotated=annotated,
        )  # fmt: skip
        tx.add(made, verb="import")
    return case, True, standing is not None


def _translated(mark: Mark, values: Mapping[int, int]) -> Mark:
    if mark.label not in values:
        raise InputError(
            f"A mark has one of the labels {sorted(values)} of its document, got {mark.label!r}", remedy="add it to the labels"
        )
    return replace(mark, label=values[mark.label])


def _seconds(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MAX_EFFORT_SECONDS:
        raise InputError(
            f"Seconds of work lie between 0 and {MAX_EFFORT_SECONDS:.0f}, got {value!r}", remedy="leave them out where unknown"
        )
    return float(value)
