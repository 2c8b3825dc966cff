"""A strategy that refuses the pool, or is gone, costs nobody the next case: the first strategy chooses, and the round says so."""

import dataclasses
from pathlib import Path

import pytest
from typer.testing import CliRunner

from medloop.cli.main import app
from medloop.core.errors import SettingError
from medloop.core.records import Prediction, Project, Query, Round
from medloop.loop.annotating.annotations import next_assignment
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.follow_up import follow_up
from medloop.loop.foundation.job_kinds import Describe, request_job
from medloop.loop.foundation.round_moves import start_training
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.querying.on_demand import request_description
from medloop.loop.querying.queries import make_query
from medloop.loop.querying.rounds import open_round, prepare_round
from medloop.loop.worker import drain
from medloop.query.information import information

from .conftest import FAST, MakeWorkspace
from .made_up import add_cases, add_model, add_prediction, case_named, every_case

FISHER = dataclasses.replace(FAST, strategy="fisher")


def seen(workspace: Workspace) -> Workspace:
    """The project with a model that has seen every case."""
    model = add_model(workspace, 1)
    for n, case in enumerate(every_case(workspace)):
        add_prediction(workspace, model, case, entropy=0.1 * n, samples=[[0.9, 0.1], [0.5, 0.5]])
    return workspace


@pytest.fixture
def refused(make_workspace: MakeWorkspace, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """A project whose strategy takes no pool of this size."""
    monkeypatch.setattr(information, "MOST_PRODUCTS", 1)
    return seen(make_workspace(["train"] * 5, settings=FISHER))


def test_a_strategy_that_refuses_the_pool_leaves_the_choice_to_the_first_strategy(refused: Workspace) -> None:
    opened = next_assignment(refused, annotator_named(refused, "Ann").id)
    assert opened is not None
    with refused.store.read() as tx:
        (current,) = tx.find(Round)
        query = tx.get(Query, str(current.query_id))
    assert (query.strategy, query.model_id) == ("random", None)
    assert current.message.startswith("fisher refused the pool: fisher and bait take cases × classes³ products per pick, at most 1, got 5")
    assert current.message.endswith("; random chose")


def test_status_says_that_the_strategy_was_refused(refused: Workspace) -> None:
    open_round(refused)
    found = CliRunner().invoke(app, ["status", str(refused.folder)])
    assert "fisher refused the pool" in found.output, found.output


def test_the_draw_in_place_of_a_refused_strategy_is_that_of_the_first_strategy(refused: Workspace, make_workspace: MakeWorkspace) -> None:
    plain = seen(make_workspace(["train"] * 5, settings=dataclasses.replace(FAST, strategy="random"), name="plain"))
    drawn, expected = make_query(refused, 2), make_query(plain, 2)
    assert drawn is not None
    assert expected is not None
    names = {case.id: case.name for workspace in (refused, plain) for case in every_case(workspace)}
    assert [names[c.case_id] for c in drawn.choices] == [names[c.case_id] for c in expected.choices]


def test_a_strategy_whose_package_is_gone_leaves_the_choice_to_the_first_strategy(make_workspace: MakeWorkspace) -> None:
    workspace = seen(make_workspace(["train"] * 3))
    gone = dataclasses.replace(workspace.project, settings=dataclasses.replace(FAST, strategy="of-a-package-that-is-gone"))
    prepared = prepare_round(dataclasses.replace(workspace, project=gone))
    assert prepared is not None
    assert "Unknown strategy 'of-a-package-that-is-gone'" in prepared.message


def test_work_goes_on_while_the_package_of_the_project_s_strategies_is_gone(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"] * 4, labelled=2)
    start_training(workspace)
    drain(workspace)
    gone = dataclasses.replace(FAST, strategy="of-a-package-that-is-gone", first_strategy="likewise-gone")
    with workspace.store.write("system") as tx:
        tx.change(Project, workspace.project.id, verb="configure", fields={"settings": gone})
    workspace = workspace.reload()
    add_cases(workspace, 1)
    request_description(workspace)
    request_job(workspace, Describe(), "describe")
    follow_up(workspace)
    drain(workspace)
    with workspace.store.read() as tx:
        assert tx.count(Prediction, where={"case_id": case_named(workspace, "added00").id}) == 1
    found = CliRunner().invoke(app, ["query", str(workspace.folder)])
    assert "Unknown strategy 'of-a-package-that-is-gone'" in found.output, found.output
    assert "chosen by random" in found.output


def test_a_bandit_whose_part_refuses_goes_on_by_the_first_strategy(make_workspace: MakeWorkspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(information, "MOST_PRODUCTS", 1)
    settings = dataclasses.replace(FAST, strategy="bandit:fisher+bait")
    assert (query := make_query(seen(make_workspace(["train"] * 4, settings=settings)), 2)) is not None
    assert query.strategy == "random"


def test_a_round_of_the_project_s_own_strategy_has_no_message(make_workspace: MakeWorkspace) -> None:
    assert (prepared := prepare_round(seen(make_workspace(["train"] * 3)))) is not None
    assert prepared.message == ""


@pytest.mark.parametrize(
    "name", ["fusion:", "fusion:+", "fusion:entropy+", "fusion:0*entropy", "fusion:x*entropy", "fusion:fusion:entropy", "fusion:-1*random"]
)
def test_a_fusion_with_wrong_syntax_is_refused_before_it_is_kept(name: str, tmp_path: Path) -> None:
    refused_at_creation(tmp_path / "p", name)


@pytest.mark.parametrize("name", ["bandit:", "bandit:random", "bandit:random+random", "bandit:bandit:random+entropy", "bandit:+random"])
def test_a_bandit_with_wrong_syntax_is_refused_before_it_is_kept(name: str, tmp_path: Path) -> None:
    refused_at_creation(tmp_path / "p", name)


def refused_at_creation(folder: Path, name: str) -> None:
    with pytest.raises(SettingError) as error:
        Workspace.create(folder, name="p", kind="classification", labels=["a", "b"], settings=dataclasses.replace(FAST, strategy=name))
    assert error.value.remedy
    assert not folder.exists()
