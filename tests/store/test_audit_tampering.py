"""Every table and every field of it: whatever somebody changes with a database tool, the audit names."""

import json
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Boolean, Column

from medloop.core.errors import IntegrityError, MedloopError
from medloop.core.records import Case, Model, Round, Snapshot
from medloop.store import audit
from medloop.store.rows import kinds
from medloop.store.store import Store
from medloop.store.tables import case_states, events
from tests.store import samples

HEARTBEAT = {"state", "attempt", "progress", "message", "owner", "cancel_requested", "error", "result", "started_at", "finished_at"}
HEARTBEAT |= {"beat", "lease_seconds"}
SIGNS_OF_LIFE = {"job": HEARTBEAT, "sign-in": {"seen_at"}}
TABLES = {kind.table.name: [c for c in kind.table.columns if c.name not in SIGNS_OF_LIFE.get(kind.noun, ())] for kind in kinds()}


def fill(store: Store) -> None:
    """A row in every table, with real blobs."""
    blobs = {name: store.blobs.put(name.encode()) for name in ("voxels", "mask", "weights", "features")}
    case = samples.case("a")
    records: list[Any] = [samples.TASK, samples.PROJECT, samples.annotator(), _with(case, voxels=blobs["voxels"])]
    records += [samples.snapshot(), _with(samples.model(), weights=(blobs["weights"],))]
    records += [_with(samples.prediction("a"), mask=blobs["mask"]), _with(samples.descriptor("a"), vector=blobs["features"])]
    records += [samples.query("a"), samples.first_round(), samples.assignment(), samples.patch(1), samples.prompt(1)]
    records += [_with(samples.annotation(), blob=blobs["mask"]), samples.withdrawal(), samples.provenance(), samples.evaluation()]
    records += [samples.effort(), samples.review(), _with(samples.consensus(), uncertainty=blobs["mask"])]
    records += [samples.routed(), samples.gold(), samples.gold_reading(), samples.measurement(), samples.named_frame(), samples.assignee()]
    records += [_with(samples.reference(), voxels=blobs["voxels"])]
    records += [samples.truth(), samples.live_choice(), samples.account(), *samples.people()]
    with store.write("me") as tx:
        for record in records:
            tx.add(record)
        tx.change(Round, "round-1", verb="ask", fields={"message": "go"})
        tx.record("object", "explanation", "case-a", {"regions": store.blobs.put(b"regions")})
    store.jobs.enqueue("train", {"round": 1}, key="one", actor="cli")
    job = store.jobs.claim("worker-1")
    assert job is not None
    store.jobs.finish(job, {"model": "model-1"})


def _with(record: Any, **fields: Any) -> Any:
    return replace(record, **fields)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("full") / "project"
    store = Store.create(folder)
    fill(store)
    assert audit.verify(store).ok
    store.close()
    return folder


Change = Callable[[Callable[[sqlite3.Connection], object]], audit.AuditReport]


@pytest.fixture
def after(template: Path, tmp_path: Path) -> Change:
    """The audit after a change made with a database tool, by somebody who removed the triggers."""

    def change(how: Callable[[sqlite3.Connection], object]) -> audit.AuditReport:
        folder = Path(shutil.copytree(template, tmp_path / "project"))
        connection = sqlite3.connect(folder / "medloop.sqlite")
        without_triggers(connection)
        how(connection)
        connection.commit()
        connection.close()
        store = Store.open(folder)
        try:
            return audit.verify(store)
        finally:
            store.close()

    return change


def other(value: Any) -> Any:
    """Another value of the same kind."""
    if isinstance(value, int | float):
        return value + 1
    if value is None:
        return "x"
    try:
        found = json.loads(value)
    except ValueError:
        return f"{value}x"
    if isinstance(found, dict | list):
        return json.dumps({**found, "x": 1} if isinstance(found, dict) else [*found, 1])
    return f"{value}1"


@dataclass
class Tool:
    """A database tool in the hands of somebody who removed the triggers, beside the open project."""

    store: Store
    connection: sqlite3.Connection

    def verdict_on(self, column: Column[Any]) -> audit.AuditReport:
        """The audit while one field of the last row has another value."""
        table, name = column.table.name, quoted(column.name)
        row, value = self.connection.execute(f"SELECT rowid, {name} FROM {table} ORDER BY rowid DESC LIMIT 1").fetchone()
        self.put(table, name, row, 1 - value if isinstance(column.type, Boolean) else other(value))
        report = audit.verify(self.store, blobs=False)
        (changed,) = self.connection.execute(f"SELECT rowid FROM {table} ORDER BY rowid DESC LIMIT 1").fetchone()
        self.put(table, name, changed, value)
        assert audit.verify(self.store, blobs=False).ok
        return report

    def put(self, table: str, name: str, row: int, value: Any) -> None:
        self.connection.execute(f"UPDATE {table} SET {name} = ? WHERE rowid = ?", (value, row))
        self.connection.commit()


