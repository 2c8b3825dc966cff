"""What an export wrote, and telling the audit of it."""

import logging
from dataclasses import dataclass
from pathlib import Path

from medloop.core.records import Json
from medloop.loop.foundation.workspace import Workspace

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class ExportReport:
    """What was written where; the notes say, a line each, what was left out and why, and what else a reader should know."""

    folder: Path
    format: str
    cases: int
    notes: tuple[str, ...] = ()


def note_export(workspace: Workspace, actor: str, noun: str, noun_id: str, body: Json) -> None:
    """Tell the audit, unless the project can only be read: then the log says that it was not told."""
    if workspace.store.read_only:
        _LOG.warning("The audit does not tell of this export: %s", workspace.store.read_only)
        return
    with workspace.store.write(actor) as tx:
        tx.record("export", noun, noun_id, body)
