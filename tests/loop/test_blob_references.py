"""The store's list of fields that name blobs is complete: backup, audit and doctor rest on it."""

import json
import re

from medloop.loop.workspace import Workspace
from medloop.store.doctor import examine
from medloop.store.raw import raw_rows
from medloop.store.references import references
from medloop.store.tables import metadata


def test_every_blob_that_a_trained_project_names_anywhere_is_known_to_the_store(trained: Workspace) -> None:
    with trained.store.read() as tx:
        tables = [table for table in metadata.sorted_tables if "event" in table.c or table.name == "events"]
        text = " ".join(json.dumps(row.values, default=str) for table in tables for row in raw_rows(tx.connection, table))
        known = {reference.blob for reference in references(tx.connection)}
    kept = set(trained.store.blobs.names())
    assert set(re.findall(r"[0-9a-f]{64}", text)) & kept == known
    assert len(known) > 5
    assert examine(trained.store).ok
