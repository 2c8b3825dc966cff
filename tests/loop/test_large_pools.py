"""What pages and queries read does not grow with the pool."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import Connection, event

from large_pool import fill
from medloop.core.records import ProjectSettings
from medloop.loop.annotating.annotations import open_case, skip_case
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.overview.progress import progress
from medloop.loop.overview.status import status
from medloop.loop.querying import pool_table
from medloop.loop.querying.pools import PoolInputs, build_pool
from medloop.loop.querying.queries import make_query
from medloop.loop.querying.rounds import upcoming_case
from medloop.query.strategies import strategy
from medloop.store import reader

from .conftest import MakeWorkspace
from .made_up import add_model, add_prediction, askable_names, every_case

SETTINGS = ProjectSettings(strategy="entropy", audit_fraction=0.0)


def project(folder: Path, cases: int, *, predicted: float = 1.0) -> Workspace:
    workspace = Workspace.create(folder, name="large", kind="classification", labels=["a", "b"], settings=SETTINGS)
    fill(workspace, cases, predicted=predicted)
    return workspace


@dataclasses.dataclass
class Read:
    """How much a question read: statements, rows made into records, and thousands of steps of the database."""

    statements: int = 0
    records: int = 0
    steps: int = 0


def count_reads(workspace: Workspace, monkeypatch: pytest.MonkeyPatch, work: Callable[[], object]) -> Read:
    found, engine, real = Read(), workspace.store.database.engine, reader.from_row
    work()  # what is kept beside the project is made by the first call

    def one_statement(*_: object) -> None:
        found.statements += 1

    def one_record(*arguments: object) -> object:
        found.records += 1
        return real(*arguments)  # type: ignore[arg-type]  # as it was called

    def thousand_steps() -> int:
        found.steps += 1
        return 0

    def watched(connection: Connection) -> None:
        driver = connection.connection.driver_connection
        assert driver is not None
        driver.set_progress_handler(thousand_steps, 1000)

    event.listen(engine, "begin", watched)
    event.listen(engine, "before_cursor_execute", one_statement)
    monkeypatch.setattr(reader, "from_row", one_record)
    try:
        work()
    finally:
        event.remove(engine, "before_cursor_execute", one_statement)
        event.remove(engine, "begin", watched)
        monkeypatch.undo()
    return found


@pytest.mark.parametrize(
    "question",
    [lambda w: progress(w), lambda w: make_query(w, 2), lambda w: status(w), lambda w: upcoming_case(w)],
    ids=["progress", "query", "status", "upcoming"],
)
def test_what_is_read_does_not_grow_with_the_pool(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, question: Callable[[Workspace], object]
) -> None:
    found = []
    for cases in (300, 3000):
        with project(tmp_path / str(cases), cases) as workspace:
            found.append(count_reads(workspace, monkeypatch, lambda: question(workspace)))  # called at once
    small, large = found
    assert large.statements == small.statements < 100
    assert large.steps <= small.steps + 20, "60 more annotations are read by four statements, and the entries of one index counted"
    assert large.records <= small.records + 20 < 300


def test_a_query_from_kept_numbers_chooses_what_one_from_the_rows_chooses(tmp_path: Path) -> None:
    with project(tmp_path / "p", 400, predicted=0.9) as workspace:
        with workspace.store.read() as tx:
            names, model = askable_names(tx), tx.live_model()
            table = pool_table.pool_table(workspace, tx)
            assert model is not None
            scores = pool_table.pool_scores(workspace, tx, model.id, table)
            refused = tx.refused_cases(["train", "audit"])
        wanted = table.askable(refused)["train"]
        assert table.named(wanted) == names
        kept = pool_table.PoolScores(scores.seen[wanted], {n: v[wanted] for n, v in scores.columns.items()})
        for name in ("entropy", "margin", "bald", "foreground"):
            one = strategy(name)
            quick = build_pool(PoolInputs(workspace, names, model, {}, 2, thorough=False, scores=kept), one.needs)
            whole = build_pool(PoolInputs(workspace, names, model, {}, 2, thorough=False), one.needs)
            assert quick is not None
            assert whole is not None
            picks = [[(pool.case_ids[p.index], p.reason) for p in one.select(pool, 5, np.random.default_rng(1))] for pool in (quick, whole)]
            assert picks[0] == picks[1]


def test_cases_and_predictions_that_come_later_are_in_the_next_query(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"] * 5, settings=dataclasses.replace(SETTINGS, batch_size=1))
    model = add_model(workspace, 1)
    for case in every_case(workspace)[:4]:
        add_prediction(workspace, model, case, entropy=0.1)
    assert make_query(workspace, 1) is not None
    surest, late = every_case(workspace)[0], every_case(workspace)[4]
    add_prediction(workspace, model, late, entropy=0.9)
    asked = make_query(workspace, 2)
    assert asked is not None
    assert asked.choices[0].case_id == late.id
    opened = open_case(workspace, late.id, annotator_named(workspace, "Ann").id)
    skip_case(workspace, opened.assignment.id, reason="motion")
    after = make_query(workspace, 2)
    assert after is not None
    assert after.choices[0].case_id != late.id
    assert surest.id in {c.id for c in every_case(workspace)}


def test_lost_or_damaged_numbers_are_read_again(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"] * 4, settings=dataclasses.replace(SETTINGS, batch_size=1))
    model = add_model(workspace, 1)
    for n, case in enumerate(every_case(workspace)):
        add_prediction(workspace, model, case, entropy=0.1 * n)
    first = make_query(workspace, 1)
    for kept in workspace.work_folder.glob("pool-*"):
        kept.write_bytes(b"\x00broken")
    again = make_query(workspace, 1)
    assert first is not None
    assert again is not None
    assert [c.case_id for c in first.choices] == [c.case_id for c in again.choices]


def test_the_database_adds_up_what_the_rows_say(tmp_path: Path) -> None:
    with project(tmp_path / "p", 500, predicted=0.7) as workspace, workspace.store.read() as tx:
        model = tx.live_model()
        assert model is not None
        values = [row.quality for row in tx.worklist(state="unanswered", limit=500) if row.split == "train"]
        found = progress(workspace).pool_quality
        assert found is not None
        assert found.mean == pytest.approx(np.mean(values), abs=1e-6)
        assert found.low_count == sum(value < 0.8 for value in values)
        assert list(found.histogram) == np.histogram(values, bins=10, range=(0.0, 1.0))[0].tolist()
        seen = {p.case_id for p in tx.latest_predictions(model.id)}
        lacking = [c for c in tx.unlabelled_cases(["train", "audit"], exclude_open=False) if c.id not in seen]
        assert tx.unpredicted(model.id, ["train", "audit"]) == len(lacking) > 0
