"""The kind of annotation queried of each case: what the log of work says of its minutes, and which kind follows."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import pytest

from medloop.core.records import Annotation, AnnotationKind, Choice, Evaluation, Prediction, Withdrawal, new_id, now
from medloop.images.encode import encode_mask
from medloop.loop.annotating.annotations import next_assignment, submit
from medloop.loop.annotating.submission import Submitted
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.effort import predict_minutes
from medloop.loop.foundation.partial_annotations import BoxPart, Part, SlicePart, encode_partial
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.querying.best_kinds import offers_of
from medloop.loop.querying.chosen import choice_of
from medloop.loop.querying.kind_costs import FEWEST, KindCosts, doubt_of, kind_costs
from medloop.loop.querying.mark_kinds import presence_errors
from medloop.loop.querying.parts import with_parts
from medloop.loop.querying.places import look_at
from medloop.loop.querying.rounds import prepare_round
from medloop.query.budget.kinds import best_offer
from medloop.store.reader import Reader

from .conftest import FAST, SMALL, MakeWorkspace
from .made_up import add_model, add_prediction, every_case
from .test_query_units import predicted

BEST = dataclasses.replace(FAST, query_unit="best", batch_size=2)


@pytest.fixture
def volumes(make_workspace: MakeWorkspace) -> Workspace:
    workspace = make_workspace(["train"] * 2, settings=BEST)
    predicted(workspace, {4: 100, 9: 200, 11: 150})
    return workspace


def choices_of(workspace: Workspace) -> list[Choice]:
    with workspace.store.read() as tx:
        model = tx.live_model()
    return with_parts(workspace, [Choice(case_id=c.id, score=1.0, reason="uncertain") for c in every_case(workspace)], model)


def shown_first(workspace: Workspace) -> Prediction:
    """The newest prediction of the first case."""
    with workspace.store.read() as tx:
        return tx.find(Prediction, where={"case_id": every_case(workspace)[0].id})[-1]


TWO_SLICES = (SlicePart(2, 0), SlicePart(2, 1))


def worked(
    workspace: Workspace,
    *,
    kind: AnnotationKind,
    seconds: float,
    untouched: float | None = None,
    times: int = FEWEST,
    parts: Sequence[Part] = TWO_SLICES,
) -> None:
    """So many annotations of the first case that took so long each."""
    case, ann, proposal = every_case(workspace)[0], annotator_named(workspace, "ann"), shown_first(workspace)
    mask = np.zeros(SMALL, dtype=np.uint8)
    packed = encode_partial(mask, parts) if kind == "partial" else encode_mask(mask)
    for _ in range(times):
        made = Annotation(
            id=new_id("annotation"),
            case_id=case.id,
            task_id=workspace.task.id,
            annotator_id=ann.id,
            kind=kind,
            blob=workspace.store.blobs.put(packed),
            proposal_id=proposal.id,
            untouched=untouched,
            effort_seconds=seconds,
            created_at=now(),
        )
        with workspace.store.write("test") as tx:
            tx.add(made, verb="submit")


def looked_at_often(workspace: Workspace) -> None:
    """Most proposals were accepted in two seconds, the others took five minutes, and slices ten."""
    worked(workspace, kind="mask", seconds=2.0, untouched=1.0, times=30)
    worked(workspace, kind="mask", seconds=300.0, untouched=0.5, times=20)
    worked(workspace, kind="partial", seconds=1200.0, times=15)


def test_slices_that_hold_the_errors_are_queried_with_their_minutes(volumes: Workspace) -> None:
    first = choices_of(volumes)[0]
    assert first.kind == "slices"
    assert first.parts == ({"axis": 2, "index": 9},)
    assert first.minutes is not None
    assert first.minutes > 0
    assert first.reason.startswith("Annotate these slices (about ")
    assert "uncertain" in first.reason


def test_a_case_that_no_model_has_seen_comes_last_and_whole(volumes: Workspace, make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"] * 2, settings=BEST, name="half")
    model = add_model(workspace, 1)
    seen = add_prediction(workspace, model, every_case(workspace)[1])
    unsure = dataclasses.replace(seen, id="u", uncertainty=workspace.store.blobs.put(encode_mask(np.full(SMALL, 90, dtype=np.uint8))))
    with workspace.store.write("worker") as tx:
        tx.add(unsure)
    first, last = choices_of(workspace)
    assert first.case_id == every_case(workspace)[1].id
    assert (last.kind, last.parts, last.minutes) == ("", (), None)
    assert "no model has seen it" in last.reason


def test_times_are_learned_from_the_log_by_kind(volumes: Workspace) -> None:
    with volumes.store.read() as tx:
        known = kind_costs(volumes, tx)
    assert (known.look, known.part, known.doubts.tolist(), known.accepted.tolist()) == (None, {}, [], [])
    worked(volumes, kind="mask", seconds=9.0, untouched=1.0)
    worked(volumes, kind="mask", seconds=90.0, untouched=0.8, times=3)
    worked(volumes, kind="partial", seconds=24.0)
    with volumes.store.read() as tx:
        known = kind_costs(volumes, tx)
    assert known.look == 9.0
    assert known.longer == 1.0  # three corrected proposals are too few to say how much longer these take
    assert known.part == {"slices": 12.0}
    assert sorted(known.accepted.tolist()) == [0.0] * 3 + [1.0] * FEWEST


def test_the_times_of_boxes_say_nothing_of_slices(volumes: Workspace) -> None:
    worked(volumes, kind="partial", seconds=24.0)
    worked(volumes, kind="partial", seconds=300.0, parts=[BoxPart((0, 0, 0), (4, 4, 4))])
    with volumes.store.read() as tx:
        assert kind_costs(volumes, tx).part == {"slices": 12.0, "regions": 300.0}


def test_what_is_not_accepted_takes_longer_than_proposals_on_the_whole(volumes: Workspace) -> None:
    worked(volumes, kind="mask", seconds=10.0, untouched=1.0, times=FEWEST + 1)
    worked(volumes, kind="mask", seconds=50.0, untouched=0.9)
    with volumes.store.read() as tx:
        assert kind_costs(volumes, tx).longer == 5.0


def test_annotations_of_parts_make_no_whole_case_shorter(volumes: Workspace) -> None:
    worked(volumes, kind="mask", seconds=300.0, untouched=0.8, times=25)
    worked(volumes, kind="partial", seconds=6.0, times=40)
    with volumes.store.read() as tx:
        cases, seen = every_case(volumes), {shown_first(volumes).case_id: shown_first(volumes)}
        whole, any_kind = (predict_minutes(tx, cases, seen, whole=one) for one in (True, False))
        assert kind_costs(volumes, tx).longer == 1.0
    assert whole[cases[0].name] == pytest.approx(5.0, rel=0.01)
    assert any_kind[cases[0].name] < 1.0


def test_parts_alone_stand_for_whole_cases_where_none_was_timed(volumes: Workspace) -> None:
    worked(volumes, kind="partial", seconds=6.0)
    with volumes.store.read() as tx:
        assert set(predict_minutes(tx, every_case(volumes), {}, whole=True).values()) == {0.1}


def test_an_annotation_that_was_undone_says_nothing(volumes: Workspace) -> None:
    worked(volumes, kind="mask", seconds=9.0, untouched=1.0)
    with volumes.store.write("test") as tx:
        one = tx.find(Annotation)[0]
        own = {"annotation_id": one.id, "case_id": one.case_id, "annotator_id": one.annotator_id}
        tx.add(Withdrawal(id=new_id("withdrawal"), verb="undone", reason="", created_at=now(), **own))  # type: ignore[arg-type]
    with volumes.store.read() as tx:
        assert kind_costs(volumes, tx).look is None


def test_too_few_times_of_a_kind_say_nothing(volumes: Workspace) -> None:
    worked(volumes, kind="mask", seconds=9.0, untouched=1.0, times=FEWEST - 1)
    with volumes.store.read() as tx:
        assert kind_costs(volumes, tx).look is None


def test_where_proposals_are_accepted_in_seconds_a_look_is_queried(volumes: Workspace) -> None:
    looked_at_often(volumes)
    found = choices_of(volumes)[-1]
    assert found.kind == "verify"
    assert found.parts == ()
    assert found.reason.startswith("Check the proposal (about ")


def test_the_stated_times_are_shares_of_what_all_of_a_case_takes(volumes: Workspace) -> None:
    with volumes.store.read() as tx:
        case, model, seen = every_case(volumes)[0], tx.live_model(), shown_first(volumes)
        looked = look_at(volumes, tx, case, model, seen)
    assert not isinstance(looked, str)
    places = {"slices": looked.places("slice", 1)}
    for whole in (1.0, 10.0):
        offers = {one.kind: one for one in offers_of(looked, places, KindCosts(), doubt=doubt_of(case, seen), whole=whole)}
        assert offers["whole"].minutes == whole
        assert 0 < offers["slices"].minutes < whole
        assert whole < offers["verify"].minutes
        assert offers["slices"].gain < offers["whole"].gain == offers["verify"].gain
    assert best_offer(list(offers.values())).kind == "slices"


def test_marks_are_offered_by_their_own_times_where_nothing_is_drawn(volumes: Workspace) -> None:
    with volumes.store.read() as tx:
        case, model, seen = every_case(volumes)[0], tx.live_model(), shown_first(volumes)
        looked = look_at(volumes, tx, case, model, seen)
    assert not isinstance(looked, str)
    quick = KindCosts(marks={"scribbles": 6.0})
    offers = {one.kind: one for one in offers_of(looked, {}, quick, doubt=1.0, whole=1.0)}
    assert offers["scribbles"].minutes == 0.1
    assert offers["scribbles"].gain == pytest.approx(0.6 * looked.gain)
    assert best_offer(list(offers.values())).kind == "scribbles"
    none = offers_of(dataclasses.replace(looked, drawn=True), {}, quick, doubt=1.0, whole=1.0)
    assert not {one.kind for one in none} & {"scribbles", "boxes", "tags"}


def test_unlearned_marks_take_their_stated_seconds_and_more_than_their_share_of_all_at_least(volumes: Workspace) -> None:
    costs = KindCosts(labels=2, presence_errors=0.25)
    minutes = {kind: costs.mark_minutes(kind, 0.01, slices=3) for kind in ("scribbles", "boxes", "tags")}
    assert minutes == pytest.approx({"scribbles": 3 * (1.5 + 3 * 10.9) / 60, "boxes": 3 * (1.5 + 2 * 7) / 60, "tags": (3 * 1.5 + 2) / 60})
    assert costs.mark_minutes("scribbles", 100.0, slices=3) == 62.0
    assert costs.mark_minutes("boxes", 100.0, slices=3) == 32.0
    assert [costs.sets_right(kind) for kind in ("scribbles", "boxes", "tags")] == [0.6, 0.3, 0.25]


def test_a_tag_says_as_much_as_the_model_is_wrong_about_what_is_there(volumes: Workspace) -> None:
    with volumes.store.write("test") as tx:
        model = tx.live_model()
        assert model is not None
        assert presence_errors(tx, model) == presence_errors(tx, None) == 0.0
        tx.add(
            Evaluation(
                id="e",
                model_id=model.id,
                split="validation",
                metric="dice",
                mean=0.4,
                low=None,
                high=None,
                labelled_cases=1,
                effort_minutes=0.0,
                per_case={"a": {"lesion": 0.0}, "b": {"lesion": 0.8}},
                created_at=now(),
            )
        )
    with volumes.store.read() as tx:
        assert presence_errors(tx, model) == 1 / 4


def test_damaged_bytes_of_an_annotation_stop_no_query(volumes: Workspace) -> None:
    worked(volumes, kind="partial", seconds=24.0)
    with volumes.store.read() as tx:
        blob = next(one.blob for one in tx.find(Annotation) if one.kind == "partial")
    assert blob is not None
    path = next(volumes.folder.rglob(f"*{blob[4:]}*"))
    path.chmod(0o644)
    path.write_bytes(b"damaged")
    with volumes.store.read() as tx:
        assert kind_costs(volumes, tx).part == {}


def test_a_queried_look_is_known_of_its_assignment_and_submits_the_whole(volumes: Workspace) -> None:
    looked_at_often(volumes)
    round_ = prepare_round(volumes)
    assert round_ is not None
    opened = next_assignment(volumes, annotator_named(volumes, "bob").id)
    assert opened is not None
    with volumes.store.read() as tx:
        chosen = choice_of(tx, opened.assignment.round_id, opened.assignment.case_id)
    assert chosen is not None
    assert chosen.kind == "verify"
    made = submit(volumes, opened.assignment.id, Submitted(revision=0))
    assert made is not None
    with volumes.store.read() as tx:
        assert isinstance(tx, Reader)
        assert tx.find(Annotation, where={"assignment_id": opened.assignment.id})[0].kind == "mask"
