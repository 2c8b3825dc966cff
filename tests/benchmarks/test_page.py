"""The page's figures: what is not measured by a clock holds in every build, and lines of the table say what they should."""

import numpy as np
import pytest

import page
import page_figures
import page_projects
import page_sets


def test_the_first_view_comes_with_a_script_below_its_goal() -> None:
    ((name, (size,)),) = page.script_size().items()
    assert 20 < size < page_figures.GOALS[name]


def test_a_figure_is_met_where_its_median_is_below_the_goal() -> None:
    figure = page_figures.figure_of("brush move to pixels (ms)", [10, 12, 11, 29, 500])
    assert (figure.count, figure.median, figure.goal, figure.verdict) == (5, 12, 30, "yes")
    assert page_figures.figure_of("brush move to pixels (ms)", [40, 40, 1]).verdict == "NO"
    assert page_figures.figure_of("something else", [40]).verdict == ""


def test_runs_say_what_a_mask_holds_in_file_order() -> None:
    mask = page_projects.organ((12, 10, 8))
    flat = np.zeros(mask.size, np.uint8)
    for start, length, label in page_projects.runs_of(mask, 3):
        flat[start : start + length] = label
    assert mask.any()
    assert np.array_equal(flat.reshape(mask.shape, order="F"), 3 * mask)


def test_a_score_is_the_mean_dice_of_the_labels_that_the_truth_has() -> None:
    truth = np.array([1, 1, 2, 0])
    assert page_sets.score(truth, truth) == 1
    assert page_sets.score(np.array([1, 0, 2, 2]), truth) == pytest.approx(2 / 3)
