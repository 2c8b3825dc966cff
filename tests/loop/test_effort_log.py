"""The log of work: sessions add up, reports may come twice or late, and nobody works for longer than the clock goes."""

import math
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medloop.core.errors import InputError
from medloop.core.records import Annotation, Annotator, Assignment, Effort, now
from medloop.loop.annotating.annotations import flag_case, next_assignment, report_effort, submit
from medloop.loop.annotating.submission import Submitted
from medloop.loop.annotating.withdrawing import undo_submit
from medloop.loop.foundation import effort_log
from medloop.loop.foundation.annotators import annotator_named, set_cost
from medloop.loop.foundation.effort import effort_summary
from medloop.loop.foundation.effort_log import Reported, spent_on
from medloop.loop.foundation.spent import RateChange, limit_overlaps, rate_at, spent
from medloop.loop.foundation.workspace import Workspace

from .made_up import add_answer, case_named

SESSION = Reported(session="tab-1", active_seconds=30.0, strokes=4, slices_viewed=7)
HOUR = 3600.0


@pytest.fixture
def opened(pool: Workspace, ann: Annotator) -> Assignment:
    found = next_assignment(pool, ann.id)
    assert found is not None
    return found.assignment


def efforts(workspace: Workspace) -> list[Effort]:
    with workspace.store.read() as tx:
        return tx.find(Effort)


def minutes_of(workspace: Workspace) -> float:
    with workspace.store.read() as tx:
        return sum(line.minutes for line in effort_summary(tx))


