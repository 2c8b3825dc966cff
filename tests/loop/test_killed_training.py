"""A training that was killed goes on to the model it would have made, whatever people and machines changed in between."""

import dataclasses
import signal

from medloop.core.geometry import Grid
from medloop.core.image import Image
from medloop.core.records import Model, Source
from medloop.images.phantoms import phantom_3d
from medloop.loop.data.cases import NewCase, add_case
from medloop.loop.foundation.configuring import TaskChange, configure
from medloop.loop.foundation.round_moves import start_training
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.worker import drain, run_job

from .conftest import FAST, MakeWorkspace
from .test_work import claim_from_the_dead, start_worker, wait_until_progress

SLOW = dataclasses.replace(FAST, train_steps=60)


def import_thick_slices(workspace: Workspace) -> None:
    """Cases of other voxel size and shape, enough of them to change what is usual in the project."""
    for n in range(9):
        image = phantom_3d(50 + n, 1, (40, 40, 6)).image
        affine = image.grid.affine @ [[0.2, 0, 0, 0], [0, 0.2, 0, 0], [0, 0, 6, 0], [0, 0, 0, 1]]
        thick = Image(image.array, Grid(image.grid.shape, affine))
        source = Source(format="phantom", names=(f"thick{n}",), sha256=f"{n:064d}")
        add_case(workspace, thick, NewCase(name=f"thick{n}", patient=f"thick{n}", split="train", source=source))


def change_project(workspace: Workspace) -> None:
    configure(workspace, settings={"train_steps": 7, "members": 2}, task=TaskChange(added=("left kidney",)), actor="Ann")


def test_a_training_killed_with_9_goes_on_to_the_same_model_whatever_changed_meanwhile(make_workspace: MakeWorkspace) -> None:
    splits = ["train", "train", "validation"]
    whole, killed = (make_workspace(splits, labelled=3, settings=SLOW, name=name) for name in ("whole", "killed"))
    start_training(whole)
    drain(whole)
    job = start_training(killed)
    worker = start_worker(killed.folder, "first")
    try:
        wait_until_progress(killed, job.id, 0.1)
    finally:
        worker.send_signal(signal.SIGKILL)
        worker.wait()
    import_thick_slices(killed)
    change_project(killed)
    again = claim_from_the_dead(killed)
    assert again is not None
    run_job(killed.reload(), again, threads=2)
    ended = killed.store.jobs.get(job.id)
    assert ended.state == "done", ended.error
    assert model_of(killed).weights == model_of(whole).weights
    assert model_of(killed).recipe == model_of(whole).recipe


def model_of(workspace: Workspace) -> Model:
    with workspace.store.read() as tx:
        (model,) = tx.find(Model)
    return model
