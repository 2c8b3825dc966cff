"""A stream in production: what is accepted, deferred or read by two, by which rule, and what stops it."""

import dataclasses
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from medloop.core.errors import InputError, NotFoundError, StateError
from medloop.core.records import Query, Round, new_id, time_text
from medloop.loop.annotating.annotations import next_assignment, open_case, submit
from medloop.loop.annotating.rejecting import reject_proposal
from medloop.loop.annotating.submission import Submitted
from medloop.loop.data.change_record import change_record
from medloop.loop.data.exporting import export_project
from medloop.loop.data.retention import remove_due
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.configuring import configure
from medloop.loop.foundation.disposed import accepted_cases, standing_dispositions, waiting_arrivals
from medloop.loop.foundation.learned import SURER_ON, fitted_cases
from medloop.loop.foundation.readings import case_readings
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.judging.releasing import roll_back, use_model
from medloop.loop.judging.stream_audit import audit_stream, watch_stream
from medloop.loop.judging.stream_rule import rule_in_force
from medloop.loop.learning.unlabelled import available_cases
from medloop.loop.overview.stream_standing import stream_standing
from medloop.loop.querying.disposing import dispose_arrivals
from medloop.loop.querying.queries import AUDIT_REASON, make_query
from medloop.loop.querying.recalling import recall_accepted, renew_rule
from medloop.loop.querying.rounds import why_nothing
from medloop.store.audit import verify

from .made_up import add_model, case_named
from .shifted import add_scan, predict
from .streamed import SETTINGS, arrive, classifier, decided, guess, read_next, streaming


def test_each_case_is_decided_once_by_a_rule_that_is_kept_with_its_model_and_threshold(streamed) -> None:
    workspace, model = streamed
    truth = arrive(workspace, model, range(100, 112))
    found = dispose_arrivals(workspace)
    assert len(found) == 12
    assert dispose_arrivals(workspace) == []
    with workspace.store.read() as tx:
        rule = rule_in_force(tx, workspace.settings)
    assert rule is not None
    assert rule.above is not None
    assert (rule.patients, rule.attempt, rule.sure) == (30, 1, 0.8)
    for name, one in decided(workspace).items():
        assert (one.model_id, one.rule, one.above) == (model.id, rule.number, rule.above)
        assert one.score is not None
        assert (one.decision == "accepted") <= (one.score > rule.above), name
    accepted = [name for name, one in decided(workspace).items() if one.decision == "accepted"]
    assert accepted
    assert sum(truth[name] < 0.8 for name in accepted) / len(accepted) <= 0.2
    verify(workspace.store)


def test_what_is_accepted_has_no_annotation_and_no_query_or_training_takes_it(streamed) -> None:
    workspace, model = streamed
    arrive(workspace, model, range(100, 110))
    dispose_arrivals(workspace)
    with workspace.store.read() as tx:
        accepted = accepted_cases(tx)
        assert accepted
        assert not tx.current_annotations(case_ids=accepted)
        assert not accepted & {case.id for case in available_cases(tx, ())}
        assert not accepted & {c.case_id for r in tx.find(Round) if r.query_id for c in tx.get(Query, r.query_id).choices}
    query = make_query(workspace, 2)
    assert query is None or not accepted & {choice.case_id for choice in query.choices}


def test_with_three_evaluated_patients_everything_is_deferred_and_the_reason_says_how_many_are_needed(tmp_path: Path) -> None:
    workspace, model = streaming(tmp_path / "p", evaluated=3)
    with workspace:
        arrive(workspace, model, range(100, 103))
        dispose_arrivals(workspace)
        assert {one.decision for one in decided(workspace).values()} == {"deferred"}
        assert "needs at least 8 evaluated patients, got 3" in decided(workspace)["A100"].reason
        assert "needs at least 8 evaluated patients, got 3" in " ".join(stream_standing(workspace).words)
        assert read_next(workspace, "Ann") == "A100"


def test_a_case_unlike_the_evaluated_ones_is_not_accepted_whatever_its_score(streamed) -> None:
    workspace, model = streamed
    arrive(workspace, model, range(100, 104), contrast=-60.0)
    dispose_arrivals(workspace)
    assert all(one.decision != "accepted" for one in decided(workspace).values())
    assert any("unlike the cases that the model was judged on" in one.reason for one in decided(workspace).values())


def test_of_a_patient_that_the_model_learned_from_nothing_is_accepted(streamed) -> None:
    workspace, model = streamed
    case = add_scan(workspace, 100, "train", patient="A003")
    predict(workspace, model, case, 100)
    dispose_arrivals(workspace)
    one = decided(workspace)["A100"]
    assert one.decision != "accepted"
    assert "learned from this patient" in one.reason or one.decision == "second reader"


