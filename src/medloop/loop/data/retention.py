"""The retention rule: images that are not kept longer than allowed, while what people made of them stays.

With `retention_days` an image is due so many days after its case came. Removing it deletes its bytes, those of references beside
it and of the small pictures drawn of it. The case, its annotations, effort, predictions, evaluations and audit stay; its notes say when and
why the image went, and the same words meet whoever opens it. A case that nobody had annotated counts as skipped from then on.

A case that somebody has open keeps its image until they are done. Bytes that another case needs too, as it has the very same image, go with
that one. A removal is written first and its bytes are deleted then: what a killed one left goes with the next, as do the bytes of
references that were taken away before. Files of an archive that became no case (set aside, or of a pull that never ended) are due so many
days after they came. Copies elsewhere (backups, exports, the source files, an archive) are not medloop's to delete.
"""

import logging
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from medloop.core.errors import MedloopError, SettingError, StateError, StorageError
from medloop.core.names import counted
from medloop.core.records import Assignment, Case, Event, ReferenceSeries, new_id, now, time_text
from medloop.loop.data.pacs_left import old_files, remove_old_files
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.refusals import open_with
from medloop.loop.foundation.removed_images import REMOVED, forget_copies
from medloop.loop.foundation.workspace import Workspace
from medloop.store.reader import Reader
from medloop.store.references import referenced, unreadable_rows
from medloop.store.writer import Writer

RULE = "retention rule"
"""Who skips a case whose image was removed before anybody annotated it."""

AT_ONCE = 200
"""Cases per transaction."""

AT_ONCE_ELSEWHERE = 20
"""Blobs under a URL that are removed in one transaction: each takes some requests, and whoever writes meanwhile waits."""

LOOK_SECONDS = 600.0
"""How often a worker looks: the rule counts in days."""

_VERB, _TAKEN = "remove-image", "remove"
"""By these the audit tells of a case's image that was removed, and of a reference that was taken away."""

_LOG = logging.getLogger(__name__)

_LOOKED: dict[Path, float] = {}
"""When this process last looked, by the project's folder."""


@dataclass(frozen=True)
class DueImage:
    """An image that is to be removed: since when, and who has the case open, which keeps it for now."""

    case_id: str
    name: str
    added_at: str
    due_at: str
    open_with: tuple[str, ...]

    def __str__(self) -> str:
        kept = f"; open with {', '.join(self.open_with)}, so it stays until they are done" if self.open_with else ""
        return f"{self.name}: came on {self.added_at[:10]}, due since {self.due_at[:10]}{kept}"


@dataclass(frozen=True)
class RemovedImage:
    """A case whose image was removed, and its note that says so."""

    case_id: str
    name: str
    note: str


@dataclass(frozen=True)
class Retention:
    """How the rule stands.

    Attributes:
        days: The setting; 0 keeps images for ever.
        by_worker: Whether workers remove what is due.
        due: Images to be removed, oldest first.
        removed: Cases without an image, by name.
        next_due: When the next image will be due; "" for none.
        files: Files from archives that became no case, and are to be removed.
    """

    days: int
    by_worker: bool
    due: tuple[DueImage, ...]
    removed: tuple[RemovedImage, ...]
    next_due: str = ""
    files: int = 0


@dataclass(frozen=True)
class RetentionReport:
    """What was removed: cases by name, bytes freed, cases that are open still, and those whose bytes another case needs.

    `files` counts files from archives that had become no case.
    """

    removed: tuple[str, ...]
    freed: int
    waiting: tuple[DueImage, ...]
    shared: tuple[str, ...]
    files: int = 0


def retention(workspace: Workspace, *, at: str = "") -> Retention:
    """How the rule stands now, or at another time."""
    days = workspace.settings.retention_days
    with workspace.store.read() as tx:
        gone = tx.find(Case, where={"voxels": ""}, order=("name",))
        due = _due(tx, days, at or now()) if days else []
        first = next(iter(tx.cases_with_image(after=_last(days, at or now()), limit=1)), None) if days else None
    upcoming = _later(first.added_at, days) if first else ""
    files = len(old_files(workspace, _last(days, at or now()))) if days else 0
    removed = tuple(RemovedImage(case.id, case.name, removal_of(case)) for case in gone)
    return Retention(days, workspace.settings.retention_by_worker, tuple(due), removed, upcoming, files)


