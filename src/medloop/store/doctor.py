"""Look for damage and say what it means: which blobs are bad or gone, what they belong to, and what to do.

Also lists what only takes room: blobs that nothing refers to (left by a process that ended between the blob and its row)
and half-written files. These can be swept, while nobody else has the project open: a blob is stored before its row. Of blobs that other
hosts reach, only those go that nothing has referred to for a day.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from medloop.core.errors import BlobError, MissingBlobError, StorageError
from medloop.core.names import counted
from medloop.store.audit import owner_of
from medloop.store.blobs import sweep_unfinished, unfinished
from medloop.store.object_blobs import ObjectBlobs
from medloop.store.references import ADVICE, Reference, case_names, references, unreadable_rows
from medloop.store.store import Store

Trouble: TypeAlias = Literal["damaged", "missing", "unreadable"]
Report: TypeAlias = Callable[[float, str], None]


@dataclass(frozen=True)
class BadBlob:
    """One blob that cannot be had as it was stored: where its file is or should be, what needs it in words, what to do."""

    blob: str
    trouble: Trouble
    path: str
    belongs_to: tuple[str, ...]
    cases: tuple[str, ...]
    advice: tuple[str, ...]


@dataclass(frozen=True)
class Health:
    """What was found.

    Attributes:
        blobs: How many blobs rows refer to.
        bad: Those that are damaged or missing.
        orphans: Names of blobs that nothing refers to; harmless.
        leftovers: Files that a killed process left half written; harmless.
        swept: How many of the last two were removed.
        unreadable_rows: Rows so damaged that nobody knows which blobs they need; the audit names them.
    """

    blobs: int
    bad: tuple[BadBlob, ...]
    orphans: tuple[str, ...]
    leftovers: tuple[str, ...]
    swept: int = 0
    unreadable_rows: int = 0

    @property
    def ok(self) -> bool:
        """Whether every blob that is needed is known and sound."""
        return not self.bad and not self.unreadable_rows


def examine(store: Store, *, sweep: bool = False, report: Report | None = None) -> Health:
    """Read every blob of a project; the report is told the share done, and what nothing needs is swept where asked.

    Raises:
        ConflictError: Something shall be swept while another program has the project open.
        StorageError: Something shall be swept from a project that cannot be written.
    """
    with store.read() as tx:
        needed = _by_blob(references(tx.connection))
        names, lost = case_names(tx.connection), unreadable_rows(tx.connection)
    bad = []
    for number, (blob, users) in enumerate(needed.items()):
        if report is not None:
            report(number / len(needed), blob[:12])
        trouble = _trouble(store, blob)
        if trouble is not None:
            bad.append(_described(store, blob, trouble, users, names))
    orphans = tuple(name for name in store.blobs.names() if name not in needed)
    left = [*store.blobs.temporaries(), *unfinished(store.folder / "work")]
    swept = _sweep(store) if sweep else 0
    return Health(len(needed), tuple(bad), orphans, tuple(str(path) for path in left), swept, lost)


def _by_blob(found: Iterable[Reference]) -> dict[str, list[Reference]]:
    users: dict[str, list[Reference]] = {}
    for reference in found:
        users.setdefault(reference.blob, []).append(reference)
    return users


def _trouble(store: Store, blob: str) -> Trouble | None:
    try:
        store.blobs.check_kept(blob)
    except MissingBlobError:
        return "missing"
    except BlobError:
        return "damaged"
    except StorageError:
        return "unreadable"
    return None


def _described(store: Store, blob: str, trouble: Trouble, users: list[Reference], names: dict[str, str]) -> BadBlob:
    return BadBlob(
        blob=blob,
        trouble=trouble,
        path=store.blobs.where(blob),
        belongs_to=tuple(f"the {user.field} of {owner_of(user, names)}" for user in users),
        cases=tuple(sorted({names.get(user.case_id, user.case_id) for user in users if user.case_id})),
        advice=tuple(dict.fromkeys(ADVICE[user.noun] for user in users)),
    )


def _sweep(store: Store) -> int:
    """Remove orphans and leftovers; what is an orphan is decided anew, while nobody else can store anything."""
    if store.presence is None:
        raise StorageError(f"Nothing can be swept: {store.read_only}", remedy="copy the project to where it can be written")
    if isinstance(store.blobs, ObjectBlobs):  # other hosts go on: age decides there what nobody needs
        return store.blobs.sweep(_needed(store)) + store.blobs.sweep_temporary() + sweep_unfinished(store.folder / "work")
    with store.presence.alone():
        needed = _needed(store)
        orphans = [name for name in store.blobs.names() if name not in needed]
        for name in orphans:
            store.blobs.remove(name)
        return len(orphans) + store.blobs.sweep_temporary() + sweep_unfinished(store.folder / "work")


def _needed(store: Store) -> set[str]:
    """Every blob that a row refers to.

    Raises:
        StorageError: A row cannot be read.
    """
    with store.read() as tx:
        if rows := unreadable_rows(tx.connection):
            raise StorageError(f"Nothing is swept while {counted(rows, 'row')} cannot be read", remedy="see medloop audit DIR verify")
        return {reference.blob for reference in references(tx.connection)}
