"""What a job decides once and keeps in its folder, so that it goes on with the same when it is resumed."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from medloop.images.files import write_atomic


def noted(note: Path, decide: Callable[[], Any]) -> Any:
    """The decision in that note; without a note it is made now and written down first.

    Args:
        note: A JSON file in the job's folder.
        decide: Makes the decision, as JSON values.

    Raises:
        StorageError: The disk refused.
    """
    if not note.exists():
        write_note(note, decide())
    return json.loads(note.read_bytes())


def write_note(note: Path, decision: Any) -> None:
    """Write a decision, whole or not at all.

    Raises:
        StorageError: The disk refused.
    """
    write_atomic(note, json.dumps(decision).encode(), mode=0o600)
