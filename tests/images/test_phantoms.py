import numpy as np
import pytest

from medloop.images.phantoms import CONTRASTS, Phantom, phantom_2d, phantom_3d, phantom_tags

SMALL = (32, 32, 24)


def best_threshold_dice(phantom: Phantom, label: int) -> float:
    """Dice of the best single interval of intensities: what plain thresholding could reach."""
    image, truth = phantom.image.array[0], phantom.mask.array == label
    edges = np.quantile(image, np.linspace(0, 1, 25))
    best = 0.0
    for low in edges:
        for high in edges[edges > low]:
            guess = (image >= low) & (image <= high)
            best = max(best, 2 * np.count_nonzero(guess & truth) / (guess.sum() + truth.sum()))
    return best


def test_the_same_number_gives_the_same_bytes() -> None:
    first, second = phantom_3d(3, 1, SMALL), phantom_3d(3, 1, SMALL)
    assert first.image.array.tobytes() == second.image.array.tobytes()
    assert first.mask.array.tobytes() == second.mask.array.tobytes()


@pytest.mark.parametrize(("index", "seed"), [(4, 1), (3, 2)])
def test_another_number_or_seed_gives_another_patient(index: int, seed: int) -> None:
    assert not np.array_equal(phantom_3d(3, 1, SMALL).mask.array, phantom_3d(index, seed, SMALL).mask.array)


@pytest.mark.parametrize("index", range(6))
def test_both_organs_are_there_and_the_liver_is_bigger(index: int) -> None:
    phantom = phantom_3d(index, 0, SMALL)
    background, liver, kidneys = np.bincount(phantom.mask.array.ravel(), minlength=3)
    assert background > liver > 1.5 * kidneys > 50


def test_default_volume_has_the_promised_size_and_spacing() -> None:
    phantom = phantom_3d(0)
    assert phantom.image.grid.shape == (64, 64, 48)
    assert phantom.image.grid.axis_codes == "RAS"
    assert phantom.image.grid.spacing_mm == pytest.approx((2.75, 2.75, 3.0))
    assert phantom.image.array.dtype == np.int16


def test_no_threshold_finds_the_organs() -> None:
    scores = [best_threshold_dice(phantom_3d(i, 0, SMALL), label) for i in range(6) for label in (1, 2)]
    assert max(scores) < 0.85
    assert np.mean(scores) < 0.6


def test_all_contrasts_occur() -> None:
    assert {phantom_2d(i, 0, (32, 32)).contrast for i in range(40)} == set(CONTRASTS)


def test_the_liver_is_on_the_patients_right() -> None:
    phantom = phantom_3d(1, 0, SMALL)
    centre = phantom.mask.grid.to_mm(np.argwhere(phantom.mask.array == 1)).mean(axis=0)
    assert centre[0] > 10


def test_a_picture_is_one_slice_drawn_with_the_right_side_on_the_left() -> None:
    phantom = phantom_2d(0)
    assert phantom.image.grid.is_2d
    columns = np.flatnonzero((phantom.mask.array == 1).any(axis=(1, 2)))
    assert columns.mean() < 64


def test_tags_are_balanced_and_pictures_have_finite_voxels() -> None:
    pictures = [phantom_tags(i, 0, (32, 32)) for i in range(40)]
    assert 10 < sum(p.tag for p in pictures) < 30
    assert {p.image.array.shape for p in pictures} == {(1, 32, 32, 1)}
