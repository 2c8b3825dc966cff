"""Readings in an odd order, twice, of other labels or with damaged bytes: what stands is right, or a line says why not."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from medloop.core.arrays import MaskArray
from medloop.core.records import Annotation, Annotator, Case, Consensus, Task, new_id, now
from medloop.images.encode import encode_mask
from medloop.loop.annotating import annotations
from medloop.loop.annotating.adjudicating import Ruling, adjudicate, restore
from medloop.loop.annotating.annotations import flag_case, next_assignment, open_case, skip_case, submit
from medloop.loop.annotating.drafts import Edit, read_draft, save_patch
from medloop.loop.annotating.review_verdicts import Looked, return_case, review_queue
from medloop.loop.annotating.submission import Submitted
from medloop.loop.data.exporting import export_project
from medloop.loop.foundation import leases
from medloop.loop.foundation.annotated_labels import annotated_labels
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.arrays import load_mask
from medloop.loop.foundation.configuring import TaskChange, configure
from medloop.loop.foundation.partial_annotations import SlicePart, merged_annotation
from medloop.loop.foundation.readings import due_for_consensus
from medloop.loop.foundation.round_moves import after_annotation
from medloop.loop.foundation.waiting import nothing_left_words, reading_summary
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.worker import drain
from medloop.store.audit import verify

from .conftest import MakeWorkspace
from .made_up import add_model, add_prediction
from .test_readings import cube, disagreeing, first_case, give, people, read_case, reading, standing, with_readings


def shown(workspace: Workspace, case_id: str) -> MaskArray:
    return load_mask(workspace.store.blobs, standing(workspace, case_id), first_case(workspace)).array


def test_latest_puts_the_newest_reading_in_the_place_of_a_consensus(make_workspace: MakeWorkspace) -> None:
    workspace, _, case, given = disagreeing(make_workspace)
    assert standing(workspace, case.id).origin == "consensus"
    configure(workspace, settings={"consensus": "latest"})
    drain(workspace)
    assert standing(workspace, case.id).id == given[1].id


def test_latest_with_one_reading_puts_the_newest_reading_in_the_place_of_a_consensus(make_workspace: MakeWorkspace) -> None:
    workspace, _, case, given = disagreeing(make_workspace)
    configure(workspace, settings={"consensus": "latest", "readings": 1})
    drain(workspace)
    assert standing(workspace, case.id).id == given[1].id


def test_of_two_readings_the_one_that_can_be_read_stands_also_when_it_is_not_the_latest(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"], settings=with_readings(readings=2, consensus="majority", review="disagreement"))
    ann, bob = people(workspace, "Ann", "Bob")
    case = first_case(workspace)
    read_case(workspace, case.id, ann, cube())
    lost = read_case(workspace, case.id, bob, cube(5))
    workspace.store.blobs.path(str(lost.blob)).unlink()
    drain(workspace)
    np.testing.assert_array_equal(shown(workspace, case.id), cube())


def test_the_reading_of_a_reviewer_stays_theirs_when_they_adjudicate(make_workspace: MakeWorkspace) -> None:
    workspace, (ann, bob, _), case, given = disagreeing(make_workspace)
    adjudicate(workspace, case.id, ann.id, [Ruling(given[1].id)])
    assert reading(workspace, case.id).readers == (ann.id, bob.id)


def test_a_restored_annotation_knows_the_labels_that_it_knew_when_it_was_given(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"])
    ann, bob = people(workspace, "Ann", "Bob")
    case = first_case(workspace)
    old = read_case(workspace, case.id, ann, cube())
    workspace = configured(workspace)
    new = read_case(workspace, case.id, ann, cube(label=3))
    back = restore(workspace, old.id, bob.id)
    again = restore(workspace, new.id, bob.id)
    with workspace.store.read() as tx:
        known = annotated_labels(tx, workspace.task)
    assert [label.value for label in known.of(back)] == [1, 2]
    assert [label.value for label in known.of(again)] == [1, 2, 3]


def test_a_label_that_came_after_some_of_the_readings_is_fused_of_those_who_knew_it(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"], settings=with_readings(readings=3, consensus="majority"))
    ann, bob, eva = people(workspace, "Ann", "Bob", "Eva")
    case = first_case(workspace)
    read_case(workspace, case.id, ann, cube())
    workspace = configured(workspace)
    mask = cube()
    mask[20:22, 4:12, 4:12] = 3
    read_case(workspace, case.id, bob, mask)
    read_case(workspace, case.id, eva, mask)
    drain(workspace)
    found = standing(workspace, case.id)
    with workspace.store.read() as tx:
        made, known = tx.find(Consensus)[0], annotated_labels(tx, workspace.task)
    assert [label.value for label in known.of(found)] == [1, 2, 3]
    assert np.array_equal(shown(workspace, case.id), mask)
    assert made.agreement == 1.0
    assert "third annotated by 2 of 3" in made.note


def test_who_skips_a_returned_case_is_not_given_it_again_and_the_lead_is_told(make_workspace: MakeWorkspace) -> None:
    workspace, (_, bob, rita), case, given = disagreeing(make_workspace)
    return_case(workspace, case.id, rita.id, comment="again", looked=Looked(given[1].id))
    opened = next_assignment(workspace, bob.id)
    assert opened is not None
    skip_case(workspace, opened.assignment.id, reason="tired")
    other = next_assignment(workspace, bob.id)
    assert other is not None
    assert other.case.id != case.id
    with workspace.store.read() as tx:
        line = "1 case returned to Bob, who skipped it: return it to somebody else (medloop return DIR CASE --to NAME)"
        assert line in nothing_left_words(tx, bob.id)
    return_case(workspace, case.id, rita.id, comment="please", to=bob.id)
    assert reading(workspace, case.id).is_returned_to(bob.id)


def test_skipping_a_case_that_others_have_read_takes_nothing_of_theirs_back(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"], settings=with_readings(readings=3, consensus="majority", blind=True))
    ann, bob, eva = people(workspace, "Ann", "Bob", "Eva")
    for who in (ann, bob):
        give(workspace, who, cube())
    opened = next_assignment(workspace, eva.id)
    assert opened is not None
    skip_case(workspace, opened.assignment.id, reason="tired")
    assert reading(workspace, opened.case.id).readers == (ann.id, bob.id)
    assert next_assignment(workspace, eva.id) is None
    with workspace.store.read() as tx:
        words = nothing_left_words(tx, eva.id)
        summary = reading_summary(tx)
    assert words.startswith("You have read or skipped 1 case of which each needs 3 readings by different people")
    assert summary is not None
    assert summary.lines[0].startswith("Ann, Bob, Eva annotate here and have read or skipped 1 case of which each needs 3 readings")
    give(workspace, annotator_named(workspace, "Dan"), cube())


def test_a_first_reader_who_skips_refuses_the_case_for_all(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"], settings=with_readings(readings=3))
    ann, bob = people(workspace, "Ann", "Bob")
    opened = next_assignment(workspace, ann.id)
    assert opened is not None
    skip_case(workspace, opened.assignment.id, reason="not worth it")
    assert next_assignment(workspace, bob.id) is None


def test_two_imported_readings_that_disagree_wait_for_a_reviewer(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"], settings=with_readings(readings=2, consensus="majority", review="disagreement"))
    case = first_case(workspace)

    for name, start in (("A", 4), ("B", 10)):
        who = annotator_named(workspace, name)
        with workspace.store.write("import") as tx:
            tx.add(
                Annotation(
                    id=new_id("annotation"),
                    case_id=case.id,
                    task_id=workspace.task.id,
                    annotator_id=who.id,
                    kind="mask",
                    blob=workspace.store.blobs.put(encode_mask(cube(start))),
                    origin="imported",
                    created_at=now(),
                )
            )

    after_annotation(workspace)
    drain(workspace)
    assert reading(workspace, case.id).state == "in review"
    assert len(review_queue(workspace)) == 1


def test_a_person_called_consensus_keeps_their_readings(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"], settings=with_readings(readings=2, consensus="majority"))
    who = Annotator(id=new_id("annotator"), name="Consensus", created_at=now())
    with workspace.store.write(who.id) as tx:
        tx.add(who, verb="join")
    (ann,) = people(workspace, "Ann")
    case = first_case(workspace)
    read_case(workspace, case.id, ann, cube())
    read_case(workspace, case.id, who, cube(6))
    drain(workspace)
    assert set(reading(workspace, case.id).readers) == {ann.id, who.id}
    with workspace.store.read() as tx:
        assert due_for_consensus(tx) == []


def test_the_remedy_for_a_lacking_reading_names_the_setting_that_asks_for_it(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"], settings=with_readings(read_twice=1.0))
    (ann,) = people(workspace, "Ann")
    read_case(workspace, first_case(workspace).id, ann, cube())
    with workspace.store.read() as tx:
        words = nothing_left_words(tx, ann.id)
    assert words.endswith("somebody else must read them, or set read_twice to 0 (medloop configure DIR read_twice=0)")


def test_a_correction_that_began_with_a_restored_annotation_counts(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"])
    ann, bob, rita = people(workspace, "Ann", "Bob", "Rita")
    case = first_case(workspace)
    first = read_case(workspace, case.id, ann, cube())
    read_case(workspace, case.id, ann, cube(6))
    restore(workspace, first.id, rita.id)
    last = read_case(workspace, case.id, bob, cube(8))
    assert standing(workspace, case.id).id == last.id


EARLY = "2020-01-01T00:00:00.000000Z"


@pytest.fixture
def clock_back(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Set the clock back by years, for whoever closes an assignment or annotates from now on."""

    def set_back() -> None:
        for module in (annotations, leases):
            monkeypatch.setattr(module, "now", lambda *_: EARLY)

    return set_back


