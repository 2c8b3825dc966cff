import dataclasses

import numpy as np
import pytest

from medloop.models.training.augmentation import Change, apply_change, sample_change, window_shape

SPACING = (1.0, 1.0, 1.0)


def ball(shape):
    offsets = np.stack(np.meshgrid(*[np.arange(n) - (n - 1) / 2 for n in shape], indexing="ij"))
    inside = (offsets**2).sum(0) < 16
    return inside[None].astype(np.float32), np.where(inside, 2, 0).astype(np.uint8)


def apply(change, image, mask, patch):
    return apply_change(change, image, mask, patch=patch, spacing_mm=SPACING, classes=3)


def test_no_change_changes_nothing():
    image, mask = ball((16, 16, 16))
    changed, moved = apply(Change(), image, mask, (16, 16, 16))
    np.testing.assert_array_equal(changed, image)
    np.testing.assert_array_equal(moved, mask)


def test_strength_zero_draws_no_change(recipe_3d):
    still = dataclasses.replace(recipe_3d, augmentation=0.0)
    change = sample_change(still, SPACING, np.random.default_rng(0))
    assert change == dataclasses.replace(Change(), elastic=None) or not change.moves
    assert change.flips == (False, False, False)


def test_the_same_seed_draws_the_same_patch(recipe_3d):
    first, again = (sample_change(recipe_3d, SPACING, np.random.default_rng(3)) for _ in range(2))
    shape = window_shape(first, recipe_3d.patch)
    image, mask = ball(shape)
    np.testing.assert_array_equal(apply(first, image, mask, recipe_3d.patch)[0], apply(again, image, mask, recipe_3d.patch)[0])


def test_a_flip_mirrors_image_and_mask_alike():
    image = np.arange(24, dtype=np.float32).reshape(1, 2, 3, 4)
    flipped, mask = apply(Change(flips=(False, True, False)), image, image[0].astype(np.uint8) % 3, (2, 3, 4))
    np.testing.assert_array_equal(flipped, image[:, :, ::-1])
    np.testing.assert_array_equal(mask, flipped[0].astype(np.uint8) % 3)


@pytest.mark.parametrize("degrees", [(90.0, 0.0, 0.0), (0.0, 90.0, 0.0), (0.0, 0.0, 90.0)])
def test_a_quarter_turn_is_exact(degrees):
    image = np.random.default_rng(0).normal(size=(1, 8, 8, 8)).astype(np.float32)
    axis = degrees.index(90.0)
    turned, _ = apply(Change(degrees=degrees), image, None, (8, 8, 8))
    plane = tuple(n + 1 for n in range(3) if n != axis)
    candidates = [np.rot90(image, turns, plane) for turns in (1, 3)]
    assert min(np.abs(turned - c).max() for c in candidates) < 1e-4


def test_a_larger_scale_shows_more_of_the_surroundings():
    change = Change(scale=1.3)
    patch = (16, 16, 16)
    _, mask = apply(change, *ball(window_shape(change, patch)), patch)
    assert (mask == 2).sum() == pytest.approx((ball(patch)[1] == 2).sum() / 1.3**3, rel=0.15)


def test_unanswered_voxels_stay_unanswered():
    change = Change(scale=1.1)
    image, mask = ball((16, 16, 16))
    mask[mask == 2] = 255
    _, moved = apply(change, image, mask, (12, 12, 12))
    assert set(np.unique(moved)) == {0, 255}


def test_a_falling_curve_swaps_bright_and_dark():
    image, _ = ball((16, 16, 16))
    bent, _ = apply(Change(curve=np.linspace(1, 0, 5, dtype=np.float32)), image, None, (16, 16, 16))
    assert bent[image == 1].max() < bent[image == 0].min()
    assert bent.mean() == pytest.approx(0, abs=1e-5)
    assert bent.std() == pytest.approx(1, abs=1e-5)


def test_curves_are_drawn_only_when_asked_for(recipe_3d):
    plain = [sample_change(recipe_3d, SPACING, np.random.default_rng(s)).curve for s in range(20)]
    bent = [sample_change(dataclasses.replace(recipe_3d, remapped=0.5), SPACING, np.random.default_rng(s)).curve for s in range(20)]
    assert all(curve is None for curve in plain)
    assert 0 < sum(curve is not None for curve in bent) < 20


def test_thick_slices_are_not_tilted(recipe_3d):
    rng = np.random.default_rng(0)
    changes = [sample_change(recipe_3d, (1.0, 1.0, 8.0), rng) for _ in range(40)]
    assert not any(c.degrees[0] or c.degrees[1] for c in changes)
    assert any(c.degrees[2] for c in changes)


def test_a_picture_stays_in_its_plane(recipe_2d):
    rng = np.random.default_rng(1)
    image = rng.normal(size=(1, 64, 64, 1)).astype(np.float32)
    for _ in range(10):
        change = sample_change(recipe_2d, SPACING, rng)
        window = window_shape(change, recipe_2d.patch)
        changed, _ = apply(change, image[:, : window[0], : window[1]], None, recipe_2d.patch)
        assert changed.shape == (1, *recipe_2d.patch)
        assert changed.std() > 0.2


def test_each_kind_of_change_happens_as_many_times_as_often_as_the_recipe_says(recipe_3d):
    def changes(recipe):
        return [sample_change(recipe, SPACING, np.random.default_rng(seed)) for seed in range(400)]

    usual, more = (changes(dataclasses.replace(recipe_3d, augmented=times)) for times in (1.0, 2.5))
    for is_changed, share in (
        (lambda c: c.scale != 1, 0.25),
        (lambda c: any(c.degrees), 0.2),
        (lambda c: c.elastic is not None, 0.05),
        (lambda c: c.gamma != 1, 0.3),
        (lambda c: c.noise > 0, 0.2),
    ):
        assert np.mean([is_changed(c) for c in usual]) == pytest.approx(share, abs=0.06)
        assert np.mean([is_changed(c) for c in more]) == pytest.approx(2.5 * share, abs=0.06)
