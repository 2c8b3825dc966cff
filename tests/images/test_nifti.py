import base64
import gzip
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest

from medloop.core.errors import FormatError, GeometryError, InputError, StorageError
from medloop.core.geometry import Grid
from medloop.core.image import Image, Mask
from medloop.images import nifti_header
from medloop.images.nifti import read_nifti, write_image, write_mask
from medloop.images.nifti_header import gate_header
from medloop.images.read import read_image, read_mask

SHAPE = (5, 6, 7)
VOXELS = np.random.default_rng(0).integers(-50, 900, SHAPE).astype(np.int16)
AFFINES = {
    "RAS": np.array([[2.0, 0, 0, -9], [0, 1.5, 0, 4], [0, 0, 3, 7], [0, 0, 0, 1]]),
    "LPS": np.array([[-2.0, 0, 0, 9], [0, -1.5, 0, 4], [0, 0, 3, 7], [0, 0, 0, 1]]),
    "flipped": np.array([[0, 0, -3.1, 11], [-0.9, 0, 0, 2], [0, 1.7, 0, -30.3], [0, 0, 0, 1]]),
    "oblique": np.array([[1.879385, 0.51303, 0, -31.7], [-0.68404, 1.409539, 0, 12.9], [0, 0, 2.5, 0.1], [0, 0, 0, 1]]),
}
Change = tuple[int, str, Any]


def save(path: Path, array: np.ndarray = VOXELS, affine: np.ndarray = AFFINES["oblique"], kind: Any = nibabel.Nifti1Image) -> Path:
    nibabel.save(kind(array, affine), path)
    return path


def patched(path: Path, *changes: Change) -> Path:
    """A valid file with some header bytes replaced: (offset, struct format, value)."""
    data = bytearray(save(path).read_bytes())
    for at, code, value in changes:
        struct.pack_into(code, data, at, value)
    path.write_bytes(data)
    return path


def qform_only(path: Path, affine: np.ndarray) -> Path:
    image = nibabel.Nifti1Image(VOXELS, None)
    image.header.set_qform(affine, code=1)
    image.header["sform_code"] = 0
    image.header.set_xyzt_units("mm", "sec")
    nibabel.save(image, path)
    return path


@pytest.mark.parametrize("kind", [nibabel.Nifti1Image, nibabel.Nifti2Image])
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("name", AFFINES)
def test_voxels_and_affine_are_those_of_nibabel(tmp_path: Path, name: str, suffix: str, kind: Any) -> None:
    path = save(tmp_path / f"scan{suffix}", affine=AFFINES[name], kind=kind)
    read = read_nifti(path)
    reference = nibabel.load(path)
    np.testing.assert_array_equal(read.image.array[0], VOXELS)
    assert read.image.array.dtype == np.int16
    np.testing.assert_array_equal(read.image.grid.affine, reference.affine)
    assert read.notes == ()


@pytest.mark.parametrize("maker", [save, qform_only])
@pytest.mark.parametrize("name", AFFINES)
def test_a_mask_keeps_the_geometry_of_its_source_bit_for_bit(tmp_path: Path, name: str, maker: Callable[..., Path]) -> None:
    source = maker(tmp_path / "scan.nii.gz", affine=AFFINES[name])
    read = read_nifti(source)
    labels = (VOXELS > 400).astype(np.uint8)
    write_mask(tmp_path / "mask.nii.gz", Mask(labels, read.image.grid), read.source)
    before, after = gzip.decompress(source.read_bytes()), gzip.decompress((tmp_path / "mask.nii.gz").read_bytes())
    for start, end in ((76, 108), (123, 124), (252, 328)):  # pixdim, units, qform and sform
        assert before[start:end] == after[start:end]
    back = read_nifti(tmp_path / "mask.nii.gz")
    assert back.image.grid == read.image.grid
    np.testing.assert_array_equal(back.image.array[0], labels)
    np.testing.assert_array_equal(nibabel.load(tmp_path / "mask.nii.gz").affine, nibabel.load(source).affine)


