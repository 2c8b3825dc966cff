"""Files of a study: written whole or not at all, folders copied whole or not at all, one process at a time."""

import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from medloop.core.errors import ConflictError, IntegrityError
from medloop.core.records import Json
from medloop.images.files import write_atomic


def write_text(path: Path, text: str) -> None:
    """Write a file that a crash leaves either as it was or complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, text.encode())


def write_json(path: Path, record: Json) -> None:
    """Write JSON whose bytes depend on the values only; NaN is refused."""
    write_text(path, json.dumps(record, indent=1, sort_keys=True, allow_nan=False, ensure_ascii=False) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        IntegrityError: It holds something else.
    """
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise IntegrityError(f"{path} is damaged: {error}", remedy="remove it and run the study again") from error
    if not isinstance(record, dict):
        raise IntegrityError(f"{path} must hold a JSON object", remedy="remove it and run the study again")
    return record


def copy_workspace(source: Path, target: Path) -> None:
    """Copy a workspace that nobody has open; blobs never change and are shared by hard links.

    Nothing happens when the target exists. A copy cut short is started anew.
    """
    if target.exists():
        return
    partial = target.with_name(f"{target.name}.part")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    for entry in sorted(source.iterdir()):
        if entry.name == "blobs":
            shutil.copytree(entry, partial / entry.name, copy_function=_link_or_copy)
        elif entry.is_file() and not entry.name.endswith(("-shm", ".lock")):
            shutil.copy2(entry, partial / entry.name)
    partial.replace(target)


@contextmanager
def only_one(lock: Path, what: str, *, wait: bool = False) -> Iterator[None]:
    """Hold a lock that dies with its process.

    Args:
        lock: Its file, made if missing.
        what: What is locked, for the message.
        wait: Wait for another holder to end; otherwise refuse.

    Raises:
        ConflictError: Another process holds it.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ConflictError(f"{what} is being worked on by another process", remedy="wait for it, or choose another folder") from error
        yield


def _link_or_copy(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
