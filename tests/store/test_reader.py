import time
from collections.abc import Iterator
from statistics import median

import pytest
from sqlalchemy import text

from medloop.core.errors import InputError, NotFoundError
from medloop.core.records import Annotation, Assignment, Case, DraftPatch
from medloop.store.reader import CaseCounts, Reader
from medloop.store.store import Store, Writer
from medloop.store.tables import case_states, cases
from medloop.store.worklist import Listing
from tests.store import samples

CHUNK = 5_000
"""Cases of one transaction: a row of counts that one transaction changes 100,000 times is slow in PostgreSQL, and no import does so."""
LOOKS = 8
"""How often every case may be looked at for one question."""


def close(tx: Writer, assignment_id: str, state: str) -> None:
    tx.change(Assignment, assignment_id, verb=state, fields={"state": state})


def test_what_does_not_exist_is_named(store: Store) -> None:
    with store.read() as tx, pytest.raises(NotFoundError, match="no case 'case-x'"):
        tx.get(Case, "case-x")


def test_find_orders_filters_and_pages(store: Store) -> None:
    with store.write("me") as tx:
        samples.add_basics(tx, "c", "a")
        tx.add(samples.case("b", split="test", patient="p2"))
        names = lambda **asked: [c.name for c in tx.find(Case, **asked)]  # noqa: E731
        assert names() == ["c", "a", "b"]
        assert names(order=("name",)) == ["a", "b", "c"]
        assert names(order="name", descending=True, limit=1, offset=1) == ["b"]
        assert names(where={"split": "test"}) == ["b"]
        assert names(where={"name": ["a", "b", "zz"], "patient": "p1"}) == ["a"]
        assert names(where={"name": []}) == []
        assert names(offset=2) == ["b"]
        assert tx.count(Case, where={"split": ["train", "test"]}) == 3


def test_none_finds_empty_fields(store: Store) -> None:
    with store.write("me") as tx:
        samples.add_basics(tx, "a")
        tx.add(samples.assignment())
        assert tx.count(Assignment, where={"closed_at": None}) == 1
        assert tx.count(Assignment, where={"closed_at": "2026"}) == 0


def test_thousands_of_ids_fit_into_one_question(store: Store) -> None:
    with store.write("me") as tx:
        samples.add_basics(tx, "a")
        many = [f"case-{n}" for n in range(70_000)] + ["case-a"]
        assert [c.id for c in tx.find(Case, where={"id": many})] == ["case-a"]


def test_an_unknown_field_is_refused(store: Store) -> None:
    with store.read() as tx, pytest.raises(InputError, match="A case has no field 'colour'"):
        tx.find(Case, where={"colour": "red"})


def test_the_newest_answer_of_each_annotator_is_current(store: Store) -> None:
    with store.write("me") as tx:
        samples.add_basics(tx, "a", "b")
        tx.add(samples.annotator("bea"))
        tx.add(samples.annotation("a", number=1, seconds=5))
        tx.add(samples.annotation("a", number=2, seconds=7, supersedes="annotation-a-ann-1"))
        tx.add(samples.annotation("a", by="bea", seconds=11))
        tx.add(samples.annotation("b", seconds=13))
        current = [a.id for a in tx.current_annotations()]
        assert current == ["annotation-a-ann-2", "annotation-a-bea-1", "annotation-b-ann-1"]
        assert [a.id for a in tx.current_annotations(case_ids=["case-b"])] == ["annotation-b-ann-1"]
        assert tx.current_annotations(splits=["test"]) == []


def test_an_answer_superseded_by_another_annotator_counts_no_more(store: Store) -> None:
    with store.write("me") as tx:
        samples.add_basics(tx, "a")
        tx.add(samples.annotator("bea"))
        tx.add(samples.annotation("a"))
        tx.add(samples.annotation("a", by="bea", supersedes="annotation-a-ann-1"))
        assert [a.id for a in tx.current_annotations()] == ["annotation-a-bea-1"]


def test_a_case_goes_from_unanswered_over_open_and_skipped_to_answered(store: Store) -> None:
    with store.write("me") as tx:
        samples.add_basics(tx, "a")
        state = lambda: (tx.worklist()[0].state, tx.worklist()[0].open_assignments)  # noqa: E731
        assert state() == ("unanswered", 0)
        tx.add(samples.assignment("a", number=1))
        assert state() == ("unanswered", 1)
        close(tx, "assignment-a-1", "skipped")
        assert state() == ("skipped", 0)
        tx.add(samples.assignment("a", number=2))
        assert state() == ("skipped", 1)
        close(tx, "assignment-a-2", "released")
        assert state() == ("skipped", 0), "a released assignment is as if it had never been"
        tx.add(samples.assignment("a", number=3))
        close(tx, "assignment-a-3", "flagged")
        assert state() == ("flagged", 0)
        tx.add(samples.annotation("a"))
        assert state() == ("answered", 0)
        tx.add(samples.assignment("a", number=4))
        close(tx, "assignment-a-4", "skipped")
        assert state() == ("answered", 0), "an answer outlives a later skip"


