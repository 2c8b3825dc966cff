"""What the work took: every grouping adds up to the same total, and nothing is lost between rounds."""

import csv
import io
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from medloop.core.records import Annotator, Consensus, new_id, now
from medloop.loop.annotating.adjudicating import Ruling, adjudicate
from medloop.loop.annotating.annotations import flag_case, next_assignment, open_case, report_effort, skip_case, submit
from medloop.loop.annotating.submission import Submitted
from medloop.loop.annotating.withdrawing import undo_submit
from medloop.loop.foundation.annotators import annotator_named, set_cost
from medloop.loop.foundation.effort import effort_summary
from medloop.loop.foundation.effort_log import Reported
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.overview.report import report_html
from medloop.loop.overview.spending import GROUPINGS, OUTSIDE, WorkLine, total_minutes, work_csv, work_lines, work_per_case, work_rows

from .conftest import MakeWorkspace
from .made_up import case_named

SHAPE = (24, 24, 16)


def session(seconds: float | None, name: str = "tab-1", **more: int) -> Reported:
    return Reported(session=name, active_seconds=seconds, **more)


def mask() -> Submitted:
    return Submitted(mask=np.ones(SHAPE, np.uint8))


def test_each_round_has_a_line_per_person_and_what_lies_outside_rounds_its_own(pool: Workspace, ann: Annotator) -> None:
    handed_out = next_assignment(pool, ann.id)
    assert handed_out is not None
    submit(pool, handed_out.assignment.id, replace(mask(), effort=session(60.0, strokes=3, slices_viewed=9)))
    chosen = open_case(pool, case_named(pool, "case05").id, annotator_named(pool, "Ben").id)
    submit(pool, chosen.assignment.id, replace(mask(), effort=session(120.0)))
    first, second = work_lines(pool, "round")
    assert (first.round, first.annotator, first.annotations, first.minutes, first.strokes, first.slices_viewed) == (
        "1",
        ann.name,
        1,
        1.0,
        3,
        9,
    )
    assert (second.round, second.annotator, second.minutes, second.strokes) == (OUTSIDE, "Ben", 2.0, None)
    assert [line.annotator for line in work_lines(pool, "person")] == sorted([ann.name, "Ben"])


def test_what_a_case_takes_is_not_known_before_its_time_is_over(pool: Workspace, ann: Annotator) -> None:
    opened = next_assignment(pool, ann.id)
    assert opened is not None
    report_effort(pool, opened.assignment.id, session(30.0, strokes=2))
    assert work_per_case(pool) == {}
    submit(pool, opened.assignment.id, replace(mask(), effort=session(90.0, strokes=5)))
    assert [(one.cases, one.minutes, one.strokes) for one in work_per_case(pool).values()] == [(1, 1.5, 5.0)] * 2
    open_case(pool, opened.case.id, annotator_named(pool, "Ben").id)
    assert work_per_case(pool)[""].cases == 1  # a second reading in hand takes nothing from the first


def test_an_annotation_has_a_line_with_its_times(pool: Workspace, ann: Annotator) -> None:
    opened = next_assignment(pool, ann.id)
    assert opened is not None
    submit(pool, opened.assignment.id, replace(mask(), effort=replace(session(0.5, undos=1), first_stroke_seconds=0.25, observed=True)))
    (line,) = work_lines(pool, "annotation")
    assert (line.case, line.annotator, line.undos) == (opened.case.name, ann.name, 1)
    assert line.opened_at is not None
    assert line.first_stroke_at is not None
    assert line.submitted_at is not None
    assert line.opened_at <= line.first_stroke_at


def test_without_a_time_minutes_are_unknown_and_not_zero(pool: Workspace, ann: Annotator) -> None:
    opened = next_assignment(pool, ann.id)
    assert opened is not None
    submit(pool, opened.assignment.id, mask())
    (line,) = work_lines(pool, "round")
    assert (line.annotations, line.timed, line.minutes, line.idle_minutes, line.undos) == (1, 0, None, None, None)
    assert "-" in work_rows([line])[1][0]


