"""medloop's client against medloop's server, over sockets."""

import dataclasses
import socket
import threading
from collections.abc import Iterator

import httpx
import numpy as np
import pytest

from medloop.core.errors import CancelledError, InputError, SettingError, ShapeError, UnavailableError
from medloop.core.geometry import Grid
from medloop.core.image import Image
from medloop.interaction.engine import ImageEmbedding
from medloop.interaction.nninteractive.client import NNInteractiveEngine
from medloop.interaction.nninteractive.gestures import AxisOrder
from medloop.interaction.nninteractive.link import Heartbeat
from medloop.interaction.nninteractive.protocol import Capabilities
from medloop.interaction.nninteractive.sending import calls_for
from medloop.interaction.prompts import Box, ExtremePoints, Lasso, Point, Prompt, Scribble

from .serving import Served, serving, two_blobs

ARRAY = two_blobs()
IMAGE = Image(ARRAY, Grid.of_spacing(ARRAY.shape[1:], (1.0, 1.5, 2.0)))
NEAR, FAR = (ARRAY[0] == 200), (ARRAY[0] == 100)
ON_NEAR, ON_FAR = Point((3, 3, 2)), Point((8, 6, 5))


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


def lasso(positive: bool = True) -> Lasso:
    return Lasso(2, 2, ((1.5, 1.5), (4.5, 1.5), (4.5, 5.5), (1.5, 5.5)), positive=positive)


@pytest.mark.parametrize(
    ("prompt", "region"),
    [
        (ON_NEAR, NEAR),
        (Scribble(((3, 3, 2), (4, 3, 2))), NEAR),
        (Box((1, 1, 0), (6, 7, 5)), NEAR),
        (lasso(), NEAR),
        (ExtremePoints(((2, 2, 1), (4, 5, 3))), NEAR),
    ],
)
def test_every_gesture_reaches_the_other_engine(engine: NNInteractiveEngine, embedding: ImageEmbedding, prompt: Prompt, region: np.ndarray):
    answer = engine.refine(embedding, [prompt], labels=[1])
    assert np.array_equal(answer.mask != 0, region)
    assert (answer.start, answer.stop) == ((2, 2, 1), (5, 6, 4))
    assert np.array_equal(answer.probabilities[1], region)
    assert answer.quality is None


def test_only_a_new_prompt_is_sent(engine: NNInteractiveEngine, embedding: ImageEmbedding, server: Served):
    first = engine.refine(embedding, [ON_NEAR], labels=[1])
    engine.refine(embedding, [ON_NEAR, ON_FAR], labels=[1])
    engine.refine(embedding, [ON_NEAR, ON_FAR], labels=[1])
    assert server.engine.predictions == [1, 2]
    after = engine.refine(embedding, [ON_NEAR, ON_FAR, Point((4, 4, 2), positive=False)], labels=[1], previous=first.mask)
    assert after.mask.sum() == (NEAR | FAR).sum() - 1


def test_the_last_prompt_is_taken_back_by_undo_and_others_by_telling_anew(
    engine: NNInteractiveEngine, embedding: ImageEmbedding, server: Served
):
    engine.refine(embedding, [ON_NEAR, ON_FAR], labels=[1])
    assert np.array_equal(engine.refine(embedding, [ON_NEAR], labels=[1]).mask != 0, NEAR)
    assert server.engine.predictions == [1, 2]
    assert np.array_equal(engine.refine(embedding, [ON_FAR], labels=[1]).mask != 0, FAR)
    assert server.engine.predictions == [1, 2, 1]


def test_the_same_prompts_from_the_same_mask_give_the_same_answer_by_any_way(server: Served):
    prompts = [ON_NEAR, Point((4, 5, 3), positive=False), ON_FAR]
    with NNInteractiveEngine(server.url) as stepwise, NNInteractiveEngine(server.url) as at_once:
        a, b = stepwise.embed(IMAGE), at_once.embed(IMAGE)
        for n in range(3):
            last = stepwise.refine(a, prompts[: n + 1], labels=[1], previous=FAR.astype(np.uint8))
        whole = at_once.refine(b, prompts, labels=[1], previous=FAR.astype(np.uint8))
    assert np.array_equal(last.mask, whole.mask)
    assert last.start == whole.start


