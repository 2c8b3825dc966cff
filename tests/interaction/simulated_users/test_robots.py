import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medloop.core.errors import NotFoundError, SettingError
from medloop.interaction.prompts import Box, Point, Scribble, check_prompts, exact_voxels, keep_prompts
from medloop.interaction.simulated_users.robots import (
    ROBOTS,
    CentreClicker,
    LazyClicker,
    NoisyClicker,
    RandomClicker,
    Scene,
    test_robot,
    training_robot,
)

SHAPE = (9, 9, 5)
TESTERS = ("centre", "random", "noisy", "lazy", "scribbler", "boxer")


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def block(start, stop, value=1, shape=SHAPE):
    mask = np.zeros(shape, dtype=np.uint8)
    mask[tuple(slice(a, b) for a, b in zip(start, stop, strict=True))] = value
    return mask


def masks(values=(0, 1, 2)):
    return st.integers(0, 2**32).map(lambda seed: rng(seed).choice(np.array(values, dtype=np.uint8), size=SHAPE, p=[0.6, 0.2, 0.2]))


def test_the_centre_clicker_hits_the_middle_of_the_largest_error():
    truth = block((1, 1, 0), (6, 6, 5)) | block((8, 8, 0), (9, 9, 1))
    assert CentreClicker().act(Scene(truth, np.zeros_like(truth)), rng()) == Point((3, 3, 2))


def test_an_error_that_is_too_much_gets_a_negative_click_for_the_label_it_has():
    truth, mask = np.zeros(SHAPE, dtype=np.uint8), block((2, 2, 1), (5, 5, 4), value=2)
    assert CentreClicker().act(Scene(truth, mask), rng()) == Point((3, 3, 2), 2, positive=False)


def test_errors_that_touch_at_a_corner_are_one():
    diagonal = block((0, 0, 0), (3, 3, 3)) | block((3, 3, 3), (6, 6, 5))  # 27 + 18 voxels
    alone = block((7, 0, 0), (9, 6, 3))  # 36 voxels
    point = CentreClicker().act(Scene(diagonal | alone, np.zeros(SHAPE, dtype=np.uint8)), rng())
    assert diagonal[point.voxel]


@pytest.mark.parametrize("name", ROBOTS)
def test_nobody_acts_on_a_perfect_answer(name):
    truth = block((1, 1, 1), (4, 4, 4))
    assert ROBOTS[name].act(Scene(truth, truth.copy()), rng()) is None


@pytest.mark.parametrize("name", ROBOTS)
def test_unanswered_voxels_are_nobodys_error(name):
    truth, mask = np.full(SHAPE, 255, dtype=np.uint8), block((1, 1, 1), (4, 4, 4))
    assert ROBOTS[name].act(Scene(truth, mask), rng()) is None


@pytest.mark.parametrize("name", ROBOTS)
@settings(max_examples=20, deadline=None)
@given(truth=masks(), mask=masks(), seed=st.integers(0, 99))
def test_a_seed_replays_the_gesture_and_every_gesture_is_a_valid_prompt(name, truth, mask, seed):
    scene = Scene(truth, mask)
    first = ROBOTS[name].act(scene, rng(seed))
    assert first == ROBOTS[name].act(scene, rng(seed))
    if first is not None:
        check_prompts([first], SHAPE, labels=(1, 2))


@pytest.mark.parametrize("name", ["centre", "random", "scribbler"])
@settings(max_examples=20, deadline=None)
@given(truth=masks(), mask=masks(), seed=st.integers(0, 99))
def test_obeying_an_honest_robot_never_adds_an_error(name, truth, mask, seed):
    prompt = ROBOTS[name].act(Scene(truth, mask), rng(seed))
    if prompt is not None:
        before, after = mask != truth, keep_prompts(mask, [prompt]) != truth
        assert not (after & ~before).any()
        assert before[tuple(exact_voxels(prompt, SHAPE).T)].all()


def test_random_clicks_go_by_squared_depth():
    truth = block((0, 0, 0), (3, 3, 3), shape=(3, 3, 3))  # padded, the middle voxel lies 2 deep, all others 1
    clicks = [RandomClicker().act(Scene(truth, np.zeros_like(truth)), rng(seed)) for seed in range(1500)]
    middle = np.mean([click.voxel == (1, 1, 1) for click in clicks])
    assert abs(middle - 4 / 30) < 0.035  # four standard deviations


def test_one_noisy_click_in_twenty_has_the_wrong_sign():
    truth = block((2, 2, 1), (7, 7, 4))
    clicks = [NoisyClicker().act(Scene(truth, np.zeros_like(truth)), rng(seed)) for seed in range(1000)]
    assert abs(np.mean([not click.positive for click in clicks]) - 0.05) < 0.03
    assert 1 < len({click.voxel for click in clicks}) < np.prod(SHAPE)


def test_a_noisy_click_avoids_voxels_already_spoken_of():
    truth = block((2, 2, 1), (7, 7, 4))
    given_points = tuple(Point((i, j, k)) for i in range(9) for j in range(9) for k in range(5))
    assert NoisyClicker().act(Scene(truth, np.zeros_like(truth), given_points), rng()) is None


def test_the_lazy_user_leaves_small_errors_alone():
    truth = block((0, 0, 0), (8, 8, 5))
    mask = truth.copy()
    mask[0, 0, 0] = 0
    assert LazyClicker(idle=0.0).act(Scene(truth, mask), rng()) is None
    assert LazyClicker(idle=0.0).act(Scene(truth, np.zeros_like(truth)), rng()) is not None
    assert LazyClicker(idle=1.0).act(Scene(truth, np.zeros_like(truth)), rng()) is None


def test_the_scribbler_draws_one_slice_long():
    truth = block((1, 3, 1), (9, 6, 4))
    stroke = ROBOTS["scribbler"].act(Scene(truth, np.zeros_like(truth)), rng())
    assert isinstance(stroke, Scribble)
    assert len(stroke.voxels) >= 4
    assert len({voxel[2] for voxel in stroke.voxels}) == 1


def test_the_boxer_boxes_a_missing_label_first_and_then_clicks():
    truth = block((2, 2, 1), (6, 6, 4), value=2)
    empty = np.zeros_like(truth)
    box = ROBOTS["boxer"].act(Scene(truth, empty), rng())
    assert isinstance(box, Box)
    assert box.label == 2
    assert isinstance(ROBOTS["boxer"].act(Scene(truth, empty, (box,)), rng()), Point)


def test_pictures_of_one_slice_are_clicked_in_the_middle():
    truth = np.zeros((9, 9, 1), dtype=np.uint8)
    truth[1:6, 1:6] = 1
    assert CentreClicker().act(Scene(truth, np.zeros_like(truth)), rng()) == Point((3, 3, 0))


@pytest.mark.parametrize("name", TESTERS)
def test_users_that_test_may_not_teach(name):
    assert test_robot(name).name == name
    with pytest.raises(SettingError, match="cannot be a training annotator"):
        training_robot(name)


def test_users_that_teach_may_not_test():
    assert training_robot("apprentice").name == "apprentice"
    with pytest.raises(SettingError, match="take one of centre"):
        test_robot("apprentice")


def test_an_unknown_robot_is_named_with_those_there_are():
    with pytest.raises(NotFoundError, match="centre, random"):
        test_robot("nobody")
