"""Who reads what with the setting `routing`: plans, capacity, people who left, settings changed in the middle of a round."""

import dataclasses
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import insert

from large_pool import fill
from medloop.core.arrays import MaskArray
from medloop.core.errors import SettingError
from medloop.core.records import (
    Annotation,
    Annotator,
    Assignment,
    Effort,
    Expertise,
    ProjectSettings,
    Routed,
    Split,
    new_id,
    time_text,
)  # fmt: skip
from medloop.loop.annotating.annotations import next_assignment, open_case, skip_case, submit
from medloop.loop.annotating.submission import Submitted
from medloop.loop.annotating.withdrawing import undo_submit
from medloop.loop.foundation.annotators import annotator_named, describe_annotator, set_cost
from medloop.loop.foundation.configuring import configure
from medloop.loop.foundation.effort_log import Reported
from medloop.loop.foundation.readings import CaseReading, case_readings
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.people.leaving import release_work
from medloop.loop.querying.rounds import outlook, outlooks, why_nothing
from medloop.loop.querying.workforce import used_up
from medloop.loop.worker import drain
from medloop.store.rows import to_row
from medloop.store.tables import annotations

from .conftest import FAST, SMALL, MakeWorkspace
from .made_up import add_cases

ROUTED = dataclasses.replace(FAST, routing="value", readings=3, train_after=0)

NOW = datetime.now(UTC)
"""When a test began: a week's limit moves with the clock."""


@pytest.fixture(autouse=True)
def _begun(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[__name__], "NOW", datetime.now(UTC))


def cube(start: int = 4, size: int = 8) -> MaskArray:
    mask = np.zeros(SMALL, dtype=np.uint8)
    mask[start : start + size, 4:12, 4:12] = 1
    return mask


def team(workspace: Workspace, *people: tuple[str, Expertise, float]) -> list[Annotator]:
    """People of stated expertise and rate, who have just been at work: each has opened and released a case."""
    made = []
    for name, expertise, rate in people:
        describe_annotator(workspace, name, expertise=expertise, actor="test")
        made.append(set_cost(workspace, name, rate, actor="test"))
    return made


def at_work(workspace: Workspace, people: Sequence[Annotator]) -> None:
    with workspace.store.read() as tx:
        case_id = tx.worklist(limit=1)[0].case_id
    for person in people:
        opened = open_case(workspace, case_id, person.id)
        with workspace.store.write("test") as tx:
            tx.change(Assignment, opened.assignment.id, verb="release", fields={"state": "released"})


def give(workspace: Workspace, person: Annotator, mask: MaskArray, seconds: float = 60.0) -> Annotation:
    opened = next_assignment(workspace, person.id)
    assert opened is not None, why_nothing(workspace, person.id)
    return submit(workspace, opened.assignment.id, Submitted(mask=mask, effort_seconds=seconds))


def reading(workspace: Workspace, case_id: str) -> CaseReading:
    with workspace.store.read() as tx:
        return case_readings(tx, [case_id])[case_id]


@pytest.fixture
def two_cases(make_workspace: MakeWorkspace) -> Workspace:
    splits: list[Split] = ["train"] * 2
    return make_workspace(splits, settings=ROUTED)


def test_a_case_goes_to_whom_it_is_worth_most_and_the_decision_is_kept_with_its_reason(two_cases: Workspace) -> None:
    nia, cora = team(two_cases, ("Nia", "novice", 0.1), ("Cora", "consultant", 5.0))
    configure(two_cases, settings={"sure_enough": 0.75})
    at_work(two_cases, [nia, cora])
    opened = next_assignment(two_cases, nia.id)
    assert opened is not None
    with two_cases.store.read() as tx:
        kept = tx.find(Routed)[0]
    assert (kept.assignment_id, kept.purpose, kept.readers, kept.skill) == (opened.assignment.id, "new", (nia.id,), 0.75)
    assert kept.reason == opened.assignment.reason
    assert "you read it because your reading (skill 0.75, about 1.0 minutes, a cost of 0.1) is worth most" in opened.assignment.reason
    assert next_assignment(two_cases, cora.id) is None
    assert why_nothing(two_cases, cora.id).startswith("Open cases are planned for Nia (1 case), whose readings are worth more")


