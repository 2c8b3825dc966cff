"""Proposals hidden until the first stroke, what the audit keeps of it, and where an open case stands."""

from dataclasses import replace

import pytest

from medloop.core.records import Assignment
from medloop.loop.annotating.annotations import Opened, next_assignment, open_case, report_effort, submit
from medloop.loop.annotating.drafts import Edit, read_draft, save_patch
from medloop.loop.annotating.submission import Submitted
from medloop.loop.foundation.anchoring import first_sights, hidden_proposal, hides_proposal
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.effort_log import Reported
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.overview.case_outlook import case_outlook
from medloop.loop.overview.report import report_html
from medloop.loop.overview.spending import work_lines
from medloop.store.audit import verify

from .conftest import FAST, MakeWorkspace
from .made_up import add_evaluation, add_model, add_prediction, every_case


def proposed(make_workspace: MakeWorkspace, proposals: str, cases: int = 3, evaluated: int = 0, settings=FAST) -> Workspace:
    """Every case with a proposal of one model, which is evaluated on some test patients."""
    workspace = make_workspace(["test"] * evaluated + ["train"] * cases, settings=replace(settings, proposals=proposals))
    model = add_model(workspace, 1)
    for n, case in enumerate(every_case(workspace)):
        add_prediction(workspace, model, case, agreement=(n + 0.5) / 10 if n < evaluated else 0.99, quality=0.8)
    if evaluated:
        add_evaluation(workspace, model, "test", 1, {c.name: (n + 0.5) / 10 for n, c in enumerate(every_case(workspace)[:evaluated])})
    return workspace


def opened_by(workspace: Workspace, name: str = "Ann", case: int = 0) -> Opened:
    return open_case(workspace, every_case(workspace)[case].id, annotator_named(workspace, name).id)


def reopened(workspace: Workspace, opened: Opened) -> Opened:
    return open_case(workspace, opened.case.id, opened.assignment.annotator_id)


def test_a_hidden_proposal_is_no_beginning_and_comes_with_the_first_edit(make_workspace: MakeWorkspace) -> None:
    workspace = proposed(make_workspace, "after-first-stroke")
    opened = opened_by(workspace)
    assert opened.prediction is None
    assert opened.assignment.began_with == "blank"
    assert not read_draft(workspace, opened.assignment.id).mask.any()
    assert reopened(workspace, opened).prediction is None
    save_patch(workspace, opened.assignment.id, Edit(0, ((0, 3, 1),)))
    again = reopened(workspace, opened)
    assert again.prediction is not None
    assert read_draft(workspace, opened.assignment.id).mask.ravel(order="F")[:4].tolist() == [1, 1, 1, 0]


def test_a_proposal_is_shown_from_the_start_unless_the_setting_hides_it(make_workspace: MakeWorkspace) -> None:
    workspace = proposed(make_workspace, "at-once")
    opened = opened_by(workspace)
    assert opened.prediction is not None
    assert opened.assignment.began_with == "prediction"
    with workspace.store.read() as tx:
        assert hidden_proposal(tx, opened.assignment) is None


def test_at_random_about_half_are_hidden_and_a_draft_keeps_its_way(make_workspace: MakeWorkspace) -> None:
    workspace = proposed(make_workspace, "random")
    with workspace.store.read() as tx:
        drawn = [hides_proposal(tx, f"assignment-{n}") for n in range(400)]
    assert 150 < sum(drawn) < 250
    for n in range(6):
        opened = opened_by(workspace, f"Person {n}")
        with workspace.store.read() as tx:
            hidden = hides_proposal(tx, opened.assignment.id)
        assert hidden == (opened.prediction is None)
        assert hidden == (reopened(workspace, opened).prediction is None)


