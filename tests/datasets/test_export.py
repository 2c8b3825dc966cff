import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from medloop.core.errors import ConflictError, GeometryError, InputError
from medloop.core.geometry import Grid
from medloop.core.image import Image, Mask
from medloop.core.records import Source
from medloop.datasets.discover import open_dataset
from medloop.datasets.export import ExportCase, export_csv, export_msd, export_nifti, export_nnunet
from medloop.images.nifti import write_image
from medloop.images.read import read_image, read_mask

SHAPE = (7, 6, 5)
ORIENTATIONS = {
    "RAS": np.diag([1.0, 1.5, 2.0, 1.0]),
    "LPS": np.diag([-1.0, -1.5, 2.0, 1.0]),
    "ASL": np.array([[0, 0, -2.0, 9], [1, 0, 0, -4], [0, 1.5, 0, 3], [0, 0, 0, 1.0]]),
    "oblique": np.array([[0.8, -0.6, 0, 11.1], [0.6, 0.8, 0, -7.3], [0, 0, 3, 0.1], [0, 0, 0, 1.0]]),
}
SOURCELESS = Source(format="phantom", names=("x",), sha256="0" * 64)
VOLUMES: dict[str, Callable] = {"msd": export_msd, "nnunet": export_nnunet, "nifti": export_nifti}


def case(name="a", *, split="train", affine=None, answered=True, source=SOURCELESS, channels=1, seed=0) -> ExportCase:
    rng = np.random.default_rng(seed)
    grid = Grid(SHAPE, ORIENTATIONS["RAS"] if affine is None else affine)
    image = Image(rng.integers(-1000, 3000, (channels, *SHAPE)).astype(np.int16), grid)
    mask = Mask(rng.integers(0, 3, SHAPE).astype(np.uint8), grid) if answered else None
    return ExportCase(name, f"patient of {name}", split, image, mask, None, source)


@pytest.mark.parametrize("layout", VOLUMES)
@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_voxels_and_affine_come_back_exactly(tmp_path: Path, layout: str, orientation: str):
    affine = ORIENTATIONS[orientation]
    write_image(tmp_path / "source.nii.gz", case(affine=affine).image)
    read = read_image(tmp_path / "source.nii.gz")
    out = case(affine=read.image.grid.affine, source=read.source)
    VOLUMES[layout]([out], tmp_path / "out", ["liver", "tumour"])
    found = open_dataset(tmp_path / "out").cases[0]
    image, mask = read_image(found.images[0]), read_mask(found.mask, read.image.grid)
    assert np.array_equal(image.image.array, out.image.array)
    assert np.array_equal(mask.array, out.mask.array)
    assert mask.grid == image.image.grid == read.image.grid


@pytest.mark.parametrize("layout", VOLUMES)
def test_channels_come_back_in_order(tmp_path: Path, layout: str):
    out = case(channels=2)
    VOLUMES[layout]([out], tmp_path / "out", ["liver", "tumour"])
    found = open_dataset(tmp_path / "out").cases[0]
    read = read_image(found.images[0] if len(found.images) == 1 else found.images)
    assert np.array_equal(read.image.array, out.image.array)


def test_labels_splits_and_patients_survive_a_decathlon_folder(tmp_path: Path):
    splits = {"a": "train", "b": "validation", "c": "test", "d": "audit"}
    cases = [*(case(n, split=s, seed=i) for i, (n, s) in enumerate(splits.items())), case("e", answered=False)]
    done = export_msd(cases, tmp_path / "out", ["liver", "tumour"])
    dataset = open_dataset(tmp_path / "out")
    assert (done.cases, done.answers, dataset.refused) == (5, 4, ())
    assert dict(dataset.label_values) == {"liver": 1, "tumour": 2}
    assert [(c.name, c.split, c.patient) for c in dataset.cases] == [
        ("a", "train", "patient of a"),
        ("b", "validation", "patient of b"),
        ("c", "test", "patient of c"),
        ("d", "audit", "patient of d"),
        ("e", None, "patient of e"),
    ]


def test_a_plain_folder_keeps_splits_and_patients_in_its_index(tmp_path: Path):
    export_nifti([case("a"), case("b", split="test", seed=1), case("c", answered=False)], tmp_path / "out", ["liver", "tumour"])
    found = open_dataset(tmp_path / "out").cases
    assert [(c.name, c.split, c.patient) for c in found] == [
        ("a", "train", "patient of a"),
        ("b", "test", "patient of b"),
        ("c", None, "patient of c"),
    ]
    assert json.loads((tmp_path / "out/labels.json").read_text()) == {"liver": 1, "tumour": 2}


def test_nnunet_gets_a_version_2_description(tmp_path: Path):
    export_nnunet([case("a"), case("b", split="test"), case("c", answered=False)], tmp_path / "out", ["liver", "tumour"])
    description = json.loads((tmp_path / "out/dataset.json").read_text())
    assert description["labels"] == {"background": 0, "liver": 1, "tumour": 2}
    assert (description["numTraining"], description["file_ending"]) == (1, ".nii.gz")
    files = sorted(p.relative_to(tmp_path / "out").as_posix() for p in (tmp_path / "out").rglob("*.nii.gz"))
    assert files == [
        "imagesTr/a_0000.nii.gz",
        "imagesTs/b_0000.nii.gz",
        "imagesTs/c_0000.nii.gz",
        "labelsTr/a.nii.gz",
        "labelsTs/b.nii.gz",
    ]