def test_one_reading_is_enough_where_its_reader_is_skilled_enough_and_the_round_ends(two_cases: Workspace) -> None:
    (eva,) = team(two_cases, ("Eva", "expert", 1.0))
    given = give(two_cases, eva, cube())
    found = reading(two_cases, given.case_id)
    assert (found.state, found.needed, found.quality) == ("accepted", 1, pytest.approx(0.9))


def test_readers_who_disagree_bring_in_somebody_more_skilled_and_those_who_agree_do_not(two_cases: Workspace) -> None:
    ned, nia, cora = team(two_cases, ("Ned", "novice", 0.1), ("Nia", "novice", 0.1), ("Cora", "consultant", 1.0))
    configure(two_cases, settings={"sure_enough": 0.85})
    at_work(two_cases, [ned, nia])
    first = [give(two_cases, ned, cube()) for _ in range(2)]
    assert {reading(two_cases, a.case_id).words for a in first} == {"read 1 of 3"}
    agreeing = give(two_cases, nia, cube())
    disagreeing = give(two_cases, nia, cube(start=14))
    assert next_assignment(two_cases, cora.id) is None, "the consensus comes first"
    assert "without a consensus so far" in why_nothing(two_cases, cora.id)
    drain(two_cases)
    assert reading(two_cases, agreeing.case_id).state == "accepted"
    opened = next_assignment(two_cases, cora.id)
    assert opened is not None
    assert opened.case.id == disagreeing.case_id
    assert "2 readings so far give an expected quality of 0." in opened.assignment.reason
    assert "below the 0.85 wanted" in opened.assignment.reason
    with two_cases.store.read() as tx:
        assert tx.find(Routed)[-1].purpose == "relabel"


def test_a_case_that_somebody_is_reading_gets_no_second_reader_where_one_will_do(two_cases: Workspace) -> None:
    eva, ida = team(two_cases, ("Eva", "expert", 1.0), ("Ida", "expert", 1.0))
    one, two = next_assignment(two_cases, eva.id), next_assignment(two_cases, ida.id)
    assert one is not None
    assert two is not None
    assert one.case.id != two.case.id
    assert next_assignment(two_cases, annotator_named(two_cases, "Bob").id) is None


def test_no_more_readings_are_made_than_the_setting_allows_however_unsure_they_leave_a_case(two_cases: Workspace) -> None:
    novices = team(two_cases, *((f"N{n}", "novice", 0.1) for n in range(4)))
    configure(two_cases, settings={"sure_enough": 0.99, "readings": 2})
    at_work(two_cases, novices)
    given = [give(two_cases, person, cube(start=3 * n)) for n, person in enumerate(novices)]
    drain(two_cases)
    found = [reading(two_cases, a.case_id) for a in given]
    assert {(r.needed, len(r.readers)) for r in found} == {(2, 2)}
    assert all(r.quality is not None and r.quality < 0.9 for r in found)
    assert "2 cases have all the readings they may get and stay below" in why_nothing(two_cases, novices[0].id)


def test_whoever_has_used_up_their_week_gets_no_more_and_is_told_until_when(make_workspace: MakeWorkspace) -> None:
    two_cases = make_workspace(["train"] * 3, settings=ROUTED)
    (eva,) = team(two_cases, ("Eva", "expert", 1.0))
    describe_annotator(two_cases, "Eva", cases_per_week=1, actor="test")
    give(two_cases, eva, cube())
    assert next_assignment(two_cases, eva.id) is None
    assert why_nothing(two_cases, eva.id).startswith("Eva has 1 of 1 case within seven days; more from ")
    describe_annotator(two_cases, "Eva", cases_per_week=0, hours_per_week=1.0, actor="test")
    give(two_cases, eva, cube(), seconds=3600.0)
    assert why_nothing(two_cases, eva.id).startswith("Eva has worked 1.0 of 1 hours within seven days")


