"""Grids and headers that ITK reads: what it would refuse or misread is found, and made regular."""

import base64
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK

from medloop.core.errors import InputError
from medloop.core.geometry import Grid
from medloop.core.image import Image, Mask
from medloop.core.records import Source
from medloop.datasets.regular import header_trouble, is_sheared, made_regular, regular_grid
from medloop.images.nifti import write_image
from medloop.images.read import read_image

SOURCE = Source(format="phantom", names=("x",), sha256="0" * 64)
SHAPE = (9, 8, 7)


def tilted(lean: float = 0.4, *, axis: int = 1) -> np.ndarray:
    """A gantry tilt: slices move along one of their own axes, `lean` mm per 2 mm of depth."""
    affine = np.diag([1.0, 1.5, 2.0, 1.0])
    affine[axis, 2] = lean
    return affine


def turned(affine: np.ndarray) -> np.ndarray:
    """The same grid turned in space."""
    a, b = np.deg2rad([25, 40])
    about_x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    about_z = np.array([[np.cos(b), -np.sin(b), 0], [np.sin(b), np.cos(b), 0], [0, 0, 1]])
    whole = np.eye(4)
    whole[:3, :3], whole[:3, 3] = about_x @ about_z, (5.0, -3.0, 11.0)
    return whole @ affine


@pytest.mark.parametrize("lean", [0.0, 1e-6, 1e-4, 1e-3, 0.1, 0.4])
def test_sheared_is_what_itk_refuses(tmp_path: Path, lean: float):
    grid = Grid(SHAPE, tilted(lean))
    write_image(tmp_path / "x.nii.gz", Image(np.zeros((1, *SHAPE), np.int16), grid))
    raw = nib.load(tmp_path / "x.nii.gz")
    raw.header["qform_code"] = 0
    nib.save(raw, tmp_path / "y.nii.gz")
    try:
        SimpleITK.ReadImage(tmp_path / "y.nii.gz")
        refused = False
    except RuntimeError:
        refused = True
    assert is_sheared(grid) == refused


def test_a_tilted_grid_keeps_its_slices():
    grid = regular_grid("x", Grid(SHAPE, tilted(0.4)))
    assert np.allclose(grid.affine, np.diag([1.0, 1.5, 2.0, 1.0]))
    assert grid.shape == (9, 8 + 2, 7)  # 6 slices × 0.4 mm is 1.6 pixels of 1.5 mm


@pytest.mark.parametrize("affine", [tilted(0.4), tilted(-0.7), tilted(0.5, axis=0), turned(tilted(0.9))])
def test_a_regular_grid_holds_every_voxel_of_the_sheared_one(affine: np.ndarray):
    old = Grid(SHAPE, affine)
    new = regular_grid("x", old)
    assert not is_sheared(new)
    corners = np.array([[a, b, c] for a in (0, 8) for b in (0, 7) for c in (0, 6)])
    places = new.to_voxels(old.to_mm(corners))
    assert (places > -1e-6).all()
    assert (places < np.array(new.shape) - 1 + 1e-6).all()


@pytest.mark.parametrize("affine", [tilted(0.4), turned(tilted(0.9)), tilted(0.5, axis=0)])
def test_resampling_agrees_with_simpleitk(affine: np.ndarray):
    rng = np.random.default_rng(0)
    old = Grid(SHAPE, affine)
    array = rng.normal(size=(1, *SHAPE)).astype(np.float32)
    labels = rng.integers(0, 3, SHAPE).astype(np.uint8)
    done = made_regular("x", Image(array, old), Mask(labels, old), SOURCE)
    new = done.image.grid
    turn = np.linalg.inv(old.affine) @ new.affine
    index = SimpleITK.AffineTransform(3)
    index.SetMatrix(turn[:3, :3].ravel().tolist())
    index.SetTranslation(turn[:3, 3].tolist())
    size = [int(n) for n in new.shape]
    for stored, found, way in (
        (array[0], done.image.array[0], SimpleITK.sitkLinear),
        (labels, done.mask.array, SimpleITK.sitkNearestNeighbor),
    ):
        image = SimpleITK.GetImageFromArray(np.ascontiguousarray(stored.T))
        expected = SimpleITK.Resample(image, size, index, way, [0.0] * 3, [1.0] * 3, np.eye(3).ravel().tolist(), -9.0)
        wanted = SimpleITK.GetArrayFromImage(expected).T
        places = np.stack(np.meshgrid(*(np.arange(n) for n in new.shape), indexing="ij"), axis=-1) @ turn[:3, :3].T + turn[:3, 3]
        well_inside = ((places > 0.01) & (places < np.array(SHAPE) - 1.01)).all(axis=-1)
        halves = np.abs(places - np.floor(places) - 0.5).min(axis=-1) < 1e-3
        compared = well_inside & ~halves
        assert compared.sum() > 50
        assert np.abs(found[compared].astype(float) - wanted[compared]).max() < 1e-4


def test_a_slice_that_did_not_move_is_kept_value_for_value():
    array = np.arange(9 * 8 * 7, dtype=np.int16).reshape(1, *SHAPE)
    labels = (array[0] % 3).astype(np.uint8)
    grid = Grid(SHAPE, tilted(0.4))
    done = made_regular("x", Image(array, grid), Mask(labels, grid), SOURCE)
    assert np.array_equal(done.image.array[0, :, :8, 0], array[0, :, :, 0])
    assert np.array_equal(done.mask.array[:, :8, 0], labels[:, :, 0])
    assert done.image.array.dtype == np.int16
    assert int(done.image.array[0, :, 8:, 0].max()) == 0  # nothing was measured there: the least value


def test_a_grid_that_leans_too_much_is_refused():
    affine = np.diag([1.0, 1.0, 1.0, 1.0])
    affine[0, 2] = affine[1, 2] = 40.0
    with pytest.raises(InputError, match="x: its voxel axes lean too much"):
        regular_grid("x", Grid((50, 50, 50), affine))


def with_header(change) -> Source:
    header = nib.Nifti1Header()
    header.set_data_shape(SHAPE)
    header.set_sform(np.diag([1.0, 1.5, 2.0, 1.0]), 1)
    header.set_qform(np.diag([1.0, 1.5, 2.0, 1.0]), 1)
    header["xyzt_units"] = 2
    change(header)
    return replace(SOURCE, nifti_header=base64.b64encode(header.binaryblock).decode())


def test_headers_that_itk_reads_otherwise_are_told():
    grid = Grid(SHAPE, np.diag([1.0, 1.5, 2.0, 1.0]))
    assert header_trouble(SOURCE, grid) == header_trouble(with_header(dict), grid) == ""
    assert "pixdim" in header_trouble(with_header(lambda h: h["pixdim"].__setitem__(slice(1, 4), 9)), grid)
    assert "unit of length" in header_trouble(with_header(lambda h: h.__setitem__("xyzt_units", 1)), grid)
    assert "disagree" in header_trouble(with_header(lambda h: h.__setitem__("qoffset_x", 5)), grid)


def test_nifti_2_and_big_endian_are_told_apart(tmp_path: Path):
    array = np.zeros(SHAPE, np.int16)
    nib.save(nib.Nifti2Image(array, np.eye(4)), tmp_path / "two.nii.gz")
    nib.Nifti1Image(array, np.eye(4), nib.Nifti1Header(endianness=">")).to_filename(tmp_path / "big.nii.gz")
    two, big = (read_image(tmp_path / name) for name in ("two.nii.gz", "big.nii.gz"))
    assert header_trouble(two.source, two.image.grid) == "its header is NIfTI-2"
    assert header_trouble(big.source, big.image.grid) == ""
