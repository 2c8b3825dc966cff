import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from medloop.interaction.interactive_network.windows import (
    Span,
    meant_for,
    on_image,
    prompts_within,
    rescaled,
    sampled,
    span_around,
    touches_border,
)
from medloop.interaction.prompts import Box, ExtremePoints, Lasso, Point, Scribble, unanswered

PATCH, STRIDE = (16, 16, 8), (4, 4, 2)


@settings(max_examples=40, deadline=None)
@given(st.tuples(*[st.integers(1, 90)] * 3), st.data())
def test_a_window_holds_its_prompts_and_suits_the_network(shape, data):
    voxels = [data.draw(st.tuples(*[st.integers(0, n - 1) for n in shape])) for _ in range(2)]
    span = span_around([Point(v) for v in voxels], shape, patch=PATCH, stride=STRIDE)
    for axis in range(3):
        assert all(span.start[axis] <= v[axis] < span.stop[axis] for v in voxels)
        assert span.shape[axis] % STRIDE[axis] == 0 or shape[axis] == span.shape[axis] == 1
        assert span.shape[axis] >= min(PATCH[axis], shape[axis])


def test_a_window_stays_small_in_a_large_image():
    span = span_around([Point((100, 100, 100))], (256, 256, 256), patch=PATCH, stride=STRIDE)
    assert span.shape == (20, 20, 18)  # a hint's reach to both sides, rounded up to the stride
    assert span_around([Point((100, 100, 100))], (256, 256, 256), patch=PATCH, stride=STRIDE, zoom=1.5).shape == (28, 28, 26)


def test_short_axes_are_seen_whole():
    span = span_around([Point((1, 1, 1))], (20, 200, 12), patch=PATCH, stride=STRIDE)
    assert (span.start[0], span.shape[0]) == (0, 20)
    assert (span.start[2], span.shape[2]) == (0, 12)
    assert span.shape[1] < 200


def test_only_the_last_and_the_disobeyed_prompts_are_new():
    mask = np.zeros((5, 5, 5), dtype=np.uint8)
    mask[1, 1, 1] = 1
    obeyed, ignored, last = Point((1, 1, 1)), Point((2, 2, 2)), Point((3, 3, 3), positive=False)
    assert unanswered([obeyed, ignored, last], mask) == [ignored, last]


def test_only_borders_within_the_image_count():
    changed = np.zeros((4, 4, 4), dtype=bool)
    changed[0, 2, 2] = True
    assert not touches_border(changed, Span((0, 0, 0), (4, 4, 4)), (9, 9, 9))
    assert touches_border(changed, Span((1, 0, 0), (4, 4, 4)), (9, 9, 9))


def test_gestures_move_to_a_coarser_grid():
    prompts = [Point((5, 2, 0)), Box((2, 2, 0), (5, 4, 1)), Scribble(((0, 0, 0), (1, 1, 0)), positive=False)]
    point, box, scribble = rescaled(prompts, (10, 10, 1), (5, 5, 1))
    assert point == Scribble(((2, 1, 0),))
    assert box == Box((1, 1, 0), (3, 2, 1))
    assert scribble == Scribble(((0, 0, 0),), positive=False)


def test_hints_for_other_labels_are_negative_ones_here():
    prompts = [
        Point((1, 1, 1), 2),
        Point((2, 2, 2), 2, positive=False),
        Box((0, 0, 0), (1, 1, 1), 2),
        ExtremePoints(((1, 1, 1), (2, 2, 2)), 2),
        Lasso(2, 0, ((0, 0), (1, 0), (1, 1)), 2),
        Point((3, 3, 3), 1),
    ]
    meant = meant_for(prompts, [1])
    assert [(type(p).__name__, p.label, p.positive) for p in meant] == [
        ("Point", 1, False),
        ("Scribble", 1, False),
        ("Lasso", 1, False),
        ("Point", 1, True),
    ]


def test_a_mask_is_sampled_where_the_window_is_and_empty_beyond():
    mask = np.arange(8, dtype=np.uint8).reshape(8, 1, 1)
    assert sampled(mask, (4, 1, 1), Span((-1, 0, 0), (4, 1, 1))).ravel().tolist() == [0, 1, 3, 5]


def test_probabilities_keep_their_place_on_a_finer_grid():
    ramp = np.arange(6, dtype=np.float32).reshape(1, 6, 1, 1)
    span, fine = on_image(ramp[:, 2:5], Span((2, 0, 0), (3, 1, 1)), (6, 1, 1), (12, 1, 1))
    assert (span.start[0], span.stop[0]) == (4, 10)
    centres = (np.arange(4, 10) + 0.5) / 2 - 0.5
    assert np.allclose(fine.ravel(), np.clip(centres, 2, 4))


def test_probabilities_of_a_window_beyond_the_image_are_cut():
    span, found = on_image(np.ones((2, 4, 4, 1), dtype=np.float32), Span((-2, 0, 0), (4, 4, 1)), (3, 3, 1), (3, 3, 1))
    assert (span.start, span.shape, found.shape) == ((0, 0, 0), (2, 3, 1), (2, 2, 3, 1))


def test_hints_of_a_window_count_from_its_start():
    prompts = [Point((5, 5, 5)), Point((6, 6, 6), positive=False), Point((7, 7, 7), label=2), Point((20, 5, 5))]
    one, two = prompts_within(prompts, Span((4, 4, 4), (8, 8, 8)), labels=(1, 2))
    assert one.positive.tolist() == [[1, 1, 1]]
    assert sorted(one.negative.tolist()) == [[2, 2, 2], [3, 3, 3]]
    assert two.positive.tolist() == [[3, 3, 3]]
    assert two.negative.tolist() == [[1, 1, 1]]
