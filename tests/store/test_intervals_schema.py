"""Evaluations of a project from before keep their rows, their protection and their audit when intervals may be missing."""

from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError as Refused

from medloop.core.records import Evaluation
from medloop.store.audit import verify
from medloop.store.store import Store
from tests.store import samples


def test_an_evaluation_without_an_interval_is_kept(store: Store) -> None:
    found = replace(samples.evaluation(), low=None, high=None)
    with store.write("me") as tx:
        samples.add_basics(tx, "a")
        for record in (samples.snapshot(), samples.model(), found):
            tx.add(record)
        assert tx.find(Evaluation) == [found]
    assert verify(store, blobs=False).ok


def test_rows_stay_protected_after_the_table_was_made_anew(sqlite_store: Store) -> None:
    with sqlite_store.write("me") as tx:
        samples.add_basics(tx, "a")
        for record in (samples.snapshot(), samples.model(), samples.evaluation()):
            tx.add(record)
    for change in ("UPDATE evaluations SET mean = 1", "DELETE FROM evaluations"):
        with pytest.raises(Refused, match="immutable"), sqlite_store.database.engine.begin() as connection:
            connection.execute(text(change))


def test_a_table_from_before_keeps_its_rows_and_its_protection(tmp_path: Path) -> None:
    store, known = Store.create(tmp_path / "project"), samples.evaluation()
    with store.write("me") as tx:
        samples.add_basics(tx, "a")
        for record in (samples.snapshot(), samples.model(), known):
            tx.add(record)
    with store.database.writing() as connection:
        _make_as_before(connection)
        with Operations.context(MigrationContext.configure(connection)):
            import_module("medloop.store.migrations.versions.0009_intervals").upgrade()
    with store.read() as tx:
        assert tx.find(Evaluation) == [known]
    assert verify(store, blobs=False).ok
    with pytest.raises(Refused, match="immutable"), store.database.engine.begin() as connection:
        connection.execute(text("UPDATE evaluations SET mean = 1"))
    store.close()


def _make_as_before(connection: Connection) -> None:
    """The table without a place for missing ends."""
    made = connection.execute(text("SELECT sql FROM sqlite_master WHERE name = 'evaluations'")).scalar_one()
    before = made.replace("low DOUBLE", "low DOUBLE NOT NULL").replace("high DOUBLE", "high DOUBLE NOT NULL")
    assert before != made
    for change in (
        "ALTER TABLE evaluations RENAME TO kept",
        "DROP INDEX ix_evaluations_model_id_split",
        before,
        "INSERT INTO evaluations SELECT * FROM kept",
        "DROP TABLE kept",
        "CREATE INDEX ix_evaluations_model_id_split ON evaluations (model_id, split)",
    ):
        connection.execute(text(change))
