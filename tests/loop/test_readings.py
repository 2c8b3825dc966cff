"""Several people read one case: who gets what, when a round ends, what is hidden, and what becomes of their readings."""

import dataclasses
import weakref
from typing import Any

import numpy as np
import pytest

from medloop.core.arrays import MaskArray
from medloop.core.errors import InputError, StateError
from medloop.core.records import Annotation, Annotator, Case, Consensus, ProjectSettings, Round
from medloop.core.states import RoundState
from medloop.loop.annotating import history
from medloop.loop.annotating.adjudicating import Ruling, adjudicate, restore
from medloop.loop.annotating.annotations import Opened, next_assignment, open_case, submit
from medloop.loop.annotating.history import case_history
from medloop.loop.annotating.review_verdicts import Looked, Signed, approve, return_case, review_queue
from medloop.loop.annotating.submission import Submitted
from medloop.loop.annotating.withdrawing import undo_submit
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.arrays import load_mask
from medloop.loop.foundation.configuring import configure
from medloop.loop.foundation.consensus import deciding
from medloop.loop.foundation.crowds import training_annotations
from medloop.loop.foundation.leases import release_stale
from medloop.loop.foundation.readings import CaseReading, case_readings, readings_needed
from medloop.loop.foundation.waiting import nothing_left_words, reading_summary
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.overview.annotator_skill import skilled_annotators
from medloop.loop.overview.spending import skill_words
from medloop.loop.worker import drain
from medloop.store.audit import verify

from .conftest import FAST, SMALL, MakeWorkspace


def with_readings(**settings: object) -> ProjectSettings:
    return dataclasses.replace(FAST, **settings)  # type: ignore[arg-type]


def cube(start: int = 4, *, label: int = 1, size: int = 8) -> MaskArray:
    mask = np.zeros(SMALL, dtype=np.uint8)
    mask[start : start + size, 4:12, 4:12] = label
    return mask


def give(workspace: Workspace, person: Annotator, mask: MaskArray) -> Annotation:
    opened = next_assignment(workspace, person.id)
    assert opened is not None
    return submit(workspace, opened.assignment.id, Submitted(mask=mask))


def read_case(workspace: Workspace, case_id: str, person: Annotator, mask: MaskArray, **said: object) -> Annotation:
    opened = open_case(workspace, case_id, person.id)
    return submit(workspace, opened.assignment.id, Submitted(mask=mask, **said))  # type: ignore[arg-type]


def people(workspace: Workspace, *names: str) -> list[Annotator]:
    return [annotator_named(workspace, name) for name in names]


def reading(workspace: Workspace, case_id: str) -> CaseReading:
    with workspace.store.read() as tx:
        return case_readings(tx, [case_id])[case_id]


def first_case(workspace: Workspace) -> Case:
    with workspace.store.read() as tx:
        return tx.find(Case, limit=1)[0]


def standing(workspace: Workspace, case_id: str) -> Annotation:
    with workspace.store.read() as tx:
        return deciding(tx.current_annotations(case_ids=[case_id]))


