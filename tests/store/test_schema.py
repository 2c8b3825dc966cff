import shutil
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text

from medloop.core.errors import IntegrityError, StorageError
from medloop.core.records import Annotation, Case, Descriptor, Evaluation, PromptRecord, Provenance
from medloop.store.audit import verify
from medloop.store.database import Database
from medloop.store.schema import MIGRATIONS, REVISIONS, bring_up_to_date, schema_revision
from medloop.store.store import DATABASE_FILE, Store
from medloop.store.tables import metadata
from tests.store import samples

NEXT = '''"""Two steps, the second of which may fail."""

from alembic import op

revision = "later"
down_revision = "{head}"


def upgrade() -> None:
    op.execute("CREATE TABLE extra (id INTEGER)")
    op.execute("{second}")
'''


LATER_COLUMNS = (
    ("assignments", "began_with"),
    ("assignments", "base_id"),
    ("annotations", "began_with"),
    ("annotations", "untouched"),
    ("evaluations", "leaning"),
    ("evaluations", "surfaces"),
    ("annotators", "expertise"),
    ("assignments", "blind"),
    ("annotators", "hours_per_week"),
    ("annotators", "cases_per_week"),
    ("annotators", "admitted"),
    ("assignments", "gold_id"),
    ("tasks", "pictures"),
    ("annotations", "annotated"),
    ("assignments", "annotated"),
)
"""Columns that tables gained after the first schema."""

OF_ACCOUNTS = ("memberships", "sign_ins", "api_tokens", "one_time_links", "accounts")
LATER_TABLES = (
    "reference_series",
    "named_frames",
    "assignees",
    "measurements",
    "gold_readings",
    "gold_cases",
    "routed",
    "efforts",
    "reviews",
    "consensuses",
    *OF_ACCOUNTS,
)
"""Tables of the migrations after the one that counts cases; those that others name come last."""

LATER_INDEXES = (
    "ix_case_states_patient",
    "ix_case_states_quality",
    "ix_case_states_uncertainty",
    "ix_case_states_annotations_sort_key_name",
    "ix_case_states_split_sort_key_name",
    "ix_annotations_marked",
    "ix_annotations_in_part",
    "ix_annotations_annotator_id_created_at",
    "ix_annotations_assignment_id",
    "ix_annotations_event",
)
"""Indexes that annotations and the list of cases gained after the first schema."""


def _drop_later(connection: Connection) -> None:
    """Take back what migrations after 0011 made."""
    for table in LATER_TABLES:
        connection.execute(text(f"DROP TABLE {table}"))
    for index in LATER_INDEXES:
        connection.execute(text(f"DROP INDEX {index}"))
    for table, column in LATER_COLUMNS[5:]:
        connection.execute(text(f"ALTER TABLE {table} DROP COLUMN {column}"))


def later_scripts(folder: Path, second: str) -> Path:
    """The migrations of a medloop yet to come."""
    shutil.copytree(MIGRATIONS, folder / "migrations", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "migrations" / "versions" / "later_next.py").write_text(NEXT.format(second=second, head=REVISIONS[-1]))
    return folder / "migrations"


def test_migrations_make_exactly_the_tables_of_the_code(store: Store) -> None:
    with store.database.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_a_new_file_has_what_the_migrations_leave_statement_by_statement(sqlite_store: Store, tmp_path: Path) -> None:
    scripts = tmp_path / "migrations"
    shutil.copytree(MIGRATIONS, scripts)
    migrated = Database(f"sqlite:///{tmp_path / 'migrated.sqlite'}")
    bring_up_to_date(migrated, tmp_path / "backups", scripts=scripts)
    made = "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY name"
    with migrated.engine.connect() as slow, sqlite_store.database.engine.connect() as quick:
        assert quick.execute(text(made)).fetchall() == slow.execute(text(made)).fetchall()
        for table in inspect(slow).get_table_names():
            rows = text(f"SELECT * FROM {table}")
            assert quick.execute(rows).fetchall() == slow.execute(rows).fetchall(), table
    migrated.close()


def test_the_known_revisions_are_those_of_the_scripts() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    scripts = ScriptDirectory.from_config(config)
    assert tuple(s.revision for s in reversed(list(scripts.walk_revisions()))) == REVISIONS


def test_a_newer_schema_is_refused_with_advice(sqlite_store: Store) -> None:
    with sqlite_store.database.writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StorageError, match=r"newer medloop \(schema 9999.*install the newer medloop"):
        Store.open(sqlite_store.folder)


def test_an_older_schema_is_backed_up_and_brought_up_to_date(sqlite_store: Store, tmp_path: Path) -> None:
    with sqlite_store.write("me") as tx:
        samples.add_basics(tx, "a")
    scripts = later_scripts(tmp_path, "CREATE TABLE more (id INTEGER)")
    copy = bring_up_to_date(sqlite_store.database, tmp_path / "backups", scripts=scripts, revisions=(*REVISIONS, "later"))
    assert schema_revision(sqlite_store.database) == "later"
    assert copy is not None
    restored = tmp_path / "restored"
    shutil.copytree(sqlite_store.folder, restored)
    for journal in restored.glob("medloop.sqlite-*"):
        journal.unlink()
    shutil.copy(copy, restored / DATABASE_FILE)
    old = Store.open(restored)
    with old.read() as tx:
        assert tx.count(Case) == 1
    old.close()


