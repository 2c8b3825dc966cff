"""`medloop matrix` and `medloop retention`."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from medloop.core.records import time_text
from medloop.loop.data.retention import remove_due
from medloop.loop.foundation.workspace import Workspace
from tests.loop.test_live_models import judged, trained

from .conftest import Medloop


@pytest.fixture
def two_models(project: Path) -> Path:
    """A project whose second model is worse."""
    with Workspace.open(project) as workspace, workspace.store.read() as tx:
        names = [row.name for row in tx.worklist(limit=8)]
    with Workspace.open(project) as workspace:
        for index, score in ((1, 0.9), (2, 0.5)):
            judged(workspace, trained(workspace, index), score, cases=names)
    return project


def test_the_matrix_prints_each_model_on_each_group_and_refuses_unknown_columns(medloop: Medloop, two_models: Path) -> None:
    said = medloop("matrix", two_models, "--by", "date")
    assert said.status == 0
    assert "0.500" in said.out
    assert "no model learned cases of it" in said.out  # these are made up
    found = json.loads(medloop("matrix", two_models, "--by", "date", "--json").out)
    assert [round(row["cells"][0]["mean"], 1) for row in found["rows"]] == [0.9, 0.5]
    refused = medloop("matrix", two_models, "--by", "colour")
    assert refused.status == 1
    assert "group by one of" in refused.err


def test_a_project_without_a_model_says_so(medloop: Medloop, project: Path) -> None:
    said = medloop("matrix", project)
    assert said.status == 0
    assert "no model yet" in said.err


def test_images_are_kept_for_ever_until_a_rule_is_set_and_removed_ones_are_listed(medloop: Medloop, project: Path) -> None:
    assert "kept for ever" in medloop("retention", project).out
    assert "kept for ever" in medloop("retention", project, "remove").err
    assert medloop("retention", project, "burn").status == 2
    assert medloop("configure", project, "retention-days=30").status == 0
    assert "0 images due" in medloop("retention", project).out
    with Workspace.open(project) as workspace:
        done = remove_due(workspace, actor="test", at=time_text(datetime.now(UTC) + timedelta(days=31)))
    listed = medloop("retention", project)
    assert f"{done.removed[0]}: image removed on" in listed.out
    assert len(json.loads(medloop("retention", project, "--json").out)["removed"]) == len(done.removed)
    assert medloop("doctor", project).status == 0
    assert "0 images removed" in medloop("retention", project, "remove").out
