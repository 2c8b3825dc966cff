"""Label Studio's tasks of a project: a brush for each label of a picture, or a choice, and the interface to paste into a new project.

Pictures are named as Label Studio serves local files (`/data/local-files/?d=…`), from the export's folder as its root.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

from medloop.datasets.export import ALONE, Regions
from medloop.datasets.export_tally import ExportCase, Exported, ExportTally
from medloop.datasets.shapes.labelstudio import CONFIG_FILE
from medloop.datasets.shapes.pictures_out import Colours, PictureOut, export_pictures
from medloop.datasets.staging import NOTHING
from medloop.images.shapes.brush import brush_of

DOCUMENT = "tasks.json"


def export_labelstudio(
    cases: Iterable[ExportCase],
    folder: Path,
    labels: Sequence[str],
    *,
    regular_grid: bool = False,  # noqa: ARG001  # a picture's grid is regular
    beside: Mapping[str, str] = NOTHING,
    regions: Regions = ALONE,
    colours: Colours = NOTHING,
) -> Exported:
    """`images/CASE.png`, tasks.json and the labelling interface; see `export_pictures` for arguments and errors.

    `colours` are those of the labels in the interface.
    """
    return export_pictures(cases, folder, labels, beside=beside, regions=regions, write=partial(_write, colours=colours))


def _write(out: Path, labels: list[str], pictures: Iterator[PictureOut], tally: ExportTally, *, colours: Colours) -> None:
    tagged = False
    with (out / DOCUMENT).open("w", encoding="utf-8") as document:
        document.write("[")
        for picture in pictures:
            tagged = tagged or picture.case.tag is not None
            document.write(f"{',' if picture.number > 1 else ''}\n{json.dumps(_task(picture), ensure_ascii=False, separators=(',', ':'))}")
        document.write("\n]\n")
    (out / CONFIG_FILE).write_text(_interface(labels, colours, classes=tagged), encoding="utf-8")
    tally.notes.append("in Label Studio, serve this folder as local files: LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT is where tasks.json lies")


def _task(picture: PictureOut) -> dict[str, Any]:
    case = picture.case
    common = {"original_width": picture.size[0], "original_height": picture.size[1], "image_rotation": 0, "to_name": "image"}
    results: list[dict[str, Any]] = [
        {
            **common,
            "id": f"{picture.number}-{at}",
            "from_name": "label",
            "type": "brushlabels",
            "value": {"format": "rle", "rle": brush_of(plane), "brushlabels": [name]},
        }
        for at, (name, plane) in enumerate(picture.planes.items(), start=1)
    ]
    if case.tag is not None:
        results.append({**common, "id": f"{picture.number}-1", "from_name": "class", "type": "choices", "value": {"choices": [case.tag]}})
    annotation = {
        "id": picture.number,
        "result": results,
        "was_cancelled": False,
        "ground_truth": False,
        "lead_time": case.effort_seconds,
        **({"created_at": case.annotated_at} if case.annotated_at else {}),
        **({"completed_by": {"email": case.annotator}} if case.annotator else {}),
    }
    address = f"/data/local-files/?d={quote(picture.file)}"
    return {"id": picture.number, "data": {"image": address}, "annotations": [annotation], "predictions": []}


def _interface(labels: Sequence[str], colours: Colours, *, classes: bool) -> str:
    """The labelling interface, with every label of the project."""
    if classes:
        choices = "".join(f"    <Choice value={quoteattr(name)}/>\n" for name in labels)
        inner = f'  <Choices name="class" toName="image" choice="single">\n{choices}  </Choices>\n'
    else:
        shown = {name: f" background={quoteattr(colour)}" for name, colour in colours.items()}
        brushes = "".join(f"    <Label value={quoteattr(name)}{shown.get(name, '')}/>\n" for name in labels)
        inner = f'  <BrushLabels name="label" toName="image">\n{brushes}  </BrushLabels>\n'
    return f'<View>\n  <Image name="image" value="$image"/>\n{inner}</View>\n'
