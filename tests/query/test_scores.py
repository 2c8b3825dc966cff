"""Scores against values worked out by hand, scipy, and the laws they obey."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from medloop.core.errors import InputError, SettingError, ShapeError
from medloop.query import scores
from medloop.query.uncertainty import aggregation, voxels

SURE, EVEN = [1.0, 0.0], [0.5, 0.5]


def rows(*cases):
    return np.array(cases, dtype=np.float64)


def volume(samples: np.ndarray) -> np.ndarray:
    """(samples, cases, classes) → (S, C, I, J, K) with the cases along I."""
    return samples.transpose(0, 2, 1)[..., None, None]


probabilities = hnp.arrays(
    np.float64, st.tuples(st.integers(2, 4), st.integers(1, 6), st.integers(2, 5)), elements=st.floats(0.01, 1.0)
).map(lambda a: a / a.sum(axis=-1, keepdims=True))


def test_a_sure_case_scores_zero_everywhere():
    for score in (scores.least_confidence, scores.margin, scores.entropy):
        assert score(rows(SURE)) == pytest.approx([0.0])


def test_golden_values():
    case = rows([0.7, 0.2, 0.1])
    assert scores.least_confidence(case) == pytest.approx([0.3])
    assert scores.margin(case) == pytest.approx([0.5])
    assert scores.entropy(case) == pytest.approx([-(0.7 * math.log(0.7) + 0.2 * math.log(0.2) + 0.1 * math.log(0.1))])


def test_samples_that_contradict_each_other_have_one_bit_of_mutual_information():
    assert scores.mutual_information(rows([SURE], [SURE[::-1]])) == pytest.approx([math.log(2)])


def test_samples_that_agree_on_doubt_have_none():
    assert scores.mutual_information(rows([EVEN], [EVEN])) == pytest.approx([0.0], abs=1e-12)


def test_doubt_of_each_sample_and_doubt_from_their_disagreement_add_up_by_hand():
    assert scores.expected_entropy(rows([SURE], [SURE[::-1]])) == pytest.approx([0.0], abs=1e-12)
    assert scores.expected_entropy(rows([EVEN], [SURE])) == pytest.approx([math.log(2) / 2])
    with pytest.raises(ShapeError, match="at least one sample"):
        scores.expected_entropy(np.zeros((0, 1, 2)))


@given(probabilities)
def test_the_two_kinds_of_doubt_add_up_to_all_of_it(p):
    total = scores.expected_entropy(p) + scores.mutual_information(p)
    assert total == pytest.approx(scores.consensus_entropy(p), abs=1e-9)
    several = volume(p)
    assert voxels.voxel_expected_entropy(several).ravel() == pytest.approx(scores.expected_entropy(p))
    assert voxels.voxel_expected_entropy(several[:1]).ravel() == pytest.approx(scores.entropy(p[0]))


@given(probabilities)
def test_entropy_matches_scipy(p):
    assert scores.entropy(p[0]) == pytest.approx(stats.entropy(p[0], axis=-1))


@given(probabilities)
def test_scores_stay_in_their_ranges_and_ignore_the_order_of_classes(p):
    classes = p.shape[-1]
    assert (scores.entropy(p[0]) <= math.log(classes) + 1e-9).all()
    assert (scores.least_confidence(p[0]) <= 1 - 1 / classes + 1e-9).all()
    for score in (scores.least_confidence, scores.margin, scores.entropy):
        assert (score(p[0]) >= -1e-12).all()
        assert score(p[0][:, ::-1]) == pytest.approx(score(p[0]))


@given(probabilities)
def test_mutual_information_lies_between_zero_and_the_entropy_of_the_mean(p):
    information = scores.mutual_information(p)
    assert (information >= 0).all()
    assert (information <= scores.entropy(p.mean(axis=0)) + 1e-12).all()


@given(probabilities)
def test_voxel_maps_are_the_case_scores_voxel_by_voxel(p):
    mean = p.mean(axis=0)
    assert voxels.voxel_entropy(volume(p)).ravel() == pytest.approx(scores.entropy(mean))
    assert voxels.voxel_margin(volume(p)).ravel() == pytest.approx(scores.margin(mean))
    assert voxels.voxel_least_confidence(volume(p)).ravel() == pytest.approx(scores.least_confidence(mean))
    assert voxels.voxel_mutual_information(volume(p)).ravel() == pytest.approx(scores.mutual_information(p), abs=1e-9)


def test_maps_have_the_shape_of_the_volume():
    assert voxels.voxel_entropy(np.full((2, 2, 3, 4, 5), 0.5, dtype=np.float32)).shape == (3, 4, 5)


@pytest.mark.parametrize("score", [scores.least_confidence, scores.margin, scores.entropy])
def test_nan_is_refused_with_its_case(score):
    with pytest.raises(InputError, match="NaN at case 1"):
        score(rows(EVEN, [np.nan, 0.5]))


@pytest.mark.parametrize(
    "score", [voxels.voxel_least_confidence, voxels.voxel_margin, voxels.voxel_entropy, voxels.voxel_mutual_information]
)
def test_nan_in_a_volume_is_refused(score):
    samples = np.full((2, 2, 2, 2, 2), 0.5)
    samples[0, 0, 0, 0, 0] = np.nan
    with pytest.raises(InputError, match="NaN or infinity at 1 voxels"):
        score(samples)


def test_logits_are_refused():
    with pytest.raises(InputError, match="softmax"):
        scores.entropy(rows([2.0, -1.0]))


def test_one_sample_cannot_disagree():
    with pytest.raises(ShapeError, match=">= 2 samples"):
        scores.mutual_information(rows([EVEN]))


def test_wrong_axes_are_refused():
    with pytest.raises(ShapeError, match="axes"):
        scores.entropy(np.array(EVEN))
    with pytest.raises(ShapeError, match="samples, classes, I, J, K"):
        voxels.voxel_entropy(np.zeros((2, 2, 2)))


def test_aggregates_worked_out_by_hand():
    score_map, weights = np.array([[0.0, 1.0], [2.0, 5.0]]), np.array([[1.0, 0.0], [0.5, 0.5]])
    assert aggregation.aggregate(score_map, None, how="mean") == 2.0
    assert aggregation.aggregate(score_map, weights, how="mean") == pytest.approx(1.75)
    assert aggregation.aggregate(score_map, None, how="sum") == 8.0
    assert aggregation.aggregate(score_map, weights, how="sum") == pytest.approx(3.5)
    assert aggregation.aggregate(score_map, None, how="top") == 5.0
    assert aggregation.aggregate(score_map, weights, how="foreground") == pytest.approx(7 / 3)


def test_top_averages_one_percent_of_the_voxels():
    assert aggregation.aggregate(np.arange(1000.0), None, how="top") == pytest.approx(np.arange(990, 1000).mean())


def test_without_foreground_the_whole_map_counts():
    assert aggregation.aggregate(np.array([1.0, 3.0]), np.array([0.1, 0.2]), how="foreground") == 2.0


def test_foreground_needs_weights_and_unknown_ways_are_refused():
    with pytest.raises(SettingError, match="needs weights"):
        aggregation.aggregate(np.ones(3), None, how="foreground")
    with pytest.raises(SettingError, match="Unknown aggregation"):
        aggregation.aggregate(np.ones(3), None, how="median")


def test_weights_of_another_shape_or_nothing_are_refused():
    with pytest.raises(ShapeError, match="shape"):
        aggregation.aggregate(np.ones(3), np.ones(4))
    with pytest.raises(InputError, match="not all zero"):
        aggregation.aggregate(np.ones(3), np.zeros(3))


def test_golden_values_of_committees():
    agree_and_not = np.array([[[0.8, 0.2], [0.9, 0.1]], [[0.8, 0.2], [0.1, 0.9]], [[0.8, 0.2], [0.2, 0.8]]])
    assert scores.variation_ratio(agree_and_not) == pytest.approx([0.0, 1 / 3])
    assert scores.vote_entropy(agree_and_not) == pytest.approx([0.0, -(math.log(1 / 3) + 2 * math.log(2 / 3)) / 3])
    assert scores.mean_std(agree_and_not) == pytest.approx([0.0, np.std([0.9, 0.1, 0.2])])
    assert scores.consensus_entropy(agree_and_not)[1] == pytest.approx(scores.entropy(rows([0.4, 0.6]))[0])


def test_class_rows_count_votes_and_put_the_entropy_at_the_predicted_class():
    rows = scores.class_rows(np.array([[[0.8, 0.2, 0.0]], [[0.8, 0.2, 0.0]], [[0.2, 0.8, 0.0]]]))
    assert rows["class_share"] == pytest.approx(np.array([[2 / 3, 1 / 3, 0.0]]))
    assert rows["class_entropy"] == pytest.approx(np.array([[-(0.6 * math.log(0.6) + 0.4 * math.log(0.4)), 0.0, 0.0]]))


def test_ratio_is_one_where_two_classes_tie():
    assert scores.ratio(rows([0.4, 0.4, 0.2], [0.5, 0.25, 0.25], [1.0, 0.0, 0.0])) == pytest.approx([1.0, 0.5, 0.0])


@given(probabilities)
def test_mutual_information_is_the_jensen_shannon_divergence(p):
    mean = p.mean(axis=0)
    divergence = np.mean([stats.entropy(sample, mean, axis=-1) for sample in p], axis=0)
    assert scores.mutual_information(p) == pytest.approx(divergence, abs=1e-9)


@given(probabilities)
def test_committee_scores_stay_in_their_ranges(p):
    samples, _, classes = p.shape
    assert (scores.variation_ratio(p) <= 1 - 1 / classes + 1e-9).all()
    assert (scores.vote_entropy(p) <= math.log(min(samples, classes)) + 1e-9).all()
    assert (scores.mean_std(p) <= 0.5).all()
    assert (scores.consensus_entropy(p) >= scores.mutual_information(p) - 1e-9).all()


@given(probabilities)
def test_the_other_voxel_maps_are_the_case_scores_too(p):
    assert voxels.voxel_ratio(volume(p)).ravel() == pytest.approx(scores.ratio(p.mean(axis=0)))
    assert voxels.voxel_vote_entropy(volume(p)).ravel() == pytest.approx(scores.vote_entropy(p))
    assert voxels.voxel_variation_ratio(volume(p)).ravel() == pytest.approx(scores.variation_ratio(p))
    assert voxels.voxel_mean_std(volume(p)).ravel() == pytest.approx(scores.mean_std(p))


@pytest.mark.parametrize("score", [scores.variation_ratio, scores.vote_entropy, scores.mean_std])
def test_one_sample_is_no_committee(score):
    with pytest.raises(ShapeError, match=">= 2 samples"):
        score(rows([EVEN]))
    with pytest.raises(InputError, match="NaN at case 1"):
        score(rows([EVEN, [np.nan, 1]], [EVEN, EVEN]))