def test_single_slices_that_nnunet_would_plan_across_are_named(tmp_path: Path):
    def flat(name: str, pixel_mm: float) -> ExportCase:
        grid = Grid((7, 6, 1), np.diag([pixel_mm, pixel_mm, 1.0, 1.0]))
        image, mask = Image(np.ones((1, 7, 6, 1), dtype=np.int16), grid), Mask(np.ones((7, 6, 1), dtype=np.uint8), grid)
        return ExportCase(name, name, "train", image, mask, None, SOURCELESS)

    done = export_nnunet([flat("coarse", 5.0), flat("fine", 1.0)], tmp_path / "Dataset001_flat", ["liver"])
    (note,) = [one for one in done.notes if "coarsest axis" in one]
    assert "1 single slice thinner than a pixel" in note
    assert note.endswith("coarse")


def test_nnunet_refuses_cases_of_differing_channels(tmp_path: Path):
    with pytest.raises(InputError, match="2 channels in every case, got 1"):
        export_nnunet([case("a", channels=2), case("b")], tmp_path / "out", ["liver"])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("layout", VOLUMES)
def test_a_failing_export_leaves_nothing_behind(tmp_path: Path, layout: str):
    def breaking():
        yield case()
        raise InputError("broken")

    with pytest.raises(InputError, match="broken"):
        VOLUMES[layout](breaking(), tmp_path / "out", ["liver"])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("layout", VOLUMES)
def test_a_place_that_holds_something_is_left_alone(tmp_path: Path, layout: str):
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(ConflictError, match="new or an empty folder"):
        VOLUMES[layout]([case()], tmp_path, ["liver"])
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]


def test_an_empty_folder_is_a_place(tmp_path: Path):
    (tmp_path / "out").mkdir()
    assert export_nifti([case()], tmp_path / "out", ["liver"]).cases == 1


def test_nothing_to_export_is_said(tmp_path: Path):
    with pytest.raises(InputError, match="at least one case"):
        export_msd([], tmp_path / "out", ["liver"])


def test_a_mask_off_its_grid_is_refused(tmp_path: Path):
    good, other = case(), case(affine=ORIENTATIONS["LPS"])
    bad = ExportCase("a", "p", "train", good.image, other.mask, None, SOURCELESS)
    with pytest.raises(GeometryError, match="a: the mask"):
        export_nifti([bad], tmp_path / "out", ["liver"])


@pytest.mark.parametrize("name", ["../../evil", "/etc/x", ".hidden", "a/b\\c", "con:1", "x" * 300, "\u202egnp.exe"])
def test_names_stay_within_the_folder(tmp_path: Path, name: str):
    export_nifti([case(name)], tmp_path / "deep/out", ["liver"])
    written = [p for p in tmp_path.rglob("*") if p.is_file()]
    assert all(p.is_relative_to(tmp_path / "deep/out") for p in written)
    assert len(open_dataset(tmp_path / "deep/out").cases) == 1


def test_names_that_become_alike_stay_apart(tmp_path: Path):
    export_nifti([case("a/b"), case("a:b", seed=1), case("A_b", seed=2)], tmp_path / "out", ["liver"])
    assert len(open_dataset(tmp_path / "out").cases) == 3


def classified(name: str, tag: str | None, patient: str = "p") -> ExportCase:
    plain = case(name, answered=False)
    return ExportCase(name, patient, "train", plain.image, None, tag, SOURCELESS)


@pytest.mark.parametrize("text", ["=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)"])
def test_a_table_holds_no_formulas_and_comes_back(tmp_path: Path, text: str):
    export_csv([classified("a", text, text)], tmp_path / "out", [text, "other"])
    rows = list(csv.reader((tmp_path / "out/labels.csv").read_text().splitlines()))
    assert all(not cell.startswith(("=", "+", "-", "@")) for row in rows for cell in row)
    found = open_dataset(tmp_path / "out").cases[0]
    assert (found.tag, found.patient) == (text, text)


def test_a_class_that_is_no_label_is_refused(tmp_path: Path):
    with pytest.raises(InputError, match="must be one of well, got 'sick'"):
        export_csv([classified("a", "sick")], tmp_path / "out", ["well"])


def test_unanswered_cases_have_an_empty_class(tmp_path: Path):
    export_csv([classified("a", "sick"), classified("b", None)], tmp_path / "out", ["sick"])
    assert [(c.tag, c.split) for c in open_dataset(tmp_path / "out").cases] == [("sick", "train"), (None, None)]


@pytest.mark.parametrize(("channels", "dtype"), [(1, np.uint8), (1, np.uint16), (3, np.uint8)])
def test_pictures_and_their_masks_stay_png(tmp_path: Path, channels: int, dtype: type):
    rng = np.random.default_rng(1)
    grid = Grid.flat(9, 4)
    image = Image(rng.integers(0, np.iinfo(dtype).max, (channels, 9, 4, 1)).astype(dtype), grid)
    mask = Mask(rng.integers(0, 3, (9, 4, 1)).astype(np.uint8), grid)
    picture = Source(format="raster", names=("a.png",), sha256="0" * 64)
    export_nifti([ExportCase("a", "p", "train", image, mask, None, picture)], tmp_path / "out", ["liver", "tumour"])
    found = open_dataset(tmp_path / "out").cases[0]
    assert (found.images[0].name, found.mask and found.mask.name) == ("a.png", "a.png")
    assert np.array_equal(read_image(found.images[0]).image.array, image.array)
    assert np.array_equal(read_mask(found.mask, grid).array, mask.array)


def test_a_picture_with_a_known_size_keeps_it(tmp_path: Path):
    picture = Source(format="raster", names=("a.png",), sha256="0" * 64)
    image = Image(np.zeros((1, 4, 3, 1), np.uint8), Grid.flat(4, 3, 0.25))
    export_csv([ExportCase("a", "p", "train", image, None, "sick", picture)], tmp_path / "out", ["sick"])
    assert open_dataset(tmp_path / "out").cases[0].pixel_mm == 0.25
