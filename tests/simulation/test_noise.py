"""Annotation noise: each kind does what it says, to the share of cases that it says, and to nothing else."""

from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medloop.core.errors import SettingError
from medloop.core.geometry import Grid
from medloop.core.image import Mask
from medloop.metrics.overlap import dice
from medloop.simulation.noise import (
    CHANGES,
    TIRED_AFTER,
    Noise,
    blundered,
    dilated,
    eroded,
    flipped,
    shifted,
    with_missed_objects,
)
from medloop.simulation.oracle import Errors, Oracle
from medloop.simulation.prepare import TRUTH
from medloop.simulation.study_settings import NoiseKind

GRID = Grid.of_spacing((12, 10, 6), (1.0, 2.0, 3.0))
NAMES = [f"case {n}" for n in range(2000)]


def two_cubes() -> Mask:
    """Label 1 at voxels 1…3 of every axis, label 2 at 7…8, 7…8, 4…5: two objects that do not touch."""
    array = np.zeros(GRID.shape, dtype=np.uint8)
    array[1:4, 1:4, 1:4], array[7:9, 7:9, 4:6] = 1, 2
    return Mask(array, GRID)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_dilation_grows_by_the_distance_in_millimetres():
    grown = dilated(two_cubes(), 2.0, rng())
    assert np.flatnonzero(grown[:, 2, 2] == 1).tolist() == [0, 1, 2, 3, 4, 5], "two voxels of 1 mm"
    assert np.flatnonzero(grown[2, :, 2] == 1).tolist() == [0, 1, 2, 3, 4], "one voxel of 2 mm"
    assert np.flatnonzero(grown[2, 2, :] == 1).tolist() == [1, 2, 3], "no voxel of 3 mm"
    assert (grown[two_cubes().array == 2] == 2).all()


def test_erosion_takes_the_rim_and_never_the_whole_label():
    thin = eroded(two_cubes(), 1.0, rng())
    assert np.flatnonzero(thin[:, 2, 2]).tolist() == [2], "a rim of 1 mm on both sides"
    gone = eroded(two_cubes(), 50.0, rng())
    assert set(np.unique(gone)) == {0, 1, 2}
    assert gone[2, 2, 2] == 1
    assert not (gone.astype(bool) & ~two_cubes().array.astype(bool)).any()


@given(st.integers(0, 200), st.floats(0.0, 3.0))
def test_a_shift_moves_every_voxel_alike_and_at_least_by_one(seed, mm):
    moved = shifted(two_cubes(), mm, rng(seed))
    before, after = np.argwhere(two_cubes().array == 2), np.argwhere(moved == 2)
    if len(after) == len(before):
        steps = np.unique(after - before, axis=0)
        assert len(steps) == 1
        assert 0 < np.linalg.norm(steps[0] * np.array(GRID.spacing_mm)) <= mm + 3.0


def test_a_shift_stays_within_a_picture():
    grid = Grid.flat(20, 20)
    array = np.zeros(grid.shape, dtype=np.uint8)
    array[8:12, 8:12] = 1
    for seed in range(20):
        moved = shifted(Mask(array, grid), 3.0, rng(seed))
        assert moved.sum() == 16
        assert not np.array_equal(moved, array)


@given(st.integers(0, 200))
def test_flipped_objects_carry_the_other_label_and_keep_their_voxels(seed):
    wrong = flipped(two_cubes(), 0.0, rng(seed))
    assert np.array_equal(wrong > 0, two_cubes().array > 0)
    assert not np.array_equal(wrong, two_cubes().array)
    assert wrong[2, 2, 2] in (1, 2)


@given(st.integers(0, 200))
def test_a_missed_object_is_missed_whole(seed):
    left = with_missed_objects(two_cubes(), 0.0, rng(seed))
    sizes = {label: int((left == label).sum()) for label in (1, 2)}
    assert sizes[1] in (0, 27)
    assert sizes[2] in (0, 8)
    assert 0 in sizes.values()


def test_a_blunder_is_as_large_and_elsewhere():
    found = [blundered(two_cubes(), 0.0, rng(seed)) for seed in range(40)]
    assert all((wrong == 2).sum() == 8 for wrong in found), "the label drawn last is whole"
    assert np.mean([dice(wrong, two_cubes().array, [1])[1] for wrong in found]) < 0.3


