"""The job that pretrains on the pool, and weights brought from elsewhere: a file, a bundle, another project."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from medloop.core.errors import InputError, NotFoundError
from medloop.core.names import counted
from medloop.core.records import EVALUATION_SPLITS, Case, Json, Snapshot
from medloop.loop.foundation.configuring import configure
from medloop.loop.foundation.job_control import JobControl
from medloop.loop.foundation.job_kinds import Pretrain
from medloop.loop.foundation.starts import Layers, Start, images_to_learn, keep_start, starts
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.judging.predictions import weights_of
from medloop.loop.learning.beginning import pretrain_on_pool
from medloop.loop.learning.decisions import TrainingPlan
from medloop.loop.learning.prepared import recipe_for
from medloop.loop.querying.on_demand import request_description
from medloop.models.foundation.nnunet_recipe import own_recipe
from medloop.models.foundation.recipes import Recipe

if TYPE_CHECKING:
    from torch import Tensor

PROJECT = "medloop.json"
"""What a folder holds that is a project."""


def run_pretraining(workspace: Workspace, control: JobControl) -> Json:
    """The job: learn from the images of the pool, keep the weights, and let the cold start describe the cases by them."""
    asked = Pretrain(**control.job.payload)
    if asked.source:
        return _take(workspace, control, asked)
    folder = workspace.work_folder / control.job.id
    folder.mkdir(parents=True, exist_ok=True)
    try:
        recipe = network_recipe(workspace, threads=control.threads)
        start = pretrain_on_pool(workspace, control, TrainingPlan(folder), recipe, steps=asked.steps, minutes=asked.minutes)
    except InputError as error:
        _take_back(workspace, control, asked.before, error)
        request_description(workspace, pretrained=True)
        raise
    shutil.rmtree(folder, ignore_errors=True)
    if workspace.settings.cold_start == "selfsup":
        request_description(workspace, pretrained=True)
    return {"pretraining_id": start.id, "note": start.words}


def _take_back(workspace: Workspace, control: JobControl, before: str, error: InputError) -> None:
    """The setting as it was before a pretraining that found too little to learn from, where that was all that is known of the pool."""
    with workspace.store.read() as tx:
        learned = any(one.origin == "pool" for one in starts(tx))
    if before and not learned and workspace.settings.pretraining == "pool":
        configure(workspace, settings={"pretraining": before}, actor="worker")
        control.log(f"pretraining is {before} again: {error.message}")


def _take(workspace: Workspace, control: JobControl, asked: Pretrain) -> Json:
    """The job with a source: nothing is learned, and what became of every layer goes into its log."""
    start = start_from(workspace, Path(asked.source), inflate=asked.inflate, layers=asked.layers, actor="worker")
    control.log(start.words)
    return {"pretraining_id": start.id, "note": start.words}


def network_recipe(workspace: Workspace, *, threads: int = 1) -> Recipe:
    """The recipe that trainings of this project follow, before any annotation.

    Raises:
        InputError: No training case, or such that one network cannot read.
    """
    with workspace.store.read() as tx:
        cases = images_to_learn(tx)
    if not cases:
        raise InputError("Pretraining needs images, the project has no training case", remedy="medloop import DIR SOURCE")
    nothing = Snapshot(id="", annotation_ids=(), digest="0" * 64, created_at="")
    return recipe_for(workspace, cases, nothing, threads=threads)


def start_from(workspace: Workspace, source: Path, *, inflate: bool = False, layers: Layers = "all", actor: str) -> Start:
    """Let trainings begin with weights from elsewhere, from the next one on (`pretraining` becomes file).

    Args:
        workspace: The project.
        source: A project's folder, of which the model in use is taken; or what `read_weights` reads.
        inflate: Whether 2D kernels may become 3D ones.
        layers: All that fit, or those of the encoder alone.
        actor: Who wants it.

    Raises:
        NotFoundError: No such file or folder, or a project without a model.
        FormatError: A file that is none of these.
        InputError: Nothing of it fits the project's network.
    """
    from medloop.models.foundation.checkpoint import encode_weights
    from medloop.models.foundation.networks import build_network
    from medloop.models.foundation.transfer import transfer
    from medloop.models.foundation.weight_files import read_weights

    recipe = network_recipe(workspace)
    if (source / PROJECT).exists():
        called, offered, note = _of_project(workspace, source)
    else:
        called, offered, note = source.name, read_weights(source), ""
    found = transfer(build_network(recipe, seed=0).state_dict(), offered, inflate=inflate, source=called, encoder_only=layers == "encoder")
    metrics = {**found.to_json(), "words": found.words}
    kept = keep_start(
        workspace, "file", encode_weights(dict(offered)), actor=actor, source=called, recipe=recipe.to_json(), inflate=inflate,
        metrics=metrics, note=note, layers=layers,
    )  # fmt: skip
    if workspace.settings.pretraining != "file":
        configure(workspace, settings={"pretraining": "file"}, actor=actor)
    return kept


def _of_project(workspace: Workspace, folder: Path) -> "tuple[str, dict[str, Tensor], str]":
    """What the weights of the other project's model in use are called, these, and what to know of them."""
    from medloop.models.foundation.checkpoint import decode_weights

    if folder.resolve() == workspace.folder.resolve():
        raise InputError("A project cannot start from itself", remedy="set training=all to go on from its model in use")
    with Workspace.open(folder) as other:
        with other.store.read() as tx:
            model = tx.live_model()
            learned = tx.find(Case, where={"split": "train"})
        if model is None:
            raise NotFoundError(f"{folder} has no model yet", remedy=f"train one with: medloop train {folder}")
        own_recipe(model, "start another")
        weights = decode_weights(weights_of(other.store.blobs, model)[0])
        return f"model {model.index} of {other.project.name}", weights, _shared(workspace, learned)


def _shared(workspace: Workspace, learned: Sequence[Case]) -> str:
    """A warning where the other project may have learned from images that evaluate this one."""
    with workspace.store.read() as tx:
        own = {c.source.sha256 for c in tx.find(Case, where={"split": EVALUATION_SPLITS})}
    count = sum(c.source.sha256 in own for c in learned)
    return f"{counted(count, 'evaluation case')} of this project were training cases there, so scores are too good" if count else ""
