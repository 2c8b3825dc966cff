"""A model adapted to a scanner on which bright and dark changed places."""

import hashlib

import pytest

from medloop.core.errors import InputError, StateError
from medloop.core.image import Image
from medloop.core.records import Case, Model, Source
from medloop.images.phantoms import phantom_3d
from medloop.loop.data.cases import Incoming, NewCase, add_case
from medloop.loop.data.model_exports import export_model
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.round_moves import start_training
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.judging.adaptations import request_adaptation
from medloop.loop.learning.adapting import adapt_model
from medloop.loop.worker import drain

from .conftest import SMALL, MakeWorkspace
from .test_warm_start import answer


def test_what_changes_bright_and_dark_is_turned_back_and_becomes_a_candidate(make_workspace: MakeWorkspace, tmp_path) -> None:
    workspace = make_workspace(["train"] * 6, labelled=6)
    with pytest.raises(InputError, match="needs a model in use"):
        adapt_model(workspace, by="scanner", value="B")
    _add_of_group(workspace)
    start_training(workspace)
    drain(workspace)
    for number in range(3):
        image = phantom_3d(number, 1, SMALL).image
        turned = Image(image.array.max() - image.array, image.grid)
        source = Source(format="phantom", names=(f"b{number}",), sha256=hashlib.sha256(turned.array.tobytes()).hexdigest())
        new = NewCase(name=f"b{number}", patient=f"b{number}", split="train", source=source, groups=(("scanner", "B"),))
        add_case(workspace, turned, new, follow=False)
    _correct_and_remove(workspace)
    asked = request_adaptation(workspace, by="scanner", value="B", actor="lead")
    drain(workspace)
    said = workspace.store.jobs.get(asked.id)
    assert said.result["model_index"] == 2
    assert "It is a candidate, not in use" in said.result["words"]
    found = adapt_model(workspace, by="scanner", value="B")
    assert found.left_out == ("case05 is left out: image removed on 2026-11-30; its annotations, effort and history are kept",)
    assert "1 case left out, the first: case05" in found.words
    assert (found.model_index, found.source_index, found.falling, found.quality) == (2, 1, True, None)
    assert found.after < found.before
    assert "It is a candidate, not in use" in found.words
    with workspace.store.read() as tx:
        live, models = tx.live_model(), tx.find(Model, order=("index",))
    assert live is not None
    assert (live.index, models[0].metrics.get("aligned"), models[1].weights) == (1, None, models[0].weights)
    assert models[1].metrics["aligned"]["falling"] is True
    with pytest.raises(StateError, match="moves intensities, which no export does; export model 1"):
        export_model(workspace, tmp_path / "out", "model", 2, "cli")
    with pytest.raises(InputError, match="got 0 of scanner C"):
        adapt_model(workspace, by="scanner", value="C")


def _add_of_group(workspace: Workspace) -> None:
    """A case of the group that the model will learn."""
    phantom = phantom_3d(9, 1, SMALL)
    source = Source(format="phantom", names=("b9",), sha256="9")
    new = NewCase(name="learned", patient="b9", split="train", source=source, groups=(("scanner", "B"),))
    add_case(workspace, phantom.image, new, Incoming(phantom.mask, annotator_named(workspace, "import", program=True)))


def _correct_and_remove(workspace: Workspace) -> None:
    """The learned case of the group is corrected after the training, which makes it no judge of the model; another one loses its image."""
    answer(workspace, "learned")
    with workspace.store.write("test") as tx:
        (removed,) = tx.find(Case, where={"name": "case05"})
        tx.change(Case, removed.id, verb="remove-image", fields={"voxels": "", "notes": ("image removed on 2026-11-30",)})