def test_counts_by_split_and_state(store: Store) -> None:
    with store.write("me") as tx:
        samples.add_basics(tx, "a", "b")
        tx.add(samples.case("t", split="test"))
        tx.add(samples.annotation("a"))
        tx.add(samples.assignment("b"))
        expected = CaseCounts(total=3, train=2, validation=0, test=1, audit=0, annotated=1, skipped=0, flagged=0, unlabelled=2, open=1)
        assert tx.case_counts() == expected


def test_counts_of_an_empty_project_are_zero(store: Store) -> None:
    with store.read() as tx:
        assert set(tx.case_counts().__dict__.values()) == {0}


def test_unanswered_cases_leave_out_open_ones_unless_asked(store: Store) -> None:
    with store.write("me") as tx:
        samples.add_basics(tx, "d", "a", "b", "c")
        tx.add(samples.annotation("a"))
        tx.add(samples.assignment("b"))
        tx.add(samples.assignment("c"))
        close(tx, "assignment-c-1", "skipped")
        assert [c.name for c in tx.unlabelled_cases(["train"])] == ["d"]
        assert [c.name for c in tx.unlabelled_cases(["train"], exclude_open=False)] == ["b", "d"]
        assert [c.name for c in tx.unlabelled_cases(["train"], exclude_open=False, limit=1)] == ["b"]
        assert tx.unlabelled_cases(["audit"]) == []


def test_the_worklist_filters_searches_and_shows_the_newest_prediction(store: Store) -> None:
    with store.write("me") as tx:
        samples.add_basics(tx, "liver_1", "liver_2")
        tx.add(samples.case("spleen%", patient="PAT-Livingstone"))
        tx.add(samples.snapshot())
        tx.add(samples.model())
        tx.add(samples.prediction("liver_1", number=0, entropy=0.1, quality=0.9))
        tx.add(samples.prediction("liver_1", number=1, entropy=0.3, quality=None))
        tx.add(samples.annotation("liver_2"))
        assert [r.name for r in tx.worklist(search="LIVER")] == ["liver_1", "liver_2"]
        assert [r.name for r in tx.worklist(search="liv", limit=1, offset=2)] == ["spleen%"]
        assert [r.name for r in tx.worklist(search="%")] == ["spleen%"], "wildcards of SQL are plain text"
        assert tx.worklist_total(Listing(search="r_")) == 2
        assert [r.name for r in tx.worklist(state="answered")] == ["liver_2"]
        assert tx.worklist_total(Listing(state="unanswered")) == 2
        first = tx.worklist()[0]
        assert (first.uncertainty, first.quality) == (0.3, None)


def test_names_are_listed_in_natural_order(store: Store) -> None:
    names = ["img1", "IMG2", "img10", "Zoë2", "zoë10"]
    with store.write("me") as tx:
        samples.add_basics(tx, *sorted(names))
        assert [r.name for r in tx.worklist()] == names
        assert [r.name for r in tx.worklist(state="unanswered", limit=2, offset=1)] == names[1:3]
        assert [c.name for c in tx.unlabelled_cases(["train"], limit=3)] == names[:3]


def test_a_search_ignores_case_and_spelling_in_every_script(store: Store) -> None:
    with store.write("me") as tx:
        samples.add_basics(tx, "МРТ_1", "Zoe\u0308", "straße", "ΟΔΟΣ", "plain")
        tx.add(samples.case("other", patient="Иванов"))
        for search, found in (("мрт", "МРТ_1"), ("ZOË", "Zoe\u0308"), ("STRASSE", "straße"), ("οδοσ", "ΟΔΟΣ"), ("ИВАНОВ", "other")):
            assert [r.name for r in tx.worklist(search=search)] == [found]
            assert tx.worklist_total(Listing(search=search)) == 1
        assert tx.worklist(search="n\np") == [], "a search does not reach from a name into a patient"


def test_an_unknown_state_is_refused(store: Store) -> None:
    with store.read() as tx, pytest.raises(InputError, match="Unknown case state 'lost'"):
        tx.worklist(state="lost")  # type: ignore[arg-type]


def test_latest_predictions_are_the_newest_of_one_model_per_case(store: Store) -> None:
    with store.write("me") as tx:
        samples.add_basics(tx, "a", "b")
        assert tx.live_model() is None
        for record in (samples.snapshot(), samples.model(1), samples.model(2)):
            tx.add(record)
        for of, by, number in (("a", 1, 0), ("b", 1, 0), ("a", 1, 1), ("a", 2, 0)):
            tx.add(samples.prediction(of, by, number=number))
        assert [p.id for p in tx.latest_predictions("model-1")] == ["prediction-b-1-0", "prediction-a-1-1"]
        latest = tx.live_model()
        assert latest is not None
        assert latest.index == 2


