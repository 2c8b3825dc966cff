"""What networks begin with before their first annotation: weights pretrained on the pool, or taken from a file or another project.

A start is an event of the audit and a blob of weights (safetensors): append only, chained. The newest one of the kind that the setting
`pretraining` names is in use: as initial weights of trainings that go on from no model, and for the features of a cold start.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from medloop.core.errors import InputError
from medloop.core.names import counted
from medloop.core.records import EVALUATION_SPLITS, Case, Event, GoldCase, Job, Json, ProjectSettings, new_id
from medloop.loop.foundation.configuring import configure
from medloop.loop.foundation.job_kinds import Pretrain, request_job
from medloop.loop.foundation.workspace import Workspace
from medloop.models.foundation.plans import FEWEST_IMAGES
from medloop.store.reader import Reader

NOUN, VERB = "pretraining", "keep"
KEY = "pretrain"
Origin = Literal["pool", "file"]
Layers = Literal["all", "encoder"]


@dataclass(frozen=True)
class Start:
    """One set of weights to begin with.

    Attributes:
        seq: Number of its event.
        origin: The pool of this project, or something from outside.
        source: What it is called: "pool", the file, or the other project and its model.
        weights: Blob of the tensors as offered, safetensors.
        recipe: Of the network they were made for, or fitted to when they came.
        inflate: Whether 2D kernels may become 3D ones.
        metrics: Of the pretraining (steps, seconds, images, errors), or the report of what fitted (`models.foundation.transfer`).
        note: What people must know before they trust scores; "" mostly.
        layers: Which of the network's layers may be taken: all that fit, or those of the encoder alone.
    """

    id: str
    seq: int
    at: str
    origin: Origin
    source: str
    weights: str
    recipe: Json
    inflate: bool
    metrics: Json
    note: str = ""
    layers: Layers = "all"

    @property
    def words(self) -> str:
        """The start in a line."""
        if self.origin == "pool":
            errors = f"{self.metrics['first_error']:.3f} to {self.metrics['last_error']:.3f}"
            return (
                f"pretrained on {counted(int(self.metrics['images']), 'image')} of the pool, {self.metrics['steps']} steps, error {errors}"
            )
        return f"weights of {self.source}: {self.metrics['words']}{f'; {self.note}' if self.note else ''}"


def keep_start(workspace: Workspace, origin: Origin, weights: bytes, *, actor: str, **facts: Any) -> Start:
    """Store weights to begin with; `facts` are the other fields of `Start`."""
    body = {"origin": origin, "weights": workspace.store.blobs.put(weights), "inflate": False, "note": "", **facts}
    with workspace.store.write(actor) as tx:
        return _start(tx.record(VERB, NOUN, new_id("pretraining"), body))


def starts(tx: Reader) -> list[Start]:
    """Every start there ever was, in order."""
    return [_start(event) for event in tx.events_about(NOUN, verbs=[VERB])]


def start_in_use(tx: Reader, settings: ProjectSettings) -> Start | None:
    """The newest start of the kind that the setting `pretraining` names; None where there is none yet, or none is wanted."""
    return next((one for one in reversed(starts(tx)) if one.origin == settings.pretraining), None)


def images_to_learn(tx: Reader) -> list[Case]:
    """Cases that pretraining may look at, by name: training cases, annotated or not.

    Without cases that were skipped or flagged, gold cases, and patients of whom any case evaluates.
    """
    kept_apart = {case.patient for case in tx.find(Case, where={"split": EVALUATION_SPLITS})}
    gold = {one.case_id for one in tx.find(GoldCase, where={"withdrawn_at": None})}
    pool = [c for c in tx.find(Case, where={"split": "train"}, order=("name",)) if c.patient not in kept_apart and c.id not in gold]
    refused = tx.refused_among([c.id for c in pool])
    return [c for c in pool if c.id not in refused]


def too_few_images(workspace: Workspace) -> str:
    """Why the pool is too small to learn from; "" where it is not."""
    with workspace.store.read() as tx:
        count = len(images_to_learn(tx))
    return f"Pretraining needs at least {FEWEST_IMAGES} images, got {count}" if count < FEWEST_IMAGES else ""


def require_images(workspace: Workspace) -> None:
    """Refuse a pool that is too small, before a job fails of it.

    Raises:
        InputError: Then.
    """
    if why := too_few_images(workspace):
        raise InputError(why, remedy="import more training cases, or start from the weights of a file")


def request_transfer(workspace: Workspace, source: Path, *, inflate: bool = False, layers: Layers = "all", actor: str = "system") -> Job:
    """Let the worker take weights from elsewhere; the job's result says what became of every layer."""
    asked = Pretrain(source=str(source), inflate=inflate, layers=layers)
    return request_job(workspace, asked, f"{KEY} {source}", actor=actor)


def begin_with_pool(workspace: Workspace, *, steps: int = 0, minutes: float = 0.0, actor: str) -> Job:
    """Let the worker pretrain on the pool, and trainings begin so: `pretraining` becomes pool, unless the job finds too little to learn of.

    Raises:
        InputError: The pool is too small; then the setting stays as it was.
    """
    require_images(workspace)
    before = workspace.settings.pretraining
    if before != "pool":
        configure(workspace, settings={"pretraining": "pool"}, actor=actor)
    return request_pretraining(workspace, steps=steps, minutes=minutes, before=before, actor=actor)


def request_pretraining(workspace: Workspace, *, steps: int = 0, minutes: float = 0.0, before: str = "pool", actor: str = "system") -> Job:
    """Let the worker pretrain on the pool; 0 steps and minutes take those of a training; `before` as in `Pretrain`."""
    return request_job(workspace, Pretrain(steps, minutes, before="" if before == "pool" else before), KEY, actor=actor)


def pretrain_before_annotations(workspace: Workspace) -> bool:
    """Ask for a pretraining where the project wants one and has none yet; whether it did."""
    if workspace.settings.pretraining != "pool":
        return False
    with workspace.store.read() as tx:
        if start_in_use(tx, workspace.settings) is not None:
            return False
    request_pretraining(workspace)
    return True


def _start(event: Event) -> Start:
    names = ("origin", "source", "weights", "recipe", "inflate", "metrics", "note")
    given = {name: event.body[name] for name in names}
    return Start(id=event.noun_id, seq=event.seq, at=event.at, **given, layers=event.body.get("layers", "all"))
