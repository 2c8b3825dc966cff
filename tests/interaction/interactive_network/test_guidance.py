import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from medloop.interaction.interactive_network.guidance import FEW, RADIUS, Window, distances_to, guidance_channels, nearness, prompt_places
from medloop.interaction.prompts import Box, ExtremePoints, Lasso, Point, Scribble

from .layout import GuidanceChannels

SHAPE = (12, 10, 6)
WHOLE = Window((0, 0, 0), SHAPE, (1.0, 1.0, 1.0))
VOXELS = st.tuples(st.integers(0, 11), st.integers(0, 9), st.integers(0, 5))


def test_a_hint_falls_off_to_nothing_at_its_radius():
    line = nearness(np.array([[0, 0, 0]]), Window((0, 0, 0), (12, 1, 1), (1.0, 1.0, 1.0)), "euclidean").ravel()
    assert line.tolist() == [max(0.0, 1 - n / RADIUS) for n in range(12)]


def test_thick_slices_are_far_away():
    window = Window((0, 0, 0), (5, 1, 3), (1.0, 1.0, 4.0))
    near = nearness(np.array([[0, 0, 0]]), window, "euclidean")
    assert near[4, 0, 0] == near[0, 0, 1] == 0.5
    assert near[0, 0, 2] == 0


def test_a_disc_has_two_voxels_radius():
    disc = nearness(np.array([[6, 5, 3]]), WHOLE, "discs")
    assert set(np.unique(disc)) == {0.0, 1.0}
    assert disc.sum() == 33  # lattice points within distance 2 in 3D


def test_geodesic_hints_stop_at_an_edge_that_euclidean_ones_cross():
    image = np.zeros((9, 9, 1), dtype=np.float32)
    image[5:] = 5.0
    window = Window((0, 0, 0), (9, 9, 1), (1.0, 1.0, 1.0), image)
    seed = np.array([[3, 4, 0]])
    geodesic, euclidean = (nearness(seed, window, hints) for hints in ("geodesic", "euclidean"))
    assert geodesic[7, 4, 0] == 0 < euclidean[7, 4, 0]
    assert geodesic[1, 4, 0] == euclidean[1, 4, 0]


@settings(max_examples=20, deadline=None)
@given(st.lists(VOXELS, min_size=1, max_size=5), st.tuples(*[st.sampled_from([0.5, 1.0, 3.0])] * 3))
def test_nearness_is_scipys_distance_transform(voxels, spacing):
    away = np.ones(SHAPE)
    away[tuple(np.array(voxels).T)] = 0
    expected = np.maximum(0, 1 - ndimage.distance_transform_edt(away, sampling=np.array(spacing) / min(spacing)) / RADIUS)
    assert np.allclose(nearness(np.array(voxels), Window((0, 0, 0), SHAPE, spacing), "euclidean"), expected, atol=1e-6)


def test_many_places_are_measured_as_few_are():
    rng = np.random.default_rng(0)
    places = np.unique(rng.integers(0, SHAPE, size=(FEW + 40, 3)), axis=0)
    assert len(places) > FEW
    few = np.minimum.reduce([distances_to(part, WHOLE) for part in np.array_split(places, 4)])
    assert np.allclose(np.minimum(distances_to(places, WHOLE), RADIUS), np.minimum(few, RADIUS))


@settings(max_examples=20, deadline=None)
@given(VOXELS, st.tuples(*[st.integers(-3, 4)] * 3))
def test_a_window_shows_what_the_whole_image_shows_there(voxel, start):
    prompts = [Point(voxel), Box((2, 3, 1), (7, 8, 4))]
    window = Window(start, tuple(s + 8 for s in start), (1.0, 1.0, 1.0))
    part = guidance_channels(prompts, None, window, labels=(1,))
    low, high = np.maximum(start, 0), np.minimum(np.array(start) + 8, SHAPE)
    inside = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    own = tuple(slice(a - s, b - s) for a, b, s in zip(low, high, start, strict=True))
    whole = guidance_channels([p for p in prompts if isinstance(p, Box) or _within(voxel, start)], None, WHOLE, labels=(1,))
    assert np.allclose(part[(slice(None), *own)], whole[(slice(None), *inside)])


def _within(voxel, start):
    return all(s <= v < s + 8 for v, s in zip(voxel, start, strict=True))


def test_channels_lie_where_the_layout_says():
    previous = np.zeros(SHAPE, dtype=np.uint8)
    previous[1, 1, 1] = 5
    prompts = [Point((2, 2, 2), label=5, positive=False), Point((8, 8, 4), label=3), Box((0, 0, 0), (2, 2, 2), label=3)]
    channels = guidance_channels(prompts, previous, WHOLE, labels=(3, 5))
    layout = GuidanceChannels.of(3)
    assert len(channels) == 7
    assert channels[layout.previous].sum(axis=(1, 2, 3)).tolist() == [0, 1]
    background, three, five = channels[layout.hints]
    assert background[2, 2, 2] == three[8, 8, 4] == 1
    assert not five.any()
    assert channels[layout.boxes].sum(axis=(1, 2, 3)).tolist() == [8, 0]


def test_no_prompts_and_no_mask_are_zeros():
    assert not guidance_channels([], None, WHOLE, labels=(1,)).any()


def test_of_two_hints_at_one_voxel_the_later_counts():
    places = prompt_places([Point((1, 1, 1)), Point((1, 1, 1), positive=False)], WHOLE, labels=(1,))
    assert places[0].tolist() == [[1, 1, 1]]
    assert not len(places[1])


@pytest.mark.parametrize(
    ("prompt", "hinted"),
    [
        (Scribble(((1, 1, 1), (1, 2, 1))), 2),
        (Lasso(2, 1, ((0.5, 0.5), (3.5, 0.5), (3.5, 2.5), (0.5, 2.5))), 6),
        (ExtremePoints(((1, 1, 1), (4, 4, 4))), 2),
    ],
)
def test_every_gesture_hints_at_its_voxels(prompt, hinted):
    assert len(prompt_places([prompt], WHOLE, labels=(1,))[1]) == hinted


def test_extreme_points_also_span_a_box():
    channels = guidance_channels([ExtremePoints(((1, 1, 1), (3, 2, 4)))], None, WHOLE, labels=(1,))
    assert channels[GuidanceChannels.of(2).boxes].sum() == 3 * 2 * 4