def test_the_audit_keeps_what_was_seen_at_the_first_stroke_once(make_workspace: MakeWorkspace) -> None:
    workspace = proposed(make_workspace, "after-first-stroke")
    assignment = opened_by(workspace).assignment
    for seen in ("hidden", "shown"):
        report_effort(workspace, assignment.id, Reported(session="tab", active_seconds=0.5, first_stroke_seconds=0.1, proposal=seen))
    with workspace.store.read() as tx:
        assert first_sights(tx) == {assignment.id: "hidden"}
    assert verify(workspace.store).ok


def test_effort_and_report_show_both_groups(make_workspace: MakeWorkspace) -> None:
    workspace = proposed(make_workspace, "at-once")
    for case, seen in enumerate(("shown", "hidden", None)):
        assignment = opened_by(workspace, case=case).assignment
        submit(
            workspace,
            assignment.id,
            Submitted(revision=0, effort=Reported(session=f"s{case}", active_seconds=60.0 * (case + 1), proposal=seen)),
        )
    lines = work_lines(workspace, "proposal")
    assert [(line.proposal, line.minutes, line.annotations) for line in lines] == [
        ("hidden", 2, 1),
        ("not recorded", 3, 1),
        ("shown", 1, 1),
    ]
    assert [line.proposal for line in work_lines(workspace, "person")] == [""]
    assert {line.proposal for line in work_lines(workspace, "annotation")} == {"shown", "hidden", "not recorded"}
    assert "what was on the screen of the proposal" in report_html(workspace)


def test_the_place_in_the_round_counts_down_to_the_last_case(make_workspace: MakeWorkspace) -> None:
    workspace = proposed(make_workspace, "at-once", cases=5, settings=replace(FAST, batch_size=3))
    ann = annotator_named(workspace, "Ann")
    places = []
    for _ in range(3):
        opened = next_assignment(workspace, ann.id)
        assert opened is not None
        found = case_outlook(workspace, opened.assignment.id)
        places.append((found.round, found.place, found.cases, found.left))
        submit(workspace, opened.assignment.id, Submitted(revision=0))
    assert places == [(1, 1, 3, 2), (1, 2, 3, 1), (1, 3, 3, 0)]
    assert case_outlook(workspace, opened_by(workspace, case=4).assignment.id).round is None


@pytest.mark.parametrize(
    ("evaluated", "verdict", "lacking"),
    [
        (0, "", "cannot be judged yet: 9 more evaluated patients"),
        (4, "", "cannot be judged yet: 5 more evaluated patients"),
        (8, "", "cannot be judged yet: 1 more evaluated patient"),
        (10, "likely good", ""),
    ],
)
def test_a_verdict_is_the_triages_or_says_what_is_missing(
    make_workspace: MakeWorkspace, evaluated: int, verdict: str, lacking: str
) -> None:
    workspace = proposed(make_workspace, "at-once", evaluated=evaluated)
    found = case_outlook(workspace, opened_by(workspace, case=evaluated).assignment.id)
    assert (found.verdict, found.lacking, found.expected) == (verdict, lacking, 0.8)


def test_a_hidden_proposal_is_not_judged_either(make_workspace: MakeWorkspace) -> None:
    workspace = proposed(make_workspace, "after-first-stroke", evaluated=10)
    assignment = opened_by(workspace, case=10).assignment
    found = case_outlook(workspace, assignment.id)
    assert (found.verdict, found.expected) == ("", None)
    assert found.lacking == "The proposal is hidden until your first stroke"
    save_patch(workspace, assignment.id, Edit(0, ((0, 3, 1),)))
    assert case_outlook(workspace, assignment.id).verdict == "likely good"


def test_a_draft_that_begins_with_an_annotation_has_no_verdict(make_workspace: MakeWorkspace) -> None:
    workspace = proposed(make_workspace, "at-once", evaluated=10)
    first: Assignment = opened_by(workspace, case=10).assignment
    submit(workspace, first.id, Submitted(revision=0))
    found = case_outlook(workspace, opened_by(workspace, "Bob", case=10).assignment.id)
    assert (found.verdict, found.lacking, found.expected) == ("", "", None)
