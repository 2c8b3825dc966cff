"""Projects as earlier versions made them, by their own migrations and with their rows: opened, counted, audited and written to."""

import threading
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import MetaData, Table, insert, inspect, select, text

from medloop.core.records import Case, Evaluation
from medloop.store import audit
from medloop.store.database import Database
from medloop.store.schema import MIGRATIONS, REVISIONS, schema_revision
from medloop.store.store import Store
from medloop.store.tables import metadata
from medloop.store.tallies import tallies_are_right

from . import samples

OLD = ("0010", "0011")
DERIVED = ("case_tallies", "alembic_version")


def fill(store: Store) -> None:
    """Some of everything: cases in every state, a model, predictions of it, an evaluation, a draft."""
    with store.write("me") as tx:
        samples.add_basics(tx, "a", "b", "c", "d")
        for record in (
            samples.case("t", split="test", patient="p2"),
            samples.annotation("a"),
            samples.annotation("b", number=2),
            samples.withdrawal("annotation-b-ann-2", case="b"),
            samples.assignment("c", number=3),
            samples.patch(1, of="assignment-c-3"),
            samples.snapshot(),
            samples.model(),
            samples.evaluation(),
            samples.live_choice(),
            *(samples.prediction(name, quality=quality) for name, quality in (("b", 0.8), ("c", None), ("d", 0.3), ("t", 1.0))),
        ):
            tx.add(record)


def as_of(revision: str, database: Database) -> None:
    """Make the database what the version of that revision would hold: its own schema, and the same rows."""
    with database.writing() as connection:
        rows = {
            table.name: connection.execute(select(table)).mappings().all() for table in metadata.sorted_tables if table.name not in DERIVED
        }
        if database.is_sqlite:
            triggers = connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).scalars().all()
            for name in triggers:
                connection.execute(text(f"DROP TRIGGER {name}"))
            for name in ("alembic_version", *(table.name for table in reversed(metadata.sorted_tables))):
                connection.execute(text(f"DROP TABLE {name}"))
        else:
            connection.execute(text("DROP SCHEMA public CASCADE"))
            connection.execute(text("CREATE SCHEMA public"))
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        for name, found in rows.items():
            if found:
                table = Table(name, MetaData(), autoload_with=connection)
                known = {column.name for column in table.columns}
                connection.execute(insert(metadata.tables[name]), [{k: v for k, v in row.items() if k in known} for row in found])


@pytest.mark.parametrize("revision", OLD)
def test_a_project_of_an_earlier_revision_is_counted_and_audited_as_if_it_had_always_been_new(store: Store, revision: str) -> None:
    fill(store)
    with store.read() as tx:
        expected = (tx.case_counts(), tx.worklist(), tx.quality_sums(["train"]), tx.unpredicted("model-1", ["train"]))
    as_of(revision, store.database)
    assert schema_revision(store.database) == revision
    again = Store.open(store.folder)
    assert schema_revision(again.database) == REVISIONS[-1]
    with again.read() as tx:
        assert (tx.case_counts(), tx.worklist(), tx.quality_sums(["train"]), tx.unpredicted("model-1", ["train"])) == expected
        assert tx.find(Evaluation)[0].surfaces is None
        assert tallies_are_right(tx.connection)
    with again.write("me") as tx:
        for record in (samples.case("late", patient="p9"), samples.annotation("d", number=7), samples.prediction("late", quality=0.95)):
            tx.add(record)
        assert tallies_are_right(tx.connection), "the triggers keep on counting"
        assert tx.case_counts().total == expected[0].total + 1
    assert audit.verify(again, blobs=False).reason == ""
    again.close()


@pytest.mark.parametrize("revision", OLD)
def test_processes_that_open_an_earlier_project_at_once_bring_it_up_to_date_once(store: Store, revision: str) -> None:
    fill(store)
    as_of(revision, store.database)
    opened: list[Store] = []
    together = threading.Barrier(3)

    def open_it(folder: Path) -> None:
        together.wait()
        opened.append(Store.open(folder))

    threads = [threading.Thread(target=open_it, args=(store.folder,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(opened) == 3
    for one in opened:
        with one.read() as tx:
            assert tx.count(Case) == 5
            assert tallies_are_right(tx.connection)
        one.close()


def test_the_newest_schema_has_the_same_objects_however_it_was_reached(store: Store) -> None:
    def objects() -> object:
        with store.database.reading() as connection:
            seen = inspect(connection)
            columns = {table: sorted(c["name"] for c in seen.get_columns(table)) for table in seen.get_table_names()}
            indices = {table: sorted(str(i["name"]) for i in seen.get_indexes(table)) for table in columns}
            query = (
                "SELECT name FROM sqlite_master WHERE type = 'trigger'"
                if store.database.is_sqlite
                else "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal"
            )
            return columns, indices, sorted(connection.execute(text(query)).scalars())

    new = objects()
    as_of(OLD[0], store.database)
    Store.open(store.folder).close()
    assert objects() == new
