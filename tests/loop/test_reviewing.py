"""Places to look at in an open case: their order, and the log of what was visited."""

import numpy as np
import pytest

from medloop.core.errors import NotFoundError, StateError
from medloop.core.geometry import Grid
from medloop.core.records import Annotator, Assignment, Prediction, new_id, now
from medloop.images.encode import encode_mask
from medloop.loop.annotating.annotations import open_case, submit
from medloop.loop.annotating.drafts import Edit, save_patch
from medloop.loop.annotating.reviewing import Visit, mark_visited, review_places
from medloop.loop.annotating.submission import Submitted
from medloop.loop.foundation.workspace import Workspace
from medloop.store.audit import verify

from .made_up import add_model, every_case

SHAPE = (24, 24, 16)


@pytest.fixture
def doubtful(pool: Workspace, ann: Annotator) -> Assignment:
    """An open case whose proposal is in doubt on slice 9, and a little on slice 3."""
    case = every_case(pool)[0]
    doubt = np.zeros(SHAPE, dtype=np.uint8)
    doubt[2:10, 2:10, 9], doubt[4, 2:10, 3] = 255, 255
    model, blobs = add_model(pool, 1), pool.store.blobs
    prediction = Prediction(
        id=new_id("prediction"),
        case_id=case.id,
        model_id=model.id,
        mask=blobs.put(encode_mask(np.zeros(SHAPE, dtype=np.uint8))),
        uncertainty=blobs.put(encode_mask(doubt)),
        probabilities=(1.0, 0.0, 0.0),
        features=None,
        scores={"entropy": 0.1},
        created_at=now(),
    )
    with pool.store.write("worker") as tx:
        tx.add(prediction)
    return open_case(pool, case.id, ann.id).assignment


def test_the_most_doubtful_slice_is_suggested_first(pool: Workspace, doubtful: Assignment) -> None:
    review = review_places(pool, doubtful.id)
    assert [(p.axis, p.index) for p in review.places] == [(2, 9), (2, 3)]
    assert review.places[0].gain == pytest.approx(64 * 2 / 3, rel=1e-3)  # full doubt between three classes
    assert (review.next, review.visits) == (0, ())


def test_visits_say_what_was_suggested_and_what_changed(pool: Workspace, doubtful: Assignment) -> None:
    on_slice_3 = 3 * 24 * 24 + 5
    save_patch(pool, doubtful.id, Edit(0, [(on_slice_3, 2, 1)]))
    out_of_turn = mark_visited(pool, doubtful.id, 1)
    in_turn = mark_visited(pool, doubtful.id, 0)
    assert (out_of_turn.number, out_of_turn.suggested, out_of_turn.changed, out_of_turn.revision) == (1, 0, True, 1)
    assert (in_turn.number, in_turn.suggested, in_turn.changed) == (0, 0, False)
    review = review_places(pool, doubtful.id)
    assert (review.next, review.visits) == (None, (out_of_turn, in_turn))


def test_only_edits_since_the_visit_before_count(pool: Workspace, doubtful: Assignment) -> None:
    save_patch(pool, doubtful.id, Edit(0, [(3 * 576, 1, 1)]))
    mark_visited(pool, doubtful.id, 0)
    assert not mark_visited(pool, doubtful.id, 1).changed


def test_a_second_visit_is_the_first(pool: Workspace, doubtful: Assignment) -> None:
    first = mark_visited(pool, doubtful.id, 0)
    save_patch(pool, doubtful.id, Edit(0, [(9 * 576, 1, 1)]))
    assert mark_visited(pool, doubtful.id, 0) == first
    assert len(review_places(pool, doubtful.id).visits) == 1


def test_drawing_does_not_renumber_places(pool: Workspace, doubtful: Assignment) -> None:
    before = review_places(pool, doubtful.id).places
    save_patch(pool, doubtful.id, Edit(0, [(9 * 576, 576, 1)]))
    assert review_places(pool, doubtful.id).places == before


def test_visits_are_part_of_the_audit(pool: Workspace, doubtful: Assignment, ann: Annotator) -> None:
    visit = mark_visited(pool, doubtful.id, 0)
    with pool.store.read() as tx:
        event = tx.events_about("assignment", [doubtful.id])[-1]
    assert (event.verb, event.actor, event.at, event.body["start"]) == ("visit", ann.id, visit.at, [0, 0, 9])
    assert isinstance(visit, Visit)
    verify(pool.store)


def test_an_answer_against_the_model_is_worth_a_look(pool: Workspace, doubtful: Assignment, ann: Annotator) -> None:
    own = np.zeros(SHAPE, dtype=np.uint8)
    own[0:10, 0:10, 12] = 1  # where the model is sure of background
    submit(pool, doubtful.id, Submitted(mask=own))
    again = open_case(pool, doubtful.case_id, ann.id).assignment
    assert review_places(pool, again.id).places[0].index == 12


def test_a_case_no_model_has_seen_has_no_places(pool: Workspace, ann: Annotator) -> None:
    opened = open_case(pool, every_case(pool)[1].id, ann.id).assignment
    assert review_places(pool, opened.id).places == ()
    with pytest.raises(NotFoundError, match="has 0 places"):
        mark_visited(pool, opened.id, 0)


def test_a_closed_case_takes_no_visit(pool: Workspace, doubtful: Assignment) -> None:
    submit(pool, doubtful.id, Submitted())
    with pytest.raises(StateError, match="submitted"):
        mark_visited(pool, doubtful.id, 0)
    assert len(review_places(pool, doubtful.id).places) == 2


def test_people_page_along_the_coarse_axis() -> None:
    assert Grid.of_spacing((9, 9, 9), (3.0, 1.0, 1.0)).paging_axis == 0
    assert Grid.of_spacing((9, 9, 9), (1.1, 1.0, 1.0)).paging_axis == 2
    assert Grid.of_spacing((9, 9, 1), (5.5, 1.0, 1.0)).paging_axis == 2
