"""What was mended on two slices of a proposal holds between them too, and the proposal's own knowledge of these slices stays."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medloop.core.errors import InputError, ShapeError
from medloop.interaction.carrying import carry_corrections
from medloop.interaction.interpolate import interpolate_slices
from medloop.metrics.overlap import dice

MM = (1.0, 1.0, 1.0)


def stack(radii, centre=(15.5, 15.5), label=1):
    """A disc per slice along K."""
    i, j = np.meshgrid(np.arange(32), np.arange(32), indexing="ij")
    inside = np.hypot(i - centre[0], j - centre[1])[..., np.newaxis] < np.asarray(radii)
    return (inside * label).astype(np.uint8)


def similar(a, b):
    return dice(a, b, [1])[1]


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_an_error_that_all_slices_share_is_mended_on_all_by_mending_two(axis):
    radii = np.array([5, 9, 12, 9, 5, 9, 12, 9, 5])
    truth, proposal = (np.moveaxis(stack(r), 2, axis) for r in (radii, radii - 2))
    mended = proposal.copy()
    for n in (0, 8):
        np.moveaxis(mended, axis, 0)[n] = np.moveaxis(truth, axis, 0)[n]
    found = carry_corrections(proposal, mended, axis=axis, answered={1: [0, 8]}, spacing_mm=MM)
    assert similar(found, truth) > 0.93
    by_shape = interpolate_slices(np.where(mended == truth, mended, 0), axis=axis, answered=[0, 8], label=1, spacing_mm=MM)
    assert similar(proposal, truth) < 0.85
    assert similar(by_shape, truth) < 0.85


def test_corrections_are_mixed_in_proportion():
    proposal, mended = stack([8] * 5), stack([8, 8, 8, 8, 12])
    found = carry_corrections(proposal, mended, axis=2, answered={1: [0, 4]}, spacing_mm=MM)
    across = [int(np.count_nonzero(found[:, 15, n])) for n in range(5)]
    assert across == [16, 18, 20, 22, 24]


def test_what_a_proposal_misses_altogether_is_interpolated_by_shape():
    truth = stack([10, 9, 8, 7, 6])
    mended = np.where(np.arange(5) % 4 == 0, truth, 0).astype(np.uint8)
    found = carry_corrections(np.zeros_like(truth), mended, axis=2, answered={1: [0, 4]}, spacing_mm=MM)
    assert similar(found, truth) > 0.98


def test_what_is_taken_away_on_both_slices_goes_between_them_too():
    ghost = stack([6] * 5, centre=(8.5, 8.5))
    proposal = np.maximum(stack([6] * 5, centre=(22.5, 22.5)), ghost)
    mended = proposal.copy()
    mended[..., [0, 4]] = np.where(ghost[..., [0, 4]] > 0, 0, proposal[..., [0, 4]])
    found = carry_corrections(proposal, mended, axis=2, answered={1: [0, 4]}, spacing_mm=MM)
    assert not found[ghost > 0].any()
    assert np.array_equal(found[ghost == 0], proposal[ghost == 0])


def test_where_the_proposal_knows_nothing_of_the_shape_shape_alone_has_most_say():
    rng = np.random.default_rng(0)
    truth, proposal = stack([6, 7, 8, 9, 10, 11, 12]), (rng.random((32, 32, 7)) < 0.3).astype(np.uint8)
    mended = np.where(np.arange(7) % 2 == 0, truth, proposal).astype(np.uint8)
    found = carry_corrections(proposal, mended, axis=2, answered={1: [0, 2, 4, 6]}, spacing_mm=MM)
    assert similar(found, truth) > 0.97


def test_a_border_between_two_labels_moves_with_both():
    proposal, truth = np.ones((12, 10, 5), dtype=np.uint8), np.ones((12, 10, 5), dtype=np.uint8)
    proposal[6:], truth[8:] = 2, 2
    mended = proposal.copy()
    mended[..., [0, 4]] = truth[..., [0, 4]]
    found = carry_corrections(proposal, mended, axis=2, answered={1: [0, 4], 2: [0, 4]}, spacing_mm=MM)
    assert np.array_equal(found, truth)


def test_each_label_has_slices_of_its_own():
    proposal = np.maximum(stack([4] * 5, centre=(8.5, 8.5)), stack([4] * 5, centre=(23.5, 23.5), label=2))
    mended = proposal.copy()
    mended[..., ::4][proposal[..., ::4] == 1] = 0
    mended[23, 23, 2] = 0
    found = carry_corrections(proposal, mended, axis=2, answered={1: [0, 4]}, spacing_mm=MM)
    assert not (found == 1).any()
    assert np.array_equal(found == 2, mended == 2)


@settings(max_examples=40)
@given(st.integers(0, 2), st.integers(0, 10**6), st.sets(st.integers(0, 5), min_size=2))
def test_answered_slices_stay_as_mended_and_slices_beyond_as_they_were(axis, seed, answered):
    rng = np.random.default_rng(seed)
    proposal, mended = (rng.choice(np.array([0, 0, 1, 2, 3], dtype=np.uint8), size=(6, 6, 6)) for _ in range(2))
    slices = sorted(answered)
    found = carry_corrections(proposal, mended, axis=axis, answered={1: slices, 2: slices}, spacing_mm=(1, 2, 3))
    planes, given_ = np.moveaxis(found, axis, 0), np.moveaxis(mended, axis, 0)
    for n in range(6):
        if n in answered or n < slices[0] or n > slices[-1]:
            assert np.array_equal(planes[n], given_[n])
    assert np.array_equal(found == 3, mended == 3)


@settings(max_examples=40)
@given(st.integers(0, 2), st.integers(0, 10**6), st.sets(st.integers(0, 5), min_size=2))
def test_a_proposal_found_right_everywhere_stays_to_the_voxel(axis, seed, answered):
    proposal = np.random.default_rng(seed).choice(np.array([0, 0, 1, 2], dtype=np.uint8), size=(6, 6, 6))
    slices = sorted(answered)
    found = carry_corrections(proposal, proposal, axis=axis, answered={1: slices, 2: slices}, spacing_mm=(1, 2, 3))
    assert np.array_equal(found, proposal)


def test_bad_slices_and_shapes_are_refused():
    mask = np.zeros((4, 4, 4), dtype=np.uint8)
    for slices in ([1], [0, 4], [-1, 2]):
        with pytest.raises(InputError, match=r"2 or more annotated slices within 0\.\.3"):
            carry_corrections(mask, mask, axis=2, answered={1: slices}, spacing_mm=MM)
    with pytest.raises(ShapeError, match="same voxels"):
        carry_corrections(mask, mask[:2], axis=2, answered={1: [0, 1]}, spacing_mm=MM)
