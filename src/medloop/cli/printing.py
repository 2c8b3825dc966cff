"""What commands print: JSON documents, and tables that stay readable in a pipe."""

import dataclasses
import json
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any

import typer


def print_json(document: object) -> None:
    """One JSON document on stdout; records become objects, paths text."""
    typer.echo(json.dumps(plain(document), indent=2, ensure_ascii=False, allow_nan=False))


def plain(value: object) -> Any:
    """A value as JSON knows it; what JSON cannot hold becomes text, and numbers that are none become null."""
    if isinstance(value, Enum):
        return value.value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        items = sorted(value) if isinstance(value, (set, frozenset)) else value
        return [plain(one) for one in items]
    if isinstance(value, float):
        return value if value == value and abs(value) != float("inf") else None
    return value if value is None or isinstance(value, (str, int, bool)) else str(value)


def print_table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Columns padded with spaces; the last one as long as it is."""
    cells = [list(head), *([str(cell) for cell in row] for row in rows)]
    widths = [max(len(line[n]) for line in cells) for n in range(len(head))]
    for line in cells:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def say(text: str) -> None:
    """A line for people, on stderr, so that stdout holds results only."""
    typer.echo(text, err=True)


def tell(document: object, as_text: Callable[[], None], *, as_json: bool) -> None:
    """One JSON document, or what `as_text` prints of it."""
    if as_json:
        print_json(document)
    else:
        as_text()
