import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medloop.core.errors import CancelledError, InputError, LabelError, NotFoundError, ShapeError, StateError
from medloop.core.geometry import Grid
from medloop.core.image import Image
from medloop.interaction.prompts import Box, Lasso, Point, Scribble, exact_voxels
from medloop.interaction.sessions.session import Session
from medloop.interaction.sessions.session_log import replay_session, restore_session, session_to_json

from ..engines import BallEngine, WildEngine
from ..made_up import LABELS, images, prompts

ENGINES = st.sampled_from([BallEngine(), WildEngine()])


def line(length=9, **options):
    """A session on a line of voxels, 1 mm each."""
    image = Image(np.zeros((1, length, 1, 1)), Grid.of_spacing((length, 1, 1), (1, 1, 1)))
    return Session(image, BallEngine(1.0), labels=(1, 2), **options)


def shown(session):
    return session.mask[:, 0, 0].tolist()


@st.composite
def worked_sessions(draw, most=6):
    """A session after some actions, and its mask after each."""
    image, engine = draw(images()), draw(ENGINES)
    locked = draw(st.sampled_from([(), (3,)]))
    base = np.random.default_rng(0).choice(np.array([0, 0, 1, 3], dtype=np.uint8), size=image.grid.shape)
    session = Session(image, engine, labels=LABELS, base=base, locked=locked)
    masks = [session.mask.copy()]
    for _ in range(draw(st.integers(1, most))):
        if act(draw, session):
            masks.append(session.mask.copy())
    return session, masks


def act(draw, session):
    """One more action; False when it was refused."""
    known = [e.item for e in session.entries]
    verb = draw(st.sampled_from(["add", "add", "add", "paint", *(["remove", "replace"] if known else [])]))
    try:
        if verb == "paint":
            start = draw(st.integers(0, session.mask.size - 1))
            session.paint([(start, draw(st.integers(1, session.mask.size - start)), draw(st.sampled_from([0, *LABELS])))])
        elif verb == "remove":
            session.remove(draw(st.sampled_from(known)))
        elif verb == "replace":
            session.replace(draw(st.sampled_from(known)), draw(prompts(session.mask.shape)))
        else:
            session.add(draw(prompts(session.mask.shape)))
    except InputError:
        return False
    return True


def test_a_click_paints_its_ball_and_tells_what_changed():
    session = line()
    change = session.add(Point((4, 0, 0)))
    assert shown(session) == [0, 0, 0, 1, 1, 1, 0, 0, 0]
    assert (change.start, change.stop, change.runs) == ((3, 0, 0), (6, 1, 1), ((3, 3, 1),))
    assert (change.item, change.revision) == (0, 1)


def test_a_removed_prompt_might_as_well_never_have_been_given():
    session, without = line(), line()
    for at in (1, 4, 7):
        session.add(Point((at, 0, 0), label=1 + at % 2))
    session.remove(1)
    for at in (1, 7):
        without.add(Point((at, 0, 0), label=1 + at % 2))
    assert shown(session) == shown(without)
    session.undo()
    assert shown(session) == [2, 2, 2, 1, 1, 1, 2, 2, 2]


def test_an_edited_prompt_might_as_well_have_been_given_so():
    session, straight = line(), line()
    session.add(Point((1, 0, 0)))
    session.add(Point((7, 0, 0)))
    session.replace(0, Point((3, 0, 0), label=2))
    straight.add(Point((3, 0, 0), label=2))
    straight.add(Point((7, 0, 0)))
    assert shown(session) == shown(straight)
    assert [e.item for e in session.entries] == [0, 1]


def test_paint_outlasts_the_prompts_after_it():
    session = line()
    session.paint([(3, 2, 2), (5, 1, 0)])
    session.add(Point((5, 0, 0)))
    assert shown(session) == [0, 0, 0, 2, 2, 1, 1, 0, 0]


def test_a_prompt_stops_at_a_locked_label():
    base = np.array([0, 0, 0, 2, 2, 0, 0, 0, 0], dtype=np.uint8).reshape(9, 1, 1)
    session = line(base=base, locked=[2])
    session.add(Point((5, 0, 0)))
    assert shown(session) == [0, 0, 0, 2, 2, 1, 1, 0, 0]
    refused = (Point((3, 0, 0)), Scribble(((3, 0, 0), (4, 0, 0))), Point((8, 0, 0), label=2), Point((3, 0, 0), label=2, positive=False))
    for prompt in (*refused, Point((0, 0, 0), label=2, positive=False)):
        with pytest.raises(InputError, match="locked label 2"):
            session.add(prompt)
    session.add(Scribble(((4, 0, 0), (7, 0, 0))))
    session.add(Lasso(2, 0, ((1.5, -0.5), (4.5, -0.5), (4.5, 0.5), (1.5, 0.5))))
    assert shown(session)[:8] == [0, 1, 1, 2, 2, 1, 1, 1]
    session.lock([])
    session.add(Point((3, 0, 0)))
    assert shown(session)[3] == 1


