"""Reverse classification on phantoms: better masks score higher, and the calibrated score is near the true Dice."""

from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medloop.core.errors import InputError, SettingError, ShapeError
from medloop.images.phantoms import phantom_3d
from medloop.metrics.overlap import dice
from medloop.quality.corruption import corrupt_mask
from medloop.quality.reverse import Reference, ReverseClassifier, voxel_features

SHAPE = (24, 24, 16)
LABELS = (1, 2)


def reference(index: int) -> Reference:
    """A phantom of one contrast, so that grey values mean the same everywhere."""
    return of_one_contrast()[index]


@cache
def of_one_contrast() -> list[Reference]:
    phantoms = (phantom_3d(n, shape=SHAPE) for n in range(60))
    return [Reference(p.image.array, p.mask.array) for p in phantoms if p.contrast == "ct"]


@pytest.fixture(scope="module")
def judge() -> ReverseClassifier:
    return ReverseClassifier([reference(n) for n in range(4)], LABELS, trees=5).calibrate(per_reference=4)


def spoiled(index: int, degree: float) -> tuple[Reference, np.ndarray, float]:
    case = reference(index)
    mask = corrupt_mask(case.mask, degree, np.random.default_rng(index))
    return case, mask, float(np.mean(list(dice(mask, case.mask, LABELS).values())))


def test_a_worse_mask_scores_lower(judge):
    scores = [judge.score(case.image, mask).best for case, mask, _ in (spoiled(5, degree) for degree in (0.0, 0.4, 0.9))]
    assert scores[0] > scores[1] > scores[2]


def test_the_expected_dice_is_nearer_to_the_truth_than_the_raw_score(judge):
    found = [(judge.score(case.image, mask), truth) for case, mask, truth in (spoiled(n, d) for n in (4, 5, 6) for d in (0.0, 0.15, 0.6))]
    calibrated = np.mean([abs(score.expected - truth) for score, truth in found])
    assert calibrated < np.mean([abs(score.best - truth) for score, truth in found])
    assert calibrated < 0.2


def test_a_score_is_the_best_over_the_references_and_repeats(judge):
    case, mask, _ = spoiled(5, 0.2)
    score = judge.score(case.image, mask)
    assert score.best == max(score.per_reference)
    assert len(score.per_reference) == 4
    assert judge.score(case.image, mask) == score


def test_an_empty_mask_teaches_nothing_and_a_full_one_little(judge):
    case = reference(5)
    empty = judge.score(case.image, np.zeros(SHAPE, dtype=np.uint8))
    assert (empty.best, empty.expected) == (0.0, 0.0)
    assert judge.score(case.image, np.ones(SHAPE, dtype=np.uint8)).expected < 0.5


def test_pictures_are_judged_too():
    flat = [Reference(r.image[..., 8:9], r.mask[..., 8:9]) for r in (reference(n) for n in range(3))]
    score = ReverseClassifier(flat[:2], LABELS, trees=5).score(flat[2].image, flat[2].mask)
    assert 0.3 < score.expected == score.best


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 100), st.floats(0, 1))
def test_a_spoiled_mask_has_no_new_labels_and_the_same_shape(seed, degree):
    mask = reference(0).mask
    found = corrupt_mask(mask, degree, np.random.default_rng(seed))
    assert found.shape == mask.shape
    assert set(np.unique(found)) <= set(np.unique(mask))
    assert degree > 0 or (found == mask).all()


def test_more_spoiling_costs_more_dice():
    truths = [np.mean([spoiled(n, degree)[2] for n in range(6)]) for degree in (0.0, 0.1, 0.3, 0.9)]
    assert truths[0] == 1.0
    assert all(a > b for a, b in pairwise(truths))


def test_bad_input_is_refused(judge):
    with pytest.raises(InputError, match="at least 2 references, got 1"):
        ReverseClassifier([reference(0)], LABELS)
    with pytest.raises(ShapeError, match="same voxels"):
        voxel_features(np.zeros((1, 2, 2, 2)), np.zeros((2, 2, 3), dtype=np.uint8))
    with pytest.raises(SettingError, match="0 to 1"):
        corrupt_mask(reference(0).mask, 2.0, np.random.default_rng(0))
