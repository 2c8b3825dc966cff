"""What a coordinator and a site must have in common before they learn together; both sides check it.

Part of the program that Flower carries to its processes: only the standard library is imported here.
"""

from collections.abc import Mapping
from typing import Any

Terms = Mapping[str, Any]

MUST_AGREE = (
    ("version", "the version of medloop"),
    ("kind", "the kind of task"),
    ("labels", "the labels and their values"),
    ("channels", "the number of channels"),
    ("recipe_sha256", "the recipe"),
)
"""What is compared, and how it is called."""


def difference(wanted: Terms, offered: Terms) -> str:
    """The first thing in which a site differs, in words; "" where it fits."""
    for name, words in MUST_AGREE:
        if offered.get(name) != wanted[name]:
            return f"{words} must be {_shown(wanted[name])}, it has {_shown(offered.get(name))}"
    return ""


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name}={number}" for name, number in value.items()) or "none"
    return str(value)[:80]