def test_a_mask_of_a_big_endian_nifti2_source_keeps_its_geometry(tmp_path: Path) -> None:
    image = nibabel.Nifti2Image(VOXELS, AFFINES["oblique"])
    nibabel.save(nibabel.Nifti2Image(VOXELS, AFFINES["oblique"], image.header.as_byteswapped(">")), tmp_path / "big.nii")
    read = read_nifti(tmp_path / "big.nii")
    np.testing.assert_array_equal(read.image.array[0], VOXELS)
    write_mask(tmp_path / "mask.nii", Mask((VOXELS > 0).astype(np.uint8), read.image.grid), read.source)
    assert read_nifti(tmp_path / "mask.nii").image.grid == read.image.grid
    assert (tmp_path / "mask.nii").read_bytes()[:4] == struct.pack(">i", 540)


def test_free_text_of_the_source_does_not_travel_with_a_mask(tmp_path: Path) -> None:
    image = nibabel.Nifti1Image(VOXELS, np.eye(4))
    image.header["descrip"], image.header["aux_file"], image.header["db_name"] = b"Jane Doe", b"doe.txt", b"doe"
    nibabel.save(image, tmp_path / "scan.nii")
    read = read_nifti(tmp_path / "scan.nii")
    write_mask(tmp_path / "mask.nii", Mask(np.ones(SHAPE, np.uint8), read.image.grid), read.source)
    assert b"doe" not in (tmp_path / "mask.nii").read_bytes().lower()


@pytest.mark.parametrize("kind", [nibabel.Nifti1Image, nibabel.Nifti2Image])
def test_a_mask_inherits_no_intent_display_range_or_slice_timing(tmp_path: Path, kind: Any) -> None:
    image = kind(VOXELS, np.eye(4))
    numbers = ("intent_p1", "intent_p2", "intent_p3", "cal_max", "cal_min", "slice_duration", "toffset")
    codes = ("intent_code", "slice_start", "slice_end", "slice_code")
    for field in (*numbers, *codes):
        image.header[field] = 0.1 if field in numbers else 3  # no byte of a number is 0
    image.header["intent_name"] = b"t-test"
    nibabel.save(image, tmp_path / "scan.nii")
    read = read_nifti(tmp_path / "scan.nii")
    write_mask(tmp_path / "mask.nii", Mask(np.ones(SHAPE, np.uint8), read.image.grid), read.source)
    header = nibabel.load(tmp_path / "mask.nii").header
    assert {field: float(header[field]) for field in (*numbers, *codes)} == dict.fromkeys((*numbers, *codes), 0.0)
    assert header["intent_name"].item() == b""


def test_a_mask_of_another_shape_than_its_source_is_refused(tmp_path: Path) -> None:
    read = read_nifti(save(tmp_path / "scan.nii"))
    with pytest.raises(GeometryError, match="header says"):
        write_mask(tmp_path / "mask.nii", Mask(np.ones((2, 2, 2), np.uint8), Grid.of_spacing((2, 2, 2), (1, 1, 1))), read.source)


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int16", "uint32", "int32", "float32"])
def test_an_image_with_channels_comes_back_as_written(tmp_path: Path, dtype: str) -> None:
    array = np.random.default_rng(1).integers(0, 100, (3, *SHAPE)).astype(dtype)
    image = Image(array, Grid(SHAPE, AFFINES["oblique"]))
    write_image(tmp_path / "image.nii.gz", image)
    back = read_nifti(tmp_path / "image.nii.gz").image
    np.testing.assert_array_equal(back.array, array)
    assert back.array.dtype == dtype
    assert back.grid.same_as(image.grid)


def test_writing_the_same_mask_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    mask = Mask(np.ones(SHAPE, np.uint8), Grid(SHAPE, AFFINES["LPS"]))
    write_mask(tmp_path / "a.nii.gz", mask)
    write_mask(tmp_path / "b.nii.gz", mask)
    assert (tmp_path / "a.nii.gz").read_bytes() == (tmp_path / "b.nii.gz").read_bytes()