def test_patches_come_in_order_of_revision(store: Store) -> None:
    with store.write("me") as tx:
        samples.add_basics(tx, "a")
        tx.add(samples.assignment())
        for revision in (1, 2, 3):
            tx.add(samples.patch(revision))
        assert [p.revision for p in tx.patches("assignment-a-1", after=1)] == [2, 3]
        assert tx.patches("assignment-a-1")[0].runs == ((0, 3, 1), (7, 1, 0))
        assert tx.count(DraftPatch) == 3


def test_a_reader_sees_one_state_while_others_write(store: Store) -> None:
    with store.write("me") as tx:
        samples.add_basics(tx, "a")
    with store.read() as reader:
        assert reader.count(Case) == 1
        with store.write("me") as tx:
            tx.add(samples.case("b"))
        assert reader.count(Case) == 1
    with store.read() as reader:
        assert reader.count(Case) == 2


def test_a_project_of_100_000_cases_is_asked_without_reading_its_cases_more_than_some_times(store: Store) -> None:
    """A question may take what some looks at every case take: a ratio, so that a busy machine changes nothing."""
    with store.write("me") as tx:
        samples.add_basics(tx, "a")
    for first in range(0, 100_000, CHUNK):
        with store.database.writing() as connection:
            for statement in many_cases(CHUNK, first=first):
                connection.execute(text(statement))
    with store.database.writing() as connection:
        connection.execute(text("ANALYZE"))  # a PostgreSQL server does so by itself within a minute
    with store.read() as tx:
        questions = (
            lambda: tx.case_counts().total,
            lambda: len(tx.worklist(limit=50)),
            lambda: len(tx.worklist(state="answered", limit=50, offset=30_000)),
            lambda: len(tx.worklist(search="C1999", limit=50)),
            lambda: len(tx.work_page(Listing(sort="quality", descending=True), limit=200).rows),
            lambda: len(tx.work_page(Listing(sort="updated"), limit=200).rows),
            lambda: tx.worklist_total(Listing(state="skipped", search="9")),
            lambda: len(tx.unlabelled_cases(["train"], limit=8)),
        )
        for number, question in enumerate(questions):
            looks = median(_seconds(question) / _seconds(lambda: _look_at_every_case(tx)) for _ in range(5))
            assert looks < LOOKS, f"question {number} is slow"


def many_cases(count: int, *, first: int = 0, of: str = "a") -> Iterator[str]:
    """Statements that copy a case and its worklist line so many times, in any SQL."""
    numbers = f"WITH RECURSIVE numbers(i) AS (SELECT {first} UNION ALL SELECT i + 1 FROM numbers WHERE i < {first + count - 1}) "
    name = "'c' || CAST(100000 + i AS TEXT)"
    state = "CASE i % 3 WHEN 0 THEN 'unanswered' WHEN 1 THEN 'answered' ELSE 'skipped' END"
    for table, changed in (
        (cases, {"id": name, "name": name, "event": "i + 10"}),
        (case_states, {"case_id": name, "name": name, "state": state, "sort_key": name, "search_key": name}),
    ):
        columns = [f'"{column.name}"' for column in table.columns]
        values = [changed.get(column.name, f'"{column.name}"') for column in table.columns]
        template = f"(SELECT * FROM {table.name} WHERE name = '{of}') AS template"
        yield f"INSERT INTO {table.name} ({', '.join(columns)}) {numbers} SELECT {', '.join(values)} FROM numbers, {template}"


def _look_at_every_case(tx: Reader) -> int:
    statement = "SELECT count(*) FROM case_states WHERE search_key LIKE '%9_9%' OR sort_key LIKE '%8_8%'"
    return int(tx._connection.execute(text(statement)).scalar_one())


def _seconds(question: object) -> float:
    start = time.perf_counter()
    assert callable(question)
    assert question()
    return time.perf_counter() - start


def test_a_withdrawn_annotation_counts_nowhere_and_what_it_replaced_counts_again(store: Store) -> None:
    with store.write("me") as tx:
        samples.add_basics(tx, "a")
        tx.add(samples.annotator("bea"))
        tx.add(samples.annotation("a", seconds=5))
        tx.add(samples.annotation("a", by="bea", seconds=7, supersedes="annotation-a-ann-1"))
        tx.add(samples.withdrawal("annotation-a-bea-1"))
        assert [a.id for a in tx.current_annotations()] == ["annotation-a-ann-1"]
        tx.add(samples.withdrawal("annotation-a-ann-1"))
        assert tx.current_annotations() == []
        assert tx.case_counts().annotated == 0
        assert [c.name for c in tx.unlabelled_cases(["train"])] == ["a"]
        assert tx.count(Annotation) == 2
        tx.add(samples.annotation("a", number=2))
        assert [a.id for a in tx.current_annotations()] == ["annotation-a-ann-2"]
        assert tx.case_counts().annotated == 1