def test_the_cases_that_a_model_was_made_surer_on_are_known_to_it_and_to_those_that_go_on_from_it(streamed) -> None:
    workspace, model = streamed
    surer = replace(model, id=new_id("model"), index=2, metrics={"adapted_from": model.index, SURER_ON: ["case-x"]})
    later = replace(model, id=new_id("model"), index=3, metrics={"parent": surer.id})
    with workspace.store.write("system") as tx:
        tx.add(surer)
        tx.add(later)
    with workspace.store.read() as tx:
        learned = fitted_cases(tx, model)
        assert "case-x" not in learned
        assert fitted_cases(tx, surer) == fitted_cases(tx, later) == {*learned, "case-x"}


def test_the_audit_sample_is_read_blind_and_looks_the_same_whatever_was_decided(streamed) -> None:
    workspace, model = streamed
    arrive(workspace, model, range(100, 104), "audit")
    dispose_arrivals(workspace)
    assert any(one.decision == "accepted" for one in decided(workspace).values())
    standing = stream_standing(workspace)
    assert {(one.decision, one.score) for one in standing.cases} == {("", None)}
    opened = next_assignment(workspace, annotator_named(workspace, "Ann").id)
    assert opened is not None
    assert (opened.assignment.reason, opened.assignment.proposal_id) == (AUDIT_REASON, None)
    with pytest.raises(NotFoundError, match="Nothing stands as accepted"):
        export_project(workspace, workspace.work_folder / "out", "accepted")  # would say which of them were
    read_next(workspace, "Ann")
    assert sum(one.decision != "" for one in stream_standing(workspace).cases) == 1


def test_an_alarm_comes_when_the_audit_shows_too_many_bad_ones_and_stops_every_acceptance_until_the_rule_is_renewed(streamed) -> None:
    workspace, model = streamed
    arrive(workspace, model, range(100, 116), "audit")
    dispose_arrivals(workspace)
    drawn = [name for name, one in decided(workspace).items() if one.decision == "accepted"]
    while read_next(workspace, "Ann", right=False):
        pass
    alarm = watch_stream(workspace)
    assert alarm is not None
    assert (alarm["bad"], alarm["model_index"]) == (len(drawn), 1)
    assert watch_stream(workspace) == alarm
    truth = arrive(workspace, model, range(120, 126))
    dispose_arrivals(workspace)
    assert {decided(workspace)[name].decision for name in truth} == {"deferred"}
    assert "since the alarm" in decided(workspace)["A120"].reason
    with pytest.raises(InputError, match="reason"):
        renew_rule(workspace, why=" ", actor="lead")
    renew_rule(workspace, why="the annotations were wrong", actor="lead")
    assert watch_stream(workspace) is None
    with pytest.raises(StateError, match="no rule to make anew"):
        renew_rule(workspace, why="again", actor="lead")
    verify(workspace.store)


def test_a_rule_that_is_made_again_for_the_same_model_must_be_surer(streamed) -> None:
    workspace, model = streamed
    for attempt in (1, 2, 3):
        arrive(workspace, model, [100 + attempt])
        dispose_arrivals(workspace)
        with workspace.store.read() as tx:
            rule = rule_in_force(tx, workspace.settings)
        if rule is None:  # by now more patients are needed than there are
            assert attempt == 3
            break
        assert (rule.attempt, rule.sure) == (attempt, pytest.approx(1 - 0.2 / 2 ** (attempt - 1)))
        renew_rule(workspace, why="look again", actor="lead")


def test_what_a_model_accepted_is_decided_anew_once_it_is_rolled_back_and_a_new_model_needs_a_rule_of_its_own(streamed) -> None:
    workspace, model = streamed
    truth = arrive(workspace, model, range(100, 106))
    dispose_arrivals(workspace)
    accepted = [name for name, one in decided(workspace).items() if one.decision == "accepted"]
    newer = add_model(workspace, 2)
    use_model(workspace, 2, actor="lead")
    late = arrive(workspace, newer, [110])
    dispose_arrivals(workspace)
    assert "Model 2 is not evaluated on the annotations of today" in decided(workspace)["A110"].reason
    assert late
    use_model(workspace, 1, actor="lead")
    roll_back(workspace, actor="lead")  # model 1 is out of use
    with workspace.store.read() as tx:
        assert not accepted_cases(tx)
        assert len(standing_dispositions(tx)) == len(truth) + 1 - len(accepted)
    for name in accepted:
        predict(workspace, newer, case_named(workspace, name), int(name[1:]))
    dispose_arrivals(workspace)
    assert {decided(workspace)[name].model_index for name in accepted} == {2}
    assert {decided(workspace)[name].decision for name in accepted} == {"deferred"}


