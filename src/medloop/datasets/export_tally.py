"""What every export keeps while it writes: cases taken one by one, made readable where asked, and told about.

A case is written as it is kept, unless the layout's readers refuse its grid or its header; then it is made regular, refused or named.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from medloop.core.errors import InputError
from medloop.core.image import Image, Mask
from medloop.core.labels import safe_label_names
from medloop.core.names import first_named
from medloop.core.records import Source, Split
from medloop.datasets.channels import common_channels, named_channels
from medloop.datasets.drawing import pixel_mm
from medloop.datasets.objects import DrawnObjects
from medloop.datasets.regular import header_trouble, is_sheared, made_regular
from medloop.datasets.staging import FileNames
from medloop.datasets.table import annotated_cell
from medloop.images.notes import grouped_notes

TABLE_COLUMNS = (
    "patient_id",
    "split",
    "stratum",
    "pixel_size_mm",
    "annotator",
    "annotated_at",
    "effort_seconds",
    "untouched_proposal",
    "annotated",
)
"""Columns of the table beside every export, after the file's name; an import reads them back."""

_SHEARED = "its voxel axes are not at right angles (a tilted gantry or a shear), which ITK and nnU-Net refuse"


@dataclass(frozen=True)
class ExportCase:
    """One case to write.

    Attributes:
        name: Becomes the file name, made safe.
        patient: Pseudonymous.
        split: Decides the list or folder it goes to.
        image: Intensities.
        mask: Its answer, None when there is none.
        tag: Name of its class, None when there is none.
        source: Where it came from; decides the mask's header and whether pictures stay pictures.
        stratum: Key that a stratified split balances; "" when none.
        annotator: Who made the answer, "" when unknown.
        annotated_at: When, ISO 8601; "" when unknown.
        effort_seconds: How long it took; 0 when unknown.
        untouched: Share of a model's proposal that stands in it untouched, 0..1; None for one made without a model.
        annotated: Names of the labels that the mask annotates; () for all.
        objects: Which objects of the mask were drawn one by one, where they are kept apart; None where only labels count.
    """

    name: str
    patient: str
    split: Split
    image: Image
    mask: Mask | None
    tag: str | None
    source: Source
    stratum: str = ""
    annotator: str = ""
    annotated_at: str = ""
    effort_seconds: float = 0.0
    untouched: float | None = None
    annotated: tuple[str, ...] = ()
    objects: DrawnObjects | None = None


@dataclass(frozen=True)
class Exported:
    """What an export wrote.

    Attributes:
        folder: Where.
        cases: How many images.
        answers: How many of them with a mask or a class.
        notes: What whoever reads it must know.
    """

    folder: Path
    cases: int
    answers: int
    notes: tuple[str, ...] = ()


@dataclass
class ExportTally:
    """An export while it is written.

    Args:
        regular: Whether grids and headers that ITK refuses are made ones that it reads.
    """

    regular: bool = False
    names: FileNames = field(default_factory=FileNames)
    cases: int = 0
    answers: int = 0
    channels: int = 1
    channel_names: list[tuple[str, ...]] = field(default_factory=list)
    remarks: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    renamed: list[tuple[str, str]] = field(default_factory=list)

    def take(self, case: ExportCase, *, plain: bool = False) -> tuple[ExportCase, str]:
        """The case as it is to be written, and its file name; counts it.

        Args:
            case: As it is kept.
            plain: Whether it must be readable by ITK: then sheared axes are refused and odd headers written anew.
        """
        if case.mask is not None:
            case.mask.grid.require_same(case.image.grid, f"{case.name}: the mask")
        self.cases += 1
        self.answers += case.mask is not None or case.tag is not None
        self.channels = max(self.channels, case.image.channels)
        self.channel_names.append(named_channels(case.source, case.image.channels))
        name = self.names.of(case.name)
        if name != case.name:
            self.renamed.append((case.name, name))
        return self._readable(case, plain), name

    def _readable(self, case: ExportCase, plain: bool) -> ExportCase:
        sheared, header = is_sheared(case.image.grid), header_trouble(case.source, case.image.grid)
        if not sheared and not header:
            return case
        if sheared and not self.regular:
            if plain:
                raise InputError(f"{case.name}: {_SHEARED}", remedy="export with --regular-grid, or as nifti")
            self.remarks.append((case.name, (f"{_SHEARED}; --regular-grid resamples them",)))
            return case
        if not (self.regular or plain):
            self.remarks.append((case.name, (f"{header}, which ITK and nnU-Net do not read so; --regular-grid writes another",)))
            return case
        done = made_regular(case.name, case.image, case.mask, case.source)
        what = "its voxel axes were not at right angles; image and mask are resampled to a regular grid" if sheared else ""
        what += ", drawn objects are not, and every separate part is one" if what and case.objects and case.objects.labels else ""
        self.remarks.append((case.name, (what or f"{header}; it is written anew as NIfTI-1, voxels unchanged",)))
        return replace(case, image=done.image, mask=done.mask, source=done.source, objects=self._on_new_grid(case, sheared=sheared))

    @staticmethod
    def _on_new_grid(case: ExportCase, *, sheared: bool) -> DrawnObjects | None:
        """Objects that were drawn one by one are not resampled: there every separate part is one."""
        if case.objects is None or not sheared:
            return case.objects
        return DrawnObjects(np.zeros((0, 0, 0), dtype=np.uint16))

    def row(self, case: ExportCase, file: str, *more: str) -> None:
        """Keep who, when and which split for the table beside the images."""
        effort = f"{case.effort_seconds:.3f}".rstrip("0").rstrip(".") if case.effort_seconds else ""
        share = "" if case.untouched is None else f"{case.untouched:.4g}"
        split = case.split if case.mask is not None or case.tag is not None else ""  # the others are drawn anew wherever they go
        told = [
            case.patient,
            split,
            case.stratum,
            pixel_mm(case.image),
            case.annotator,
            case.annotated_at,
            effort,
            share,
            annotated_cell(case.annotated),
        ]
        self.rows.append([file, *more, *told])

    def result(self, folder: Path) -> Exported:
        """The summary.

        Raises:
            InputError: Nothing was written.
        """
        if self.cases == 0:
            raise InputError("An export needs at least one case, got none", remedy="import cases first")
        notes = (*(str(note) for note in grouped_notes(self.remarks)), *self.notes, *_renamed(self.renamed))
        return Exported(folder, self.cases, self.answers, notes)


def _renamed(pairs: Sequence[tuple[str, str]]) -> tuple[str, ...]:
    """Cases whose names cannot be file names on every system, with the names they have in the export."""
    if not pairs:
        return ()
    shown = first_named([f"{name!r} is {other!r}" for name, other in pairs])
    return (f"names that no file can have on every system are changed ({len(pairs)} of them): {shown}",)


@dataclass(frozen=True)
class DatasetNames:
    """What a dataset.json calls channels and labels, in order."""

    channels: tuple[str, ...]
    labels: tuple[str, ...]


def dataset_names(tally: ExportTally, labels: Sequence[str]) -> DatasetNames:
    """What dataset.json calls channels and labels; names that other tools take for something else are changed, and said."""
    channels, notes = common_channels(tally.channel_names, tally.channels)
    safe = safe_label_names(labels)
    changed = [f"{name!r} is {other!r}" for name, other in zip(labels, safe, strict=True) if name != other]
    tally.notes += notes
    if changed:
        tally.notes.append(f"labels whose names mean something else in dataset.json are renamed there: {', '.join(changed)}")
    return DatasetNames(channels, safe)
