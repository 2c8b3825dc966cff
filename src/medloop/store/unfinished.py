"""Files that a killed process left half written (`….tmp`): swept at the next start, never while their writer lives.

A writer holds a lock on its temporary file, as the writers of blobs do.
"""

from pathlib import Path

from medloop.store.blobs import remove_if_abandoned

SUFFIX = ".tmp"


def unfinished(folder: Path) -> list[Path]:
    """Half-written files below a folder."""
    return sorted(path for path in folder.rglob(f"*{SUFFIX}") if path.is_file() and not path.is_symlink()) if folder.is_dir() else []


def sweep_unfinished(folder: Path) -> int:
    """Remove those whose writer is gone; how many."""
    return sum(remove_if_abandoned(path) for path in unfinished(folder))