def test_a_case_is_read_by_so_many_different_people_before_its_round_ends(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"] * 2, settings=with_readings(readings=2))
    ann, bob = people(workspace, "Ann", "Bob")
    given = [give(workspace, person, cube()) for person in (ann, ann, bob)]
    with workspace.store.read() as tx:
        assert tx.find(Round)[0].state == RoundState.ANNOTATING
    give(workspace, bob, cube())
    drain(workspace)
    with workspace.store.read() as tx:
        assert tx.find(Round)[0].state == RoundState.CLOSED
    assert {reading(workspace, a.case_id).state for a in given} == {"accepted"}


def test_nobody_is_asked_for_a_second_reading_of_the_same_case(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"] * 2, settings=with_readings(readings=2))
    ann, bob = people(workspace, "Ann", "Bob")
    give(workspace, ann, cube())
    give(workspace, ann, cube())
    assert next_assignment(workspace, ann.id) is None
    with workspace.store.read() as tx:
        assert nothing_left_words(tx, ann.id) == (
            "You have read 2 cases of which each needs 2 readings by different people: somebody else must read them, "
            "or set readings to 1 (medloop configure DIR readings=1)"
        )
        summary = reading_summary(tx)
    assert summary is not None
    assert summary.lines[0].startswith("Ann is the only one who annotates here and has read 2 cases of which each needs 2 readings")
    assert next_assignment(workspace, bob.id) is not None


def test_a_case_that_somebody_has_open_counts_towards_its_readings_until_the_lease_ends(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"], settings=with_readings(readings=2))
    ann, bob, eva = people(workspace, "Ann", "Bob", "Eva")
    opened = [next_assignment(workspace, person.id) for person in (ann, bob)]
    assert all(opened)
    assert next_assignment(workspace, eva.id) is None
    release_stale(workspace, hours=0)
    assert next_assignment(workspace, eva.id) is not None


def test_lowering_the_readings_ends_rounds_that_waited_for_more(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"] * 2, settings=with_readings(readings=2))
    ann = annotator_named(workspace, "Ann")
    give(workspace, ann, cube())
    give(workspace, ann, cube())
    configure(workspace, settings={"readings": 1})
    with workspace.store.read() as tx:
        assert tx.find(Round)[0].state != RoundState.ANNOTATING


def test_a_share_of_the_cases_is_read_once_more_and_always_the_same_ones() -> None:
    settings = with_readings(read_twice=0.3)
    drawn = [readings_needed(settings, f"case-{n}") for n in range(2000)]
    assert drawn == [readings_needed(settings, f"case-{n}") for n in range(2000)]
    assert set(drawn) == {1, 2}
    assert 0.26 < drawn.count(2) / 2000 < 0.34


def test_a_second_reader_begins_from_the_proposal_and_sees_nothing_of_the_first_when_reading_blind(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"], settings=with_readings(readings=2, blind=True))
    ann, bob = people(workspace, "Ann", "Bob")
    give(workspace, ann, cube())
    opened = next_assignment(workspace, bob.id)
    assert opened is not None
    assert (opened.annotation, opened.assignment.began_with, opened.assignment.base_id) == (None, "blank", None)
    submit(workspace, opened.assignment.id, Submitted(mask=cube(6)))
    again = open_case(workspace, opened.case.id, bob.id)
    assert again.annotation is not None, "who has read it may see what stands"
    assert standing_base(workspace, again).annotator_id == bob.id, "and goes on from their own"


def standing_base(workspace: Workspace, opened: Opened) -> Annotation:
    return workspace.store.get(Annotation, str(opened.assignment.base_id))


def test_a_reading_that_is_not_blind_begins_with_the_one_before(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"], settings=with_readings(readings=2))
    ann, bob = people(workspace, "Ann", "Bob")
    first = give(workspace, ann, cube())
    opened = next_assignment(workspace, bob.id)
    assert opened is not None
    assert opened.assignment.base_id == first.id


def test_a_reading_of_an_evaluation_case_replaces_nobody_elses(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["test"], settings=with_readings(readings=2))
    ann, bob = people(workspace, "Ann", "Bob")
    case = first_case(workspace)
    read_case(workspace, case.id, ann, cube())
    with pytest.raises(StateError, match="Several people read this case, and a reading replaces nobody else's"):
        read_case(workspace, case.id, bob, cube(6), replace=True)
    read_case(workspace, case.id, bob, cube(6))
    assert reading(workspace, case.id).readers == (ann.id, bob.id)


def test_a_consensus_is_made_when_a_case_has_its_readings_and_is_what_trains_the_next_model(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"] * 2, settings=with_readings(readings=3, consensus="majority"))
    for person, start in zip(people(workspace, "Ann", "Bob", "Eva"), (4, 5, 9), strict=True):
        give(workspace, person, cube(start))
        give(workspace, person, cube(start))
    drain(workspace)
    case = first_case(workspace)
    made = standing(workspace, case.id)
    assert made.origin == "consensus"
    np.testing.assert_array_equal(load_mask(workspace.store.blobs, made, case).array, cube(5))
    with workspace.store.read() as tx:
        found = tx.find(Consensus, where={"case_id": case.id})[0]
        assert [a.origin for a in training_annotations(workspace, tx)] == ["consensus", "consensus"]
    assert found.method == "majority"
    assert found.agreement == pytest.approx((2 * 7 / 16 + 2 * 3 / 16 + 2 * 4 / 16) / 3)
    assert [round(found.skills[a.id]["labels"]["1"]["value"], 3) for a in people(workspace, "Ann", "Bob", "Eva")] == [0.875, 1.0, 0.5]
    assert verify(workspace.store).ok


def test_a_later_reading_or_one_taken_back_makes_another_consensus_and_the_first_is_kept(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"], settings=with_readings(readings=2, consensus="majority"))
    ann, bob, eva = people(workspace, "Ann", "Bob", "Eva")
    case = first_case(workspace)
    for person, start in ((ann, 4), (bob, 5)):
        read_case(workspace, case.id, person, cube(start))
    drain(workspace)
    third = read_case(workspace, case.id, eva, cube(5))
    assert standing(workspace, case.id).origin == "human", "the consensus of two is not one of three"
    assert reading(workspace, case.id).consensus_due
    drain(workspace)
    np.testing.assert_array_equal(load_mask(workspace.store.blobs, standing(workspace, case.id), case).array, cube(5))
    undo_submit(workspace, str(third.assignment_id))
    drain(workspace)
    with workspace.store.read() as tx:
        made = tx.find(Consensus)
    assert [len(c.inputs) for c in made] == [2, 3, 2]
    assert [c.supersedes for c in made] == [None, made[0].id, made[1].id]
    assert standing(workspace, case.id).id == made[2].annotation_id


def test_an_annotator_who_calls_all_background_is_outvoted_and_named(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"], settings=with_readings(readings=3, consensus="staple"))
    ann, bob, eva = people(workspace, "Ann", "Bob", "Eva")
    case = first_case(workspace)
    for person, mask in ((ann, cube()), (bob, cube()), (eva, np.zeros(SMALL, dtype=np.uint8))):
        read_case(workspace, case.id, person, mask)
    drain(workspace)
    np.testing.assert_array_equal(load_mask(workspace.store.blobs, standing(workspace, case.id), case).array, cube())
    with workspace.store.read() as tx:
        made = tx.find(Consensus)[0]
    assert made.skills[eva.id]["labels"]["1"]["value"] == 0.0
    assert "equal masks of annotators 0 and 1" in made.note
    assert "0 is Ann" in made.note


def test_readings_that_cannot_be_read_leave_the_latest_and_say_so(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"], settings=with_readings(readings=2, consensus="majority", review="disagreement"))
    ann, bob = people(workspace, "Ann", "Bob")
    case = first_case(workspace)
    lost = read_case(workspace, case.id, ann, cube())
    kept = read_case(workspace, case.id, bob, cube(5))
    workspace.store.blobs.path(str(lost.blob)).unlink()
    drain(workspace)
    assert standing(workspace, case.id).id == kept.id
    with workspace.store.read() as tx:
        assert tx.find(Consensus)[0].note == "1 of 2 readings cannot be read and are left out: the latest reading counts"
    assert reading(workspace, case.id).state == "in review"


def disagreeing(make_workspace: MakeWorkspace, **settings: object) -> tuple[Workspace, list[Annotator], Case, list[Annotation]]:
    rules = {"readings": 2, "consensus": "majority", "review": "disagreement", "blind": True, **settings}
    workspace = make_workspace(["train"] * 2, settings=with_readings(**rules))
    team = people(workspace, "Ann", "Bob", "Rita")
    case = first_case(workspace)
    given = [read_case(workspace, case.id, person, cube(start)) for person, start in zip(team[:2], (4, 10), strict=True)]
    drain(workspace)
    return workspace, team, case, given


def test_too_little_agreement_sends_a_case_to_review_and_an_approval_accepts_it(make_workspace: MakeWorkspace) -> None:
    workspace, (_, _, rita), case, _ = disagreeing(make_workspace)
    assert [(line.name, line.reading.state, line.readers) for line in review_queue(workspace)] == [(case.name, "in review", ("Ann", "Bob"))]
    signed = approve(workspace, case.id, rita.id, signed=Signed("Rita Roe, MD"), comment="fine")
    assert signed.signature is not None
    assert (signed.signature["name"], signed.signature["meaning"]) == ("Rita Roe, MD", "approval")
    assert reading(workspace, case.id).state == "accepted"
    assert review_queue(workspace) == ()


def test_enough_agreement_needs_no_review(make_workspace: MakeWorkspace) -> None:
    workspace, _, case, _ = disagreeing(make_workspace, minimum_agreement=0.2)
    assert reading(workspace, case.id).state == "accepted"


def test_a_reading_after_an_approval_brings_the_case_back_to_review(make_workspace: MakeWorkspace) -> None:
    workspace, (_, _, rita), case, _ = disagreeing(make_workspace)
    approve(workspace, case.id, rita.id)
    read_case(workspace, case.id, annotator_named(workspace, "Eva"), cube(4))
    drain(workspace)
    assert reading(workspace, case.id).state == "in review"


def test_a_returned_case_comes_next_to_whom_it_was_returned_with_the_comment(make_workspace: MakeWorkspace) -> None:
    workspace, (ann, bob, rita), case, given = disagreeing(make_workspace)
    with pytest.raises(InputError, match="consensus annotation is nobody's to correct"):
        return_case(workspace, case.id, rita.id, comment="too far left")
    return_case(workspace, case.id, rita.id, comment="too far left", looked=Looked(given[1].id))
    assert reading(workspace, case.id).state == "returned"
    with workspace.store.read() as tx:
        summary = reading_summary(tx)
    assert summary is not None
    assert "1 case returned to Bob, who must annotate again" in summary.lines
    other = next_assignment(workspace, ann.id)
    assert other is not None
    assert other.case.id != case.id
    opened = next_assignment(workspace, bob.id)
    assert opened is not None
    assert (opened.case.id, opened.assignment.reason) == (case.id, "returned by Rita: too far left")
    submit(workspace, opened.assignment.id, Submitted(mask=cube(4)))
    drain(workspace)
    assert reading(workspace, case.id).state == "accepted", "they agree now"


def test_a_reading_returned_to_somebody_else_is_replaced_by_theirs(make_workspace: MakeWorkspace) -> None:
    workspace, (ann, _, rita), case, given = disagreeing(make_workspace)
    eva = annotator_named(workspace, "Eva")
    return_case(workspace, case.id, rita.id, comment="read anew", looked=Looked(given[1].id), to=eva.id)
    opened = next_assignment(workspace, eva.id)
    assert opened is not None
    made = submit(workspace, opened.assignment.id, Submitted(mask=cube(4)))
    assert made.supersedes == given[1].id
    assert reading(workspace, case.id).readers == (ann.id, eva.id)


def test_a_reviewer_puts_an_annotation_together_from_named_readings_and_it_stands(make_workspace: MakeWorkspace) -> None:
    workspace, (_, _, rita), case, given = disagreeing(make_workspace)
    decided = adjudicate(workspace, case.id, rita.id, [Ruling(given[1].id, label=1)], comment="Bob is right")
    assert standing(workspace, case.id).id == decided.id
    np.testing.assert_array_equal(load_mask(workspace.store.blobs, decided, case).array, cube(10))
    assert reading(workspace, case.id).state == "accepted"
    drain(workspace)
    assert standing(workspace, case.id).id == decided.id, "no consensus is made over a decision"
    lines = case_history(workspace, case.id)
    assert [(line.who, line.what) for line in lines] == [
        ("Ann", "annotated"),
        ("Bob", "annotated"),
        ("consensus", "fused"),
        ("consensus", "consensus of 2 readings by majority, agreement 0.25"),
        ("Rita", "adjudicated"),
        ("Rita", "approved"),
    ]
    assert [(c.label, c.added, c.removed) for c in lines[0].changes] == [("large", 512, 0)]
    assert [line.who for line in lines if line.in_force] == ["Ann", "Bob", "Rita"], "the fused annotation is out of force"
    assert lines[0].changes[0].ml == pytest.approx(512 * np.prod(case.grid.spacing_mm) / 1000, abs=0.001)


def test_an_earlier_annotation_is_restored_as_a_new_one(make_workspace: MakeWorkspace) -> None:
    workspace, (_, _, rita), case, given = disagreeing(make_workspace)
    made = restore(workspace, given[0].id, rita.id)
    assert (made.blob, made.annotator_id, made.origin) == (given[0].blob, rita.id, "adjudicated")
    assert standing(workspace, case.id).id == made.id


def test_a_project_of_one_reading_stays_as_it_was(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"] * 2)
    ann, bob = people(workspace, "Ann", "Bob")
    case = first_case(workspace)
    read_case(workspace, case.id, ann, cube())
    last = read_case(workspace, case.id, bob, cube(6))
    drain(workspace)
    assert standing(workspace, case.id).id == last.id
    with workspace.store.read() as tx:
        assert tx.count(Consensus) == 0
        assert reading_summary(tx) is None


def test_the_fusing_program_is_no_person_who_was_called_so_before_the_name_was_reserved(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"], settings=with_readings(readings=2, consensus="majority"))
    older = Annotator(id="annotator-older", name="Consensus", kind="person", created_at="2026-01-01T00:00:00Z")
    with workspace.store.write(older.id) as tx:
        tx.add(older, verb="join")
    case = first_case(workspace)
    for person in people(workspace, "Ann", "Bob"):
        read_case(workspace, case.id, person, cube())
    drain(workspace)
    made = standing(workspace, case.id)
    assert made.origin == "consensus"
    with workspace.store.read() as tx:
        program = tx.get(Annotator, made.annotator_id)
    assert (program.name, program.kind) == ("consensus 2", "model")
    assert annotator_named(workspace, "consensus", kind="model", program=True) == program


def test_readers_are_known_by_their_other_cases_where_one_case_cannot_tell(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"] * 6, settings=with_readings(readings=2, consensus="staple_cases"))
    ann, bob, eva, dan = people(workspace, "Ann", "Bob", "Eva", "Dan")
    with workspace.store.read() as tx:
        cases = tx.find(Case, order=("name",))
    for case in cases[:5]:  # Ann agrees with Bob and Eva, Dan with nobody
        for person, mask in ((ann, cube()), (bob, cube()), (eva, cube(5)), (dan, cube(12))):
            read_case(workspace, case.id, person, mask)
    for person, mask in ((dan, cube(12)), (ann, cube())):
        read_case(workspace, cases[5].id, person, mask)
    drain(workspace)
    made = standing(workspace, cases[5].id)
    np.testing.assert_array_equal(load_mask(workspace.store.blobs, made, cases[5]).array, cube())
    with workspace.store.read() as tx:
        found = tx.find(Consensus, where={"case_id": cases[5].id})[-1]
    assert found.method == "staple_cases"
    assert found.skills[ann.id]["value"] > 0.9 > found.skills[dan.id]["value"]
    lines = {line.annotator: line for line in skilled_annotators(workspace)}
    assert all(line.edges is not None and line.edges > 0 for line in lines.values())
    assert all(line.skill_by_image is not None and 0 <= line.skill_by_image <= 1 for line in lines.values())
    assert f", edges {lines['Ann'].edges:.2f}, by both {lines['Ann'].skill_by_image:.2f}" in skill_words(lines["Ann"])


def test_a_consensus_weighs_readers_by_the_image_and_without_it_by_each_other(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"], settings=with_readings(readings=2, consensus="locally_weighted"))
    case = first_case(workspace)
    for person, start in zip(people(workspace, "Ann", "Bob"), (4, 6), strict=True):
        read_case(workspace, case.id, person, cube(start))
    workspace.store.blobs.path(case.voxels).unlink()
    drain(workspace)
    with workspace.store.read() as tx:
        without = tx.find(Consensus)[-1]
    assert (without.method, standing(workspace, case.id).origin) == ("locally_weighted", "consensus")
    assert "the image cannot be read, readers are weighed by each other" in without.note
    assert all("edges" not in skill for skill in without.skills.values())


def test_a_long_history_holds_few_masks_at_once(make_workspace: MakeWorkspace, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = make_workspace(["train"])
    readers = people(workspace, *(f"Reader {n}" for n in range(6)))
    case, load, held = first_case(workspace), history._mask, list[tuple[int, weakref.ref[MaskArray]]]()
    for n in range(24):
        read_case(workspace, case.id, readers[n % 6], cube(n % 5))

    def counted(*args: Any) -> MaskArray:
        mask = load(*args)
        held.append((sum(one() is not None for _, one in held) + 1, weakref.ref(mask)))
        return mask

    monkeypatch.setattr(history, "_mask", counted)
    lines = [line for line in case_history(workspace, case.id) if line.what == "annotated"]
    assert [line.who for line in lines] == [f"Reader {n % 6}" for n in range(24)]
    assert all(line.changes for line in lines[6:])
    assert max(alive for alive, _ in held) <= history.MASKS_AT_ONCE + 2
