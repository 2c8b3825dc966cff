"""Exports of pictures with shapes: which cases a picture can hold, and the parts of each label as regions of it."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

import numpy as np

from medloop.core.arrays import BoolArray
from medloop.core.errors import InputError
from medloop.core.names import counted, first_named
from medloop.datasets.export import Regions
from medloop.datasets.export_tally import TABLE_COLUMNS, ExportCase, Exported, ExportTally
from medloop.datasets.files import SIDECAR
from medloop.datasets.staging import staged_folder, write_rows
from medloop.images.raster import png_bytes

Colours: TypeAlias = Mapping[str, str]
"""Name of a label → #rrggbb."""


@dataclass(frozen=True)
class PictureOut:
    """One picture that is written.

    Attributes:
        number: From 1, in the order of the export.
        name: Of the case.
        file: From the export's folder.
        size: Columns and rows.
        case: As it is written.
        planes: Name of each label that is there → its pixels, (columns, rows).
        values: Name of each label → its mask value.
    """

    number: int
    name: str
    file: str
    size: tuple[int, int]
    case: ExportCase
    planes: Mapping[str, BoolArray]
    values: Mapping[str, int]


Write: TypeAlias = Callable[[Path, list[str], Iterator[PictureOut], ExportTally], None]
"""Writes the document into a folder: names of the labels, pictures one by one, and what takes notes."""


def export_pictures(
    cases: Iterable[ExportCase], folder: Path, labels: Sequence[str], *, beside: Mapping[str, str], regions: Regions, write: Write
) -> Exported:
    """Write every case that is a picture as PNG into `images/`, and what `write` says of them; volumes are left out by name.

    Args:
        cases: Read one at a time.
        folder: New or empty.
        labels: Names of the mask values 1, 2, … in order, or the names of classes.
        beside: Further files by name, with their text.
        regions: Labels with what lies inside them; a shape of a label holds all of its pixels.
        write: Makes the document.

    Raises:
        ConflictError: The folder is not empty.
        InputError: No case is a picture.
        StorageError: The disk refuses.
    """
    tally, left_out = ExportTally(), list[str]()
    held = {name: regions.get(value, (value,)) for value, name in enumerate(labels, start=1) if not regions or value in regions}
    with staged_folder(folder, beside) as out:
        (out / "images").mkdir()
        write(out, list(held), _drawn(out, cases, held, tally, left_out), tally)
        if left_out and not tally.cases:
            raise InputError(
                f"{counted(len(left_out), 'case')} are volumes or have values that no PNG holds, and this format is of pictures",
                remedy="export as nifti, nrrd, mha or nnunet",
            )
        if left_out:
            rule = "no pictures (volumes, or values that no PNG holds), left out"
            tally.notes.append(f"{counted(len(left_out), 'case')}: {rule}: {first_named(left_out)}")
        done = tally.result(folder)
        write_rows(out / SIDECAR, ("filename", *TABLE_COLUMNS), tally.rows)
    return done


def _drawn(
    out: Path, cases: Iterable[ExportCase], held: Mapping[str, Sequence[int]], tally: ExportTally, left_out: list[str]
) -> Iterator[PictureOut]:
    for given in cases:
        if not is_picture(given):
            left_out.append(given.name)
            continue
        case, name = tally.take(replace(given, source=replace(given.source, nifti_header="")))
        file = f"images/{name}.png"
        (out / file).write_bytes(png_bytes(case.image.array))
        tally.row(case, file)
        columns, rows, _ = case.image.grid.shape
        yield PictureOut(tally.cases, case.name, file, (columns, rows), case, planes_of(case, held), {n: v[0] for n, v in held.items()})


def is_picture(case: ExportCase) -> bool:
    """Whether a PNG holds a case's image, value for value."""
    grey = case.image.channels == 1 and case.image.array.dtype.name in ("uint8", "uint16")
    colour = case.image.channels == 3 and case.image.array.dtype.name == "uint8"
    return case.image.grid.is_2d and case.image.grid.shape[2] == 1 and (grey or colour)


def planes_of(case: ExportCase, held: Mapping[str, Sequence[int]]) -> dict[str, BoolArray]:
    """Name of each label that a case annotates and has → its pixels, (columns, rows)."""
    if case.mask is None:
        return {}
    mask = np.ascontiguousarray(case.mask.array[:, :, 0])
    there = set(np.unique(mask).tolist()) - {0}
    wanted = {name: there & set(values) for name, values in held.items() if not case.annotated or name in case.annotated}
    return {name: np.isin(mask, sorted(values)) for name, values in wanted.items() if values}
