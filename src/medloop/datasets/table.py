"""Tables beside images: rows by column meaning, whatever the columns are called."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from medloop.core.errors import FormatError
from medloop.core.names import first_named
from medloop.core.patients import is_placeholder, is_zero
from medloop.core.records import Split, time_text
from medloop.datasets.files import read_list
from medloop.datasets.staging import unshielded

SUBGROUP = "subgroup "
SUBGROUPS: Mapping[str, tuple[str, ...]] = {
    "scanner": ("scanner", "scanner_model"),
    "manufacturer": ("manufacturer", "vendor"),
    "site": ("site", "centre", "center", "hospital"),
    "sex": ("sex", "gender"),
    "age group": ("age_group",),
}
"""Attribute by which patients fall into subgroups → accepted column names."""

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "image": ("image", "filename", "file", "image_path", "path", "file_name", "image_file", "image_id", "name"),
    "label": ("label", "class", "target", "diagnosis", "category", "tag", "finding"),
    "mask": ("mask", "mask_path", "segmentation", "annotation"),
    "patient": ("patient", "patient_id", "group_id", "group", "subject", "subject_id", "participant_id", "case_id"),
    "split": ("split", "subset", "fold_name"),
    "stratum": ("stratum", "site", "scanner"),
    "pixel_mm": ("pixel_mm", "pixel_size_mm", "pixel_spacing_mm"),
    "annotator": ("annotator",),
    "annotated_at": ("annotated_at",),
    "effort_seconds": ("effort_seconds",),
    "untouched": ("untouched_proposal",),
    "annotated": ("annotated", "annotated_labels"),
    "frames": ("named_frames", "frames", "named_slices"),
    **{f"{SUBGROUP}{name}": names for name, names in SUBGROUPS.items()},
}
"""Meaning → accepted column names, first match wins; letter case and spaces do not matter."""

SPLIT_NAMES: Mapping[str, Split] = {
    "train": "train",
    "training": "train",
    "tr": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
    "ts": "test",
    "audit": "audit",
}


MAX_EFFORT_SECONDS = 24 * 3600.0


@dataclass(frozen=True)
class Table:
    """A CSV by meaning.

    Attributes:
        name: File name.
        columns: Meaning → column header, for the meanings that were found.
        rows: Cells by meaning; every row has every found meaning.
        unused: Column headers whose meaning is not known, or is another column's already.
        lines: Where each row ends in the file, counted from 1 as an editor does.
    """

    name: str
    columns: Mapping[str, str]
    rows: Sequence[Mapping[str, str]]
    unused: tuple[str, ...] = ()
    lines: tuple[int, ...] = ()

    @property
    def numbered(self) -> tuple[tuple[int, Mapping[str, str]], ...]:
        """Every row with its line in the file."""
        return tuple(zip(self.lines, self.rows, strict=True))

    @property
    def notes(self) -> tuple[str, ...]:
        """What of the table is not read, in words."""
        if not self.unused:
            return ()
        shown = first_named(self.unused)
        return (f"{self.name}: columns that are not read: {shown}; docs/formats.md lists the names that are",)


def read_table(path: Path) -> Table:
    """Read a CSV with a header line; comma, semicolon or tab.

    Raises:
        FormatError: Not UTF-8 text, no header, or a broken line.
    """
    lines = io.StringIO(read_list(path), newline="")
    try:
        reader = csv.reader(lines, delimiter=_delimiter(lines))
        numbered = [(reader.line_num, row) for row in reader]
    except csv.Error as error:
        raise FormatError(f"{path.name}: must be a table of comma-separated values ({error})", remedy="save it again as CSV") from None
    if not numbered or not any(cell.strip() for cell in numbered[0][1]):
        raise FormatError(f"{path.name}: needs a header line, got an empty one", remedy="name the columns, such as image,label,patient")
    header = [cell.strip() for cell in numbered[0][1]]
    places = _places(header)
    filled = [(line, row) for line, row in numbered[1:] if any(cell.strip() for cell in row)]
    cells = [{meaning: _cell(row, at) for meaning, at in places.items()} for _, row in filled]
    unused = tuple(cell for at, cell in enumerate(header) if cell and at not in places.values())
    lines_of = tuple(line for line, _ in filled)
    return Table(path.name, {meaning: header[at] for meaning, at in places.items()}, cells, unused, lines_of)


def _cell(row: Sequence[str], at: int) -> str:
    return unshielded(row[at].strip()) if at < len(row) else ""


def _delimiter(lines: io.StringIO) -> str:
    first = lines.readline()
    lines.seek(0)
    return max(",;\t", key=first.count)


def _places(header: Sequence[str]) -> dict[str, int]:
    keys = [cell.lower().replace(" ", "_").replace("-", "_") for cell in header]
    found: dict[str, int] = {}
    for meaning, names in COLUMNS.items():
        place = next((keys.index(name) for name in names if name in keys), None)
        if place is not None:
            found[meaning] = place
    return found


def pixel_size(cell: str) -> float | None:
    """A pixel size in mm; None for an empty cell.

    Raises:
        ValueError: Not a number within 1e-6 to 1000 mm.
    """
    if not cell:
        return None
    value = float(cell)
    if not 1e-6 <= value <= 1000:
        raise ValueError(cell)
    return value


def patient_in(table: Table, row: Mapping[str, str]) -> tuple[str, tuple[str, ...]]:
    """The patient of a row, "" where its cell names nobody, and what is to be said of it.

    A lone 0 is a person like 1 and 2, unless every row says 0.
    """
    cell = row.get("patient", "")
    if not cell:
        return "", ()
    if is_zero(cell):
        nobody = len(table.rows) > 1 and all(is_zero(other["patient"]) or not other["patient"] for other in table.rows)
    else:
        nobody = is_placeholder(cell)
    if not nobody:
        return cell, ()
    return "", (f"its patient in {table.name} is {cell!r}, which names nobody; the name or the image stands for the patient",)


class Authorship(NamedTuple):
    """Who made a row's label, when, in how many seconds, and how much of a model's proposal stands in it untouched, 0..1.

    What is not given or not valid is "", None, 0 and None; a share that cannot be read counts as all of it.
    """

    annotator: str
    at: str | None
    seconds: float
    untouched: float | None


def authorship(row: Mapping[str, str]) -> Authorship:
    """What a row says about where its label comes from."""
    share, seconds = row.get("untouched", ""), _seconds_or_none(row.get("effort_seconds", "")) or 0.0
    return Authorship(row.get("annotator", ""), _time(row.get("annotated_at", "")), seconds, _share(share) if share else None)


def _share(cell: str) -> float:
    try:
        value = float(cell)
    except ValueError:
        return 1.0
    return value if 0 <= value <= 1 else 1.0


def annotated_names(row: Mapping[str, str]) -> tuple[str, ...] | None:
    """Names of the labels that a row's mask annotates, `liver; spleen` or a JSON list; None for an empty cell."""
    cell = row.get("annotated", "")
    if not cell:
        return None
    if cell.startswith("["):
        try:
            given = json.loads(cell)
        except (ValueError, RecursionError):
            return (cell,)
        return tuple(str(name) for name in given) if isinstance(given, list) else (cell,)
    return split_names(cell)