def test_a_failed_write_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "mask.nii").mkdir()
    with pytest.raises(StorageError):
        write_mask(tmp_path / "mask.nii", Mask(np.ones(SHAPE, np.uint8), Grid(SHAPE, np.eye(4))))
    assert [path.name for path in tmp_path.iterdir()] == ["mask.nii"]


def test_rescale_is_applied_and_stays_whole_when_it_can(tmp_path: Path) -> None:
    read = read_nifti(patched(tmp_path / "scan.nii", (112, "<f", 1.0), (116, "<f", -1024.0)))
    np.testing.assert_array_equal(read.image.array[0], VOXELS - 1024)
    assert read.image.array.dtype == np.int16
    scaled = read_nifti(patched(tmp_path / "scan.nii", (112, "<f", 0.25), (116, "<f", 3.0))).image.array[0]
    np.testing.assert_allclose(scaled, nibabel.load(tmp_path / "scan.nii").get_fdata(), rtol=1e-6)


@pytest.mark.parametrize("slope", [np.nan, np.inf, 0.0])
def test_an_unusable_slope_is_ignored(tmp_path: Path, slope: float) -> None:
    read = read_nifti(patched(tmp_path / "scan.nii", (112, "<f", slope)))
    np.testing.assert_array_equal(read.image.array[0], VOXELS)


@pytest.mark.parametrize(("dtype", "kept"), [("float64", "float32"), ("int64", "int32"), ("uint64", "int32"), ("uint8", "uint8")])
def test_wide_numbers_are_kept_in_32_bits(tmp_path: Path, dtype: str, kept: str) -> None:
    path = tmp_path / "scan.nii"
    nibabel.save(nibabel.Nifti1Image(np.ones(SHAPE, dtype), np.eye(4), dtype=dtype), path)
    assert read_nifti(path).image.array.dtype == kept


def test_whole_numbers_beyond_32_bits_are_refused(tmp_path: Path) -> None:
    nibabel.save(nibabel.Nifti1Image(np.full(SHAPE, 1 << 40, "int64"), np.eye(4), dtype="int64"), tmp_path / "scan.nii")
    with pytest.raises(FormatError, match="must fit 32 bits"):
        read_nifti(tmp_path / "scan.nii")


def test_an_image_of_just_the_most_bytes_is_read_and_of_one_voxel_more_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = patched(tmp_path / "scan.nii")
    monkeypatch.setattr(nifti_header, "MAX_VOXEL_BYTES", VOXELS.nbytes)
    read_nifti(path)
    monkeypatch.setattr(nifti_header, "MAX_VOXEL_BYTES", VOXELS.nbytes - 2)
    with pytest.raises(FormatError, match="an image holds at most"):
        read_nifti(path)


REFUSED: dict[str, tuple[tuple[Change, ...], str]] = {
    "wrong magic": (((344, "4s", b"abc\0"),), "starts with a header"),
    "wrong header size": (((0, "<i", 350),), "starts with a header"),
    "no axes": (((40, "<h", 0),), r"dim\[0\] must be 1 to 7"),
    "zero axis": (((42, "<h", 0),), "every axis must have"),
    "negative axis": (((44, "<h", -5),), "every axis must have"),
    "huge axes": (tuple((at, "<h", 32767) for at in (42, 44, 46)), "holds at most 2048 MiB"),
    "more than the file has": (((42, "<h", 500),), "the file has"),
    "bit voxels": (((70, "<h", 1), (72, "<h", 1)), "single bits"),
    "complex": (((70, "<h", 32), (72, "<h", 64)), "complex64"),
    "float128": (((70, "<h", 1536), (72, "<h", 128)), "float128"),
    "RGB": (((70, "<h", 128), (72, "<h", 24)), "RGB"),
    "unknown datatype": (((70, "<h", 99),), "datatype code 99"),
    "bitpix": (((72, "<h", 8),), "bitpix must be 16"),
    "NaN voxel size": (((254, "<h", 0), (252, "<h", 1), (80, "<f", np.nan)), "pixdim"),
    "zero voxel size": (((254, "<h", 0), (252, "<h", 1), (84, "<f", 0.0)), "pixdim"),
    "negative voxel size": (((254, "<h", 0), (252, "<h", 1), (84, "<f", -1.0)), "pixdim"),
    "giant voxel size": (((254, "<h", 0), (252, "<h", 1), (88, "<f", 1e30)), "pixdim"),
    "offset in the header": (((108, "<f", 100.0),), "vox_offset"),
    "NaN offset": (((108, "<f", np.nan),), "vox_offset"),
    "offset beyond the file": (((108, "<f", 1e6),), "the file has"),
    "offset beyond every header": (((108, "<f", 1e8),), "vox_offset must be a whole number from 352 to"),
    "infinite intercept": (((112, "<f", 2.0), (116, "<f", np.inf)), "scl_inter"),
}


