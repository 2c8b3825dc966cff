"""COCO, Label Studio and CVAT through a project: what leaves comes back exactly, and what is wrong is named and costs itself alone."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from pycocotools.coco import COCO

from medloop.core.errors import FormatError, InputError, LabelError
from medloop.core.records import Annotator, Case, Prediction, ProjectSettings
from medloop.datasets.discover import detect_format, open_dataset
from medloop.images.shapes.brush import brush_of
from medloop.loop.data.exporting import export_project
from medloop.loop.data.importing import ImportReport, import_dataset
from medloop.loop.data.marks_files import marked_cases
from medloop.loop.foundation.arrays import load_image, load_mask
from medloop.loop.foundation.configuring import TaskChange, configure
from medloop.loop.foundation.workspace import Workspace
from tests.loop.test_volumes_in_and_out import project as nested_project
from tests.loop.test_volumes_in_and_out import source as volumes

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # pycocotools on numpy 2

WIDE, HIGH = 13, 9
SETTINGS = ProjectSettings(validation_fraction=0.2, test_fraction=0.2, audit_fraction=0.0, train_after=0, seed=5)
NAMES = ["plain", "ünïcode & <more>", "third one"]


def picture(path: Path, seed: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    PIL.Image.fromarray(np.random.default_rng(seed).integers(0, 256, (HIGH, WIDE), dtype=np.uint8)).save(path)


def project(folder: Path, *, kind: str = "segmentation", labels: tuple[str, ...] = ("liver", "tumour <a&b>")) -> Workspace:
    return Workspace.create(folder, name=folder.name, kind=kind, labels=list(labels), settings=SETTINGS)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """Three pictures: with both labels, one inside the other by its holes, with one label, and one in which nothing was found."""
    for n, name in enumerate(NAMES):
        picture(tmp_path / f"in/images/{name}.png", n)
        drawn = np.zeros((HIGH, WIDE), np.uint8) if n == 2 else np.random.default_rng(50 + n).choice([0, 1, 2][: 3 - n], (HIGH, WIDE))
        (tmp_path / "in/labels").mkdir(exist_ok=True)
        PIL.Image.fromarray(drawn.astype(np.uint8)).save(tmp_path / f"in/labels/{name}.png")
    made = project(tmp_path / "first")
    assert import_dataset(made, tmp_path / "in").refused == ()
    return made


def kept(workspace: Workspace) -> dict[str, tuple[Any, ...]]:
    with workspace.store.read() as tx:
        found = [(tx.get(Case, a.case_id), a) for a in tx.current_annotations()]
    blobs = workspace.store.blobs
    return {
        c.name: (load_image(blobs, c).array.tolist(), load_mask(blobs, a, c).array.tolist(), c.split, a.annotated, a.created_at)
        for c, a in found
    }


@pytest.mark.parametrize("fmt", ["coco", "coco-polygons", "labelstudio", "cvat"])
@pytest.mark.parametrize("nested", [False, True])
def test_what_leaves_comes_back_pixel_for_pixel(workspace: Workspace, tmp_path: Path, fmt: str, nested: bool) -> None:
    again = project(tmp_path / "second")
    for one in (workspace, again) if nested else ():
        configure(one, task=TaskChange(inside={"tumour <a&b>": "liver"}), actor="test")
    export_project(workspace.reload(), tmp_path / "out", fmt)
    assert detect_format(tmp_path / "out") == fmt.removesuffix("-polygons")
    report = import_dataset(again.reload(), tmp_path / "out")
    assert (len(report.added), report.refused) == (3, ())
    names = {name.replace("<", "_").replace(">", "_").replace("&", "_"): name for name in NAMES}
    found = {(names.get(name) or next(n for n in NAMES if n.startswith(name[:3]))): value for name, value in kept(again.reload()).items()}
    assert found == kept(workspace)


@pytest.mark.parametrize("fmt", ["coco", "coco-polygons"])
def test_pycocotools_has_the_masks_of_the_project(workspace: Workspace, tmp_path: Path, fmt: str) -> None:
    export_project(workspace, tmp_path / "out", fmt)
    coco = COCO(str(tmp_path / "out/annotations.json"))
    given = json.loads((tmp_path / "out/annotations.json").read_text())
    if fmt == "coco":
        coco = coco.loadRes([{k: v for k, v in one.items() if k not in ("bbox", "area")} | {"score": 1.0} for one in given["annotations"]])
    for image in coco.imgs.values():
        mask = next(m for _, m, *_ in [kept(workspace)[name] for name in NAMES if name[:3] == Path(image["file_name"]).name[:3]])
        found = np.zeros((HIGH, WIDE), np.uint8)
        for one in coco.loadAnns(coco.getAnnIds(imgIds=image["id"])):
            alone = coco.annToMask(one)
            assert one["area"] == alone.sum()
            assert not (found & alone).any()
            found += alone * np.uint8(one["category_id"])
        assert np.array_equal(found.T[..., None], np.array(mask))


@pytest.mark.parametrize("fmt", ["labelstudio", "cvat"])
def test_classes_come_back(tmp_path: Path, fmt: str) -> None:
    for n in range(3):
        picture(tmp_path / f"in/images/c{n}.png", n)
    (tmp_path / "in/labels.csv").write_text("filename,label\nc0.png,well\nc1.png,sick\nc2.png,sick\n")
    first, second = (project(tmp_path / name, kind="classification", labels=("well", "sick")) for name in ("first", "second"))
    import_dataset(first, tmp_path / "in")
    export_project(first, tmp_path / "out", fmt)
    assert import_dataset(second, tmp_path / "out").refused == ()
    tags = []
    for one in (first, second):
        with one.store.read() as tx:
            tags.append({tx.get(Case, a.case_id).name: a.tag for a in tx.current_annotations()})
    assert tags[0] == tags[1] == {"c0": 0, "c1": 1, "c2": 1}


def test_volumes_are_left_out_by_name(tmp_path: Path, workspace: Workspace) -> None:
    mixed = nested_project(tmp_path / "volumes")
    import_dataset(mixed, volumes(tmp_path / "volumes in", cases=2))
    with pytest.raises(InputError, match=r"2 cases are volumes .*; export as nifti"):
        export_project(mixed, tmp_path / "out", "coco")


def coco(folder: Path, **changes: Any) -> Path:
    """A folder with two pictures, of which the first has a square of the liver as a polygon and as listed run lengths."""
    for n in range(2):
        picture(folder / f"images/{n}.png", n)
    runs = {"size": [HIGH, WIDE], "counts": [HIGH * 5 + 2, 3, HIGH * WIDE - HIGH * 5 - 5]}
    content = {
        "images": [{"id": f"i{n}", "file_name": f"{n}.png", "width": WIDE, "height": HIGH} for n in range(2)],
        "categories": [{"id": 90, "name": "Liver"}, {"id": 7, "name": "idle"}],
        "annotations": [
            {"id": 1, "image_id": "i0", "category_id": 90, "segmentation": [[1, 1, 4, 1, 4, 4, 1, 4], [6, 0, 8, 0, 8, 1, 6, 1]]},
            {"id": 2, "image_id": "i0", "category_id": 90, "segmentation": runs, "iscrowd": 1},
        ],
    } | changes
    (folder / "instances.json").write_text(json.dumps(content))
    return folder


def taken(tmp_path: Path, source: Path) -> tuple[ImportReport, Workspace]:
    made = project(tmp_path / "made")
    return import_dataset(made, source), made


def test_instances_of_one_category_add_up_whatever_its_id(tmp_path: Path) -> None:
    report, made = taken(tmp_path, coco(tmp_path / "in"))
    assert (report.added, report.refused, report.labelled) == (("0", "1"), (), 1)
    ((_, mask, _, annotated, _),) = kept(made).values()
    expected = np.zeros((WIDE, HIGH, 1), np.uint8)
    expected[1:4, 1:4] = expected[6:8, 0] = expected[5, 2:5] = 1
    assert np.array_equal(mask, expected)
    assert annotated == (1,), "the source says nothing of the other label"


SQUARE = [[1, 1, 4, 1, 4, 4, 1, 4]]


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        ({"category_id": 5, "segmentation": SQUARE}, "a category must be declared; its image i0 is left out, got 5; add it"),
        ({"category_id": 90, "segmentation": [[1, 1, 4, 4]]}, r"annotation 9 \(Liver\): a polygon has 3 to 100000 points, got 2"),
        ({"category_id": 90, "segmentation": [[1, 1, 4, 4, 5, float("nan")]]}, "lies at finite pixels"),
        ({"category_id": 90, "segmentation": {"size": [3, 3], "counts": [9]}}, r"have the size of their picture, \[9, 13\], got \[3, 3\]"),
        ({"category_id": 90, "segmentation": {"size": [HIGH, WIDE], "counts": "zz"}}, "letters 0 to o"),
        ({"category_id": 90, "segmentation": "all"}, "a list of polygons, or run lengths"),
        ({"id": 1, "category_id": 90, "segmentation": SQUARE}, "an id of its own"),
    ],
)
def test_a_bad_annotation_costs_its_picture_in_one_line(tmp_path: Path, annotation: dict[str, Any], words: str) -> None:
    given = [{"id": 1, "image_id": "i1", "category_id": 90, "segmentation": SQUARE}, {"id": 9, "image_id": "i0", **annotation}]
    report, _ = taken(tmp_path, coco(tmp_path / "in", annotations=given))
    lines = [str(one) for one in report.refused]
    assert len(lines) in (1, 2)
    assert any(re.search(words, line) and "\n" not in line for line in lines), lines
    assert "0" not in report.added


@pytest.mark.parametrize(
    ("image", "words"),
    [
        ({"id": "i0", "file_name": "../../secret.png"}, "must stay within the source's folder"),
        ({"id": "i0", "file_name": "gone.png"}, "a listed picture must exist"),
        ({"id": "i0", "file_name": None}, "printable and not empty"),
        ({"id": "i0", "file_name": "0.png", "width": 12, "height": HIGH}, f"lie on a picture of 12×{HIGH}, this one has {WIDE}×{HIGH}"),
        ({"id": "i1", "file_name": "0.png"}, "every image has an id of its own"),
    ],
)
def test_a_bad_image_costs_itself_in_one_line(tmp_path: Path, image: dict[str, Any], words: str) -> None:
    picture(tmp_path / "secret.png")
    images = [image, {"id": "i1", "file_name": "1.png", "width": WIDE, "height": HIGH}]
    report, _ = taken(tmp_path, coco(tmp_path / "in", images=images))
    assert any(words in str(one) for one in report.refused), report.refused
    assert "0" not in report.added


def test_labels_that_may_not_share_pixels_are_refused_and_nested_ones_are_not(tmp_path: Path) -> None:
    both = {"categories": [{"id": 1, "name": "liver"}, {"id": 2, "name": "tumour <a&b>"}]}
    small = [[2, 2, 3, 2, 3, 3, 2, 3]]
    both["annotations"] = [{"id": n, "image_id": "i0", "category_id": n, "segmentation": shape} for n, shape in ((1, SQUARE), (2, small))]
    report, made = taken(tmp_path, coco(tmp_path / "in", **both))
    assert any("a voxel has one label, 1 are tumour" in str(one) for one in report.refused)
    configure(made, task=TaskChange(inside={"tumour <a&b>": "liver"}), actor="test")
    assert import_dataset(made.reload(), tmp_path / "in").refused == ()
    assert kept(made.reload())["0"][1][2][2] == [2]


def test_boxes_and_keypoints_are_marks(tmp_path: Path) -> None:
    given = [{"id": 1, "image_id": "i0", "category_id": 90, "bbox": [2, 3, 4, 5], "keypoints": [3, 4, 2, 0, 0, 0, 5, 5, 1]}]
    report, made = taken(tmp_path, coco(tmp_path / "in", annotations=given, images=[{"id": "i0", "file_name": "0.png"}]))
    assert any("marks, which say where" in note.text for note in report.notes), report
    (line,) = marked_cases(made)
    assert [type(mark).__name__ for mark in line.marks] == ["Box", "Point"]
    assert (line.marks[0].start, line.marks[0].stop, line.marks[1].voxel) == ((2, 3, 0), (6, 8, 1), (3, 4, 0))


@pytest.mark.parametrize(
    "content", ['{"images": [], "annotations": {}, "categories": []}', '{"images": [], "annotations": [], "categories": []', "[[[" * 99999]
)
def test_a_damaged_document_is_refused_as_a_whole(tmp_path: Path, content: str) -> None:
    coco(tmp_path / "in")
    (tmp_path / "in/instances.json").write_text(content)
    with pytest.raises(FormatError):
        open_dataset(tmp_path / "in", fmt="coco")


@pytest.mark.parametrize(("beside", "words"), [("labels/0.png", "labels/ with masks"), ("labels.csv", "labels.csv with labels")])
def test_a_document_beside_masks_or_a_list_is_chosen_by_nobody_in_silence(tmp_path: Path, beside: str, words: str) -> None:
    folder = coco(tmp_path / "in")
    if beside.endswith("csv"):
        (folder / beside).write_text("filename,label\n0.png,well\n")
    else:
        picture(folder / beside)
    with pytest.raises(FormatError, match=f"could be a document of coco or {words}; say --format coco or"):
        detect_format(folder)
    assert len(open_dataset(folder, fmt="coco").cases) == 2


def test_a_document_beyond_the_bound_is_refused_before_it_is_read(tmp_path: Path) -> None:
    coco(tmp_path / "in")
    with (tmp_path / "in/instances.json").open("r+b") as file:
        file.truncate(200 * 1024 * 1024)
    with pytest.raises(FormatError, match=r"at most 134217728 bytes, got 209715200; export it in parts"):
        open_dataset(tmp_path / "in")


def task(number: int, results: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    return {"id": number, "result": results, "was_cancelled": False, **more}


def shape(kind: str, value: dict[str, Any], label: str = "liver") -> dict[str, Any]:
    return {"type": kind, "original_width": WIDE, "original_height": HIGH, "image_rotation": 0, "value": {**value, kind: [label]}}


def test_label_studio_brings_several_people_percents_and_predictions(tmp_path: Path) -> None:
    plane = np.zeros((WIDE, HIGH), bool)
    plane[4:9, 2:5] = True
    brush = shape("brushlabels", {"format": "rle", "rle": brush_of(plane)})
    corners = [[100 * x / WIDE, 100 * y / HIGH] for x, y in ((1, 1), (4, 1), (4, 4), (1, 4))]
    polygon = shape("polygonlabels", {"points": corners})
    box = shape("rectanglelabels", {"x": 0, "y": 0, "width": 50, "height": 50, "rotation": 0})
    for n in range(4):
        picture(tmp_path / f"in/images/{n}.png", n)
    addresses = ["/data/upload/3/0a1b2c3d-0.png", "/data/local-files/?d=images/1.png", "https://host/x/2.png?a=b", "images/3.png"]
    said = [
        [
            task(1, [polygon], completed_by={"email": "ann@x"}, created_at="2026-01-02T03:04:05Z", ground_truth=True),
            task(2, [brush], completed_by=7, lead_time=12.5, created_at="2026-01-03T03:04:05Z"),
            task(3, [brush], was_cancelled=True),
        ],
        [task(4, [box])],
        [],
        [task(5, [])],
    ]
    tasks: list[dict[str, Any]] = [{"id": n, "data": {"image": at}, "annotations": said[n]} for n, at in enumerate(addresses)]
    tasks[2]["predictions"] = [{"model_version": "m1", "score": 0.75, "result": [brush]}]
    (tmp_path / "in/export.json").write_text(json.dumps(tasks))
    report, made = taken(tmp_path, tmp_path / "in")
    assert (report.added, report.refused) == (("0", "1", "2", "3"), ())
    with made.store.read() as tx:
        people = {a.id: a.name for a in tx.find(Annotator)}
        cases = {c.id: c for c in tx.find(Case)}
        found = {(cases[a.case_id].name, people[a.annotator_id]): a for a in tx.current_annotations()}
        proposed = [cases[p.case_id].name for p in tx.find(Prediction)]
    assert set(found) == {("0", "ann@x"), ("0", "label studio 7"), ("3", "import")}
    square = load_mask(made.store.blobs, found["0", "ann@x"], cases[found["0", "ann@x"].case_id]).array
    drawn = load_mask(made.store.blobs, found["0", "label studio 7"], cases[found["0", "ann@x"].case_id]).array
    assert np.array_equal(drawn[..., 0] == 1, plane)
    assert (square.sum(), square[1:4, 1:4].sum()) == (9, 9)
    assert found["0", "label studio 7"].effort_seconds == 12.5
    assert proposed == ["2"]
    assert any("gave its proposal the score 0.75" in note.text for note in report.notes)
    assert [line.case for line in marked_cases(made)] == ["1"]


def test_what_is_not_read_of_label_studio_is_no_empty_mask(tmp_path: Path) -> None:
    plane = np.zeros((WIDE, HIGH), bool)
    plane[4:9, 2:5] = True
    size = {"original_width": WIDE, "original_height": HIGH, "id": "a"}
    value = {"format": "rle", "rle": brush_of(plane)}
    apart = [{**size, "type": "brush", "value": value}, {**size, "type": "labels", "value": {**value, "labels": ["liver"]}}]
    text, choice = {"type": "textarea", "value": {"text": ["x"]}}, {"type": "choices", "value": {"choices": ["well"]}}
    tasks = []
    for n, results in enumerate((apart, [text], [choice])):
        picture(tmp_path / f"in/images/{n}.png", n)
        tasks.append({"id": n, "data": {"image": f"{n}.png"}, "annotations": [task(n, results, created_at="2026-01-02T03:04:05Z")]})
    (tmp_path / "in/export.json").write_text(json.dumps(tasks))
    report, made = taken(tmp_path, tmp_path / "in")
    assert (len(report.added), report.labelled, list(kept(made))) == (3, 1, ["0"])
    said = [note.text for note in report.notes]
    assert any("1 result of the kind 'textarea' is not read" in one for one in said)
    assert any("choices beside shapes are not read" in one for one in said)


@pytest.mark.parametrize(
    ("result", "words"),
    [
        (shape("rectanglelabels", {"x": 0, "y": 0, "width": 5, "height": 5, "rotation": 30}), "a box lies along the picture's axes"),
        ({**shape("brushlabels", {"format": "rle", "rle": [0]}), "image_rotation": 90}, "not turned"),
        (shape("brushlabels", {"format": "png", "rle": [0]}), "a brush is run lengths"),
        (
            {**shape("brushlabels", {"format": "rle", "rle": [0]}), "type": "brush", "value": {"format": "rle", "rle": [0]}},
            "a shape has one label",
        ),
        (shape("polygonlabels", {"points": [[1, 2], [3]]}), "a list of numbers"),
        ({**shape("polygonlabels", {"points": []}), "original_width": 9}, "shapes lie on a picture of 9×9"),
    ],
)
def test_a_bad_result_costs_its_task(tmp_path: Path, result: dict[str, Any], words: str) -> None:
    picture(tmp_path / "in/images/0.png")
    (tmp_path / "in/export.json").write_text(json.dumps([{"id": 1, "data": {"image": "0.png"}, "annotations": [task(1, [result])]}]))
    report, _ = taken(tmp_path, tmp_path / "in")
    assert report.added == ()
    assert any(words in str(one) for one in report.refused), report.refused


CVAT = """<?xml version="1.0" encoding="utf-8"?><annotations><version>1.1</version><meta><job><labels>
<label><name>liver</name></label><label><name>tumour &lt;a&amp;b&gt;</name></label></labels></job></meta>
<image id="0" name="0.png" width="13" height="9">{}</image></annotations>"""


def test_cvats_higher_shapes_cover_lower_ones_and_others_are_counted(tmp_path: Path) -> None:
    picture(tmp_path / "in/images/0.png")
    shapes = """<polygon label="tumour &lt;a&amp;b&gt;" points="2,2;3,2;3,3;2,3" z_order="1">
    <attribute name="a">b</attribute></polygon>
    <polygon label="liver" points="1,1;4,1;4,4;1,4" z_order="0"/><polyline label="liver" points="1,1;2,2"/>
    <box label="liver" xtl="0" ytl="0" xbr="3" ybr="3"/>"""
    (tmp_path / "in/annotations.xml").write_text(CVAT.format(shapes))
    report, made = taken(tmp_path, tmp_path / "in")
    ((_, mask, *_),) = kept(made).values()
    assert np.unique(mask, return_counts=True)[1].tolist() == [WIDE * HIGH - 9, 8, 1]
    said = [note.text for note in report.notes]
    assert any("1 polyline not read" in text for text in said)
    assert any("1 attribute not read" in text for text in said)
    assert any("boxes and points beside masks" in text for text in said)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (CVAT.format("").replace("<image", '<track id="0" label="liver"/><image', 1), "tracks of a video"),
        ("<!DOCTYPE a [<!ENTITY b 'c'>]>" + CVAT.format("").split("?>", 1)[1], "declares no entities"),
        (CVAT.format("<a>"), "must be XML"),
    ],
)
def test_an_xml_that_is_none_of_images_is_refused(tmp_path: Path, text: str, words: str) -> None:
    picture(tmp_path / "in/images/0.png")
    (tmp_path / "in/annotations.xml").write_text(text)
    with pytest.raises(FormatError, match=words):
        open_dataset(tmp_path / "in", fmt="cvat")


def test_a_category_in_use_that_the_project_lacks_refuses_the_source(tmp_path: Path) -> None:
    with pytest.raises(LabelError, match="idle"):
        taken(tmp_path, coco(tmp_path / "in", annotations=[{"id": 1, "image_id": "i0", "category_id": 7, "segmentation": SQUARE}]))


def _two_of_a_name(fmt: str) -> str:
    """A document of train/a.png, drawn on, and val/a.png, drawn on elsewhere."""
    square = {"train": [1, 1, 4, 1, 4, 4, 1, 4], "val": [6, 5, 9, 5, 9, 8, 6, 8]}
    if fmt == "coco":
        images = [{"id": n, "file_name": f"{name}/a.png", "width": WIDE, "height": HIGH} for n, name in enumerate(square)]
        drawn = [{"id": n, "image_id": n, "category_id": 1, "segmentation": [one]} for n, one in enumerate(square.values())]
        return json.dumps({"images": images, "annotations": drawn, "categories": [{"id": 1, "name": "liver"}]})
    points = {name: [[x / WIDE * 100, y / HIGH * 100] for x, y in zip(at[::2], at[1::2], strict=True)] for name, at in square.items()}
    shape = {"type": "polygonlabels", "original_width": WIDE, "original_height": HIGH}
    tasks = [
        {
            "id": n,
            "data": {"image": f"https://pacs.example/{name}/a.png"},
            "annotations": [{"id": n, "result": [{**shape, "value": {"points": at, "polygonlabels": ["liver"]}}]}],
        }
        for n, (name, at) in enumerate(points.items())
    ]
    return json.dumps(tasks)


@pytest.mark.parametrize(("fmt", "place"), [("coco", "val/a.png"), ("labelstudio", "a.png"), ("coco", "a.png")])
def test_what_is_drawn_on_one_picture_never_comes_to_another_of_the_same_name(tmp_path: Path, fmt: str, place: str) -> None:
    picture(tmp_path / "in" / place)
    (tmp_path / "in/document.json").write_text(_two_of_a_name(fmt))
    workspace = project(tmp_path / "p", labels=("liver",))
    report = import_dataset(workspace, tmp_path / "in/document.json")
    assert any("a.png" in str(one) and "several have its name" in str(one) for one in report.refused)
    masks = [np.argwhere(np.array(mask)[..., 0]) for _, mask, *_ in kept(workspace.reload()).values()]
    assert [at.min(axis=0).tolist() for at in masks] == ([[6, 5]] if place == "val/a.png" else [])


def test_only_an_upload_has_letters_before_its_name(tmp_path: Path) -> None:
    picture(tmp_path / "in/scan.png")
    for prefix, added in (("0a1b2c3d", 1), ("patient1", 0)):
        task = {"id": 1, "data": {"image": f"/data/upload/1/{prefix}-scan.png"}, "annotations": [{"id": 1, "result": []}]}
        (tmp_path / "in/document.json").write_text(json.dumps([task]))
        opened = open_dataset(tmp_path / "in/document.json")
        assert sum(case.drawing is not None for case in opened.cases) == added
