"""Several masks of a case become one, with uncertainty and the skill of each annotator."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from medloop.core.arrays import UNKNOWN
from medloop.core.errors import GeometryError, InputError, LabelError, SettingError, ShapeError
from medloop.core.geometry import Grid
from medloop.core.image import Mask
from medloop.raters import (
    Prior,
    arrays_on_one_grid,
    locally_weighted,
    majority_mask,
    pool_skills,
    shape_based,
    simple_fusion,
    staple,
    staple_cases,
)
from medloop.raters.stack import stack_masks
from raters_inputs import masks_of_ball


def by_shape(masks, labels):
    return shape_based(masks, labels, spacing_mm=(1.0,) * masks[0].ndim)


def by_image(masks, labels):
    image = np.random.default_rng(0).normal(size=(1, *masks[0].shape))
    return locally_weighted(masks, labels, spacing_mm=(1.0,) * masks[0].ndim, image=image)


def by_each_other(masks, labels):
    return locally_weighted(masks, labels, spacing_mm=(1.0,) * masks[0].ndim)


METHODS = [majority_mask, simple_fusion, staple, by_shape, by_image, by_each_other]
STACKS = st.integers(1, 4).flatmap(lambda n: arrays(np.uint8, (n, 5, 4, 2), elements=st.sampled_from([0, 1, 2])))


def square(low: int, high: int, size: int = 24, label: int = 1) -> np.ndarray:
    mask = np.zeros((size, size), dtype=np.uint8)
    mask[low:high, low:high] = label
    return mask


THREE = [square(4, 16), square(4, 16), square(6, 18)]


def test_the_majority_of_three_squares_is_the_square_that_two_drew() -> None:
    fused = majority_mask(THREE, [1])
    assert (fused.mask == THREE[0]).all()
    assert fused.soft(1)[4, 4] == pytest.approx(2 / 3)
    assert fused.uncertainty[5, 5] == pytest.approx(np.log(3) - 2 / 3 * np.log(2))
    assert fused.uncertainty[10, 10] == 0
    assert fused.undecided[5, 5]
    assert not fused.undecided[10, 10]
    odd = fused.skills[2].labels[1]
    assert odd.sensitivity.value == pytest.approx(100 / 144)
    assert odd.specificity.value == pytest.approx(388 / 432)
    assert odd.dice.value == pytest.approx(200 / 288)
    assert fused.skills[2].confusion[0].tolist() == pytest.approx([388 / 432, 44 / 432])


@pytest.mark.parametrize("fuse", METHODS)
@settings(max_examples=15, deadline=None)
@given(masks=STACKS)
def test_where_all_agree_nothing_changes_and_elsewhere_a_given_label_is_chosen(fuse, masks) -> None:
    fused = fuse(list(masks), [1, 2])
    agreed = (masks == masks[0]).all(axis=0)
    assert (fused.mask[agreed] == masks[0][agreed]).all()
    assert np.isin(fused.mask, [0, 1, 2]).all()
    total = sum(fused.soft(label) for label in (0, 1, 2))
    assert np.allclose(total, 1, atol=1e-5)
    assert (fused.uncertainty[agreed] == 0).all()
    if fuse in (majority_mask, simple_fusion):  # a model of confusion may find what nobody gave
        assert (masks == fused.mask).any(axis=0).all()


@pytest.mark.parametrize("fuse", METHODS)
@settings(max_examples=15, deadline=None)
@given(masks=STACKS, seed=st.integers(0, 99))
def test_the_order_of_annotators_does_not_matter(fuse, masks, seed) -> None:
    order = np.random.default_rng(seed).permutation(len(masks))
    assert np.allclose(fuse(list(masks), [1, 2]).soft(1), fuse(list(masks[order]), [1, 2]).soft(1), atol=2e-3)


def test_counting_patterns_equals_counting_voxels() -> None:
    rng = np.random.default_rng(0)
    masks = [rng.integers(0, 3, (7, 6, 5)).astype(np.uint8) for _ in range(4)]
    fused = majority_mask(masks, [1, 2])
    counts = np.stack([(np.stack(masks) == label).sum(axis=0) for label in (0, 1, 2)])
    assert (fused.mask == counts.argmax(axis=0)).all()
    for mask, skill in zip(masks, fused.skills, strict=True):
        joint = [[((fused.mask == t) & (mask == v)).sum() for v in range(3)] for t in range(3)]
        assert skill.joint.tolist() == joint


def test_forty_annotators_are_packed_by_sorting_with_the_same_result() -> None:
    rng = np.random.default_rng(1)
    masks = [rng.integers(0, 3, (6, 6)).astype(np.uint8) for _ in range(40)]
    counts = np.stack([(np.stack(masks) == label).sum(axis=0) for label in (0, 1, 2)])
    assert (majority_mask(masks, [1, 2]).mask == counts.argmax(axis=0)).all()


def test_staple_over_all_voxels_gives_the_rates_of_simple_itk() -> None:
    """SimpleITK 2.5.7, STAPLEImageFilter: `peer_staple` of benchmarks/raters.py."""
    skills = staple(masks_of_ball(32, 5, 1, axes=2), [1], region="all", prior=Prior(0, 0, 0)).skills
    assert np.allclose([s.labels[1].sensitivity.value for s in skills], [1.0, 0.9468334, 0.9737072, 0.9384913, 1.0], atol=1e-6)
    assert np.allclose([s.labels[1].specificity.value for s in skills], [0.9741748, 1.0, 0.9597616, 1.0, 0.9333717], atol=1e-6)


def test_staple_with_three_labels_gives_the_mask_of_simple_itk() -> None:
    """SimpleITK 2.5.7, MultiLabelSTAPLEImageFilter: `peer_labels` of benchmarks/raters.py."""
    mask = staple(masks_of_ball(32, 5, 3, axes=2), [1, 2, 3], region="all").mask
    assert np.bincount(mask.ravel()).tolist() == [784, 144, 75, 21]
    assert int((mask * np.arange(mask.size).reshape(mask.shape)).sum()) == 185968


def test_staple_over_a_band_is_not_led_by_the_background_as_over_all_voxels() -> None:
    inside = (slice(300, -300),) * 2
    small = [np.pad(mask, 30) for mask in masks_of_ball(32, 5, 1, axes=2)]
    large = [np.pad(mask, 300) for mask in small]
    assert (staple(large, [1]).mask[inside] == staple(small, [1]).mask).all()
    assert (staple(large, [1]).mask != staple(large, [1], region="all").mask).any()


def test_annotators_over_many_cases_are_told_apart_where_one_case_cannot() -> None:
    rng = np.random.default_rng(0)
    cases = []
    for n in range(12):
        truth = square(5 + n % 3, 17)
        noisy = np.where(rng.random(truth.shape) < 0.3, 1 - truth, truth).astype(np.uint8)
        good = np.where(rng.random(truth.shape) < 0.02, 1 - truth, truth).astype(np.uint8)
        also = np.where(rng.random(truth.shape) < 0.03, 1 - truth, truth).astype(np.uint8)
        cases.append({"good": good, "noisy": noisy} if n else {"good": good, "also": also, "noisy": noisy})
    together = staple_cases(cases, [1])
    assert together.skills["good"].dice > together.skills["noisy"].dice + 0.1
    apart = [staple([case[name] for name in sorted(case)], [1]).mask for case in cases]
    truths = [square(5 + n % 3, 17) for n in range(12)]
    wrong = [sum((m != t).sum() for m, t in zip(masks, truths, strict=True)) for masks in ([f.mask for f in together.masks], apart)]
    assert wrong[0] < wrong[1] / 2
    assert together.skills["good"].labels[1].dice.low is not None
    assert together.skills["also"].labels[1].dice.low is None  # one case


def test_simple_leaves_out_who_drew_something_else() -> None:
    fused = simple_fusion([square(4, 16), square(4, 15), square(5, 16), square(17, 23)], [1])
    assert fused.note == "left out annotators 3"
    assert fused.skills[3].dice == 0
    assert fused.mask[20, 20] == 0


def test_however_strict_simple_keeps_half_of_the_annotators() -> None:
    fused = simple_fusion([square(4, 16), square(4, 15), square(4, 14), square(4, 12)], [1], strictness=0.01)
    assert fused.note == "left out annotators 0, 3"


def test_simple_leaves_nobody_out_for_a_single_pixel() -> None:
    almost = square(2, 22)
    almost[2, 2] = 0
    assert "left out" not in simple_fusion([square(2, 22), square(2, 22), almost], [1]).note


def test_averaged_shapes_lie_half_way_and_use_millimetres() -> None:
    one, two = np.zeros((2, 20, 9), dtype=np.uint8)
    one[2:8], two[2:12] = 1, 1
    fused = shape_based([one, two], [1], spacing_mm=(2.0, 0.5))
    assert np.flatnonzero(fused.mask[:, 4]).tolist() == list(range(2, 10))
    assert (np.diff(fused.soft(1)[5:14, 4]) <= 1e-6).all()


@pytest.mark.parametrize("fuse", METHODS)
def test_one_annotator_keeps_their_mask_and_says_so(fuse) -> None:
    fused = fuse([THREE[0]], [1])
    assert (fused.mask == THREE[0]).all()
    assert "one annotator" in fused.note


@pytest.mark.parametrize("fuse", METHODS)
def test_background_alone_stays_background(fuse) -> None:
    fused = fuse([np.zeros((6, 6, 1), np.uint8)] * 3, [1])
    assert not fused.mask.any()
    assert "all masks are background" in fused.note
    rates = fused.skills[0].labels[1]
    assert rates.dice.value is None
    assert rates.sensitivity.value is None
    assert rates.specificity.value == 1


def test_an_empty_result_of_drawn_masks_is_reported() -> None:
    fused = majority_mask([square(1, 4), square(5, 9), square(12, 15)], [1])
    assert not fused.mask.any()
    assert "empty although 3 annotators drew" in fused.note


def test_equal_masks_are_named_as_possible_copies() -> None:
    assert "equal masks of annotators 0 and 1" in majority_mask(THREE, [1]).note


def test_a_tie_goes_to_the_lower_label_and_stays_undecided() -> None:
    fused = majority_mask([square(4, 16), square(4, 16, label=2)], [1, 2])
    assert fused.mask[8, 8] == 1
    assert fused.undecided[8, 8]


def test_voxels_that_nobody_annotated_stay_unknown_and_others_decide_without_them() -> None:
    first, second, third = (mask.copy() for mask in THREE)
    first[0], second[0], third[0] = UNKNOWN, UNKNOWN, UNKNOWN
    first[4] = UNKNOWN
    fused = majority_mask([first, second, third], [1])
    assert (fused.mask[0] == UNKNOWN).all()
    assert np.isnan(fused.soft(1)[0]).all()
    assert fused.soft(1)[4, 5] == pytest.approx(0.5)


@pytest.mark.parametrize("fuse", METHODS)
@pytest.mark.parametrize(
    ("masks", "labels", "error", "words"),
    [
        ([], [1], ShapeError, "at least one annotator"),
        ([THREE[0], THREE[0][1:]], [1], ShapeError, "one grid"),
        ([THREE[0] * 1.0], [1], InputError, "whole label values"),
        ([np.full((4, 4), np.nan)], [1], InputError, "255 for NaN"),
        ([square(1, 4, label=3)] * 2, [1, 2], LabelError, r"got also \[3\]"),
        ([THREE[0], square(1, 4, label=3)], [1, 2], LabelError, r"got also \[3\]"),
        ([THREE[0]], [], LabelError, "at least one"),
        ([THREE[0]], [0], LabelError, "different numbers"),
        ([THREE[0].astype(int) - 1], [1], LabelError, "within 0"),
    ],
)
def test_what_cannot_be_fused_is_refused_in_one_line(fuse, masks, labels, error, words) -> None:
    def run():
        return staple(masks, labels) if not masks else fuse(masks, labels)

    with pytest.raises(error, match=words) as refused:
        run()
    assert "\n" not in str(refused.value)


def test_grids_that_differ_are_refused() -> None:
    one = Mask(np.zeros((4, 4, 1), np.uint8), Grid.flat(4, 4))
    other = Mask(np.zeros((4, 4, 1), np.uint8), Grid.flat(4, 4, 2.0))
    assert len(arrays_on_one_grid([one, one])) == 2
    with pytest.raises(GeometryError, match="mask 1 differs"):
        arrays_on_one_grid([one, other])


def test_settings_out_of_range_are_refused() -> None:
    with pytest.raises(SettingError, match="more than 0"):
        simple_fusion(THREE, [1], strictness=0)
    with pytest.raises(SettingError, match="band or all"):
        staple(THREE, [1], region="some")
    with pytest.raises(SettingError, match="per axis"):
        shape_based(THREE, [1], spacing_mm=(1.0,))
    with pytest.raises(ShapeError, match="at least one case"):
        staple_cases([], [1])
    with pytest.raises(ShapeError, match="One name per mask"):
        pool_skills([majority_mask(THREE, [1])], [["a"]])
    with pytest.raises(LabelError, match="got 7"):
        majority_mask(THREE, [1]).soft(7)


def test_a_volume_is_decided_once_per_pattern() -> None:
    rng = np.random.default_rng(0)
    masks = [rng.integers(0, 2, (32, 32, 16)).astype(np.uint8) for _ in range(5)]
    stack = stack_masks(masks, [1])
    assert len(stack.patterns.table) == 2**5 - 2
    assert stack.patterns.counts.sum() + stack.agreed.sum() == 32 * 32 * 16


def test_block_intervals_hold_the_dice_of_another_reading_by_the_same_annotator() -> None:
    rng = np.random.default_rng(0)
    rows, columns = np.indices((96, 96))
    depth = 24 - np.hypot(rows - 48, columns - 48)
    angle = np.arctan2(rows - 48, columns - 48)

    def read() -> np.ndarray:
        waves = sum(rng.normal() * np.cos(k * angle + rng.uniform(0, 7)) for k in range(3, 9))
        return (depth + waves > 0).astype(np.uint8)

    held = []
    for _ in range(25):
        others = [read() for _ in range(4)]
        rate = staple([*others, read()], [1]).skills[4].labels[1].dice
        again = np.mean([staple([*others, read()], [1]).skills[4].labels[1].dice.value for _ in range(5)])
        held.append(rate.low <= again <= rate.high)
    assert np.mean(held) >= 0.8
