import pytest

from medloop.models.foundation.plans import plan_levels, plan_patch, plan_spacing, round_to


def test_levels_of_an_even_volume_halve_every_axis():
    strides, kernels = plan_levels((40, 56, 40), (1.0, 1.0, 1.0))
    assert strides == ((1, 1, 1), (2, 2, 2), (2, 2, 2), (2, 2, 2))
    assert kernels == ((3, 3, 3),) * 4


def test_levels_of_a_cardiac_stack_wait_for_the_thick_slices():
    strides, kernels = plan_levels((128, 128, 10), (1.5, 1.5, 10.0))
    assert strides == ((1, 1, 1), (2, 2, 1), (2, 2, 1), (2, 2, 2), (2, 2, 1), (2, 2, 1))
    assert kernels == ((3, 3, 1), (3, 3, 1), (3, 3, 1), (3, 3, 3), (3, 3, 3), (3, 3, 3))


def test_levels_of_a_picture_stay_in_its_plane():
    strides, kernels = plan_levels((64, 64, 1), (1.0, 1.0, 1.0))
    assert strides == ((1, 1, 1), (2, 2, 1), (2, 2, 1), (2, 2, 1), (2, 2, 1))
    assert set(kernels) == {(3, 3, 1)}


def test_an_image_too_small_to_halve_gets_two_levels():
    assert plan_levels((5, 5, 1), (1.0, 1.0, 1.0))[0] == ((1, 1, 1), (1, 1, 1))


def test_images_that_fit_and_agree_keep_their_spacing():
    assert plan_spacing((35, 50, 36), (1.0, 1.0, 1.0), room=50_000, uniform=True, coverage=0.25) == (None, (35, 50, 36))


def test_images_that_disagree_get_the_median_spacing():
    assert plan_spacing((35, 50, 36), (1.0, 1.0, 1.2), room=50_000, uniform=False, coverage=0.25) == ((1.0, 1.0, 1.2), (35, 50, 36))


def test_making_coarser_starts_with_the_finest_axes():
    spacing, shape = plan_spacing((512, 512, 20), (0.5, 0.5, 5.0), room=100_000, uniform=True, coverage=0.25)
    assert spacing[0] == spacing[1] > 0.5
    assert spacing[2] == 5.0
    assert shape[0] * shape[1] * shape[2] <= 4.3 * 100_000


def test_the_single_slice_of_a_picture_does_not_keep_it_from_being_made_coarser():
    spacing, shape = plan_spacing((400, 272, 1), (1.0, 1.0, 1.0), room=6800, uniform=True, coverage=1.0)
    assert spacing[0] == spacing[1] == pytest.approx(4.0, rel=0.06)
    assert spacing[2] == 1.0
    assert shape == pytest.approx((100, 68, 1), rel=0.06)


@pytest.mark.parametrize("room", [40_000, 100_000, 1e9])
def test_a_patch_fits_into_room_and_image(room):
    patch = plan_patch((60, 90, 60), (1.0, 1.0, 1.0), room=room)
    assert patch[0] * patch[1] * patch[2] <= room * 1.05
    assert all(p <= n for p, n in zip(patch, (60, 90, 60), strict=True))


def test_a_patch_is_rounded_to_what_the_levels_divide():
    strides = ((1, 1, 1), (2, 2, 2), (2, 2, 1))
    assert round_to((35, 50, 3), strides) == (36, 48, 4)
    assert round_to((1, 1, 1), strides) == (4, 4, 2)
