"""Odd headers: read as the standard says, with a note, and as SimpleITK reads them where it reads them at all."""

import struct
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest

from medloop.core.errors import GeometryError
from medloop.core.geometry import Grid
from medloop.images.nifti import read_nifti, write_mask
from medloop.images.read import read_image, read_mask, read_mask_with_notes

VOXELS = np.arange(5 * 6 * 7, dtype=np.int16).reshape(5, 6, 7)
TURNED = np.array([[0.8, -0.6, 0, -9], [0.6, 0.8, 0, 4], [0, 0, 3, 7], [0, 0, 0, 1]])


def header(path: Path, affine: np.ndarray = TURNED, *, sform: int = 0, qform: int = 1, **fields: Any) -> Path:
    image = nibabel.Nifti1Image(VOXELS, affine)
    image.set_sform(affine, sform)
    image.set_qform(affine, qform, strip_shears=True)
    nibabel.save(image, path)
    data = bytearray(path.read_bytes())
    for name, (at, code, value) in fields.items():
        struct.pack_into(code, data, at, value)
        assert name
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(("qfac", "taken"), [(0.0, 1), (0.5, 1), (-0.5, -1), (7.0, 1)])
def test_a_qfac_that_is_not_one_is_read_as_the_standard_says(tmp_path: Path, qfac: float, taken: int) -> None:
    right = read_nifti(header(tmp_path / "right.nii", qfac=(76, "<f", float(taken))))
    odd = read_nifti(header(tmp_path / "odd.nii", qfac=(76, "<f", qfac)))
    np.testing.assert_array_equal(odd.image.grid.affine, right.image.grid.affine)
    assert right.notes == ()
    assert f"qfac (pixdim[0]) is {qfac:g}; it is read as {taken}" in odd.notes[0]


def test_a_qfac_of_zero_is_read_as_simpleitk_reads_it(tmp_path: Path) -> None:
    sitk = pytest.importorskip("SimpleITK")
    path = header(tmp_path / "x.nii", qfac=(76, "<f", 0.0))
    reference = sitk.ReadImage(str(path))
    lps = np.array(reference.TransformIndexToPhysicalPoint((4, 5, 6)))
    np.testing.assert_allclose(read_nifti(path).image.grid.to_mm((4, 5, 6)), lps * (-1, -1, 1), atol=1e-4)


@pytest.mark.parametrize("size", [0.0, -1.0, np.nan, 2.0])
@pytest.mark.parametrize("qform", [0, 1])
def test_voxel_sizes_do_not_matter_where_there_is_an_sform_and_are_noted(tmp_path: Path, size: float, qform: int) -> None:
    path = header(tmp_path / "x.nii", sform=1, qform=qform, pixdim=(84, "<f", size))
    read = read_nifti(path)
    np.testing.assert_allclose(read.image.grid.affine, TURNED, atol=1e-6)
    assert "voxel sizes of the sform (1×1×3) and pixdim (1×" in read.notes[0]
    mask = read_mask_with_notes(header(tmp_path / "m.nii", sform=1, qform=0), read.image.grid)
    assert mask.notes == ()


def test_a_qform_that_cannot_be_read_does_not_cost_a_good_sform(tmp_path: Path) -> None:
    read = read_nifti(header(tmp_path / "x.nii", sform=2, b=(256, "<f", 5.0)))
    np.testing.assert_allclose(read.image.grid.affine, TURNED, atol=1e-6)
    assert "the qform is no rotation; the sform is used" in read.notes


def test_an_empty_sform_leaves_a_good_qform(tmp_path: Path) -> None:
    path = header(tmp_path / "x.nii", sform=1)
    data = bytearray(path.read_bytes())
    data[280:328] = bytes(48)
    path.write_bytes(data)
    read = read_nifti(path)
    np.testing.assert_allclose(read.image.grid.affine, TURNED, atol=1e-5)
    assert "the sform does not span space; the qform is used" in read.notes


