"""What a training decides once and keeps beside its checkpoint, so that it goes on with the same when it is resumed."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from medloop.images.files import write_atomic


class TrainingPlan:
    """The decisions of one training in `plan.json`: ids, weights and settings, never images.

    The file is read once. Each decision is made once, in the order in which a training needs them, and written before it is acted upon.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._file = folder / "plan.json"
        self._known: dict[str, Any] = json.loads(self._file.read_bytes()) if self._file.exists() else _before(folder)

    def decided(self, name: str) -> Any:
        """A decision that was made before, None for one that was not."""
        return self._known.get(name)

    def decide(self, name: str, make: Callable[[], Any]) -> Any:
        """The decision of that name; it is made now, as JSON values, where it was not before.

        Raises:
            StorageError: The disk refused.
        """
        if name not in self._known:
            written = json.dumps({**self._known, name: make()})
            write_atomic(self._file, written.encode(), mode=0o600)
            self._known = json.loads(written)
        return self._known[name]

    def begin_anew(self) -> None:
        """Forget every decision, and the checkpoint that was trained by them."""
        shutil.rmtree(self.folder)
        self.folder.mkdir()
        self._known = {}


def _before(folder: Path) -> dict[str, Any]:
    """Versions before kept each decision in a file of its own."""
    names = ("project", "snapshot", "parent", "learned", "weights", "irrelevant", "pseudo", "validation")
    return {name: json.loads(note.read_bytes()) for name in names if (note := folder / f"{name}.json").exists()}
