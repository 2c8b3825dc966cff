"""The project's secret for pseudonyms: made when it is first needed, readable by its owner only, copied by a backup, never exported.

Whoever loses it cannot tell any more that a new image is of a known patient; so every case keeps the key's mark, and an import under
another key is refused. Hosts that share a project share its key, which is copied by hand: the first one's mark stands in the audit, and
another host makes none of its own.
"""

import os
import secrets
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from medloop.core.errors import IntegrityError, StorageError
from medloop.core.records import Case
from medloop.images.deidentification.pseudonyms import KEY_BYTES, Pseudonyms
from medloop.loop.foundation.workspace import Workspace
from medloop.store.private import KEY_FILE
from medloop.store.reader import Reader

NOUN = "pseudonyms"
"""The event by which hosts that share a project know one another's key."""

COPY_IT = f"copy {KEY_FILE} here from the folder of the host that imported first"


def pseudonyms_of(workspace: Workspace) -> Pseudonyms:
    """The project's pseudonyms; its key is made if there is none.

    Raises:
        IntegrityError: The key is damaged, or lost while cases were imported with it.
        StorageError: The disk refused.
    """
    path = workspace.folder / KEY_FILE
    try:
        if not path.exists():
            _require_none_elsewhere(workspace)
            require_key(workspace, None)
            _make(path)
        text = path.read_text(encoding="ascii").strip()
    except UnicodeDecodeError:
        text = ""
    except OSError as error:
        raise StorageError(f"The key {path} cannot be used ({error.strerror})", remedy="check its permissions and the disk") from error
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise IntegrityError(f"The key {path} is damaged", remedy="restore it from a backup")
    words = Pseudonyms(key)
    if workspace.store.blobs.shared:
        _agree(workspace, words.mark)
    return words


def require_key(workspace: Workspace, mark: str | None) -> None:
    """Refuse a key that is not the one that cases were imported with: the same patient would be somebody new.

    Args:
        workspace: The project.
        mark: Of the key; None where there is none.

    Raises:
        IntegrityError: It is another one.
    """
    with workspace.store.read() as tx:
        cases: Iterable[Case] = tx.find(Case)
    if {used for case in cases if (used := case.source.dicom.get("key"))} - {mark}:
        rule = "The project's key for pseudonyms is not the one that its cases were imported with"
        raise IntegrityError(f"{rule}{', it is gone' if mark is None else ''}", remedy="restore it from a backup")


def known_as(workspace: Workspace) -> Callable[[str], str]:
    """What the project calls a UID; the UID itself where it has no key yet, which is not made for looking.

    Raises:
        IntegrityError: Another host has the key.
    """
    if not has_key(workspace):
        _require_none_elsewhere(workspace)
    return pseudonyms_of(workspace).uid if has_key(workspace) else str


def has_key(workspace: Workspace) -> bool:
    """Whether the project has a key by now."""
    return (workspace.folder / KEY_FILE).exists()


def _mark_of_all(tx: Reader) -> str | None:
    """The mark of the key that all hosts have; None before the first."""
    found = tx.events_about(NOUN)
    return str(found[0].body.get("mark")) if found else None


def _require_none_elsewhere(workspace: Workspace) -> None:
    if not workspace.store.blobs.shared:
        return
    with workspace.store.read() as tx:
        if _mark_of_all(tx) is not None:
            raise IntegrityError("Another host has the project's key for pseudonyms, this one does not", remedy=COPY_IT)


def _agree(workspace: Workspace, mark: str) -> None:
    """Tell all hosts the key's mark, the first time; refuse another one than theirs."""
    with workspace.store.read() as tx:
        theirs = _mark_of_all(tx)
    if theirs is None and not workspace.store.read_only:
        with workspace.store.write("system") as tx:
            theirs = _mark_of_all(tx)
            if theirs is None:
                tx.record("agree", NOUN, "key", {"mark": mark})
    if theirs not in (None, mark):
        raise IntegrityError("This host's key for pseudonyms is not the one of the other hosts", remedy=COPY_IT)


def _make(path: Path) -> None:
    """Write a new key beside its place and link it there, so that of two at once one wins and none is half written."""
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}.new")
    descriptor = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(KEY_BYTES) + "\n")
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink(missing_ok=True)
