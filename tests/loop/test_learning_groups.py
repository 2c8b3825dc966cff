"""A training of one group leaves the annotations of the others for later: only what a chain of models was shown counts as known."""

import dataclasses

from medloop.core.records import Case, Model, Source
from medloop.images.phantoms import phantom_3d
from medloop.loop.data.cases import NewCase, add_case
from medloop.loop.foundation.configuring import configure
from medloop.loop.foundation.learned import learned_annotations, learned_cases
from medloop.loop.foundation.round_moves import start_training
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.learning.going_on import kept_importances
from medloop.loop.worker import drain

from .conftest import FAST, SMALL, MakeWorkspace
from .test_warm_start import answer, names_learned

NEW = dataclasses.replace(FAST, warm_start="new", train_steps=2)


def with_sites(make_workspace: MakeWorkspace, **settings: object) -> Workspace:
    """Three annotated cases without a site and a model of them, then one annotated case of site A and one of site B."""
    workspace = make_workspace(["train"] * 3, labelled=3, settings=dataclasses.replace(NEW, **settings))  # type: ignore[arg-type]
    for number, site in enumerate("AB", start=3):
        phantom = phantom_3d(number, 1, SMALL)
        source = Source(format="phantom", names=(phantom.name,), sha256=str(number), groups={"site": site})
        add_case(workspace, phantom.image, NewCase(name=f"case{number:02d}", patient=site, split="train", source=source))
    train(workspace)
    for name in ("case03", "case04"):
        answer(workspace, name)
    return workspace


def train(workspace: Workspace, group: str = "") -> Model:
    configure(workspace, settings={"learn_group": group})
    workspace = workspace.reload()
    start_training(workspace)
    drain(workspace)
    with workspace.store.read() as tx:
        return tx.find(Model, order=("index",))[-1]


def cases_in(workspace: Workspace, model: Model) -> list[str]:
    with workspace.store.read() as tx:
        return sorted(tx.get(Case, i).name for i in learned_cases(tx, model))


def test_what_was_annotated_of_other_groups_is_new_to_the_training_after(make_workspace: MakeWorkspace) -> None:
    workspace = with_sites(make_workspace)
    of_b = train(workspace, "site=B")
    assert names_learned(workspace, of_b) == ["case04"]
    assert cases_in(workspace, of_b) == ["case00", "case01", "case02", "case04"]  # case03 is in the snapshot, and in no weight
    rest = train(workspace)
    assert names_learned(workspace, rest) == ["case03"]
    assert cases_in(workspace, rest) == [f"case0{n}" for n in range(5)]


def test_a_replay_takes_older_cases_that_were_learned_and_counts_them_for_the_weights_that_matter(make_workspace: MakeWorkspace) -> None:
    workspace = with_sites(make_workspace, warm_start="replay", replay_cases=9, ewc=1.0)
    of_b = train(workspace, "site=B")
    assert names_learned(workspace, of_b) == ["case00", "case01", "case02", "case04"]
    with workspace.store.read() as tx:
        kept = kept_importances(tx, of_b.id)
        assert len(learned_annotations(tx, of_b)) == 4
    assert kept is not None
    assert kept.cases == 4