@pytest.mark.parametrize("fault", REFUSED)
def test_a_broken_header_is_refused_in_one_line_that_names_file_and_rule(tmp_path: Path, fault: str) -> None:
    changes, rule = REFUSED[fault]
    with pytest.raises(FormatError, match=rule) as caught:
        read_nifti(patched(tmp_path / "scan.nii", *changes))
    assert str(caught.value).startswith("scan.nii: ")
    assert "\n" not in str(caught.value)
    assert caught.value.remedy


@pytest.mark.parametrize(("at", "value"), [(280, np.nan), (280, 0.0), (292, np.inf)])
def test_an_unusable_affine_is_refused(tmp_path: Path, at: int, value: float) -> None:
    path = save(tmp_path / "scan.nii", affine=AFFINES["RAS"])
    data = bytearray(path.read_bytes())
    struct.pack_into("<f", data, at, value)
    path.write_bytes(data)
    with pytest.raises(GeometryError, match=r"^scan\.nii: "):
        read_nifti(path)


def test_an_impossible_rotation_is_refused(tmp_path: Path) -> None:
    path = qform_only(tmp_path / "scan.nii", AFFINES["RAS"])
    data = bytearray(path.read_bytes())
    struct.pack_into("<f", data, 256, 5.0)
    path.write_bytes(data)
    with pytest.raises(GeometryError, match="qform"):
        read_nifti(path)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_voxels_that_are_not_numbers_are_refused_with_their_count(tmp_path: Path, value: float) -> None:
    array = VOXELS.astype(np.float32)
    array[0, :2, 0] = value
    path = save(tmp_path / "scan.nii", array)
    with pytest.raises(FormatError, match="2 of 210 are NaN or infinite"):
        read_nifti(path)
    with pytest.raises(FormatError, match="2 of 210"):
        read_mask(path)


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("keep", [0, 1, 100, 348, 360, -1])
def test_a_truncated_file_is_refused(tmp_path: Path, suffix: str, keep: int) -> None:
    path = save(tmp_path / f"scan{suffix}")
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(FormatError, match=r"^scan\.nii"):
        read_nifti(path)


def test_text_named_as_gzip_is_refused(tmp_path: Path) -> None:
    (tmp_path / "scan.nii.gz").write_text("this is not an image")
    with pytest.raises(FormatError):
        read_nifti(tmp_path / "scan.nii.gz")


def test_a_flipped_bit_in_gzip_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "scan.nii.gz")
    data = bytearray(path.read_bytes())
    data[-7] ^= 1
    path.write_bytes(data)
    with pytest.raises(FormatError, match="gzip must be intact"):
        read_nifti(path)


def test_a_gzip_bomb_is_inflated_only_as_far_as_its_header_says(tmp_path: Path) -> None:
    header = bytearray(save(tmp_path / "small.nii").read_bytes())
    bomb = tmp_path / "bomb.nii.gz"
    with gzip.open(bomb, "wb", compresslevel=1) as file:
        file.write(header)
        for _ in range(256):
            file.write(bytes(1 << 20))
    np.testing.assert_array_equal(read_nifti(bomb).image.array[0], VOXELS)


