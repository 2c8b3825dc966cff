"""Previews of prompts: nothing is saved until they are accepted, and then exactly what was shown."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from medloop.core.errors import ConflictError, InputError, LabelError
from medloop.core.records import Annotator, PromptRecord
from medloop.interaction.prompts import Lasso, Point, Prompt, Scribble
from medloop.interaction.runs import apply_runs
from medloop.loop.annotating.annotations import next_assignment
from medloop.loop.annotating.drafts import Edit, read_draft, save_patch
from medloop.loop.annotating.previewing import Preview, Shown, accept_prompts, preview_prompts
from medloop.loop.annotating.prompt_log import in_force, prompt_log
from medloop.loop.annotating.refining import Refiner, add_prompt, withdraw_prompt
from medloop.loop.foundation.workspace import Workspace
from medloop.store.audit import verify

from .tiny_engine import BallEngine

BALLS = Refiner(BallEngine())
ON, OFF, FAR = Point((5, 5, 4)), Point((6, 5, 4), positive=False), Point((2, 2, 2), label=2)


@pytest.fixture
def assignment_id(pool: Workspace, ann: Annotator) -> str:
    opened = next_assignment(pool, ann.id)
    assert opened is not None
    return opened.assignment.id


def previewed(pool: Workspace, assignment_id: str, *prompts: Prompt, base: int = 0, refiner: Refiner = BALLS, **more) -> Preview:
    return preview_prompts(pool, assignment_id, prompts, base_revision=base, refiner=refiner, **more)


def accepted(pool: Workspace, assignment_id: str, preview: Preview, refiner: Refiner = BALLS, *, at_hand: bool = False):
    base, shown = preview.before.revision, Shown(preview.effect, preview if at_hand else None)
    return accept_prompts(pool, assignment_id, preview.prompts, shown, base_revision=base, refiner=refiner, locked=preview.locked)


def test_a_preview_saves_nothing_and_names_what_it_shows(pool: Workspace, assignment_id: str) -> None:
    with pool.store.read() as tx:
        events = len(list(tx.events()))
    preview = previewed(pool, assignment_id, ON)
    assert apply_runs(preview.before.mask, preview.runs)[5, 5, 4] == 1
    with pool.store.read() as tx:
        assert len(list(tx.events())) == events
        assert not prompt_log(tx, assignment_id)
    draft = read_draft(pool, assignment_id)
    assert (draft.revision, draft.mask.any()) == (0, False)


def test_what_is_accepted_is_what_prompts_saved_one_by_one_would_have_made(pool: Workspace, assignment_id: str) -> None:
    shown = previewed(pool, assignment_id, ON, OFF, FAR)
    for base, prompt in enumerate((ON, OFF, FAR)):
        add_prompt(pool, assignment_id, prompt, base_revision=base, refiner=BALLS)
    assert np.array_equal(read_draft(pool, assignment_id).mask, shown.after)


def test_accepting_saves_every_prompt_with_its_own_effect_and_computes_nothing_anew(pool: Workspace, assignment_id: str) -> None:
    asked: list[int] = []
    refiner = Refiner(BallEngine(lambda _wanted: asked.append(1)))
    first = previewed(pool, assignment_id, ON, refiner=refiner)
    second = previewed(pool, assignment_id, ON, OFF, refiner=refiner, known=first)
    made = accepted(pool, assignment_id, second, refiner, at_hand=True)
    draft = read_draft(pool, assignment_id)
    assert (len(asked), made.draft.revision, draft.revision) == (2, 2, 2)
    assert np.array_equal(draft.mask, second.after)
    assert np.array_equal(read_draft(pool, assignment_id, upto=1).mask, first.after)
    with pool.store.read() as tx:
        assert [record.id for record in in_force(prompt_log(tx, assignment_id))] == list(made.prompt_ids)
    assert verify(pool.store).ok


def test_an_engine_that_answers_otherwise_by_now_saves_nothing(pool: Workspace, assignment_id: str) -> None:
    shown = previewed(pool, assignment_id, ON)
    with pytest.raises(ConflictError, match="differently by now"):
        accept_prompts(pool, assignment_id, [FAR], Shown(shown.effect), base_revision=0, refiner=BALLS)
    with pytest.raises(ConflictError):
        accepted(pool, assignment_id, replace(shown, locked=(1,), prompts=(Point((5, 5, 4), label=2),)))
    assert read_draft(pool, assignment_id).revision == 0


def test_a_preview_of_an_older_draft_is_not_accepted_on_a_newer_one(pool: Workspace, assignment_id: str) -> None:
    shown = previewed(pool, assignment_id, ON)
    save_patch(pool, assignment_id, Edit(0, ((0, 3, 1),)))
    with pytest.raises(ConflictError):
        accepted(pool, assignment_id, shown, at_hand=True)
    again = previewed(pool, assignment_id, ON, base=1, known=shown)
    assert again.before.revision == 1, "what was known of another draft is not used"
    assert again.after.ravel(order="F")[:3].tolist() == [1, 1, 1]


def test_locks_hold_in_previews(pool: Workspace, assignment_id: str) -> None:
    save_patch(pool, assignment_id, Edit(0, ((0, read_draft(pool, assignment_id).mask.size // 4, 2),)))
    shown = previewed(pool, assignment_id, Scribble(((5, 5, 3), (5, 5, 5))), base=1, locked=(2,))
    assert np.array_equal(shown.after == 2, shown.before.mask == 2)
    assert (shown.after == 1).any()
    with pytest.raises(InputError, match="locked"):
        previewed(pool, assignment_id, FAR, base=1, locked=(2,))
    with pytest.raises(LabelError):
        previewed(pool, assignment_id, ON, base=1, locked=(9,))


def test_painted_voxels_stay_until_a_prompt_of_the_preview_speaks_of_them(pool: Workspace, assignment_id: str) -> None:
    painted = int(np.ravel_multi_index((5, 5, 4), read_draft(pool, assignment_id).mask.shape, order="F"))
    save_patch(pool, assignment_id, Edit(0, ((painted, 1, 2),)))
    beside = previewed(pool, assignment_id, Point((6, 5, 4)), base=1)
    assert beside.after[5, 5, 4] == 2
    on = previewed(pool, assignment_id, ON, Point((6, 5, 4)), base=1)
    assert on.after[5, 5, 4] == 1


def test_a_prompt_of_an_accepted_preview_can_be_taken_back_alone(pool: Workspace, assignment_id: str) -> None:
    made = accepted(pool, assignment_id, previewed(pool, assignment_id, ON, FAR))
    withdraw_prompt(pool, assignment_id, made.prompt_ids[0], base_revision=2, refiner=BALLS)
    assert set(np.unique(read_draft(pool, assignment_id).mask)) == {0, 2}


VOXEL = st.tuples(st.integers(0, 11), st.integers(0, 9), st.integers(0, 7))
PROMPT = st.one_of(
    st.builds(Point, VOXEL, st.sampled_from((1, 2)), st.just(True)),
    st.builds(lambda v, n: Scribble((v, (v[0], v[1], n))), VOXEL, st.integers(0, 7)),
    st.builds(lambda k: Lasso(2, k, ((1.0, 1.0), (7.0, 1.0), (4.0, 7.0))), st.integers(0, 7)),
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(prompts=st.lists(PROMPT, min_size=1, max_size=4, unique_by=lambda p: str(p)))
def test_a_preview_grown_prompt_by_prompt_is_the_one_made_at_once(pool: Workspace, assignment_id: str, prompts: list[Prompt]) -> None:
    grown: Preview | None = None
    try:
        whole = previewed(pool, assignment_id, *prompts)
    except InputError:
        return  # two that contradict each other
    for n in range(len(prompts)):
        grown = previewed(pool, assignment_id, *prompts[: n + 1], known=grown)
    assert grown is not None
    assert grown.effect == whole.effect
    assert np.array_equal(apply_runs(whole.before.mask, whole.runs), whole.after)
    with pool.store.read() as tx:
        assert not tx.find(PromptRecord)
