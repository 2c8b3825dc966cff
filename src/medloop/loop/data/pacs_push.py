"""Push annotations back to the archive that their images came from, as DICOM objects beside their series.

Patient and study come from the archive itself, by the UIDs of the source, and are kept nowhere. An object is on the disk before it is
sent, and in the audit when the archive has it: whoever repeats a push that was killed sends the same object, and a second push says
that it is there.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pydicom

from medloop.core.errors import InputError, MedloopError, NotFoundError, SettingError, StateError
from medloop.core.records import Case, now
from medloop.datasets.dicom_objects.references import Originals, require_highdicom
from medloop.loop.data.exporting import annotated_exports, written_apart
from medloop.loop.data.importing import ImportProgress
from medloop.loop.data.measured import MeasurementLine, measurement_lines
from medloop.loop.data.object_exports import OBJECT_FORMATS, REPORTS, export_reports
from medloop.loop.data.pacs_identity import originals_at, uids_at_pacs
from medloop.loop.data.pacs_spool import alone
from medloop.loop.foundation.workspace import Workspace
from medloop.pacs.archive import Archive
from medloop.pacs.files import private_folder

VERB = "push"
FORMATS = (*OBJECT_FORMATS, REPORTS)


@dataclass(frozen=True)
class Push:
    """What to push where.

    Attributes:
        server: Name of the archive.
        fmt: One of `FORMATS`.
        cases: Names; () for every case that has an annotation (or measurement).
        again: Also what the archive was given before.
    """

    server: str
    fmt: str
    cases: tuple[str, ...] = ()
    again: bool = False


@dataclass(frozen=True)
class PushReport:
    """What a push did.

    Attributes:
        pushed: Cases whose object the archive has now.
        before: Cases whose very annotation it was given before.
        left_out: Cases without an object, and why, a line each.
        stopped: Why it ended before its end, "" when it did not.
    """

    server: str
    format: str
    pushed: tuple[str, ...]
    before: tuple[str, ...]
    left_out: tuple[str, ...] = ()
    stopped: str = ""


@dataclass(frozen=True)
class _Item:
    """One object to come: its case, what tells it from others, and what writes it to a new folder."""

    case: Case
    key: str
    write: Callable[[Path, Originals], None]


def push(
    workspace: Workspace, archive: Archive, wanted: Push, *, actor: str = "system", report: ImportProgress | None = None
) -> PushReport:
    """Store the annotations (or measurements) of cases in the archive.

    Raises:
        SettingError: An unknown format, or a classification.
        NotFoundError: Nothing to push, or no case of a name.
        StateError: The project can only be read, so that a push could not be remembered.
        ConflictError: Another push of this project is at work.
        FormatError: highdicom is not installed.
    """
    _require_possible(workspace, wanted)
    items = list(_items(workspace, wanted))
    if not items:
        raise NotFoundError("There is nothing to push yet", remedy="annotate a case that came from DICOM, or measure on it")
    pushed, before, left_out, stopped = list[str](), list[str](), list[str](), ""
    with alone(workspace.work_folder / "pacs-push", "push"):
        given = _given(workspace, wanted)  # also by one that has just ended
        for number, item in enumerate(items):
            if report is not None:
                report(number, len(items), item.case.name)
            if item.key in given and not wanted.again:
                before.append(item.case.name)
                continue
            try:
                _push_one(workspace, archive, wanted, item, actor)
                pushed.append(item.case.name)
            except (InputError, NotFoundError) as error:
                left_out.append(f"{item.case.name}: {str(error).removeprefix(f'{item.case.name}: ')}")
            except MedloopError as error:
                stopped = f"{error}; {number} of {len(items)} were looked at"
                break
    return PushReport(wanted.server, wanted.fmt, tuple(pushed), tuple(before), tuple(left_out), stopped)


def _require_possible(workspace: Workspace, wanted: Push) -> None:
    if wanted.fmt not in FORMATS:
        raise SettingError(f"Unknown format {wanted.fmt!r} of a push", remedy=f"use one of {', '.join(FORMATS)}")
    if workspace.task.kind != "segmentation" and wanted.fmt != REPORTS:
        raise SettingError("A classification has no masks to push", remedy=f"push its measurements as {REPORTS}, or export csv")
    if workspace.store.read_only:
        raise StateError(f"A push must be remembered, and this project can only be read: {workspace.store.read_only}")
    require_highdicom()


def _items(workspace: Workspace, wanted: Push) -> Iterator[_Item]:
    found = list(_report_items(workspace) if wanted.fmt == REPORTS else _mask_items(workspace, wanted.fmt))
    if unknown := [name for name in wanted.cases if name not in {item.case.name for item in found}]:
        raise NotFoundError(f"{unknown[0]} has nothing to push", remedy="name cases with an annotation, or leave --case out for all")
    yield from (item for item in found if not wanted.cases or item.case.name in wanted.cases)


def _mask_items(workspace: Workspace, fmt: str) -> Iterator[_Item]:
    for annotation, case in annotated_exports(workspace):
        pair = (annotation, case)

        def write(folder: Path, originals: Originals, pair: Any = pair) -> None:
            written_apart(workspace, pair, folder, fmt, originals)

        yield _Item(case, f"{fmt}:{annotation.id}", write)


def _report_items(workspace: Workspace) -> Iterator[_Item]:
    lines: dict[str, list[MeasurementLine]] = {}
    for line in measurement_lines(workspace):
        lines.setdefault(line.case, []).append(line)
    for name, measured in sorted(lines.items()):
        with workspace.store.read() as tx:
            (case,) = tx.find(Case, where={"name": name}, limit=1)

        def write(folder: Path, originals: Originals, measured: Sequence[MeasurementLine] = measured) -> None:
            export_reports(workspace, measured, folder, originals)

        digest = hashlib.sha256(repr(sorted(map(str, measured))).encode()).hexdigest()[:24]
        yield _Item(case, f"{REPORTS}:{digest}", write)


def _given(workspace: Workspace, wanted: Push) -> set[str]:
    """Keys of what this archive was given."""
    with workspace.store.read() as tx:
        events = tx.events_about("case", verbs={VERB})
    return {str(event.body["key"]) for event in events if event.body.get("server") == wanted.server}


def _push_one(workspace: Workspace, archive: Archive, wanted: Push, item: _Item, actor: str) -> None:
    source = uids_at_pacs(workspace, item.case)
    waiting = _waiting_file(workspace, wanted, item)
    if not waiting.exists():
        _write(item, originals_at(workspace, archive, wanted.server, item.case), waiting)
    made = pydicom.dcmread(waiting)
    archive.store(made)
    if str(made.SOPInstanceUID) not in archive.instances(source.study, str(made.SeriesInstanceUID)):
        raise InputError(f"{wanted.server} took its object and does not show it", remedy="see the server's log, then repeat")
    with workspace.store.write(actor) as tx:
        body = {"server": wanted.server, "key": item.key, "format": wanted.fmt, "object": str(made.SOPInstanceUID), "at": now()}
        tx.record(VERB, "case", item.case.id, body)
    waiting.unlink(missing_ok=True)


def _waiting_file(workspace: Workspace, wanted: Push, item: _Item) -> Path:
    """Where an object lies from before it is sent until the audit tells of it."""
    key = hashlib.sha256(f"{wanted.server}|{item.key}|{item.case.id}".encode()).hexdigest()[:32]
    return private_folder(workspace.work_folder / "pacs-push") / f"{key}.dcm"


def _write(item: _Item, originals: Originals, target: Path) -> None:
    with TemporaryDirectory(prefix=".making-", dir=target.parent) as folder:
        item.write(Path(folder) / "made", originals)
        (made,) = (Path(folder) / "made").glob("*.dcm")
        made.chmod(0o600)
        made.replace(target)