def test_an_adjudication_is_work_outside_rounds(pool: Workspace, ann: Annotator) -> None:
    opened = next_assignment(pool, ann.id)
    assert opened is not None
    made = submit(pool, opened.assignment.id, replace(mask(), effort=session(60.0)))
    rita = annotator_named(pool, "Rita")
    adjudicate(pool, opened.case.id, rita.id, [Ruling(made.id)], effort=session(30.0))
    lines = {(line.round, line.annotator): line.minutes for line in work_lines(pool, "round")}
    assert lines == {("1", ann.name): 1.0, (OUTSIDE, "Rita"): 0.5}


def test_agreement_and_skill_of_a_round_are_those_of_its_readings(pool: Workspace, ann: Annotator) -> None:
    opened = next_assignment(pool, ann.id)
    assert opened is not None
    first = submit(pool, opened.assignment.id, replace(mask(), effort=session(60.0)))
    ben = annotator_named(pool, "Ben")
    second = submit(pool, open_case(pool, opened.case.id, ben.id).assignment.id, replace(mask(), effort=session(60.0)))
    skills = {a.id: {"value": value, "low": None, "high": None, "annotations": 1} for a, value in ((ann, 0.75), (ben, 0.5))}
    fused = Consensus(
        id=new_id("consensus"), case_id=opened.case.id, method="staple", inputs=(first.id, second.id), annotation_id=second.id,
        skills=skills, agreement=0.625, agreement_by_label={}, created_at=now(),
    )  # fmt: skip
    with pool.store.write("test") as tx:
        tx.add(fused)
    lines = {line.annotator: line for line in work_lines(pool, "round")}
    assert {who: (line.agreement, line.skill, line.shared) for who, line in lines.items()} == {
        ann.name: (0.625, 0.75, 1),
        "Ben": (0.625, 0.5, 1),
    }
    (case,) = work_lines(pool, "case")
    assert (case.agreement, case.skill, case.annotations) == (0.625, None, 2)


def test_names_cannot_become_formulas_or_markup(pool: Workspace) -> None:
    eve = annotator_named(pool, "=HYPERLINK(1) <b>")
    report_effort(pool, open_case(pool, case_named(pool, "case00").id, eve.id).assignment.id, session(60.0))
    (row,) = csv.DictReader(io.StringIO(work_csv(work_lines(pool, "round"))))
    assert row["annotator"] == "'=HYPERLINK(1) <b>"
    assert (row["minutes"], row["strokes"]) == ("1", "")
    assert "<b>" not in report_html(pool)


ACTS = st.lists(
    st.tuples(
        st.sampled_from(["Ann", "Ben"]), st.integers(0, 5), st.sampled_from(["submit", "undo", "skip", "flag", "leave", "twice"]),
        st.one_of(st.none(), st.floats(1, 5000)),
    ),
    max_size=8,
)  # fmt: skip


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ACTS)
def test_every_grouping_adds_up_to_all_work_whatever_became_of_it(make_workspace: MakeWorkspace, acts) -> None:
    workspace, reported = make_workspace(["train"] * 6, name=new_id("project")), 0.0
    for n, (who, number, act, seconds) in enumerate(acts):
        if n == 4:
            set_cost(workspace, acts[0][0], 7.0, actor="lead")
        opened = open_case(workspace, case_named(workspace, f"case{number:02d}").id, annotator_named(workspace, who).id).assignment
        took = session(seconds, f"tab-{n}")
        if act in ("skip", "flag"):
            (skip_case if act == "skip" else flag_case)(workspace, opened.id, reason="unclear", effort=took)
        elif act == "leave":
            report_effort(workspace, opened.id, took)
        else:
            submit(workspace, opened.id, replace(mask(), effort=took, replace=True))
        if act == "undo":
            undo_submit(workspace, opened.id)
        if act == "twice":
            report_effort(workspace, opened.id, took)
        reported += seconds or 0.0
    with workspace.store.read() as tx:
        people = effort_summary(tx)
    for by in GROUPINGS:
        lines = work_lines(workspace, by)
        assert total_minutes(lines) == pytest.approx(reported / 60)
        assert sum(line.cost for line in lines) == pytest.approx(sum(line.cost for line in people))
        assert sum(line.annotations for line in lines) == sum(line.annotations for line in people)
        assert len({(line.round, line.annotator, line.case) for line in lines}) == len(lines) or by == "annotation"


def test_every_field_of_a_line_is_a_column() -> None:
    assert work_csv([]).strip().split(",") == list(WorkLine.__dataclass_fields__)
