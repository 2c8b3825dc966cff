"""`/infer/wsi/` and `/infer/wsi_v2/`: outlines on flat pictures, as QuPath (ASAP), Digital Slide Archive and others read them.

Source: monailabel's ASAP and DSA writers (`transform/writer.py`), whose elements QuPath's extension reads.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, TypeAlias
from xml.etree import ElementTree as Xml  # written here, never read

import numpy as np
import numpy.typing as npt
from fastapi import APIRouter, Body, Form
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from medloop.core.arrays import MaskArray
from medloop.core.errors import InputError, StateError
from medloop.core.labels import mask_of
from medloop.core.records import Case, Label
from medloop.loop.foundation.arrays import load_proposal
from medloop.server.monailabel.files import attachment, safe_name
from medloop.server.monailabel.forms import Upload, object_of
from medloop.server.monailabel.gestures import clicks_for_one, label_of
from medloop.server.monailabel.inference import require_model
from medloop.server.monailabel.info import SEGMENTATION
from medloop.server.monailabel.proposing import drawn, proposal
from medloop.server.monailabel.scene import Scene, SceneHere
from medloop.server.monailabel.sent_images import NamedHere, case_of

router = APIRouter()
Output: TypeAlias = Literal["asap", "dsa", "json"]


@dataclass(frozen=True)
class Region:
    """Which part of a picture is wanted, in pixels.

    Attributes:
        location: Its first column and row.
        size: Its columns and rows; [0, 0] for all.
        least: Areas of fewer pixels are left out.
        params: As in every inference.
    """

    location: tuple[int, int] = (0, 0)
    size: tuple[int, int] = (0, 0)
    least: int = 80
    params: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, body: dict[str, Any]) -> "Region":
        """From what was sent; unknown fields are left out.

        Raises:
            InputError: Fields that are no region, or another level than 0.
        """
        try:
            location, size = ([int(n) for n in body.get(name) or (0, 0)] for name in ("location", "size"))
            made = cls((location[0], location[1]), (size[0], size[1]), int(body.get("min_poly_area", 80)), dict(body.get("params") or {}))
        except (TypeError, ValueError, IndexError) as error:
            raise InputError("location and size are two whole numbers each, params an object") from error
        if body.get("level") not in (None, 0) or min(*made.location, *made.size, made.least) < 0:
            raise InputError("A region lies on level 0 and has no negative numbers", remedy="send level 0")
        return made


@router.post("/infer/wsi/{model}")
async def post_wsi(scene: SceneHere, model: str, named: NamedHere, output: Output = "dsa", body: Annotated[Any, Body()] = None) -> Response:
    """Outlines of what a model sees in a region of a picture, which the JSON body describes."""
    case = await run_in_threadpool(case_of, scene, named, None)
    return await _outlined(scene, model, case, body if isinstance(body, dict) else {}, output)


@router.post("/infer/wsi_v2/{model}")
async def post_wsi_form(
    scene: SceneHere,
    model: str,
    named: NamedHere,
    output: Output = "dsa",
    wsi: Annotated[str, Form()] = "{}",
    file: Upload = None,
) -> Response:
    """The same from a form, whose field wsi holds the JSON and whose file may be the picture."""
    asked = object_of(wsi, "wsi")
    case = await run_in_threadpool(case_of, scene, named, file)
    return await _outlined(scene, model, case, asked, output)


async def _outlined(scene: Scene, model: str, case: Case, body: dict[str, Any], output: Output) -> Response:
    require_model(scene, model)
    region, task = Region.of(body), scene.workspace.task
    if task.kind != "segmentation" or case.grid.shape[2] != 1:
        raise StateError("Outlines are of flat pictures, and this is none", remedy="use POST /infer/")
    wants_clicks = model != SEGMENTATION and bool(region.params.get("foreground") or region.params.get("background"))
    if wants_clicks:
        mask: MaskArray = (await drawn(scene, case, clicks_for_one(task, region.params))).mask
        labels = [one for one in task.labels if one.value == label_of(task, region.params)]
    else:
        mask = await run_in_threadpool(load_proposal, scene.workspace.store.blobs, await proposal(scene, case), case)
        labels = list(task.labels)
    return await run_in_threadpool(_written, scene, case, mask, labels, region, output)


def _written(scene: Scene, case: Case, mask: MaskArray, labels: list[Label], region: Region, output: Output) -> Response:
    found = [(label, outline) for label in labels for outline in _outlines(mask_of(scene.workspace.task.labels, mask, label.value), region)]
    name = safe_name(case.name)
    if output == "asap":
        return attachment(_asap(found), f"{name}.xml")
    elements = [_element(label, outline) for label, outline in found]
    document = {"name": f"medloop {case.name}", "description": scene.workspace.project.name, "elements": elements}
    return JSONResponse(document) if output == "json" else attachment(json.dumps(document).encode(), f"{name}.json")


def _outlines(plane: npt.NDArray[np.bool_], region: Region) -> Iterator[npt.NDArray[np.float64]]:
    """Outlines within a region, in pixels of the whole picture, corners of pixels whole."""
    from medloop.datasets.dicom_objects.contours import contours_of  # brings SciPy

    columns, rows = plane.shape[:2]
    left, top = min(region.location[0], columns), min(region.location[1], rows)
    right, bottom = left + (region.size[0] or columns), top + (region.size[1] or rows)
    for outline in contours_of(plane[left:right, top:bottom, 0]):
        if _area(outline) >= region.least:
            yield outline + 0.5 + np.array([left, top])


def _area(outline: npt.NDArray[np.float64]) -> float:
    x, y = outline.T
    return float(abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1))) / 2)


def _asap(found: list[tuple[Label, npt.NDArray[np.float64]]]) -> bytes:
    root = Xml.Element("ASAP_Annotations")
    annotations, groups = Xml.SubElement(root, "Annotations"), Xml.SubElement(root, "AnnotationGroups")
    for label in {label.name: label for label, _ in found}.values():
        Xml.SubElement(groups, "Group", Name=label.name, PartOfGroup="None", Color=label.colour)
    for number, (label, outline) in enumerate(found):
        said = {"Name": label.name, "Type": "Polygon", "PartOfGroup": label.name, "Color": label.colour}
        coordinates = Xml.SubElement(Xml.SubElement(annotations, "Annotation", {**said, "Name": f"{label.name} {number}"}), "Coordinates")
        for order, (x, y) in enumerate(outline.tolist()):
            Xml.SubElement(coordinates, "Coordinate", Order=str(order), X=str(round(x)), Y=str(round(y)))
    return bytes(Xml.tostring(root, encoding="utf-8", xml_declaration=True))


def _element(label: Label, outline: npt.NDArray[np.float64]) -> dict[str, Any]:
    return {
        "type": "polyline",
        "closed": True,
        "group": label.name,
        "label": {"value": label.name},
        "lineColor": label.colour,
        "points": [[round(x), round(y), 0] for x, y in outline.tolist()],
    }
