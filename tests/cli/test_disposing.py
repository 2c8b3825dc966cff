"""`medloop dispositions`, and `medloop stream` with a risk: what was decided, by which rule, and what a lead does about it."""

import json
import shutil
from pathlib import Path

import pytest

from medloop.loop.foundation.workspace import Workspace
from medloop.loop.querying.disposing import dispose_arrivals

from ..loop.streamed import arrive, streaming
from .conftest import Medloop


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight cases that arrived in a project with 24 evaluated patients, and were decided."""
    workspace, model = streaming(tmp_path_factory.mktemp("dispositions") / "p", evaluated=24)
    with workspace:
        arrive(workspace, model, range(100, 108))
        dispose_arrivals(workspace)
    return workspace.folder


@pytest.fixture
def folder(template: Path, tmp_path: Path) -> Path:
    return shutil.copytree(template, tmp_path / "p")


def test_the_decisions_the_rule_and_the_curve_are_shown(medloop: Medloop, folder: Path) -> None:
    said = medloop("dispositions", folder, "--curve")
    assert (said.status, said.err) == (0, "")
    assert "model 1, 24 evaluated patients: everything is accepted" in said.out
    assert "at most 0.2 of the accepted patients have a proposal below 0.8, 0.8 sure" in said.out
    assert "bad of these" in said.out
    found = json.loads(medloop("dispositions", folder, "--json").out)
    assert sum(found["counts"].values()) == len(found["cases"]) == 8
    assert found["rule"]["above"] is not None
    assert "stream  model 1, 24 evaluated patients" in medloop("status", folder).out


def test_a_lead_renews_the_rule_and_recalls_what_was_accepted_with_a_reason(medloop: Medloop, folder: Path) -> None:
    for words, status in (
        (["renew"], 2),
        (["recall"], 2),
        (["forget"], 2),
        (["--why", "x"], 2),
        (["renew", "--model", 1, "--why", "x"], 2),
        (["recall", "--model", 7, "--why", "x"], 1),
    ):
        said = medloop("dispositions", folder, *words)
        assert (said.status, said.err.count("\n"), said.out) == (status, 1, ""), words
    said = medloop("dispositions", folder, "recall", "--why", "the scanner was replaced")
    assert (said.status, "people read them now" in said.err, said.out.startswith("0 accepted,")) == (0, True, True)
    said = medloop("dispositions", folder, "renew", "--why", "more patients")
    assert "nothing is accepted: model 1 gets its rule when the next case arrives" in said.out
    with Workspace.open(folder) as workspace, workspace.store.read() as tx:
        assert [event.body["why"] for event in tx.events_about("stream", verbs=["renew", "recall"])] == [
            "the scanner was replaced",
            "more patients",
        ]


def test_a_project_without_a_stream_says_so(medloop: Medloop, project: Path) -> None:
    said = medloop("dispositions", project)
    assert (said.status, said.out) == (0, "the stream is off: medloop configure DIR stream_risk=0.05\n")
    assert medloop("configure", project, "stream_risk=0.1", "stream=rate").status == 2
    assert medloop("configure", project, "stream_hard=0.9").status == 2
