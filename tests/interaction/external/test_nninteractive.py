"""medloop's engine over the protocol's own client, against medloop's server, over sockets."""

import dataclasses
import socket
from collections.abc import Iterator

import numpy as np
import pytest

from medloop.core.errors import CancelledError, InputError, SettingError, ShapeError, UnavailableError
from medloop.core.geometry import Grid
from medloop.core.image import Image
from medloop.interaction.engine import ImageEmbedding
from medloop.interaction.external.nninteractive import NNInteractiveEngine
from medloop.interaction.guard import Guard
from medloop.interaction.guarded import refine_guarded
from medloop.interaction.nninteractive.sent_prompts import AxisOrder
from medloop.interaction.prompts import Box, ExtremePoints, Lasso, Point, Prompt, Scribble

from ..nninteractive.serving import Served, serving, two_blobs

ARRAY = two_blobs()
IMAGE = Image(ARRAY, Grid.of_spacing(ARRAY.shape[1:], (1.0, 1.5, 2.0)))
NEAR, FAR = (ARRAY[0] == 200), (ARRAY[0] == 100)
ON_NEAR, ON_FAR = Point((3, 3, 2)), Point((8, 6, 5))
AROUND = Lasso(2, 2, ((1.5, 1.5), (4.5, 1.5), (4.5, 5.5), (1.5, 5.5)))


@pytest.fixture
def server() -> Iterator[Served]:
    with serving(order=AxisOrder()) as served:
        yield served


@pytest.fixture
def engine(server: Served) -> Iterator[NNInteractiveEngine]:
    with NNInteractiveEngine(server.url) as made:
        yield made


@pytest.fixture
def embedding(engine: NNInteractiveEngine) -> ImageEmbedding:
    return engine.embed(IMAGE)


@pytest.mark.parametrize(
    "prompt", [ON_NEAR, Scribble(((3, 3, 2), (4, 3, 2))), Box((1, 1, 0), (6, 7, 5)), AROUND, ExtremePoints(((2, 2, 1), (4, 5, 3)))]
)
def test_every_prompt_reaches_the_other_engine(engine: NNInteractiveEngine, embedding: ImageEmbedding, prompt: Prompt):
    answer = engine.refine(embedding, [prompt], labels=[1])
    assert np.array_equal(answer.mask != 0, NEAR)
    assert (answer.start, answer.stop) == ((2, 2, 1), (5, 6, 4))
    assert np.array_equal(answer.probabilities[1], NEAR)
    assert answer.quality is None


def test_prompts_of_a_label_cost_one_prediction_from_the_mask_before(
    engine: NNInteractiveEngine, embedding: ImageEmbedding, server: Served
):
    both = engine.refine(embedding, [ON_NEAR, ON_FAR], labels=[1])
    assert server.engine.predictions == [2]
    after = engine.refine(embedding, [ON_NEAR, ON_FAR, Point((4, 4, 2), positive=False)], labels=[1], previous=both.mask)
    assert after.mask.sum() == (NEAR | FAR).sum() - 1
    assert np.array_equal(engine.refine(embedding, [ON_FAR], labels=[1]).mask != 0, FAR)


def test_labels_are_drawn_one_at_a_time_and_locked_ones_stay(engine: NNInteractiveEngine, embedding: ImageEmbedding):
    on_far = dataclasses.replace(ON_FAR, label=2)
    both = engine.refine(embedding, [ON_NEAR, on_far], labels=[1, 2, 3])
    assert np.array_equal(both.mask, NEAR + 2 * FAR.astype(np.uint8))
    previous = both.mask.copy()
    previous[2, 2, 1] = 3
    assert np.array_equal(engine.refine(embedding, [ON_NEAR], labels=[1, 2, 3], previous=previous, locked=[2, 3]).mask, previous)
    corrected = engine.refine(embedding, [ON_NEAR, on_far, Point((4, 5, 3), positive=False)], labels=[1, 2, 3])
    assert np.array_equal(corrected.mask == 2, FAR)
    assert corrected.mask[4, 5, 3] == 0


