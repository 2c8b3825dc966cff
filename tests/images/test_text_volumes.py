"""NRRD and MetaImage: voxels and positions as SimpleITK has them, in any orientation, and one line for every bad file."""

import gzip
import zlib
from pathlib import Path

import numpy as np
import pytest
import SimpleITK
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from medloop.core.errors import FormatError, GeometryError, LabelError, MedloopError, NotFoundError
from medloop.core.geometry import Grid
from medloop.core.image import Image, Mask
from medloop.core.labels import enclosing_values, held_by_value, region_values
from medloop.core.overlaps import overlapping
from medloop.core.records import Label
from medloop.images.metaimage import UNSCALED, read_metaimage, write_metaimage
from medloop.images.nrrd import read_nrrd
from medloop.images.nrrd_write import write_nrrd, write_seg_nrrd
from medloop.images.read import read_image, read_mask_with_notes
from medloop.images.result import ReadImage
from medloop.images.segments import Naming, Segment

LPS = np.diag([-1.0, -1.0, 1.0])
DTYPES = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "float32")
GRID = Grid((4, 5, 6), np.array([[-0.5, 0, 0, 1], [0, -0.75, 0, 2], [0, 0, 2, 3.5], [0, 0, 0, 1]]))
NESTED = {1: (1, 2), 2: (2,), 3: (3,)}
NAMES = {"liver": 1, "tumour": 2, "spleen": 3}


def read(path: Path) -> ReadImage:
    return read_metaimage(path) if path.suffix in (".mha", ".mhd") else read_nrrd(path)


def itk_affine(image: SimpleITK.Image) -> np.ndarray:
    affine = np.eye(4)
    affine[:3, :3] = LPS @ np.array(image.GetDirection()).reshape(3, 3) * np.array(image.GetSpacing())
    affine[:3, 3] = LPS @ np.array(image.GetOrigin())
    return affine


@st.composite
def images(draw: st.DrawFn) -> Image:
    rng = np.random.default_rng(draw(st.integers(0, 2**31)))
    shape = tuple(draw(st.integers(1, 5)) for _ in range(3))
    dtype = np.dtype(draw(st.sampled_from(DTYPES)))
    channels = draw(st.integers(1, 3))
    array = rng.normal(0, 50, (channels, *shape)) if dtype.kind == "f" else rng.integers(0, 127, (channels, *shape))
    affine = np.eye(4)
    turned = Rotation.random(random_state=rng).as_matrix() * rng.choice([-1, 1], 3)
    affine[:3, :3], affine[:3, 3] = turned * rng.uniform(0.2, 5, 3), rng.uniform(-300, 300, 3)
    return Image(array.astype(dtype), Grid(shape, affine))


@settings(max_examples=60, deadline=None)
@given(image=images(), suffix=st.sampled_from([".nrrd", ".nhdr", ".mha", ".mhd"]), packed=st.booleans())
def test_what_simpleitk_writes_is_read_as_it_has_it(
    tmp_path_factory: pytest.TempPathFactory, image: Image, suffix: str, packed: bool
) -> None:
    path = tmp_path_factory.mktemp("itk") / f"a{suffix}"
    theirs = SimpleITK.GetImageFromArray(
        image.array.transpose(3, 2, 1, 0).squeeze(3) if image.channels == 1 else image.array.transpose(3, 2, 1, 0)
    )
    theirs.SetSpacing(image.grid.spacing_mm)
    theirs.SetDirection((LPS @ image.grid.affine[:3, :3] / np.array(image.grid.spacing_mm)).ravel().tolist())
    theirs.SetOrigin((LPS @ image.grid.affine[:3, 3]).tolist())
    SimpleITK.WriteImage(theirs, path, packed)
    found = read(path)
    assert found.image.array.dtype == image.array.dtype
    assert np.array_equal(found.image.array, image.array)
    assert np.allclose(found.image.grid.affine, itk_affine(SimpleITK.ReadImage(path)), rtol=0, atol=1e-9)
    assert np.allclose(found.image.grid.affine, image.grid.affine, rtol=0, atol=1e-3)
    assert found.notes == ()