def removal_of(case: Case) -> str:
    """The note of a case that says when and why its image went; "" while it has one."""
    return next((note for note in reversed(case.notes) if note.startswith(REMOVED)), "") if not case.voxels else ""


def remove_due(workspace: Workspace, *, actor: str, at: str = "") -> RetentionReport:
    """Remove the images that are due.

    Raises:
        SettingError: The project has no retention rule.
        StateError: It can only be read.
        StorageError: Rows cannot be read, so that nobody knows which bytes they need; or the disk refused.
    """
    if not workspace.settings.retention_days:
        raise SettingError("retention_days is 0: images are kept for ever", remedy="medloop configure DIR retention_days=365")
    if workspace.store.read_only:
        raise StateError(f"Nothing can be removed from this project: {workspace.store.read_only}", remedy="make it writable")
    with workspace.store.read() as tx:
        due, left = _due(tx, workspace.settings.retention_days, at or now()), _removed_bytes(tx, _without_image(tx))
    wanted, removed, shared = [one for one in due if not one.open_with], list[str](), list[str]()
    if wanted or workspace.store.blobs.kept(left):
        _require_readable(workspace)
    freed, _ = _delete(workspace, left, actor)
    rule = annotator_named(workspace, RULE, program=True).id if wanted else ""
    for start in range(0, len(wanted), AT_ONCE):
        cases = _mark(workspace, [one.case_id for one in wanted[start : start + AT_ONCE]], rule, actor)
        with workspace.store.read() as tx:
            bytes_of = _removed_bytes(tx, [case.id for case in cases])
        taken, kept = _delete(workspace, bytes_of, actor)
        removed += [case.name for case in cases]
        freed, shared = freed + taken, shared + kept
    forget_copies(workspace)
    files, size = remove_old_files(workspace, _last(workspace.settings.retention_days, at or now()))
    with workspace.store.read() as tx:
        _forget_pictures(workspace, _without_image(tx))
        waiting = tuple(one for one in _due(tx, workspace.settings.retention_days, at or now()))
    return RetentionReport(tuple(removed), freed + size, waiting, tuple(shared), files)


def remove_in_turn(workspace: Workspace) -> RetentionReport | None:
    """What an idle worker does, where the project wants it: look once in `LOOK_SECONDS`; None when it was not the time.

    What cannot be removed is logged and tried again: it must not end the worker.
    """
    if time.monotonic() - _LOOKED.get(workspace.folder, -LOOK_SECONDS) < LOOK_SECONDS:
        return None
    _LOOKED[workspace.folder] = time.monotonic()
    today = workspace.reload()
    wanted = today.settings.retention_by_worker and today.settings.retention_days and not today.store.read_only
    try:
        if today.store.blobs.shared:
            forget_here(today)
        return remove_due(today, actor="worker") if wanted else None
    except MedloopError as error:
        _LOG.warning("Images that are due were not removed: %s", error)
        return None


def forget_here(workspace: Workspace) -> None:
    """Delete what this host has copied of images that another host removed."""
    with workspace.store.read() as tx:
        gone = _without_image(tx)
        for blob in _removed_bytes(tx, gone):
            workspace.store.blobs.forget_copy(blob)
    forget_copies(workspace)
    _forget_pictures(workspace, gone)


def _due(tx: Reader, days: int, at: str) -> list[DueImage]:
    cases = tx.cases_with_image(until=_last(days, at))
    opened = open_with(tx, [case.id for case in cases])
    return [DueImage(case.id, case.name, case.added_at, _later(case.added_at, days), tuple(opened.get(case.id, ()))) for case in cases]


def _last(days: int, at: str) -> str:
    """What came then or before is due."""
    return time_text(_time(at) - timedelta(days=days))


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(UTC)


def _later(added_at: str, days: int) -> str:
    return time_text(_time(added_at) + timedelta(days=days))


