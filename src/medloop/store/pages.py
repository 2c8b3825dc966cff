"""Damage below the rows: pages of the database and of its indexes.

A damaged index answers questions wrongly while every row is sound, so the audit asks the database itself. SQLite checks
all pages, and every index against its table. PostgreSQL does the same for its indexes where the extension amcheck is
installed and this user may use it; where not, the audit says that it was not done.
"""

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from medloop.store.database import first_line
from medloop.store.tables import metadata

NO_AMCHECK = "index pages: PostgreSQL's extension amcheck is not installed in this database (CREATE EXTENSION amcheck)"
NOT_ALLOWED = "index pages: this database user may not run bt_index_check"

_INDEXES = text(
    "SELECT i.indexrelid::bigint AS id, c.relname AS name FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid "
    "JOIN pg_class t ON t.oid = i.indrelid JOIN pg_am a ON a.oid = c.relam "
    "WHERE a.amname = 'btree' AND i.indisvalid AND t.relname = ANY(:tables) AND pg_table_is_visible(t.oid) ORDER BY c.relname"
)


def damaged_pages(connection: Connection) -> tuple[str, str]:
    """What is damaged in the pages of the database, and what could not be looked at; "" for nothing."""
    if connection.dialect.name == "sqlite":
        found = str(connection.exec_driver_sql("PRAGMA integrity_check(1)").scalar_one())
        return ("" if found == "ok" else f"the database is damaged: {' '.join(found.split())}", "")
    if connection.execute(text("SELECT 1 FROM pg_extension WHERE extname = 'amcheck'")).first() is None:
        return "", NO_AMCHECK
    return _damaged_indexes(connection)


def _damaged_indexes(connection: Connection) -> tuple[str, str]:
    for index in connection.execute(_INDEXES, {"tables": list(metadata.tables)}).all():
        try:
            with connection.begin_nested():
                connection.execute(text("SELECT bt_index_check(CAST(:id AS oid)::regclass, true)"), {"id": index.id})
        except DBAPIError as error:
            line = first_line(error)
            return ("", NOT_ALLOWED) if "permission denied" in line else (f"the index {index.name} is damaged: {line}", "")
    return "", ""