@pytest.mark.parametrize("kind", list(CHANGES))
def test_an_empty_mask_stays_empty(kind):
    empty = Mask(np.zeros(GRID.shape, dtype=np.uint8), GRID)
    assert not CHANGES[kind](empty, 2.0, rng()).any()


@given(st.integers(0, 100), st.sampled_from([k for k in get_args(NoiseKind) if k != "none"]), st.floats(0.1, 5))
def test_no_label_is_invented_and_the_truth_is_not_changed_in_place(seed, kind, mm):
    truth = two_cubes()
    wrong = Noise(kind, 1.0, mm, seed).mask(truth, "a", nth=TIRED_AFTER)
    assert set(np.unique(wrong)) <= {0, 1, 2}
    assert wrong.dtype == np.uint8
    assert np.array_equal(truth.array, two_cubes().array)


@pytest.mark.parametrize("share", [0.0, 0.2, 0.6, 1.0])
def test_the_share_of_wrong_cases_is_the_one_asked_for(share):
    wrong = [Noise("shift", share).is_wrong(name) for name in NAMES]
    assert abs(np.mean(wrong) - share) <= 0.035


def test_a_larger_share_holds_the_cases_of_a_smaller_one_wrong_in_the_same_way():
    few, many = Noise("mixed", 0.2, seed=3), Noise("mixed", 0.6, seed=3)
    held = [name for name in NAMES[:200] if few.is_wrong(name)]
    assert held
    assert all(many.is_wrong(name) for name in held)
    assert all(np.array_equal(few.mask(two_cubes(), name), many.mask(two_cubes(), name)) for name in held[:10])


def test_who_is_lazy_accepts_the_proposal_and_draws_where_there_is_none():
    proposal, noise = np.ones(GRID.shape, dtype=np.uint8), Noise("lazy", 1.0)
    assert noise.mask(two_cubes(), "a", proposal=proposal) is proposal
    assert np.array_equal(noise.mask(two_cubes(), "a"), two_cubes().array)
    assert noise.tag(1, (0, 1, 2), "a", proposal=2) == 2
    assert noise.tag(1, (0, 1, 2), "a") == 1
    assert Noise("lazy", 0.0).tag(1, (0, 1, 2), "a", proposal=2) == 1


def test_who_tires_errs_more_the_longer_the_sitting_lasts():
    noise = Noise("fatigue", 0.5)
    shares = [np.mean([noise.is_wrong(name, nth=nth) for name in NAMES]) for nth in (0, TIRED_AFTER // 2, TIRED_AFTER, 10 * TIRED_AFTER)]
    assert shares[0] == 0
    assert abs(shares[1] - 0.25) < 0.035
    assert abs(shares[2] - 0.5) < 0.035
    assert shares[3] == shares[2]


def test_a_wrong_tag_is_another_one_and_the_only_one_stays():
    tags = [Noise("class-flip", 0.3).tag(1, (0, 1, 2), name) for name in NAMES]
    assert set(tags) == {0, 1, 2}
    assert abs(np.mean(np.array(tags) != 1) - 0.3) < 0.035
    assert Noise("class-flip", 1.0).tag(1, (1,), "a") == 1


@pytest.mark.parametrize(
    "given_", [{"kind": "sleepy"}, {"kind": "shift", "share": 1.5}, {"kind": "shift", "mm": -1}, {"kind": "shift", "mm": float("nan")}]
)
def test_noise_that_cannot_be_is_refused(given_):
    with pytest.raises(SettingError, match="oise"):
        Noise(**given_)


def test_the_oracle_errs_where_the_noise_says_and_nowhere_else(finished):
    out, result = finished
    noise = Noise("erosion", 0.5, 4.0, seed=1)
    with Oracle(out / TRUTH, Errors(noise=noise)) as oracle:
        wrong = {name: not np.array_equal(oracle.annotation(name), oracle.truth(name).array) for name in result.setup.patients}
    assert wrong == {name: noise.is_wrong(name) for name in wrong}
    assert set(wrong.values()) == {True, False}