@settings(max_examples=60, deadline=None)
@given(image=images(), suffix=st.sampled_from([".nrrd", ".mha"]))
def test_what_is_written_is_read_by_simpleitk_and_comes_back(tmp_path_factory: pytest.TempPathFactory, image: Image, suffix: str) -> None:
    path = tmp_path_factory.mktemp("ours") / f"a{suffix}"
    write_nrrd(path, image) if suffix == ".nrrd" else write_metaimage(path, image)
    theirs = SimpleITK.ReadImage(path)
    array = SimpleITK.GetArrayFromImage(theirs)
    assert np.array_equal(array[..., None] if image.channels == 1 else array, image.array.transpose(3, 2, 1, 0))
    assert np.allclose(itk_affine(theirs), image.grid.affine, rtol=0, atol=1e-9)
    back = read(path)
    assert np.array_equal(back.image.array, image.array)
    assert np.allclose(back.image.grid.affine, image.grid.affine, rtol=0, atol=0 if suffix == ".nrrd" else 1e-12)


def nrrd(path: Path, *, body: bytes = bytes(120), **fields: str | None) -> Path:
    """A valid header of 4 × 5 × 6 bytes with some fields replaced, or left out by None; `_` stands for a blank."""
    told = {
        "type": "uint8",
        "dimension": "3",
        "space": "RAS",
        "sizes": "4 5 6",
        "space directions": "(1,0,0) (0,1,0) (0,0,1)",
        "encoding": "raw",
        "space origin": "(0,0,0)",
    }
    told |= {name.replace("_", " "): value for name, value in fields.items()}
    lines = [f"{name}: {value}" for name, value in told.items() if value is not None]
    path.write_bytes("\n".join(["NRRD0005", *lines]).encode() + b"\n\n" + body)
    return path


def mha(path: Path, *, body: bytes = bytes(120), **fields: str) -> Path:
    told = {"ObjectType": "Image", "NDims": "3", "BinaryData": "True", "TransformMatrix": "1 0 0 0 1 0 0 0 1", "Offset": "0 0 0"}
    told |= {"ElementSpacing": "1 1 1", "DimSize": "4 5 6", "ElementType": "MET_UCHAR"} | fields
    told.setdefault("ElementDataFile", "LOCAL")
    path.write_bytes("".join(f"{name} = {value}\n" for name, value in told.items()).encode() + body)
    return path


