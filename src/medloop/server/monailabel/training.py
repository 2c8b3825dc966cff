"""`/train/`, `/batch/infer` and `/scoring/`: jobs of the project's worker."""

from collections.abc import Callable
from typing import Annotated, Any, Literal, TypeAlias

from fastapi import APIRouter, Body, HTTPException
from starlette.concurrency import run_in_threadpool

from medloop.core.errors import NotFoundError, StateError, UnavailableError
from medloop.core.records import Job, Model
from medloop.loop.foundation.follow_up import request_evaluation_of
from medloop.loop.foundation.job_kinds import Predict, request_job
from medloop.loop.foundation.round_moves import start_training
from medloop.loop.foundation.workspace import Workspace
from medloop.server.monailabel.inference import require_model
from medloop.server.monailabel.info import SCORER, TRAINER
from medloop.server.monailabel.scene import Scene, SceneHere
from medloop.server.monailabel.tasks import ended, newest_task, require_idle, stop, task_of

router = APIRouter()
Asked: TypeAlias = Annotated[dict[str, Any] | None, Body()]
Images: TypeAlias = Literal["all", "labeled", "unlabeled"]


@router.get("/train/")
def get_train(scene: SceneHere, all: bool = False, check_if_running: bool = False) -> Any:  # noqa: A002  # the word of the address
    """The last training, or all of them; 404 without one, with check_if_running also where none runs."""
    return newest_task(scene.workspace, "train", every=all, running=check_if_running)


@router.post("/train/{model}")
async def post_train(scene: SceneHere, model: str, run_sync: bool = False, enqueue: bool = False) -> Any:
    """Train on the annotations as they are; with run_sync the answer waits for the end."""
    if model != TRAINER:
        raise NotFoundError(f"The trainer is {TRAINER!r}, got {model[:40]!r}", remedy="see GET /info/")
    return await _run(scene, "train", lambda: _trained(scene), run_sync=run_sync, enqueue=enqueue)


@router.post("/train/")
async def post_train_all(scene: SceneHere, run_sync: bool = False, asked: Asked = None) -> Any:
    """The same for every trainer that the body names; a second training waits for the first."""
    names = list(asked or {TRAINER: {}})
    if unknown := [name for name in names if name not in (TRAINER, "client_id")]:
        return {name: {"result": None, "detail": f"The trainer is {TRAINER!r}"} for name in unknown}
    made = await _run(scene, "train", lambda: _trained(scene), run_sync=run_sync, enqueue=True)
    return {TRAINER: {"result": made, "detail": None}}


@router.delete("/train/")
def delete_train(scene: SceneHere) -> dict[str, Any] | None:
    """Stop what waits or runs; what it has learned so far is kept. null where there is nothing to stop."""
    return stop(scene.workspace, "train", actor=scene.person.id)


@router.get("/batch/infer")
def get_batch(scene: SceneHere, all: bool = False, check_if_running: bool = False) -> Any:  # noqa: A002  # the word of the address
    """The last prediction of the pool, or all of them."""
    return newest_task(scene.workspace, "predict", every=all, running=check_if_running)


@router.post("/batch/infer/{model}")
async def post_batch(scene: SceneHere, model: str, images: Images = "all", run_sync: bool = False) -> Any:
    """Predict every unlabelled image with the model in use; those that have an annotation are shown with it."""
    require_model(scene, model)
    if images == "labeled":
        raise StateError("What is annotated is not predicted: the pool is", remedy="send images=unlabeled")
    return await _run(scene, "predict", lambda: _predicted(scene), run_sync=run_sync, enqueue=False)


@router.delete("/batch/infer")
def delete_batch(scene: SceneHere) -> dict[str, Any] | None:
    """Stop the prediction of the pool; null where there is nothing to stop."""
    return stop(scene.workspace, "predict", actor=scene.person.id)


@router.get("/scoring/")
def get_scoring(scene: SceneHere, all: bool = False, check_if_running: bool = False) -> Any:  # noqa: A002  # the word of the address
    """The last evaluation, or all of them."""
    return newest_task(scene.workspace, "evaluate", every=all, running=check_if_running)


@router.post("/scoring/{method}")
async def post_scoring(scene: SceneHere, method: str, run_sync: bool = False) -> Any:
    """Hold the model in use against the annotations of the evaluation cases."""
    if method != SCORER:
        raise NotFoundError(f"The scoring method is {SCORER!r}, got {method[:40]!r}", remedy="see GET /info/")
    return await _run(scene, "evaluate", lambda: _scored(scene), run_sync=run_sync, enqueue=False)


@router.post("/scoring/")
async def post_scoring_all(scene: SceneHere, run_sync: bool = False) -> Any:
    """The same for every method."""
    made = await _run(scene, "evaluate", lambda: _scored(scene), run_sync=run_sync, enqueue=True)
    return {SCORER: {"result": made, "detail": None}}


@router.delete("/scoring/")
def delete_scoring(scene: SceneHere) -> dict[str, Any] | None:
    """Stop an evaluation; null where there is nothing to stop."""
    return stop(scene.workspace, "evaluate", actor=scene.person.id)


async def _run(scene: Scene, kind: str, request: Callable[[], Job], *, run_sync: bool, enqueue: bool) -> dict[str, Any]:
    if not enqueue:
        await run_in_threadpool(require_idle, scene.workspace, kind)
    job = await run_in_threadpool(request)
    if run_sync:
        job = await ended(scene.workspace, job)
    return await run_in_threadpool(task_of, scene.workspace, job)


def _trained(scene: Scene) -> Job:
    return start_training(scene.workspace, actor=scene.person.id)


def _predicted(scene: Scene) -> Job:
    model = _live(scene.workspace)
    return request_job(scene.workspace, Predict(model.id, "pool"), f"pool-{model.id}", actor=scene.person.id)


def _scored(scene: Scene) -> Job:
    request_evaluation_of(scene.workspace, _live(scene.workspace))
    job = scene.workspace.store.jobs.newest("evaluate")
    if job is None:
        raise HTTPException(404, "There are no annotated evaluation cases to hold it against")
    return job


def _live(workspace: Workspace) -> Model:
    with workspace.store.read() as tx:
        model = tx.live_model()
    if model is None:
        raise UnavailableError("There is no model yet", remedy="annotate some cases first")
    return model
