"""Label Studio's JSON export: tasks with the annotations of several people and the predictions of models, in percent of the picture.

Source: labelstud.io/guide/task_format and the pages of its tags (BrushLabels, PolygonLabels, EllipseLabels, RectangleLabels,
KeyPointLabels, Choices). A cancelled annotation says nothing; an empty one says that nothing is there. What was marked as
ground truth comes last, so that it stands for the case until people decide otherwise.
"""

import re
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np

from medloop.core.arrays import BoolArray
from medloop.core.errors import FormatError
from medloop.core.names import counted, folded
from medloop.core.records import TaskKind
from medloop.datasets.dataset import CaseSource, Dataset, MaskReading, Proposed, Refusal
from medloop.datasets.files import SIDECAR, Root
from medloop.datasets.index import add_index
from medloop.datasets.pairing import CaseList
from medloop.datasets.patients import patient_rule
from medloop.datasets.shapes.documents import Pictures, document_text, file_name, number, read_json, size_of, text_of, the_document
from medloop.datasets.shapes.finishing import finished, named_cases
from medloop.datasets.table import authorship
from medloop.images.shapes.brush import from_brush
from medloop.images.shapes.regions import Drawing, PictureMark, Region, ellipse, polygons, runs

_LABELLED = ("brushlabels", "polygonlabels", "ellipselabels", "rectanglelabels", "keypointlabels", "labels")
_MARKS = ("rectanglelabels", "keypointlabels", "rectangle", "keypoint")
CONFIG_FILE = "label_config.xml"
"""The labelling interface: what to paste into a new project of Label Studio."""

_NAMELESS = "a model of Label Studio"
_UPLOAD_MARK = 9
_UPLOAD = re.compile(r"[0-9a-f]{8}-.")
"""Letters that an upload puts before a file's name: eight of an id and a hyphen; `patient1-` is none."""


class _TaskError(Exception):
    """Why a task stays out."""

    def __init__(self, rule: str, value: str = "", remedy: str = "") -> None:
        super().__init__(rule)
        self.rule, self.value, self.remedy = rule, value, remedy


@dataclass
class _Names:
    """The labels of a file, numbered as they are met."""

    values: dict[str, int] = field(default_factory=dict)
    unread: Counter[str] = field(default_factory=Counter)

    def value(self, name: str) -> int:
        """The number of a label, whatever its letter case."""
        known = {folded(one): one for one in self.values}
        return self.values.setdefault(known.get(folded(name), name), len(self.values) + 1)


@dataclass
class _Said:
    """What one annotation or prediction says."""

    regions: list[Region] = field(default_factory=list)
    marks: list[PictureMark] = field(default_factory=list)
    choices: list[str] = field(default_factory=list)
    size: tuple[int, int] | None = None


