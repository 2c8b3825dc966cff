"""Gestures on a draft: one patch each, undone to the bit, and never mixed up."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import count
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import ndimage

from medloop.core.errors import CancelledError, ConflictError, InputError, LabelError, NotFoundError, StateError
from medloop.core.geometry import Grid
from medloop.core.image import Image
from medloop.core.records import Annotation, Annotator, Assignment, Case, PromptRecord
from medloop.interaction.engine import ImageEmbedding, RefinedMask, StillWanted
from medloop.interaction.prompts import Box, Lasso, Point, Prompt, Scribble, exact_voxels
from medloop.interaction.runs import apply_runs, runs_between
from medloop.loop.annotating.annotations import Opened, next_assignment, open_case, submit
from medloop.loop.annotating.drafts import Edit, read_draft, save_patch
from medloop.loop.annotating.open_edit import load_edit
from medloop.loop.annotating.previewing import preview_prompts
from medloop.loop.annotating.prompt_log import gesture_of, in_force, prompt_log
from medloop.loop.annotating.provenance import provenance
from medloop.loop.annotating.refining import Refiner, add_prompt, change_prompt, withdraw_prompt
from medloop.loop.annotating.replaying import standing_strokes
from medloop.loop.annotating.submission import Submitted
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.partial_annotations import SlicePart
from medloop.loop.foundation.workspace import Workspace
from medloop.store.audit import verify

from .conftest import SMALL
from .films import add_film
from .tiny_engine import BallEngine

BALLS = Refiner(BallEngine())
IN_BALL = 33
"""Voxels within distance 2 of a voxel."""


@pytest.fixture
def opened(pool: Workspace, ann: Annotator) -> Opened:
    first = next_assignment(pool, ann.id)
    assert first is not None
    return first


@pytest.fixture
def assignment_id(opened: Opened) -> str:
    return opened.assignment.id


def mask_of(pool: Workspace, assignment_id: str, upto: int | None = None) -> np.ndarray:
    return read_draft(pool, assignment_id, upto=upto).mask


def click(pool: Workspace, assignment_id: str, base: int, voxel: tuple[int, int, int], *, label: int = 1, positive: bool = True):
    return add_prompt(pool, assignment_id, Point(voxel, label, positive), base_revision=base, refiner=BALLS)


def test_a_click_becomes_one_patch_and_one_record(pool: Workspace, assignment_id: str) -> None:
    made = click(pool, assignment_id, 0, (5, 6, 7))
    draft = read_draft(pool, assignment_id)
    assert (made.draft.revision, draft.revision, made.engine, made.quality) == (1, 1, "balls", 0.75)
    assert int(draft.mask.sum()) == IN_BALL
    assert np.array_equal(draft.mask, made.draft.mask)
    with pool.store.read() as tx:
        (record,) = tx.find(PromptRecord, where={"assignment_id": assignment_id})
        verbs = [(event.verb, event.noun) for event in tx.events()[-3:]]
    assert (record.id, record.revision, record.withdrawn) == (made.prompt_ids[0], 1, None)
    assert gesture_of(record) == Point((5, 6, 7))
    assert verbs == [("edit", "patch"), ("edit", "assignment"), ("refine", "prompt")]
    assert verify(pool.store).ok


def test_gesture_and_effect_are_saved_together_or_not_at_all(pool: Workspace, assignment_id: str) -> None:
    def brush_meanwhile(_wanted: StillWanted) -> None:
        save_patch(pool, assignment_id, Edit(0, [(0, 1, 1)]))

    refiner = Refiner(BallEngine(brush_meanwhile))
    with pytest.raises(ConflictError, match="revision 1"):
        add_prompt(pool, assignment_id, Point((5, 5, 5)), base_revision=0, refiner=refiner)
    with pool.store.read() as tx:
        assert tx.count(PromptRecord) == 0
    assert int(mask_of(pool, assignment_id).sum()) == 1


@pytest.mark.parametrize(
    ("prompt", "error", "says"),
    [
        (Point((24, 0, 0)), InputError, "within the image"),
        (Point((0, -1, 0)), InputError, "within the image"),
        (Scribble(()), InputError, "must hold voxels"),
        (Box((3, 3, 3), (3, 5, 5)), InputError, "within the image"),
        (Lasso(2, 16, ((0, 0), (1, 0), (0, 1))), InputError, "on a slice"),
        (Point((1, 1, 1), label=7), LabelError, "got 7"),
        (Point((5, 6, 7), positive=False), InputError, "contradict at voxel"),
        (Point((5, 6, 7), label=2), InputError, "contradict at voxel"),
    ],
)
def test_a_gesture_that_cannot_be_obeyed_is_refused_and_nothing_is_saved(
    pool: Workspace, assignment_id: str, prompt: Prompt, error: type[Exception], says: str
) -> None:
    click(pool, assignment_id, 0, (5, 6, 7))
    with pytest.raises(error, match=says):
        add_prompt(pool, assignment_id, prompt, base_revision=1, refiner=BALLS)
    assert read_draft(pool, assignment_id).revision == 1


def test_an_image_that_changed_is_refused(pool: Workspace, opened: Opened) -> None:
    other = Image(np.zeros((1, 24, 24, 15), np.float32), Grid((24, 24, 15), np.eye(4)))
    refiner = replace(BALLS, embedding=BALLS.engine.embed(other))
    with pytest.raises(InputError, match="open the case again: its image changed"):
        add_prompt(pool, opened.assignment.id, Point((1, 1, 1)), base_revision=0, refiner=refiner)


def test_an_older_revision_a_closed_case_and_a_cancelled_wish_are_refused(pool: Workspace, assignment_id: str) -> None:
    click(pool, assignment_id, 0, (5, 5, 5))
    with pytest.raises(ConflictError, match="revision 1"):
        click(pool, assignment_id, 0, (9, 9, 9))
    with pytest.raises(CancelledError):
        add_prompt(pool, assignment_id, Point((9, 9, 9)), base_revision=1, refiner=replace(BALLS, wanted=lambda: False))
    submit(pool, assignment_id, Submitted())
    with pytest.raises(StateError):
        click(pool, assignment_id, 1, (9, 9, 9))


def test_undo_and_redo_are_patches_that_take_the_gesture_along(pool: Workspace, assignment_id: str) -> None:
    before = mask_of(pool, assignment_id)
    made = click(pool, assignment_id, 0, (5, 5, 5))
    forward, inverse = made.runs, runs_between(made.draft.mask, before)
    (named,) = made.prompt_ids
    for base in (1, 3, 5):
        assert save_patch(pool, assignment_id, Edit(base, inverse, withdraws=[named])) == base + 1
        assert np.array_equal(mask_of(pool, assignment_id), before)
        assert force(pool, assignment_id) == []
        save_patch(pool, assignment_id, Edit(base + 1, forward, restores=[named]))
        assert np.array_equal(mask_of(pool, assignment_id), made.draft.mask)
        assert force(pool, assignment_id) == [Point((5, 5, 5))]
    with pool.store.read() as tx:
        log = prompt_log(tx, assignment_id)
    assert [(r.revision, r.withdrawn) for r in log] == [(1, 2), (3, 4), (5, 6), (7, None)]
    assert verify(pool.store).ok


def force(pool: Workspace, assignment_id: str) -> list[Prompt]:
    with pool.store.read() as tx:
        return [gesture_of(record) for record in in_force(prompt_log(tx, assignment_id))]


def test_taking_back_twice_changes_nothing_and_an_unknown_prompt_is_not_found(pool: Workspace, assignment_id: str) -> None:
    (named,) = click(pool, assignment_id, 0, (5, 5, 5)).prompt_ids
    save_patch(pool, assignment_id, Edit(1, [], withdraws=[named]))
    save_patch(pool, assignment_id, Edit(2, [], withdraws=[named]))
    with pytest.raises(NotFoundError, match="no prompt 'prompt-x'"):
        save_patch(pool, assignment_id, Edit(3, [(0, 1, 1)], withdraws=["prompt-x"]))
    assert read_draft(pool, assignment_id).revision == 3
    with pytest.raises(NotFoundError, match="taken back already"):
        withdraw_prompt(pool, assignment_id, named, base_revision=3, refiner=BALLS)


def test_any_gesture_can_be_removed_and_the_others_are_answered_anew(pool: Workspace, assignment_id: str) -> None:
    first = click(pool, assignment_id, 0, (5, 5, 5)).prompt_ids[0]
    click(pool, assignment_id, 1, (15, 15, 8))
    gone = withdraw_prompt(pool, assignment_id, first, base_revision=2, refiner=BALLS)
    assert (gone.prompt_ids, gone.draft.revision) == ((), 3)
    assert np.array_equal(gone.draft.mask, expected(Point((15, 15, 8))))
    assert np.array_equal(mask_of(pool, assignment_id), gone.draft.mask)
    last = withdraw_prompt(pool, assignment_id, only(pool, assignment_id), base_revision=3, refiner=BALLS)
    assert not last.draft.mask.any()
    assert last.engine == ""


def only(pool: Workspace, assignment_id: str) -> str:
    with pool.store.read() as tx:
        (record,) = in_force(prompt_log(tx, assignment_id))
    return record.id


def expected(*prompts: Prompt) -> np.ndarray:
    image = Image(np.zeros((1, *SMALL), np.float32), Grid(SMALL, np.eye(4)))
    return BallEngine().refine(BallEngine().embed(image), prompts, labels=(1, 2)).mask


def test_a_changed_gesture_keeps_its_place_and_the_brush_keeps_its_strokes(pool: Workspace, assignment_id: str) -> None:
    first = click(pool, assignment_id, 0, (5, 5, 5)).prompt_ids[0]
    click(pool, assignment_id, 1, (6, 5, 5), label=2)
    stroke = [(0, 3, 2), (int(np.ravel_multi_index((5, 7, 5)[::-1], SMALL[::-1])), 1, 0)]  # one within the first ball
    save_patch(pool, assignment_id, Edit(2, stroke))
    changed = change_prompt(pool, assignment_id, first, Point((5, 6, 5)), base_revision=3, refiner=BALLS)
    wanted = expected(Point((5, 6, 5)), Point((6, 5, 5), 2))
    assert force(pool, assignment_id) == [Point((5, 6, 5)), Point((6, 5, 5), 2)]
    assert np.array_equal(changed.draft.mask, apply_runs(wanted, tuple(stroke)))
    assert np.array_equal(mask_of(pool, assignment_id), changed.draft.mask)


def test_the_brush_overrules_an_earlier_hint_and_a_new_hint_overrules_the_brush(pool: Workspace, assignment_id: str) -> None:
    click(pool, assignment_id, 0, (5, 5, 5))
    save_patch(pool, assignment_id, Edit(1, runs_between(mask_of(pool, assignment_id), np.zeros(SMALL, np.uint8))))
    add_prompt(pool, assignment_id, Lasso(2, 3, ((10, 10), (14, 10), (14, 14), (10, 14))), base_revision=2, refiner=BALLS)
    assert not mask_of(pool, assignment_id)[5, 5, 5]
    save_patch(pool, assignment_id, Edit(3, runs_between(mask_of(pool, assignment_id), np.zeros(SMALL, np.uint8))))
    click(pool, assignment_id, 4, (12, 12, 12))
    assert not mask_of(pool, assignment_id)[12, 12, 3], "erased from the lasso"
    click(pool, assignment_id, 5, (5, 5, 5), positive=False)
    click(pool, assignment_id, 6, (12, 12, 3))
    assert mask_of(pool, assignment_id)[12, 12, 3] == 1


def test_locked_labels_stay_as_they_are(pool: Workspace, assignment_id: str) -> None:
    click(pool, assignment_id, 0, (5, 5, 5), label=2)
    held = mask_of(pool, assignment_id) == 2
    add_prompt(pool, assignment_id, Point((8, 5, 5)), base_revision=1, refiner=BALLS, locked=(2,))
    after = mask_of(pool, assignment_id)
    assert np.array_equal(after == 2, held)
    assert after[8, 5, 5] == 1
    for prompt in (Point((5, 5, 5)), Point((12, 12, 12), label=2), Scribble(((5, 5, 5), (5, 6, 5)))):
        with pytest.raises(InputError, match="unlock it first"):
            add_prompt(pool, assignment_id, prompt, base_revision=2, refiner=BALLS, locked=(2,))
    with pytest.raises(LabelError, match="may be locked"):
        add_prompt(pool, assignment_id, Point((12, 12, 12)), base_revision=2, refiner=BALLS, locked=(9,))
    gone = withdraw_prompt(pool, assignment_id, only_of_label(pool, assignment_id, 2), base_revision=2, refiner=BALLS, locked=(2,))
    assert np.array_equal(gone.draft.mask == 2, held)


def only_of_label(pool: Workspace, assignment_id: str, label: int) -> str:
    with pool.store.read() as tx:
        return next(r.id for r in in_force(prompt_log(tx, assignment_id)) if r.prompt["label"] == label)


def test_gestures_whose_answer_was_cancelled_are_saved_with_the_next_one(pool: Workspace, assignment_id: str) -> None:
    made = add_prompt(pool, assignment_id, Point((9, 9, 9)), base_revision=0, refiner=BALLS, earlier=[Point((5, 5, 5))])
    assert len(made.prompt_ids) == 2
    assert force(pool, assignment_id) == [Point((5, 5, 5)), Point((9, 9, 9))]
    assert np.array_equal(mask_of(pool, assignment_id), expected(Point((5, 5, 5)), Point((9, 9, 9))))


VOXELS = st.tuples(*(st.integers(0, n - 1) for n in SMALL))
LABELS = st.sampled_from([1, 2])


def stroke(start: tuple[int, int, int], length: int, label: int) -> Scribble:
    return Scribble(tuple((start[0], start[1], k) for k in range(start[2], min(SMALL[2], start[2] + length))), label)


def box(a: tuple[int, int, int], b: tuple[int, int, int], label: int) -> Box:
    low, high = np.minimum(a, b).tolist(), (np.maximum(a, b) + 1).tolist()
    return Box((low[0], low[1], low[2]), (high[0], high[1], high[2]), label)


POINTS = st.builds(Point, VOXELS, LABELS, st.booleans())
SCRIBBLES = st.builds(stroke, VOXELS, st.integers(1, 6), LABELS)
BOXES = st.builds(box, VOXELS, VOXELS, LABELS)
ACTS = st.lists(st.one_of(POINTS, SCRIBBLES, BOXES, st.sampled_from(["undo", "brush", "remove"])), min_size=2, max_size=8)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)
@given(acts=ACTS)
def test_every_state_comes_back_and_the_log_replays_to_the_same_mask(pool: Workspace, ann: Annotator, acts: list) -> None:
    opened = open_fresh(pool, ann)
    states, done = [opened_mask(pool, opened)], []
    for act in acts:
        base = len(states) - 1
        try:
            if act == "brush":
                save_patch(pool, opened, Edit(base, [(100 * base, 40, 1 + base % 2)]))
            elif act == "undo":
                named, before = done.pop() if done else ([], states[-1])
                save_patch(pool, opened, Edit(base, runs_between(states[-1], before), withdraws=named))
                assert np.array_equal(mask_of(pool, opened), before)
            elif act == "remove":
                withdraw_prompt(pool, opened, only_latest(pool, opened), base_revision=base, refiner=BALLS)
                done.clear()
            else:
                made = add_prompt(pool, opened, act, base_revision=base, refiner=BALLS)
                done.append((made.prompt_ids, states[-1]))
                hinted = exact_voxels(act, SMALL)
                assert ((made.draft.mask[tuple(hinted.T)] == act.label) == getattr(act, "positive", True)).all()
        except (InputError, NotFoundError):
            continue
        if act == "brush":
            done.clear()
        states.append(mask_of(pool, opened))
    for revision, state in enumerate(states):
        assert np.array_equal(mask_of(pool, opened, upto=revision), state)


def open_fresh(pool: Workspace, ann: Annotator) -> str:
    with pool.store.read() as tx:
        case = tx.find(Case, limit=1)[0]
    opened = open_case(pool, case.id, ann.id)
    if opened.assignment.revision:
        submit(pool, opened.assignment.id, Submitted())
        opened = open_case(pool, case.id, ann.id)
    return opened.assignment.id


def opened_mask(pool: Workspace, assignment_id: str) -> np.ndarray:
    return mask_of(pool, assignment_id)


def only_latest(pool: Workspace, assignment_id: str) -> str:
    with pool.store.read() as tx:
        records = in_force(prompt_log(tx, assignment_id))
    return records[0].id if records else "prompt-none"


def test_an_answer_says_which_prompts_led_to_it_and_what_they_touched(pool: Workspace, assignment_id: str) -> None:
    taken = click(pool, assignment_id, 0, (15, 15, 8))
    save_patch(pool, assignment_id, Edit(1, runs_between(taken.draft.mask, np.zeros(SMALL, np.uint8)), withdraws=taken.prompt_ids))
    kept = click(pool, assignment_id, 2, (5, 5, 5))
    save_patch(pool, assignment_id, Edit(3, [(0, 4, 2)]))
    save_patch(pool, assignment_id, Edit(4, [(200, 9, 2)]))
    save_patch(pool, assignment_id, Edit(5, [(200, 9, 0)]))
    annotation = submit(pool, assignment_id, Submitted())
    with pool.store.read() as tx:
        made = provenance(tx, annotation)
    assert made is not None
    assert (made.prompt_ids, made.withdrawn_prompts) == (kept.prompt_ids, 1)
    assert made.parts == {
        "prompt": {"voxels": IN_BALL, "labels": {"1": IN_BALL}, "start": [3, 3, 3], "stop": [8, 8, 8]},
        "brush": {"voxels": 4, "labels": {"2": 4}, "start": [0, 0, 0], "stop": [4, 1, 1]},
    }


def test_a_mask_made_elsewhere_says_so_and_a_part_is_told_like_a_whole(pool: Workspace, assignment_id: str) -> None:
    made = click(pool, assignment_id, 0, (5, 5, 5))
    mask = made.draft.mask.copy()
    mask[20, 20, 10] = 2
    part = submit(pool, assignment_id, Submitted(parts=[SlicePart(2, 5)], mask=mask))
    with pool.store.read() as tx:
        told = provenance(tx, part)
    assert told is not None
    assert {hand: part["voxels"] for hand, part in told.parts.items()} == {"prompt": IN_BALL, "elsewhere": 1}


def test_two_people_who_refine_the_same_case_do_not_mix(pool: Workspace, opened: Opened) -> None:
    other = open_case(pool, opened.case.id, annotator_named(pool, "other").id)
    both = threading.Barrier(2, timeout=30)
    refiner = Refiner(BallEngine(lambda _wanted: both.wait() and None))
    asked = [(opened.assignment.id, Point((5, 5, 5))), (other.assignment.id, Point((15, 15, 8)))]
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(lambda ask: add_prompt(pool, ask[0], ask[1], base_revision=0, refiner=refiner), asked))
    for assignment_id, prompt in asked:
        assert np.array_equal(mask_of(pool, assignment_id), expected(prompt))
        assert force(pool, assignment_id) == [prompt]


def painted_and_wild(pool: Workspace, assignment_id: str) -> np.ndarray:
    """A painted block, and a click beside it answered by an engine that would change everything."""
    block = tuple((int(np.ravel_multi_index((k, j, 4), SMALL[::-1])), 8, 1) for k in range(4, 10) for j in range(4, 12))
    save_patch(pool, assignment_id, Edit(0, block))
    return mask_of(pool, assignment_id) == 1


def test_a_click_beside_painted_voxels_leaves_them_whatever_the_engine_wants(pool: Workspace, assignment_id: str) -> None:
    painted = painted_and_wild(pool, assignment_id)
    for base, prompt in enumerate((Point((8, 8, 12)), Point((14, 8, 7), label=2), Point((8, 8, 7), positive=False)), start=1):
        add_prompt(pool, assignment_id, prompt, base_revision=base, refiner=Refiner(Everything()))
    after = mask_of(pool, assignment_id)
    assert after[8, 8, 7] == 0, "hinted at"
    painted[8, 8, 7] = False
    assert (after[painted] == 1).all()


class Everything(BallEngine):
    """Gives every voxel the last prompt's label, or takes it from all."""

    def refine(self, embedding: ImageEmbedding, prompts: Sequence[Prompt], **how: Any) -> RefinedMask:
        answer = super().refine(embedding, prompts, **how)
        last = prompts[-1]
        mask = np.full_like(answer.mask, last.label if getattr(last, "positive", True) else 0)
        return replace(answer, mask=mask, start=(0, 0, 0), stop=SMALL)


