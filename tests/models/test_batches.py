import dataclasses
from collections import Counter

import numpy as np
import pytest
import torch

from medloop.core.errors import InputError, LabelError, SettingError, ShapeError
from medloop.core.image import Mask
from medloop.images.phantoms import phantom_3d
from medloop.models.foundation.fitting import cut
from medloop.models.foundation.losses import plain_masks
from medloop.models.training.batches import TrainingCase, choose_case, draw_batch, prepare_cases


def test_a_batch_is_a_function_of_seed_member_and_step(recipe_3d, volumes, tmp_path):
    cases = prepare_cases(recipe_3d, volumes, tmp_path)
    images, masks = draw_batch(recipe_3d, cases, member=0, step=7)
    again, _ = draw_batch(recipe_3d, cases, member=0, step=7)
    other, _ = draw_batch(recipe_3d, cases, member=1, step=7)
    assert images.shape == (2, 1, *recipe_3d.patch)
    assert masks.shape == (2, *recipe_3d.patch)
    assert torch.equal(images, again)
    assert not torch.equal(images, other)


def test_a_2d_batch_has_two_spatial_axes(recipe_2d, pictures, tmp_path):
    images, masks = draw_batch(recipe_2d, prepare_cases(recipe_2d, pictures, tmp_path), member=0, step=0)
    assert images.shape == (2, 1, *recipe_2d.patch[:2])
    assert masks.shape == (2, *recipe_2d.patch[:2])


def test_every_patch_of_a_partly_answered_case_shows_something_answered(recipe_3d, tmp_path):
    image = phantom_3d(1, shape=(24, 24, 80)).image
    mask = np.full((24, 24, 80), 255, dtype=np.uint8)
    mask[:, :, 50] = 0
    mask[4:8, 4:8, 50] = 1
    recipe = dataclasses.replace(recipe_3d, augmentation=0.0)
    cases = prepare_cases(recipe, [TrainingCase("parts", lambda: (image, Mask(mask, image.grid)))], tmp_path)
    drawn = [draw_batch(recipe, cases, member=0, step=step)[1] for step in range(8)]
    assert all((patch != 255).any() for masks in drawn for patch in masks)


def test_every_case_comes_once_per_epoch(recipe_3d, volumes, tmp_path):
    cases = prepare_cases(recipe_3d, volumes, tmp_path)
    assert sorted(choose_case(recipe_3d, cases, member=0, draw=d) for d in range(3, 6)) == [0, 1, 2]


def test_cases_are_seen_in_proportion_to_their_weights(recipe_3d, tmp_path):
    """Each case is one constant value, so that a patch tells whose it is."""
    image = phantom_3d(0, shape=(24, 24, 16)).image
    masks = [Mask(np.full(image.grid.shape, value, dtype=np.uint8), image.grid) for value in range(3)]
    weighted = [TrainingCase(f"case{n}", lambda n=n: (image, masks[n]), weight=w) for n, w in enumerate((1.0, 0.5, 0.25))]
    recipe = dataclasses.replace(recipe_3d, augmentation=0.0, patch=(8, 8, 8), batch=4)
    cases = prepare_cases(recipe, weighted, tmp_path)
    seen = Counter(int(mask.max()) for step in range(250) for mask in draw_batch(recipe, cases, member=0, step=step)[1])
    # 1000 patches in proportion 4 : 2 : 1; three standard deviations are at most 47
    assert [seen[n] for n in range(3)] == [pytest.approx(share, abs=50) for share in (571, 286, 143)]


def test_a_rare_class_comes_as_often_as_a_common_one(recipe_tags, tagged, tmp_path):
    cases = prepare_cases(recipe_tags, tagged, tmp_path)
    cases = [dataclasses.replace(case, label=int(n == 0)) for n, case in enumerate(cases)]
    drawn = Counter(cases[choose_case(recipe_tags, cases, member=0, draw=d)].label for d in range(40))
    assert drawn == {0: 20, 1: 20}
    assert len({choose_case(recipe_tags, cases, member=0, draw=d) for d in range(14)}) == 8


