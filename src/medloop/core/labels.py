"""Names of labels that every later tool understands the same way."""

from collections.abc import Sequence

from medloop.core.errors import SettingError
from medloop.core.names import composed, folded
from medloop.core.records import TaskKind

TAKEN = {"background": "every mask has it already, as value 0", "ignore": "other tools take it for voxels that no training counts"}
"""Names with a meaning of their own in dataset.json, and which."""


def check_label_names(kind: TaskKind, names: Sequence[str]) -> tuple[str, ...]:
    """The names, composed and without blanks around them.

    Args:
        kind: Of the task; only masks have a background.
        names: In order of their values.

    Raises:
        SettingError: An empty or unprintable name, two that differ in letter case only, or one that other tools read as something else.
    """
    cleaned = tuple(composed(name.strip()) for name in names)
    met: dict[str, str] = {}
    for name in cleaned:
        if not name or not name.isprintable():
            raise SettingError(f"Label names must be non-empty, printable and different, got {', '.join(map(repr, cleaned))}")
        if kind == "segmentation" and folded(name) in TAKEN:
            raise SettingError(f"A label cannot be called {name!r}: {TAKEN[folded(name)]}", remedy="choose another name")
        if folded(name) in met:
            other = met[folded(name)]
            raise SettingError(f"Label names must be non-empty and different, got {other!r} and {name!r}", remedy="choose another name")
        met[folded(name)] = name
    return cleaned


def safe_label_names(names: Sequence[str]) -> tuple[str, ...]:
    """Names for a dataset.json, from value 1 on, whatever a project calls its labels; those that are no trouble stay as they are."""
    used = set(TAKEN)
    found = []
    for value, name in enumerate(names, start=1):
        safe, number = name, value
        while folded(safe) in used:
            safe, number = f"{name}_{number}", number + 1
        used.add(folded(safe))
        found.append(safe)
    return tuple(found)
