"""Agreement of annotators: kappa, alpha, pairs of masks, and how they move over time."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from medloop.core.errors import InputError, SettingError, ShapeError
from medloop.core.geometry import Grid
from medloop.raters import (
    alpha_by_class,
    alpha_over_time,
    cohen_kappa,
    fleiss_kappa,
    krippendorff_alpha,
    mean_of_pairs,
    mean_over_time,
    pairwise_dice,
    pairwise_hd95_mm,
)
from raters_inputs import table_of_classes

FULL = table_of_classes(1, 40, 6, 3, 1.0)


def test_cohens_kappa_by_hand() -> None:
    # 20 both yes, 15 both no, 5 and 10 mixed: observed 0.7, by chance 0.5
    first, second = np.repeat([1, 1, 0, 0], [20, 5, 10, 15]), np.repeat([1, 0, 1, 0], [20, 5, 10, 15])
    assert cohen_kappa(first, second) == pytest.approx(0.4)


def test_cohens_kappa_equals_that_of_scikit_learn() -> None:
    found = [cohen_kappa(FULL[:, 0], FULL[:, 1], weights=w) for w in (None, "linear", "quadratic")]
    assert found == pytest.approx([0.5089707271010387, 0.44847605224963716, 0.3849206349206349])  # scikit-learn 1.9.1


def test_fleiss_kappa_equals_that_of_statsmodels() -> None:
    assert fleiss_kappa(FULL) == pytest.approx(0.6087569883483985)  # statsmodels 0.15.0


def test_alpha_with_missing_annotations_equals_that_of_the_package_krippendorff() -> None:
    table = table_of_classes(1, 40, 6, 3, 0.8)
    assert krippendorff_alpha(table) == pytest.approx(0.6073178967679691)  # krippendorff 0.9.0
    assert krippendorff_alpha(table, scale="ordinal") == pytest.approx(0.6440129538123027)


@pytest.mark.parametrize("agree", [krippendorff_alpha, fleiss_kappa, lambda t: cohen_kappa(t[:, 0], t[:, 1])])
def test_equal_annotations_agree_fully_and_one_class_alone_is_not_defined(agree) -> None:
    assert agree(np.array([[0, 0], [1, 1], [2, 2]])) == 1
    assert math.isnan(agree(np.array([[1, 1], [1, 1]])))


@settings(max_examples=30, deadline=None)
@given(arrays(np.int64, (8, 3), elements=st.integers(-1, 2)), st.integers(0, 99))
def test_alpha_does_not_depend_on_the_order_of_annotators_or_the_names_of_classes(table, seed) -> None:
    rng = np.random.default_rng(seed)
    names = np.append(rng.permutation(3), -1)
    renamed = names[table][:, rng.permutation(3)]
    assert np.isclose(krippendorff_alpha(table), krippendorff_alpha(renamed), equal_nan=True)


def test_the_class_that_is_confused_has_the_lower_alpha() -> None:
    found = alpha_by_class([[0, 0], [0, 0], [1, 2], [2, 1], [1, 1], [2, 2]])
    assert found[0] == 1
    assert found[1] < 0.6


def test_items_with_different_numbers_of_annotations_are_refused_by_fleiss() -> None:
    with pytest.raises(InputError, match="use krippendorff_alpha"):
        fleiss_kappa([[0, 1], [0, -1]])


def test_a_scale_that_is_none_is_refused() -> None:
    with pytest.raises(SettingError, match="nominal or ordinal"):
        krippendorff_alpha(FULL, scale="ratio")


def test_agreement_that_falls_over_time_is_seen_window_by_window() -> None:
    rng = np.random.default_rng(0)
    first = rng.integers(0, 2, 120)
    second = np.where((np.arange(120) >= 60) & (rng.random(120) < 0.5), 1 - first, first)
    early, late = alpha_over_time(np.stack([first, second], axis=1), np.arange(120.0), width=60.0)
    assert early.value == 1
    assert late.value < 0.4
    assert late.low < late.value < late.high < early.low
    assert (early.start, early.stop, early.items) == (0, 60, 60)


def test_few_items_have_no_interval_and_items_of_one_annotator_do_not_count() -> None:
    (window,) = alpha_over_time([[0, 0], [1, 1], [1, -1]], [0, 1, 2], width=10)
    assert window.items == 2
    assert window.low is None


def test_means_over_time_have_intervals_over_cases() -> None:
    windows = mean_over_time([0.9, 0.8, 0.9, 0.8, 0.9, 0.2], [0, 1, 2, 3, 4, 100], width=50)
    assert [w.value for w in windows] == pytest.approx([0.86, 0.2])
    assert windows[0].low < 0.86 < windows[0].high
    assert windows[1].low is None


@pytest.mark.parametrize(("times", "width", "error"), [([0], 1.0, ShapeError), ([0, 1], 0.0, SettingError), ([0, np.nan], 1.0, InputError)])
def test_times_that_are_none_are_refused(times, width, error) -> None:
    with pytest.raises(error):
        mean_over_time([1.0, 1.0], times, width=width)


def test_pairs_of_masks_by_hand() -> None:
    one, two, three = np.zeros((3, 10, 10, 1), dtype=np.uint8)
    one[2:6, 2:6], two[2:6, 4:8] = 1, 1
    table = pairwise_dice([one, two, three], [1, 2])
    assert table[1][0, 1] == 0.5
    assert table[1][0, 2] == 0
    assert (table[2] == 1).all()
    assert mean_of_pairs(table[1]) == pytest.approx(0.5 / 3)
    distances = pairwise_hd95_mm([one, two, three], Grid.flat(10, 10, 0.5), [1, 2])
    assert distances[1][0, 1] == 1.0
    assert distances[1][0, 2] == math.inf
    assert not distances[2].any()
    assert math.isnan(mean_of_pairs(table[1][:1, :1]))


def test_the_first_window_starts_with_the_first_case() -> None:
    (window,) = mean_over_time([0.5, 0.7], [40.0, 60.0], width=50)
    assert (window.start, window.stop, window.items) == (40, 90, 2)