def test_a_stroke_that_was_undone_protects_nothing(pool: Workspace, assignment_id: str) -> None:
    stroke = [(int(np.ravel_multi_index((7, 5, 4), SMALL[::-1])), 3, 1)]
    save_patch(pool, assignment_id, Edit(0, stroke))
    save_patch(pool, assignment_id, Edit(1, [(start, length, 0) for start, length, _ in stroke]))
    click(pool, assignment_id, 2, (5, 4, 7))
    assert np.array_equal(mask_of(pool, assignment_id), expected(Point((5, 4, 7))))


def test_a_prompt_between_strokes_over_the_same_voxels_is_none_of_them(pool: Workspace, assignment_id: str) -> None:
    first = [(int(np.ravel_multi_index((7, 5, 4), SMALL[::-1])), 3, 1)]
    save_patch(pool, assignment_id, Edit(0, first))
    click(pool, assignment_id, 1, (5, 4, 7))
    save_patch(pool, assignment_id, Edit(2, [(first[0][0], 3, 2)]))
    with pool.store.read() as tx:
        standing, undone = standing_strokes(load_edit(tx, tx.get(Assignment, assignment_id), pool.store.blobs))
    assert [patch.revision for patch in standing] == [1, 3]
    assert undone == []


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)
@given(data=st.data())
def test_taking_back_or_editing_in_the_middle_equals_the_replay_without_it(pool: Workspace, data: st.DataObject) -> None:
    opened = open_by_another(pool)
    acts = data.draw(st.lists(st.one_of(POINTS, SCRIBBLES, BOXES, STROKES), min_size=2, max_size=6))
    done, ids = [], []
    for act in acts:
        try:
            ids.append(do(pool, opened, act))
            done.append(act)
        except InputError:
            continue
    prompts = [n for n, act in enumerate(done) if not isinstance(act, list)]
    for _ in range(2 if prompts else 0):
        at = data.draw(st.sampled_from(prompts))
        fresh = data.draw(st.one_of(st.none(), POINTS))
        base, refiner = revision_of(pool, opened), Refiner(NEARBY)
        try:
            if fresh is None:
                withdraw_prompt(pool, opened, ids[at], base_revision=base, refiner=refiner)
                done = [*done[:at], *done[at + 1 :]]
                ids = [*ids[:at], *ids[at + 1 :]]
            else:
                ids[at] = change_prompt(pool, opened, ids[at], fresh, base_revision=base, refiner=refiner).prompt_ids[0]
                done[at] = fresh
        except InputError:
            return
        other = open_by_another(pool)
        for act in done:
            do(pool, other, act)
        assert np.array_equal(mask_of(pool, other), mask_of(pool, opened))
        prompts = [n for n, act in enumerate(done) if not isinstance(act, list)]
        if not prompts:
            return


