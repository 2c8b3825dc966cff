import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from medloop.core.errors import InputError, SettingError, ShapeError
from medloop.explain.hypotheses import dice_distances, differing_regions, distinct_hypotheses, mix
from medloop.metrics.overlap import dice

masks = arrays(np.uint8, (5, 4, 4, 2), elements=st.integers(0, 2))


def as_samples(answers: np.ndarray, classes: int = 3) -> np.ndarray:
    return np.moveaxis(np.eye(classes, dtype=np.float32)[answers], -1, 1)


def story(stop: int) -> np.ndarray:
    mask = np.zeros((10, 6, 4), dtype=np.uint8)
    mask[2:stop, 1:5] = 1
    return mask


def test_two_stories_become_two_hypotheses_with_their_shares() -> None:
    answers = np.stack([story(4), story(9), story(9), story(9)])
    first, second = distinct_hypotheses(as_samples(answers))
    assert (first.weight, first.members) == (0.75, (1, 2, 3))
    assert (second.weight, second.sample) == (0.25, 0)
    assert np.array_equal(first.mask, story(9))


def test_near_equal_samples_are_one_hypothesis() -> None:
    other = story(9)
    other[2, 1, 0] = 0
    (only,) = distinct_hypotheses(as_samples(np.stack([story(9), other, story(9)])))
    assert only.weight == 1.0
    assert np.array_equal(only.mask, story(9))


@settings(max_examples=40)
@given(masks, st.integers(1, 4))
def test_hypotheses_share_out_all_samples_and_are_samples_themselves(answers, most) -> None:
    found = distinct_hypotheses(as_samples(answers), most=most)
    assert 1 <= len(found) <= most
    assert sorted(m for h in found for m in h.members) == list(range(5))
    assert sum(h.weight for h in found) == pytest.approx(1.0)
    assert all(np.array_equal(h.mask, answers[h.sample]) and h.sample in h.members for h in found)
    assert [h.weight for h in found] == sorted((h.weight for h in found), reverse=True)


@settings(max_examples=40)
@given(masks)
def test_distances_are_those_of_the_dice_coefficient(answers) -> None:
    distances = dice_distances(answers, classes=3)
    for a in range(5):
        for b in range(5):
            present = sorted({*np.unique(answers[a]), *np.unique(answers[b])} - {0})
            expected = 1 - np.mean(list(dice(answers[a], answers[b], present).values())) if present else 0.0
            assert distances[a, b] == pytest.approx(expected, abs=1e-6)


def test_a_mixture_takes_each_region_from_its_hypothesis() -> None:
    region = np.zeros((10, 6, 4), dtype=bool)
    region[:, :3] = True
    mixed = mix(story(4), [(story(9), region)])
    assert np.array_equal(mixed[:, :3], story(9)[:, :3])
    assert np.array_equal(mixed[:, 3:], story(4)[:, 3:])
    assert np.array_equal(mix(story(4), []), story(4))


def test_places_of_disagreement_are_numbered_by_size() -> None:
    one, other = story(4), story(6)
    other[0, 0, 0:2] = 1
    other[9, 5, 3] = 1
    places = differing_regions([one, other])
    assert np.count_nonzero(places == 1) == 2 * 4 * 4
    assert np.count_nonzero(places == 2) == 2
    assert places[9, 5, 3] == 0
    assert not differing_regions([one, one]).any()


def test_wrong_use_is_told() -> None:
    with pytest.raises(ShapeError, match="samples"):
        distinct_hypotheses(np.zeros((3, 2)))
    with pytest.raises(SettingError, match="at least one"):
        distinct_hypotheses(as_samples(np.stack([story(4)])), most=0)
    with pytest.raises(InputError, match="shape"):
        mix(story(4), [(story(4)[:2], story(4) > 0)])
    (only,) = distinct_hypotheses(as_samples(np.stack([story(4)])))
    assert only.weight == 1.0
