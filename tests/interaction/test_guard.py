import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from medloop.core.errors import InputError
from medloop.core.geometry import Grid
from medloop.core.image import Image
from medloop.interaction.engine import changed_box
from medloop.interaction.guard import Guard, held, patches_touching, reach_in
from medloop.interaction.guarded import refine_guarded
from medloop.interaction.prompts import Box, ExtremePoints, Point, Scribble, exact_voxels
from medloop.interaction.regions import prompt_box, within_reach
from medloop.interaction.runs import apply_runs, painted_voxels

from .engines import WildEngine, answered, distance_mm
from .made_up import LABELS, images, prompts

LINE = Grid.of_spacing((12, 1, 1), (2, 1, 1))


def limited(before, after, prompt, *, reach_mm=4.0, locked=(), painted=None, prompts=None):
    """What a prompt leaves of an answer on a line of voxels, 2 mm each."""
    old, new = (np.array(m, dtype=np.uint8).reshape(12, 1, 1) for m in (before, after))
    brush = None if painted is None else np.isin(np.arange(12), painted).reshape(12, 1, 1)
    found = held(old, answered(new, old, (1, 2)), prompts or [prompt], new=[prompt], grid=LINE, guard=Guard((), locked, brush, reach_mm))
    assert (found.start, found.stop) == changed_box(old, found.mask)
    return found.mask[:, 0, 0].tolist()


def at(i, *, label=1, positive=True):
    return Point((i, 0, 0), label, positive)


def test_a_patch_that_does_not_touch_the_prompt_is_taken_back():
    assert limited([0] * 12, [0, 1, 1, 1, 0, 0, 0, 0, 1, 1, 0, 0], at(2)) == [0, 1, 1, 1] + [0] * 8