def test_labels_are_drawn_one_at_a_time_and_locked_ones_stay(engine: NNInteractiveEngine, embedding: ImageEmbedding):
    on_far = dataclasses.replace(ON_FAR, label=2)
    both = engine.refine(embedding, [ON_NEAR, on_far], labels=[1, 2, 3])
    assert np.array_equal(both.mask, NEAR + 2 * FAR.astype(np.uint8))
    previous = both.mask.copy()
    previous[2, 2, 1] = 3
    locked = engine.refine(embedding, [ON_NEAR], labels=[1, 2, 3], previous=previous, locked=[2, 3])
    assert np.array_equal(locked.mask, previous)
    corrected = engine.refine(embedding, [ON_NEAR, on_far, Point((4, 5, 3), positive=False)], labels=[1, 2, 3])
    assert np.array_equal(corrected.mask == 2, FAR)
    assert corrected.mask[4, 5, 3] == 0


def test_a_prompt_on_a_locked_label_is_refused(engine: NNInteractiveEngine, embedding: ImageEmbedding):
    previous = 2 * NEAR.astype(np.uint8)
    with pytest.raises(InputError, match="lies on the locked label 2 only; unlock it"):
        engine.refine(embedding, [ON_NEAR], labels=[1, 2], previous=previous, locked=[2])
    with pytest.raises(InputError, match="must not change the locked label 2"):
        engine.refine(embedding, [dataclasses.replace(ON_NEAR, label=2)], labels=[1, 2], previous=previous, locked=[2])


def test_a_box_bounds_the_answer(engine: NNInteractiveEngine, embedding: ImageEmbedding):
    answer = engine.refine(embedding, [ON_NEAR, Box((2, 2, 1), (4, 6, 4))], labels=[1])
    assert np.array_equal(np.flatnonzero((answer.mask != 0).any(axis=(1, 2))), [2, 3])


def test_a_lease_that_ended_is_claimed_again_without_a_word(engine: NNInteractiveEngine, embedding: ImageEmbedding, server: Served):
    engine.refine(embedding, [ON_NEAR], labels=[1])
    server.clock.now += 10_000.0
    answer = engine.refine(embedding, [ON_NEAR, ON_FAR], labels=[1])
    assert np.array_equal(answer.mask != 0, NEAR | FAR)
    assert server.engine.predictions == [1, 1]  # the mask was seeded again, only the new prompt was predicted


def test_another_image_replaces_the_first(engine: NNInteractiveEngine, embedding: ImageEmbedding):
    engine.refine(embedding, [ON_NEAR], labels=[1])
    other = engine.embed(Image(np.ones((2, 4, 5, 6), dtype=np.float64), Grid.of_spacing((4, 5, 6), (1, 1, 1))))
    assert engine.refine(other, [Point((0, 0, 0))], labels=[1]).mask.all()
    assert np.array_equal(engine.refine(embedding, [ON_NEAR], labels=[1]).mask != 0, NEAR)


def test_no_prompts_leave_the_mask_and_the_server_alone(engine: NNInteractiveEngine, embedding: ImageEmbedding, server: Served):
    previous = FAR.astype(np.uint8)
    assert np.array_equal(engine.refine(embedding, [], labels=[1], previous=previous).mask, previous)
    assert server.engine.predictions == []


def test_an_answer_that_nobody_wants_is_not_asked_for(engine: NNInteractiveEngine, embedding: ImageEmbedding, server: Served):
    asked = iter([True, False])
    with pytest.raises(CancelledError):
        engine.refine(embedding, [ON_NEAR, ON_FAR], labels=[1], wanted=lambda: next(asked))
    assert server.engine.predictions == [1]
    assert np.array_equal(engine.refine(embedding, [ON_FAR], labels=[1]).mask != 0, FAR)


