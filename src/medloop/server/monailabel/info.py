"""`/info/`: what the project is, which models answer, and how far it is. Asked every few seconds, so it reads a handful of rows."""

from datetime import datetime
from typing import Any

from fastapi import APIRouter

from medloop import __version__
from medloop.core.records import Evaluation, Job, Task, now
from medloop.core.states import JobState
from medloop.loop.annotating.client_notes import FINAL
from medloop.loop.foundation.workspace import Workspace
from medloop.server.monailabel.scene import SceneHere
from medloop.store.reader import Reader

router = APIRouter()

SEGMENTATION, DEEPEDIT, DEEPGROW, SCRIBBLES, CLASSIFICATION = "segmentation", "deepedit", "deepgrow", "scribbles", "classification"
INTERACTIVE = (DEEPEDIT, DEEPGROW, SCRIBBLES)
TRAINER, STRATEGY, SCORER = "medloop", "medloop", "evaluation"

_ABOUT = {
    SEGMENTATION: "The project's model in use: its proposal",
    CLASSIFICATION: "The project's model in use: its classes",
    DEEPEDIT: "Clicks for any label and for background, on top of the draft or proposal",
    DEEPGROW: "Clicks for one label: what belongs to it and what does not",
    SCRIBBLES: "Strokes for one label: what belongs to it and what does not",
}


def models_of(task: Task) -> tuple[str, ...]:
    """The names of the models that a project has; each is its own type."""
    return (SEGMENTATION, *INTERACTIVE) if task.kind == "segmentation" else (CLASSIFICATION,)


@router.get("/info/")
def get_info(scene: SceneHere) -> dict[str, Any]:
    """The project, its models, its trainer and how far it is."""
    workspace = scene.workspace
    task, project = workspace.task, workspace.project
    values = {label.name: label.value for label in task.labels}
    with workspace.store.read() as tx:
        trained, counts = train_stats(workspace, tx), stats_of(tx)
    return {
        "name": project.name,
        "description": task.instructions or f"A {task.kind} of medloop",
        "version": __version__,
        "labels": [label.name for label in task.labels],
        "models": {
            name: {"type": name, "labels": values, "dimension": 3, "description": _ABOUT[name], "config": {}} for name in models_of(task)
        },
        "trainers": {TRAINER: {"description": "Learns from the annotations as they are", "config": {}, "labels": values}},
        "strategies": {STRATEGY: {"description": f"The case worth most of your time now ({workspace.settings.strategy})"}},
        "scoring": {SCORER: {"description": "Holds the model in use against the evaluation cases"}},
        "train_stats": {TRAINER: trained},
        "datastore": counts,
    }


def stats_of(tx: Reader) -> dict[str, Any]:
    """How many cases there are, and how many of them are annotated."""
    counts = tx.case_counts()
    return {"total": counts.total - counts.skipped - counts.flagged, "completed": counts.annotated, "label_tags": {FINAL: counts.annotated}}


def train_stats(workspace: Workspace, tx: Reader) -> dict[str, Any]:
    """How far the last training is; {} where there was none."""
    job = workspace.store.jobs.newest("train")
    model = tx.live_model()
    if job is None and model is None:
        return {}
    judged = tx.find(Evaluation, where={"model_id": model.id}, descending=True, limit=1) if model else []
    score = judged[0].mean if judged else 0.0
    percent = _percent(job)
    return {
        "rank": 0,
        "epoch": percent,
        "current_epoch": percent,
        "total_epochs": 100,
        "current_iteration": percent,
        "total_iterations": 100,
        "start_ts": _unix(job.started_at) if job and job.started_at else 0,
        "total_time": _clock(job),
        "best_metric": score,
        "train": {"metrics": {}, "key_metric_name": "dice", "best_metric": score, "best_metric_epoch": 100},
        "eval": {"metrics": {}, "key_metric_name": "dice", "best_metric": score, "best_metric_epoch": 100},
    }


def _percent(job: Job | None) -> int:
    return 100 if job is None or job.state == JobState.DONE else round(100 * job.progress)


def _unix(at: str) -> int:
    return int(datetime.fromisoformat(at).timestamp())


def _clock(job: Job | None) -> str:
    if job is None or not job.started_at:
        return "0:00:00"
    seconds = max(0, _unix(job.finished_at or now()) - _unix(job.started_at))
    return f"{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
