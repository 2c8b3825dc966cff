from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import coo_array
from scipy.sparse.csgraph import dijkstra
from skimage.graph import MCP_Geometric

from medloop.core.errors import CancelledError
from medloop.interaction.solvers.geodesic import UnsettledWarning, geodesic_distances


def seeds_at(shape, *voxels):
    seeds = np.zeros(shape, dtype=bool)
    for voxel in voxels:
        seeds[voxel] = True
    return seeds


def test_a_step_across_an_edge_is_as_long_as_its_hypotenuse():
    image = np.array([0.0, 0.0, 3.0, 3.0]).reshape(1, 4, 1, 1)
    found = geodesic_distances(image, [seeds_at((4, 1, 1), (0, 0, 0))], (4, 1, 1), detour_mm=1.0)
    assert found[0, :, 0, 0].tolist() == [0, 4, 9, 13]


@settings(max_examples=20)
@given(st.tuples(*[st.integers(1, 9)] * 3), st.tuples(*[st.sampled_from([0.5, 1.0, 2.5])] * 3), st.data())
def test_in_a_flat_image_distances_are_those_of_scikit_image(shape, spacing, data):
    voxel = tuple(data.draw(st.integers(0, n - 1)) for n in shape)
    found = geodesic_distances(np.zeros((1, *shape)), [seeds_at(shape, voxel)], spacing, detour_mm=5.0)[0]
    expected, _ = MCP_Geometric(np.ones(shape), fully_connected=True, sampling=spacing).find_costs([voxel])
    assert np.allclose(found, expected, rtol=1e-5)


def test_a_wall_is_walked_around():
    image = np.zeros((1, 9, 9, 1))
    image[0, 4, :8] = 1.0
    found = geodesic_distances(image, [seeds_at((9, 9, 1), (0, 0, 0))], (1, 1, 1), detour_mm=100.0)[0, :, :, 0]
    assert found[8, 0] > found[8, 8] > 8


def test_distances_do_not_depend_on_the_order_of_axes_or_on_flips():
    image = np.random.default_rng(0).normal(size=(2, 7, 6, 5))
    seeds = seeds_at((7, 6, 5), (1, 1, 1), (5, 4, 2))
    straight = geodesic_distances(image, [seeds], (1, 2, 3), detour_mm=1.0, rounds=9)[0]
    turned = geodesic_distances(image.transpose(0, 3, 1, 2)[:, ::-1], [seeds.transpose(2, 0, 1)[::-1]], (3, 1, 2), detour_mm=1.0, rounds=9)[
        0
    ]
    assert np.allclose(turned[::-1].transpose(1, 2, 0), straight, rtol=1e-5)


def test_without_seeds_everything_is_infinitely_far_and_a_cancelled_walk_ends():
    image = np.zeros((1, 3, 3, 1))
    assert np.isinf(geodesic_distances(image, [seeds_at((3, 3, 1))], (1, 1, 1), detour_mm=1.0)).all()
    with pytest.raises(CancelledError):
        geodesic_distances(image, [seeds_at((3, 3, 1))], (1, 1, 1), detour_mm=1.0, wanted=lambda: False)


def shortest(image, seeds, spacing, detour_mm):
    """The same distances by Dijkstra's algorithm of SciPy, an independent reference."""
    shape, number = image.shape[1:], np.arange(seeds.size).reshape(seeds.shape)
    tails, heads, lengths = [], [], []
    for step in (s for s in product((-1, 0, 1), repeat=3) if s > (0, 0, 0)):
        here = tuple(slice(max(0, -o), min(n, n - o)) for o, n in zip(step, shape, strict=True))
        there = tuple(slice(max(0, o), min(n, n + o)) for o, n in zip(step, shape, strict=True))
        squared = np.square(image[:, *there] - image[:, *here]).sum(axis=0) * detour_mm**2
        squared += sum((o * mm) ** 2 for o, mm in zip(step, spacing, strict=True))
        tails, heads, lengths = [*tails, number[here].ravel()], [*heads, number[there].ravel()], [*lengths, np.sqrt(squared).ravel()]
    graph = coo_array((np.concatenate(lengths), (np.concatenate(tails), np.concatenate(heads))), shape=(seeds.size, seeds.size)).tocsr()
    return dijkstra(graph, directed=False, indices=np.flatnonzero(seeds), min_only=True).reshape(shape)


@pytest.mark.parametrize(("shape", "spacing"), [((24, 24, 1), (1, 1, 1)), ((12, 10, 8), (1, 1, 3)), ((1, 15, 11), (2, 0.5, 1))])
def test_in_a_noisy_image_distances_are_the_shortest_there_are(shape, spacing):
    for seed in range(5):
        image = np.random.default_rng(seed).normal(size=(1, *shape)).astype(np.float32)
        seeds = seeds_at(shape, (0, 1, 0))
        found = geodesic_distances(image, [seeds], spacing, detour_mm=20.0)[0]
        assert np.allclose(found, shortest(image, seeds, spacing, 20.0), rtol=1e-4)


def test_distances_that_a_limit_left_too_long_are_told():
    image = np.random.default_rng(0).normal(size=(1, 24, 24, 1))
    with pytest.warns(UnsettledWarning, match="last of 1 rounds"):
        geodesic_distances(image, [seeds_at((24, 24, 1), (0, 0, 0))], (1, 1, 1), detour_mm=20.0, rounds=1)