def test_a_draft_that_was_given_back_is_found_again_though_the_clock_ran_backwards(
    make_workspace: MakeWorkspace, clock_back: Callable[[], None]
) -> None:
    workspace = make_workspace(["train"])
    (ann,) = people(workspace, "Ann")
    case = first_case(workspace)
    read_case(workspace, case.id, ann, cube())
    left = open_case(workspace, case.id, ann.id).assignment
    save_patch(workspace, left.id, Edit(0, [(0, 5, 1)]))
    clock_back()
    leases.release_assignment(workspace, left.id, actor=ann.id)
    assert open_case(workspace, case.id, ann.id).assignment.id == left.id


def test_of_parts_that_overlap_the_last_given_wins_though_the_clock_ran_backwards(
    make_workspace: MakeWorkspace, clock_back: Callable[[], None]
) -> None:
    workspace = make_workspace(["train"])
    case = first_case(workspace)
    for person, start in zip(people(workspace, "Ann", "Bob"), (4, 14), strict=True):
        opened = open_case(workspace, case.id, person.id)
        submit(workspace, opened.assignment.id, Submitted(mask=cube(start), parts=[SlicePart(2, 6)]))
        clock_back()
    with workspace.store.read() as tx:
        parts = tx.partial_annotations(case_ids=[case.id])
    np.testing.assert_array_equal(merged_annotation(workspace.store.blobs, parts, case).array[:, :, 6], cube(14)[:, :, 6])
    eva = annotator_named(workspace, "Eva")
    np.testing.assert_array_equal(
        read_draft(workspace, open_case(workspace, case.id, eva.id).assignment.id).mask[:, :, 6], cube(14)[:, :, 6]
    )