@pytest.mark.parametrize("length", [1.001, 1.05])
def test_a_quaternion_longer_than_one_is_scaled_as_the_standard_does(tmp_path: Path, length: float) -> None:
    half_turn = np.diag([-1.0, -1.0, 1.0, 1.0])
    path = header(tmp_path / "x.nii", half_turn, d=(264, "<f", length))
    read = read_nifti(path)
    np.testing.assert_allclose(read.image.grid.affine, half_turn, atol=1e-3)
    assert any("scaled to 1" in note for note in read.notes)


def test_a_quaternion_that_is_no_rounding_is_refused(tmp_path: Path) -> None:
    with pytest.raises(GeometryError, match="qform"):
        read_nifti(header(tmp_path / "x.nii", b=(256, "<f", 5.0)))


def unit(path: Path, code: int, scale: float) -> Path:
    affine = TURNED.copy()
    affine[:3] *= scale
    return header(path, affine, sform=1, units=(123, "<B", code))


@pytest.mark.parametrize(("code", "scale", "words"), [(3, 1000.0, "micrometres"), (1, 0.001, "metres")])
def test_other_units_of_length_are_converted_to_millimetres(tmp_path: Path, code: int, scale: float, words: str) -> None:
    read = read_nifti(unit(tmp_path / "x.nii", code, scale))
    np.testing.assert_allclose(read.image.grid.affine, TURNED, rtol=1e-5, atol=1e-5)
    assert read.notes == (f"the header's unit of length is {words}; positions are converted to millimetres",)
    sitk = pytest.importorskip("SimpleITK")
    np.testing.assert_allclose(read.image.grid.spacing_mm, sitk.ReadImage(str(tmp_path / "x.nii")).GetSpacing(), rtol=1e-5)


def test_metres_that_would_make_voxels_of_a_metre_are_millimetres(tmp_path: Path) -> None:
    read = read_nifti(unit(tmp_path / "x.nii", 1, 1.0))
    np.testing.assert_allclose(read.image.grid.affine, TURNED, atol=1e-6)
    assert "read as millimetres" in read.notes[0]


def test_a_mask_of_a_file_in_micrometres_comes_back_and_may_have_lost_its_unit(tmp_path: Path) -> None:
    read = read_nifti(unit(tmp_path / "x.nii", 3, 1000.0))
    write_mask(tmp_path / "own.nii", read_mask(header(tmp_path / "m.nii", sform=1, dim=(40, "<h", 3))), read.source)
    assert read_mask_with_notes(tmp_path / "own.nii", read.image.grid).mask.grid == read.image.grid
    lost = read_mask_with_notes(unit(tmp_path / "lost.nii", 0, 1000.0), read.image.grid)
    assert lost.mask.grid == read.image.grid
    assert any("another unit of length" in note for note in lost.notes)


def sheared(degrees: float) -> np.ndarray:
    lean = np.eye(4)
    lean[0, 2] = np.tan(np.radians(degrees))
    return TURNED @ lean


def itk_copy(path: Path, out: Path) -> Path:
    """The mask that an ITK-based tool saves for an image: its own way to keep the very same grid."""
    sitk = pytest.importorskip("SimpleITK")
    image = sitk.ReadImage(str(path))
    mask = sitk.Cast(image > 100, sitk.sitkUInt8)
    mask.CopyInformation(image)
    sitk.WriteImage(mask, str(out))
    return out


@pytest.mark.parametrize("degrees", [0.0, 0.0005, 0.005])
@pytest.mark.parametrize("spacing", [0.05, 1.0, 5.0])
def test_the_mask_of_an_itk_tool_lies_on_its_slightly_sheared_image(tmp_path: Path, degrees: float, spacing: float) -> None:
    affine = sheared(degrees)
    affine[:3] *= spacing
    nibabel.save(nibabel.Nifti1Image(VOXELS, affine), tmp_path / "x.nii")
    grid = read_image(tmp_path / "x.nii").image.grid
    read = read_mask_with_notes(itk_copy(tmp_path / "x.nii", tmp_path / "m.nii"), grid)
    assert read.mask.grid == grid
    np.testing.assert_array_equal(read.mask.array, VOXELS > 100)


