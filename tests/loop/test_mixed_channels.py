"""Cases that no one network reads: training, prediction and evaluation go on with most of them, the rest is named in a line."""

import numpy as np

from medloop.core.image import Image
from medloop.core.records import Evaluation, Model, Prediction, Source, Split
from medloop.images.phantoms import phantom_3d
from medloop.loop.data.cases import Incoming, NewCase, add_case
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.round_moves import start_training
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.worker import drain

from .conftest import SMALL, MakeWorkspace


def add_two_channels(workspace: Workspace, number: int, split: Split, *, annotated: bool = True) -> None:
    phantom = phantom_3d(number, 1, SMALL)
    image = Image(np.repeat(phantom.image.array, 2, axis=0), phantom.image.grid)
    new = NewCase(
        name=f"two{number}", patient=f"two{number}", split=split, source=Source(format="phantom", names=("t",), sha256=str(number))
    )
    teacher = annotator_named(workspace, "import", program=True)
    add_case(workspace, image, new, Incoming(phantom.mask, teacher) if annotated else None)


def test_cases_that_the_network_cannot_read_are_left_out_in_a_line(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"] * 3 + ["validation", "test", "train"], labelled=5)
    for number, split in enumerate(("train", "train", "validation", "test"), start=40):
        add_two_channels(workspace, number, split)
    add_two_channels(workspace, 50, "train", annotated=False)
    job = start_training(workspace)
    drain(workspace)
    logs = [line.text for line in workspace.store.jobs.logs(job.id)]
    assert "2 cases left out of the training, the rest goes on: 2 with 2 channels, where the network reads 1" in logs
    assert "1 case left out of the validation, the rest goes on: 1 with 2 channels, where the network reads 1" in logs
    assert workspace.store.jobs.get(job.id).result["unfit"] in logs
    with workspace.store.read() as tx:
        (model,) = tx.find(Model)
        assert (model.recipe["channels"], len(model.metrics["learned"]), model.metrics["annotated_cases"]) == (1, 3, 3)
        assert len(tx.find(Prediction)) == 6  # every case of one channel
        assert [len(one.per_case) for one in tx.find(Evaluation)] == [1, 1]