def _mark(workspace: Workspace, case_ids: Sequence[str], rule: str, actor: str) -> list[Case]:
    """The cases as they were, whose rows say from now on that they have no image; those opened meanwhile are passed over."""
    note = f"{REMOVED} on {now()[:10]}: the retention rule keeps images {counted(workspace.settings.retention_days, 'day')}"
    with workspace.store.write(actor) as tx:
        opened = open_with(tx, case_ids)
        cases = [case for i in case_ids if i not in opened and (case := tx.get(Case, i)).voxels]
        for case in cases:
            tx.change(Case, case.id, verb=_VERB, fields={"voxels": "", "notes": (*case.notes, note)})
            tx.add(_skipped(case, rule, note), verb="skip")
        _take_references(tx, [case.id for case in cases])
    return cases


def _skipped(case: Case, rule: str, note: str) -> Assignment:
    """That nobody is to read the case any more; annotations in force count all the same."""
    at = now()
    return Assignment(id=new_id("assignment"), case_id=case.id, annotator_id=rule, state="skipped", reason=note, opened_at=at, closed_at=at)


def _require_readable(workspace: Workspace) -> None:
    """Refuse to delete bytes that an unreadable row may need.

    Raises:
        StorageError: There is one.
    """
    with workspace.store.read() as tx:
        if rows := unreadable_rows(tx.connection):
            raise StorageError(f"No image is removed while {counted(rows, 'row')} cannot be read", remedy="see medloop audit DIR verify")


def _delete(workspace: Workspace, gone: Mapping[str, str], actor: str) -> tuple[int, list[str]]:
    """Delete what nothing refers to any more: bytes freed, and what is called by the names of bytes that something else needs."""
    blobs, freed, shared = workspace.store.blobs, 0, list[str]()
    for blob in gone:
        blobs.forget_copy(blob)  # another host may have removed the bytes
    present = blobs.kept(gone)
    there = {blob: name for blob, name in gone.items() if blob in present}
    if not there:
        return 0, []
    every, at_once = sorted(there), AT_ONCE_ELSEWHERE if blobs.shared else len(there)
    for start in range(0, len(every), at_once):
        with workspace.store.write(actor) as tx:
            needed = referenced(tx.connection, part := every[start : start + at_once])
            for blob in part:
                if blob in needed:
                    shared.append(there[blob])
                elif blobs.exists(blob):
                    freed += blobs.size(blob)
                    blobs.remove(blob)
    return freed, shared


def _without_image(tx: Reader) -> list[str]:
    return [case.id for case in tx.find(Case, where={"voxels": ""})]


def _removed_bytes(tx: Reader, case_ids: Sequence[str]) -> dict[str, str]:
    """Blobs that such cases and the references beside them had, by the audit, and what these are called."""
    cases = {case.id: case.name for case in tx.find(Case, where={"id": list(case_ids)})}
    beside = {one.id: one.name for one in tx.find(ReferenceSeries, where={"case_id": list(case_ids)}) if one.removed_at is not None}
    events = (*tx.events_about("case", list(cases), verbs=[_VERB]), *tx.events_about("reference", list(beside), verbs=[_TAKEN]))
    names = cases | beside
    return {blob: names[event.noun_id] for event in events if (blob := _blob_before(event))}


def _blob_before(event: Event) -> str:
    return str(event.body.get("changed", {}).get("voxels", {}).get("from") or "")


def _forget_pictures(workspace: Workspace, case_ids: Collection[str]) -> None:
    """Delete the small pictures drawn of cases, and the small views that networks learn from (`loop.querying.descriptions`)."""
    folder, gone = workspace.work_folder / "thumbnails", set(case_ids)
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.name.removesuffix(".f4") in gone or path.name.rsplit("-", 3)[0] in gone:
            with suppress(OSError):
                path.unlink(missing_ok=True)


def _take_references(tx: Writer, case_ids: Sequence[str]) -> None:
    """Take away the references beside cases."""
    for one in tx.find(ReferenceSeries, where={"case_id": list(case_ids)}):
        if one.removed_at is None:
            tx.change(ReferenceSeries, one.id, verb=_TAKEN, fields={"removed_at": now(), "voxels": ""})
