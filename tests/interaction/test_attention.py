"""Where to look next: places counted by hand, and against plain loops."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.stats import entropy as reference_entropy

from medloop.core.errors import InputError, LabelError, SettingError, ShapeError
from medloop.interaction.attention import chances_of_entropy, error_chances, look_seconds, rank_places, unreviewed
from medloop.interaction.simulated_users.effort import EffortModel

chance_maps = hnp.arrays(np.float64, st.tuples(*[st.integers(1, 5)] * 3), elements=st.integers(0, 8).map(lambda n: n / 8))


def test_the_slice_with_most_probable_errors_comes_first():
    chances = np.zeros((4, 4, 3))
    chances[:2, 0, 1] = 0.5
    chances[:, 1, 2] = 0.75
    first, second = rank_places(chances, effort=EffortModel(slice_viewed=3, outline=1))
    assert (first.axis, first.index, first.start, first.stop) == (2, 2, (0, 0, 2), (4, 4, 3))
    assert (first.gain, first.seconds, first.gain_per_second) == (pytest.approx(3), pytest.approx(6), pytest.approx(0.5))
    assert first.voxel == (0, 1, 2)
    assert first.reason == "about 3 voxels here are probably wrong, 75% of all that is"
    assert (second.index, second.gain) == (1, pytest.approx(1))


def test_a_slice_across_another_axis_gains_only_what_is_left():
    chances = np.zeros((3, 3, 3))
    chances[0, :, 0] = 1.0
    chances[0, 0, 1:] = 0.8
    first, *others = rank_places(chances, axes=(0, 1, 2))
    assert (first.axis, first.index, first.gain) == (0, 0, pytest.approx(4.6))
    assert others == []
    along_last = rank_places(chances, axes=(2,))
    assert [(p.index, p.gain) for p in along_last] == [(0, pytest.approx(3)), (1, pytest.approx(0.8)), (2, pytest.approx(0.8))]


def test_what_was_reviewed_gains_nothing():
    chances = np.ones((2, 2, 2))
    reviewed = np.zeros((2, 2, 2), dtype=bool)
    reviewed[..., 0] = True
    reviewed[0, 0, 1] = True
    assert [(p.index, p.gain) for p in rank_places(unreviewed(chances, reviewed))] == [(1, pytest.approx(3))]
    everything = np.ones((2, 2, 2), dtype=bool)
    assert rank_places(unreviewed(chances, everything)) == []


def test_regions_are_boxes_that_do_not_overlap():
    chances = np.zeros((60, 60, 1))
    chances[2:6, 2:6], chances[50:53, 50:53] = 0.5, 1.0
    first, second = rank_places(chances, kind="region")
    assert (first.kind, first.axis, first.gain, second.gain) == ("region", None, pytest.approx(9), pytest.approx(8))
    assert first.voxel == (50, 50, 0)
    assert not (reviewed_voxels([first], (60, 60, 1)) & reviewed_voxels([second], (60, 60, 1))).any()


def test_a_region_is_viewed_on_all_of_its_slices():
    chances = np.zeros((40, 40, 30))
    chances[4:6, 4:6, 10:12] = 1.0
    effort = EffortModel(slice_viewed=2.0, outline=1.0)
    for mm, slices in ((1.0, 20), (5.0, 4), (40.0, 1)):
        [region] = rank_places(chances, kind="region", spacing_mm=(1.0, 1.0, mm), effort=effort)[:1]
        assert region.stop[2] - region.start[2] == slices
        assert region.seconds == pytest.approx(2.0 * slices + region.gain)


@given(chance_maps, st.permutations([0, 1, 2]).flatmap(lambda axes: st.integers(1, 3).map(lambda n: axes[:n])))
def test_the_order_is_that_of_a_plain_greedy_loop(chances, axes):
    left, gains = chances.copy(), []
    while True:
        best = max(np.moveaxis(left, axis, 0)[n].sum() for axis in axes for n in range(left.shape[axis]))
        if best < 0.5 or len(gains) == 50:
            break
        gains.append(best)
        chosen = rank_places(chances, axes=axes, count=len(gains))[-1]
        assert chosen.gain == pytest.approx(best)
        left[chosen.voxels] = 0
    assert len(rank_places(chances, axes=axes)) == len(gains)
    assert [look_seconds(g, EffortModel()) for g in gains] == pytest.approx([p.seconds for p in rank_places(chances, axes=axes)])


def reviewed_voxels(places, shape):
    seen = np.zeros(shape, dtype=bool)
    for place in places:
        seen[place.voxels] = True
    return seen


@given(chance_maps)
def test_gains_add_up_to_what_is_expected_to_be_wrong(chances):
    places = rank_places(chances, axes=(0, 1, 2), count=1000)
    seen = reviewed_voxels(places, chances.shape)
    assert sum(p.gain for p in places) == pytest.approx(chances[seen].sum())
    assert all(a.gain_per_second >= b.gain_per_second - 1e-9 for a, b in itertools.pairwise(places))


def test_the_chance_of_an_error_is_what_the_model_gives_to_other_labels():
    samples = np.zeros((2, 3, 1, 1, 2))
    samples[0, :, 0, 0, 0], samples[1, :, 0, 0, 0] = (0.2, 0.5, 0.3), (0.4, 0.5, 0.1)
    samples[:, :, 0, 0, 1] = (1.0, 0.0, 0.0)
    mask = np.array([[[1, 2]]], dtype=np.uint8)
    assert error_chances(samples, mask) == pytest.approx(np.array([[[0.5, 1.0]]]))
    renamed = np.array([[[7, 9]]], dtype=np.uint8)
    assert error_chances(samples, renamed, labels=[0, 7, 9]) == pytest.approx(np.array([[[0.5, 1.0]]]))


@given(st.lists(st.floats(0.01, 1), min_size=2, max_size=6))
def test_fano_bounds_the_chance_of_an_error_and_is_exact_for_two(weights):
    probabilities = np.array(weights) / sum(weights)
    chance = float(chances_of_entropy(np.array(reference_entropy(probabilities)), len(weights)))
    wrong = 1 - probabilities.max()
    assert chance <= wrong + 1e-3
    if len(weights) == 2:
        assert chance == pytest.approx(wrong, abs=2e-3)


def test_full_doubt_is_an_even_choice():
    assert chances_of_entropy(np.array([0.0, math.log(4)]), 4) == pytest.approx([0.0, 0.75])


def test_bad_input_names_its_rule():
    samples, mask = np.ones((1, 2, 2, 2, 2)) / 2, np.zeros((2, 2, 2), dtype=np.uint8)
    with pytest.raises(ShapeError, match="must fit the mask"):
        error_chances(samples, mask[:1])
    with pytest.raises(LabelError, match=r"got \[5\]"):
        error_chances(samples, mask + np.uint8(5))
    with pytest.raises(SettingError, match="at least 2 classes"):
        chances_of_entropy(np.zeros(1), 1)
    with pytest.raises(InputError, match="not negative"):
        chances_of_entropy(np.array([-0.1]), 2)
    with pytest.raises(SettingError, match=r"lie in 0\.\.1"):
        rank_places(np.full((1, 1, 1), 1.5))
    with pytest.raises(ShapeError, match="Reviewed voxels"):
        unreviewed(np.zeros((1, 1, 1)), np.zeros((2, 1, 1), dtype=bool))
    with pytest.raises(SettingError, match=r"0, 1 or 2"):
        rank_places(np.zeros((1, 1, 1)), axes=(3,))
