from pathlib import Path

import nibabel
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medloop.core.errors import GeometryError
from medloop.core.geometry import Grid
from medloop.datasets.dataset import ChannelFiles, Joining
from medloop.datasets.joining import moved, read_channels

RESAMPLE = Joining(resample=True)


def turned(
    angle: float, spacing: tuple[float, float, float], origin: tuple[float, float, float], flips: tuple[int, int, int]
) -> np.ndarray:
    """An affine turned about two axes, with flipped voxel axes."""
    c, s = np.cos(angle), np.sin(angle)
    about_z, about_x = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]), np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
    affine = np.eye(4)
    affine[:3, :3] = about_z @ about_x @ np.diag(np.array(spacing) * flips)
    affine[:3, 3] = origin
    return affine


def ramp(grid: Grid) -> np.ndarray:
    """Intensities that are linear in the patient's millimetres, so that linear interpolation is exact anywhere."""
    places = grid.to_mm(np.stack(np.meshgrid(*map(np.arange, grid.shape), indexing="ij"), axis=-1))
    return (places @ np.array([0.5, -0.25, 2.0]) + 100).astype(np.float32)


CASES = {
    "anisotropic": ((1, 1, 1), 0.0, (0.7, 0.7, 5.0)),
    "oblique": ((1, 1, 1), 0.4, (1.5, 1.0, 2.0)),
    "flipped": ((-1, 1, -1), 0.0, (1.0, 1.3, 2.0)),
    "oblique and flipped": ((1, -1, -1), -0.7, (0.9, 1.1, 3.0)),
}


@pytest.mark.parametrize("kind", CASES)
def test_a_channel_keeps_every_place_of_the_patient_whatever_its_axes(kind: str):
    flips, angle, spacing = CASES[kind]
    new = Grid((7, 6, 5), turned(0.1, (1.0, 1.2, 1.5), (-3.0, 2.0, 4.0), (1, 1, 1)))
    middle = new.to_mm([3, 2.5, 2])
    old = Grid((60, 60, 40), turned(angle, spacing, (0, 0, 0), flips))
    affine = old.affine.copy()
    affine[:3, 3] += middle - old.to_mm([29.5, 29.5, 19.5])
    old = Grid(old.shape, affine)
    made = moved(ramp(old), old, new)
    assert made.outside == 0
    np.testing.assert_allclose(made.array, ramp(new), atol=1e-3)


def test_itk_resamples_to_the_same_values_and_the_same_field():
    sitk = pytest.importorskip("SimpleITK")
    old = Grid((9, 8, 6), turned(0.3, (1.0, 1.4, 2.5), (-4, -3, -5), (1, -1, 1)))
    new = Grid((12, 10, 7), turned(-0.2, (0.8, 0.9, 2.0), (-5, -8, -4), (1, 1, 1)))
    array = np.random.default_rng(3).normal(size=old.shape).astype(np.float32)

    def itk(grid: Grid, values: np.ndarray) -> "sitk.Image":
        image = sitk.GetImageFromArray(values.transpose(2, 1, 0))
        lps = np.diag([-1, -1, 1]) @ grid.affine[:3]
        image.SetSpacing(grid.spacing_mm)
        image.SetDirection((lps[:, :3] / np.array(grid.spacing_mm)).ravel())
        image.SetOrigin(lps[:, 3])
        return image

    least = float(array.min())
    peer = sitk.Resample(itk(old, array), itk(new, np.zeros(new.shape, np.float32)), sitk.Transform(), sitk.sitkLinear, least)
    made = moved(array, old, new)
    np.testing.assert_allclose(made.array, sitk.GetArrayFromImage(peer).transpose(2, 1, 0), atol=1e-5)
    assert 0 < made.outside < 1


@settings(max_examples=40, deadline=None)
@given(
    voxel=st.tuples(*[st.floats(-40, 40)] * 3),
    angle=st.floats(-3, 3),
    spacing=st.tuples(*[st.floats(0.2, 8)] * 3),
    origin=st.tuples(*[st.floats(-300, 300)] * 3),
    flips=st.tuples(*[st.sampled_from((-1, 1))] * 3),
)
def test_from_voxel_to_patient_and_back_is_the_same_voxel(voxel, angle, spacing, origin, flips):
    grid = Grid((50, 50, 50), turned(angle, spacing, origin, flips))
    np.testing.assert_allclose(grid.to_voxels(grid.to_mm(voxel)), voxel, atol=1e-6)


def volume(path: Path, shape: tuple[int, int, int], spacing: float, value: int = 7) -> Path:
    nibabel.save(nibabel.Nifti1Image(np.full(shape, value, np.int16), np.diag([spacing, spacing, spacing, 1.0])), path)
    return path


def files(*paths: Path) -> list[ChannelFiles]:
    return [ChannelFiles(name, (path,)) for name, path in zip(("T1", "T2"), paths, strict=True)]


def test_what_was_resampled_and_how_stays_with_the_image(tmp_path: Path):
    first, second = volume(tmp_path / "a.nii.gz", (8, 8, 8), 1.0), volume(tmp_path / "b.nii.gz", (4, 4, 3), 2.0)
    found = read_channels(files(first, second), RESAMPLE)
    assert found.image.array.shape == (2, 8, 8, 8)
    (record,) = found.source.resampled
    assert (record["channel"], record["from_spacing_mm"], record["interpolation"]) == ("T2", [2.0, 2.0, 2.0], "linear")
    assert record["outside"] == pytest.approx(2 / 8)  # 6 of 8 slices lie within half a voxel of it
    assert found.notes[-1].startswith("channel T2 was resampled from 2 × 2 × 2 mm onto the grid of T1, linearly; 25.0% of the grid")


def test_without_being_told_another_grid_is_refused_with_what_to_do(tmp_path: Path):
    channels = files(volume(tmp_path / "a.nii.gz", (8, 8, 8), 1.0), volume(tmp_path / "b.nii.gz", (4, 4, 4), 2.0))
    with pytest.raises(GeometryError, match=r"8×8×8.*--resample-channels"):
        read_channels(channels, Joining())


def test_a_channel_that_hardly_shares_the_place_is_refused(tmp_path: Path):
    channels = files(volume(tmp_path / "a.nii.gz", (8, 8, 8), 1.0), volume(tmp_path / "b.nii.gz", (2, 2, 2), 1.0))
    with pytest.raises(GeometryError, match="at least 50% of the grid of T1, T2 covers"):
        read_channels(channels, RESAMPLE)


def test_pictures_have_no_position_to_be_resampled_by(tmp_path: Path):
    from PIL import Image

    for name, size in (("a.png", 8), ("b.png", 4)):
        Image.new("L", (size, size)).save(tmp_path / name)
    with pytest.raises(GeometryError, match="positions are stored"):
        read_channels(files(tmp_path / "a.png", tmp_path / "b.png"), RESAMPLE)
