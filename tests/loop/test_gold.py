"""Gold cases: drawn at a rate, shown to nobody twice, counted as no reading, held against their truth, and what may go wrong with them."""

import dataclasses
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from sqlalchemy import event

from medloop.core.arrays import MaskArray
from medloop.core.errors import ConflictError, InputError, NotFoundError, StateError
from medloop.core.records import (
    Annotation,
    Annotator,
    Assignment,
    GoldReading,
    Model,
    Prediction,
    ProjectSettings,
    Query,
    Round,
    Snapshot,
    new_id,
    now,
)
from medloop.core.seeds import drawn_share
from medloop.images.encode import encode_mask
from medloop.interaction.prompts import Scribble
from medloop.loop.annotating.adjudicating import Ruling, adjudicate, restore
from medloop.loop.annotating.annotations import Opened, choose_case, flag_case, next_assignment, open_case, skip_case, submit
from medloop.loop.annotating.drafts import read_draft
from medloop.loop.annotating.gold import add_gold, admit, withdraw_gold
from medloop.loop.annotating.gold_feedback import feedback_picture, gold_feedback
from medloop.loop.annotating.history import case_history
from medloop.loop.annotating.marking import SubmittedMarks, submit_marks
from medloop.loop.annotating.rejecting import reject_proposal
from medloop.loop.annotating.review_verdicts import Looked, return_case
from medloop.loop.annotating.submission import Submitted
from medloop.loop.annotating.withdrawing import undo_submit
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.blinding import is_hidden
from medloop.loop.foundation.crowds import training_annotations
from medloop.loop.foundation.effort import annotator_lines
from medloop.loop.foundation.leases import release_stale
from medloop.loop.foundation.partial_annotations import SlicePart
from medloop.loop.foundation.readings import case_readings
from medloop.loop.foundation.skills import gold_scores, skill_estimates
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.overview.gold_standing import gold_standing
from medloop.loop.querying.gold_checks import check_or, choice_shown
from medloop.loop.querying.rounds import next_choice, why_nothing
from medloop.store.audit import verify

from .conftest import FAST, SMALL, MakeWorkspace
from .made_up import case_named


def with_gold(**settings: object) -> ProjectSettings:
    return dataclasses.replace(FAST, **settings)  # type: ignore[arg-type]


def cube(start: int = 4, size: int = 8) -> MaskArray:
    mask = np.zeros(SMALL, dtype=np.uint8)
    mask[start : start + size, 4:12, 4:12] = 1
    return mask


def make_gold(workspace: Workspace, *names: str) -> None:
    """Rita annotates these cases, and they become gold."""
    rita = annotator_named(workspace, "Rita")
    admit(workspace, "Rita", actor="test")
    for name in names:
        case_id = case_named(workspace, name).id
        read(workspace, rita, case_id, cube())
        add_gold(workspace, case_id, annotator_id=rita.id)


def read(workspace: Workspace, person: Annotator, case_id: str, mask: MaskArray) -> Annotation:
    return submit(workspace, open_case(workspace, case_id, person.id).assignment.id, Submitted(mask=mask))


def give_next(workspace: Workspace, person: Annotator, mask: MaskArray, seconds: float = 30.0) -> tuple[Opened, Annotation]:
    opened = next_assignment(workspace, person.id)
    assert opened is not None, why_nothing(workspace, person.id)
    return opened, submit(workspace, opened.assignment.id, Submitted(mask=mask, effort_seconds=seconds))


@pytest.fixture
def checked(make_workspace: MakeWorkspace) -> Workspace:
    """A project in which the next case of a person in their first week is mostly gold: two of five cases are."""
    workspace = make_workspace(["train"] * 5, settings=with_gold(tutorial=2, tutorial_score=0.8, readings=2))
    make_gold(workspace, "case00", "case01")
    return workspace