def let_pass(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """The clock of this machine as the log reads it, so much later."""
    monkeypatch.setattr(effort_log, "now", lambda: now(timedelta(seconds=seconds)))


def test_a_report_that_comes_twice_or_late_changes_nothing(pool: Workspace, opened: Assignment) -> None:
    assert report_effort(pool, opened.id, SESSION) == 30.0
    assert report_effort(pool, opened.id, SESSION) == 30.0
    assert report_effort(pool, opened.id, replace(SESSION, active_seconds=10.0, strokes=1)) == 30.0
    (kept,) = efforts(pool)
    assert (kept.active_seconds, kept.strokes, kept.slices_viewed, kept.idle_seconds, kept.undos) == (30.0, 4, 7, None, None)


def test_sessions_of_a_draft_add_up_in_its_annotation(pool: Workspace, opened: Assignment) -> None:
    report_effort(pool, opened.id, SESSION)
    made = submit(pool, opened.id, Submitted(effort=replace(SESSION, session="tab-2", active_seconds=12.5)))
    assert made.effort_seconds == 42.5
    assert minutes_of(pool) == pytest.approx(42.5 / 60)


def test_what_a_client_does_not_know_stays_unknown(pool: Workspace, opened: Assignment) -> None:
    submit(pool, opened.id, Submitted(effort=Reported(session="script", strokes=0)))
    (kept,) = efforts(pool)
    assert (kept.active_seconds, kept.strokes, kept.prompts) == (None, 0, None)
    with pool.store.read() as tx:
        (line,) = effort_summary(tx)
    assert (line.annotations, line.timed, line.median_seconds) == (1, 0, None)


@pytest.mark.parametrize("seconds", [None, 0.0])
def test_without_seconds_nothing_is_kept(pool: Workspace, opened: Assignment, seconds: float | None) -> None:
    assert submit(pool, opened.id, Submitted(effort_seconds=seconds)).effort_seconds == 0.0
    assert efforts(pool) == []


@pytest.mark.parametrize(
    "wrong",
    [{"active_seconds": v} for v in (-1.0, math.nan, math.inf, 90_000.0)] + [{"strokes": -1}, {"undos": 10**7}, {"ago_seconds": -1.0}],
)
def test_figures_that_cannot_be_are_refused(pool: Workspace, opened: Assignment, wrong: dict[str, float]) -> None:
    with pytest.raises(InputError, match="Effort lies between"):
        report_effort(pool, opened.id, replace(SESSION, **wrong))
    assert efforts(pool) == []


def test_more_than_passed_since_the_case_was_opened_is_cut_with_a_note(
    pool: Workspace, opened: Assignment, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_pass(monkeypatch, 60)
    assert report_effort(pool, opened.id, replace(SESSION, active_seconds=HOUR, observed=True)) == pytest.approx(62, abs=1)
    (kept,) = efforts(pool)
    assert kept.note.startswith("3600.0 s were reported, 60.")


def test_two_sessions_at_once_share_the_time_that_passed(pool: Workspace, opened: Assignment, monkeypatch: pytest.MonkeyPatch) -> None:
    let_pass(monkeypatch, 100)
    report_effort(pool, opened.id, replace(SESSION, active_seconds=90.0, observed=True))
    assert report_effort(pool, opened.id, replace(SESSION, session="tab-2", active_seconds=90.0, observed=True)) == pytest.approx(
        102, abs=1
    )
    assert "90.0 s of them in other sessions" in efforts(pool)[1].note


def test_a_clock_that_went_back_is_named_and_takes_nothing_away(
    pool: Workspace, opened: Assignment, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_pass(monkeypatch, -HOUR)
    assert report_effort(pool, opened.id, replace(SESSION, observed=True)) == 30.0
    assert "clock went back" in efforts(pool)[0].note


def test_a_day_offline_is_placed_where_it_was(pool: Workspace, opened: Assignment, monkeypatch: pytest.MonkeyPatch) -> None:
    let_pass(monkeypatch, 24 * HOUR)
    report_effort(pool, opened.id, replace(SESSION, active_seconds=HOUR, ago_seconds=20 * HOUR, observed=True))
    (kept,) = efforts(pool)
    hours = [
        (datetime.fromisoformat(str(at)) - datetime.fromisoformat(opened.opened_at)).total_seconds() / HOUR
        for at in (kept.began_at, kept.ended_at)
    ]
    assert (kept.active_seconds, kept.note) == (HOUR, "")
    assert hours == pytest.approx([3.0, 4.0], abs=0.01)


def test_work_that_came_to_nothing_was_spent(pool: Workspace, ann: Annotator, opened: Assignment) -> None:
    submit(pool, opened.id, Submitted(effort=SESSION))
    undo_submit(pool, opened.id)
    assert minutes_of(pool) == pytest.approx(0.5)
    flag_case(pool, opened.id, reason="wrong patient", effort=replace(SESSION, session="tab-2"))
    assert minutes_of(pool) == pytest.approx(1.0)
    other = next_assignment(pool, ann.id)
    assert other is not None
    report_effort(pool, other.assignment.id, SESSION)  # and never submitted
    assert minutes_of(pool) == pytest.approx(1.5)


def test_seconds_from_before_sessions_were_kept_go_on_in_them(pool: Workspace, ann: Annotator, opened: Assignment) -> None:
    before = add_answer(pool, ann, case_named(pool, "case05"), seconds=40.0)
    with pool.store.write("old") as tx:
        tx.add(replace(before, id="annotation-old", assignment_id=opened.id, case_id=opened.case_id, effort_seconds=20.0))
    assert minutes_of(pool) == pytest.approx(1.0)
    assert report_effort(pool, opened.id, SESSION) == 50.0
    assert minutes_of(pool) == pytest.approx(1.5)
    with pool.store.read() as tx:
        assert spent_on(tx, opened) == 50.0


def test_a_changed_rate_leaves_the_past_as_it_was(pool: Workspace, ann: Annotator, opened: Assignment) -> None:
    def cost() -> float:
        with pool.store.read() as tx:
            return sum(work.cost for work in spent(tx))

    report_effort(pool, opened.id, replace(SESSION, active_seconds=60.0))
    assert cost() == pytest.approx(1.0)
    set_cost(pool, ann.name, 2.0, actor="lead")
    assert cost() == pytest.approx(2.0)  # no rate was set until then
    set_cost(pool, ann.name, 5.0, actor="lead")
    assert cost() == pytest.approx(2.0)
    report_effort(pool, opened.id, replace(SESSION, session="tab-2", active_seconds=60.0))
    assert cost() == pytest.approx(7.0)
    set_cost(pool, ann.name, 5.0, actor="lead", past=True)
    assert cost() == pytest.approx(10.0)


def test_rates_by_hand() -> None:
    changes = [RateChange(10, 2.0, False), RateChange(20, 3.0, False), RateChange(30, 4.0, True), RateChange(40, 5.0, False)]
    assert [rate_at(changes[:2], event) for event in (5, 15, 25)] == [2.0, 2.0, 3.0]
    assert [rate_at(changes, event) for event in (5, 25, 35, 45)] == [4.0, 4.0, 4.0, 5.0]
    assert rate_at([], 7) == 1.0


def test_two_people_at_once_both_count(pool: Workspace, opened: Assignment) -> None:
    ben = annotator_named(pool, "Ben")
    theirs = next_assignment(pool, ben.id)
    assert theirs is not None
    for assignment in (opened, theirs.assignment):
        report_effort(pool, assignment.id, SESSION)
    assert minutes_of(pool) == pytest.approx(1.0)


def test_overlaps_by_hand() -> None:
    assert limit_overlaps([(0, 100, 100), (50, 150, 100), (200, 260, 60)]) == pytest.approx([75, 75, 60])
    assert limit_overlaps([(0, 100, 40), (50, 150, 50)]) == [40, 50]  # one at a time, as far as anybody can tell
    assert limit_overlaps([(5, 5, 3.0)]) == [3.0]  # a clock that stood still


SPANS = st.lists(
    st.tuples(st.floats(0, 1000), st.floats(0, 500), st.floats(0, 1)).map(lambda t: (t[0], t[0] + t[1], t[1] * t[2])), max_size=12
)


@given(SPANS, st.randoms(use_true_random=False))
def test_overlapping_work_counts_once_and_in_any_order_the_same(spans: list[tuple[float, float, float]], chance) -> None:
    counted = limit_overlaps(spans)
    assert all(0 <= seconds <= active + 1e-9 for seconds, (_, _, active) in zip(counted, spans, strict=True))
    edges = sorted({edge for begin, end, _ in spans for edge in (begin, end)})
    covered = sum(b - a for a, b in pairwise(edges) if any(s <= a and b <= e for s, e, _ in spans))
    assert sum(counted) <= covered + 1e-6
    order = list(range(len(spans)))
    chance.shuffle(order)
    assert sorted(limit_overlaps([spans[n] for n in order])) == pytest.approx(sorted(counted))


def test_an_annotation_keeps_the_seconds_it_was_submitted_with(pool: Workspace, opened: Assignment) -> None:
    made = submit(pool, opened.id, Submitted(effort=SESSION))
    report_effort(pool, opened.id, replace(SESSION, session="phone"))
    with pool.store.read() as tx:
        assert tx.get(Annotation, made.id).effort_seconds == 30.0
    assert minutes_of(pool) == pytest.approx(1.0)