OTHERS = count()


def open_by_another(pool: Workspace) -> str:
    with pool.store.read() as tx:
        case = tx.find(Case, limit=1)[0]
    return open_case(pool, case.id, annotator_named(pool, f"reader {next(OTHERS)}").id).assignment.id


class Nearby(BallEngine):
    """Looks at the mask as it stands: what it answers depends on everything before."""

    def refine(self, embedding: ImageEmbedding, prompts: Sequence[Prompt], **how: Any) -> RefinedMask:
        answer = super().refine(embedding, prompts, **how)
        spread = ndimage.grey_dilation(answer.mask, size=3)
        mask = np.where(answer.mask == 0, spread, answer.mask)
        return replace(answer, mask=mask, start=(0, 0, 0), stop=SMALL)


NEARBY = Nearby()
STROKES = st.builds(
    lambda start, length, value: [(start, length, value)], st.integers(0, 9000), st.integers(1, 200), st.sampled_from([0, 1, 2])
)


def do(pool: Workspace, assignment_id: str, act: Prompt | list[tuple[int, int, int]]) -> str:
    base = revision_of(pool, assignment_id)
    if isinstance(act, list):
        save_patch(pool, assignment_id, Edit(base, act))
        return ""
    return add_prompt(pool, assignment_id, act, base_revision=base, refiner=Refiner(NEARBY)).prompt_ids[0]


