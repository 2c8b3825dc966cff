"""Outlines on edges of the image, and beside them."""

import numpy as np
import pytest

from medloop.core.arrays import UNKNOWN, MaskArray
from medloop.core.errors import ShapeError
from medloop.raters import edge_strengths, skill_by_image


def square(low: int, high: int, label: int = 1) -> MaskArray:
    mask = np.zeros((40, 40), dtype=np.uint8)
    mask[low:high, low:high] = label
    return mask


IMAGE = 100.0 * square(10, 30)[None].astype(np.float64)


def test_an_outline_on_the_edge_is_told_from_those_beside_it_though_they_are_the_majority() -> None:
    found = edge_strengths([square(10, 30), square(6, 34), square(6, 34), square(14, 26)], [1], image=IMAGE, spacing_mm=(1.0, 1.0))
    assert found.argmax() == 0
    assert found[0] > 3
    assert found[1] == found[2]


def test_the_figure_has_neither_the_unit_of_the_image_nor_that_of_space() -> None:
    masks = [square(10, 30), square(9, 31), square(8, 32)]
    plain = edge_strengths(masks, [1], image=IMAGE, spacing_mm=(1.0, 1.0))
    np.testing.assert_allclose(edge_strengths(masks, [1], image=5 * IMAGE + 3, spacing_mm=(1.0, 1.0)), plain)
    np.testing.assert_allclose(edge_strengths(masks, [1], image=IMAGE, spacing_mm=(0.2, 0.2)), plain)
    assert np.median(plain) == 1.0


def test_along_a_straight_edge_by_hand() -> None:
    """A step between columns 4 and 5 without smoothing: half its height at both, nothing elsewhere."""
    image = np.zeros((1, 12, 12))
    image[:, :, 5:] = 8.0
    left, right = np.zeros((12, 12), dtype=np.uint8), np.zeros((12, 12), dtype=np.uint8)
    left[:, :5], right[:, 7:] = 1, 1
    both = np.maximum(left, right)  # two outlines of twelve pixels, one of them on the edge
    found = edge_strengths([left, both, both], [1], image=image, spacing_mm=(1.0, 1.0), width_mm=0.0)
    np.testing.assert_allclose(found, [2.0, 1.0, 1.0])


def test_who_drew_nothing_has_no_figure_and_a_flat_image_gives_none() -> None:
    nothing = np.zeros((40, 40), dtype=np.uint8)
    unseen = np.full((40, 40), UNKNOWN, dtype=np.uint8)
    found = edge_strengths([square(10, 30), nothing, unseen], [1], image=IMAGE, spacing_mm=(1.0, 1.0))
    assert found[0] == 1.0
    assert np.isnan(found[1:]).all()
    assert np.isnan(edge_strengths([square(10, 30), nothing], [1], image=0 * IMAGE, spacing_mm=(1.0, 1.0))).all()
    assert np.isnan(edge_strengths([nothing, nothing], [1], image=IMAGE, spacing_mm=(1.0, 1.0))).all()


def test_an_image_of_another_shape_is_refused() -> None:
    with pytest.raises(ShapeError, match="on the grid of the masks"):
        edge_strengths([square(1, 3)], [1], image=np.zeros((1, 3, 3)), spacing_mm=(1.0, 1.0))


def test_a_skill_by_the_image_by_hand() -> None:
    found = skill_by_image([0.9, 0.7], [2.0, 3.0])
    assert found.value == pytest.approx(1 - np.sqrt((0.01 + 0.09) / 2) / 2.5)
    assert found.low is found.high is None, "two cases give no interval"
    assert skill_by_image([1.0] * 6, [1.0] * 6).value == 1.0
    assert skill_by_image([0.0, 0.1], [0.2, 0.1]).value == 0.0


def test_a_gross_error_costs_more_than_slight_ones_of_the_same_mean() -> None:
    steady, rash = skill_by_image([0.9] * 10, [1.0] * 10), skill_by_image([1.0] * 9 + [0.0], [1.0] * 10)
    assert steady.value == pytest.approx(0.9)
    assert rash.value == pytest.approx(1 - np.sqrt(0.1))


def test_a_case_without_edges_counts_for_agreement_only_and_without_any_there_is_no_skill_by_the_image() -> None:
    assert skill_by_image([0.8, 0.8], [1.25, np.nan]).value == pytest.approx(1 - 0.2 / 1.25)
    assert skill_by_image([0.8], [np.nan]).value is None
    assert skill_by_image([0.8], [0.0]).value is None
    with pytest.raises(ShapeError, match="at least one, got 0 and 0"):
        skill_by_image([], [])
    with pytest.raises(ShapeError, match="got 1 and 2"):
        skill_by_image([1.0], [1.0, 1.0])


def test_at_least_nine_of_ten_intervals_of_a_skill_by_the_image_hold_it() -> None:
    rng, held = np.random.default_rng(0), 0
    truth = 1 - np.sqrt(0.15**2 * 1.25) / 1.2  # errors of a gamma distribution with mean 0.15 and shape 4
    for _ in range(300):
        found = skill_by_image(1 - rng.gamma(4.0, 0.15 / 4, 25), rng.normal(1.2, 0.2, 25))
        assert found.low is not None
        assert found.high is not None
        held += found.low <= truth <= found.high
    assert held / 300 >= 0.88