def open_labelstudio(source: Path, *, patient_pattern: str | None = None, masks: MaskReading = "labels") -> Dataset:
    """An export of Label Studio in JSON, or the folder that holds it beside its pictures.

    Args:
        source: The JSON, or a folder with one.
        patient_pattern: See `PATIENT_PATTERN`.
        masks: "foreground" reads every label as the first one.

    Raises:
        FormatError: No list of tasks.
        NotFoundError: No such file or folder.
    """
    root, path = the_document(source, "labelstudio")
    content = read_json(path)
    if not isinstance(content, list):
        raise FormatError(
            f"{path.name}: an export of Label Studio is a list of tasks, got {type(content).__name__}", remedy="export as JSON"
        )
    pictures = Pictures(root, [name for entry in set(map(_entry, content)) for name in {*map(file_name, _spellings(entry))}])
    cases, names = CaseList(patient_rule(patient_pattern)), _Names(_declared(root))
    found: dict[Path, CaseSource] = {}
    ids = Counter(text_of(task.get("id")) for task in content if isinstance(task, dict))
    for at, task in enumerate(content):
        key = text_of(task.get("id")) if isinstance(task, dict) else ""
        what = f"{path.name} task {key}" if key else f"{path.name} task at {at}"
        try:
            if key and ids[key] > 1:
                raise _TaskError("every task has an id of its own, this one is there twice", key, "correct the ids")
            picture = _picture(task, pictures)
            if picture in found:
                raise _TaskError("a picture is of one task", pictures.root.label(picture), "drop one of the two")
            found[picture] = _case(path.name, what, task, picture, names)
        except _TaskError as wrong:
            cases.refuse(what, wrong.rule, wrong.value, wrong.remedy)
    drawn = any(one.drawing is not None or one.marks for case in found.values() for one in (case, *case.more))
    tagged = any(one.tag is not None for case in found.values() for one in (case, *case.more))
    if drawn:
        found = {picture: _without_tags(case) for picture, case in found.items()}
    named_cases(pictures, cases, found)
    for name, case in cases.found.items():
        cases.found[name] = replace(case, more=tuple(replace(one, name=name, patient=case.patient) for one in case.more))
    notes = (*add_index(root, cases, SIDECAR), *_notes(path.name, names, choices=drawn and tagged))
    labels = tuple(names.values) if drawn or not tagged else ()
    kind: TaskKind | None = "segmentation" if drawn else "classification" if tagged else None
    return finished(
        Dataset("labelstudio", kind, labels, label_values=names.values if labels else {}, masks=masks, notes=notes),
        path.name,
        pictures,
        cases,
        set(names.values.values()),
    )


def _declared(root: Root) -> dict[str, int]:
    """The labels of the labelling interface that our exports put beside the tasks; the export of Label Studio itself names none."""
    path = root.folder / CONFIG_FILE
    text = document_text(path) if root.has(path) else ""
    if not text or "<!DOCTYPE" in text or "<!ENTITY" in text:
        return {}
    try:
        named = [one.get("value", "") for one in ET.fromstring(text).iter("Label")]  # noqa: S314  # no entities, and bounded
    except (ET.ParseError, ValueError):
        return {}
    return {name: value for value, name in enumerate(dict.fromkeys(filter(None, named)), start=1)}


def _notes(file: str, names: _Names, *, choices: bool) -> tuple[str, ...]:
    unread = tuple(
        f"{file}: {counted(count, 'result')} of the kind {kind!r:.40} is not read" for kind, count in sorted(names.unread.items())
    )
    return (*unread, f"{file}: choices beside shapes are not read") if choices else unread


def _without_tags(case: CaseSource) -> CaseSource:
    more = tuple(replace(one, tag=None) for one in case.more if one.drawing is not None or one.marks)
    said = case.drawing is not None or bool(case.marks)  # a class alone does not say that nothing is drawn
    return replace(case, tag=None, more=more, annotated_at=case.annotated_at if said else None)


def _entry(task: Any) -> str:
    """What a task calls its picture; "" for none."""
    data = task.get("data") if isinstance(task, dict) else None
    if not isinstance(data, dict):
        return ""
    named = next((one for key in ("image", "img", "picture") if isinstance(one := data.get(key), str)), "")
    return named or next((one for one in data.values() if isinstance(one, str) and "." in one), "")


def _picture(task: Any, pictures: Pictures) -> Path:
    entry = _entry(task)
    if not entry:
        raise _TaskError("a task names its picture in `data`", "none", "export it again")
    found = pictures.find(entry, *_spellings(entry))
    if isinstance(found, Refusal):
        raise _TaskError(f"{found.rule} ({found.file})", found.value, found.remedy)
    return found


def _spellings(entry: str) -> tuple[str, ...]:
    """How a file may be called that a task's address means: Label Studio's local files, its uploads, or a web address."""
    try:
        parts = urlsplit(entry)
    except ValueError:  # brackets that are no address
        return (entry,)
    local = parse_qs(parts.query).get("d", [""])[0]
    path = unquote(local or parts.path) if (parts.scheme or parts.query or entry.startswith("/data/")) else entry
    file = path.rsplit("/", 1)[-1]
    is_upload = _UPLOAD.match(file) is not None
    given = (path if local or not (parts.scheme or entry.startswith("/")) else file, file)
    return (*given, *([file[_UPLOAD_MARK:]] if is_upload else []))


