"""Engines under guard: whatever one answers, a prompt is obeyed, locks hold, and a refusal changes nothing."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medloop.core.errors import CancelledError, InputError, LabelError
from medloop.core.geometry import Grid
from medloop.core.image import Image
from medloop.interaction.guard import Guard
from medloop.interaction.guarded import refine_guarded
from medloop.interaction.prompts import Box, Lasso, Point, Scribble, exact_voxels
from medloop.interaction.runs import painted_voxels

from .engines import BallEngine, WildEngine
from .made_up import LABELS, images, prompts

LINE = Image(np.zeros((1, 9, 1, 1)), Grid.of_spacing((9, 1, 1), (1, 1, 1)))


def line(prompt, before=(0,) * 9, **options):
    """What a prompt makes of a mask on a line of voxels, 1 mm each."""
    engine, mask = BallEngine(1.0), np.array(before, dtype=np.uint8).reshape(9, 1, 1)
    wanted = options.pop("wanted", lambda: True)
    return refine_guarded(engine, engine.embed(LINE), mask, [], [prompt], Guard((1, 2), **options), wanted=wanted).mask[:, 0, 0].tolist()


def test_paint_outlasts_the_prompts_after_it():
    painted = painted_voxels([[(3, 2, 2), (5, 1, 0)]], (9, 1, 1))
    assert line(Point((5, 0, 0)), [0, 0, 0, 2, 2, 0, 0, 0, 0], painted=painted) == [0, 0, 0, 2, 2, 1, 1, 0, 0]


def test_a_prompt_stops_at_a_locked_label():
    before = [0, 0, 0, 2, 2, 0, 0, 0, 0]
    assert line(Point((5, 0, 0)), before, locked=[2]) == [0, 0, 0, 2, 2, 1, 1, 0, 0]
    refused = (Point((3, 0, 0)), Scribble(((3, 0, 0), (4, 0, 0))), Point((8, 0, 0), label=2), Point((3, 0, 0), label=2, positive=False))
    for prompt in (*refused, Point((0, 0, 0), label=2, positive=False)):
        with pytest.raises(InputError, match="locked label 2"):
            line(prompt, before, locked=[2])
    stroke = line(Scribble(((4, 0, 0), (7, 0, 0))), before, locked=[2])
    assert line(Lasso(2, 0, ((1.5, -0.5), (4.5, -0.5), (4.5, 0.5), (1.5, 0.5))), stroke, locked=[2])[2:8] == [1, 2, 2, 1, 1, 1]
    assert line(Point((3, 0, 0)), before)[3] == 1


@settings(max_examples=40)
@given(st.data(), images(), st.sampled_from([BallEngine(), WildEngine()]), st.sampled_from([(), (3,)]))
def test_after_any_prompt_it_is_obeyed_locks_hold_and_nothing_changes_outside_the_box(data, image, engine, locked):
    before = np.random.default_rng(0).choice(np.array([0, 0, 1, 3], dtype=np.uint8), size=image.grid.shape)
    kept, prompt = before.copy(), data.draw(prompts(before.shape))
    try:
        found = refine_guarded(engine, engine.embed(image), before, [], [prompt], Guard(LABELS, locked))
    except InputError:
        return
    finally:
        assert np.array_equal(before, kept)
    voxels, positive = exact_voxels(prompt, before.shape), getattr(prompt, "positive", True)
    free = ~np.isin(before[tuple(voxels.T)], locked) & (not (positive and prompt.label in locked))
    assert ((found.mask[tuple(voxels[free].T)] == prompt.label) == positive).all()
    for label in locked:
        assert np.array_equal(found.mask == label, before == label)
    outside = np.ones(before.shape, dtype=bool)
    outside[tuple(slice(a, z) for a, z in zip(found.start, found.stop, strict=True))] = False
    assert np.array_equal(found.mask[outside], before[outside])


@pytest.mark.parametrize(
    ("prompt", "error"),
    [
        (Point((9, 0, 0)), InputError),
        (Point((5, 0, 0), label=7), LabelError),
        (Scribble(()), InputError),
        (Box((0, 0, 0), (0, 1, 1)), InputError),
    ],
)
def test_what_cannot_be_obeyed_is_refused(prompt, error):
    with pytest.raises(error):
        line(prompt)


def test_an_answer_that_nobody_wants_is_cancelled_and_a_lock_on_an_unknown_label_refused():
    with pytest.raises(CancelledError):
        line(Point((7, 0, 0)), wanted=lambda: False)
    with pytest.raises(LabelError, match="may be locked"):
        line(Point((7, 0, 0)), locked=[4])