def test_patches_are_centred_on_structures_when_asked(recipe_3d, volumes, tmp_path):
    small = dataclasses.replace(recipe_3d, patch=(8, 8, 8), augmentation=0.0, foreground=1.0)
    cases = prepare_cases(small, volumes, tmp_path)
    assert all(draw_batch(small, cases, member=0, step=s)[1].flatten(1).any(1).all() for s in range(5))


def test_a_small_volume_is_padded(recipe_3d, volumes, tmp_path):
    large = dataclasses.replace(recipe_3d, patch=(32, 32, 32), augmentation=0.0)
    images, _ = draw_batch(large, prepare_cases(large, volumes, tmp_path), member=0, step=0)
    assert images.shape[2:] == (32, 32, 32)
    assert (images == 0).float().mean() > 0.6


def test_cut_pads_with_zeros_on_every_side():
    array = np.arange(1, 9).reshape(1, 2, 2, 2)
    padded = cut(array, (-1, -1, -1), (4, 4, 4))
    np.testing.assert_array_equal(padded[:, 1:3, 1:3, 1:3], array)
    assert padded.sum() == array.sum()
    assert not cut(array, (5, 5, 5), (2, 2, 2)).any()


def test_an_answer_outside_the_task_is_refused_by_name(recipe_3d, volumes, tmp_path):
    image, mask = volumes[0].load()
    wrong = TrainingCase("case-9", lambda: (image, Mask(np.full_like(mask.array, 7), mask.grid)))
    with pytest.raises(LabelError, match=r"case-9.*0\.\.2.*\[7\]"):
        prepare_cases(recipe_3d, [wrong], tmp_path)


def test_unanswered_voxels_are_welcome(recipe_3d, volumes, tmp_path):
    image, mask = volumes[0].load()
    partial = TrainingCase("case-9", lambda: (image, Mask(np.where(mask.array == 0, np.uint8(255), mask.array), mask.grid)))
    _, masks = draw_batch(recipe_3d, prepare_cases(recipe_3d, [partial], tmp_path), member=0, step=0)
    assert set(masks.unique().tolist()) <= {0, 1, 2, 255}


def test_images_that_do_not_fit_are_refused(recipe_2d, recipe_3d, volumes, tmp_path):
    with pytest.raises(ShapeError, match="single slices"):
        prepare_cases(recipe_2d, volumes, tmp_path)
    with pytest.raises(ShapeError, match="2 channels, got 1"):
        prepare_cases(dataclasses.replace(recipe_3d, channels=2), volumes, tmp_path)
    with pytest.raises(InputError, match="at least one annotated case"):
        prepare_cases(recipe_3d, [], tmp_path)


@pytest.mark.parametrize("augmentation", [0.0, 1.0])
def test_touched_voxels_are_marked_and_move_with_their_labels(recipe_3d, tmp_path, augmentation):
    """Everything of label 1 was touched and nothing else, so the marks must be exactly where label 1 went."""
    phantom = phantom_3d(0, shape=(24, 24, 16))
    touched = phantom.mask.array == 1
    recipe = dataclasses.replace(recipe_3d, augmentation=augmentation, touched_weight=2.0, batch=1)
    plain = TrainingCase("a", lambda: (phantom.image, phantom.mask))
    marked = dataclasses.replace(plain, touched=lambda: touched)
    cases = [prepare_cases(recipe, [case], tmp_path / name)[0] for case, name in ((plain, "plain"), (marked, "marked"))]
    seen = 0
    for step in range(12):
        (image, mask), (same, target) = (draw_batch(recipe, [case], member=0, step=step) for case in cases)
        assert torch.equal(image, same)
        assert torch.equal(plain_masks(target, recipe.classes), mask)
        # where patches are turned, borders of "touched" and of the label are decided by different neighbours
        assert ((target != mask) == (mask == 1)).float().mean() > 0.99
        seen += int((target != mask).sum())
    assert seen > 0


def test_without_a_weight_touches_are_not_even_read(recipe_3d, volumes, tmp_path):
    def unread():
        raise AssertionError("read")

    cases = prepare_cases(recipe_3d, [dataclasses.replace(case, touched=unread) for case in volumes], tmp_path)
    assert all(case.touched is None for case in cases)


def test_marks_need_room_above_the_labels(recipe_3d):
    with pytest.raises(SettingError, match="touched_weight"):
        dataclasses.replace(recipe_3d, classes=128, touched_weight=2.0)
