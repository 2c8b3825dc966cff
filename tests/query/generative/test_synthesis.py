import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medloop.core.errors import ShapeError
from medloop.query.generative.synthesis import PARENTS, SHARES, nearest_real, select_asal, smoothed, uncertain_points
from medloop.query.pool import Pool

RNG = np.random.default_rng


def asal(codes: np.ndarray, entropy: np.ndarray, count: int) -> list[int]:
    names = tuple(f"c{n:03d}" for n in range(len(codes)))
    picks = select_asal(Pool(names, {"entropy": entropy}, None, None, {"latent": codes}), count, RNG(0))
    return [p.index for p in picks]


def test_a_sure_case_between_two_unsure_clusters_hands_over_to_the_nearest_real_one() -> None:
    codes = np.array([[0.0], [10.0], [5.1], [40.0]])
    entropy = np.array([0.6, 0.6, 0.6, 0.0])
    points = uncertain_points(codes, entropy, parents=2)
    assert points.codes[:, 0].tolist() == [2.5, 5.0, 7.5]
    assert nearest_real(points.codes[1:2], codes, 1) == [(2, 0)]


def test_points_lie_between_their_parents_and_doubt_falls() -> None:
    rng = RNG(1)
    codes, scores = rng.normal(size=(40, 3)), rng.random(40)
    points = uncertain_points(codes, scores)
    assert len(points.codes) == PARENTS * (PARENTS - 1) // 2 * len(SHARES)
    assert (np.diff(points.doubt) <= 0).all()
    first, second = codes[points.parents[:, 0]], codes[points.parents[:, 1]]
    along = np.linalg.norm(points.codes - first, axis=1) + np.linalg.norm(points.codes - second, axis=1)
    np.testing.assert_allclose(along, np.linalg.norm(first - second, axis=1))
    most = set(np.argsort(-scores)[:PARENTS].tolist())
    assert set(points.parents.ravel().tolist()) == most


@given(st.integers(0, 10_000), st.integers(2, 30), st.integers(1, 20))
def test_smoothing_is_that_of_a_loop_and_stays_within_the_scores(seed: int, cases: int, points: int) -> None:
    rng = RNG(seed)
    codes, scores, places = rng.normal(size=(cases, 2)), rng.random(cases), rng.normal(size=(points, 2))
    gaps = [min(np.linalg.norm(a - b) for m, b in enumerate(codes) if m != n) for n, a in enumerate(codes)]
    width = np.median(gaps) if cases % 2 else np.sqrt(np.median(np.square(gaps)))
    found = smoothed(places, codes, scores)
    for place, value in zip(places, found, strict=True):
        logits = np.array([-((place - c) ** 2).sum() / (2 * width**2) for c in codes])
        weights = np.exp(logits - logits.max())
        np.testing.assert_allclose(value, weights @ scores / weights.sum())
    assert (found >= scores.min() - 1e-12).all()
    assert (found <= scores.max() + 1e-12).all()


@given(st.integers(0, 10_000), st.integers(1, 12), st.integers(0, 15))
def test_nearest_real_cases_differ_and_come_in_the_order_of_the_points(seed: int, cases: int, count: int) -> None:
    rng = RNG(seed)
    codes, points = rng.normal(size=(cases, 2)), rng.normal(size=(10, 2))
    pairs = nearest_real(points, codes, count)
    assert len(pairs) == min(count, 10, cases)
    assert len({case for case, _ in pairs}) == len(pairs)
    left = set(range(cases))
    for case, place in pairs:
        assert case == min(left, key=lambda n: (((codes[n] - points[place]) ** 2).sum(), n))
        left.remove(case)


@pytest.mark.parametrize("cases", [1, 2])
def test_a_pool_too_small_for_points_still_gives_its_most_unsure_case(cases: int) -> None:
    codes = np.zeros((cases, 2))
    assert asal(codes, np.linspace(0.1, 0.5, cases), cases) == ([0] if cases == 1 else [0, 1])


def test_scores_must_fit_the_codes() -> None:
    with pytest.raises(ShapeError, match="one score per case"):
        uncertain_points(np.zeros((3, 2)), np.zeros(2))
