"""What a training decides once and keeps beside its checkpoint, so that it goes on with the same when it is resumed."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from medloop.images.files import write_atomic


class TrainingPlan:
    """The decisions of one training in `plan.json`: ids, weights and settings, never images.

    Each is made once, in the order in which a training needs them, and written before it is acted upon.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._file = folder / "plan.json"

    def decided(self, name: str) -> Any:
        """A decision that was made before, None for one that was not."""
        return self._read().get(name)

    def decide(self, name: str, make: Callable[[], Any]) -> Any:
        """The decision of that name; it is made now, as JSON values, where it was not before.

        Raises:
            StorageError: The disk refused.
        """
        known = self._read()
        if name not in known:
            known = {**known, name: make()}
            write_atomic(self._file, json.dumps(known).encode(), mode=0o600)
        return json.loads(json.dumps(known[name]))

    def _read(self) -> dict[str, Any]:
        if self._file.exists():
            return dict(json.loads(self._file.read_bytes()))
        return {name: json.loads(note.read_bytes()) for name in _BEFORE if (note := self.folder / f"{name}.json").exists()}


_BEFORE = ("project", "snapshot", "parent", "learned", "weights", "irrelevant", "pseudo", "validation")
"""Versions before kept each decision in a file of its own."""