def test_a_prompt_on_a_locked_label_is_refused_before_it_is_asked(engine: NNInteractiveEngine, embedding: ImageEmbedding, server: Served):
    with pytest.raises(InputError, match="lies on the locked label 2 only; unlock it"):
        refine_guarded(engine, embedding, 2 * NEAR.astype(np.uint8), [], [ON_NEAR], Guard([1, 2], [2]))
    assert server.engine.predictions == []


def test_a_box_bounds_the_answer_and_may_be_sent_by_its_middle_slice(engine: NNInteractiveEngine, embedding: ImageEmbedding):
    answer = engine.refine(embedding, [ON_NEAR, Box((2, 2, 1), (4, 6, 4))], labels=[1])
    assert np.array_equal(np.flatnonzero((answer.mask != 0).any(axis=(1, 2))), [2, 3])
    engine._session.supported_interactions["bbox3d"] = False
    middle = engine.refine(embedding, [Box((1, 1, 0), (6, 7, 5))], labels=[1])
    assert np.array_equal(np.flatnonzero((middle.mask != 0).any(axis=(0, 1))), [2])  # across the widest spacing
    engine._session.supported_interactions["lasso"] = False
    with pytest.raises(InputError, match="takes no lasso"):
        engine.refine(embedding, [AROUND], labels=[1])


def test_a_lease_that_ended_is_claimed_again_without_a_word(engine: NNInteractiveEngine, embedding: ImageEmbedding, server: Served):
    engine.refine(embedding, [ON_NEAR], labels=[1])
    server.clock.now += 10_000.0
    assert np.array_equal(engine.refine(embedding, [ON_NEAR, ON_FAR], labels=[1]).mask != 0, NEAR | FAR)


def test_another_image_replaces_the_first(engine: NNInteractiveEngine, embedding: ImageEmbedding):
    engine.refine(embedding, [ON_NEAR], labels=[1])
    other = engine.embed(Image(np.ones((2, 4, 5, 6), dtype=np.float64), Grid.of_spacing((4, 5, 6), (1, 1, 1))))
    assert engine.refine(other, [Point((0, 0, 0))], labels=[1]).mask.all()
    assert np.array_equal(engine.refine(embedding, [ON_NEAR], labels=[1]).mask != 0, NEAR)


def test_an_answer_that_nobody_wants_or_needs_is_not_asked_for(engine: NNInteractiveEngine, embedding: ImageEmbedding, server: Served):
    previous = FAR.astype(np.uint8)
    assert np.array_equal(engine.refine(embedding, [], labels=[1], previous=previous).mask, previous)
    with pytest.raises(CancelledError):
        engine.refine(embedding, [ON_NEAR], labels=[1], wanted=lambda: False)
    assert server.engine.predictions == []


def test_closing_frees_the_seat():
    with serving(order=AxisOrder(), most=1) as served:
        for _ in range(2):
            with NNInteractiveEngine(served.url) as engine:
                engine.refine(engine.embed(IMAGE), [ON_NEAR], labels=[1])


def refused(engine: NNInteractiveEngine) -> str:
    with pytest.raises(UnavailableError) as failure, engine:
        engine.refine(engine.embed(IMAGE), [ON_NEAR], labels=[1])
    return str(failure.value)


def test_nobody_there_a_wrong_key_and_a_full_house_are_said_in_one_line():
    with socket.create_server(("127.0.0.1", 0)) as unused:
        nobody = f"http://127.0.0.1:{unused.getsockname()[1]}"
    assert f"at {nobody} does not respond" in refused(NNInteractiveEngine(nobody))
    with serving(key="secret", most=0) as served:
        assert "401" in refused(NNInteractiveEngine(served.url, key="guess"))
        assert f"at {served.url} is full" in refused(NNInteractiveEngine(served.url, key="secret"))
        assert "404" in refused(NNInteractiveEngine(served.url + "/elsewhere"))
    with pytest.raises(SettingError, match="http"):
        NNInteractiveEngine("127.0.0.1:1527")


def test_an_image_without_the_channel_is_refused():
    with NNInteractiveEngine("http://127.0.0.1:9", channel=1) as engine, pytest.raises(ShapeError, match="channel 1"):
        engine.embed(IMAGE)
