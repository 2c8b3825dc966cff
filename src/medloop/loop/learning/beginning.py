"""What a training that goes on from no model begins with: nothing, or weights that were there before its annotations.

With `pretraining` pool a training whose network has no pretrained weights yet, or too old ones, pretrains first; both go on where they were
when killed. Weights that do not fit the network any more are left out, and the model says so.
"""

import dataclasses
import shutil
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from medloop.core.errors import BlobError, InputError
from medloop.core.names import counted
from medloop.core.records import Case, Json
from medloop.core.seeds import derive_seed, generator
from medloop.loop.foundation.arrays import load_image
from medloop.loop.foundation.job_control import JobControl
from medloop.loop.foundation.starts import Start, images_to_learn, keep_start, start_in_use, starts
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.learning.decisions import TrainingPlan
from medloop.loop.learning.unlabelled import affordable_cases
from medloop.models.foundation.recipes import Recipe

if TYPE_CHECKING:
    from medloop.models.training.train import TrainingProgress

SHAPE = ("dimension", "channels", "features", "strides", "kernels", "fold")
"""Fields of a recipe that decide which weights its network has."""

OUTGROWN = 2.0
"""Weights are pretrained again once the pool has so many times the images they learned from."""


@dataclass(frozen=True)
class Beginning:
    """Initial weights, one safetensors document per member, and what the model's metrics say of them; both empty from scratch."""

    initial: tuple[bytes, ...] = ()
    facts: Json = dataclasses.field(default_factory=dict)


def begin(workspace: Workspace, control: JobControl, plan: TrainingPlan, recipe: Recipe) -> Beginning:
    """What a training by this recipe begins with, the same when it is resumed.

    Raises:
        InputError: `pretraining` is file and there is none.
    """
    if workspace.settings.pretraining == "none":
        return Beginning()
    chosen = plan.decided("start")
    if chosen is None:  # a pretraining on the way makes decisions of its own, each kept before the next
        made_now = _choose(workspace, control, plan, recipe)
        chosen = plan.decide("start", lambda: made_now)
    if "id" not in chosen:
        control.log(chosen["note"])
        return Beginning((), {"start": chosen})
    with workspace.store.read() as tx:
        found = next(one for one in starts(tx) if one.id == chosen["id"])
    try:
        made = tuple(_weights(workspace, recipe, found, member) for member in range(recipe.members))
    except (InputError, BlobError) as error:
        note = f"began from scratch, as the {found.words} cannot be used: {error}"
        control.log(note)
        return Beginning((), {"start": {"note": note}})
    words = f"began with {found.words}"
    control.log(words)
    return Beginning(made, {"start": {"id": found.id, "note": words}})


def _choose(workspace: Workspace, control: JobControl, plan: TrainingPlan, recipe: Recipe) -> Json:
    """The id of the start, or a note why there is none."""
    with workspace.store.read() as tx:
        found, images = start_in_use(tx, workspace.settings), images_to_learn(tx)
    if workspace.settings.pretraining == "file":
        if found is None:
            rule = "pretraining file needs weights, and none were brought"
            raise InputError(rule, remedy="medloop pretrain DIR --from PATH, or set pretraining=none")
        return {"id": found.id}
    if found is not None and fits(recipe, found) and len(images) < OUTGROWN * int(found.metrics["images"]):
        return {"id": found.id}
    try:
        return {"id": pretrain_on_pool(workspace, control, plan, recipe).id}
    except InputError as error:
        return {"note": f"began from scratch: {error}"}


def fits(recipe: Recipe, start: Start) -> bool:
    """Whether a start was made for just such a network."""
    other = Recipe.from_json(start.recipe)
    return all(getattr(recipe, name) == getattr(other, name) for name in SHAPE)


def _weights(workspace: Workspace, recipe: Recipe, start: Start, member: int) -> bytes:
    """The weights a member begins with: its own initialisation, and what fits of the start."""
    from medloop.models.foundation.checkpoint import decode_weights, encode_weights
    from medloop.models.foundation.networks import build_network
    from medloop.models.foundation.transfer import transfer

    fresh = build_network(recipe, seed=derive_seed(recipe.seed, member, "weights")).state_dict()
    offered = decode_weights(workspace.store.blobs.get(start.weights))
    return encode_weights(
        transfer(fresh, offered, inflate=start.inflate, source=start.source, encoder_only=start.layers == "encoder").weights
    )


def pretrain_on_pool(
    workspace: Workspace, control: JobControl, plan: TrainingPlan, recipe: Recipe, *, steps: int = 0, minutes: float = 0.0
) -> Start:
    """Pretrain the network of a recipe on the project's images and keep the weights; goes on where it was when killed.

    Args:
        workspace: The project.
        control: Of the job.
        plan: Holds what was decided, and the folder beside it the checkpoint.
        recipe: Of the network; seed, steps and minutes are the project's own, whatever was annotated.
        steps: In place of the project's.
        minutes: Likewise.

    Raises:
        InputError: Too few images.
    """
    from medloop.models.training.consistency import UnlabelledCase
    from medloop.models.training.pretraining import PretrainingRun, pretrain

    own = _own_recipe(workspace, recipe, steps, minutes)
    own = Recipe.from_json(plan.decide("pretraining recipe", own.to_json))
    chosen = plan.decide("images", lambda: _images(workspace, control, own))
    with workspace.store.read() as tx:
        cases = [tx.get(Case, case_id) for case_id in chosen]
    blobs, folder = workspace.store.blobs, plan.folder / "pretraining"
    offered = [UnlabelledCase(f"image {c.name}", lambda c=c: load_image(blobs, c)) for c in cases]  # type: ignore[misc]

    def report(progress: "TrainingProgress") -> bool:
        control.report(progress.step / max(1, progress.steps), progress.message)
        return True

    file, metrics = pretrain(PretrainingRun(own, offered, folder, report))
    kept = _keep(workspace, own, file, metrics)
    shutil.rmtree(folder, ignore_errors=True)
    control.log(kept.words)
    return kept


def _own_recipe(workspace: Workspace, recipe: Recipe, steps: int, minutes: float) -> Recipe:
    settings = workspace.settings
    steps = steps or (0 if minutes else settings.train_steps)
    return dataclasses.replace(recipe, seed=settings.seed, members=1, steps=steps, minutes=minutes or settings.train_minutes)


def _images(workspace: Workspace, control: JobControl, recipe: Recipe) -> list[str]:
    with workspace.store.read() as tx:
        pool = images_to_learn(tx)
    order = generator(recipe.seed, "images to learn").permutation(len(pool))
    chosen, refused = affordable_cases(workspace, recipe, [pool[n] for n in order])
    if refused:
        control.log(_left_out(refused))
    return [case.id for case in sorted(chosen, key=lambda case: case.name)]


def _left_out(refused: "Counter[str]") -> str:
    reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(refused.items()))
    return f"{counted(refused.total(), 'image')} left out of the pretraining, the rest is learned from: {reasons}"


def _keep(workspace: Workspace, recipe: Recipe, file: Path, metrics: Json) -> Start:
    """Store the weights; the same ones, kept by a run that was killed just after, are not kept twice."""
    weights = file.read_bytes()
    blob = workspace.store.blobs.put(weights)
    with workspace.store.read() as tx:
        before = next((one for one in reversed(starts(tx)) if one.weights == blob and one.origin == "pool"), None)
    if before is not None:
        return before
    return keep_start(workspace, "pool", weights, actor="worker", source="pool", recipe=recipe.to_json(), metrics=dict(metrics))
