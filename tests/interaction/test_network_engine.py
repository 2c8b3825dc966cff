import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from medloop.core.errors import CancelledError, FormatError, InputError, LabelError, ShapeError
from medloop.core.geometry import Grid
from medloop.core.image import Image
from medloop.images.phantoms import phantom_2d
from medloop.interaction.engine import ImageEmbedding
from medloop.interaction.interactive_network.adaptation import Adaptation
from medloop.interaction.interactive_network.network import NetworkEngine, Refinement, expected_dice
from medloop.interaction.prompts import Box, Point, keep_prompts
from medloop.models.inference.predict import Predictor

from .conftest import PICTURE

UNSEEN = phantom_2d(7, shape=PICTURE[:2])
VOXELS = st.tuples(st.integers(0, 47), st.integers(0, 39), st.just(0))
POINTS = st.builds(Point, voxel=VOXELS, label=st.integers(1, 2), positive=st.booleans())


def test_without_prompts_the_engine_says_what_the_model_predicts(engine, recipe, weights):
    refined = engine.refine(engine.embed(UNSEEN.image), (), labels=(1, 2))
    predicted = Predictor.load(recipe, [weights]).predict(UNSEEN.image, samples=2, rng=np.random.default_rng(0)).probabilities
    assert np.allclose(refined.probabilities, predicted, atol=1e-4)
    assert (refined.mask == refined.probabilities.argmax(axis=0)).all()


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(POINTS, min_size=1, max_size=4, unique_by=lambda p: p.voxel))
def test_every_hint_is_obeyed(engine, points):
    refined = engine.refine(engine.embed(UNSEEN.image), points, labels=(1, 2))
    assert (keep_prompts(refined.mask, points) == refined.mask).all()
    assert np.allclose(refined.probabilities.sum(axis=0), 1, atol=1e-4)
    assert set(np.unique(refined.mask)) <= {0, 1, 2}


def test_the_reported_box_holds_every_change(engine):
    before = np.zeros(PICTURE, dtype=np.uint8)
    refined = engine.refine(engine.embed(UNSEEN.image), [Point((20, 20, 0))], labels=(1, 2), previous=before)
    outside = np.ones(PICTURE, dtype=bool)
    outside[tuple(slice(a, b) for a, b in zip(refined.start, refined.stop, strict=True))] = False
    assert (refined.mask != before).any()
    assert not (refined.mask != before)[outside].any()


def test_voxels_beyond_the_window_stay_as_they_were(recipe, weights):
    grid = Grid.flat(400, 400, 1.0)
    image = Image(np.random.default_rng(0).normal(size=(1, 400, 400, 1)).astype(np.float32), grid)
    engine = NetworkEngine.load(recipe, [weights], refinement=Refinement(adaptation=None, zooms=0))
    previous = np.random.default_rng(1).integers(0, 3, size=(400, 400, 1)).astype(np.uint8)
    refined = engine.refine(engine.embed(image), [Point((50, 60, 0))], labels=(1, 2), previous=previous)
    far = np.ones((400, 400), dtype=bool)
    far[0:120, 0:130] = False
    assert (refined.mask[far] == previous[far]).all()
    assert (refined.mask != previous).any()


def test_locked_labels_stay_and_do_not_spread(engine):
    previous = np.zeros(PICTURE, dtype=np.uint8)
    previous[:24] = 2
    embedding = engine.embed(UNSEEN.image)
    refined = engine.refine(embedding, [Point((10, 10, 0), 1)], labels=(1, 2), previous=previous, locked=(2,))
    assert ((refined.mask == 2) == (previous == 2)).all()


def test_an_answer_depends_on_nothing_that_was_asked_before(recipe, weights):
    engine = NetworkEngine.load(recipe, [weights])
    embedding = engine.embed(UNSEEN.image)
    first = engine.refine(embedding, [Point((20, 20, 0))], labels=(1, 2))
    engine.refine(embedding, [Point((5, 5, 0), 2), Box((2, 2, 0), (9, 9, 1), 2)], labels=(1, 2))
    again = engine.refine(embedding, [Point((20, 20, 0))], labels=(1, 2))
    assert (first.mask == again.mask).all()
    assert np.array_equal(first.probabilities, again.probabilities)


