"""A table that adds patients, splits and authors to images found elsewhere: which row is whose.

A row names its image by path from the source or from its folder of images, by the case's name, or by the file's name
alone where only one image is called so. A row that could mean two images is an error, one that means none is named:
a lost row is a lost test split.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from medloop.core.errors import FormatError
from medloop.core.names import composed, first_named
from medloop.datasets.dataset import CaseSource, Refusal
from medloop.datasets.files import Root, split_suffix
from medloop.datasets.pairing import CaseList
from medloop.datasets.table import (
    COLUMNS,
    SPLIT_NAMES,
    Table,
    annotated_names,
    authorship,
    authorship_notes,
    named_frames_in,
    patient_in,
    pixel_size,
    read_table,
)

Row = Mapping[str, str]


def add_index(root: Root, cases: CaseList, file: str, images: str = ".") -> tuple[str, ...]:
    """Let a table beside the images add to the cases found so far.

    Args:
        root: The source.
        cases: Changed in place.
        file: Of the table, in the root; nothing happens without it.
        images: Folder of the images, from which rows may name them.

    Returns:
        Notes about the table.

    Raises:
        FormatError: A damaged table, a row that could mean several images, or two rows that say different things of one.
    """
    path = root.folder / file
    if not root.has(path):
        return ()
    table = read_table(path)
    if "image" not in table.columns:
        cases.refuse(file, f"a table needs a column for the image, one of {', '.join(COLUMNS['image'][:6])}", "none", "rename it")
        return ()
    rows = _rows_of(root, cases, table, images)
    for name, case in cases.found.items():
        missing = replace(case, notes=(*case.notes, f"{table.name} has no row for it"))
        cases.found[name] = _with_row(case, rows[name], table, cases) if name in rows else missing
    return (*table.notes, *_unread_labels(table))


def _unread_labels(table: Table) -> tuple[str, ...]:
    """Columns of labels that a table beside images has: it adds to cases and labels none."""
    unread = [table.columns[meaning] for meaning in ("label", "mask") if meaning in table.columns]
    remedy = "import the table itself for them"
    return (f"{table.name}: its labels are not read (column {', '.join(unread)}); {remedy}",) if unread else ()


def _rows_of(root: Root, cases: CaseList, table: Table, images: str) -> dict[str, Row]:
    """Case name → its row."""
    places = _Places(root, cases, images)
    rows: dict[str, tuple[int, Row]] = {}
    for line, row in table.numbered:
        met = places.meant(row["image"]) if row["image"] else ()
        if len(met) > 1:
            raise FormatError(
                f"{table.name} line {line}: {row['image']!r} could mean {len(met)} images ({first_named(met)})",
                remedy="write each with its folder, such as p1/scan.png",
            )
        if not met:
            cases.refused.append(_unmet(root, f"{table.name} line {line}", row["image"]))
        elif met[0] in rows and _said(rows[met[0]][1]) != _said(row):
            raise FormatError(
                f"{table.name}: lines {rows[met[0]][0]} and {line} say different things of {met[0]}", remedy="keep one of the two"
            )
        else:
            rows[met[0]] = (line, row)
    return {name: row for name, (_, row) in rows.items()}


def _unmet(root: Root, where: str, entry: str) -> Refusal:
    """Why a row met no case: its file is none of its own, or there is no such file."""
    path = root.entry(entry) if entry else None
    if isinstance(path, Path) and root.find(path):
        rule = "a row names an image of its own, this file is left out or is part of another case"
        return Refusal(where, rule, entry, "name the case or its first file, or drop the row")
    return Refusal(where, "a row needs its image", entry or "an empty cell", "correct the name or drop the row")


class _Places:
    """How a row may name each case."""

    def __init__(self, root: Root, cases: CaseList, images: str) -> None:
        self._exact: dict[str, set[str]] = defaultdict(set)
        self._stems: dict[str, set[str]] = defaultdict(set)
        self._flat: dict[str, set[str]] = defaultdict(set)
        for name, case in cases.found.items():
            key = _key(root.label(case.images[0]))
            below = key.removeprefix(f"{composed(images)}/")
            for said in {key, below, name}:
                self._exact[said].add(name)
            self._stems[key.rsplit("/", 1)[-1]].add(name)
            if "/" not in below:
                self._flat[below].add(name)

    def meant(self, entry: str) -> Sequence[str]:
        """Cases that an entry could mean."""
        key = _key(entry)
        tails = [key.split("/", n)[-1] for n in range(key.count("/") + 1)]
        for tail in tails[: max(1, len(tails) - 1)]:
            if tail in self._exact:
                return sorted(self._exact[tail])
        return sorted((self._flat if "/" in key else self._stems).get(tails[-1], ()))


def _key(path: str) -> str:
    """A path as rows and cases have it in common: composed, with forward slashes, without suffix."""
    plain = composed(path.strip()).replace("\\", "/").removeprefix("./")
    return split_suffix(plain)[0]


def _said(row: Row) -> dict[str, str]:
    return {meaning: cell for meaning, cell in row.items() if meaning != "image"}


def _with_row(case: CaseSource, row: Row, table: Table, cases: CaseList) -> CaseSource:
    split = SPLIT_NAMES.get(row.get("split", "").lower())
    if row.get("split") and split is None:
        cases.refuse(table.name, f"the split of {case.name} is train, validation or test", row["split"], "it was ignored")
    try:
        size = pixel_size(row.get("pixel_mm", ""))
    except ValueError:
        size = None
        cases.refuse(table.name, f"the pixel size of {case.name} is a length in mm", row["pixel_mm"], "it was ignored")
    try:
        frames = named_frames_in(row)
    except ValueError as error:
        frames = ()
        rule = f"the named frames of {case.name} are names of the template, each once, with a number from 1"
        cases.refuse(table.name, rule, str(error), "they were ignored; write them as end-diastole=1; end-systole=9")
    patient, notes = patient_in(table, row)
    made = authorship(row)
    return replace(
        case,
        patient=patient or case.patient,
        split=split or case.split,
        stratum=row.get("stratum", ""),
        pixel_mm=size,
        annotator=made.annotator,
        annotated_at=made.at,
        effort_seconds=made.seconds,
        untouched=made.untouched,
        annotated=annotated_names(row),
        frames=frames,
        notes=(*case.notes, *notes, *authorship_notes(table, row)),
    )