def revision_of(pool: Workspace, assignment_id: str) -> int:
    return read_draft(pool, assignment_id).revision


@pytest.mark.parametrize("change", ["add", "withdraw", "change"])
def test_a_case_that_another_window_submits_while_an_engine_works_keeps_what_was_submitted(
    pool: Workspace, assignment_id: str, change: str
) -> None:
    first = click(pool, assignment_id, 0, (5, 6, 7))
    click(pool, assignment_id, 1, (15, 6, 7))
    given: list[Annotation] = []

    def other_window(_wanted: StillWanted) -> None:
        if not given:
            given.append(submit(pool, assignment_id, Submitted(revision=2)))

    slow, point, known = Refiner(BallEngine(other_window)), Point((9, 9, 9)), first.prompt_ids[0]
    changes = {
        "add": lambda: add_prompt(pool, assignment_id, point, base_revision=2, refiner=slow),
        "withdraw": lambda: withdraw_prompt(pool, assignment_id, known, base_revision=2, refiner=slow),
        "change": lambda: change_prompt(pool, assignment_id, known, point, base_revision=2, refiner=slow),
    }
    with pytest.raises(StateError, match="submitted"):
        changes[change]()
    with pool.store.read() as tx:
        told, log = provenance(tx, given[0]), prompt_log(tx, assignment_id)
    assert told is not None
    assert set(told.prompt_ids) == {record.id for record in in_force(log)}
    assert len(log) == 2
    assert verify(pool.store).ok


