"""A proposal that is rejected: what is kept, what it changes in queries, trainings and counts, and when it is refused."""

import dataclasses

import numpy as np
import pytest

from medloop.core.errors import ConflictError, InputError, StateError
from medloop.core.records import Annotation, Case, Choice, Prediction
from medloop.interaction.weak.marks import Tag
from medloop.loop.annotating import rejecting
from medloop.loop.annotating.annotations import Opened, open_case, submit
from medloop.loop.annotating.drafts import Edit, save_patch
from medloop.loop.annotating.history import case_history
from medloop.loop.annotating.marking import SubmittedMarks, submit_marks
from medloop.loop.annotating.rejecting import reject_proposal
from medloop.loop.annotating.submission import Submitted
from medloop.loop.annotating.withdrawing import undo_submit
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.arrays import load_annotation
from medloop.loop.foundation.effort import predict_minutes
from medloop.loop.foundation.effort_log import plain_seconds
from medloop.loop.foundation.training_due import new_to_learn
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.learning.pseudo_labels import pseudo_annotations
from medloop.loop.querying.kind_costs import FEWEST, kind_costs
from medloop.loop.querying.parts import with_parts
from medloop.loop.querying.queries import make_query
from medloop.loop.querying.rejected import lifted_cases, rejected_lines, with_lifted
from medloop.store.audit import verify

from .conftest import FAST, MakeWorkspace
from .made_up import add_model, add_prediction, every_case
from .test_query_units import predicted

BEST = dataclasses.replace(FAST, query_unit="best", batch_size=2, train_after=1, unlabelled="pseudo-labels")


@pytest.fixture
def pool(make_workspace: MakeWorkspace) -> Workspace:
    workspace = make_workspace(["train"] * 5, settings=BEST)
    predicted(workspace, {4: 100, 9: 200})
    return workspace


def opened(workspace: Workspace, number: int, who: str = "ann") -> Opened:
    return open_case(workspace, every_case(workspace)[number].id, annotator_named(workspace, who).id)


def rejected(workspace: Workspace, number: int = 3, seconds: float = 4.0) -> Annotation:
    return reject_proposal(workspace, opened(workspace, number).assignment.id, effort=plain_seconds(seconds))


def lifted(workspace: Workspace) -> list[str]:
    with workspace.store.read() as tx:
        return [tx.get(Case, one.case_id).name for one in lifted_cases(tx)]


def test_a_rejection_is_kept_with_its_proposal_and_annotates_nothing(pool: Workspace) -> None:
    made = rejected(pool)
    with pool.store.read() as tx:
        assert tx.get(Prediction, made.proposal_id or "").case_id == made.case_id
        assert (tx.case_counts().annotated, tx.current_annotations(), tx.annotated_cases(["human"])) == (0, [], 0)
        assert new_to_learn(tx, 9) == 0
    assert (made.kind, made.blob, made.tag, made.effort_seconds) == ("rejected", None, None, 4.0)
    with pytest.raises(InputError, match="rejects a proposal"):
        load_annotation(pool.store.blobs, made, every_case(pool)[3])
    assert verify(pool.store).ok


def test_a_rejected_case_is_queried_first_and_not_to_be_looked_at_again(pool: Workspace) -> None:
    rejected(pool)
    query = make_query(pool, 2)
    assert query is not None
    first = query.choices[0]
    assert first.case_id == every_case(pool)[3].id
    assert first.kind != "verify"
    assert "its proposal was rejected by ann" in first.reason
    assert all(one.probability is None for one in query.choices)
    assert len(query.choices) == len({one.case_id for one in query.choices}) == 2


def test_at_most_half_of_a_query_is_lifted_and_the_strategy_keeps_the_rest() -> None:
    chosen = [Choice(case_id=name, score=1.0, reason="uncertain", probability=0.5) for name in "abcd"]
    from medloop.loop.querying.rejected import Lifted

    waiting = [Lifted(name, "rejected") for name in "xybz"]
    assert [one.case_id for one in with_lifted(chosen, waiting, free="abcdxyz", size=4)] == ["x", "y", "a", "b"]
    assert [one.case_id for one in with_lifted(chosen, waiting, free="abcdz", size=4)] == ["b", "z", "a", "c"]
    assert with_lifted(chosen, waiting, free="acd", size=4) == chosen
    assert [one.case_id for one in with_lifted([], waiting, free="xyz", size=1)] == ["x"]


def test_a_rejection_holds_until_the_case_is_annotated_and_lifts_it_until_anything_is_given(pool: Workspace) -> None:
    rejected(pool)
    assert lifted(pool) == ["case03"]
    assert rejected_lines(pool) == ["1 case whose proposal was rejected: no pseudo-labels, and first in the next queries: case03"]
    submit_marks(pool, opened(pool, 3).assignment.id, SubmittedMarks(marks=[Tag(1)]))
    assert lifted(pool) == []
    with pool.store.read() as tx:
        assert len(tx.rejections()) == 1
    submit(pool, opened(pool, 3, "bob").assignment.id, Submitted())
    assert rejected_lines(pool) == []


