import dataclasses
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from medloop.core.errors import ConflictError, InputError, LabelError, ShapeError, StateError
from medloop.core.records import Annotation, Annotator, Assignment
from medloop.loop.annotating.annotations import flag_case, next_assignment, open_case, skip_case, submit
from medloop.loop.annotating.drafts import Edit, read_draft, save_patch
from medloop.loop.annotating.submission import Submitted
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.workspace import Workspace

from .conftest import FAST, SMALL, MakeWorkspace


def test_the_next_case_is_opened_and_comes_back_until_it_is_answered(pool: Workspace, ann: Annotator) -> None:
    first = next_assignment(pool, ann.id)
    again = next_assignment(pool, ann.id)
    assert first is not None
    assert again is not None
    assert again.assignment.id == first.assignment.id


def test_every_case_is_asked_exactly_once(pool: Workspace, ann: Annotator) -> None:
    asked = []
    while (opened := next_assignment(pool, ann.id)) is not None:
        asked.append(opened.case.name)
        submit(pool, opened.assignment.id, Submitted(effort_seconds=1.0))
    assert sorted(asked) == [f"case{n:02d}" for n in range(6)]


def test_two_people_never_get_the_same_case(pool: Workspace, ann: Annotator) -> None:
    bob = annotator_named(pool, "Bob")
    seen = []
    for _ in range(3):
        for person in (ann, bob):
            opened = next_assignment(pool, person.id)
            assert opened is not None
            seen.append(opened.case.name)
            submit(pool, opened.assignment.id, Submitted())
    assert len(set(seen)) == 6


def test_many_people_asking_at_once_get_different_cases(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"] * 8, settings=dataclasses.replace(FAST, batch_size=8))
    people = [annotator_named(workspace, f"person {n}").id for n in range(8)]
    with ThreadPoolExecutor(8) as threads:
        opened = list(threads.map(lambda person: next_assignment(workspace, person), people))
    assert len({o.case.id for o in opened if o is not None}) == 8


def test_a_submitted_mask_is_kept_to_the_voxel(pool: Workspace, ann: Annotator) -> None:
    opened = next_assignment(pool, ann.id)
    assert opened is not None
    mask = np.random.default_rng(0).integers(0, 3, SMALL).astype(np.uint8)
    annotation = submit(pool, opened.assignment.id, Submitted(mask=mask, effort_seconds=12.5))
    with pool.store.read() as tx:
        kept = tx.get(Annotation, annotation.id)
    assert kept.effort_seconds == 12.5
    assert kept.origin == "human"
    reopened = open_case(pool, opened.case.id, ann.id)
    assert np.array_equal(read_draft(pool, reopened.assignment.id).mask, mask)


def test_a_second_answer_supersedes_the_first_and_keeps_it(pool: Workspace, ann: Annotator) -> None:
    opened = next_assignment(pool, ann.id)
    assert opened is not None
    first = submit(pool, opened.assignment.id, Submitted(mask=np.zeros(SMALL, np.uint8)))
    second = submit(pool, open_case(pool, opened.case.id, ann.id).assignment.id, Submitted(mask=np.ones(SMALL, np.uint8)))
    with pool.store.read() as tx:
        current = tx.current_annotations(case_ids=[opened.case.id])
        assert tx.get(Annotation, first.id) == first
    assert [a.id for a in current] == [second.id]
    assert second.supersedes == first.id


def test_a_mask_of_another_shape_is_refused_and_never_stored(pool: Workspace, ann: Annotator) -> None:
    opened = next_assignment(pool, ann.id)
    assert opened is not None
    with pytest.raises(ShapeError, match="must have shape"):
        submit(pool, opened.assignment.id, Submitted(mask=np.zeros((2, 2, 2), np.uint8)))
    with pool.store.read() as tx:
        assert tx.count(Annotation) == 0
        assert tx.get(Assignment, opened.assignment.id).state == "open"


def test_a_mask_with_an_unknown_label_is_refused(pool: Workspace, ann: Annotator) -> None:
    opened = next_assignment(pool, ann.id)
    assert opened is not None
    with pytest.raises(LabelError, match=r"\[9\]"):
        submit(pool, opened.assignment.id, Submitted(mask=np.full(SMALL, 9, np.uint8)))


def test_a_closed_assignment_takes_no_second_answer(pool: Workspace, ann: Annotator) -> None:
    opened = next_assignment(pool, ann.id)
    assert opened is not None
    submit(pool, opened.assignment.id, Submitted())
    with pytest.raises(StateError, match="submitted"):
        submit(pool, opened.assignment.id, Submitted())


def test_a_submission_of_an_older_draft_is_a_conflict(pool: Workspace, ann: Annotator) -> None:
    opened = next_assignment(pool, ann.id)
    assert opened is not None
    save_patch(pool, opened.assignment.id, Edit(0, [(0, 5, 1)]))
    with pytest.raises(ConflictError, match="revision 1"):
        submit(pool, opened.assignment.id, Submitted(revision=0, mask=np.zeros(SMALL, np.uint8)))


def test_a_tag_is_no_answer_to_a_segmentation(pool: Workspace, ann: Annotator) -> None:
    opened = next_assignment(pool, ann.id)
    assert opened is not None
    with pytest.raises(StateError, match="segmentation"):
        submit(pool, opened.assignment.id, Submitted(tag=1))


@pytest.mark.parametrize("close", [skip_case, flag_case])
def test_a_case_put_aside_is_not_asked_again(pool: Workspace, ann: Annotator, close: object) -> None:
    opened = next_assignment(pool, ann.id)
    assert opened is not None
    close(pool, opened.assignment.id, reason="motion")  # type: ignore[operator]
    names = []
    while (other := next_assignment(pool, ann.id)) is not None:
        names.append(other.case.name)
        submit(pool, other.assignment.id, Submitted())
    assert opened.case.name not in names
    assert len(names) == 5


def test_putting_aside_needs_a_reason(pool: Workspace, ann: Annotator) -> None:
    opened = next_assignment(pool, ann.id)
    assert opened is not None
    with pytest.raises(InputError, match="reason"):
        skip_case(pool, opened.assignment.id, reason="  ")


@pytest.mark.parametrize("effort", [-1.0, float("nan"), 1e9])
def test_an_impossible_effort_is_refused(pool: Workspace, ann: Annotator, effort: float) -> None:
    opened = next_assignment(pool, ann.id)
    assert opened is not None
    with pytest.raises(InputError, match="Effort"):
        submit(pool, opened.assignment.id, Submitted(effort_seconds=effort))


def test_a_name_of_an_older_version_is_found_again_by_its_composed_form(pool: Workspace) -> None:
    decomposed = Annotator(id="annotator-old", name="Zoe\u0308", created_at="2026")
    with pool.store.write("test") as tx:
        tx.add(decomposed)
    assert annotator_named(pool, "Zo\u00eb").id == annotator_named(pool, "Zoe\u0308").id == "annotator-old"