def test_an_extension_of_impossible_size_is_refused(tmp_path: Path) -> None:
    image = nibabel.Nifti1Image(VOXELS, np.eye(4))
    image.header.extensions.append(nibabel.nifti1.Nifti1Extension("comment", b"a note"))
    nibabel.save(image, tmp_path / "good.nii")
    np.testing.assert_array_equal(read_nifti(tmp_path / "good.nii").image.array[0], VOXELS)
    for size in (-16, 0x7FFFFFF0, 3):
        data = bytearray((tmp_path / "good.nii").read_bytes())
        struct.pack_into("<i", data, 352, size)
        (tmp_path / "bad.nii").write_bytes(data)
        with pytest.raises(FormatError, match="extension"):
            read_nifti(tmp_path / "bad.nii")


def test_either_half_of_a_pair_is_read_and_a_missing_half_is_named(tmp_path: Path) -> None:
    nibabel.save(nibabel.Nifti1Pair(VOXELS, AFFINES["LPS"]), tmp_path / "scan.hdr")
    for half in ("scan.hdr", "scan.img"):
        np.testing.assert_array_equal(read_nifti(tmp_path / half).image.array[0], VOXELS)
    read = read_nifti(tmp_path / "scan.hdr")
    write_mask(tmp_path / "mask.nii", Mask(np.ones(SHAPE, np.uint8), read.image.grid), read.source)
    assert read_nifti(tmp_path / "mask.nii").image.grid == read.image.grid
    (tmp_path / "scan.img").unlink()
    with pytest.raises(FormatError, match=r"\.img half of the pair is missing"):
        read_nifti(tmp_path / "scan.hdr")


def test_one_axis_is_no_image(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="2 to 4 axes"):
        read_nifti(save(tmp_path / "line.nii", VOXELS[:, 0, 0]))


def test_two_axes_make_one_slice(tmp_path: Path) -> None:
    path = save(tmp_path / "flat.nii", VOXELS[:, :, 0], np.diag([2.0, 3, 1, 1]))
    read = read_nifti(path)
    assert read.image.array.shape == (1, 5, 6, 1)
    assert read.image.grid.spacing_mm == (2, 3, 1)


def test_a_fourth_axis_is_channels_a_long_one_a_time_series_and_a_fifth_too_many(tmp_path: Path) -> None:
    array = np.arange(2 * 3 * 4 * 5, dtype=np.int16).reshape(2, 3, 4, 5)
    read = read_nifti(save(tmp_path / "four.nii", array))
    assert read.image.channels == 5
    np.testing.assert_array_equal(read.image.array[3], array[..., 3])
    with pytest.raises(FormatError, match="time series"):
        read_nifti(save(tmp_path / "long.nii", np.zeros((2, 3, 4, 40), np.int16)))
    with pytest.raises(FormatError, match="2 to 4 axes"):
        read_nifti(save(tmp_path / "five.nii", np.zeros((2, 3, 4, 1, 3), np.int16)))
    assert read_nifti(save(tmp_path / "ones.nii", np.zeros((2, 3, 4, 1, 1), np.int16))).image.channels == 1


def test_disagreeing_qform_and_sform_are_noted_and_the_sform_is_used(tmp_path: Path) -> None:
    image = nibabel.Nifti1Image(VOXELS, AFFINES["RAS"])
    image.set_qform(AFFINES["LPS"], code=1)
    nibabel.save(image, tmp_path / "scan.nii")
    read = read_nifti(tmp_path / "scan.nii")
    np.testing.assert_array_equal(read.image.grid.affine, AFFINES["RAS"])
    assert any("qform and sform disagree by up to" in note for note in read.notes)


def test_sheared_axes_are_noted(tmp_path: Path) -> None:
    affine = np.array(AFFINES["RAS"])
    affine[1, 2] = 1.0
    assert any("sheared" in note for note in read_nifti(save(tmp_path / "scan.nii", affine=affine)).notes)