def test_what_is_accepted_is_exported_by_itself_and_never_among_the_annotations(streamed, tmp_path: Path) -> None:
    workspace, model = streamed
    with pytest.raises(NotFoundError, match="Nothing stands as accepted"):
        export_project(workspace, tmp_path / "none", "accepted")
    arrive(workspace, model, range(100, 106))
    dispose_arrivals(workspace)
    accepted = {name for name, one in decided(workspace).items() if one.decision == "accepted"}
    assert export_project(workspace, tmp_path / "out", "accepted").cases == len(accepted)
    assert {path.name for path in (tmp_path / "out" / "proposals").iterdir()} == {f"{name}.nii.gz" for name in accepted}
    lines = (tmp_path / "out" / "accepted.csv").read_text().splitlines()
    assert {line.split(",")[0] for line in lines[1:]} == accepted
    export_project(workspace, tmp_path / "masks", "nifti")
    assert not any(name in str(path) for name in accepted for path in (tmp_path / "masks").rglob("*"))


def test_no_training_learns_from_cases_that_wait_for_a_decision(streamed) -> None:
    workspace, model = streamed
    truth = arrive(workspace, model, range(100, 104))
    with workspace.store.read() as tx:
        waiting = {case.name for case in waiting_arrivals(tx)}
        assert waiting == set(truth)
        assert not waiting & {case.name for case in available_cases(tx, ())}


def test_what_was_accepted_stays_so_without_its_image_and_what_waits_without_one_is_left_alone(streamed, tmp_path: Path) -> None:
    workspace, model = streamed
    arrive(workspace, model, range(100, 106))
    dispose_arrivals(workspace)
    accepted = stream_standing(workspace).counts["accepted"]
    arrive(workspace, model, [110])
    configure(workspace, settings={"retention_days": 30}, actor="lead")
    workspace = workspace.reload()
    remove_due(workspace, actor="lead", at=time_text(datetime.now(UTC) + timedelta(days=31)))
    assert dispose_arrivals(workspace) == []
    standing = stream_standing(workspace)
    assert (standing.counts["accepted"], standing.unread, standing.waiting) == (accepted, 0, 0)
    assert export_project(workspace, tmp_path / "out", "accepted").cases == accepted


def test_a_rejected_proposal_is_accepted_no_longer(streamed) -> None:
    workspace, model = streamed
    arrive(workspace, model, range(100, 104))
    dispose_arrivals(workspace)
    name = next(name for name, one in decided(workspace).items() if one.decision == "accepted")
    opened = open_case(workspace, case_named(workspace, name).id, annotator_named(workspace, "Ann").id)
    reject_proposal(workspace, opened.assignment.id)
    assert stream_standing(workspace).lapsed == 1
    dispose_arrivals(workspace)
    assert (decided(workspace)[name].decision, decided(workspace)[name].reason) == ("deferred", "a person rejected its proposal")


def test_classes_are_accepted_by_their_highest_probability(tmp_path: Path) -> None:
    settings = dataclasses.replace(SETTINGS, stream_good=1.0, stream_hard=0.5)
    with Workspace.create(tmp_path / "p", name="p", kind="classification", labels=["benign", "malignant"], settings=settings) as workspace:
        model = classifier(workspace, right=30)
        for number in range(100, 106):
            guess(workspace, model, add_scan(workspace, number, "train"), sure=0.9 if number < 103 else 0.4)
        dispose_arrivals(workspace)
        found = {name: one.decision for name, one in decided(workspace).items()}
        assert {found[f"A{number}"] for number in range(103, 106)} <= {"deferred", "second reader"}
        assert "accepted" in {found[f"A{number}"] for number in range(100, 103)}
        out = tmp_path / "out"
        export_project(workspace, out, "accepted")
        assert {line.split(",")[3] for line in (out / "accepted.csv").read_text().splitlines()[1:]} == {"malignant"}
        assert not (out / "proposals").exists()


def test_the_change_record_of_a_model_tells_its_rules_alarms_and_decisions(streamed) -> None:
    workspace, model = streamed
    arrive(workspace, model, range(100, 103))
    dispose_arrivals(workspace)
    renew_rule(workspace, why="a quarter has passed", actor="lead")
    text = change_record(workspace, model)
    assert "## Stream in production" in text
    assert "rule: model 1, 30 evaluated patients" in text
    assert "by lead: a quarter has passed" in text
    assert "second reader" in text


def test_accepted_cases_can_be_recalled_and_are_then_read(streamed) -> None:
    workspace, model = streamed
    arrive(workspace, model, range(100, 106))
    dispose_arrivals(workspace)
    unread = stream_standing(workspace).unread
    assert unread > 0
    assert len(recall_accepted(workspace, why="scanner was replaced", actor="lead")) == unread
    assert stream_standing(workspace).counts["accepted"] == 0
    with pytest.raises(StateError, match="No accepted case"):
        recall_accepted(workspace, why="again", actor="lead")


