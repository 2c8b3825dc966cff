"""Which engine answers: the project's own network once its newest model takes gestures, the classical one before."""

import dataclasses

import numpy as np
import pytest

from medloop.core.errors import SettingError, UnavailableError
from medloop.core.records import Annotator, Case, Model
from medloop.interaction.prompts import Point
from medloop.loop.annotating.annotations import open_case
from medloop.loop.annotating.drafts import read_draft
from medloop.loop.annotating.engines import choose_engine
from medloop.loop.annotating.refining import Refiner, add_prompt
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.round_moves import start_training
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.learning.prepared import recipe_for
from medloop.loop.worker import drain

from .conftest import FAST, MakeWorkspace
from .test_training import SNAPSHOT

GUIDED = dataclasses.replace(FAST, interactive_network=True, train_steps=2)


@pytest.fixture
def guided(make_workspace: MakeWorkspace) -> Workspace:
    """A project whose newest model takes gestures, and one case without an answer."""
    workspace = make_workspace(["train"] * 4, labelled=3, settings=GUIDED)
    start_training(workspace)
    drain(workspace)
    return workspace


def unanswered(workspace: Workspace, person: Annotator) -> str:
    with workspace.store.read() as tx:
        case = tx.find(Case, descending=True, limit=1)[0]
    return open_case(workspace, case.id, person.id).assignment.id


def test_before_any_model_the_classical_engine_answers(pool: Workspace, ann: Annotator) -> None:
    choice = choose_engine(pool)
    assert choice.key == "classical"
    engine = choice.load()
    assert engine.name.startswith("classical")
    assignment_id = unanswered(pool, ann)
    made = add_prompt(pool, assignment_id, Point((12, 12, 8)), base_revision=0, refiner=Refiner(engine))
    assert read_draft(pool, assignment_id).mask[12, 12, 8] == 1
    assert made.engine == engine.name


def test_a_guided_project_trains_a_network_that_answers(guided: Workspace) -> None:
    with guided.store.read() as tx:
        (model,) = tx.find(Model)
    assert model.recipe["guided"] is True
    choice = choose_engine(guided)
    assert choice.key == f"network {model.id}"
    assignment_id = unanswered(guided, annotator_named(guided, "ann"))
    before = read_draft(guided, assignment_id).mask
    voxel = tuple(int(v) for v in np.argwhere(before != 2)[0])
    made = add_prompt(guided, assignment_id, Point(voxel, 2), base_revision=0, refiner=Refiner(choice.load()))
    assert made.engine == "network"
    assert made.draft.mask[voxel] == 2
    assert choose_engine(guided, "classical").key == "classical"


def test_an_engine_that_is_not_there_is_refused_with_a_remedy(pool: Workspace) -> None:
    with pytest.raises(UnavailableError, match="setting interactive_network"):
        choose_engine(pool, "network")
    with pytest.raises(SettingError, match="auto, classical, network"):
        choose_engine(pool, "magic")


@pytest.mark.parametrize("on", [False, True])
def test_a_project_trains_with_gestures_when_it_says_so(make_workspace: MakeWorkspace, on: bool) -> None:
    workspace = make_workspace(["train"], settings=dataclasses.replace(FAST, interactive_network=on))
    with workspace.store.read() as tx:
        recipe = recipe_for(workspace, tx.find(Case), SNAPSHOT, threads=1)
    assert recipe.guided is on
