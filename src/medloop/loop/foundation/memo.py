"""What is slow to derive from blobs, kept beside the project: blobs never change, so a value once found stays right.

Lies in the work folder as JSON. Losing it costs time only; two processes that write at once keep the later one's.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from medloop.images.files import write_atomic
from medloop.loop.foundation.workspace import Workspace


class Memo:
    """Values by key; made by `memo`."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.values = values
        self.grown = False

    def get(self, key: str, make: Callable[[], Any]) -> Any:
        """The value of that key, made now if it was never made."""
        if key not in self.values:
            self.values[key] = make()
            self.grown = True
        return self.values[key]


@contextmanager
def memo(workspace: Workspace, name: str) -> Iterator[Memo]:
    """The project's memo of that name, written back at the end if it grew and the folder allows."""
    path = workspace.work_folder / f"{name}.json"
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        values = {}
    kept = Memo(values if isinstance(values, dict) else {})
    yield kept
    if kept.grown:
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(path, json.dumps(kept.values).encode(), mode=0o600)
