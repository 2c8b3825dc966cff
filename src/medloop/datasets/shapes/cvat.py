"""CVAT's XML 1.1 for images: polygons, ellipses and masks as one drawing for each picture, boxes and points as marks, tags as classes.

Source: docs.cvat.ai, "XML annotation format", version 1.1. What lies higher by `z_order` covers what lies lower. Tracks are of videos
and are not read; neither are polylines, cuboids and skeletons, which are no regions, nor attributes, and each is counted.
"""

import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from medloop.core.arrays import BoolArray
from medloop.core.errors import FormatError
from medloop.core.names import counted, folded, one_line
from medloop.core.records import TaskKind
from medloop.datasets.dataset import CaseSource, Dataset, MaskReading, Refusal
from medloop.datasets.files import SIDECAR
from medloop.datasets.index import add_index
from medloop.datasets.pairing import CaseList
from medloop.datasets.patients import patient_rule
from medloop.datasets.shapes.documents import Pictures, document_text, the_document
from medloop.datasets.shapes.finishing import finished, named_cases
from medloop.images.shapes.regions import Drawing, Paint, PictureMark, Region, ellipse, polygons, runs
from medloop.images.shapes.runs import from_box_runs

_REGIONS = ("polygon", "ellipse", "mask")
_UNREAD = ("polyline", "cuboid", "skeleton")
_MOST_DIGITS = 12


@dataclass
class _Found:
    """What one picture's element says."""

    regions: list[Region] = field(default_factory=list)
    marks: list[PictureMark] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    faults: list[Refusal] = field(default_factory=list)


def open_cvat(source: Path, *, patient_pattern: str | None = None, masks: MaskReading = "labels") -> Dataset:
    """An XML of CVAT for images, or the folder that holds it beside its pictures.

    Args:
        source: The XML, or a folder with one.
        patient_pattern: See `PATIENT_PATTERN`.
        masks: "foreground" reads every label as the first one.

    Raises:
        FormatError: No such XML, of a video, or without labels.
        NotFoundError: No such file or folder.
    """
    root, path = the_document(source, "cvat")
    document = _document(path)
    values = _labels(path.name, document)
    pictures = Pictures(root, {image.get("name", "") for image in document.iter("image")})
    cases, unread = CaseList(patient_rule(patient_pattern)), Counter[str]()
    ids, found = Counter(image.get("id", "") for image in document.iter("image")), dict[Path, CaseSource]()
    used: set[int] = set()
    for at, image in enumerate(document.iter("image")):
        key = image.get("id", "")
        what = f"{path.name} image {key or f'at {at}'}"
        where = pictures.find(image.get("name", ""))
        if isinstance(where, Refusal):
            cases.refused.append(Refusal(what, f"{where.rule} ({where.file})", where.value, where.remedy))
            continue
        if where in found or (key and ids[key] > 1):
            cases.refuse(what, "every image has an id and a picture of its own", image.get("name", "")[:80], "correct the ids")
            continue
        said = _said(what, image, values, unread)
        if said.faults:
            cases.refused += said.faults
            continue
        used |= {one.value for one in said.regions} | {one.value for one in said.marks}
        drawing = Drawing(path.name, tuple(said.regions), _size(image)) if said.regions else None
        found[where] = CaseSource("", "", (where,), tag=said.tags[0] if said.tags else None, drawing=drawing, marks=tuple(said.marks))
    return _finish(path, (pictures, cases), found, values, used, unread, masks)


def _finish(
    path: Path,
    lists: tuple[Pictures, CaseList],
    found: Mapping[Path, CaseSource],
    values: Mapping[str, int],
    used: set[int],
    unread: Mapping[str, int],
    masks: MaskReading,
) -> Dataset:
    """The data set: one of shapes where there are any, else of classes."""
    pictures, cases = lists
    tagged = any(case.tag is not None for case in found.values())
    drawn = bool(used)
    plain = {at: _untagged(case) if drawn else case for at, case in found.items()}
    named_cases(pictures, cases, plain)
    notes = list(add_index(pictures.root, cases, SIDECAR))
    notes += [f"{path.name}: {counted(count, kind)} not read" for kind, count in sorted(unread.items())]
    if drawn and tagged:
        notes.append(f"{path.name}: tags beside shapes are not read")
    kind: TaskKind = "segmentation" if drawn or not tagged else "classification"
    labels = tuple(values) if kind == "segmentation" else ()
    opened = Dataset("cvat", kind, labels, label_values=values if labels else {}, masks=masks, notes=tuple(notes))
    return finished(opened, path.name, pictures, cases, used)


def _untagged(case: CaseSource) -> CaseSource:
    return CaseSource("", "", case.images, drawing=case.drawing, marks=case.marks)


def _document(path: Path) -> ET.Element:
    text = document_text(path)
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise FormatError(f"{path.name}: an XML of CVAT declares no entities, this one does", remedy="export it again")
    try:
        document = ET.fromstring(text)  # noqa: S314  # entities are refused above, and the size is bounded
    except (ET.ParseError, ValueError) as error:
        raise FormatError(f"{path.name}: must be XML ({one_line(str(error))[:80]})", remedy="export it again") from None
    if document.tag != "annotations":
        raise FormatError(
            f"{path.name}: an XML of CVAT holds annotations, got {document.tag[:40]}", remedy="export it as CVAT for images 1.1"
        )
    if next(document.iter("track"), None) is not None:
        rule = f"{path.name}: annotations of images are read, this holds tracks of a video"
        raise FormatError(rule, remedy="export it as CVAT for images 1.1, which splits tracks by frames")
    return document