def test_the_reach_of_a_correction_is_one_and_a_half_depths_and_a_voxel():
    before = [1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
    assert limited(before, [1] * 12, at(2), reach_mm=100.0) == [1] * 5 + [0] * 7
    assert limited(before, [1] * 12, at(3), reach_mm=100.0) == [1] * 8 + [0] * 4
    assert limited(before, [1] * 12, at(3), reach_mm=4.0) == [1] * 6 + [0] * 6


def test_across_a_gap_no_wider_than_two_and_a_half_depths_a_correction_reaches_further():
    before = np.ones((9, 9, 3), dtype=np.uint8)
    before[:, :, 1] = 0
    grid, click = Grid.of_spacing((9, 9, 3), (1.0, 1.0, 1.0)), Point((4, 4, 1))
    found = held(before, answered(np.ones_like(before), before, (1,)), [click], grid=grid, guard=Guard(reach_mm=100.0)).mask
    assert (found == 1).all()


def test_a_structure_of_its_own_may_be_found_whole_over_background_but_never_takes_others():
    before = [1, 0, 0, 0, 0, 0, 0, 0, 0, 2, 2, 2]
    assert limited(before, [1, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1], at(3), reach_mm=100.0) == [1, 0, 0, 1, 1, 1, 1, 1, 1, 2, 2, 2]


def test_a_smaller_part_may_go_as_a_whole_and_the_larger_one_may_not():
    before = [1, 1, 1, 1, 1, 1, 1, 0, 1, 1, 1, 1]
    assert limited(before, [0] * 12, at(8, positive=False), reach_mm=100.0) == [1] * 7 + [0] * 5
    assert limited(before, [0] * 12, at(6, positive=False), reach_mm=100.0) == [1, 1, 1, 1, 0, 0, 0, 0, 1, 1, 1, 1]


def test_a_positive_prompt_only_gives_and_a_negative_one_only_takes_its_label():
    before = [0, 1, 1, 0, 0, 0, 2, 2, 0, 0, 0, 0]
    assert limited(before, [0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0], at(3)) == [0, 1, 1, 1, 1, 0, 2, 2, 0, 0, 0, 0]
    assert limited(before, [1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0], at(2, positive=False)) == [0, 0, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0]


def test_a_prompt_takes_from_the_label_it_lies_on_and_from_background():
    before = [0, 0, 2, 2, 2, 0, 0, 0, 0, 1, 1, 1]
    after = [0, 1, 1, 1, 1, 1, 0, 0, 0, 1, 1, 1]
    assert limited(before, after, at(3), reach_mm=100.0) == after
    assert limited(before, after, at(5), reach_mm=100.0) == [0, 0, 2, 2, 2, 1, 0, 0, 0, 1, 1, 1]


def test_a_prompt_that_is_obeyed_already_changes_nothing():
    before = [0, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0]
    for prompt in (at(2), at(3), at(4, positive=False)):
        assert limited(before, [1] * 12, prompt) == before
        assert limited(before, [0] * 12, prompt) == before


def test_a_label_without_voxels_grows_as_far_as_it_likes_over_background_but_not_over_others():
    before = [0, 0, 0, 0, 0, 0, 0, 0, 2, 2, 2, 2]
    assert limited(before, [1] * 12, at(0)) == [1] * 8 + [2] * 4


def test_painted_voxels_stay_until_hinted_at():
    assert limited([0] * 12, [1] * 12, at(0), reach_mm=100.0, painted=[4, 5]) == [1] * 4 + [0] * 8
    before = [1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0]
    assert limited(before, [1] * 12, at(5), reach_mm=100.0, painted=[4, 5]) == [1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1, 1]


def test_what_an_earlier_click_said_stays():
    before = [1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
    said = [at(3, positive=False), at(2)]
    assert limited(before, [1] * 12, said[1], prompts=said) == [1, 1, 1] + [0] * 9


def test_the_default_reach_follows_the_longest_side():
    assert reach_in(Grid.of_spacing((10, 30, 4), (1, 2, 5))) == 15.0


@settings(max_examples=60)
@given(st.data(), images(low=3), st.floats(0, 5))
def test_whatever_an_engine_does_a_prompt_changes_its_own_label_near_itself(data, image, reach_mm):
    shape = image.grid.shape
    base = np.random.default_rng(1).choice(np.array([0, 1, 2, 3], dtype=np.uint8), size=shape)
    stroke = [(0, base.size // 3, 2)]
    before = apply_runs(base, tuple(stroke))
    prompt, engine = data.draw(prompts(shape)), WildEngine()
    painted = painted_voxels([stroke], shape)
    try:
        after = refine_guarded(engine, engine.embed(image), before, [], [prompt], Guard(LABELS, (), painted, reach_mm)).mask
    except InputError:
        return
    changed = after != before
    said = np.zeros(shape, dtype=bool)
    said[tuple(exact_voxels(prompt, shape).T)] = True
    assert not (changed & ~said).reshape(-1, order="F")[: base.size // 3].any(), "painted"
    gained, lost = after[changed] == prompt.label, before[changed] == prompt.label
    assert (gained | lost).all()
    if not isinstance(prompt, Box | ExtremePoints):
        assert gained.all() if prompt.positive else lost.all()
        places = np.argwhere(changed & ~said)
        far = distance_mm(places, prompt_box(prompt, shape), spacing_mm=image.grid.spacing_mm) > 2 * reach_mm + 1e-9
        assert not far.any() or not (before == prompt.label).any()


def test_earlier_work_outlives_a_wild_engine():
    image = Image(np.zeros((1, 40, 4, 4)), Grid.of_spacing((40, 4, 4), (1, 1, 1)))
    base = np.zeros((40, 4, 4), dtype=np.uint8)
    base[30:36], base[2:5] = 1, 2
    engine = WildEngine()
    mask = refine_guarded(engine, engine.embed(image), base, [], [Point((6, 1, 1), label=2)], Guard((1, 2))).mask
    assert np.array_equal(mask[15:], base[15:])
    assert mask[6, 1, 1] == 2


def test_a_negative_hint_clears_even_where_the_engine_wanted_a_locked_label():
    assert limited([0, 1] + [0] * 10, [0, 2] + [0] * 10, at(1, positive=False), locked=(2,)) == [0] * 12


def test_locked_labels_neither_give_nor_take():
    before = [0, 0, 2, 2, 0, 0, 0, 0, 0, 0, 0, 0]
    assert limited(before, [1] * 12, at(1), reach_mm=100.0, locked=(2,)) == [1, 1, 2, 2] + [0] * 8
    stroke = Scribble(((1, 0, 0), (2, 0, 0), (4, 0, 0)))
    assert limited(before, before, stroke, locked=(2,)) == [0, 1, 2, 2, 1] + [0] * 7


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


def test_a_patch_of_changes_goes_on_over_corners_of_voxels() -> None:
    changed = np.zeros((4, 4, 4), dtype=bool)
    changed[0, 0, 0] = changed[1, 1, 1] = changed[3, 3, 3] = True
    kept = patches_touching(changed, (np.array([0]), np.array([0]), np.array([0])))
    assert np.argwhere(kept).tolist() == [[0, 0, 0], [1, 1, 1]]


def test_a_click_for_a_locked_label_does_not_hide_its_voxel_from_the_next_click():
    before = np.zeros((12, 1, 1), dtype=np.uint8)
    before[4] = 1
    clicks = [at(4, label=3), at(4, positive=False)]
    found = held(before, answered(before, before, (1, 2)), clicks, new=clicks, grid=LINE, guard=Guard((), (3,)))
    assert found.mask[4, 0, 0] == 0