def test_a_flagged_case_stays_flagged_though_the_clock_ran_backwards(make_workspace: MakeWorkspace, clock_back: Callable[[], None]) -> None:
    workspace = make_workspace(["train"])
    (ann,) = people(workspace, "Ann")
    case = first_case(workspace)
    read_case(workspace, case.id, ann, cube())
    clock_back()
    flag_case(workspace, open_case(workspace, case.id, ann.id).assignment.id, reason="wrong patient")
    with workspace.store.read() as tx:
        assert tx.refused_among([case.id]) == {case.id}
    assert verify(workspace.store).ok


def test_a_label_is_ruled_on_by_a_reading_that_knows_it(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"], settings=with_readings(readings=2))
    ann, bob, rita = people(workspace, "Ann", "Bob", "Rita")
    case = first_case(workspace)
    read_case(workspace, case.id, ann, cube())
    workspace = configured(workspace)
    knows = read_case(workspace, case.id, bob, cube(14, label=3))
    read_case(workspace, case.id, ann, cube())
    decided = adjudicate(workspace, case.id, rita.id, [Ruling(knows.id, label=3)])
    with workspace.store.read() as tx:
        assert tx.get(Task, decided.task_id).version == 2


def configured(workspace: Workspace) -> Workspace:
    configure(workspace, task=TaskChange(added=["third"]))
    return workspace.reload()


def test_a_flagged_case_gets_an_earlier_annotation_back_by_restoring_it(make_workspace: MakeWorkspace) -> None:
    workspace, (_, bob, rita), case, given = disagreeing(make_workspace)
    flag_case(workspace, open_case(workspace, case.id, bob.id).assignment.id, reason="wrong patient")
    restored = restore(workspace, given[0].id, rita.id)
    assert standing(workspace, case.id).id == restored.id
    assert reading(workspace, case.id).state == "accepted"


def test_a_restored_annotation_owes_nothing_to_the_one_it_takes_the_place_of(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"], settings=with_readings(readings=2, blind=True))
    ann, bob = people(workspace, "Ann", "Bob")
    case = first_case(workspace)
    first = read_case(workspace, case.id, ann, cube())
    add_prediction(workspace, add_model(workspace, 1), case)
    leaning = submit(workspace, open_case(workspace, case.id, bob.id).assignment.id, Submitted())
    assert leaning.untouched == 1.0
    assert restore(workspace, first.id, bob.id).untouched is None


def test_an_export_names_the_cases_that_are_not_accepted(make_workspace: MakeWorkspace, tmp_path: Path) -> None:
    workspace, (ann, *_), case, _ = disagreeing(make_workspace)
    give(workspace, ann, cube())
    notes = export_project(workspace, tmp_path / "out", "nifti").notes
    with workspace.store.read() as tx:
        other = next(c.name for c in tx.find(Case) if c.id != case.id)
    assert [note for note in notes if "accepted" in note] == [
        f"not accepted so far, in review: {case.name}",
        f"not accepted so far, read 1 of 2: {other}",
    ]


def test_a_project_of_one_reading_is_exported_without_a_word_about_readings(make_workspace: MakeWorkspace, tmp_path: Path) -> None:
    workspace = make_workspace(["train"])
    give(workspace, annotator_named(workspace, "Ann"), cube())
    assert export_project(workspace, tmp_path / "out", "nifti").notes == ()
