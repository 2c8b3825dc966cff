"""The matrix of models and groups, of a project whose second site comes later."""

import dataclasses

import pytest

from medloop.core.errors import InputError
from medloop.core.records import Annotation, Case, Source
from medloop.images.phantoms import phantom_3d
from medloop.loop.data.cases import Incoming, NewCase, add_case
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.round_moves import start_training
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.overview.model_matrix import model_matrix, request_rejudging
from medloop.loop.worker import drain

from .conftest import FAST, SMALL, MakeWorkspace
from .releases import evaluated, trained


def add_site(workspace: Workspace, site: str, splits: list[str], start: int) -> None:
    teacher = annotator_named(workspace, "import", program=True)
    for n, split in enumerate(splits, start=start):
        phantom = phantom_3d(n, 1, SMALL)
        source = Source(format="phantom", names=(phantom.name,), sha256=f"{n:064d}")
        new = NewCase(name=f"{site}{n}", patient=f"{site}{n}", split=split, source=source, groups={"site": site})  # type: ignore[arg-type]  # a split
        add_case(workspace, phantom.image, new, Incoming(phantom.mask, teacher))


@pytest.fixture
def two_sites(make_workspace: MakeWorkspace) -> Workspace:
    workspace = make_workspace([], settings=dataclasses.replace(FAST, warm_start="replay", train_steps=2))
    add_site(workspace, "A", ["train", "train", *["test"] * 5], 0)
    start_training(workspace)
    drain(workspace)
    add_site(workspace, "B", ["train", "train", "test"], 20)
    start_training(workspace)
    drain(workspace)
    return workspace


def test_the_matrix_says_which_model_learned_what_and_is_filled_on_request(two_sites: Workspace) -> None:
    found = model_matrix(two_sites)
    assert (found.by, found.groups, found.first) == ("site", ("A", "B"), (1, 2))
    assert found.rows[0].cells[1] is None or found.rows[0].outdated is False
    request_rejudging(two_sites, actor="test")
    drain(two_sites)
    found = model_matrix(two_sites, by="site")
    assert not found.notes
    counts = [[cell.groups if cell else 0 for cell in row.cells] for row in found.rows]
    assert counts == [[5, 1], [5, 1]]
    assert found.rows[0].cells[0] is not None
    assert found.rows[0].cells[0].low is not None
    assert "needed" in found.rows[0].cells[1].note  # type: ignore[union-attr]  # checked above
    (kept, new) = found.transfers
    assert kept.backward is not None
    assert kept.backward.mean == pytest.approx(found.rows[1].cells[0].mean - found.rows[0].cells[0].mean)  # type: ignore[union-attr]
    assert new.note == "learned by the last model only"
    assert new.forward is not None


def test_groups_by_label_and_by_day_are_there_without_a_table_and_others_are_refused(two_sites: Workspace) -> None:
    assert model_matrix(two_sites, by="label").groups == ("large", "small")
    with two_sites.store.read() as tx:
        day = tx.find(Case, limit=1)[0].added_at[:10]
    assert day in model_matrix(two_sites, by="date").groups
    with pytest.raises(InputError, match=r"group by one of .*site, date, label"):
        model_matrix(two_sites, by="colour")


def test_an_empty_project_says_that_there_is_no_model(make_workspace: MakeWorkspace) -> None:
    found = model_matrix(make_workspace(["train"]))
    assert (found.groups, found.rows) == (("large", "small"), ())
    assert found.notes == ("no model yet",)


def test_a_group_that_a_training_left_for_later_was_not_learned_by_it(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace([], settings=FAST)
    add_site(workspace, "A", ["train", "test"], 0)
    add_site(workspace, "B", ["train", "test"], 20)
    with workspace.store.read() as tx:
        of_case = {tx.get(Case, a.case_id).name: a.id for a in tx.find(Annotation)}
    for index, case in ((2, "A0"), (3, "B20")):  # both annotations are in both snapshots
        model = trained(workspace, index, learned=[of_case[case]])
        evaluated(workspace, model, {name: {"large": 0.8, "small": 0.8} for name in ("A1", "B21")})
    assert model_matrix(workspace, by="site").first == (2, 3)
