"""Totals that are kept in memory say what adding everything up says, whatever happened in whatever order."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from medloop.core.records import Annotator, Effort, new_id
from medloop.loop.annotating.annotations import open_case, report_effort, skip_case, submit
from medloop.loop.annotating.submission import Submitted
from medloop.loop.annotating.withdrawing import undo_submit
from medloop.loop.foundation.annotators import annotator_named, set_cost
from medloop.loop.foundation.effort import annotator_lines
from medloop.loop.foundation.effort_log import Reported
from medloop.loop.foundation.effort_totals import Totals, counted_work, effort_totals
from medloop.loop.foundation.spent import OWN_ORIGINS, spent
from medloop.loop.foundation.workspace import Workspace
from medloop.store.reader import Reader

from .conftest import MakeWorkspace
from .made_up import case_named

SHAPE = (24, 24, 16)


def added_up(tx: Reader) -> dict[str, Totals]:
    """Every annotation and all work, read and added up person by person."""
    rows, work = tx.annotated_rows(OWN_ORIGINS), spent(tx)
    found = {}
    for who in {row.annotator_id for row in rows} | {one.effort.annotator_id for one in work}:
        made = [row for row in rows if row.annotator_id == who and not row.undone]
        times = [row.seconds for row in made if row.seconds > 0]
        mine = [one for one in work if one.effort.annotator_id == who]
        idle = [one.effort.idle_seconds for one in mine if one.effort.idle_seconds is not None]
        found[who] = Totals(
            annotations=len(made),
            cases=len({row.case_id for row in made}),
            timed=len(times),
            median_seconds=float(np.median(times)) if times else None,
            minutes=math.fsum(one.seconds or 0.0 for one in mine) / 60,
            idle_minutes=math.fsum(idle) / 60 if idle else None,
            cost=math.fsum(one.cost for one in mine),
        )
    return found


def same(kept: dict[str, Totals], whole: dict[str, Totals]) -> bool:
    rows = [(vars(kept.get(who, Totals())), vars(totals)) for who, totals in whole.items()]
    return all(
        ours[name] == (theirs[name] if theirs[name] is None else pytest.approx(theirs[name])) for ours, theirs in rows for name in ours
    )


def stretches(tx: Reader) -> tuple[list, list]:
    """What was done on which case of which round, as kept and as read anew."""
    kept = [(c.case_id, c.round_id or "", round(c.seconds, 6), c.strokes or -1) for c in counted_work(tx)]
    read = [(w.effort.case_id, w.round_id or "", round(w.seconds or 0.0, 6), w.effort.strokes or -1) for w in spent(tx)]
    return sorted(kept), sorted(read)


ACTS = st.lists(
    st.tuples(
        st.sampled_from(["Ann", "Ben"]), st.integers(0, 3), st.sampled_from(["submit", "undo", "skip", "leave", "late", "price", "past"]),
        st.one_of(st.none(), st.floats(1, 5000)), st.booleans(),
    ),
    max_size=10,
)  # fmt: skip


@settings(
    max_examples=10,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(ACTS)
def test_what_is_kept_is_what_everything_adds_up_to_after_every_step(make_workspace: MakeWorkspace, acts) -> None:
    workspace = make_workspace(["train"] * 4, name=new_id("project"))
    for who in ("Ann", "Ben"):
        annotator_named(workspace, who)
    for n, (who, number, act, seconds, looks) in enumerate(acts):
        if act in ("price", "past"):
            set_cost(workspace, who, seconds or 1.0, actor="lead", past=act == "past")
        else:
            reported = Reported(session=f"tab-{n}", active_seconds=seconds, idle_seconds=10.0 * number or None, strokes=number or None)
            work_on(workspace, annotator_named(workspace, who), f"case{number:02d}", act, reported)
        if looks:
            with workspace.store.read() as tx:
                assert same(effort_totals(tx), added_up(tx))
    with workspace.store.read() as tx:
        assert same(effort_totals(tx), added_up(tx))
        kept, read = stretches(tx)
        assert kept == read
    with workspace.store.write("test") as tx:
        assert same(effort_totals(tx), added_up(tx))


def work_on(workspace: Workspace, person: Annotator, case: str, act: str, took: Reported) -> None:
    opened = open_case(workspace, case_named(workspace, case).id, person.id).assignment
    if act == "skip":
        skip_case(workspace, opened.id, reason="unclear", effort=took)
    elif act == "leave":
        report_effort(workspace, opened.id, replace(took, observed=True, idle_seconds=1.0))
    else:
        submit(workspace, opened.id, Submitted(mask=np.ones(SHAPE, np.uint8), effort=took, replace=True))
    if act == "undo":
        undo_submit(workspace, opened.id)
    if act == "late":
        report_effort(workspace, opened.id, replace(took, session="phone", active_seconds=7.0))


def test_a_change_that_was_rolled_back_is_in_no_total(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"] * 2)
    ann = annotator_named(workspace, "Ann")
    work_on(workspace, ann, "case00", "submit", Reported(session="tab", active_seconds=60.0))
    with workspace.store.read() as tx:
        before = effort_totals(tx)
    with pytest.raises(KeyError):
        change_and_give_up(workspace, ann.id)
    with workspace.store.read() as tx:
        assert effort_totals(tx) == before


def change_and_give_up(workspace: Workspace, annotator_id: str) -> None:
    with workspace.store.write("test") as tx:
        effort = tx.effort_log()[0][0]
        tx.change(Effort, effort.id, verb="work", fields={"active_seconds": 9000.0})
        assert effort_totals(tx)[annotator_id].minutes == 150.0
        raise KeyError


def test_a_look_reads_what_is_new_and_not_the_whole_log(make_workspace: MakeWorkspace, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = make_workspace(["train"] * 2)
    ann = annotator_named(workspace, "Ann")
    read: list[int] = []
    real = Reader.effort_log

    def watched(self: Reader, **how: object) -> object:
        found = real(self, **how)  # type: ignore[arg-type]  # as it was called
        read.append(len(found))
        return found

    monkeypatch.setattr(Reader, "effort_log", watched)
    for n in range(4):
        work_on(workspace, ann, f"case0{n % 2}", "late", Reported(session=f"tab-{n}", active_seconds=60.0))
        with workspace.store.read() as tx:
            annotator_lines(tx)
    assert read == [2, 2, 2, 2]
    with workspace.store.read() as tx:
        annotator_lines(tx)
    assert read[-1] == 0
