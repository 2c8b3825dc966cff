"""Whatever a list says, opening a source ends in a data set or in one of our own errors, and stays inside the folder."""

import json
import tempfile
from contextlib import suppress
from pathlib import Path
from xml.sax.saxutils import quoteattr

from hypothesis import example, given, settings
from hypothesis import strategies as st

from medloop.core.errors import MedloopError
from medloop.datasets.dataset import Dataset
from medloop.datasets.discover import open_dataset

SMALL = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12)
KEYS = st.sampled_from(
    ["labels", "training", "test", "validation", "modality", "channel_names", "file_ending", "image", "label", "0", "1", "a"]
)
JSON = st.recursive(
    SMALL, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS | st.text(max_size=5), inner, max_size=5), max_leaves=20
)
PATHS = st.sampled_from(
    ["imagesTr/a.nii.gz", "./imagesTr/a.nii", "../a.nii.gz", "/etc/passwd", "imagesTr", "", ".", "a" * 300, "\x00", "imagesTr/../../b"]
)
ENTRIES = st.lists(PATHS | st.fixed_dictionaries({"image": PATHS}, optional={"label": PATHS | SMALL, "patient": SMALL}), max_size=4)
LABELS = st.dictionaries(st.text(max_size=4) | st.sampled_from(["0", "1", "background"]), SMALL | st.integers(0, 3), max_size=4)
LIKELY = st.fixed_dictionaries(
    {"labels": LABELS, "training": ENTRIES}, optional={"test": ENTRIES, "modality": LABELS, "file_ending": st.text(max_size=4)}
)
CELLS = st.text(alphabet="ab,;\t\"'\n\r=.-/\x00ä", max_size=200)


def opened(files: dict[str, bytes]) -> None:
    """Open a folder of these files, and a neighbour that must never be named."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "set"
        for name, content in {"imagesTr/a.nii.gz": b"x", "labelsTr/a.nii.gz": b"x", **files}.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        (Path(place) / "a.nii.gz").write_bytes(b"secret")
        for layout in ("auto", "msd", "nnunet", "csv", "folder"):
            with suppress(MedloopError):
                require_inside(open_dataset(folder, fmt=layout), folder)


def require_inside(dataset: Dataset, folder: Path) -> None:
    for case in dataset.cases:
        for path in (*case.images, *([case.mask] if case.mask else [])):
            assert path.resolve().is_relative_to(folder.resolve())
            assert path.exists()
    assert all("\n" not in str(refusal) for refusal in dataset.refused)
    assert len({case.name for case in dataset.cases}) == len(dataset.cases)


@settings(max_examples=150, deadline=None)
@given(content=LIKELY | JSON)
@example(content={"labels": {"0": 1}, "training": [], "modality": {"²": None}})
@example(content={"labels": {"9" * 5000: "x"}, "training": [], "modality": {"9" * 5000: "CT", "1": "MR"}})
def test_any_dataset_json_is_opened_or_refused(content):
    opened({"dataset.json": json.dumps(content).encode()})


@settings(max_examples=60, deadline=None)
@given(content=st.binary(max_size=60))
def test_any_bytes_as_dataset_json_are_opened_or_refused(content: bytes):
    opened({"dataset.json": content})


@settings(max_examples=150, deadline=None)
@given(header=st.sampled_from(["image,label", "image,label,split,pixel_mm", "image;mask", ""]), body=CELLS)
def test_any_table_is_opened_or_refused(header: str, body: str):
    opened({"labels.csv": f"{header}\n{body}".encode(), "index.csv": f"{header}\n{body}".encode(), "images/a.png": b"x"})


_KEYS = """images annotations categories id name file_name image_id category_id segmentation counts size bbox keypoints width data image
result type value points rle format polygonlabels brushlabels rectanglelabels original_width original_height predictions completed_by x y"""
DOCUMENT_KEYS = st.sampled_from(_KEYS.split())
DOCUMENT_WORDS = st.sampled_from(["a.png", "../a.png", "polygonlabels", "brushlabels", "rectanglelabels", "rle", "liver", "", "1"])
DOCUMENTS = st.recursive(
    SMALL | DOCUMENT_WORDS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(DOCUMENT_KEYS, inner, max_size=9), max_leaves=40
)


@settings(max_examples=150, deadline=None)
@given(
    content=DOCUMENTS
    | st.fixed_dictionaries({name: st.lists(DOCUMENTS, max_size=3) for name in ("images", "annotations", "categories")})
    | st.lists(st.fixed_dictionaries({"data": DOCUMENTS, "annotations": DOCUMENTS, "predictions": DOCUMENTS}), max_size=3)
)
@example(content=[{"data": {"image": "//[/a.png"}, "annotations": [{"result": [{"type": "rectanglelabels", "value": {"x": 10**400}}]}]}])
@example(content=[{"data": {"image": "a.png"}, "annotations": [{"lead_time": float("nan"), "created_at": "²", "completed_by": [1]}]}])
def test_any_document_of_shapes_is_opened_or_refused(content):
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "set"
        folder.mkdir()
        (folder / "a.png").write_bytes(b"x")
        (Path(place) / "a.png").write_bytes(b"secret")
        (folder / "document.json").write_text(json.dumps(content))
        for layout in ("auto", "coco", "labelstudio"):
            for source in (folder, folder / "document.json"):
                with suppress(MedloopError):
                    require_inside(open_dataset(source, fmt=layout), folder)


@settings(max_examples=80, deadline=None)
@given(
    name=st.text(max_size=20) | PATHS,
    tag=st.sampled_from(["polygon", "box", "points", "mask", "ellipse", "tag", "track", "x"]),
    value=st.text(alphabet="0123456789.,;-einfa²", max_size=20),
)
def test_any_xml_of_shapes_is_opened_or_refused(name, tag, value):
    keys = ("points", "xtl", "ytl", "xbr", "ybr", "rle", "left", "top", "width", "height", "cx", "cy", "rx", "ry", "z_order", "rotation")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "set"
        folder.mkdir()
        (folder / "a.png").write_bytes(b"x")
        (Path(place) / "a.nii.gz").write_bytes(b"secret")
        written = " ".join(f'{key}="{value}"' for key in keys)
        head = "<annotations><meta><task><labels><label><name>liver</name></label></labels></task></meta>"
        for called in ("a.png", name):
            shape = f'<{tag} label="liver" {written}/>'
            text = f'{head}<image id="0" name={quoteattr(called)} width="{value}" height="9">{shape}</image></annotations>'
            (folder / "annotations.xml").write_bytes(text.encode("utf-8", "surrogatepass"))
            with suppress(MedloopError):
                require_inside(open_dataset(folder, fmt="cvat"), folder)