@pytest.fixture
def tool(template: Path, tmp_path: Path) -> Iterator[Tool]:
    folder = Path(shutil.copytree(template, tmp_path / "project"))
    with closing(sqlite3.connect(folder / "medloop.sqlite")) as connection, closing(Store.open(folder)) as store:
        without_triggers(connection)
        yield Tool(store, connection)


def without_triggers(connection: sqlite3.Connection) -> None:
    for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        connection.execute(f"DROP TRIGGER {name}")
    connection.commit()


def quoted(name: str) -> str:
    return f'"{name}"'


def test_the_history_has_a_row_in_every_table(template: Path) -> None:
    connection = sqlite3.connect(template / "medloop.sqlite")
    assert all(connection.execute(f"SELECT count(*) FROM {kind.table.name}").fetchone()[0] for kind in kinds())
    connection.close()


@pytest.mark.parametrize("table", TABLES)
def test_a_changed_field_of_a_row_is_named(tool: Tool, table: str) -> None:
    for column in TABLES[table]:
        report = tool.verdict_on(column)
        assert not report.ok, column.name
        assert report.reason.startswith("the "), report.reason
        assert report.reason.count("\n") == 0


def test_a_changed_field_of_an_event_is_named(tool: Tool) -> None:
    """All of them: number, time, actor, verb, noun, id, body, previous digest and digest."""
    assert len(events.columns) == 9
    for column in events.columns:
        report = tool.verdict_on(column)
        assert (report.ok, report.first_bad is None, "event" in report.reason) == (False, False, True), column.name


def test_a_changed_field_of_the_worklist_is_named(tool: Tool) -> None:
    for column in case_states.columns:
        report = tool.verdict_on(column)
        assert (report.ok, "worklist" in report.reason) == (False, True), column.name


@pytest.mark.parametrize("table", [kind.table.name for kind in kinds()])
def test_a_removed_row_is_named(after: Change, table: str) -> None:
    report = after(lambda c: c.execute(f"DELETE FROM {table} WHERE rowid = (SELECT max(rowid) FROM {table})"))
    assert not report.ok
    assert report.reason.endswith("is gone"), report.reason


@pytest.mark.parametrize("table", [kind.table.name for kind in kinds()])
def test_a_row_slipped_in_is_named(after: Change, table: str) -> None:
    def insert(connection: sqlite3.Connection) -> None:
        cursor = connection.execute(f"SELECT * FROM {table} LIMIT 1")
        names = [column[0] for column in cursor.description]
        row = dict(zip(names, cursor.fetchone(), strict=True))
        row |= {
            "id": "slipped-in",
            **{n: f"{row[n]}x" for n in ("name", "key", "digest", "project_id", "annotation_id", "method", "session") if n in row},
        }
        row |= {n: row[n] + 1 for n in ("index", "revision") if isinstance(row.get(n), int)}
        columns = ", ".join(map(quoted, names))
        connection.execute(f"INSERT INTO {table} ({columns}) VALUES ({', '.join('?' for _ in names)})", list(row.values()))

    report = after(insert)
    assert (report.ok, report.first_bad) == (False, None)
    assert report.reason.endswith("slipped-in has no event"), report.reason


def test_two_events_that_changed_places_are_named(after: Change) -> None:
    def swap(connection: sqlite3.Connection) -> None:
        connection.execute("UPDATE events SET seq = -1 WHERE seq = 3")
        connection.execute("UPDATE events SET seq = 3 WHERE seq = 4")
        connection.execute("UPDATE events SET seq = 4 WHERE seq = -1")

    report = after(swap)
    assert (report.ok, report.first_bad) == (False, 3)


def test_a_cut_off_end_is_named_where_the_last_digest_was_kept(template: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(template, tmp_path / "project"))
    store = Store.open(folder)
    with store.write("me") as tx:
        tx.record("look", "project", "project-1", {})
    before = audit.verify(store)
    with store.database.writing() as connection:
        connection.exec_driver_sql("DROP TRIGGER events_refuse_delete")
        connection.exec_driver_sql(f"DELETE FROM events WHERE seq = {before.events}")
    assert audit.verify(store).ok
    report = audit.verify(store, last_digest=before.last_digest)
    assert not report.ok
    assert "events were cut off" in report.reason
    store.close()


def test_an_older_digest_still_stands_in_a_chain_that_has_grown(sqlite_store: Store) -> None:
    with sqlite_store.write("me") as tx:
        samples.add_basics(tx, "a")
    early = audit.verify(sqlite_store, blobs=False).last_digest
    with sqlite_store.write("me") as tx:
        tx.add(samples.case("b", patient="p2"))
    assert audit.verify(sqlite_store, blobs=False, last_digest=early).ok


@pytest.mark.parametrize("damage", ["'{'", "''", "'[1,'", "x'ff'", "'" + "[" * 5000 + "'"])
@pytest.mark.parametrize(("table", "column", "what"), [("cases", "grid", "case case-a"), ("tasks", "labels", "task task-1")])
def test_a_column_that_holds_no_json_is_named_with_its_row(after: Change, table: str, column: str, what: str, damage: str) -> None:
    report = after(lambda c: c.execute(f"UPDATE {table} SET {column} = {damage}"))
    assert not report.ok
    assert report.reason.startswith(f"the {what} was edited or damaged: its column {column} holds no JSON"), report.reason