def test_a_mask_a_little_off_takes_the_images_grid_with_a_note_and_one_farther_off_is_refused(tmp_path: Path) -> None:
    grid = Grid(VOXELS.shape, TURNED)
    near, far = TURNED.copy(), TURNED.copy()
    near[0, 3] += 0.02
    far[0, 3] += 0.2
    read = read_mask_with_notes(header(tmp_path / "near.nii", near, sform=1), grid)
    assert read.mask.grid == grid
    assert any("of a voxel) off the grid of its image, which it takes" in note for note in read.notes)
    with pytest.raises(GeometryError, match="of a voxel"):
        read_mask(header(tmp_path / "far.nii", far, sform=1), grid)


def test_a_picture_mask_on_a_turned_image_says_how_it_was_laid(tmp_path: Path) -> None:
    import PIL.Image

    PIL.Image.fromarray(np.eye(6, 5, dtype=np.uint8)).save(tmp_path / "m.png")
    assert read_mask_with_notes(tmp_path / "m.png", Grid.flat(5, 6, 0.3)).notes == ()
    assert "a picture has no position" in read_mask_with_notes(tmp_path / "m.png", Grid((5, 6, 1), TURNED)).notes[0]


@pytest.mark.parametrize(
    "field", [(4, b"Doe^John"), (14, b"Doe^John"), (148, b"Doe^John scan"), (228, b"Doe^John.nii"), (328, b"Doe^John")]
)
def test_free_text_of_a_header_is_not_kept(tmp_path: Path, field: tuple[int, bytes]) -> None:
    at, words = field
    path = header(tmp_path / "x.nii", sform=1, text=(at, f"{len(words)}s", words))
    read = read_nifti(path)
    import base64

    kept = base64.b64decode(read.source.nifti_header)
    assert b"Doe" in path.read_bytes()[:348]
    assert b"Doe" not in kept
    assert kept[40:56] == path.read_bytes()[40:56]
    assert kept[252:328] == path.read_bytes()[252:328]


def test_text_and_extensions_kept_by_an_older_version_do_not_leave_with_an_export(tmp_path: Path) -> None:
    import base64

    from medloop.core.records import Source
    from medloop.images.nifti import write_image

    image = nibabel.Nifti1Image(VOXELS, TURNED)
    image.header.extensions.append(nibabel.nifti1.Nifti1Extension("comment", b"Doe^John was here"))
    nibabel.save(image, tmp_path / "x.nii")
    data = bytearray((tmp_path / "x.nii").read_bytes())
    for at, length in ((4, 10), (14, 18), (148, 80), (228, 24), (328, 16)):
        struct.pack_into(f"{length}s", data, at, b"Doe^John")
    (tmp_path / "x.nii").write_bytes(data)
    read = read_image(tmp_path / "x.nii")
    old = Source(format="nifti", names=("x.nii",), sha256="0" * 64, nifti_header=base64.b64encode(bytes(data[:348])).decode())
    for source in (old, read.source):
        write_image(tmp_path / "out.nii", read.image, source)
        assert b"Doe" not in (tmp_path / "out.nii").read_bytes()
        np.testing.assert_array_equal(read_image(tmp_path / "out.nii").image.array, read.image.array)
    assert "Doe" not in str(read.source)


@pytest.mark.parametrize("first", [0, 1, 2])
def test_an_empty_third_axis_of_a_flat_image_becomes_one_millimetre_at_a_right_angle(tmp_path: Path, first: int) -> None:
    affine = np.zeros((4, 4))
    affine[first, 0], affine[(first + 1) % 3, 1], affine[3, 3] = 0.7, 0.9, 1
    image = nibabel.Nifti1Image(VOXELS[..., 0], None)
    image.header["sform_code"] = 1
    for row in range(3):
        image.header["srow_" + "xyz"[row]] = affine[row]
    nibabel.save(image, tmp_path / "flat.nii")
    read = read_nifti(tmp_path / "flat.nii").image.grid.affine
    np.testing.assert_allclose(np.asarray(read)[:3, 2], np.eye(3)[(first + 2) % 3], atol=1e-6)
