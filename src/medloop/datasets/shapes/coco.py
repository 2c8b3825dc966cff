"""COCO's instances: pictures, categories and annotations of one JSON file, as one drawing for each picture.

Source: cocodataset.org, "Data format". Instances of one category add up to one label, as medloop's labels are semantic; a box without a
segmentation and visible keypoints without one are marks. A picture without annotations is unlabelled.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from medloop.core.arrays import BoolArray
from medloop.core.errors import FormatError
from medloop.core.names import folded
from medloop.datasets.dataset import CaseSource, Dataset, MaskReading, Refusal
from medloop.datasets.files import SIDECAR
from medloop.datasets.index import add_index
from medloop.datasets.pairing import CaseList
from medloop.datasets.patients import patient_rule
from medloop.datasets.shapes.documents import Pictures, number, read_json, size_of, text_of, the_document
from medloop.datasets.shapes.finishing import finished, named_cases
from medloop.images.shapes.regions import Drawing, Paint, PictureMark, Region, polygons, runs
from medloop.images.shapes.runs import from_coco_runs

_VISIBLE = 2


@dataclass
class _Found:
    """What the annotations of one picture say."""

    regions: list[Region] = field(default_factory=list)
    marks: list[PictureMark] = field(default_factory=list)
    faults: list[Refusal] = field(default_factory=list)


def open_coco(source: Path, *, patient_pattern: str | None = None, masks: MaskReading = "labels") -> Dataset:
    """A COCO file, or the folder that holds it beside its pictures.

    Args:
        source: The JSON, or a folder with one, or with `annotations/` that holds one.
        patient_pattern: See `PATIENT_PATTERN`.
        masks: "foreground" reads every category as the first label.

    Raises:
        FormatError: No COCO, no categories, or two of one name or id.
        NotFoundError: No such file or folder.
    """
    root, path = the_document(source, "coco")
    content = read_json(path)
    lists = _lists(path.name, content)
    categories = _categories(path.name, lists["categories"])
    cases = CaseList(patient_rule(patient_pattern))
    pictures = Pictures(root, {text_of(one.get("file_name")) for one in lists["images"] if isinstance(one, dict)})
    by_id = _images(path.name, lists["images"], cases)
    found = _annotations(path.name, lists["annotations"], set(by_id), categories, cases)
    drawn: dict[Path, CaseSource] = {}
    for key, image in by_id.items():
        at = pictures.find(text_of(image.get("file_name")))
        if isinstance(at, Refusal):
            cases.refused.append(Refusal(f"{path.name} image {key}", f"{at.rule} ({at.file})", at.value, at.remedy))
        elif at in drawn:
            cases.refuse(f"{path.name} image {key}", "a picture is listed once", pictures.root.label(at), "drop one of the two")
        elif (one := found[key]).faults:
            cases.refused += one.faults
        else:
            drawing = Drawing(path.name, tuple(one.regions), size_of(image, "width", "height")) if one.regions else None
            drawn[at] = CaseSource("", "", (at,), drawing=drawing, marks=tuple(one.marks))
    named_cases(pictures, cases, drawn)
    notes = add_index(root, cases, SIDECAR)
    values = {name: value for value, name in categories.values()}
    used = {each.value for one in found.values() for each in one.regions} | {each.value for one in found.values() for each in one.marks}
    return finished(
        Dataset("coco", "segmentation", tuple(values), label_values=values, masks=masks, notes=notes), path.name, pictures, cases, used
    )


def _lists(file: str, content: Any) -> dict[str, list[Any]]:
    found = {}
    for name in ("images", "annotations", "categories"):
        given = content.get(name) if isinstance(content, dict) else None
        if not isinstance(given, list):
            raise FormatError(f"{file}: COCO has lists of images, annotations and categories, `{name}` is none", remedy="export it again")
        found[name] = given
    return found


def _categories(file: str, given: Sequence[Any]) -> dict[str, tuple[int, str]]:
    """Id of each category → the value that stands for it here, and its name."""
    found: dict[str, tuple[int, str]] = {}
    names: set[str] = set()
    for value, one in enumerate(given, start=1):
        key = text_of(one.get("id")) if isinstance(one, dict) else ""
        name = text_of(one.get("name")) if isinstance(one, dict) else ""
        if not key or not name or not name.isprintable():
            raise FormatError(f"{file}: a category has an id and a name, got {one!r:.80}", remedy="export it again")
        if key in found or folded(name) in names:
            raise FormatError(
                f"{file}: every category has an id and a name of its own, {name!r:.80} ({key}) is there twice", remedy="rename it"
            )
        names.add(folded(name))
        found[key] = (value, name)
    if not found:
        raise FormatError(f"{file}: needs a category, got none", remedy="export it again")
    return found


def _images(file: str, given: Sequence[Any], cases: CaseList) -> dict[str, Mapping[str, Any]]:
    found: dict[str, Mapping[str, Any]] = {}
    twice: set[str] = set()
    for at, one in enumerate(given):
        key = text_of(one.get("id")) if isinstance(one, dict) else ""
        if not key:
            cases.refuse(f"{file} image at {at}", "an image is an object with an id", f"{one!r:.80}", "export it again")
        elif key in found:
            twice.add(key)
        else:
            found[key] = one
    for key in sorted(twice):  # whose annotations these are, no file can say
        del found[key]
        cases.refuse(f"{file} image {key}", "every image has an id of its own, this one is there twice", "", "correct the ids")
    return found


def _annotations(
    file: str, given: Sequence[Any], images: set[str], categories: Mapping[str, tuple[int, str]], cases: CaseList
) -> dict[str, _Found]:
    """Id of each picture → what is said of it; what belongs to no picture is named."""
    found: dict[str, _Found] = defaultdict(_Found)
    ids = Counter(text_of(one.get("id")) for one in given if isinstance(one, dict))
    for at, one in enumerate(given):
        key = text_of(one.get("id")) if isinstance(one, dict) else ""
        what = f"annotation {key}" if key else f"annotation at {at}"
        picture = text_of(one.get("image_id")) if isinstance(one, dict) else ""
        if picture not in images:
            cases.refuse(
                f"{file} {what}", "an annotation names one of the images", picture[:80] or "none", "correct its image_id, or drop it"
            )
            continue
        category = categories.get(text_of(one.get("category_id")))
        if category is None or (key and ids[key] > 1):
            rule = "every annotation has an id of its own, this one is there twice" if category else "a category must be declared"
            value = key if category else text_of(one.get("category_id"))[:80] or "none"
            remedy = "correct the ids" if category else "add it to `categories`, or drop the annotation"
            found[picture].faults.append(Refusal(f"{file} {what}", f"{rule}; its image {picture} is left out", value, remedy))
            continue
        _take(found[picture], one, category, what)
    return found


def _take(found: _Found, one: Mapping[str, Any], category: tuple[int, str], what: str) -> None:
    """Add what an annotation says to what is known of its picture."""
    value, name = category
    if given := one.get("segmentation"):
        found.regions.append(Region(value, name, what, _paint(given)))
        return
    box, points = one.get("bbox"), one.get("keypoints")
    if isinstance(box, list) and len(box) == 4:
        x, y, wide, high = (number(part) for part in box)
        found.marks.append(PictureMark(value, what, (x, y, x + wide, y + high)))
    for x, y, seen in _threes(points) if isinstance(points, list) else ():
        if seen == _VISIBLE:
            found.marks.append(PictureMark(value, what, (number(x), number(y))))


def _threes(points: Sequence[Any]) -> Iterable[tuple[Any, Any, Any]]:
    return zip(points[::3], points[1::3], points[2::3], strict=False)


def _paint(given: Any) -> Paint:
    if isinstance(given, list):
        return polygons(given if all(isinstance(part, list) for part in given) else [given])
    return runs(partial(_decoded, given))


def _decoded(given: Any, columns: int, rows: int) -> BoolArray:
    counts = given.get("counts") if isinstance(given, dict) else None
    size = given.get("size") if isinstance(given, dict) else None
    if not isinstance(counts, list | str) or not isinstance(size, list):
        raise FormatError("a segmentation is a list of polygons, or run lengths with `counts` and `size`, got neither")
    if size != [rows, columns]:
        raise FormatError(f"run lengths have the size of their picture, [{rows}, {columns}], got {size!r:.60}")
    return from_coco_runs(counts, columns, rows)
