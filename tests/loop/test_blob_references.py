"""The store's list of fields that name blobs is complete: backup, audit and doctor rest on it."""

import dataclasses
import json
import re

import numpy as np

from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.round_moves import start_training
from medloop.loop.learning.objections import object_to_explanation
from medloop.loop.querying.on_demand import cold_features
from medloop.loop.worker import drain
from medloop.store.doctor import examine
from medloop.store.raw import raw_rows
from medloop.store.references import references
from medloop.store.tables import metadata

from .conftest import FAST, MakeWorkspace
from .made_up import every_case


def test_every_blob_that_a_used_project_names_anywhere_is_known_to_the_store(make_workspace: MakeWorkspace) -> None:
    used = make_workspace(["train"] * 4, labelled=3, settings=dataclasses.replace(FAST, train_steps=2))
    start_training(used)
    drain(used)
    cases = every_case(used)
    cold_features(used, cases)
    regions = np.ones(cases[0].grid.shape, dtype=bool)
    object_to_explanation(used, cases[0].id, annotator_named(used, "Ann").id, label=1, method="grad-cam", regions=regions)
    with used.store.read() as tx:
        tables = [table for table in metadata.sorted_tables if "event" in table.c or table.name == "events"]
        text = " ".join(json.dumps(row.values, default=str) for table in tables for row in raw_rows(tx.connection, table))
        known = {reference.blob: reference.noun for reference in references(tx.connection)}
    kept = set(used.store.blobs.names())
    assert set(re.findall(r"[0-9a-f]{64}", text)) & kept == set(known)
    assert set(known.values()) == {"case", "annotation", "model", "prediction", "descriptor", "explanation"}
    assert examine(used.store).ok
