"""Whatever a list says, opening a source ends in a data set or in one of our own errors, and stays inside the folder."""

import json
import tempfile
from contextlib import suppress
from pathlib import Path

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