@settings(max_examples=40)
@given(st.data(), worked_sessions(most=3))
def test_after_any_prompt_it_is_obeyed_locks_hold_and_nothing_changes_outside_the_box(data, worked):
    session, _ = worked
    before = session.mask.copy()
    prompt = data.draw(prompts(before.shape))
    try:
        change = session.add(prompt)
    except InputError:
        assert np.array_equal(session.mask, before)
        return
    voxels, positive = exact_voxels(prompt, before.shape), getattr(prompt, "positive", True)
    free = ~np.isin(before[tuple(voxels.T)], session.locked)
    free &= not (positive and prompt.label in session.locked)
    assert ((session.mask[tuple(voxels[free].T)] == prompt.label) == positive).all()
    for label in session.locked:
        assert np.array_equal(session.mask == label, before == label)
    outside = np.ones(before.shape, dtype=bool)
    outside[tuple(slice(a, z) for a, z in zip(change.start, change.stop, strict=True))] = False
    assert np.array_equal(session.mask[outside], before[outside])
    replayed = before.ravel(order="F").copy()
    for start, length, value in change.runs:
        replayed[start : start + length] = value
    assert np.array_equal(replayed.reshape(before.shape, order="F"), session.mask)


@settings(max_examples=40)
@given(worked_sessions())
def test_undo_goes_back_bit_by_bit_and_redo_forth(worked):
    session, masks = worked
    assert session.undoable == len(masks) - 1
    for mask in reversed(masks[:-1]):
        session.undo()
        assert np.array_equal(session.mask, mask)
    for mask in masks[1:]:
        session.redo()
        assert np.array_equal(session.mask, mask)
    assert session.redoable == 0


@settings(max_examples=40)
@given(st.data(), worked_sessions())
def test_a_saved_log_gives_the_same_mask_restored_or_replayed(data, worked):
    session, masks = worked
    for _ in range(data.draw(st.integers(0, len(masks) - 1))):
        session.undo()
    record = json.loads(json.dumps(session_to_json(session), allow_nan=False))
    engine = session._engine
    for again in (restore_session(record, session.image, engine), replay_session(record, session.image, [engine])):
        assert np.array_equal(again.mask, session.mask)
        assert json.loads(json.dumps(session_to_json(again))) == record
        while again.redoable:
            again.redo()
        for mask in reversed(masks):
            assert np.array_equal(again.mask, mask)
            if again.undoable:
                again.undo()


def test_a_new_action_forgets_what_was_undone():
    session = line()
    session.add(Point((1, 0, 0)))
    session.undo()
    session.add(Point((7, 0, 0)))
    assert (session.undoable, session.redoable) == (1, 0)
    with pytest.raises(StateError, match="nothing to redo"):
        session.redo()


def test_of_a_large_mask_a_session_stores_runs_only():
    image = Image(np.zeros((1, 64, 64, 64), dtype=np.uint8), Grid.of_spacing((64, 64, 64), (1, 1, 1)))
    session = Session(image, BallEngine(), labels=(1,))
    for k in range(5, 60, 5):
        session.paint([(64 * 64 * k, 64 * 64, 1)])
    assert len(json.dumps(session_to_json(session))) < 3000


def test_a_cancelled_or_refused_prompt_changes_nothing():
    session = line()
    session.add(Point((1, 0, 0)))
    before, revision = shown(session), session.revision
    with pytest.raises(CancelledError):
        session.add(Point((7, 0, 0)), wanted=lambda: False)
    with pytest.raises(CancelledError):
        session.replace(0, Point((2, 0, 0)), wanted=lambda: False)
    for error, prompt in [
        (InputError, Point((9, 0, 0))),
        (InputError, Point((1, 0, 0), positive=False)),
        (LabelError, Point((5, 0, 0), label=7)),
        (InputError, Scribble(())),
        (InputError, Box((0, 0, 0), (0, 1, 1))),
    ]:
        with pytest.raises(error):
            session.add(prompt)
    assert (shown(session), session.revision, session.undoable) == (before, revision, 1)


@pytest.mark.parametrize(
    ("runs", "error"), [([], InputError), ([(8, 2, 1)], InputError), ([(-1, 1, 1)], InputError), ([(0, 1, 9)], LabelError)]
)
def test_paint_outside_the_image_or_of_an_unknown_label_is_refused(runs, error):
    with pytest.raises(error):
        line().paint(runs)


def test_a_gesture_that_is_not_in_force_is_named():
    session = line()
    session.paint([(0, 1, 1)])
    with pytest.raises(NotFoundError, match="No gesture 3"):
        session.remove(3)
    with pytest.raises(InputError, match="paint"):
        session.replace(0, Point((0, 0, 0)))


def test_a_base_or_lock_that_does_not_fit_is_refused():
    with pytest.raises(ShapeError, match="base mask"):
        line(base=np.zeros((8, 1, 1), dtype=np.uint8))
    with pytest.raises(LabelError, match="base mask"):
        line(base=np.full((9, 1, 1), 5, dtype=np.uint8))
    with pytest.raises(LabelError, match="can be locked"):
        line(locked=[4])