def _case(file: str, what: str, task: Mapping[str, Any], picture: Path, names: _Names) -> CaseSource:
    """What a task says: its first annotation is the case's, further ones are `more`."""
    given = task.get("annotations", task.get("completions")) or []
    kept = [one for one in given if isinstance(one, dict) and one.get("was_cancelled") is not True] if isinstance(given, list) else []
    kept.sort(key=lambda one: (one.get("ground_truth") is True, text_of(one.get("created_at"))))
    people = Counter(_person(one) for one in kept)
    if twice := [name for name, count in people.items() if count > 1]:
        last = {_person(one): one for one in kept}
        kept = [one for one in kept if last[_person(one)] is one]
    readings = [_reading(file, f"{what} annotation {text_of(one.get('id')) or at}", one, picture, names) for at, one in enumerate(kept)]
    note = (f"{', '.join(name or 'somebody' for name in twice)} annotated it more than once; the last one is kept",) if twice else ()
    proposals = tuple(one for each in _listed(task, "predictions") if (one := _proposed(file, what, each, names)) is not None)
    first = readings[0] if readings else CaseSource("", "", (picture,))
    return replace(first, more=tuple(readings[1:]), proposals=proposals, notes=(*first.notes, *note))


def _listed(of: Mapping[str, Any], key: str) -> list[Any]:
    given = of.get(key)
    return [one for one in given if isinstance(one, dict)] if isinstance(given, list) else []


def _person(annotation: Mapping[str, Any]) -> str:
    """Who made an annotation: an address, a name, or the number that Label Studio knows the person by."""
    by = annotation.get("completed_by")
    if isinstance(by, dict):
        return (
            text_of(by.get("email"))
            or text_of(by.get("username"))
            or (f"label studio {text_of(by.get('id'))}" if text_of(by.get("id")) else "")
        )
    return (by.strip() if isinstance(by, str) else f"label studio {text_of(by)}") if text_of(by) else ""


def _reading(file: str, what: str, one: Mapping[str, Any], picture: Path, names: _Names) -> CaseSource:
    said = _said(what, one, names)
    if len(set(said.choices)) > 1:
        raise _TaskError(f"{what}: a picture has one class", ", ".join(said.choices)[:80], "keep one choice")
    made = authorship({"annotated_at": text_of(one.get("created_at")), "effort_seconds": str(number(one.get("lead_time") or 0.0))})
    is_drawn = said.regions or not _listed(one, "result")
    return CaseSource(
        "",
        "",
        (picture,),
        tag=said.choices[0] if said.choices else None,
        annotator=_person(one),
        annotated_at=made.at,
        effort_seconds=made.seconds,
        drawing=Drawing(file, tuple(said.regions), said.size) if is_drawn else None,
        marks=tuple(said.marks),
    )


def _proposed(file: str, what: str, one: Mapping[str, Any], names: _Names) -> Proposed | None:
    said = _said(f"{what} prediction", one, names)
    score = number(one.get("score"))
    if not said.regions:
        return None
    name = text_of(one.get("model_version")) or _NAMELESS
    return Proposed(name, Drawing(file, tuple(said.regions), said.size), score if 0 <= score <= 1 else None)


def _said(what: str, one: Mapping[str, Any], names: _Names) -> _Said:
    said, results = _Said(), _listed(one, "result")
    apart = {text_of(result.get("id")): _named(result.get("value")) for result in results if text_of(result.get("type")) == "labels"}
    for result in results:
        kind, value, key = text_of(result.get("type")).lower(), result.get("value"), text_of(result.get("id"))
        if not isinstance(value, dict):
            raise _TaskError(f"{what}: a result has a value", f"{value!r:.80}", "export it again")
        if kind == "choices":
            chosen = value.get("choices")
            said.choices += [text_of(choice) for choice in chosen if text_of(choice)] if isinstance(chosen, list) else []
        elif kind in _SHAPES or kind in _MARKS:
            label = _named(value) or apart.get(key)
            if not label:
                raise _TaskError(f"{what} {key}: a shape has one label", f"none or several ({kind})", "give it one, or remove it")
            _take(said, f"{what} {key}".strip(), kind, {**result, "value": value}, (names.value(label), label))
        elif kind != "labels":  # these name shapes
            names.unread[kind or "none"] += 1
    return said