def test_an_event_whose_body_holds_no_json_is_named(after: Change) -> None:
    report = after(lambda c: c.execute("UPDATE events SET body = '{\"a\":' WHERE seq = 5"))
    assert (report.first_bad, report.reason) == (5, "event 5 was edited or damaged: its column body holds no JSON")


@pytest.mark.parametrize(("table", "column"), [("cases", "name"), ("annotations", "kind"), ("events", "actor")])
def test_text_that_is_no_text_is_named_with_its_row(after: Change, table: str, column: str) -> None:
    report = after(lambda c: c.execute(f"UPDATE {table} SET {column} = CAST(x'ff41' AS TEXT)"))
    assert not report.ok
    assert "was edited or damaged: it cannot be read" in report.reason
    assert report.first_bad is not None


def test_a_damaged_row_is_said_in_one_line_everywhere_else(template: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(template, tmp_path / "project"))
    with sqlite3.connect(folder / "medloop.sqlite") as connection:
        connection.execute("UPDATE cases SET grid = '{'")
    connection.close()
    store = Store.open(folder)
    with pytest.raises(IntegrityError, match="medloop audit DIR verify names the row") as caught, store.read() as tx:
        tx.get(Case, "case-a")
    assert isinstance(caught.value, MedloopError)
    store.close()


@pytest.mark.parametrize(
    ("record", "id_", "noun"), [(Case, "case-a", "the voxels of the case case-a (case a)"), (Model, "model-1", "the weights of the model")]
)
@pytest.mark.parametrize("how", ["exchanged", "deleted", "one bit"])
def test_a_blob_that_was_exchanged_or_deleted_is_named_with_its_owner(
    template: Path, tmp_path: Path, record: type[Any], id_: str, noun: str, how: str
) -> None:
    store = Store.open(Path(shutil.copytree(template, tmp_path / "project")))
    with store.read() as tx:
        found = tx.get(record, id_)
    path = store.blobs.path(found.voxels if record is Case else found.weights[0])
    data = path.read_bytes()
    if how == "deleted":
        path.unlink()
    else:
        path.write_bytes(b"another" if how == "exchanged" else bytes([data[0] ^ 1]) + data[1:])
    report = audit.verify(store)
    assert (report.ok, report.blobs) == (False, None)
    assert report.reason.startswith(noun), report.reason
    assert ("no blob" if how == "deleted" else "is damaged") in report.reason
    assert audit.verify(store, blobs=False).unchecked[-1].startswith("the blobs")
    store.close()


def test_the_bytes_of_an_objection_are_checked_too(template: Path, tmp_path: Path) -> None:
    store = Store.open(Path(shutil.copytree(template, tmp_path / "project")))
    with store.read() as tx:
        regions = tx.events_about("explanation")[0].body["regions"]
    store.blobs.path(regions).unlink()
    assert "the regions of the explanation case-a" in audit.verify(store).reason
    store.close()


def test_an_index_that_disagrees_with_its_table_is_found(after: Change) -> None:
    """The index then says that there is no such case, while every row is sound."""

    def spoil(connection: sqlite3.Connection) -> None:
        connection.execute("PRAGMA writable_schema = ON")
        where = "type = 'index' AND name = 'ix_cases_patient'"
        sql = connection.execute(f"SELECT sql FROM sqlite_master WHERE {where}").fetchone()[0]
        changed = sql.replace("(patient)", "(split)")
        assert changed != sql
        connection.execute(f"UPDATE sqlite_master SET sql = ? WHERE {where}", (changed,))

    report = after(spoil)
    assert not report.ok
    assert report.reason.startswith("the database is damaged: ")
    assert "ix_cases_patient" in report.reason


def test_sound_snapshots_are_no_blobs(template: Path) -> None:
    """A digest looks like the name of a blob and is none."""
    store = Store.open(template)
    with store.read() as tx:
        assert len(tx.get(Snapshot, "snapshot-s").digest) == 64
    assert audit.verify(store).blobs == 5
    store.close()


@pytest.mark.postgres
def test_postgres_says_whether_its_indexes_were_checked(postgres_url: str, tmp_path: Path) -> None:
    from tests.postgres import empty_database

    empty_database(postgres_url)
    store = Store.create(tmp_path / "project", url=postgres_url)
    fill(store)
    report = audit.verify(store)
    assert (report.ok, report.blobs) == (True, 5), report.reason
    assert report.unchecked[0].startswith("index pages: PostgreSQL's extension amcheck is not installed")
    with store.database.writing() as connection:
        connection.exec_driver_sql("CREATE EXTENSION amcheck")
    checked = audit.verify(store)
    assert checked.ok, checked.reason
    assert not any(part.startswith("index pages") for part in checked.unchecked)
    with store.database.writing() as connection:
        connection.exec_driver_sql("DROP EXTENSION amcheck")
    store.close()