@pytest.mark.parametrize(
    ("fields", "error", "words"),
    [
        ({"body": bytes(119)}, FormatError, "declares 120 bytes of voxels, the file has 119"),
        ({"body": bytes(121)}, FormatError, "the file holds more"),
        ({"sizes": "4 5 60000"}, FormatError, "1 to 32767 voxels"),
        ({"sizes": "30000 30000 30000"}, FormatError, "at most 2048 MiB"),
        ({"sizes": "4 5 0"}, FormatError, "lengths of 1 or more"),
        ({"sizes": "4 5"}, FormatError, "sizes must be 3 lengths"),
        ({"encoding": "hex"}, FormatError, "encoding must be raw, gzip or bzip2"),
        ({"encoding": "gzip", "body": gzip.compress(bytes(120))[:-6]}, FormatError, "end early"),
        ({"encoding": "gzip", "body": gzip.compress(bytes(50 << 20))}, FormatError, "the file holds more"),
        ({"encoding": "gzip", "body": b"no gzip at all"}, FormatError, "must be intact"),
        ({"encoding": "gzip", "body": gzip.compress(bytes(120)) + b"more"}, FormatError, "nothing follows its compressed voxels"),
        ({"encoding": "gzip", "body": 2 * gzip.compress(bytes(120))}, FormatError, "the file holds more"),
        ({"spacings": "2 2 2"}, FormatError, "space directions or spacings, this has both"),
        ({"axis mins": "5 5 5"}, FormatError, "space directions or axis mins, this has both"),
        ({"sizes": "2 5 12", "MultiVolume.FrameLabels:=0,1": "x"}, FormatError, "this is a series of volumes"),
        ({"sizes": "2 5 12", "axis 0 index values:=0 40": "x"}, FormatError, "this is a series of volumes"),
        ({"type": "block"}, FormatError, "whole numbers or floats"),
        ({"type": "short", "body": bytes(240)}, FormatError, "endian must be little or big"),
        ({"space_directions": "(1,0,0) (2,0,0) (0,0,1)"}, GeometryError, "must span space"),
        ({"space_directions": "(nan,0,0) (0,1,0) (0,0,1)"}, GeometryError, "finite"),
        ({"space_directions": "(0,0,0) (0,1,0) (0,0,1)"}, GeometryError, "must span space"),
        ({"space_directions": "(1,0) (0,1,0) (0,0,1)"}, FormatError, "must be 3 numbers"),
        ({"space": "right-anterior-superior-time"}, FormatError, "space must be one of"),
        ({"kinds": "domain domain time"}, FormatError, "directions in space or channels"),
        ({"data file": "../voxels.raw"}, FormatError, "lies in the folder of its header"),
        ({"data file": "LIST"}, FormatError, "lie in one file"),
        ({"data file": "gone.raw"}, NotFoundError, "which is not there"),
        ({"dimension": "5", "sizes": "1 1 4 5 6"}, FormatError, "2 to 4 axes"),
    ],
)
def test_a_bad_nrrd_is_refused_in_one_line(tmp_path: Path, fields: dict, error: type[MedloopError], words: str) -> None:
    with pytest.raises(error, match=words) as caught:
        read_image(nrrd(tmp_path / "x.nrrd", **fields))
    assert "x.nrrd" in str(caught.value) or "voxels.raw" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("fields", "error", "words"),
    [
        ({"body": b""}, FormatError, "declares 120 bytes of voxels, the file has 0"),
        ({"CompressedData": "True"}, FormatError, "must be intact"),
        ({"CompressedData": "True", "body": zlib.compress(bytes(120)) + b"more"}, FormatError, "nothing follows its compressed voxels"),
        ({"HeaderSize": "4"}, FormatError, "begin behind it, got HeaderSize 4"),
        ({"ElementSpacing": "1 1 1\nElementSpacing = 2 2 2"}, FormatError, "states ElementSpacing once"),
        ({"DistanceUnits": "ft"}, FormatError, "DistanceUnits must be um, mm or cm"),
        ({"ElementSpacing": "1 nan 1"}, FormatError, "ElementSpacing must be positive"),
        ({"ElementSpacing": "1 0 1"}, FormatError, "ElementSpacing must be positive"),
        ({"TransformMatrix": "1 0 0 1 0 0 0 0 1"}, GeometryError, "must span space"),
        ({"ElementType": "MET_STRING"}, FormatError, "whole numbers or floats"),
        ({"NDims": "4"}, FormatError, "2 or 3 axes"),
        ({"BinaryData": "False"}, FormatError, "stored in binary"),
        ({"ElementDataFile": "/etc/passwd"}, FormatError, "lies in the folder of its header"),
        ({"ElementNumberOfChannels": "99"}, FormatError, "at most 16 channels"),
    ],
)
def test_a_bad_metaimage_is_refused_in_one_line(tmp_path: Path, fields: dict, error: type[MedloopError], words: str) -> None:
    with pytest.raises(error, match=words) as caught:
        read_image(mha(tmp_path / "x.mha", **fields))
    assert "\n" not in str(caught.value)
    assert caught.value.remedy


def test_a_line_that_is_no_field_is_named_by_its_number_as_it_may_hold_a_name(tmp_path: Path) -> None:
    for path in (nrrd(tmp_path / "x.nrrd", content="a\nof Erika Beispiel"), mha(tmp_path / "x.mha", Comment="a\nof Erika Beispiel")):
        with pytest.raises(FormatError, match=r"line \d+ is not") as caught:
            read_image(path)
        assert "Erika" not in str(caught.value)


def test_an_empty_file_and_a_link_out_of_the_folder_are_refused(tmp_path: Path) -> None:
    for name in ("a.nrrd", "a.mha"):
        (tmp_path / name).write_bytes(b"")
        with pytest.raises(FormatError):
            read_image(tmp_path / name)
    (tmp_path / "in").mkdir()
    (tmp_path / "secret.raw").write_bytes(bytes(120))
    (tmp_path / "in/x.raw").symlink_to(tmp_path / "secret.raw")
    with pytest.raises(FormatError, match="must not be a link out of its folder"):
        read_image(mha(tmp_path / "in/x.mhd", body=b"", ElementDataFile="x.raw"))


