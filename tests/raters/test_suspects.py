"""Annotations that are probably wrong come first, each with its reason."""

import numpy as np
import pytest

from medloop.core.arrays import UNKNOWN
from medloop.core.errors import InputError, LabelError, ShapeError
from medloop.raters import confident_joint, suspect_annotations, suspect_classes, suspect_masks, suspect_votes
from raters_inputs import probabilities_of

GIVEN, ROWS = probabilities_of(3, 200, 3)


def test_the_confident_joint_by_hand() -> None:
    given, rows = [0, 0, 1, 1], np.array([[0.9, 0.1], [0.1, 0.9], [0.2, 0.8], [0.4, 0.6]])
    # usual: class 0 at (0.9 + 0.1) / 2 = 0.5, class 1 at (0.8 + 0.6) / 2 = 0.7
    assert confident_joint(given, rows).tolist() == [[1, 1], [0, 1]]
    (suspect,) = suspect_classes(given, rows)
    assert (suspect.item, suspect.suggested, suspect.score) == (1, 1, pytest.approx(0.8))
    assert suspect.reason == "annotated 0 (probability 0.10), predicted 1 at 0.90, usually 0.70"


def test_joint_and_order_equal_those_of_cleanlab() -> None:
    # cleanlab 2.9.0: compute_confident_joint(calibrate=False), find_label_issues(filter_by="confident_learning")
    assert confident_joint(GIVEN, ROWS).tolist() == [[40, 0, 8], [2, 31, 0], [0, 6, 30]]
    expected = [63, 118, 143, 46, 178, 129, 53, 23, 171, 191, 147, 127, 160, 32, 112, 180]
    assert [s.item for s in suspect_classes(GIVEN, ROWS)] == expected


def test_a_class_that_was_never_annotated_is_never_confident() -> None:
    assert suspect_classes([0, 0, 1], np.array([[0.1, 0.0, 0.9], [0.8, 0.1, 0.1], [0.1, 0.9, 0.0]])) == []


@pytest.mark.parametrize(
    ("given", "rows", "error"),
    [
        ([0, 1], np.ones((3, 2)) / 2, ShapeError),
        ([0, 1], np.array([[0.5, 0.5], [np.nan, 1.0]]), InputError),
        ([0, 1], np.array([[2.0, -1.0], [0.5, 0.5]]), InputError),
        ([0, 2], np.ones((2, 2)) / 2, LabelError),
    ],
)
def test_what_is_no_probability_or_class_is_refused(given, rows, error) -> None:
    with pytest.raises(error):
        suspect_classes(given, rows)


def test_a_vote_against_good_annotators_is_suspect_and_theirs_are_not() -> None:
    table = np.repeat(np.arange(30)[:, None] % 3, 4, axis=1)
    table[7, 2] = (table[7, 2] + 1) % 3
    (suspect,) = suspect_votes(table)
    assert (suspect.item, suspect.annotator, suspect.suggested) == (7, 2, 7 % 3)
    assert "the others make 1 probable" in suspect.reason


def probable(mask: np.ndarray) -> np.ndarray:
    rows = np.full((2, *mask.shape), 0.1)
    rows[1][mask == 1] = 0.9
    rows[0] = 1 - rows[1]
    return rows


def block(start: int) -> np.ndarray:
    mask = np.zeros((12, 12, 1), dtype=np.uint8)
    mask[start : start + 5, 2:9] = 1
    return mask


def test_the_mask_that_lies_elsewhere_than_its_prediction_comes_first() -> None:
    cases = [(block(2), probable(block(2))), (block(6), probable(block(1))), (block(3), probable(block(4)))]
    first, second, third = suspect_masks(cases, [1])
    assert [first.item, second.item, third.item] == [1, 2, 0]
    assert first.score == pytest.approx(1.0)
    assert second.score == pytest.approx(2 / 6)
    assert third.score == 0
    assert "(35 voxels)" in first.reason


def test_the_reason_calls_labels_by_their_names() -> None:
    cases = [(block(2), probable(block(2))), (block(4), probable(block(2)))]
    assert "most of them background predicted as liver (" in suspect_masks(cases, [1], {1: "liver"})[0].reason
    assert "most of them background predicted as label 1 (" in suspect_masks(cases, [1])[0].reason


def test_voxels_that_nobody_annotated_do_not_count() -> None:
    mask = block(6)
    mask[:6] = UNKNOWN
    cases = [(mask, probable(block(1))), (block(2), probable(block(2)))]
    assert suspect_masks(cases, [1])[0].item == 0
    mask = block(2)
    mask[0] = UNKNOWN
    assert suspect_masks([(mask, probable(block(2)))], [1])[0].score == 0


def test_masks_and_probabilities_must_fit() -> None:
    with pytest.raises(ShapeError, match="must fit"):
        suspect_masks([(block(2), probable(block(2))[:, 1:])], [1])
    with pytest.raises(LabelError, match="task's labels"):
        suspect_masks([(block(2) * 3, probable(block(2)))], [1])


def test_who_drew_another_object_comes_first_and_a_case_that_is_hard_for_all_does_not() -> None:
    low = np.zeros_like(block(0))
    low[10:] = 1
    hard = {"a": block(0), "b": block(5), "c": low}  # nobody agrees with anybody
    mistaken = {"a": block(2), "b": block(2), "c": block(7)}
    suspects = suspect_annotations([hard, mistaken], [1])
    assert (suspects[0].item, suspects[0].annotator) == (1, "c")
    assert suspects[0].reason == "Dice 0.00 with the other 2 annotators, who reach 0.50"
    assert len(suspects) == 6


def test_two_annotators_are_not_judged() -> None:
    assert suspect_annotations([{"a": block(1), "b": block(5)}], [1]) == []
