"""Signs of one image: each follows what it is called after, and nothing else."""

import numpy as np
import pytest

from degrading import DEGRADATIONS, degrade
from medloop.core.errors import InputError, SettingError
from medloop.quality.acquisition.model_signs import mask_signs
from medloop.quality.acquisition.signs import _immerkaer, _wavelet, image_signs

from .pictures import ONES, as_image, picture, signs_of


def test_both_measures_of_noise_find_the_noise_that_was_added():
    rng = np.random.default_rng(0)
    ramp = np.add.outer(np.linspace(0, 5, 200), np.linspace(0, 3, 200))
    noisy = ramp + rng.normal(0, 0.25, ramp.shape)
    assert _immerkaer(noisy) == pytest.approx(0.25, rel=0.03)
    assert _wavelet(noisy, -np.inf) == pytest.approx(0.25, rel=0.03)
    assert _immerkaer(ramp) < 1e-10


def test_a_change_of_gain_alone_changes_contrast_and_neither_sharpness_nor_noise():
    plane = picture(0)
    wide, narrow = image_signs(plane[None, :, :, None].astype(np.float32), ONES), image_signs((0.25 * plane + 7)[None, :, :, None], ONES)
    assert narrow["contrast"] == pytest.approx(wide["contrast"] + np.log(0.25), abs=1e-3)
    assert [narrow[n] for n in ("detail", "streak", "noise", "border")] == pytest.approx(
        [wide[n] for n in ("detail", "streak", "noise", "border")], abs=1e-2
    )


def test_motion_takes_detail_where_it_runs():
    rng, plane = np.random.default_rng(0), picture(1)
    sharp, moved = signs_of(plane), signs_of(degrade(plane, "motion", 1.0, rng))
    assert moved["streak"] < sharp["streak"] - 0.3
    assert moved["detail"] < sharp["detail"] - 0.1


@pytest.mark.parametrize("name", sorted(DEGRADATIONS))
def test_no_degree_leaves_an_image_as_it_is_and_others_do_not(name: str):
    plane = picture(2)
    assert (degrade(plane, name, 0.0, np.random.default_rng(0)) == plane).all()
    worse = degrade(plane, name, 0.7, np.random.default_rng(0))
    assert worse.shape != plane.shape or not np.allclose(worse, plane)


def test_an_unknown_degradation_or_degree_is_refused():
    with pytest.raises(SettingError, match="degradation is one of"):
        degrade(picture(0), "rain", 0.5, np.random.default_rng(0))
    with pytest.raises(SettingError, match="degree of 0 to 1"):
        degrade(picture(0), "motion", 2.0, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.full((1, 32, 32, 1), 7, np.uint8), "7 everywhere"),
        (np.ones((1, 4, 32, 1)), "at least 8 × 8"),
        (np.full((1, 32, 32, 1), np.nan), "NaN"),
        (np.stack([np.eye(32), np.zeros((32, 32))])[..., None], "0 everywhere in channel 2"),
    ],
)
def test_what_holds_no_picture_is_refused_in_one_line(array: np.ndarray, words: str):
    with pytest.raises(InputError, match=words) as refusal:
        image_signs(array, ONES)
    assert "\n" not in str(refusal.value)


def test_channels_have_signs_of_their_own_and_colours_are_one_picture():
    two = image_signs(np.stack([picture(0), picture(1)])[..., None], ONES)
    assert {"contrast 1", "contrast 2", "extent"} <= set(two)
    colour = image_signs(np.stack([picture(0)] * 3).astype(np.uint8)[..., None], ONES)
    assert set(colour) == set(signs_of(picture(0)))


def test_a_volume_that_moved_between_two_slices_jumps():
    still = np.stack([picture(0)] * 12, axis=-1) + np.random.default_rng(0).normal(size=(64, 64, 12))
    moved = np.concatenate([still[..., :6], np.roll(still[..., 6:], 6, axis=0)], axis=-1)
    assert image_signs(moved[None], ONES)["jump"] > image_signs(still[None], ONES)["jump"] + 1


def test_the_share_of_the_outline_at_the_border_is_counted():
    inside, cut = np.zeros((20, 20, 1), np.uint8), np.zeros((20, 20, 1), np.uint8)
    inside[5:15, 5:15], cut[0:10, 5:15] = 1, 1
    assert mask_signs(inside, ONES) == {"cut": 0.0, "found": 1.0}
    assert mask_signs(cut, ONES)["cut"] == pytest.approx(10 / 40)
    assert mask_signs(np.zeros((20, 20, 1), np.uint8), ONES) == {"cut": 0.0, "found": 0.0}
    assert as_image(picture(0)).dtype == np.uint8