def test_somebody_new_reads_gold_cases_first_and_sees_what_came_of_them(checked: Workspace) -> None:
    ann = annotator_named(checked, "Ann")
    opened, given = give_next(checked, ann, cube(5))
    assert opened.case.name in ("case00", "case01")
    assert opened.assignment.reason.startswith("tutorial: 0 of 2 gold cases read")
    found = gold_feedback(checked, opened.assignment.id)
    assert (found.case, found.score, found.by_label) == (opened.case.name, pytest.approx(7 / 8), {"large": pytest.approx(7 / 8)})
    assert found.tutorial is not None
    assert (found.tutorial.done, found.tutorial.passed) == (1, False)
    assert str(feedback_picture(checked, opened.assignment.id)).startswith("<svg")
    give_next(checked, ann, cube())
    third, _ = give_next(checked, ann, cube())
    assert third.assignment.gold_id is None, "passed: real work"
    assert given.origin == "gold"


def test_a_tutorial_that_was_not_passed_goes_on_and_then_needs_the_lead(checked: Workspace) -> None:
    bob = annotator_named(checked, "Bob")
    give_next(checked, bob, cube(14))
    give_next(checked, bob, cube(14))
    assert next_assignment(checked, bob.id) is None
    assert why_nothing(checked, bob.id) == (
        "Tutorial: 2 of 2 gold cases read; the last 2 have a mean score of 0.00, 0.8 is needed, and no gold case is left: "
        "a lead adds gold cases (medloop gold add DIR CASE) or lets you begin (medloop gold admit DIR NAME)"
    )
    with pytest.raises(StateError, match="Bob has not passed the tutorial yet"):
        choose_case(checked, case_named(checked, "case03").id, bob.id)
    admit(checked, "bob", actor="test")
    assert next_assignment(checked, bob.id) is not None


def test_whoever_worked_before_tutorials_were_wanted_is_not_new(checked: Workspace) -> None:
    assert next_assignment(checked, annotator_named(checked, "Rita").id) is not None
    with checked.store.read() as tx:
        assert tx.find(Assignment, where={"state": "open"})[0].gold_id is None


def test_a_gold_reading_is_no_reading_of_its_case_and_nothing_learns_from_it(checked: Workspace) -> None:
    ann = annotator_named(checked, "Ann")
    with checked.store.read() as tx:
        before = [a.id for a in training_annotations(checked, tx)]
    opened, given = give_next(checked, ann, cube(6))
    with checked.store.read() as tx:
        assert [a.id for a in training_annotations(checked, tx)] == before
        found = case_readings(tx, [opened.case.id])[opened.case.id]
        assert given.id not in [a.id for a in tx.current_annotations(case_ids=[opened.case.id])]
        assert [line.minutes for line in annotator_lines(tx) if line.annotator == "Ann"] == [0.5], "their time counts"
    assert (found.state, len(found.readers)) == ("accepted", 1)
    assert verify(checked.store).ok


def test_an_open_gold_case_shows_nothing_of_its_truth_and_a_submitted_one_does(checked: Workspace) -> None:
    ann = annotator_named(checked, "Ann")
    opened = next_assignment(checked, ann.id)
    assert opened is not None
    assert (opened.annotation, opened.assignment.began_with) == (None, "blank")
    assert not read_draft(checked, opened.assignment.id).mask.any()
    with checked.store.read() as tx:
        assert is_hidden(tx, opened.case.id, ann.id)
    again = next_assignment(checked, ann.id)
    assert again is not None
    assert again.assignment.id == opened.assignment.id, "what is open comes back, and still without the truth"
    assert again.annotation is None
    submit(checked, opened.assignment.id, Submitted(mask=cube()))
    with checked.store.read() as tx:
        assert not is_hidden(tx, opened.case.id, ann.id)