def _labels(file: str, document: ET.Element) -> dict[str, int]:
    """Name of each declared label → its number; `meta` has them by task, project or job."""
    names = [(label.findtext("name") or "").strip() for label in document.iterfind("./meta//labels/label")]
    if not names or not all(name and name.isprintable() for name in names):
        raise FormatError(f"{file}: `meta` names the labels, got {', '.join(map(repr, names))[:80] or 'none'}", remedy="export it again")
    if len({folded(name) for name in names}) < len(names):
        raise FormatError(f"{file}: every label has a name of its own, got {', '.join(names)[:80]}", remedy="rename one of them")
    return {name: value for value, name in enumerate(names, start=1)}


def _said(what: str, image: ET.Element, values: Mapping[str, int], unread: Counter[str]) -> _Found:
    found = _Found()
    for at, one in enumerate(image):
        label = one.get("label", "")
        if one.tag in _UNREAD:
            unread[one.tag] += 1
            continue
        if one.tag not in (*_REGIONS, "box", "points", "tag"):
            continue
        unread["attribute"] += len(one.findall("attribute"))
        if label not in values:
            rule = "a label must be declared in `meta`; the picture is left out"
            found.faults.append(Refusal(f"{what} {one.tag} at {at}", rule, label[:80] or "none", "add it there, or drop the shape"))
            continue
        try:
            _take(found, one, (values[label], label), f"image {image.get('id', '')} {one.tag} at {at}")
        except FormatError as error:
            found.faults.append(Refusal(f"{what} {one.tag} at {at}", f"{error.message}; the picture is left out", "", "correct it"))
    unread += Counter()  # drops what was counted as none
    if len(set(found.tags)) > 1:
        found.faults.append(Refusal(what, "a picture has one class", ", ".join(found.tags)[:80], "keep one tag"))
    return found


def _take(found: _Found, one: ET.Element, label: tuple[int, str], what: str) -> None:
    value, name = label
    if one.tag == "tag":
        found.tags.append(name)
    elif one.tag in _REGIONS:
        found.regions.append(Region(value, name, what, _paint(one), layer=_whole(one, "z_order", 0)))
    elif one.tag == "box":
        if _real(one, "rotation", 0.0) != 0:
            raise FormatError("a box lies along the picture's axes, this one is turned")
        found.marks.append(PictureMark(value, what, tuple(_real(one, key) for key in ("xtl", "ytl", "xbr", "ybr"))))
    else:
        found.marks += [PictureMark(value, what, (x, y)) for x, y in _pairs(one.get("points", ""))]


def _paint(one: ET.Element) -> Paint:
    if one.tag == "polygon":
        return polygons([[part for pair in _pairs(one.get("points", "")) for part in pair]])
    if one.tag == "ellipse":
        centre, radii = (_real(one, "cx"), _real(one, "cy")), (_real(one, "rx"), _real(one, "ry"))
        return ellipse(centre, radii, _real(one, "rotation", 0.0))
    box = tuple(_whole(one, key) for key in ("left", "top", "width", "height"))
    return runs(partial(_mask, one.get("rle", ""), (box[0], box[1], box[2], box[3])))


def _mask(rle: str, box: tuple[int, int, int, int], columns: int, rows: int) -> BoolArray:
    words = rle.replace(",", " ").split()
    if not all(word.isascii() and word.isdigit() and len(word) < _MOST_DIGITS for word in words):
        raise FormatError(f"run lengths are whole numbers from 0, got {rle[:40]!r}")
    return from_box_runs([int(word) for word in words], box, columns, rows)


def _pairs(text: str) -> list[tuple[float, float]]:
    """Points of "x,y;x,y"."""
    pairs = [part.split(",") for part in text.split(";") if part.strip()]
    try:
        return [(float(x), float(y)) for x, y in pairs]
    except ValueError:
        raise FormatError(f"points are pairs of numbers, x,y;x,y, got {text[:40]!r}") from None


def _real(one: ET.Element, key: str, missing: float | None = None) -> float:
    text = one.get(key)
    if text is None and missing is not None:
        return missing
    try:
        return float(text or "")
    except ValueError:
        raise FormatError(f"{key} is a number, got {(text or 'none')[:40]!r}") from None


def _whole(one: ET.Element, key: str, missing: int | None = None) -> int:
    found = _real(one, key, None if missing is None else float(missing))
    if not found.is_integer() or abs(found) > 1e6:
        raise FormatError(f"{key} is a whole number, got {one.get(key)!r:.40}")
    return int(found)


def _size(image: ET.Element) -> tuple[int, int] | None:
    sizes = [image.get(key, "") for key in ("width", "height")]
    return (int(sizes[0]), int(sizes[1])) if all(one.isascii() and one.isdigit() and len(one) < _MOST_DIGITS for one in sizes) else None
