"""What a stream keeps over time: its rules, its audit and its blindness, whatever is switched, recalled or read again."""

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest

from medloop import Project
from medloop.core.errors import NotFoundError, StateError
from medloop.core.records import Case, new_id, now
from medloop.loop.annotating.annotations import next_assignment, open_case, submit
from medloop.loop.annotating.review_verdicts import approve, return_case
from medloop.loop.annotating.submission import Submitted
from medloop.loop.data.exporting import export_project
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.configuring import configure
from medloop.loop.foundation.disposed import accepted_cases, dispositions
from medloop.loop.foundation.leases import release_assignment
from medloop.loop.foundation.readings import case_readings
from medloop.loop.foundation.trials import is_blind_audit, proposal_to_show
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.judging.releasing import roll_back, use_model
from medloop.loop.judging.stream_audit import audit_stream, every_rule, watch_stream
from medloop.loop.judging.stream_rule import StreamRule, rule_in_force
from medloop.loop.overview.stream_standing import stream_standing
from medloop.loop.querying import disposing
from medloop.loop.querying.by_hand import query_by_hand
from medloop.loop.querying.disposing import dispose_arrivals
from medloop.loop.querying.recalling import recall_accepted, renew_rule
from medloop.metrics.betting import mean_bounds

from .made_up import add_evaluation, add_model, case_named
from .shifted import add_scan, predict, scan
from .streamed import arrive, decided, read_next, streaming


def in_force(workspace: Workspace) -> StreamRule | None:
    with workspace.store.read() as tx:
        return rule_in_force(tx, workspace.settings)


def accepted(workspace: Workspace) -> list[str]:
    with workspace.store.read() as tx:
        return sorted(tx.get(Case, case_id).name for case_id in accepted_cases(tx))


def with_settings(workspace: Workspace, **settings: object) -> Workspace:
    configure(workspace, settings=settings, actor="lead")
    return workspace.reload()


def test_a_recall_reaches_a_case_that_somebody_has_open_and_others_get_it_once_it_is_left(streamed) -> None:
    workspace, model = streamed
    arrive(workspace, model, range(100, 104))
    dispose_arrivals(workspace)
    names = accepted(workspace)
    opened = open_case(workspace, case_named(workspace, names[0]).id, annotator_named(workspace, "Ann").id)
    assert stream_standing(workspace).unread == len(names)
    assert len(recall_accepted(workspace, why="scanner was replaced", actor="lead")) == len(names)
    assert accepted(workspace) == []
    release_assignment(workspace, opened.assignment.id, actor="lead")
    read = set()
    while name := read_next(workspace, "Bea"):
        read.add(name)
    assert set(names) <= read


def test_what_an_earlier_rule_accepted_goes_on_being_audited_by_that_rule_and_alarms_once(streamed) -> None:
    workspace, model = streamed
    arrive(workspace, model, range(100, 116), "audit")
    arrive(workspace, model, range(120, 124))
    dispose_arrivals(workspace)
    first = in_force(workspace)
    workspace = with_settings(workspace, stream_good=0.7)
    arrive(workspace, model, [130])
    dispose_arrivals(workspace)
    second = in_force(workspace)
    assert first is not None
    assert second is not None
    assert second.number != first.number
    assert "earlier rule of model 1" in " ".join(stream_standing(workspace).words)
    while read_next(workspace, "Ann", right=False):
        pass
    alarm = watch_stream(workspace)
    assert alarm is not None
    assert alarm["rule"] == first.number
    renew_rule(workspace, why="looked into it", actor="lead")
    assert watch_stream(workspace) is None
    assert "its promise is broken: medloop dispositions DIR recall --model 1" in " ".join(stream_standing(workspace).words)
    recall_accepted(workspace, why="the promise is broken", actor="lead")
    assert not any("earlier rule" in line for line in stream_standing(workspace).words)


def test_the_audit_goes_on_over_what_stands_while_the_stream_is_switched_off(streamed) -> None:
    workspace, model = streamed
    arrive(workspace, model, range(100, 116), "audit")
    arrive(workspace, model, range(120, 124))
    dispose_arrivals(workspace)
    workspace = with_settings(workspace, stream_risk=0.0)
    case = case_named(workspace, "A100")
    with workspace.store.read() as tx:
        assert is_blind_audit(tx, case.id)
        assert proposal_to_show(tx, case.id) is None
    while read_next(workspace, "Ann", right=False):
        pass
    dispose_arrivals(workspace)  # as a worker does
    assert stream_standing(workspace).alarm