def named_frames_in(row: Mapping[str, str]) -> tuple[tuple[str, int], ...]:
    """Where a row puts names of a template: `end-diastole=1; end-systole=9`, frames or slices counted from 1; given from 0.

    Raises:
        ValueError: Another cell.
    """
    found: dict[str, int] = {}
    for part in split_names(row.get("frames", "")):
        name, sign, number = (one.strip() for one in part.rpartition("="))
        if not (name and sign) or not number.isascii() or not number.isdecimal() or len(number) > 6 or name in found:
            raise ValueError(part)
        found[name] = int(number) - 1
    return tuple(found.items())


def split_names(text: str) -> tuple[str, ...]:
    """Names between semicolons or, without any, between commas."""
    return tuple(name.strip() for name in text.split(";" if ";" in text else ",") if name.strip())


def annotated_cell(names: Sequence[str]) -> str:
    """A cell that `annotated_names` reads back."""
    plain = not any(set(name) & set(";,") or name.startswith("[") or name != name.strip() for name in names)
    return "; ".join(names) if plain else json.dumps(list(names), ensure_ascii=False)


def authorship_notes(table: Table, row: Mapping[str, str]) -> tuple[str, ...]:
    """Cells about a label's making that are not valid and therefore not kept."""
    faults = (
        ("annotated_at", _time, "no time such as 2026-03-12T14:05:00 (ISO 8601)"),
        ("effort_seconds", _seconds_or_none, "no number of seconds within a day"),
    )
    at = _moment(row.get("annotated_at", ""))
    future: tuple[str, ...] = ()
    if at is not None and at > datetime.now(UTC):
        future = (f"its {table.columns['annotated_at']} in {table.name} lies in the future; the time of the import is kept",)
    return future + tuple(
        f"its {table.columns[meaning]} in {table.name} is {cell[:40]!r}, {fault}; it is not kept"
        for meaning, read, fault in faults
        if (cell := row.get(meaning, "")) and read(cell) is None
    )


def _moment(cell: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(cell)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _time(cell: str) -> str | None:
    at = _moment(cell)
    return None if at is None else time_text(min(at, datetime.now(UTC)))


def _seconds_or_none(cell: str) -> float | None:
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if 0 <= value <= MAX_EFFORT_SECONDS else None