def test_nobody_gets_a_gold_case_twice_nor_one_they_annotated_or_opened(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"] * 4, settings=with_gold(tutorial=3))
    ann = annotator_named(workspace, "Ann")
    read(workspace, ann, case_named(workspace, "case01").id, cube())
    make_gold(workspace, "case00", "case01", "case02")
    bob = annotator_named(workspace, "Bob")
    seen = [give_next(workspace, bob, cube(14))[0].case.name for _ in range(3)]
    assert sorted(seen) == ["case00", "case01", "case02"]
    rita = [p for p in gold_standing(workspace).people if p.annotator == "Rita"]
    assert [p.left for p in rita] == [0], "she gave the truths"
    assert [p.left for p in gold_standing(workspace).people if p.annotator == "Ann"] == [2]


def test_gold_cases_come_at_about_the_rate_and_are_not_announced(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"] * 24, settings=with_gold(gold_rate=0.5, batch_size=20))
    make_gold(workspace, *(f"case{n:02d}" for n in range(10)))
    ann = annotator_named(workspace, "Ann")
    opened = [give_next(workspace, ann, cube())[0] for _ in range(12)]
    gold = [one for one in opened if one.assignment.gold_id is not None]
    assert 2 <= len(gold) <= 10
    real = [one.assignment.reason for one in opened if one.assignment.gold_id is None]
    assert all(one.assignment.reason in real for one in gold), "in the words of the work before which they came"
    assert {one.assignment.began_with for one in gold} == {"blank"}


def test_nobody_is_checked_where_no_work_is_left(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"] * 2, settings=with_gold(gold_rate=0.5))
    make_gold(workspace, "case00", "case01")
    assert next_assignment(workspace, annotator_named(workspace, "Ann").id) is None


def test_scores_make_the_skill_that_routing_expects(checked: Workspace) -> None:
    ann = annotator_named(checked, "Ann")
    give_next(checked, ann, cube(14))
    with checked.store.read() as tx:
        found = skill_estimates(tx)[ann.id]
    assert (found.gold, found.value) == (1, pytest.approx(0.9 * 6 / 15)), "a mask of no overlap counts for nine wrong cases"


def test_a_gold_case_withdrawn_while_somebody_reads_it_is_not_scored_and_says_so(checked: Workspace) -> None:
    ann, rita = annotator_named(checked, "Ann"), annotator_named(checked, "Rita")
    opened = next_assignment(checked, ann.id)
    assert opened is not None
    withdraw_gold(checked, opened.case.id, annotator_id=rita.id)
    given = submit(checked, opened.assignment.id, Submitted(mask=cube()))
    found = gold_feedback(checked, opened.assignment.id)
    assert (given.origin, found.score) == ("gold", None)
    assert found.note.startswith("The case went out of use as a gold case while you read it")
    with checked.store.read() as tx:
        assert len(tx.current_annotations(case_ids=[opened.case.id])) == 1, "and it still is no reading"
    with pytest.raises(StateError, match="is no gold case"):
        withdraw_gold(checked, opened.case.id, annotator_id=rita.id)


def test_scores_against_a_truth_that_was_replaced_count_no_more_until_the_case_is_gold_again(checked: Workspace) -> None:
    ann, rita = annotator_named(checked, "Ann"), annotator_named(checked, "Rita")
    opened, _ = give_next(checked, ann, cube(6))
    read(checked, rita, opened.case.id, cube(6))
    with checked.store.read() as tx:
        assert gold_scores(tx) == {}
    standing = gold_standing(checked)
    assert any(f"{opened.case.name} is no gold case any more: its truth was replaced" in line for line in standing.warnings)
    add_gold(checked, opened.case.id, annotator_id=rita.id)
    with checked.store.read() as tx:
        assert gold_scores(tx) == {ann.id: (1.0,)}
        assert tx.count(GoldReading) == 2
    assert gold_feedback(checked, opened.assignment.id).score == 1.0


def test_skipping_or_flagging_a_gold_case_leaves_its_truth_and_is_reported(checked: Workspace) -> None:
    ann = annotator_named(checked, "Ann")
    first, second = (next_assignment(checked, ann.id), None)
    assert first is not None
    skip_case(checked, first.assignment.id, reason="too dark")
    second = next_assignment(checked, ann.id)
    assert second is not None
    flag_case(checked, second.assignment.id, reason="wrong patient")
    with checked.store.read() as tx:
        assert len(tx.current_annotations(case_ids=[first.case.id, second.case.id])) == 2
        assert {row.state for row in tx.worklist(case_ids=[first.case.id, second.case.id])} == {"answered"}
    notes = {line.case: line.note for line in gold_standing(checked).cases}
    assert notes[second.case.name] == "flagged by Ann: wrong patient"
    assert verify(checked.store).ok


def test_a_gold_reading_cannot_be_undone_for_its_truth_was_shown(checked: Workspace) -> None:
    opened, _ = give_next(checked, annotator_named(checked, "Ann"), cube())
    with pytest.raises(StateError, match="This was a gold case, and its truth has been shown"):
        undo_submit(checked, opened.assignment.id)


def test_what_was_given_on_a_gold_case_is_never_decided_by_nor_restored(checked: Workspace) -> None:
    rita = annotator_named(checked, "Rita")
    opened, given = give_next(checked, annotator_named(checked, "Ann"), cube(14))
    for decide in (
        lambda: restore(checked, given.id, rita.id),
        lambda: adjudicate(checked, opened.case.id, rita.id, [Ruling(given.id, label=1)]),
    ):
        with pytest.raises(InputError, match="What was given on a gold case is held against its truth"):
            decide()
    lines = {line.annotation_id: line for line in case_history(checked, opened.case.id)}
    assert (lines[given.id].what, lines[given.id].restorable) == ("read as gold", False)
    returned = return_case(checked, opened.case.id, rita.id, comment="again", to=given.annotator_id, looked=Looked(None))
    assert returned.annotation_id != given.id
    with pytest.raises(ConflictError, match="Another annotation of"):
        return_case(checked, opened.case.id, rita.id, comment="again", looked=Looked(given.id))


@pytest.fixture
def working(make_workspace: MakeWorkspace) -> Workspace:
    """A project with two gold cases outside of any tutorial."""
    workspace = make_workspace(["train"] * 4, settings=with_gold(gold_rate=0.5, batch_size=4))
    make_gold(workspace, "case00", "case01")
    return workspace


def test_marks_and_parts_are_taken_of_a_gold_case_as_of_any_other(working: Workspace) -> None:
    ann, stroke = annotator_named(working, "Ann"), Scribble(((5, 5, 5), (6, 5, 5)), 1)
    first, second = (choose_case(working, case_named(working, name).id, ann.id) for name in ("case00", "case01"))
    assert first.assignment.gold_id is not None
    made = submit_marks(working, first.assignment.id, SubmittedMarks(marks=[stroke]))
    found = gold_feedback(working, first.assignment.id)
    assert (made.origin, found.score) == ("gold", None)
    assert found.note == "Only masks are held against the truth: what you gave is kept, and not scored"
    part = submit(working, second.assignment.id, Submitted(mask=cube(5, 2), parts=[SlicePart(0, 5), SlicePart(0, 6)]))
    assert (part.kind, part.origin) == ("partial", "gold")
    assert gold_feedback(working, second.assignment.id).score == 1.0, "what is unknown is not wrong"
    assert str(feedback_picture(working, second.assignment.id)).startswith("<svg")
    with working.store.read() as tx:
        assert (tx.marked_annotations(), tx.partial_annotations()) == ([], []), "nothing learns from them"
    notes = {line.case: line.note for line in gold_standing(working).cases}
    assert notes[first.case.name] == "marked by Ann, not scored"
    read(working, annotator_named(working, "Rita"), second.case.id, cube(5, 9))
    add_gold(working, second.case.id, annotator_id=ann.id)
    assert gold_feedback(working, second.assignment.id).score == 1.0, "parts are held against a newer truth, too"


def test_a_proposal_of_a_gold_case_may_be_rejected_and_stays_no_rejection(working: Workspace) -> None:
    add_prediction(working, case_named(working, "case00").id, index=1, learned=())
    opened = choose_case(working, case_named(working, "case00").id, annotator_named(working, "Ann").id)
    assert opened.prediction is not None
    made = reject_proposal(working, opened.assignment.id)
    assert (made.kind, made.origin, gold_feedback(working, opened.assignment.id).score) == ("rejected", "gold", None)
    with working.store.read() as tx:
        assert tx.rejections() == []
    assert verify(working.store).ok


def test_in_a_tutorial_which_says_what_it_is_a_case_counts_whole(checked: Workspace) -> None:
    opened = next_assignment(checked, annotator_named(checked, "Ann").id)
    assert opened is not None
    for give in (
        lambda: submit(checked, opened.assignment.id, Submitted(mask=cube(), parts=[SlicePart(2, 5)])),
        lambda: submit_marks(checked, opened.assignment.id, SubmittedMarks(marks=[Scribble(((5, 5, 5),), 1)])),
        lambda: reject_proposal(checked, opened.assignment.id),
    ):
        with pytest.raises(StateError, match="A case of the tutorial counts whole"):
            give()


def test_no_gold_case_comes_in_place_of_parts_and_the_lead_knows(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"] * 4, settings=with_gold(gold_rate=0.5, query_unit="slice"))
    make_gold(workspace, "case00")
    assert gold_standing(workspace).warnings == (
        "gold_rate is 0.5, but query_unit=slice queries parts: gold cases come only in place of cases queried whole",
    )
    work = next_choice(workspace, annotator_named(workspace, "Rita").id)
    people = (annotator_named(workspace, f"Ann {n}") for n in range(20))
    ann = next(p for p in people if drawn_share(workspace.settings.seed, "gold", p.id, 0) < 0.5)
    assert work is not None
    with workspace.store.write("test") as tx:
        current = tx.find(Round, where={"state": "annotating"})[0]
        query = tx.get(Query, current.query_id or "")
        for kind, parts in (("slices", ({"axis": 2, "index": 3},)), ("whole", ())):
            asked = dataclasses.replace(query.choices[0], case_id=work.case_id, reason="why", kind=kind, parts=parts, minutes=2.0)
            made = dataclasses.replace(query, id=new_id("query"), choices=(asked,))
            tx.add(made, verb="choose")
            tx.change(Round, current.id, verb="choose", fields={"query_id": made.id})
            given = check_or(tx, ann.id, dataclasses.replace(work, round_id=current.id, reason="why"))
            assert (given.gold_id is not None) == (kind == "whole")
    opened = next_assignment(workspace, ann.id)
    assert opened is not None
    assert opened.assignment.gold_id is not None
    with workspace.store.read() as tx:
        shown = choice_shown(tx, opened.assignment)
    assert shown is not None
    assert (shown.kind, shown.minutes) == ("whole", 2.0), "as the work before which it came"


def test_a_gold_case_shows_a_proposal_only_of_a_model_that_had_not_learned_from_it(checked: Workspace) -> None:
    with checked.store.read() as tx:
        gold = case_named(checked, "case00")
        truth = [a.id for a in tx.current_annotations(case_ids=[gold.id])]
    before = add_prediction(checked, gold.id, index=1, learned=())
    add_prediction(checked, gold.id, index=2, learned=truth)
    add_prediction(checked, gold.id, index=3, learned=())
    bob = annotator_named(checked, "Bob")
    opened = [next_assignment(checked, bob.id)]
    if opened[0] is not None and opened[0].case.id != gold.id:
        skip_case(checked, opened[0].assignment.id, reason="the other one")
        opened.append(next_assignment(checked, bob.id))
    assert opened[-1] is not None
    assert opened[-1].case.id == gold.id
    assert opened[-1].prediction == before, "the third one may go on from the second"


def add_prediction(workspace: Workspace, case_id: str, *, index: int, learned: Sequence[str]) -> Prediction:
    snapshot = Snapshot(id=new_id("snapshot"), annotation_ids=tuple(learned), digest=f"{index:064d}", created_at=now())
    model = Model(id=new_id("model"), index=index, recipe={}, snapshot_id=snapshot.id, weights=(), metrics={}, created_at=now())
    made = Prediction(
        id=new_id("prediction"), case_id=case_id, model_id=model.id, mask=workspace.store.blobs.put(encode_mask(cube(index))),
        uncertainty=None, probabilities=(0.7, 0.3), features=None, scores={}, quality=0.8, quality_low=0.7, quality_high=0.9,
        created_at=now(),
    )  # fmt: skip
    with workspace.store.write("test") as tx:
        for record in (snapshot, model, made):
            tx.add(record)
    return made


def test_gold_cases_and_routing_cost_nothing_where_they_are_off(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"] * 6, settings=dataclasses.replace(FAST, batch_size=6))
    ann = annotator_named(workspace, "Ann")
    give_next(workspace, ann, cube())
    with transactions(workspace) as opened:
        assert next_choice(workspace, ann.id) is not None
    assert opened == ["begin"], "one look at one state of the project says what comes next"
    skip_case(workspace, next_choice_opened(workspace, ann).assignment.id, reason="dark")
    other = case_named(workspace, "case05").id
    with transactions(workspace) as opened:
        choose_case(workspace, other, ann.id)
    assert len(opened) == 2, "one to look, one to open"


def next_choice_opened(workspace: Workspace, person: Annotator) -> Opened:
    opened = next_assignment(workspace, person.id)
    assert opened is not None
    return opened


@contextmanager
def transactions(workspace: Workspace) -> Iterator[list[str]]:
    """The transactions that are begun meanwhile."""
    begun: list[str] = []
    engine = workspace.store.database.engine

    def note(_connection: Any) -> None:
        begun.append("begin")

    event.listen(engine, "begin", note)
    yield begun
    event.remove(engine, "begin", note)


def test_a_lease_that_ends_gives_a_gold_case_to_nobody_and_the_person_another(checked: Workspace) -> None:
    ann = annotator_named(checked, "Ann")
    opened = next_assignment(checked, ann.id)
    assert opened is not None
    release_stale(checked, hours=0)
    other = next_assignment(checked, ann.id)
    assert other is not None
    assert other.case.id != opened.case.id


def test_a_case_without_an_annotation_cannot_be_gold_and_one_that_is_gold_stays_as_it_is(checked: Workspace) -> None:
    rita = annotator_named(checked, "Rita")
    with pytest.raises(StateError, match="case04 has no annotation in force to be the truth"):
        add_gold(checked, case_named(checked, "case04").id, annotator_id=rita.id)
    case_id = case_named(checked, "case00").id
    assert add_gold(checked, case_id, annotator_id=rita.id) == add_gold(checked, case_id, annotator_id=rita.id)


def test_real_work_has_no_feedback_and_nobody_unknown_is_admitted(checked: Workspace) -> None:
    rita = annotator_named(checked, "Rita")
    opened, _ = give_next(checked, rita, cube())
    with pytest.raises(NotFoundError, match="There is no feedback on this assignment"):
        gold_feedback(checked, opened.assignment.id)
    with pytest.raises(NotFoundError, match="There is no annotator 'Nobody'"):
        admit(checked, "Nobody", actor="test")


def test_a_tutorial_without_gold_cases_is_named_before_anybody_is_stuck(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"] * 2, settings=with_gold(tutorial=2, gold_rate=0.1))
    assert gold_standing(workspace).warnings == (
        "gold_rate is 0.1, and there is no gold case: medloop gold add DIR CASE",
        "A tutorial needs 2 gold cases, there are 0: nobody new can begin; medloop gold add DIR CASE",
    )
    assert next_assignment(workspace, annotator_named(workspace, "Ann").id) is None
