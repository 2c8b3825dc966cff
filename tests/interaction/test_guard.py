import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from medloop.core.errors import InputError
from medloop.core.geometry import Grid
from medloop.core.image import Image
from medloop.interaction.guard import Guard, guard_for, heed, limit_changes
from medloop.interaction.prompts import Point
from medloop.interaction.regions import distance_mm, prompt_box, within_reach
from medloop.interaction.sessions.session import Session

from .engines import WildEngine
from .made_up import LABELS, images, prompts

LINE = Grid.of_spacing((12, 1, 1), (2, 1, 1))


def limited(before, after, *, at, reach_mm=4.0, far_share=0.0, fresh=None):
    """The line of voxels, 2 mm each, that a click at `at` may leave."""
    old, new = (np.array(m, dtype=np.uint8).reshape(12, 1, 1) for m in (before, after))
    box = ((at, 0, 0), (at + 1, 1, 1))
    whole = ((0, 0, 0), (12, 1, 1))
    guard = Guard(reach_mm, far_share)
    return limit_changes(old, new, within=whole, prompt=box, guard=guard, grid=LINE, fresh=fresh)[:, 0, 0].tolist()


def test_a_patch_that_does_not_reach_the_prompt_is_taken_back():
    assert limited([0] * 12, [0, 1, 1, 1, 0, 0, 0, 0, 1, 1, 0, 0], at=2) == [0, 1, 1, 1] + [0] * 8


def test_a_patch_that_starts_near_and_goes_far_is_cut_at_the_reach():
    assert limited([0] * 12, [1] * 12, at=0) == [1, 1, 1] + [0] * 9


def test_far_away_a_share_of_the_foreground_may_change():
    before = [0, 0, 0, 0, 0, 0, 0, 0, 2, 2, 2, 2]
    after = [1, 1, 1, 1, 0, 0, 0, 0, 2, 2, 2, 2]
    assert limited(before, after, at=0, far_share=0.25) == after
    assert limited(before, after, at=0, far_share=0.2) == [1, 1, 1, 0, 0, 0, 0, 0, 2, 2, 2, 2]


def test_a_label_without_voxels_may_grow_over_background_but_not_over_others():
    before = [0, 0, 0, 0, 0, 0, 0, 0, 2, 2, 2, 2]
    assert limited(before, [1] * 12, at=0, fresh=1) == [1] * 8 + [2] * 4


def test_an_infinite_reach_lifts_the_rule():
    assert limited([0] * 12, [1, 0] * 6, at=0, reach_mm=np.inf) == [1, 0] * 6


def test_the_reach_follows_the_longest_side():
    assert guard_for(Grid.of_spacing((10, 30, 4), (1, 2, 5))).reach_mm == 15.0


@settings(max_examples=60)
@given(st.data(), images(low=3), st.floats(0, 5), st.sampled_from([0.0, 0.05, 0.3]))
def test_whatever_an_engine_does_far_voxels_change_within_the_stated_bound(data, image, reach_mm, far_share):
    shape = image.grid.shape
    base = np.random.default_rng(1).choice(np.array([0, 1, 2, 3], dtype=np.uint8), size=shape)
    session = Session(image, WildEngine(), labels=LABELS, base=base, guard=Guard(reach_mm, far_share))
    prompt = data.draw(prompts(shape))
    before = session.mask.copy()
    try:
        session.add(prompt)
    except InputError:
        return
    places = np.argwhere(session.mask != before)
    far = distance_mm(places, prompt_box(prompt, shape), spacing_mm=image.grid.spacing_mm) > reach_mm
    fresh = (before[tuple(places[far].T)] == 0) & (session.mask[tuple(places[far].T)] == prompt.label)
    free = 0 if (before == prompt.label).any() else fresh.sum()
    assert far.sum() - free <= far_share * np.count_nonzero(before)


def test_the_far_work_of_a_session_outlives_a_wild_engine():
    image = Image(np.zeros((1, 40, 4, 4)), Grid.of_spacing((40, 4, 4), (1, 1, 1)))
    base = np.zeros((40, 4, 4), dtype=np.uint8)
    base[30:36], base[2:5] = 1, 2
    session = Session(image, WildEngine(), labels=(1, 2), base=base, guard=Guard(6.0, 0.0))
    session.add(Point((3, 1, 1), label=2))
    assert np.array_equal(session.mask[10:], base[10:])
    assert not np.array_equal(session.mask[:10], base[:10])


def test_a_negative_hint_clears_even_where_the_engine_wanted_a_locked_label():
    before = np.zeros((3, 3, 1), dtype=np.uint8)
    before[1, 1] = 1
    wanted = np.where(before == 1, np.uint8(2), before)
    mask = heed(before, wanted, [Point((1, 1, 0), label=1, positive=False)], locked=(2,))
    assert not mask.any()


def test_a_positive_hint_does_not_take_a_locked_voxel():
    before = np.full((2, 2, 1), 2, dtype=np.uint8)
    assert (heed(before, before.copy(), [Point((0, 0, 0), label=1)], locked=(2,)) == 2).all()


@given(st.data())
def test_reach_in_a_region_is_the_distance_of_each_of_its_voxels(data):
    sides = st.tuples(st.integers(-4, 8), st.integers(1, 6))
    region, box = (tuple(zip(*[(a, a + n) for a, n in data.draw(st.tuples(sides, sides, sides))], strict=True)) for _ in range(2))
    spacing_mm = data.draw(st.tuples(*[st.sampled_from([0.5, 1.0, 3.7])] * 3))
    reach_mm = data.draw(st.sampled_from([0.0, 0.6, 2.1, 9.9, math.inf]))
    voxels = np.argwhere(np.ones(np.subtract(region[1], region[0]), dtype=bool))
    expected = distance_mm(voxels + region[0], box, spacing_mm=spacing_mm) <= reach_mm
    near = within_reach(region, box, reach_mm=reach_mm, spacing_mm=spacing_mm)
    assert near.shape == tuple(np.subtract(region[1], region[0]))
    assert (near[tuple(voxels.T)] == expected).all()
