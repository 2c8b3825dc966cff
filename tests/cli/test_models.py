"""`medloop models`, and what training, status and report say of the model in use."""

import json
from pathlib import Path

import pytest

from medloop.loop.foundation.workspace import Workspace
from tests.loop.test_live_models import judged, trained

from .conftest import Medloop


@pytest.fixture
def two_models(project: Path) -> Path:
    """A project with a good model in use and a worse newer one."""
    with Workspace.open(project) as workspace, workspace.store.read() as tx:
        names = [row.name for row in tx.worklist(limit=8)]
    with Workspace.open(project) as workspace:
        first = trained(workspace, 1)
        judged(workspace, first, 0.9, cases=names)
        judged(workspace, trained(workspace, 2), 0.5, cases=names)
    return project


def test_the_list_says_what_each_model_learned_how_it_does_and_why_it_is_in_use(medloop: Medloop, two_models: Path) -> None:
    said = medloop("models", two_models)
    assert said.status == 0
    assert "model 1 stays in use, model 2 is worse: -0.39" in said.out
    found = json.loads(medloop("models", two_models, "--json").out)["models"]
    assert [(m["index"], m["learned"], m["live"]) for m in found] == [(1, 1, True), (2, 2, False)]
    assert found[1]["comparison"]["verdict"] == "worse"


def test_a_model_is_pinned_and_given_back(medloop: Medloop, two_models: Path) -> None:
    assert medloop("models", two_models, "use", 2).status == 0
    assert [m["pinned"] for m in json.loads(medloop("models", two_models, "--json").out)["models"]] == [False, True]
    assert medloop("models", two_models, "--auto").status == 0
    assert [m["live"] for m in json.loads(medloop("models", two_models, "--json").out)["models"]] == [True, False]


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["use"], 2, "use needs a model's number"),
        (["drop", "1"], 2, "listed, used, released, refused or rolled back"),
        (["use", "1", "--auto"], 2, "give one of them"),
        (["release", "2", "--why", "x"], 2, "A release is signed, with a reason"),
        (["release", "--why", "x", "--by", "Ada"], 2, "release needs a model's number"),
        (["use", "1", "--by", "Ada"], 2, "--by belongs to a release"),
        (["back", "--why", "x"], 2, "--why belongs to a release or a refusal"),
        (["refuse", "2"], 2, "A refusal needs a reason"),
        (["refuse", "1", "--why", "x"], 1, "Model 1 is no candidate"),
        (["back", "2"], 1, "Model 2 is not in use, model 1 is"),
        (["back"], 1, "No other model was in use before this one"),
        (["use", "9"], 1, "There is no model 9; models there are: 1, 2"),
    ],
)
def test_wrong_use_is_refused_in_one_line(medloop: Medloop, two_models: Path, arguments: list[str], status: int, said: str) -> None:
    told = medloop("models", two_models, *arguments)
    assert told.status == status
    assert said in told.err
    assert told.err.count("\n") == 1


def test_a_candidate_is_released_and_rolled_back(medloop: Medloop, two_models: Path) -> None:
    assert medloop("configure", two_models, "release=gate").status == 0
    assert medloop("models", two_models, "use", 2).err.endswith("release 2 --why …\n")
    assert medloop("models", two_models, "release", 2, "--why", "a new scanner", "--by", "Ada Byron").status == 0
    assert "model 2 was released by Ada Byron: a new scanner" in medloop("models", two_models).out
    assert "Model 1 is in use again" in medloop("models", two_models, "back").err


def test_status_says_why_a_newer_model_is_not_in_use(medloop: Medloop, two_models: Path) -> None:
    said = medloop("status", two_models).out
    assert "model   1" in said
    assert "model 1 stays in use, model 2 is worse" in said


def test_a_project_without_a_model_says_what_makes_one(medloop: Medloop, project: Path) -> None:
    assert medloop("models", project).out == "No model yet; medloop train makes one\n"


def test_training_twice_says_nothing_new_and_is_no_failure(medloop: Medloop, project: Path) -> None:
    first = medloop("train", project)
    assert (first.status, "Model 1 is ready" in first.out) == (0, True)
    again = medloop("train", project)
    assert (again.status, again.out.startswith("No new model: nothing new since model 1")) == (0, True)
    assert json.loads(medloop("train", project, "--json").out)["message"].startswith("nothing new since model 1")
    assert "Model 2 is ready" in medloop("train", project, "--again").out
