"""On a film a prompt changes its own frame and no other, whoever answers it."""

import dataclasses

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from medloop.core.errors import InputError
from medloop.core.geometry import Grid
from medloop.core.image import Image, Mask
from medloop.interaction.external.adapters import PromptableEngine
from medloop.interaction.guard import Guard
from medloop.interaction.guarded import refine_guarded
from medloop.interaction.interactive_network.network import NetworkEngine, Refinement
from medloop.interaction.interactive_network.rehearsal import Rehearsal
from medloop.interaction.modelfree.classical import ClassicalEngine
from medloop.interaction.moments import frames_of, require_one_frame
from medloop.interaction.prompts import Box, ExtremePoints, Lasso, Point, Scribble, exact_voxels
from medloop.models.foundation.recipes import CaseShape, choose_recipe, fingerprint
from medloop.models.training.batches import TrainingCase
from medloop.models.training.train import train
from tests.loop.films import film

from .engines import BallEngine, WildEngine
from .flat_network import AsBright, save
from .made_up import LABELS, images, prompts

ON_FILM = Guard(LABELS, over_time=True)
EVERY_KIND = (
    Point((16, 20, 2)),
    Scribble(tuple((i, 20, 2) for i in range(12, 21))),
    Box((8, 12, 2), (25, 28, 3)),
    ExtremePoints(((10, 20, 2), (22, 20, 2), (16, 14, 2), (16, 26, 2))),
    Lasso(2, 2, ((9.0, 20.0), (12.0, 14.0), (20.0, 14.0), (23.0, 20.0), (20.0, 26.0), (12.0, 26.0))),
)


@pytest.fixture(scope="module")
def film_network(tmp_path_factory) -> NetworkEngine:
    """An interactive network that has hardly learned anything, so that it says anything."""
    pictures, inside = film()
    grid = Grid(inside.shape, np.eye(4))
    found = fingerprint([CaseShape(inside.shape, (1.0, 1.0, 1.0), 1)])
    chosen = choose_recipe(found, kind="segmentation", classes=4, minutes=1, threads=1, seed=5)
    recipe = dataclasses.replace(chosen, features=tuple(4 * 2**n for n in range(len(chosen.features))), batch=1, steps=3, guided=True)
    case = TrainingCase("film", lambda: (Image(pictures, grid), Mask(inside.astype(np.uint8), grid)))
    made = train(recipe, [case], [], tmp_path_factory.mktemp("film"), report=lambda _: True, guide=Rehearsal())
    return NetworkEngine.load(recipe, [made.weights[0].read_bytes()], refinement=Refinement(adaptation=None))


def on_film(engine, before, new, prompts=()):
    pictures, _ = film()
    return refine_guarded(engine, engine.embed(Image(pictures, Grid(before.shape, np.eye(4)))), before, prompts, new, ON_FILM)


def frames_changed(before, after):
    return set(np.flatnonzero((before != after).any(axis=(0, 1))).tolist())


@settings(max_examples=80, deadline=None)
@given(st.data(), images(low=4), st.sampled_from([BallEngine(), WildEngine(), ClassicalEngine()]))
def test_whatever_an_engine_answers_other_frames_stay_and_the_prompts_are_obeyed(data, image, engine):
    shape = image.grid.shape
    before = np.random.default_rng(0).choice(np.array([0, 0, 1, 3], dtype=np.uint8), size=shape)
    drawn = data.draw(st.lists(prompts(shape), min_size=1, max_size=3))
    new = [prompt for prompt in drawn if frames_of(prompt, shape)[1] - frames_of(prompt, shape)[0] == 1]
    assume(new)
    own = {frames_of(prompt, shape)[0] for prompt in new}
    try:
        found = refine_guarded(engine, engine.embed(image), before, [], new, ON_FILM)
    except InputError:
        return  # they contradict each other
    assert frames_changed(before, found.mask) <= own
    outside = np.ones(shape, dtype=bool)
    outside[tuple(slice(a, z) for a, z in zip(found.start, found.stop, strict=True))] = False
    assert np.array_equal(found.mask[outside], before[outside])
    if len(new) == 1:
        said = found.mask[tuple(exact_voxels(new[0], shape).T)] == new[0].label
        assert (said == getattr(new[0], "positive", True)).all()


@pytest.mark.parametrize("prompt", EVERY_KIND)
@pytest.mark.parametrize("label_elsewhere", [False, True])
def test_every_kind_of_prompt_finds_the_structure_in_its_frame_alone(prompt, label_elsewhere):
    _, inside = film()
    before = np.zeros(inside.shape, dtype=np.uint8)
    before[..., 1][inside[..., 1]] = label_elsewhere  # what touches it a moment before does not hold it back
    after = on_film(ClassicalEngine(), before, [prompt]).mask
    assert frames_changed(before, after) == {2}
    there = after[..., 2] == 1
    assert 2 * (there & inside[..., 2]).sum() / (there.sum() + inside[..., 2].sum()) > 0.8


@pytest.mark.parametrize("prompt", EVERY_KIND)
def test_networks_stay_in_the_frame_as_well(prompt, film_network, tmp_path):
    before = np.zeros(film()[1].shape, dtype=np.uint8)
    assert frames_changed(before, on_film(film_network, before, [prompt]).mask) <= {2}
    assert frames_changed(before, on_film(PromptableEngine.load(save(AsBright(), tmp_path / "net.pt")), before, [prompt]).mask) == {2}


def test_clicks_of_two_frames_do_not_speak_of_each_other():
    before = np.zeros(film()[1].shape, dtype=np.uint8)
    first, second = Point((16, 20, 2)), Point((19, 20, 5))
    both = on_film(ClassicalEngine(), before, [first, second]).mask
    one = on_film(ClassicalEngine(), before, [first]).mask
    then = on_film(ClassicalEngine(), one, [second], [first]).mask
    assert np.array_equal(both, then)
    assert np.array_equal(one[..., 2], both[..., 2])
    assert frames_changed(before, both) == {2, 5}


def test_what_was_said_of_several_frames_before_the_rule_changes_those_only():
    before = np.zeros(film()[1].shape, dtype=np.uint8)
    assert frames_changed(before, on_film(WildEngine(), before, [Box((8, 12, 2), (25, 28, 5))]).mask) <= {2, 3, 4}


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        (Box((0, 0, 1), (4, 4, 5)), r"over frames 2 to 5 \(box\)"),
        (Scribble(((3, 3, 0), (3, 3, 7))), r"over frames 1 to 8 \(scribble\)"),
        (ExtremePoints(((3, 3, 4), (5, 3, 5))), r"over frames 5 to 6 \(extreme points\)"),
        (Lasso(0, 3, ((1.0, 1.0), (9.0, 1.0), (9.0, 6.0))), r"over frames 2 to 7 \(lasso\)"),
    ],
)
def test_prompts_that_span_frames_are_refused_in_one_line(prompt, words):
    with pytest.raises(InputError, match=words):
        require_one_frame([Point((1, 1, 1)), prompt], (40, 40, 8))