def test_settings_or_a_model_that_come_back_find_their_rule_again_and_spend_no_attempt(streamed) -> None:
    workspace, model = streamed
    arrive(workspace, model, [100])
    dispose_arrivals(workspace)
    rule = in_force(workspace)
    assert rule is not None
    workspace = with_settings(workspace, stream_good=0.7)
    arrive(workspace, model, [101])
    dispose_arrivals(workspace)
    workspace = with_settings(workspace, stream_good=0.8)
    arrive(workspace, model, [102])
    dispose_arrivals(workspace)
    assert in_force(workspace) == rule
    add_model(workspace, 2)
    use_model(workspace, 2, actor="lead")
    assert in_force(workspace) is None
    use_model(workspace, 1, actor="lead")
    arrive(workspace, model, [103])
    dispose_arrivals(workspace)
    assert in_force(workspace) == rule
    with workspace.store.read() as tx:
        assert [one.attempt for one in every_rule(tx).values()] == [1, 2]


def test_a_patient_whom_the_rule_rests_on_does_not_count_in_its_audit(streamed) -> None:
    workspace, model = streamed
    case = add_scan(workspace, 99, "audit", patient="P")
    score = predict(workspace, model, case, 99)
    opened = open_case(workspace, case.id, annotator_named(workspace, "Ann").id)
    submit(workspace, opened.assignment.id, Submitted(mask=scan(99, 60.0, 8.0)[1].astype(np.uint8)))
    add_evaluation(workspace, model, "audit", 12, {case.name: score})
    for number in range(100, 106):
        predict(workspace, model, add_scan(workspace, number, "audit", patient="P" if number < 103 else ""), number)
    dispose_arrivals(workspace)
    rule = in_force(workspace)
    assert rule is not None
    assert rule.patients == 31
    drawn = {name for name, one in decided(workspace).items() if one.decision == "accepted"}
    assert drawn & {"A100", "A101", "A102"}
    assert audit_stream(workspace, rule).drawn == len(drawn & {"A103", "A104", "A105"})


def test_evidence_of_the_audit_survives_a_new_decision_and_an_annotation_that_leans_on_the_proposal(streamed) -> None:
    workspace, model = streamed
    arrive(workspace, model, range(100, 104), "audit")
    dispose_arrivals(workspace)
    rule, drawn = in_force(workspace), {name for name, one in decided(workspace).items() if one.decision == "accepted"}
    assert rule is not None
    assert drawn
    newer = add_model(workspace, 2)
    use_model(workspace, 2, actor="lead")
    use_model(workspace, 1, actor="lead")
    roll_back(workspace, actor="lead")  # model 1 is out of use, its acceptances are decided anew
    for name in drawn:
        predict(workspace, newer, case_named(workspace, name), int(name[1:]))
    dispose_arrivals(workspace)
    assert {decided(workspace)[name].model_index for name in drawn} == {2}
    assert audit_stream(workspace, rule).drawn == len(drawn)
    while read_next(workspace, "Ann", right=False):
        pass
    found = audit_stream(workspace, rule)
    assert (found.read, found.bad) == (len(drawn), len(drawn))
    with workspace.store.write("Ann") as tx:
        for given in tx.current_annotations(case_ids=[case_named(workspace, name).id for name in drawn]):
            leaning = {"began_with": "prediction", "untouched": 1.0, "supersedes": given.id, "created_at": now()}
            tx.add(dataclasses.replace(given, id=new_id("annotation"), **leaning))
    assert audit_stream(workspace, rule) == found


def test_a_case_that_waits_for_its_second_reader_goes_on_waiting_once_the_stream_is_off(tmp_path: Path) -> None:
    workspace, model = streaming(tmp_path / "p", stream_good=0.99, stream_hard=0.98)
    with workspace:
        arrive(workspace, model, range(100, 103))
        dispose_arrivals(workspace)
        name = str(read_next(workspace, "Ann"))
        assert decided(workspace)[name].decision == "second reader"
        off = with_settings(workspace, stream_risk=0.0)
        case_id = case_named(off, name).id
        with off.store.read() as tx:
            assert (case_readings(tx, [case_id])[case_id].needed, case_readings(tx, [case_id])[case_id].state) == (2, "read")
        read = {read_next(off, "Bea") for _ in range(3)}
        assert name in read


