"""Entropy minimisation: only normalisation changes, it is judged on annotated cases of the group, and collapse makes no candidate."""

import copy
import hashlib

import numpy as np
import pytest
import torch

from medloop.core.errors import InputError, SettingError, UnavailableError
from medloop.core.records import Model, Source, Split
from medloop.images.phantoms import phantom_3d
from medloop.loop.data.cases import Incoming, NewCase, add_case
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.round_moves import start_training
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.judging.adaptations import request_adaptation
from medloop.loop.judging.predictions import weights_of
from medloop.loop.learning.adapting_entropy import _problem
from medloop.loop.learning.adapting_job import adapt_in_way
from medloop.loop.worker import drain
from medloop.metrics.intervals import Interval
from medloop.models.foundation.checkpoint import decode_weights
from medloop.models.foundation.networks import load_network
from medloop.models.foundation.recipes import Recipe
from medloop.models.inference.tent import entropy, minimise_entropy, scales_and_shifts

from .conftest import SMALL, MakeWorkspace
from .made_up import add_model
from .streamed import RECIPE


def _add(workspace: Workspace, number: int, split: Split, *, annotated: bool) -> None:
    phantom = phantom_3d(number, 1, SMALL)
    source = Source(format="phantom", names=(f"b{number}",), sha256=hashlib.sha256(f"b{number}".encode()).hexdigest())
    new = NewCase(name=f"b{number}", patient=f"b{number}", split=split, source=source, groups=(("scanner", "B"),))
    add_case(
        workspace,
        phantom.image,
        new,
        Incoming(phantom.mask, annotator_named(workspace, "import", program=True)) if annotated else None,
        follow=False,
    )


def test_entropy_is_that_of_the_softmax() -> None:
    assert float(entropy(torch.zeros(1, 2, 3, 3))) == pytest.approx(np.log(2))
    assert float(entropy(torch.tensor([[50.0, 0.0]]))) == pytest.approx(0.0, abs=1e-6)


def test_dropout_that_a_prediction_left_on_changes_nothing() -> None:
    torch.manual_seed(0)
    fresh = torch.nn.Sequential(torch.nn.Conv3d(1, 4, 1), torch.nn.GroupNorm(2, 4), torch.nn.Dropout(0.5), torch.nn.Conv3d(4, 2, 1))
    image, found = np.random.default_rng(0).normal(size=(1, 16, 16, 8)).astype(np.float32), []
    for left_on in (False, True):
        network = copy.deepcopy(fresh).train(left_on)
        found += minimise_entropy(RECIPE, [network], [image], np.random.default_rng(0), steps=2)  # type: ignore[list-item]
    assert found[0] == found[1]


def test_no_weight_is_fitted_to_cases_of_the_audit_sample(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"] * 2, labelled=2)
    add_model(workspace, 1)
    for number in range(20, 23):
        _add(workspace, number, "audit", annotated=False)
    _add(workspace, 23, "train", annotated=False)
    with pytest.raises(InputError, match="got 1 of scanner B"):
        request_adaptation(workspace, by="scanner", value="B", way="entropy")
    assert request_adaptation(workspace, by="scanner", value="B").state == "queued"


def test_a_collapse_or_worse_masks_make_no_candidate() -> None:
    better, worse = Interval(0.1, 0.0, 0.2, 3), Interval(-0.1, -0.2, 0.0, 3)
    assert _problem(better, 0.9) == ""
    assert "collapsed, it finds 10%" in _problem(better, 0.1)
    assert "not better (Dice -0.100" in _problem(worse, 1.0)


def test_a_model_is_made_surer_of_a_group_by_its_normalisation_alone_and_judged_on_annotated_cases_of_it(
    make_workspace: MakeWorkspace,
) -> None:
    workspace = make_workspace(["train"] * 5, labelled=5)
    with pytest.raises(InputError, match="needs a model in use"):
        request_adaptation(workspace, by="scanner", value="B", actor="test")
    start_training(workspace)
    drain(workspace)
    for number in range(20, 23):
        _add(workspace, number, "train", annotated=False)
    with pytest.raises(SettingError, match="by intensities or entropy, got 'tent'"):
        adapt_in_way(workspace, by="scanner", value="B", way="tent")
    with pytest.raises(InputError, match=r"needs 3 annotated patients of scanner B .* got 0"):
        adapt_in_way(workspace, by="scanner", value="B", way="entropy")
    with pytest.raises(InputError, match="got 0 of scanner C"):
        request_adaptation(workspace, by="scanner", value="C", actor="test")
    for number in range(30, 33):
        _add(workspace, number, "test", annotated=True)
    first = request_adaptation(workspace, by="scanner", value="B", way="entropy", actor="test")
    assert request_adaptation(workspace, by="scanner", value="B", way="entropy", actor="test").id == first.id
    drain(workspace)
    done = workspace.store.jobs.get(first.id)
    assert (done.state, "entropy" in str(done.result["message"])) == ("done", True)
    with workspace.store.read() as tx:
        models, live = tx.find(Model, order=("index",)), tx.live_model()
    assert live is not None
    assert live.index == 1
    assert (done.result["model_index"] is None) == (len(models) == 1)
    _only_normalisation_changes(workspace, models[0])


def _only_normalisation_changes(workspace: Workspace, model: Model) -> None:
    recipe, before = Recipe.from_json(model.recipe), weights_of(workspace.store.blobs, model)[0]
    network, image = load_network(recipe, before), np.random.default_rng(0).normal(size=(1, *SMALL)).astype(np.float32)
    after = decode_weights(minimise_entropy(recipe, [network], [image], np.random.default_rng(0), steps=2)[0])
    moved = {name for name, tensor in decode_weights(before).items() if not torch.equal(tensor, after[name])}
    norms = {id(p) for p in scales_and_shifts(network)}
    assert moved
    assert moved <= {name for name, p in network.named_parameters() if id(p) in norms}
    with pytest.raises(UnavailableError, match="have scales and shifts"):
        minimise_entropy(recipe, [torch.nn.Conv2d(1, 2, 1)], [image], np.random.default_rng(0), steps=1)  # type: ignore[list-item]
