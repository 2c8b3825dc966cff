import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from medloop.core.errors import CancelledError, InputError
from medloop.core.geometry import Grid
from medloop.core.image import Image
from medloop.interaction.external.adapters import KEPT_SLICES, Frame, PromptableEngine
from medloop.interaction.external.slice_prompts import MAX_POINTS, prompts_by_slice, prompts_from_mask, slice_axis, slice_range
from medloop.interaction.guard import Guard
from medloop.interaction.guarded import refine_guarded
from medloop.interaction.prompts import Box, ExtremePoints, Lasso, Point, Prompt, Scribble

from ..flat_network import AsBright, save

SHAPE = (32, 24, 12)
ON, OTHER = (slice(8, 16), slice(4, 14), slice(3, 8)), (slice(20, 28), slice(12, 22), slice(2, 10))


def volume() -> Image:
    array = np.zeros((1, *SHAPE), dtype=np.int16)
    array[(0, *ON)] = 1000
    array[(0, *OTHER)] = 500
    return Image(array, Grid.of_spacing(SHAPE, (1.0, 1.0, 3.0)))


def region(*slices: tuple[slice, ...]) -> np.ndarray:
    mask = np.zeros(SHAPE, dtype=bool)
    for one in slices:
        mask[one] = True
    return mask


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> PromptableEngine:
    return PromptableEngine.load(save(AsBright(), tmp_path_factory.mktemp("weights") / "net.pt"))


CLICK = Point((12, 9, 5))


@pytest.mark.parametrize(
    "prompt",
    [
        CLICK,
        Scribble(tuple((i, 9, 5) for i in range(9, 15))),
        Lasso(2, 5, ((7.5, 3.5), (15.5, 3.5), (15.5, 13.5), (7.5, 13.5))),
        Box((7, 3, 2), (17, 15, 9)),
        ExtremePoints(((8, 9, 5), (15, 9, 5), (12, 4, 5), (12, 13, 5))),
    ],
)
def test_one_gesture_on_one_slice_finds_the_structure_on_all(engine: PromptableEngine, prompt: Prompt):
    answer = engine.refine(engine.embed(volume()), [prompt], labels=[1])
    assert np.array_equal(answer.mask != 0, region(ON))
    assert (answer.start, answer.stop) == ((8, 4, 3), (16, 14, 8))
    assert np.allclose(answer.probabilities.sum(axis=0), 1, atol=1e-6)
    assert np.array_equal(answer.probabilities.argmax(axis=0), answer.mask)


def test_labels_stay_apart(engine: PromptableEngine):
    answer = engine.refine(engine.embed(volume()), [CLICK, Point((24, 16, 6), label=2)], labels=[1, 2])
    assert np.array_equal(answer.mask, region(ON) + 2 * region(OTHER).astype(np.uint8))


def test_a_negative_click_clears_around_it_on_its_slice_only(engine: PromptableEngine):
    embedding = engine.embed(volume())
    first = engine.refine(embedding, [CLICK], labels=[1])
    answer = engine.refine(embedding, [Point((12, 9, 5), positive=False)], labels=[1], previous=first.mask)
    gone = region(ON) & (answer.mask == 0)
    assert gone[12, 9, 5]
    assert np.flatnonzero(gone.any(axis=(0, 1))).tolist() == [5]


def test_a_3d_box_bounds_how_far_the_answer_goes(engine: PromptableEngine):
    answer = engine.refine(engine.embed(volume()), [CLICK, Box((7, 3, 4), (17, 15, 7))], labels=[1])
    assert np.array_equal(answer.mask != 0, region((*ON[:2], slice(4, 7))))


def test_locked_labels_stay_and_are_not_prompted(engine: PromptableEngine):
    embedding = engine.embed(volume())
    previous = np.zeros(SHAPE, dtype=np.uint8)
    previous[8:10, :, 5] = 2
    answer = engine.refine(embedding, [CLICK], labels=[1, 2], previous=previous, locked=[2])
    assert np.array_equal(answer.mask == 2, previous == 2)
    assert answer.mask[12, 9, 5] == 1
    with pytest.raises(InputError, match="lies on the locked label 2 only"):
        refine_guarded(engine, embedding, previous, [], [Point((8, 9, 5))], Guard([1, 2], [2]))