def test_a_rejection_that_is_undone_opens_the_case_again(pool: Workspace) -> None:
    made = rejected(pool)
    again = undo_submit(pool, made.assignment_id or "")
    assert again.state == "open"
    assert lifted(pool) == []


def test_a_rejected_case_is_no_pseudo_label_even_of_a_later_model(pool: Workspace) -> None:
    rejected(pool)
    later = add_model(pool, 2)
    for case in every_case(pool):
        add_prediction(pool, later, case, entropy=0.0001)
    found = {one.case_id for one in pseudo_annotations(pool, answers=5)}
    assert found == {case.id for case in every_case(pool)} - {every_case(pool)[3].id}


def test_rejections_are_looks_that_were_not_accepted_and_no_times_of_annotating(pool: Workspace) -> None:
    for number in range(FEWEST):
        rejected(pool, number, seconds=3.0)
    with pool.store.read() as tx:
        known = kind_costs(pool, tx)
        assert predict_minutes(tx, every_case(pool), {})["case00"] == pytest.approx(1.0)
    assert (known.look, known.longer, known.accepted.tolist()) == (3.0, 1.0, [0.0] * FEWEST)


def test_marks_are_not_offered_of_a_case_that_has_some(pool: Workspace) -> None:
    submit_marks(pool, opened(pool, 0).assignment.id, SubmittedMarks(marks=[Tag(1)]))
    with pool.store.read() as tx:
        model = tx.live_model()
    found = with_parts(pool, [Choice(case_id=every_case(pool)[0].id, score=1.0, reason="r")], model)
    assert found[0].kind not in ("scribbles", "boxes", "tags")


def test_the_history_says_that_a_proposal_was_rejected(pool: Workspace) -> None:
    made = rejected(pool)
    lines = [line for line in case_history(pool, made.case_id) if line.annotation_id == made.id]
    assert [line.what for line in lines] == ["rejected the proposal"]
    assert not lines[0].restorable
    assert not lines[0].replayable


def test_what_holds_no_proposal_or_more_than_it_is_not_rejected(pool: Workspace, make_workspace: MakeWorkspace) -> None:
    fresh = make_workspace(["train", "audit"], name="fresh")
    with pytest.raises(StateError, match="no proposal to reject"):
        reject_proposal(fresh, opened(fresh, 0).assignment.id)
    predicted(fresh, {})
    with pytest.raises(StateError, match="case01 is a audit case"):
        reject_proposal(fresh, opened(fresh, 1).assignment.id)
    drawn = opened(pool, 1).assignment
    save_patch(pool, drawn.id, Edit(base_revision=0, runs=((900, 4, 2),)))
    with pytest.raises(ConflictError, match="was corrected"):
        reject_proposal(pool, drawn.id)
    submit(pool, drawn.id, Submitted())
    with pytest.raises(StateError, match="is submitted"):
        reject_proposal(pool, drawn.id)
    with pytest.raises(StateError, match=r"annotated|does not begin"):
        rejected(pool, 1)


def test_rejecting_twice_replaces_the_earlier_one(pool: Workspace) -> None:
    first, second = rejected(pool), rejected(pool)
    assert second.supersedes == first.id
    with pool.store.read() as tx:
        assert [one.id for one in tx.rejections()] == [second.id]
    assert np.isfinite(second.effort_seconds)


def test_edits_that_come_while_a_proposal_is_rejected_are_not_left_behind(pool: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    mine, whole = opened(pool, 3).assignment, rejecting.own_annotation

    def edited_then(tx, case_id, annotator_id):
        monkeypatch.undo()
        save_patch(pool, mine.id, Edit(0, ((0, 3, 1),)))
        return whole(tx, case_id, annotator_id)

    monkeypatch.setattr(rejecting, "own_annotation", edited_then)
    with pytest.raises(ConflictError, match="revision"):
        reject_proposal(pool, mine.id)
    with pool.store.read() as tx:
        assert tx.rejections() == []


def test_who_reads_blind_does_not_learn_by_rejecting_that_others_annotated(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"] * 4, settings=dataclasses.replace(BEST, readings=2, blind=True))
    predicted(workspace, {})
    mine = opened(workspace, 2, "bob").assignment
    submit(workspace, opened(workspace, 2, "ann").assignment.id, Submitted())
    assert reject_proposal(workspace, mine.id).kind == "rejected"
    with workspace.store.read() as tx:
        assert (tx.rejections(), len(tx.current_annotations())) == ([], 1)