def test_a_decision_about_a_case_of_the_audit_shows_only_after_the_last_of_its_readings(streamed, tmp_path: Path) -> None:
    workspace, model = streamed
    workspace = with_settings(workspace, readings=2)
    arrive(workspace, model, range(100, 104), "audit")
    dispose_arrivals(workspace)
    while read_next(workspace, "Ann"):
        pass
    assert {one.decision for one in stream_standing(workspace).cases} == {""}
    with pytest.raises(NotFoundError, match="Nothing stands as accepted"):
        export_project(workspace, tmp_path / "out", "accepted")
    opened = next_assignment(workspace, annotator_named(workspace, "Bea").id)
    assert opened is not None
    assert opened.assignment.proposal_id is None
    with workspace.store.read() as tx:
        assert proposal_to_show(tx, opened.case.id) is None


def test_an_audit_case_that_a_reviewer_returns_is_read_again_as_blind_as_before(streamed) -> None:
    workspace, model = streamed
    workspace = with_settings(workspace, review="all")
    arrive(workspace, model, range(100, 104), "audit")
    dispose_arrivals(workspace)
    case, people = (
        case_named(workspace, read_next(workspace, "Ann") or ""),
        {name: annotator_named(workspace, name) for name in ("Ann", "Bea")},
    )
    for verdict in ("", "returned", "read again", "approved"):
        if verdict == "returned":
            return_case(workspace, case.id, people["Bea"].id, comment="again")
        elif verdict == "read again":
            opened = open_case(workspace, case.id, people["Ann"].id)
            submit(workspace, opened.assignment.id, Submitted(mask=np.ones((16, 16, 8), np.uint8)))
        elif verdict == "approved":
            approve(workspace, case.id, people["Bea"].id)
        with workspace.store.read() as tx:
            assert (proposal_to_show(tx, case.id) is None) == (verdict != "approved")
        shown = {one.name: one.decision for one in stream_standing(workspace).cases}
        assert (shown[case.name] == "") == (verdict != "approved")


def test_a_stream_that_another_process_switches_off_in_between_decides_nothing_more(streamed) -> None:
    workspace, model = streamed
    arrive(workspace, model, range(100, 104))

    stale = workspace.reload()
    configure(workspace, settings={"stream_risk": 0.0}, actor="lead")
    assert disposing._dispose_some(stale) == []
    assert decided(workspace) == {}


def test_what_python_gets_of_the_decisions_tells_nothing_of_the_audit_sample(stream_template: Path, tmp_path: Path) -> None:
    with Project.open(shutil.copytree(stream_template, tmp_path / "p")) as project:
        with project.workspace.store.read() as tx:
            model = tx.live_model()
        assert model is not None
        arrive(project.workspace, model, range(100, 103), "audit")
        arrive(project.workspace, model, range(110, 113))
        found = project.dispose_arrivals()
        with project.workspace.store.read() as tx:
            assert {tx.get(Case, one.case_id).name for one in found} == {"A110", "A111", "A112"}
            assert len(dispositions(tx)) == 6


def test_a_query_by_hand_names_what_the_stream_accepted_and_leaves_it(streamed) -> None:
    workspace, model = streamed
    arrive(workspace, model, range(100, 104))
    dispose_arrivals(workspace)
    name = accepted(workspace)[0]
    with pytest.raises(StateError, match="the stream accepted its proposal"):
        query_by_hand(workspace, [case_named(workspace, name).id])


def test_the_bounds_of_the_audit_hold_whatever_those_still_to_read_will_show(streamed) -> None:
    workspace, model = streamed
    arrive(workspace, model, range(100, 116), "audit")
    dispose_arrivals(workspace)
    read_next(workspace, "Ann")
    rule = in_force(workspace)
    assert rule is not None
    found = audit_stream(workspace, rule)
    assert found.drawn > found.read
    unread = found.drawn - found.read
    assert found.high >= mean_bounds([1.0] * unread + [0.0] * found.read)[1] - 1e-9
    assert found.low == 0.0