def test_closing_frees_the_seat():
    with serving(order=AxisOrder(), max_sessions=1) as served:
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
    assert f"at {nobody} does not answer" in refused(NNInteractiveEngine(nobody))
    with serving(key="secret", max_sessions=0) as served:
        assert "refuses the key; give the key it was started with" in refused(NNInteractiveEngine(served.url, key="guess"))
        full = refused(NNInteractiveEngine(served.url, key="secret"))
        assert f"at {served.url} is full" in full
        assert "--max-sessions" in full


def test_what_is_no_nninteractive_server_is_told_as_such():
    with serving() as served:
        assert "does not know /elsewhere/claim" in refused(NNInteractiveEngine(served.url + "/elsewhere")).replace(
            "/claim", "/elsewhere/claim"
        )
    with pytest.raises(SettingError, match="http"):
        NNInteractiveEngine("127.0.0.1:1527")


def test_an_image_without_the_channel_is_refused():
    with NNInteractiveEngine("http://127.0.0.1:9", channel=1) as engine, pytest.raises(ShapeError, match="channel 1"):
        engine.embed(IMAGE)


def test_a_heart_beats_until_the_lease_is_lost():
    beats, lost = [], threading.Event()

    def beat() -> bool:
        beats.append(1)
        if len(beats) == 3:
            lost.set()
        return not lost.is_set()

    Heartbeat(beat, 0.001)
    assert lost.wait(30)
    assert len(beats) == 3


class Listening(httpx.HTTPTransport):
    """Sends as usual, and tells when a heartbeat was answered."""

    def __init__(self) -> None:
        super().__init__()
        self.beaten = threading.Event()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = super().handle_request(request)
        if request.url.path == "/heartbeat" and response.status_code == 200:
            self.beaten.set()
        return response


def test_a_held_lease_is_kept_alive_by_beats():
    with serving(liveness_seconds=0.02) as served, NNInteractiveEngine(served.url, transport=(line := Listening())) as engine:
        engine.refine(engine.embed(IMAGE), [Point((0, 0, 0))], labels=[1])
        assert line.beaten.wait(30)


@pytest.mark.parametrize(
    ("prompt", "able", "paths"),
    [
        (lasso(), Capabilities(lasso=False), ["scribble"]),
        (lasso(), Capabilities(lasso=False, scribble=False), ["point", "point", "point"]),
        (Point((1, 2, 3)), Capabilities(points=False), ["scribble"]),
        (Box((1, 1, 0), (6, 7, 5)), Capabilities(bbox3d=False), ["bbox"]),
        (ExtremePoints(((2, 2, 1), (4, 5, 3))), Capabilities(), ["point", "point", "bbox"]),
    ],
)
def test_a_server_is_only_asked_for_what_it_can(prompt: Prompt, able: Capabilities, paths: list[str]):
    calls = calls_for(prompt, IMAGE.grid, able, AxisOrder())
    assert [c.path for c in calls] == [f"/add_{p}_interaction" for p in paths]
    assert [c.record["run_prediction"] for c in calls] == [False] * (len(calls) - 1) + [True]


def test_without_3d_boxes_the_middle_slice_across_the_widest_spacing_is_sent():
    (call,) = calls_for(Box((1, 1, 0), (6, 7, 5)), IMAGE.grid, Capabilities(bbox3d=False), AxisOrder())
    assert call.record["bbox_coords"] == [[2, 3], [1, 7], [1, 6]]


def test_what_a_server_cannot_be_told_is_refused():
    nothing = Capabilities(points=False, bbox2d=False, bbox3d=False, scribble=False, lasso=False)
    for prompt in (ON_NEAR, lasso(), Box((1, 1, 0), (6, 7, 5))):
        with pytest.raises(InputError, match="takes no"):
            calls_for(prompt, IMAGE.grid, nothing, AxisOrder())