def test_units_spaces_and_missing_directions(tmp_path: Path) -> None:
    micron = read_nrrd(nrrd(tmp_path / "u.nrrd", space_units='"um" "um" "um"', space_origin="(1000,0,0)")).image.grid
    assert np.allclose(micron.affine, [[0.001, 0, 0, 1], [0, 0.001, 0, 0], [0, 0, 0.001, 0], [0, 0, 0, 1]])
    las = read_nrrd(nrrd(tmp_path / "l.nrrd", space="left-anterior-superior")).image.grid
    assert las.axis_codes == "LAS"
    plain = read_nrrd(nrrd(tmp_path / "p.nrrd", space=None, space_directions=None, space_origin=None, spacings="1 2 3"))
    assert plain.image.grid.spacing_mm == (1, 2, 3)
    assert any("no orientation is stored" in note for note in plain.notes)
    assert plain.source.display is not None
    assert not plain.source.display.oriented
    flat = read_nrrd(nrrd(tmp_path / "f.nrrd", dimension="2", sizes="4 5", space_directions="(0,2,0) (0,0,3)", body=bytes(20)))
    assert flat.image.grid.shape == (4, 5, 1)


def named(values: dict[str, int], **inside: str) -> Naming:
    """The labels of a task by name and value, some inside others."""
    return Naming(enclosing_values([Label(value=value, name=name, colour="#112233") for name, value in values.items()], inside))


def test_voxels_in_several_gzip_members_and_a_file_name_with_a_blank_are_read(tmp_path: Path) -> None:
    voxels = bytes(range(120))
    (tmp_path / "my voxels.gz").write_bytes(gzip.compress(voxels[:50]) + gzip.compress(voxels[50:]))
    found = read_nrrd(nrrd(tmp_path / "x.nhdr", encoding="gzip", body=b"", data_file="my voxels.gz")).image
    assert found.array.ravel(order="F").tolist() == list(voxels)


@pytest.mark.parametrize("centres", ["cell", "node"])
def test_axis_mins_place_a_volume_without_directions_as_itk_places_it(tmp_path: Path, centres: str) -> None:
    unplaced = {"space": None, "space_directions": None, "space_origin": None, "centerings": " ".join([centres] * 3)}
    path = nrrd(tmp_path / "x.nrrd", spacings="1 2 3", axis_mins="10 20 30", **unplaced)
    assert np.allclose(LPS @ read_nrrd(path).image.grid.affine[:3, 3], SimpleITK.ReadImage(path).GetOrigin())


def test_units_and_scales_of_a_metaimage_are_not_passed_over(tmp_path: Path) -> None:
    micron = mha(tmp_path / "u.mha", DistanceUnits="um", ElementSpacing="1000 2000 3000", Offset="5000 0 0")
    assert read_metaimage(micron).image.grid.spacing_mm == (1, 2, 3)
    assert read_metaimage(micron).image.grid.affine[0, 3] == -5
    scaled = read_metaimage(mha(tmp_path / "s.mha", ElementToIntensityFunctionSlope="2", ElementToIntensityFunctionOffset="0"))
    assert scaled.notes == (UNSCALED,)
    plain = mha(tmp_path / "p.mha", ElementToIntensityFunctionSlope="1", ElementToIntensityFunctionOffset="0")
    assert read_metaimage(plain).notes == ()


def test_a_segmentation_without_segments_says_of_no_label_that_it_is_nowhere(tmp_path: Path) -> None:
    write_seg_nrrd(tmp_path / "a.seg.nrrd", Mask(np.zeros(GRID.shape, np.uint8), GRID), [], {})
    with pytest.raises(FormatError, match="names its segments, this one names none"):
        read_mask_with_notes(tmp_path / "a.seg.nrrd", GRID, naming=named(NAMES))


def test_a_backslash_in_a_label_comes_back(tmp_path: Path) -> None:
    write_seg_nrrd(tmp_path / "a.seg.nrrd", Mask(np.ones(GRID.shape, np.uint8), GRID), [Segment("a\\nerve", 1)], {})
    assert read_nrrd(tmp_path / "a.seg.nrrd").segments[0].name == "a\\nerve"


def segmentation(path: Path) -> Mask:
    mask = Mask(np.random.default_rng(3).integers(0, 4, GRID.shape).astype(np.uint8), GRID)
    labels = [Segment(name, value, colour=(0.5, value / 4, 1.0)) for name, value in NAMES.items()]
    write_seg_nrrd(path, mask, labels, NESTED)
    return mask