def test_refining_leaves_the_projects_weights_alone(recipe, weights):
    engine = NetworkEngine.load(recipe, [weights], refinement=Refinement(Adaptation(rate=1e-2)))
    before = {name: weight.clone() for name, weight in engine.networks[0].state_dict().items()}
    engine.refine(engine.embed(UNSEEN.image), [Point((20, 20, 0))], labels=(1, 2))
    assert all(torch.equal(before[name], weight) for name, weight in engine.networks[0].state_dict().items())


def test_emphasis_takes_the_step_that_a_hint_causes_further(recipe, weights):
    point, answers = Point((20, 20, 0)), []
    for emphasis in (0.0, 1.0, 3.0):
        engine = NetworkEngine.load(recipe, [weights], refinement=Refinement(emphasis=emphasis, smoothness=None))
        answers.append(np.log(engine.refine(engine.embed(UNSEEN.image), [point], labels=(1, 2)).probabilities[:, 18:22, 18:22]))
    silent, usual, stressed = (answer[1] - answer[0] for answer in answers)  # log odds of label 1 against background
    assert not np.allclose(silent, usual)
    assert np.allclose(stressed - silent, 3 * (usual - silent), atol=1e-3)


def test_hints_count_on_a_coarser_working_grid(recipe, weights):
    coarse = dataclasses.replace(recipe, spacing_mm=(2.0, 2.0, 1.0))
    engine = NetworkEngine.load(coarse, [weights], refinement=Refinement(adaptation=None))
    image = Image(UNSEEN.image.array, Grid.flat(*PICTURE[:2], 1.0))
    points = [Point((11, 21, 0), 1), Point((33, 8, 0), 2)]
    refined = engine.refine(engine.embed(image), points, labels=(1, 2))
    assert refined.mask.shape == PICTURE
    assert (refined.mask[11, 21, 0], refined.mask[33, 8, 0]) == (1, 2)


def test_a_click_that_nobody_waits_for_is_dropped(engine):
    with pytest.raises(CancelledError):
        engine.refine(engine.embed(UNSEEN.image), [Point((20, 20, 0))], labels=(1, 2), wanted=lambda: False)


def test_the_engine_needs_a_guided_model(recipe, weights):
    with pytest.raises(InputError, match="trained with prompts"):
        NetworkEngine(dataclasses.replace(recipe, guided=False), [])
    with pytest.raises(InputError, match="has 2 classes, got 3"):
        NetworkEngine.load(recipe, [weights], any_label=True)


def test_wrong_tasks_are_refused(engine):
    embedding = engine.embed(UNSEEN.image)
    with pytest.raises(LabelError, match=r"knows 2 labels, the task has \[1\]"):
        engine.refine(embedding, (), labels=(1,))
    with pytest.raises(ShapeError, match="previous mask must have"):
        engine.refine(embedding, (), labels=(1, 2), previous=np.zeros((3, 3, 1), dtype=np.uint8))
    with pytest.raises(FormatError, match="one of another"):
        engine.refine(ImageEmbedding(UNSEEN.image, "another"), (), labels=(1, 2))
    with pytest.raises(ShapeError, match="1 channels, got 2"):
        engine.embed(Image(np.repeat(UNSEEN.image.array, 2, axis=0), UNSEEN.image.grid))


def test_the_expected_dice_of_two_voxels_by_hand():
    probabilities = np.array([[0.2, 0.6], [0.8, 0.4]], dtype=np.float32).reshape(2, 2, 1, 1)
    assert expected_dice(probabilities) == pytest.approx(2 * 0.8 / (0.8 + 0.4 + 1))
    assert expected_dice(np.ones((1, 2, 1, 1), dtype=np.float32)) is None
