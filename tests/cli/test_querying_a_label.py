"""Annotated cases are queried for a label that they lack from the command line."""

import json
from pathlib import Path

from medloop.core.records import Case
from medloop.loop.foundation.workspace import Workspace

from .conftest import Medloop


def test_annotated_cases_that_lack_a_label_are_queried_for_it(medloop: Medloop, project: Path) -> None:
    with Workspace.open(project) as workspace, workspace.store.read() as tx:
        ids = {a.case_id for a in tx.current_annotations(splits=["train"])}
        name = sorted(case.name for case in tx.find(Case) if case.id in ids)[0]
        first, *_ = (label.name for label in workspace.task.labels)
    assert medloop("configure", project, "--add-label", "tumour").status == 0
    refused = medloop("query", project, "--lacking", first)
    assert (refused.status, refused.err.count("\n")) == (1, 1)
    assert f"No annotated case that could be queried lacks '{first}'" in refused.err
    made = json.loads(medloop("query", project, "--lacking", "Tumour", "--count", 200, "--json").out)
    assert name in {choice["case"] for choice in made["choices"]}
    assert {choice["reason"].split(";")[0] for choice in made["choices"]} == {"lacks tumour"}
    assert medloop("query", project, "--lacking", "bone").status == 1
