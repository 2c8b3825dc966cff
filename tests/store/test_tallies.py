import numpy as np
import pytest
from sqlalchemy import delete, update

from medloop.core.errors import InputError
from medloop.core.records import Assignment, Case
from medloop.store import audit
from medloop.store.store import Store, Writer
from medloop.store.tables import case_states, case_tallies
from medloop.store.tallies import tallies_are_right
from medloop.store.worklist import Listing

from . import samples

CASES = 8
MODELS = (1, 2)
EDGES = [n / 10 for n in range(11)]


def one_write(tx: Writer, rng: np.random.Generator, number: int) -> None:
    """Something that people and workers do to a case."""
    name = str(rng.integers(CASES))
    match rng.integers(6):
        case 0:
            tx.add(samples.annotation(name, number=number))
        case 1:
            current = tx.current_annotations(case_ids=[f"case-{name}"])
            if current:
                tx.add(samples.withdrawal(current[0].id, case=name))
        case 2:
            tx.add(samples.assignment(name, number=number))
        case 3:
            found = tx.find(Assignment, where={"case_id": f"case-{name}", "state": "open"})
            if found:
                state = str(rng.choice(["submitted", "skipped", "flagged", "released"]))
                tx.change(Assignment, found[0].id, verb=state, fields={"state": state, "closed_at": "2026"})
        case _:
            quality = float(rng.choice([0.0, 0.1, 0.3, 0.79, 0.8, 1.0, rng.random()])) if rng.random() < 0.8 else None
            tx.add(samples.prediction(name, int(rng.choice(MODELS)), number=number, quality=quality))


def check_against_rows(tx: Writer) -> None:
    """Every question the counts answer, asked of the rows."""
    rows, counts = tx.worklist(limit=CASES), tx.case_counts()
    for state, name in (("unanswered", "unlabelled"), ("answered", "annotated"), ("skipped", "skipped"), ("flagged", "flagged")):
        assert getattr(counts, name) == tx.worklist_total(Listing(state=state)) == sum(row.state == state for row in rows)
    for split in ("train", "test"):
        assert getattr(counts, split) == sum(row.split == split for row in rows)
    assert counts.total == tx.worklist_total() == len(rows)
    assert counts.open == sum(row.open_assignments > 0 for row in rows)
    values = [row.quality for row in rows if row.split == "train" and row.state == "unanswered" and row.quality is not None]
    sums = tx.quality_sums(["train"])
    assert (sums.count, list(sums.bins)) == (len(values), np.histogram(values, bins=EDGES)[0].tolist())
    assert sums.total == pytest.approx(sum(values), abs=1e-6 * CASES)
    waiting = {c.id for c in tx.unlabelled_cases(["train"], exclude_open=False)}
    for index in MODELS:
        seen = {p.case_id for p in tx.latest_predictions(f"model-{index}")}
        assert tx.unpredicted(f"model-{index}", ["train"]) == len(waiting - seen)


@pytest.mark.parametrize("seed", range(3))
def test_after_every_write_the_counts_are_those_of_the_rows(store: Store, seed: int) -> None:
    rng = np.random.default_rng(seed)
    with store.write("me") as tx:
        samples.add_basics(tx)
        tx.add(samples.snapshot())
        for index in MODELS:
            tx.add(samples.model(index))
        for n in range(CASES):
            tx.add(samples.case(str(n), split="test" if n < 2 else "train", patient=f"p{n}"))
    for number in range(10, 90):
        with store.write("me") as tx:
            one_write(tx, rng, number)
            check_against_rows(tx)
            assert tallies_are_right(tx.connection)


def test_a_write_that_is_taken_back_takes_its_counts_back(store: Store) -> None:
    with store.write("me") as tx:
        samples.add_basics(tx, "a")

    def half_a_change() -> None:
        with store.write("me") as tx:
            tx.add(samples.case("b", patient="p2"))
            tx.find(Case, where={"mood": "sunny"})

    with pytest.raises(InputError, match="no field"):
        half_a_change()
    with store.read() as tx:
        assert tx.case_counts().total == tx.count(Case) == 1


@pytest.mark.parametrize("change", [{"split": "test"}, {"state": "skipped"}, {"open_assignments": 3}, {"quality": 0.25}, {"quality": None}])
def test_a_single_changed_column_is_counted(store: Store, change: dict[str, object]) -> None:
    with store.write("me") as tx:
        samples.add_basics(tx, "a", "b")
    with store.database.writing() as connection:
        connection.execute(update(case_states).values(change).where(case_states.c.case_id == "case-a"))
        assert tallies_are_right(connection)


def test_a_line_that_is_removed_is_counted_no_more(store: Store) -> None:
    with store.write("me") as tx:
        samples.add_basics(tx, "a", "b")
    with store.database.writing() as connection:
        connection.execute(delete(case_states).where(case_states.c.case_id == "case-a"))
    with store.read() as tx:
        assert tx.case_counts().total == 1
        assert tallies_are_right(tx.connection)


@pytest.mark.parametrize("column", ["cases", "opened", "millionths"])
def test_the_audit_names_counts_that_were_edited(store: Store, column: str) -> None:
    with store.write("me") as tx:
        samples.add_basics(tx, "a")
    with store.database.writing() as connection:
        connection.execute(update(case_tallies).values({column: 7}))
    report = audit.verify(store, blobs=False)
    assert (report.ok, report.reason) == (False, "the worklist's counts are not those of its lines")
