"""Several classes per item become one, with the skill of each annotator."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from medloop.core.errors import InputError, LabelError, MedloopError, SettingError, ShapeError
from medloop.raters import Prior, dawid_skene, glad, majority, weighted_majority
from medloop.raters.fused import accuracies, choose
from medloop.raters.votes import check_votes
from raters_inputs import table_of_classes

METHODS = [majority, weighted_majority, dawid_skene, glad]
TABLES = arrays(np.int64, st.tuples(st.integers(1, 12), st.integers(1, 5)), elements=st.integers(-1, 2))
TABLE = np.array([[0, 0, 1], [1, 1, 1], [2, 0, 2], [0, 1, -1]])
"""By hand: the majority is 0, 1, 2; the last item is a tie, which the lower class wins."""


def test_the_majority_wins_and_a_tie_goes_to_the_lower_class() -> None:
    fused = majority(TABLE)
    assert fused.classes.tolist() == [0, 1, 2, 0]
    assert fused.probabilities[0].tolist() == pytest.approx([2 / 3, 1 / 3, 0])
    assert fused.undecided.tolist() == [True, False, True, True]
    assert fused.uncertainty[3] == pytest.approx(np.log(2))


def test_a_weight_decides_what_heads_do_not() -> None:
    fused = weighted_majority([[0, 1, 1]], weights=[5, 1, 1])
    assert fused.classes.tolist() == [0]
    assert fused.probabilities[0].tolist() == pytest.approx([5 / 7, 2 / 7])


def test_skill_counts_the_prior_and_the_shared_items() -> None:
    skill = majority([[0, 0, 0], [1, 1, 0], [1, -1, -1]]).skills[2]
    assert skill.accuracy == pytest.approx((2 + 1) / (3 + 2))
    assert skill.annotations == 2


def test_an_interval_is_wider_where_it_is_not_known_who_was_right() -> None:
    votes = check_votes(np.zeros((20, 2), dtype=int))
    sure, unsure = np.repeat([1.0, 0.0], [16, 4]), np.full(20, 0.8)
    known, open_ = (accuracies(votes, np.stack([b, 1 - b], axis=1), (2, 1))[0] for b in (sure, unsure))
    assert known.accuracy == pytest.approx(open_.accuracy)
    assert open_.high - open_.low > 1.5 * (known.high - known.low)


@pytest.mark.parametrize("fuse", METHODS)
@settings(max_examples=15, deadline=None)
@given(table=TABLES, seed=st.integers(0, 99))
def test_results_are_probabilities_and_do_not_depend_on_the_order_of_items_and_annotators(fuse, table, seed) -> None:
    fused = fuse(table, classes=3)
    assert np.allclose(fused.probabilities.sum(axis=1), 1)
    assert all(0 <= s.low <= s.accuracy <= s.high <= 1 for s in fused.skills)
    assert (fused.classes == -1).tolist() == (table == -1).all(axis=1).tolist()
    rng = np.random.default_rng(seed)
    rows, columns = rng.permutation(len(table)), rng.permutation(table.shape[1])
    again = fuse(table[rows][:, columns], classes=3)
    assert np.allclose(again.probabilities, fused.probabilities[rows], atol=0.02 if fuse is glad else 1e-4)


@pytest.mark.parametrize("fuse", METHODS)
def test_when_all_agree_nothing_is_uncertain_about_the_class(fuse) -> None:
    fused = fuse(np.repeat([[0], [1], [2], [1]] * 5, 4, axis=1))
    assert fused.classes.tolist() == [0, 1, 2, 1] * 5
    assert fused.probabilities.max(axis=1).min() > 0.9


SMALL = table_of_classes(1, 40, 6, 3, 0.8)
"""What benchmarks/raters.py gave to crowd-kit 1.4.2, with DawidSkene, GLAD and Wawa run to convergence (`peer_*`)."""


def test_dawid_and_skene_without_a_prior_give_the_probabilities_of_crowd_kit() -> None:
    expected = [[0, 0.9994415, 0.0005585], [0, 0, 1], [0, 0, 1], [1, 0, 0]]
    assert np.allclose(dawid_skene(SMALL, prior=Prior(0, 0, 0)).probabilities[[0, 7, 20, 33]], expected, atol=1e-6)


def test_glad_gives_the_probabilities_of_crowd_kit() -> None:
    expected = [
        [1.64e-05, 0.9997285, 0.0002551],
        [0.0002967, 0.0118342, 0.9878692],
        [0, 0, 1],
        [0.9986134, 0.0012774, 0.0001091],
    ]
    assert np.allclose(glad(SMALL[:20]).probabilities[[0, 3, 7, 12]], expected, atol=1e-5)


def test_the_majority_and_the_agreement_with_it_are_those_of_scikit_activeml() -> None:
    """From scikit-activeml 1.0.1, which counts one right and one wrong annotation beforehand where this library counts two and one."""
    rng = np.random.default_rng(1)
    truth, skill = rng.integers(0, 2, 40), rng.uniform(0.4, 0.95, 5)
    table = np.where(rng.random((40, 5)) < skill, truth[:, None], rng.integers(0, 2, (40, 5)))
    fused = majority(table)
    assert "".join(map(str, fused.classes)) == "0111001100100100110011111001000010001010"
    performance = np.array([0.95238095, 0.88095238, 0.85714286, 0.92857143, 0.92857143])
    assert np.allclose([(s.accuracy * 43 - 2 + 1) / 42 for s in fused.skills], performance)
    lower = [0.89708114, 0.79685847, 0.76627599, 0.86169522, 0.86169522]  # of 90 %, with Student's t
    assert np.allclose([s.low for s in fused.skills], lower, atol=0.05)


def test_weights_by_agreement_give_the_shares_of_crowd_kit() -> None:
    expected = [[0, 0.8243791, 0.1756209], [0, 0, 1], [0, 0.3078739, 0.6921261], [0.7804001, 0.2195999, 0]]
    assert np.allclose(weighted_majority(SMALL).probabilities[[0, 7, 20, 33]], expected, atol=1e-6)


@pytest.mark.parametrize("fuse", [dawid_skene, glad])
@pytest.mark.parametrize("table", [np.array([[0], [1], [1]]), np.array([[0, -1], [-1, 1], [1, -1]])], ids=["one annotator", "one each"])
def test_with_one_annotation_per_item_the_class_stands_and_the_skill_is_that_of_the_prior(fuse, table) -> None:
    fused = fuse(table)
    assert fused.classes.tolist() == table.max(axis=1).tolist()
    assert fused.probabilities.max() < 0.99
    assert fused.skills[0].annotations == 0
    assert "those of the prior" in fused.note or "that of the prior" in fused.note
    assert fused.skills[0].high - fused.skills[0].low > 0.6


def test_an_annotator_without_a_shared_item_is_named() -> None:
    assert "1 annotator without a shared item" in dawid_skene([[0, 0, -1], [1, 1, -1], [-1, -1, 1]]).note


def test_an_item_without_an_annotation_has_no_class() -> None:
    fused = dawid_skene([[0, 0], [1, 1], [-1, -1]])
    assert fused.classes.tolist() == [0, 1, -1]
    assert "1 item without an annotation" in fused.note


def test_equal_columns_are_named_as_possible_copies() -> None:
    table = table_of_classes(5, 40, 6, 3, 0.8)
    assert "annotators 0 and 6" in majority(np.column_stack([table, table[:, 0]])).note
    assert "copies" not in majority(table).note


def test_dawid_and_skene_see_through_an_annotator_who_swaps_classes() -> None:
    truth = np.arange(60) % 2
    fused = dawid_skene(np.stack([truth, truth, 1 - truth], axis=1))
    assert fused.classes.tolist() == truth.tolist()
    assert fused.skills[2].accuracy < 0.1
    assert fused.skills[2].confusion[0, 1] > 0.9


def test_glad_finds_the_difficult_item_harder() -> None:
    table = np.repeat(np.arange(20)[:, None] % 2, 5, axis=1)
    table[0] = [0, 1, 0, 1, 0]
    fused = glad(table)
    assert fused.difficulty.argmax() == 0


def test_three_readings_per_item_show_the_confusion_to_five_hundredths() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 2000)
    real = np.array([[[0.95, 0.05], [0.1, 0.9]], [[0.9, 0.1], [0.2, 0.8]], [[0.7, 0.3], [0.3, 0.7]], [[0.99, 0.01], [0.5, 0.5]]])
    table = np.array([[rng.choice(2, p=real[a, t]) for a in range(4)] for t in truth])
    table[np.arange(2000), rng.integers(0, 4, 2000)] = -1
    fused = dawid_skene(table)
    assert max(np.abs(s.confusion - r).max() for s, r in zip(fused.skills, real, strict=True)) < 0.05


@pytest.mark.parametrize("fuse", [dawid_skene, glad])
def test_ninety_percent_intervals_hold_the_true_accuracy(fuse) -> None:
    held = []
    for seed in range(25):
        rng = np.random.default_rng(seed)
        truth, skill = rng.integers(0, 2, 100), rng.uniform(0.6, 0.95, 5)
        fused = fuse(np.where(rng.random((100, 5)) < skill, truth[:, None], 1 - truth[:, None]))
        held += [s.low <= r <= s.high for s, r in zip(fused.skills, skill, strict=True)]
    assert 0.85 <= np.mean(held) <= 0.95


@pytest.mark.parametrize(
    ("table", "error", "words"),
    [
        (np.zeros((0, 3), dtype=int), ShapeError, "at least one of each"),
        ([0, 1], ShapeError, "items, annotators"),
        ([[0, -2]], LabelError, "got -2"),
        ([[0.0, np.nan]], InputError, "-1 where there is none"),
        ([[0.5, 1.0]], InputError, "whole numbers"),
    ],
)
def test_a_table_that_is_none_is_refused_in_one_line(table, error, words) -> None:
    with pytest.raises(error, match=words) as refused:
        majority(table)
    assert "\n" not in str(refused.value)
    assert isinstance(refused.value, MedloopError)


def test_classes_outside_the_task_are_refused() -> None:
    with pytest.raises(LabelError, match=r"0\.\.1"):
        dawid_skene([[0, 2]], classes=2)


@pytest.mark.parametrize("weights", [[1.0], [-1.0, 1.0], [np.nan, 1.0]])
def test_weights_that_are_none_are_refused(weights) -> None:
    with pytest.raises(InputError):
        weighted_majority([[0, 1]], weights=weights)


def test_a_negative_prior_is_refused() -> None:
    with pytest.raises(SettingError, match="0 or more"):
        Prior(right=-1)


def test_rounding_does_not_decide_a_tie() -> None:
    assert choose(np.array([[0.2, 0.4, 0.4 + 1e-13]])).tolist() == [1]


def test_what_one_person_annotated_alone_does_not_count_for_their_confusion() -> None:
    fused = dawid_skene([[0, -1]] * 50 + [[0, 0], [1, 1]])
    assert fused.skills[0].confusion[0, 0] == pytest.approx(fused.skills[1].confusion[0, 0])