def test_cases_are_not_held_for_somebody_whose_week_is_used_up(two_cases: Workspace) -> None:
    nia, eva = team(two_cases, ("Nia", "expert", 0.1), ("Eva", "expert", 1.0))
    describe_annotator(two_cases, "Nia", cases_per_week=1, actor="test")
    give(two_cases, nia, cube())
    assert next_assignment(two_cases, eva.id) is not None


def test_cases_are_not_held_for_somebody_who_was_removed(two_cases: Workspace) -> None:
    nia, eva = team(two_cases, ("Nia", "expert", 0.1), ("Eva", "expert", 1.0))
    at_work(two_cases, [nia])
    assert next_assignment(two_cases, eva.id) is None
    release_work(two_cases, "Nia", actor="test")
    assert next_assignment(two_cases, eva.id) is not None


def test_somebody_who_came_back_is_counted_on_again(two_cases: Workspace) -> None:
    nia, eva = team(two_cases, ("Nia", "expert", 0.1), ("Eva", "expert", 1.0))
    release_work(two_cases, "Nia", actor="test")
    at_work(two_cases, [nia])
    assert next_assignment(two_cases, eva.id) is None


def test_one_person_alone_reads_every_case_once_and_is_told_what_lacks(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"] * 2, settings=ROUTED)
    (nia,) = team(workspace, ("Nia", "novice", 1.0))
    give(workspace, nia, cube())
    give(workspace, nia, cube())
    assert next_assignment(workspace, nia.id) is None
    assert "2 cases" in why_nothing(workspace, nia.id)
    assert "somebody else must read them" in why_nothing(workspace, nia.id)


def test_routing_that_is_switched_on_in_the_middle_of_a_round_counts_what_was_read_before(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"] * 2, settings=dataclasses.replace(ROUTED, routing="none"))
    nia, eva = team(workspace, ("Nia", "novice", 0.1), ("Eva", "expert", 1.0))
    by_expert, by_novice = give(workspace, eva, cube()), give(workspace, nia, cube())
    second = next_assignment(workspace, nia.id)
    assert second is not None, "without routing the next one is handed out in order"
    configure(workspace, settings={"routing": "value"})
    if by_expert.case_id != by_novice.case_id:
        assert reading(workspace, by_expert.case_id).state == "accepted"
        assert reading(workspace, by_novice.case_id).words == "read 1 of 3"
    submit(workspace, second.assignment.id, Submitted(mask=cube()))
    drain(workspace)
    configure(workspace, settings={"routing": "none"})
    assert reading(workspace, by_expert.case_id).needed == 3


def test_without_routing_nothing_is_routed(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"] * 2, settings=dataclasses.replace(FAST))
    (nia,) = team(workspace, ("Nia", "novice", 1.0))
    describe_annotator(workspace, "Nia", cases_per_week=1, actor="test")
    give(workspace, nia, cube())
    give(workspace, nia, cube())
    with workspace.store.read() as tx:
        assert tx.find(Routed) == []


def test_everybody_at_work_can_see_what_comes_next_without_opening_it(two_cases: Workspace) -> None:
    nia, eva = team(two_cases, ("Nia", "expert", 0.1), ("Eva", "expert", 1.0))
    at_work(two_cases, [nia, eva])
    first = give(two_cases, nia, cube())
    seen = {one.annotator: one for one in outlooks(two_cases)}
    assert set(seen) == {"Nia", "Eva"}
    assert seen["Nia"].case not in ("", first.case_id)
    assert seen["Eva"] == outlook(two_cases, eva.id)
    assert seen["Eva"].case == ""
    with two_cases.store.read() as tx:
        assert tx.count(Assignment, where={"state": "open"}) == 0


@pytest.mark.parametrize("limits", [{"hours_per_week": -1.0}, {"hours_per_week": 200.0}, {"cases_per_week": -1}])
def test_a_limit_that_cannot_be_is_refused(two_cases: Workspace, limits: dict[str, float]) -> None:
    with pytest.raises(SettingError, match="A limit per week must lie between 0"):
        describe_annotator(two_cases, "Nia", actor="test", **limits)  # type: ignore[arg-type]


def test_classes_are_routed_until_the_readers_are_sure_together(tmp_path: Path) -> None:
    settings = ProjectSettings(
        strategy="random", batch_size=1, train_after=0, audit_fraction=0.0, routing="value", readings=4, sure_enough=0.85
    )
    with Workspace.create(tmp_path / "tags", name="tags", kind="classification", labels=["no", "yes"], settings=settings) as workspace:
        add_cases(workspace, 1)
        people = team(workspace, *((f"N{n}", "novice", 0.1) for n in range(3)))
        at_work(workspace, people)
        given = []
        for person, tag in zip(people, (1, 0, 1), strict=True):
            opened = next_assignment(workspace, person.id)
            assert opened is not None, why_nothing(workspace, person.id)
            given.append(submit(workspace, opened.assignment.id, Submitted(tag=tag)))
        found = reading(workspace, given[0].case_id)
        assert (found.words, found.quality, found.agreeing) == ("read 3 of 4", pytest.approx(0.75), (1.0, 0.0, 1.0))
        (eva,) = team(workspace, ("Eva", "expert", 1.0))
        last = next_assignment(workspace, eva.id)
        assert last is not None
        submit(workspace, last.assignment.id, Submitted(tag=1))
        drain(workspace)
        assert reading(workspace, given[0].case_id).quality == pytest.approx(27 / 28)
        assert reading(workspace, given[0].case_id).state == "accepted"


def annotate_outside_rounds(workspace: Workspace, person: Annotator, cases: int, at: datetime) -> None:
    """So many annotations of one case each, given by hand at a time; without the audit chain."""
    with workspace.store.read() as tx:
        ids = [line.case_id for line in tx.worklist(limit=cases)]
    made = [
        Annotation(
            id=new_id("annotation"), case_id=ids[n % len(ids)], task_id=workspace.task.id, annotator_id=person.id, kind="tag", tag=1,
            created_at=time_text(at),
        )
        for n in range(cases)
    ]  # fmt: skip
    with workspace.store.database.writing() as connection:
        connection.execute(insert(annotations), [{**to_row(a), "event": 10_000 + n} for n, a in enumerate(made)])


def worked(workspace: Workspace, person: Annotator, seconds: float, *, began: datetime | None = None, ended: datetime) -> None:
    """A stretch of work as the log keeps it; when it began and ended is unknown without a beginning."""
    with workspace.store.read() as tx:
        case_id = tx.worklist(limit=1)[0].case_id
    placed = {} if began is None else {"began_at": time_text(began), "ended_at": time_text(ended)}
    made = Effort(
        id=new_id("effort"), case_id=case_id, annotator_id=person.id, active_seconds=seconds, created_at=time_text(ended), **placed
    )
    with workspace.store.write("test") as tx:
        tx.add(made, verb="work")


def limits_words(workspace: Workspace, name: str) -> str:
    with workspace.store.read() as tx:
        return used_up(tx, next(a for a in tx.find(Annotator) if a.name == name))


def test_more_than_five_hundred_cases_of_a_week_are_counted(tmp_path: Path) -> None:
    settings = ProjectSettings(strategy="random", routing="value", readings=2, audit_fraction=0.0)
    with Workspace.create(tmp_path / "many", name="many", kind="classification", labels=["no", "yes"], settings=settings) as workspace:
        fill(workspace, 700)
        (eva,) = team(workspace, ("Eva", "expert", 1.0))
        annotate_outside_rounds(workspace, eva, 620, NOW - timedelta(days=2))
        annotate_outside_rounds(workspace, eva, 80, NOW - timedelta(days=8))
        describe_annotator(workspace, "Eva", cases_per_week=621, actor="test")
        assert limits_words(workspace, "Eva") == ""
        describe_annotator(workspace, "Eva", cases_per_week=620, actor="test")
        assert limits_words(workspace, "Eva").startswith("Eva has 620 of 620 cases within seven days; more from ")


def test_what_was_imported_in_a_name_or_undone_is_none_of_the_week_and_a_case_open_again_counts_once(two_cases: Workspace) -> None:
    (eva,) = team(two_cases, ("Eva", "expert", 1.0))
    describe_annotator(two_cases, "Eva", cases_per_week=1, actor="test")
    given = give(two_cases, eva, cube())
    assert limits_words(two_cases, "Eva").startswith("Eva has 1 of 1 case ")
    open_case(two_cases, given.case_id, eva.id)
    describe_annotator(two_cases, "Eva", cases_per_week=2, actor="test")
    assert limits_words(two_cases, "Eva") == ""
    undo_submit(two_cases, str(give(two_cases, eva, cube()).assignment_id))
    describe_annotator(two_cases, "Eva", cases_per_week=3, actor="test")
    assert limits_words(two_cases, "Eva") == ""


def test_hours_are_those_of_the_log_of_work_whatever_became_of_the_case(two_cases: Workspace) -> None:
    (eva,) = team(two_cases, ("Eva", "expert", 1.0))
    describe_annotator(two_cases, "Eva", hours_per_week=1.0, actor="test")
    opened = next_assignment(two_cases, eva.id)
    assert opened is not None
    skip_case(two_cases, opened.assignment.id, reason="motion", effort=Reported(session="tab", active_seconds=3599.0))
    assert limits_words(two_cases, "Eva") == ""
    worked(two_cases, eva, 1.0, ended=NOW)
    assert limits_words(two_cases, "Eva").startswith("Eva has worked 1.0 of 1 hours within seven days; more from ")


def test_of_work_that_began_before_the_week_the_part_within_it_counts(two_cases: Workspace) -> None:
    (eva,) = team(two_cases, ("Eva", "expert", 1.0))
    describe_annotator(two_cases, "Eva", hours_per_week=2.0, actor="test")
    week_ago = NOW - timedelta(days=7)
    worked(two_cases, eva, 4 * 3600.0, began=week_ago - timedelta(hours=3), ended=week_ago + timedelta(hours=1))
    worked(two_cases, eva, 9 * 3600.0, began=week_ago - timedelta(hours=13), ended=week_ago - timedelta(hours=4))
    worked(two_cases, eva, 3500.0, began=NOW - timedelta(hours=2), ended=NOW - timedelta(hours=1))
    assert limits_words(two_cases, "Eva") == ""
    worked(two_cases, eva, 560.0, ended=NOW)
    words = limits_words(two_cases, "Eva")
    assert words.startswith("Eva has worked 2.1 of 2 hours within seven days")
    assert f"more from {week_ago + timedelta(days=7, hours=1):%Y-%m-%d %H:%M} UTC" in words


def test_two_windows_open_at_once_use_up_the_time_that_passed_and_no_more(two_cases: Workspace) -> None:
    (eva,) = team(two_cases, ("Eva", "expert", 1.0))
    describe_annotator(two_cases, "Eva", hours_per_week=1.5, actor="test")
    for _ in range(2):
        worked(two_cases, eva, 3600.0, began=NOW - timedelta(hours=2), ended=NOW - timedelta(hours=1))
    assert limits_words(two_cases, "Eva") == ""


def test_reasons_are_words_that_are_true_of_one_as_of_several_and_name_the_limit_that_holds(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"], settings=dataclasses.replace(FAST, routing="value", readings=3))
    for name in ("Ann", "Bob"):
        describe_annotator(workspace, name, actor="test", expertise="novice")
    first = next_assignment(workspace, annotator_named(workspace, "Ann").id)
    assert first is not None
    submit(workspace, first.assignment.id, Submitted(mask=np.ones(SMALL, dtype=np.uint8), effort_seconds=7200.0))
    second = next_assignment(workspace, annotator_named(workspace, "Bob").id)
    assert second is not None
    assert "because 1 reading so far gives an expected quality of 0.75, below the 0.9 wanted" in second.assignment.reason
    describe_annotator(workspace, "Ann", actor="test", hours_per_week=1.0)
    words = why_nothing(workspace, annotator_named(workspace, "Ann").id)
    assert words.startswith("Ann has worked 2.0 of 1 hours within seven days")
    assert "--hours-per-week" in words
