"""Which edits of a draft are in force, against a replay that keeps every state."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from medloop.core.records import DraftPatch
from medloop.interaction.runs import put_runs
from medloop.loop.annotating.touching import edits_in_force, state_of

SHAPE = (3, 2, 2)
Runs = list[tuple[int, int, int]]
RUNS = st.lists(st.tuples(st.integers(0, 8), st.integers(1, 4), st.integers(0, 2)), max_size=3)


def patches(*drawn: Runs) -> list[DraftPatch]:
    return [DraftPatch(id=str(n), assignment_id="a", revision=n, runs=tuple(runs), created_at="") for n, runs in enumerate(drawn, start=1)]


def those_in_force(base: np.ndarray, drawn: list[DraftPatch]) -> list[str]:
    """The same rule over whole masks: a state that comes back drops what led away from it."""
    flat = base.ravel(order="F").copy()
    states, kept = [flat.copy()], list[str]()
    for patch in drawn:
        put_runs(flat, patch.runs)
        back = next((n for n, state in enumerate(states) if np.array_equal(state, flat)), None)
        if back is None:
            states.append(flat.copy())
            kept.append(patch.id)
        else:
            del states[back + 1 :], kept[back:]
    return kept


@given(st.lists(RUNS, max_size=8), st.lists(st.integers(0, 2), min_size=12, max_size=12))
def test_edits_in_force_are_those_of_a_replay_that_keeps_every_state(drawn: list[Runs], values: list[int]) -> None:
    base = np.array(values, dtype=np.uint8).reshape(SHAPE, order="F")
    done = patches(*drawn)
    found = edits_in_force(base, done)
    assert [p.id for p in found.patches] == those_in_force(base, done)
    final = base.ravel(order="F").copy()
    for patch in done:
        put_runs(final, patch.runs)
    assert found.states[-1] == state_of(base, final.reshape(SHAPE, order="F"))


def test_strokes_taken_back_one_after_the_other_leave_nothing() -> None:
    base = np.zeros(SHAPE, dtype=np.uint8)
    strokes: list[Runs] = [[(0, 1, 1)], [(1, 1, 1)], [(1, 1, 0)], [(2, 1, 1)], [(2, 1, 0)], [(0, 1, 0)]]
    assert edits_in_force(base, patches(*strokes)).patches == []
