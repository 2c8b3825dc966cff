"""Cases that no work can be done on: named, left out, remembered as long as it is so; the rest goes on.

Their stored bytes are damaged or gone, or their voxel size asks for a working grid that is too large (`computable`).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from medloop.core.errors import BlobError, GridSizeError, ImageRemovedError, MissingBlobError, StorageError
from medloop.core.records import Annotation, Case, Json
from medloop.loop.foundation.refusals import refusals
from medloop.loop.foundation.removed_images import require_image
from medloop.loop.foundation.workspace import Workspace
from medloop.store.reader import Reader

NOUN, VERB, OVERSIZED = "damage", "find", "oversized"
"""By these the audit tells of a case that was found damaged, or too large to compute on (the noun); the noun's id is the case's."""

RESTORE = "restore the folder blobs from a backup, or flag the case"


@dataclass(frozen=True)
class DamagedCase:
    """A case that is left out because its image or its annotation cannot be read, or not computed on; and what helps."""

    case_id: str
    name: str
    reason: str
    remedy: str = RESTORE

    def __str__(self) -> str:
        return f"{self.name} is left out: {self.reason}; {self.remedy}"


class LeftOut:
    """What one piece of work leaves out because it cannot be read or computed on; `log` is told every case in a line."""

    def __init__(self, workspace: Workspace, log: Callable[[str], None] | None = None) -> None:
        self._workspace = workspace
        self._log = log
        self._cases: dict[str, DamagedCase] = {}

    @property
    def cases(self) -> tuple[DamagedCase, ...]:
        """The cases, in the order they were met."""
        return tuple(self._cases.values())

    @contextmanager
    def case(self, case: Case) -> Iterator[None]:
        """Run a block for one case; when bytes it needs cannot be read, the case is left out and the work goes on."""
        try:
            yield
        except BlobError as error:
            self.note(case, error)

    def can_read(self, case: Case, *blobs: str | None) -> bool:
        """Whether these bytes of a case are as they were stored; else the case is left out."""
        try:
            require_image(case)
            for name in filter(None, blobs):
                self._workspace.store.blobs.check(name)
        except BlobError as error:
            self.note(case, error)
            return False
        return True

    def note(self, case: Case, error: BlobError) -> None:
        """Leave a case out."""
        remedy = error.remedy if isinstance(error, ImageRemovedError) else RESTORE
        if self._add(DamagedCase(case.id, case.name, _reason(case, error), remedy)) and error.blob:
            body = {"blob": error.blob, "reason": "its bytes cannot be read as they were stored"}
            _record_once(self._workspace, case, NOUN, body)

    def oversized(self, case: Case, error: GridSizeError) -> None:
        """Leave a case out that cannot be computed on."""
        if self._add(DamagedCase(case.id, case.name, error.message, f"{error.remedy}, or flag the case")):
            _record_once(self._workspace, case, OVERSIZED, {"reason": error.message})

    def take(self, others: "LeftOut") -> None:
        """Leave out what another piece of work did."""
        self._cases = {**others._cases, **self._cases}

    def _add(self, found: DamagedCase) -> bool:
        if found.case_id in self._cases:
            return False
        self._cases[found.case_id] = found
        if self._log is not None:
            self._log(str(found))
        return True

    def result(self) -> Json:
        """For a job's result: "left_out" with the cases and reasons; nothing when there are none."""
        return {"left_out": [{"case": c.name, "case_id": c.case_id, "reason": c.reason} for c in self.cases]} if self._cases else {}


def sound_annotations(
    answers: Sequence[Annotation], cases: Mapping[str, Case], left_out: LeftOut, *, removed: bool = False
) -> list[Annotation]:
    """The annotations whose bytes, and whose case's image, are as they were stored; the cases of the others are left out.

    With `removed` also those of cases whose image the retention rule removed, for work on masks alone.
    """
    if removed:
        return [a for a in answers if not cases[a.case_id].voxels or left_out.can_read(cases[a.case_id], a.blob, cases[a.case_id].voxels)]
    return [a for a in answers if left_out.can_read(cases[a.case_id], a.blob, cases[a.case_id].voxels)]


def damaged_cases(workspace: Workspace) -> tuple[DamagedCase, ...]:
    """Cases found damaged before that still are and are still needed, by name."""
    with workspace.store.read() as tx:
        return damaged_now(workspace, tx)


def damaged_now(workspace: Workspace, tx: Reader) -> tuple[DamagedCase, ...]:
    """As `damaged_cases`, in the caller's transaction."""
    noted = {(event.noun_id, str(event.body["blob"])) for event in tx.events_about(NOUN, verbs=[VERB])}
    needed = [(tx.get(Case, case_id), blob) for case_id, blob in noted]
    needed = [(case, blob) for case, blob in needed if blob in _needed(tx, case)]
    found = [DamagedCase(case.id, case.name, _reason(case, error)) for case, blob in needed if (error := _error(workspace, blob))]
    return tuple(sorted(found, key=lambda case: (case.name, case.reason)))


def _needed(tx: Reader, case: Case) -> set[str]:
    """Blobs of a case that work depends on: none of one that was skipped or flagged."""
    if refusals(tx, [case.id]):
        return set()
    of_case = [case.id]
    answers = (
        *tx.current_annotations(case_ids=of_case),
        *tx.partial_annotations(case_ids=of_case),
        *tx.marked_annotations(case_ids=of_case),
    )
    return {case.voxels, *(answer.blob for answer in answers if answer.blob)}


def _error(workspace: Workspace, blob: str) -> BlobError | None:
    try:
        workspace.store.blobs.check(blob)
    except BlobError as error:
        return error
    return None


def _reason(case: Case, error: BlobError) -> str:
    if isinstance(error, ImageRemovedError):
        return error.message.removeprefix(f"{case.name} cannot be shown: ")
    what = "image" if error.blob == case.voxels else "mask"
    return f"the bytes of its {what} are {'missing' if isinstance(error, MissingBlobError) else 'damaged'} (blob {error.blob[:12]})"


def _record_once(workspace: Workspace, case: Case, noun: str, body: Json) -> None:
    """Note it in the audit; a project that cannot be written is not stopped by that."""
    with suppress(StorageError), workspace.store.write("system") as tx:
        if all(event.body.get("blob") != body.get("blob") for event in tx.events_about(noun, [case.id])):
            tx.record(VERB, noun, case.id, body)
