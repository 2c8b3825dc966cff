"""COCO's instances of a project: one for each object or separate part of a label on a picture, as run lengths or as polygons.

Run lengths are exact. Polygons go along the edges of pixels, holes joined to their outline by a level edge: filled by medloop and by
pycocotools they give the very same pixels, while programs that draw through the centres of corner pixels may differ along edges.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from scipy import ndimage

from medloop.core.arrays import BoolArray, ObjectNumbers
from medloop.datasets.export import ALONE, Exporter, Regions
from medloop.datasets.export_tally import ExportCase, Exported, ExportTally
from medloop.datasets.objects import divided
from medloop.datasets.shapes.pictures_out import PictureOut, export_pictures
from medloop.datasets.staging import NOTHING
from medloop.images.shapes.outlines import outline, parts_of
from medloop.images.shapes.runs import coco_runs, packed_lengths

DOCUMENT = "annotations.json"
_OBJECTS_NOTE = "every object that was drawn as one is one instance, and every separate part that was not"
_PARTS_NOTE = "masks know labels and no instances: every separate part of a label is written as one instance"


def export_coco(
    cases: Iterable[ExportCase],
    folder: Path,
    labels: Sequence[str],
    *,
    regular_grid: bool = False,  # noqa: ARG001  # a picture's grid is regular
    beside: Mapping[str, str] = NOTHING,
    regions: Regions = ALONE,
    polygons: bool = False,
) -> Exported:
    """`images/CASE.png` and annotations.json; see `export_pictures` for arguments and errors.

    Args:
        cases: Read one at a time.
        folder: New or empty.
        labels: Names of the mask values 1, 2, … in order.
        regular_grid: Of no use here.
        beside: Further files by name, with their text.
        regions: Labels with what lies inside them.
        polygons: Whether segmentations are polygons; else run lengths.
    """
    return export_pictures(cases, folder, labels, beside=beside, regions=regions, write=partial(_write, polygons=polygons))


def _write(out: Path, labels: list[str], pictures: Iterator[PictureOut], tally: ExportTally, *, polygons: bool) -> None:
    numbers = {name: value for value, name in enumerate(labels, start=1)}
    images, count, apart = list[dict[str, Any]](), 0, False
    with (out / "annotations.part").open("w", encoding="utf-8") as parts:  # written as it comes: an export may be larger than the memory
        for picture in pictures:
            wide, high = picture.size
            apart = apart or picture.case.objects is not None
            images.append({"id": picture.number, "file_name": picture.file, "width": wide, "height": high})
            for name, plane in picture.planes.items():
                for annotation in _instances(plane, _drawn(picture, name), polygons=polygons):
                    count += 1
                    told = {"id": count, "image_id": picture.number, "category_id": numbers[name], "iscrowd": 0, **annotation}
                    parts.write(f"{',' if count > 1 else ''}\n{json.dumps(told, separators=(',', ':'))}")
    categories = [{"id": value, "name": name, "supercategory": ""} for name, value in numbers.items()]
    head = json.dumps({"info": {"description": "medloop"}, "licenses": [], "images": images, "categories": categories}, ensure_ascii=False)
    with (out / DOCUMENT).open("w", encoding="utf-8") as document, (out / "annotations.part").open(encoding="utf-8") as parts:
        document.write(f'{head[:-1]}, "annotations": [')
        for line in parts:
            document.write(line)
        document.write("]}\n")
    (out / "annotations.part").unlink()
    if count:
        tally.notes.append(_OBJECTS_NOTE if apart else _PARTS_NOTE)


def _drawn(picture: PictureOut, label: str) -> ObjectNumbers | None:
    """Objects of a label that were drawn one by one, (columns, rows); None where only labels count, or nobody drew any."""
    objects = picture.case.objects
    found = objects.of_label(picture.values[label]) if objects else None
    return None if found is None else found[:, :, 0]


def _instances(plane: BoolArray, drawn: ObjectNumbers | None, *, polygons: bool) -> Iterator[dict[str, Any]]:
    columns, rows = plane.shape
    for part, (left, top) in objects_in(plane, drawn):
        wide, high = part.shape
        told: dict[str, Any] = {"area": int(np.count_nonzero(part)), "bbox": [left, top, wide, high]}
        if polygons:
            told["segmentation"] = [[c for x, y in ring for c in (x + left, y + top)] for ring in outline(part)]
        else:
            whole = np.zeros(plane.shape, dtype=bool)
            whole[left : left + wide, top : top + high] = part
            told["segmentation"] = {"size": [rows, columns], "counts": packed_lengths(coco_runs(whole))}
        yield told


def objects_in(plane: BoolArray, drawn: ObjectNumbers | None) -> list[tuple[BoolArray, tuple[int, int]]]:
    """The objects of a label on a picture, each cut out, with its first column and row."""
    if drawn is None:
        return parts_of(plane)
    numbers = divided(plane, drawn, (1.0, 1.0))
    found = ndimage.find_objects(numbers.astype(np.int64))
    return [(numbers[at] == n, (int(at[0].start), int(at[1].start))) for n, at in enumerate(found, start=1) if at is not None]


COCO_EXPORTERS: dict[str, Exporter] = {"coco": export_coco, "coco-polygons": partial(export_coco, polygons=True)}