def test_a_picture_is_one_slice(engine: PromptableEngine):
    array = np.zeros((3, 32, 16, 1), dtype=np.uint8)
    array[:, 5:15, 4:12] = 255
    answer = engine.refine(engine.embed(Image(array, Grid.flat(32, 16))), [Point((10, 8, 0))], labels=[1])
    assert np.array_equal(answer.mask != 0, array[0] != 0)


def test_every_hint_is_obeyed_even_against_the_network(engine: PromptableEngine):
    answer = engine.refine(engine.embed(volume()), [CLICK, Point((0, 0, 0)), Point((13, 9, 6), positive=False)], labels=[1])
    assert answer.mask[0, 0, 0] == 1
    assert answer.mask[13, 9, 6] == 0


def test_an_answer_that_nobody_wants_is_given_up(engine: PromptableEngine):
    with pytest.raises(CancelledError):
        engine.refine(engine.embed(volume()), [CLICK], labels=[1], wanted=lambda: False)


def test_only_the_last_slices_stay_encoded(engine: PromptableEngine):
    array = np.ones((1, 4, 4, KEPT_SLICES + 9), dtype=np.float32)
    embedding = engine.embed(Image(array, Grid.of_spacing(array.shape[1:], (1, 1, 1))))
    engine.refine(embedding, [Point((1, 1, 0))], labels=[1])
    assert len(embedding.content.encoded) == KEPT_SLICES


@given(st.integers(1, 40), st.integers(1, 40), st.floats(0.3, 3.0), st.integers(8, 64))
def test_places_in_a_slice_land_on_their_pixel_in_the_square(rows: int, columns: int, ratio: float, size: int):
    frame = Frame.of((rows, columns), (1.0, ratio), size)
    assert max(frame.inner) == size
    corners = frame.pixels(np.array([[-0.5, -0.5], [rows - 0.5, columns - 0.5]])).numpy()
    assert np.allclose(corners, [[-0.5, -0.5], [frame.inner[1] - 0.5, frame.inner[0] - 0.5]], atol=1e-4)


def test_a_slice_comes_back_out_of_the_square_as_it_went_in():
    frame = Frame.of((16, 8), (1.0, 1.0), 64)
    picture = torch.zeros(1, 16, 8)
    picture[0, 4:10, 2:5] = 1
    assert np.array_equal(frame.out_of(frame.into(picture)[0]) > 0.5, picture[0].numpy() > 0.5)


def test_slices_lie_across_the_widest_spacing():
    assert slice_axis(Grid.of_spacing((9, 9, 9), (1, 5, 1))) == 1
    assert slice_axis(Grid.of_spacing((9, 9, 9), (1, 1, 1))) == 2
    assert slice_axis(Grid.flat(9, 9)) == 2


def test_prompts_are_sorted_to_their_slices():
    prompts = [CLICK, Point((1, 2, 3), label=2), Box((0, 1, 2), (4, 6, 9)), Box((0, 1, 8), (4, 2, 9))]
    said = prompts_by_slice(prompts, SHAPE, label=1, axis=2)
    assert sorted(said) == [3, 5, 8]
    assert said[3].off.tolist() == [[1, 2]]
    assert not said[3].starts
    assert said[5].on.tolist() == [[12, 9]]
    assert said[5].box is not None
    assert said[5].box.tolist() == [[0, 1], [3, 5]]
    assert said[8].on.tolist() == [[1.5, 1.0]]
    assert slice_range(prompts, 12, label=1, axis=2) == range(2, 9)
    assert slice_range(prompts[:2], 12, label=1, axis=2) == range(12)


def test_a_long_stroke_is_told_by_some_of_its_pixels():
    stroke = Scribble(tuple((i, j, 0) for i in range(20) for j in range(20)))
    on = prompts_by_slice([stroke], SHAPE, label=1, axis=2)[0].on
    assert len(on) == MAX_POINTS
    assert on[0].tolist() == [0, 0]
    assert on[-1].tolist() == [19, 19]


def test_a_mask_tells_the_next_slice_its_box_and_its_middle():
    mask = np.zeros((9, 9), dtype=bool)
    mask[2:7, 1:6] = True
    told = prompts_from_mask(mask)
    assert told.on.tolist() == [[4, 3]]
    assert told.box is not None
    assert told.box.tolist() == [[2, 1], [6, 5]]
