"""Annotations as DICOM objects in a folder, one a case, each pointing at the series that its case came from."""

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeAlias

from medloop.core.errors import InputError
from medloop.core.labels import nested_regions
from medloop.core.names import brief_lines
from medloop.core.records import Label
from medloop.datasets.dicom_objects.references import Originals, Referenced, referenced, require_highdicom
from medloop.datasets.dicom_objects.segmentation import write_segmentation
from medloop.datasets.dicom_objects.structures import write_structures
from medloop.datasets.export_tally import TABLE_COLUMNS, ExportCase, Exported, ExportTally
from medloop.datasets.files import SIDECAR
from medloop.datasets.staging import staged_folder, write_rows

_PSEUDONYM = "patient, study and UIDs of the objects are the project's pseudonyms; --source DIR takes them from the original files"


@dataclass(frozen=True)
class Wanted:
    """What every object of an export has in common.

    Attributes:
        labels: Of the task.
        serial: What tells this project from others.
        originals: Where patient and study are taken from; None for the pseudonym.
        beside: Further files by name, with their text.
    """

    labels: Sequence[Label]
    serial: str
    originals: Originals | None = None
    beside: Mapping[str, str] = field(default_factory=dict)


ObjectWriter: TypeAlias = Callable[[ExportCase, Referenced, Wanted], Any]


def _segmentation(case: ExportCase, source: Referenced, wanted: Wanted) -> Any:
    return write_segmentation(case, source, wanted.labels, kind="BINARY", serial=wanted.serial)


def _labelmap(case: ExportCase, source: Referenced, wanted: Wanted) -> Any:
    return write_segmentation(case, source, wanted.labels, kind="LABELMAP", serial=wanted.serial)


def _structures(case: ExportCase, source: Referenced, wanted: Wanted) -> Any:
    return write_structures(case, source, wanted.labels)


def export_objects(cases: Iterable[ExportCase], folder: Path, wanted: Wanted, *, write: ObjectWriter) -> Exported:
    """`CASE.dcm` for every case that came from DICOM, and `medloop.csv`; other cases are named and left out.

    Args:
        cases: Read one at a time.
        folder: New or empty.
        wanted: What the objects have in common.
        write: What makes one of them.

    Raises:
        InputError: No case can be written.
        ConflictError: The folder is not empty.
        StorageError: The disk refuses.
    """
    require_highdicom()
    tally, left_out = ExportTally(), list[str]()
    with staged_folder(folder, wanted.beside) as out:
        for given in cases:
            try:
                made = _made(given, wanted, write)
            except InputError as error:
                left_out.append(f"left out: {error.message}; {error.remedy}")
                continue
            case, name = tally.take(given)
            made.save_as(out / f"{name}.dcm", enforce_file_format=True)
            tally.row(case, f"{name}.dcm")
        if not tally.cases:
            raise InputError(
                left_out[0].removeprefix("left out: ") if left_out else "An export needs at least one case, got none",
                remedy="import a DICOM series",
            )
        tally.remarks.clear()  # grids that ITK does not read are no trouble here: every slice has its own place
        tally.notes += brief_lines({"left out": left_out})
        if wanted.originals is None:
            tally.notes.append(_PSEUDONYM)
        if write is _labelmap and nested_regions(wanted.labels):
            tally.notes.append("a labelmap has one label a voxel, the innermost one; dicom-seg holds the whole of each label")
        write_rows(out / SIDECAR, ("filename", *TABLE_COLUMNS), tally.rows)
        return tally.result(folder)


def _made(case: ExportCase, wanted: Wanted, write: ObjectWriter) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom warns of UIDs that a source has broken, highdicom of one-word names
        return write(case, referenced(case, wanted.originals), wanted)


OBJECT_EXPORTERS: Mapping[str, Callable[[Iterable[ExportCase], Path, Wanted], Exported]] = MappingProxyType(
    {
        "dicom-seg": partial(export_objects, write=_segmentation),
        "dicom-labelmap": partial(export_objects, write=_labelmap),
        "rtstruct": partial(export_objects, write=_structures),
    }
)