def test_a_file_without_orientation_says_so(tmp_path: Path) -> None:
    read = read_nifti(patched(tmp_path / "scan.nii", (252, "<h", 0), (254, "<h", 0)))
    assert "no orientation is stored" in read.notes[0]


def test_the_raw_header_is_kept_for_writing_later(tmp_path: Path) -> None:
    path = save(tmp_path / "scan.nii")
    kept = base64.b64decode(read_nifti(path).source.nifti_header)
    assert gate_header(path).raw == path.read_bytes()[:348]
    assert kept == path.read_bytes()[:348]


def test_a_float_mask_of_whole_numbers_is_read_and_fractions_are_not(tmp_path: Path) -> None:
    labels = (VOXELS > 400).astype(np.float32) * 3
    mask = read_mask(save(tmp_path / "mask.nii.gz", labels))
    assert mask.values() == (0, 3)
    with pytest.raises(FormatError, match="whole numbers"):
        read_mask(save(tmp_path / "soft.nii.gz", labels / 4))


@pytest.mark.parametrize("value", [-1, 256])
def test_labels_outside_a_byte_are_refused(tmp_path: Path, value: int) -> None:
    labels = np.zeros(SHAPE, np.int16)
    labels[0, 0, 0] = value
    with pytest.raises(InputError, match="0 to 255"):
        read_mask(save(tmp_path / "mask.nii", labels))


def test_a_mask_on_another_grid_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "mask.nii", np.ones(SHAPE, np.uint8), AFFINES["RAS"])
    assert read_mask(path, Grid(SHAPE, AFFINES["RAS"])).values() == (1,)
    with pytest.raises(GeometryError, match="positions differ"):
        read_mask(path, Grid(SHAPE, AFFINES["LPS"]))
    with pytest.raises(GeometryError, match="shape 5×6×7 against 5×6×8"):
        read_mask(path, Grid((5, 6, 8), AFFINES["RAS"]))


def test_several_files_are_channels_of_one_case(tmp_path: Path) -> None:
    first, second = save(tmp_path / "a.nii"), save(tmp_path / "b.nii", VOXELS.astype(np.float32) / 2)
    read = read_image([first, second])
    assert read.image.array.shape == (2, *SHAPE)
    assert read.image.array.dtype == np.float32
    assert read.source.names == ("a.nii", "b.nii")
    with pytest.raises(GeometryError, match=r"c\.nii: every channel"):
        read_image([first, save(tmp_path / "c.nii", affine=AFFINES["RAS"])])


@pytest.mark.parametrize(
    ("first", "second", "kept"), [("uint8", "uint8", "uint8"), ("uint8", "int16", "int16"), ("int32", "float32", "float32")]
)
def test_channels_take_the_smallest_type_that_holds_them(tmp_path: Path, first: str, second: str, kept: str) -> None:
    paths = [save(tmp_path / f"{n}.nii", np.ones(SHAPE, dtype)) for n, dtype in enumerate((first, second))]
    assert read_image(paths).image.array.dtype == kept


@pytest.mark.data
@pytest.mark.parametrize("name", ["hippocampus", "acdc_cardiac"])
def test_real_volumes_read_like_nibabel_and_their_masks_survive(data_folder: Path, tmp_path: Path, name: str) -> None:
    for path in sorted((data_folder / name).rglob("[!.]*.nii.gz"))[::12]:
        read, reference = read_nifti(path), nibabel.load(path)
        np.testing.assert_array_equal(read.image.array[0], np.asarray(reference.dataobj).astype(read.image.array.dtype))
        np.testing.assert_array_equal(read.image.grid.affine, reference.affine)
        write_mask(tmp_path / path.name, Mask((read.image.array[0] > 0).astype(np.uint8), read.image.grid), read.source)
        np.testing.assert_array_equal(nibabel.load(tmp_path / path.name).affine, reference.affine)
