"""Volumes for tools that read NRRD or MetaImage: 3D Slicer's segmentations with names and colours, and label maps as `.mha`.

`images/`, `labels/` and `index.csv` lie as in the format nifti; an import reads them back, voxels, positions and names alike.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TypeAlias

from medloop.core.image import Image, Mask
from medloop.datasets.export import ALONE, Regions, finish_plain, region_masks
from medloop.datasets.export_tally import ExportCase, Exported, ExportTally
from medloop.datasets.staging import NOTHING, FileNames, staged_folder
from medloop.images.metaimage import write_metaimage
from medloop.images.nrrd_write import write_nrrd, write_seg_nrrd
from medloop.images.segments import Segment

Colours: TypeAlias = Mapping[str, tuple[float, ...]]
"""Name of a label → red, green and blue, 0..1."""

NO_COLOURS: Colours = MappingProxyType({})

_Draw: TypeAlias = Callable[[Path, str, ExportCase, Mask], None]


def export_nrrd(
    cases: Iterable[ExportCase],
    folder: Path,
    labels: Sequence[str],
    *,
    regular_grid: bool = False,
    beside: Mapping[str, str] = NOTHING,
    regions: Regions = ALONE,
    colours: Colours = NO_COLOURS,
) -> Exported:
    """`images/CASE.nrrd` and `labels/CASE.seg.nrrd`: a segment for each label that the case annotates, in layers where labels are nested.

    See `export_msd` for arguments and errors; `colours` are drawn by 3D Slicer.
    """
    numbered = {value: name for value, name in enumerate(labels, start=1) if not regions or value in regions}
    segments = [Segment(name, value, colour=colours.get(name, ())) for value, name in numbered.items()]

    def drawn(out: Path, name: str, case: ExportCase, mask: Mask) -> None:
        said = [one for one in segments if not case.annotated or one.name in case.annotated]
        write_seg_nrrd(out / "labels" / f"{name}.seg.nrrd", mask, said, regions)

    tally = ExportTally(regular_grid)
    with staged_folder(folder, beside) as out:
        _write_cases(tally, out, cases, ".nrrd", write_nrrd, drawn)
        return finish_plain(tally, out, folder, labels)


def export_mha(
    cases: Iterable[ExportCase],
    folder: Path,
    labels: Sequence[str],
    *,
    regular_grid: bool = False,
    beside: Mapping[str, str] = NOTHING,
    regions: Regions = ALONE,
) -> Exported:
    """`images/CASE.mha` and `labels/CASE.mha`; where labels lie inside others, `regions/NAME/` has a mask of each, as in `export_nifti`.

    See `export_msd` for arguments and errors.
    """
    names = FileNames()
    folders = {value: names.of(label) for value, label in enumerate(labels, start=1)}

    def drawn(out: Path, name: str, case: ExportCase, mask: Mask) -> None:
        write_metaimage(out / "labels" / f"{name}.mha", mask)
        for value, alone in region_masks(case, mask, labels, regions):
            place = out / "regions" / folders[value]
            place.mkdir(parents=True, exist_ok=True)
            write_metaimage(place / f"{name}.mha", alone)

    tally = ExportTally(regular_grid)
    with staged_folder(folder, beside) as out:
        _write_cases(tally, out, cases, ".mha", write_metaimage, drawn)
        return finish_plain(tally, out, folder, labels)


def _write_cases(
    tally: ExportTally, out: Path, cases: Iterable[ExportCase], suffix: str, write: Callable[[Path, Image], None], drawn: _Draw
) -> None:
    for place in ("images", "labels"):
        (out / place).mkdir()
    for given in cases:
        plain = replace(given, source=replace(given.source, nifti_header=""))  # what a NIfTI header says odd goes nowhere
        case, name = tally.take(plain)
        write(out / "images" / f"{name}{suffix}", case.image)
        if case.mask is not None:
            drawn(out, name, case, case.mask)
        tally.row(case, f"{name}{suffix}")