def _named(value: Any) -> str:
    """The label of a shape; "" for none and for several."""
    if not isinstance(value, dict):
        return ""
    named = next((one for key in _LABELLED if isinstance(one := value.get(key), list)), [])
    return text_of(named[0]) if len(named) == 1 else ""


def _take(said: _Said, what: str, kind: str, result: Mapping[str, Any], label: tuple[int, str]) -> None:
    size = size_of(result, "original_width", "original_height")
    if size is None or (said.size is not None and size != said.size):
        raise _TaskError(
            f"{what}: the results of a picture have its original_width and original_height", "others or none", "export it again"
        )
    if number(result.get("image_rotation") or 0) != 0:
        rule = f"{what}: shapes lie on the picture as it is stored, not turned"
        raise _TaskError(rule, f"image_rotation {result.get('image_rotation')!r:.20}", "turn the picture back and export it again")
    said.size = size
    value, name = label
    if kind in _MARKS:
        said.marks.append(PictureMark(value, what, _mark(what, result["value"], size)))
    else:
        said.regions.append(Region(value, name, what, _SHAPES[kind](result["value"], size)))


def _mark(what: str, value: Mapping[str, Any], size: tuple[int, int]) -> tuple[float, ...]:
    x, y = number(value.get("x")) / 100 * size[0], number(value.get("y")) / 100 * size[1]
    if "height" not in value:
        return (x, y)
    if number(value.get("rotation") or 0) != 0:
        raise _TaskError(
            f"{what}: a box lies along the picture's axes", f"rotation {value.get('rotation')!r:.20}", "draw a polygon in its place"
        )
    return (x, y, x + number(value.get("width")) / 100 * size[0], y + number(value.get("height")) / 100 * size[1])


def _polygon(value: Mapping[str, Any], size: tuple[int, int]) -> Callable[[BoolArray], None]:
    given = value.get("points")
    points = [[number(part) for part in pair] if isinstance(pair, list) else [pair] for pair in given] if isinstance(given, list) else []
    flat: Sequence[Any] = [part / 100 * size[n % 2] for pair in points for n, part in enumerate(pair) if isinstance(part, float)]
    return polygons([flat if len(flat) == 2 * len(points) else [*flat, "?"]])


def _round(value: Mapping[str, Any], size: tuple[int, int]) -> Callable[[BoolArray], None]:
    x, y, wide, high = (number(value.get(key)) / 100 for key in ("x", "y", "radiusX", "radiusY"))
    return ellipse((x * size[0], y * size[1]), (wide * size[0], high * size[1]), number(value.get("rotation") or 0))


def _brush(value: Mapping[str, Any], size: tuple[int, int]) -> Callable[[BoolArray], None]:  # noqa: ARG001  # covers the picture as it is
    return runs(partial(_brushed, value))


def _brushed(value: Mapping[str, Any], columns: int, rows: int) -> BoolArray:
    if value.get("format") != "rle" or not isinstance(value.get("rle"), list):
        raise FormatError(f"a brush is run lengths, format rle, got {value.get('format')!r:.20}")
    drawn, _ = from_brush(value["rle"], columns, rows)
    return np.asarray(drawn)


_SHAPES: dict[str, Callable[[Mapping[str, Any], tuple[int, int]], Callable[[BoolArray], None]]] = {
    "brushlabels": _brush,
    "brush": _brush,
    "polygonlabels": _polygon,
    "polygon": _polygon,
    "ellipselabels": _round,
    "ellipse": _round,
}