def test_a_hard_case_needs_two_readers_who_do_not_see_each_other(tmp_path: Path) -> None:
    workspace, model = streaming(tmp_path / "p", stream_good=0.99, stream_hard=0.98, blind=True)
    with workspace:
        arrive(workspace, model, range(100, 103))
        dispose_arrivals(workspace)
        two = [name for name, one in decided(workspace).items() if one.decision == "second reader"]
        assert two
        name = read_next(workspace, "Ann")
        assert name in two
        with workspace.store.read() as tx:
            case_id = case_named(workspace, str(name)).id
            assert (case_readings(tx, [case_id])[case_id].needed, case_readings(tx, [case_id])[case_id].state) == (2, "read")
        opened = next_assignment(workspace, annotator_named(workspace, "Bea").id)
        assert opened is not None
        assert (opened.case.name, opened.assignment.base_id) == (name, None)


def test_a_case_waits_for_its_prediction_and_whoever_finds_no_work_is_told_so(streamed) -> None:
    workspace, model = streamed
    case = add_scan(workspace, 100, "train")
    assert dispose_arrivals(workspace) == []
    ann = annotator_named(workspace, "Ann").id
    assert next_assignment(workspace, ann) is None
    assert "1 case to be decided by the stream once a worker has predicted them" in why_nothing(workspace, ann)
    assert "1 of these have no prediction so far" in " ".join(stream_standing(workspace).words)
    opened = open_case(workspace, case.id, ann)  # somebody who reads it first takes it out of the stream
    predict(workspace, model, case, 100)
    assert dispose_arrivals(workspace) == []
    submit(workspace, opened.assignment.id, Submitted(mask=np.ones(case.grid.shape, dtype=np.uint8)))
    assert dispose_arrivals(workspace) == []
    assert stream_standing(workspace).waiting == 0


def test_a_case_that_the_model_cannot_read_is_deferred_at_once(streamed) -> None:
    workspace, _ = streamed
    add_scan(workspace, 100, "train", channels=2)
    dispose_arrivals(workspace)
    assert decided(workspace)["A100"].decision == "deferred"
    assert "model 1 cannot read it: with 2 channels, where the network reads 1" in decided(workspace)["A100"].reason


def test_a_case_that_was_accepted_is_no_work_for_anybody(streamed) -> None:
    workspace, model = streamed
    arrive(workspace, model, [101])
    assert next_assignment(workspace, annotator_named(workspace, "Ann").id) is None  # it waits for its decision, no query takes it
    dispose_arrivals(workspace)
    assert decided(workspace)["A101"].decision == "accepted"
    assert "1 case accepted by the stream" in why_nothing(workspace, annotator_named(workspace, "Ann").id)


def test_only_what_arrived_is_decided(streamed) -> None:
    workspace, model = streamed
    arrive(workspace, model, [100])
    dispose_arrivals(workspace)
    assert set(decided(workspace)) == {"A100"}


def test_cases_from_before_the_stream_was_on_are_the_pool_and_never_decided(tmp_path: Path) -> None:
    workspace, model = streaming(tmp_path / "p", stream_risk=0.0)
    with workspace:
        arrive(workspace, model, [100])
        assert dispose_arrivals(workspace) == []
        configure(workspace, settings={"stream_risk": 0.2}, actor="lead")
        workspace = workspace.reload()
        dispose_arrivals(workspace)
        arrive(workspace, model, [101])
        dispose_arrivals(workspace)
        assert set(decided(workspace)) == {"A101"}


def test_the_audit_of_a_kept_promise_says_so(streamed) -> None:
    workspace, model = streamed
    arrive(workspace, model, range(100, 110), "audit")
    dispose_arrivals(workspace)
    while read_next(workspace, "Ann"):
        pass
    with workspace.store.read() as tx:
        rule = rule_in_force(tx, workspace.settings)
    assert rule is not None
    found = audit_stream(workspace, rule)
    assert found.drawn == found.read > 0
    assert not found.broken
    assert f"{found.bad} bad of {found.read} read" in found.words
    assert any("audit of the accepted" in line for line in stream_standing(workspace).words)


def test_the_workspace_is_whole_after_a_second_process_decides_the_same_cases(streamed) -> None:
    workspace, model = streamed
    arrive(workspace, model, range(100, 108))
    with Workspace.open(workspace.folder) as other:
        first, second = dispose_arrivals(other), dispose_arrivals(workspace)
    assert (len(first), second) == (8, [])
    with workspace.store.read() as tx:
        assert len(tx.events_about("case", verbs=["dispose"])) == 8


def test_a_stream_that_was_switched_off_meanwhile_decides_nothing_where_the_project_was_opened_before(streamed) -> None:
    before, model = streamed
    arrive(before, model, range(100, 104))
    configure(before, settings={"stream_risk": 0.0})
    assert before.settings.stream_risk > 0
    assert dispose_arrivals(before) == []
    assert decided(before) == {}
