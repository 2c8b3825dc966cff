"""What must hold for every fusion of masks, however they were drawn."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medloop.core.arrays import UNKNOWN, MaskArray
from medloop.raters import dawid_skene, locally_weighted, majority, majority_mask, shape_based, simple_fusion, staple
from medloop.raters.fused_mask import FusedMask

Fuse = Callable[[Sequence[MaskArray], Sequence[int]], FusedMask]
SPACING = (1.0, 1.0, 3.0)


def image_of(masks: Sequence[MaskArray]) -> np.ndarray:
    return np.indices(masks[0].shape).sum(axis=0)[None] % 5.0


METHODS: dict[str, Fuse] = {
    "majority": majority_mask,
    "simple": simple_fusion,
    "staple": staple,
    "shapes": lambda masks, labels: shape_based(masks, labels, spacing_mm=SPACING),
    "by each other": lambda masks, labels: locally_weighted(masks, labels, spacing_mm=SPACING),
    "by the image": lambda masks, labels: locally_weighted(masks, labels, spacing_mm=SPACING, image=image_of(masks)),
}
every_method = pytest.mark.parametrize("fuse", METHODS.values(), ids=METHODS)


def drawn(seed: int, annotators: int = 3) -> list[MaskArray]:
    """Blobs of two labels that share a place, with a voxel here and there."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(annotators):
        mask = np.zeros((8, 7, 3), dtype=np.uint8)
        start = rng.integers(0, 3, 3)
        mask[start[0] : start[0] + 4, start[1] : start[1] + 4] = 1
        mask[start[0] + 2 : start[0] + 5, start[1] + 1 : start[1] + 3, 1:] = 2
        found.append(np.where(rng.random(mask.shape) < 0.03, rng.integers(0, 3, mask.shape), mask).astype(np.uint8))
    return found


@every_method
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_the_values_of_labels_carry_no_meaning_but_their_order_in_a_tie(fuse: Fuse, seed: int) -> None:
    masks = drawn(seed)
    names = np.array([0, 4, 9], dtype=np.uint8)
    plain, renamed = fuse(masks, [1, 2]), fuse([names[mask] for mask in masks], [4, 9])
    for label in (0, 1, 2):
        np.testing.assert_allclose(plain.soft(label), renamed.soft(int(names[label])), atol=2e-3)
    np.testing.assert_array_equal(names[plain.mask], renamed.mask)
    assert plain.expected_error == pytest.approx(renamed.expected_error, abs=1e-3)


@every_method
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_an_annotator_who_annotated_nothing_changes_nothing(fuse: Fuse, seed: int) -> None:
    masks = drawn(seed)
    nothing = np.full_like(masks[0], UNKNOWN)
    with_nobody = fuse([*masks, nothing], [1, 2])
    np.testing.assert_array_equal(with_nobody.mask != UNKNOWN, True)
    if fuse is not METHODS["shapes"]:  # there a voxel that is not annotated lies outside every label
        np.testing.assert_allclose(with_nobody.soft(1), fuse(masks, [1, 2]).soft(1), atol=5e-3)


@every_method
def test_everybody_twice_says_the_same(fuse: Fuse) -> None:
    masks = drawn(3)
    twice = fuse([*masks, *masks], [1, 2])
    if fuse in (METHODS["majority"], METHODS["simple"], METHODS["shapes"], METHODS["by the image"]):  # the others learn from agreement
        np.testing.assert_array_equal(twice.mask, fuse(masks, [1, 2]).mask)
    assert "equal masks of annotators 0 and 3" in twice.note


@pytest.mark.parametrize("name", ["shapes", "by each other", "by the image"])
def test_only_proportions_of_voxels_count_and_axes_carry_no_meaning(name: str) -> None:
    masks = drawn(5)
    image = image_of(masks) if name == "by the image" else None

    def fuse(given: Sequence[MaskArray], spacing: tuple[float, ...], seen: np.ndarray | None) -> np.ndarray:
        if name == "shapes":
            return shape_based(given, [1, 2], spacing_mm=spacing).soft(2)
        return locally_weighted(given, [1, 2], spacing_mm=spacing, image=seen).soft(2)

    plain = fuse(masks, (1.0, 1.0, 3.0), image)
    np.testing.assert_allclose(fuse(masks, (0.4, 0.4, 1.2), image), plain, atol=1e-5)
    turned = [np.ascontiguousarray(mask.transpose(2, 0, 1)) for mask in masks]
    seen = None if image is None else image.transpose(0, 3, 1, 2)
    np.testing.assert_allclose(fuse(turned, (3.0, 1.0, 1.0), seen), plain.transpose(2, 0, 1), atol=1e-5)


@every_method
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_the_expected_error_is_that_of_the_probabilities(fuse: Fuse, seed: int) -> None:
    masks = [np.where(np.random.default_rng(seed).random(mask.shape) < 0.05, UNKNOWN, mask).astype(np.uint8) for mask in drawn(seed)]
    fused = fuse(masks, [1, 2])
    errors = []
    for label in (1, 2):
        chances, chosen = np.nan_to_num(fused.soft(label).astype(np.float64)), fused.mask == label
        errors.append(1 - 2 * chances[chosen].sum() / (chosen.sum() + chances.sum()))
    assert fused.expected_error == pytest.approx(max(errors), abs=1e-5)
    assert 0 <= fused.expected_error <= 1


@every_method
def test_nothing_is_expected_to_be_wrong_where_all_agree_or_nobody_drew(fuse: Fuse) -> None:
    mask = drawn(1)[0]
    assert fuse([mask, mask], [1, 2]).expected_error == 0
    assert fuse([np.zeros_like(mask)] * 2, [1, 2]).expected_error == 0


def test_a_closer_vote_is_more_probably_wrong() -> None:
    table = [[1, 1, 1, 1], [1, 1, 1, 0], [1, 1, 0, 0]]
    np.testing.assert_allclose(majority(table).expected_error, [0, 0.25, 0.5])
    errors = dawid_skene(table).expected_error
    assert errors[0] < errors[1]
    assert errors[0] < errors[2]


def test_a_label_that_nobody_drew_costs_nobody_skill() -> None:
    masks = [mask * (mask == 1).astype(np.uint8) for mask in drawn(2)]
    with_label, without = staple(masks, [1, 2]), staple(masks, [1])
    for one, other in zip(with_label.skills, without.skills, strict=True):
        assert one.labels[2].dice.value is None
        assert one.dice == pytest.approx(other.dice, abs=0.05)


def test_an_annotator_of_part_of_a_volume_does_not_make_the_rest_a_dispute() -> None:
    masks = [np.pad(mask, 20) for mask in drawn(4)]
    part = masks[0].copy()
    part[:24] = UNKNOWN
    three, four = staple(masks, [1, 2]), staple([*masks, part], [1, 2])
    assert (three.mask == four.mask).mean() > 0.995
    assert four.expected_error == pytest.approx(three.expected_error, abs=0.1)
    differ = (masks[0] != masks[1]) | (masks[0] != masks[2])
    assert not four.uncertainty[~differ].any()