def test_nested_labels_become_layers_that_simpleitk_reads_and_come_back(tmp_path: Path) -> None:
    mask = segmentation(tmp_path / "a.seg.nrrd")
    theirs = SimpleITK.ReadImage(tmp_path / "a.seg.nrrd")
    layers = SimpleITK.GetArrayFromImage(theirs).transpose(3, 2, 1, 0)
    told = {key: theirs.GetMetaData(key) for key in theirs.GetMetaDataKeys()}
    for number, (name, value) in enumerate(NAMES.items()):
        assert told[f"Segment{number}_Name"] == name
        layer = layers[int(told[f"Segment{number}_Layer"])]
        assert np.array_equal(layer == int(told[f"Segment{number}_LabelValue"]), np.isin(mask.array, NESTED[value]))
    assert told["Segment1_Color"] == "0.5 0.5 1"
    back = read_mask_with_notes(tmp_path / "a.seg.nrrd", GRID, naming=named(NAMES, tumour="liver"))
    assert np.array_equal(back.mask.array, mask.array)
    assert (back.named, back.notes) == ((1, 2, 3), ())


def test_overlapping_labels_lie_in_layers_of_their_own_and_come_back(tmp_path: Path) -> None:
    labels = overlapping(
        [Label(value=n, name=name, colour="#112233") for n, name in enumerate(("rib", "lung", "vessel"), start=1)],
        {"lung": ["rib", "vessel"]},
    )
    values = (0, *held_by_value(labels))
    mask = Mask(np.random.default_rng(4).choice(np.array(values, np.uint8), GRID.shape), GRID)
    segments = [Segment(label.name, label.value) for label in labels]
    write_seg_nrrd(tmp_path / "a.seg.nrrd", mask, segments, region_values(labels))
    theirs = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(tmp_path / "a.seg.nrrd"))
    assert theirs.shape[-1] == 2  # rib and vessel never share a voxel
    back = read_mask_with_notes(tmp_path / "a.seg.nrrd", GRID, naming=Naming(labels))
    assert np.array_equal(back.mask.array, mask.array)


def test_segments_are_read_by_name_whatever_their_values(tmp_path: Path) -> None:
    mask = segmentation(tmp_path / "a.seg.nrrd")
    other = {"Tumour": 1, "spleen": 2, "liver": 7}
    back = read_mask_with_notes(tmp_path / "a.seg.nrrd", GRID, naming=named(other, Tumour="liver"))
    assert np.array_equal(back.mask.array, np.array([0, 7, 1, 2], np.uint8)[mask.array])
    with pytest.raises(LabelError, match="called like the labels, liver, kidney, got 'tumour', 'spleen'"):
        read_mask_with_notes(tmp_path / "a.seg.nrrd", GRID, naming=named({"liver": 1, "kidney": 2}))
    with pytest.raises(LabelError, match="voxels are in the segments liver, tumour, and a voxel"):
        read_mask_with_notes(tmp_path / "a.seg.nrrd", GRID, naming=named(NAMES))


def test_a_segmentation_cut_to_its_content_is_put_back_on_its_image(tmp_path: Path) -> None:
    mask = np.zeros(GRID.shape, np.uint8)
    mask[1:3, 2:4, 3:6] = 1
    moved = GRID.affine.copy()
    moved[:3, 3] = GRID.to_mm([1, 2, 3])
    write_seg_nrrd(tmp_path / "a.seg.nrrd", Mask(mask[1:3, 2:4, 3:6].copy(), Grid((2, 2, 3), moved)), [Segment("x", 1)], {})
    found = read_mask_with_notes(tmp_path / "a.seg.nrrd", GRID, naming=named({"organ": 1}))
    assert np.array_equal(found.mask.array, mask)
    assert found.notes == ("mask: its only segment 'x' is read as the only label, 'organ'",)
    moved[0, 3] += 0.3
    write_seg_nrrd(tmp_path / "b.seg.nrrd", Mask(np.ones((2, 2, 3), np.uint8), Grid((2, 2, 3), moved)), [Segment("x", 1)], {})
    with pytest.raises(GeometryError, match="must lie on the image's grid"):
        read_mask_with_notes(tmp_path / "b.seg.nrrd", GRID, naming=named({"organ": 1}))
