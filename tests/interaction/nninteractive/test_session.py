from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medloop.core.errors import CancelledError, InputError, ShapeError, StateError
from medloop.interaction.nninteractive.protocol import Difference
from medloop.interaction.nninteractive.sent_prompts import AxisOrder
from medloop.interaction.nninteractive.session import Service, Session
from medloop.interaction.prompts import Point, Prompt

from .flood import FloodEngine
from .serving import AS_SENT, two_blobs

IMAGE = two_blobs()
SHAPE = IMAGE.shape[1:]
NEAR, FAR = (IMAGE[0] == 200), (IMAGE[0] == 100)
VOXELS = st.sampled_from([(3, 3, 2), (4, 5, 3), (8, 6, 5), (9, 7, 6), (0, 0, 0)])
GESTURES = st.one_of(
    st.tuples(st.just("click"), VOXELS, st.booleans(), st.booleans()),
    st.tuples(st.just("start"), st.sampled_from(["near", "far", "none"]), st.booleans()),
    st.just(("undo",)),
    st.just(("predict",)),
)


class Front:
    """A front end's own buffer, kept up by differences as every client keeps it."""

    def __init__(self, label: int = 1) -> None:
        self.session = Session(Service(FloodEngine(), labels=(1, 2), label=label, order=AS_SENT))
        self.session.set_image(IMAGE)
        self.session.set_target(SHAPE, np.dtype("uint8"))
        self.buffer = np.zeros(SHAPE, dtype=np.uint8)

    def take(self, difference: Difference) -> bool:
        if difference.bounds is not None:
            self.buffer[tuple(slice(a, b) for a, b in difference.bounds)] = difference.values
        return difference.ran

    def do(self, gesture: tuple[Any, ...]) -> bool:
        kind, *how = gesture
        if kind == "click":
            return self.take(self.session.add([Point(how[0], positive=how[1])], run=how[2]))
        if kind == "start":
            mask = {"near": NEAR, "far": FAR, "none": NEAR & FAR}[how[0]]
            self.buffer[:] = mask
            return self.take(self.session.start_from(mask, run=how[1]))
        return self.take(self.session.undo() if kind == "undo" else self.session.predict())


@settings(max_examples=60)
@given(st.lists(GESTURES, max_size=8))
def test_undoing_everything_gives_back_every_buffer_on_the_way(gestures: list[tuple[Any, ...]]):
    front = Front()
    seen = [front.buffer.copy()]
    for gesture in gestures:
        if gesture == ("predict",) and not front.do(gesture):
            continue
        if gesture == ("undo",):
            if front.do(gesture):
                seen.pop()
            assert np.array_equal(front.buffer, seen[-1])
            continue
        if gesture != ("predict",):
            front.do(gesture)
        seen.append(front.buffer.copy())
    for expected in reversed(seen[:-1]):
        assert front.do(("undo",))
        assert np.array_equal(front.buffer, expected)
    assert not front.do(("undo",))


def test_an_answer_does_not_depend_on_the_way_there():
    straight, winding = Front(), Front()
    straight.do(("click", (3, 3, 2), True, True))
    straight.do(("click", (8, 6, 5), True, True))
    for gesture in (("click", (8, 6, 5), True, False), ("undo",), ("click", (3, 3, 2), True, False), ("click", (8, 6, 5), True, True)):
        winding.do(gesture)
    assert np.array_equal(straight.buffer, winding.buffer)


def test_the_label_that_is_drawn_is_the_tasks():
    front = Front(label=2)
    front.take(front.session.start_from(FAR, run=False))
    front.buffer[:] = FAR
    assert front.take(front.session.add([Point((3, 3, 2), label=2)], run=True))
    assert np.array_equal(front.buffer != 0, NEAR | FAR)


class Failing(FloodEngine):
    def refine(self, *_args: Any, **_how: Any) -> Any:
        raise InputError("Not this one")


@pytest.mark.parametrize("prompts", [[Point((99, 0, 0))], [Point((0, 0, 0), label=7)], []])
def test_a_refused_gesture_changes_nothing(prompts: list[Prompt]):
    front = Front()
    front.do(("click", (3, 3, 2), True, True))
    if prompts:
        with pytest.raises(InputError):
            front.session.add(prompts, run=True)
    else:
        with pytest.raises(CancelledError):
            front.session.add([Point((8, 6, 5))], run=True, wanted=lambda: False)
    assert not front.session.predict().ran
    assert front.do(("undo",))
    assert not front.buffer.any()
    assert not front.do(("undo",))


def test_an_engine_that_refuses_changes_nothing():
    session = Session(Service(Failing(), order=AS_SENT))
    session.set_image(IMAGE)
    session.set_target(SHAPE, np.dtype("bool"))
    for attempt in (lambda: session.add([Point((0, 0, 0))], run=True), lambda: session.start_from(NEAR, run=True)):
        with pytest.raises(InputError, match="Not this one"):
            attempt()
        assert not session.undo().ran


def test_a_new_target_and_a_new_image_forget_what_was():
    front = Front()
    front.do(("click", (3, 3, 2), True, True))
    front.session.set_target(SHAPE, np.dtype("uint8"))
    assert not front.session.undo().ran
    front.session.set_image(IMAGE)
    with pytest.raises(StateError, match="no target buffer"):
        front.session.undo()


def test_what_does_not_fit_the_image_is_refused_in_the_front_ends_order():
    session = Session(Service(FloodEngine(), order=AxisOrder()))
    session.set_image(IMAGE)
    assert session.shape == (8, 10, 12)
    with pytest.raises(ShapeError, match=r"\(12, 10, 8\), got \(8, 10, 12\)"):
        session.set_target((8, 10, 12), np.dtype("uint8"))
    session.set_target(SHAPE, np.dtype("uint8"))
    with pytest.raises(ShapeError, match=r"\(12, 10, 8\), got \(8, 10, 12\)"):
        session.start_from(np.zeros((8, 10, 12)), run=False)