def test_a_migration_stands_on_no_code_of_the_store_that_may_change() -> None:
    scripts = [path.read_text(encoding="utf-8") for path in (MIGRATIONS / "versions").glob("*.py")]
    assert len(scripts) > len(REVISIONS) - 1
    assert [text for text in scripts if "medloop.store" in text] == []


def test_a_database_that_was_migrated_keeps_its_counts_by_the_triggers_of_a_new_one(sqlite_store: Store) -> None:
    def triggers() -> list[tuple[str, str]]:
        with sqlite_store.database.reading() as connection:
            query = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND name LIKE '%tally%' ORDER BY name"
            return [(row[0], row[1]) for row in connection.execute(text(query))]

    new = triggers()
    with sqlite_store.database.writing() as connection:
        for name, _ in new:
            connection.execute(text(f"DROP TRIGGER {name}"))
        connection.execute(text("DROP TABLE case_tallies"))
        _drop_later(connection)
        connection.execute(text("DROP INDEX ix_case_states_split_state_annotations"))
        connection.execute(text("CREATE INDEX ix_case_states_split_state_quality ON case_states (split, state, quality)"))
        connection.execute(text("UPDATE alembic_version SET version_num = '0010'"))
    bring_up_to_date(sqlite_store.database, sqlite_store.folder / "backups")
    assert len(new) == 4
    assert triggers() == new


def test_every_earlier_schema_becomes_the_newest_one_and_keeps_its_rows(tmp_path: Path) -> None:
    folder = tmp_path / "project"
    store = Store.create(folder)
    with store.write("me") as tx:
        samples.add_basics(tx, "a")
        for record in (
            samples.assignment(number=2),
            samples.annotation(number=2),
            samples.snapshot(),
            samples.model(),
            samples.evaluation(),
        ):
            tx.add(record)
    with store.database.writing() as connection:
        for trigger in ("case_states_tally_insert", "case_states_tally_update", "case_states_tally_delete", "predictions_tally"):
            connection.execute(text(f"DROP TRIGGER {trigger}"))
        for table in ("case_tallies", "evaluation_truths", "live_choices", "descriptors", "provenances", "prompts", "withdrawals"):
            connection.execute(text(f"DROP TABLE {table}"))
        for table in LATER_TABLES:
            connection.execute(text(f"DROP TABLE {table}"))
        for index in ("sort_key_name", "state_sort_key_name", "split_state_annotations"):
            connection.execute(text(f"DROP INDEX ix_case_states_{index}"))
        for index in LATER_INDEXES:
            connection.execute(text(f"DROP INDEX {index}"))
        for column in ("sort_key", "search_key"):
            connection.execute(text(f"ALTER TABLE case_states DROP COLUMN {column}"))
        for table, column in LATER_COLUMNS:
            connection.execute(text(f"ALTER TABLE {table} DROP COLUMN {column}"))
        connection.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    store.close()
    again = Store.open(folder)
    with again.write("me") as tx:
        assert tx.count(Case) == 1
        tx.add(samples.descriptor("a"))
        assert tx.find(Descriptor) == [samples.descriptor("a")]
        for record in (samples.assignment(), samples.prompt(1), samples.annotation(), samples.provenance()):
            tx.add(record)
        assert tx.find(PromptRecord) == [samples.prompt(1)]
        assert tx.find(Provenance) == [samples.provenance()]
        assert [row.name for row in tx.worklist(search="A")] == ["a"], "names of old cases are found"
        assert tx.find(Annotation)[0].began_with is None
        assert tx.find(Evaluation)[0].leaning == ()
        assert tx.find(Evaluation)[0].surfaces is None
        assert (tx.case_counts().total, tx.case_counts().annotated) == (1, 1), "old cases are counted"
    assert verify(again, blobs=False).reason == ""
    again.close()


def test_a_migration_that_fails_half_way_changes_nothing(sqlite_store: Store, tmp_path: Path) -> None:
    scripts = later_scripts(tmp_path, "CREATE TABLE cases (id INTEGER)")
    with pytest.raises(StorageError, match="table cases already exists"):
        bring_up_to_date(sqlite_store.database, tmp_path / "backups", scripts=scripts, revisions=(*REVISIONS, "later"))
    assert schema_revision(sqlite_store.database) == REVISIONS[-1]
    with sqlite_store.database.engine.connect() as connection:
        assert not inspect(connection).has_table("extra")
    Store.open(sqlite_store.folder).close()


@pytest.mark.parametrize("content", [b"this is no database" * 100, b""], ids=["text", "empty"])
def test_a_file_that_is_no_project_is_refused_and_not_made_anew(tmp_path: Path, content: bytes) -> None:
    Store.create(tmp_path / "project").close()
    (tmp_path / "project" / DATABASE_FILE).write_bytes(content)
    for journal in (tmp_path / "project").glob("medloop.sqlite-*"):
        journal.unlink()
    with pytest.raises(IntegrityError, match="restore a backup made with: medloop backup"):
        Store.open(tmp_path / "project")


def test_a_damaged_database_is_refused_with_advice(sqlite_store: Store) -> None:
    with sqlite_store.write("me") as tx:
        samples.add_basics(tx, *(f"case{n}" for n in range(50)))
    sqlite_store.close()
    file = sqlite_store.folder / DATABASE_FILE
    content = bytearray(file.read_bytes())
    content[len(content) // 2 :] = b"\xff" * (len(content) - len(content) // 2)
    file.write_bytes(content)
    with pytest.raises(IntegrityError, match=r"damaged.*restore"):
        Store.open(sqlite_store.folder)