def test_on_a_film_a_prompt_changes_its_frame_only_and_one_over_several_is_refused_everywhere(pool: Workspace, ann: Annotator) -> None:
    assignment = open_case(pool, add_film(pool).id, ann.id).assignment
    begun = read_draft(pool, assignment.id).mask
    made = add_prompt(pool, assignment.id, Point((5, 5, 3)), base_revision=0, refiner=BALLS)
    assert np.flatnonzero((made.draft.mask != begun).any(axis=(0, 1))).tolist() == [3]
    over = Box((2, 2, 1), (6, 6, 4))
    for refused in (
        lambda: add_prompt(pool, assignment.id, over, base_revision=1, refiner=BALLS),
        lambda: add_prompt(pool, assignment.id, Point((8, 8, 5)), earlier=[over], base_revision=1, refiner=BALLS),
        lambda: change_prompt(pool, assignment.id, made.prompt_ids[0], over, base_revision=1, refiner=BALLS),
        lambda: preview_prompts(pool, assignment.id, [over], base_revision=1, refiner=BALLS),
    ):
        with pytest.raises(InputError, match=r"over frames 2 to 4 \(box\)"):
            refused()
    assert read_draft(pool, assignment.id).revision == 1
    withdraw_prompt(pool, assignment.id, made.prompt_ids[0], base_revision=1, refiner=BALLS)
    np.testing.assert_array_equal(read_draft(pool, assignment.id).mask, begun)
