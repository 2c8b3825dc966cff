"""What a worker can be asked to do: one table, in the order of a project's life.

Whoever asks for a job, runs one, waits for one or names one to people reads this table. The functions that run jobs live in
rooms above this one; they are named as `module:function` and loaded when a job of their kind is claimed.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pkgutil import resolve_name
from typing import Literal, TypeAlias, cast

from medloop.core.errors import InputError
from medloop.core.records import Job, Json
from medloop.loop.foundation.job_control import JobControl
from medloop.loop.foundation.workspace import Workspace

Lane: TypeAlias = Literal["long", "short", "archive"]


@dataclass(frozen=True)
class Payload:
    """What a job is about: ids and choices only. Fields keep their names, as queued jobs outlive versions."""

    @property
    def sooner(self) -> int:
        """Added to the priority of the kind."""
        return 0


@dataclass(frozen=True)
class Describe(Payload):
    """Describe every case that may be queried."""


@dataclass(frozen=True)
class Choose(Payload):
    """Prepare the next round."""


@dataclass(frozen=True)
class Reconcile(Payload):
    """Make a consensus of every case that has its readings and none of them."""


@dataclass(frozen=True)
class Train(Payload):
    """Learn from the annotations as they are; `again` also when nothing is new."""

    again: bool = False


@dataclass(frozen=True)
class Pretrain(Payload):
    """Learn from the images of the pool before anything is annotated, as long as a training where both are 0; or take `source`."""

    steps: int = 0
    minutes: float = 0.0
    source: str = ""
    inflate: bool = False
    layers: Literal["all", "encoder"] = "all"
    before: str = ""  # the setting `pretraining` until this job was wanted: it is that again where there is too little to learn from


@dataclass(frozen=True)
class Predict(Payload):
    """Let a model see the choices that come next, the whole pool, or as a candidate on trial its share of it."""

    model_id: str
    scope: Literal["upcoming", "pool", "trial"]

    @property
    def sooner(self) -> int:
        """Somebody may open the next choices at any moment."""
        return 2 if self.scope == "upcoming" else 0


@dataclass(frozen=True)
class Propose(Payload):
    """Let a model from elsewhere see the cases that came since it did."""

    model_id: str


@dataclass(frozen=True)
class Evaluate(Payload):
    """Hold a model against the annotations of the evaluation cases."""

    model_id: str


@dataclass(frozen=True)
class Rejudge(Payload):
    """Hold every model against the annotations of the evaluation cases, for their matrix."""


@dataclass(frozen=True)
class Adapt(Payload):
    """Adapt the model in use to a group of cases, such as those of a scanner; what comes of it is a candidate."""

    by: str
    value: str = ""
    way: str = "intensities"


@dataclass(frozen=True)
class MapPool(Payload):
    """Lay out every described case as a point, by the model's embeddings or by what its image looks like."""

    described: Literal["auto", "model", "images"] = "auto"
    layout: Literal["pca", "tsne"] = "pca"


@dataclass(frozen=True)
class PullSeries(Payload):
    """Fetch studies of an archive and import their series; which ones stands in a private file, never in the queue."""

    server: str
    wanted: str


@dataclass(frozen=True)
class PushObjects(Payload):
    """Store annotations or measurements of cases in the archive of their images; no cases are all that have one."""

    server: str
    fmt: str
    case_ids: list[str] = field(default_factory=list)
    again: bool = False


@dataclass(frozen=True)
class Kind:
    """One kind of job.

    Attributes:
        name: As it stands in the queue.
        title: For people.
        priority: Higher runs first.
        payload: What such a job is about.
        run: `module:function` that runs it; takes the workspace and the job's control, returns the result.
        then: Kinds that such a job asks for.
        lane: Long jobs run one after the other. A short one takes seconds and no network; it runs beside a long one rather than after
            it. One that waits for an archive may take hours of hardly any work: it runs beside both, so that neither waits for it.
    """

    name: str
    title: str
    priority: int
    payload: type[Payload]
    run: str
    then: tuple[str, ...] = ()
    lane: Lane = "long"

    def load(self) -> Callable[[Workspace, JobControl], Json]:
        """The function that runs such a job."""
        return cast("Callable[[Workspace, JobControl], Json]", resolve_name(self.run))


KINDS = (
    Kind("describe", "Description", 7, Describe, "medloop.loop.querying.on_demand:run_description", ("query",)),
    Kind("query", "Choice", 6, Choose, "medloop.loop.querying.rounds:run_query"),
    Kind(
        "reconcile",
        "Consensus",
        9,
        Reconcile,
        "medloop.loop.judging.fusing:run_reconciling",
        ("train", "evaluate", "reconcile"),
        lane="short",
    ),
    Kind(
        "pull",
        "Pull",
        6,
        PullSeries,
        "medloop.loop.data.pacs_jobs:run_pull",
        ("describe", "pretrain", "predict", "evaluate", "train", "reconcile"),
        lane="archive",
    ),
    Kind("push", "Push", 6, PushObjects, "medloop.loop.data.pacs_jobs:run_push", lane="archive"),
    Kind("pretrain", "Pretraining", 5, Pretrain, "medloop.loop.learning.pretraining:run_pretraining", ("describe",)),
    Kind("train", "Training", 5, Train, "medloop.loop.learning.training:run_training", ("predict", "evaluate")),
    Kind("predict", "Prediction", 7, Predict, "medloop.loop.judging.pool_predictions:run_prediction", ("query",)),
    Kind("propose", "Proposals", 7, Propose, "medloop.loop.data.outside_models:run_proposing"),
    Kind("evaluate", "Evaluation", 8, Evaluate, "medloop.loop.judging.evaluation:run_evaluation", ("predict", "query", "train")),
    Kind("adapt", "Adaptation", 5, Adapt, "medloop.loop.learning.adapting_job:run_adapting", ("evaluate",)),
    Kind("map", "Map of the pool", 6, MapPool, "medloop.loop.overview.pool_map:run_map"),
    Kind("rejudge", "Evaluation of every model", 4, Rejudge, "medloop.loop.judging.rejudging:run_rejudging"),
)

SHORT, ARCHIVE = (tuple(kind.name for kind in KINDS if kind.lane == lane) for lane in ("short", "archive"))


def kind_named(name: str) -> Kind:
    """The kind of that name.

    Raises:
        InputError: There is none.
    """
    for kind in KINDS:
        if kind.name == name:
            return kind
    raise InputError(f"Unknown kind of job {name!r}", remedy="start a worker of the same version as the server")


def request_job(workspace: Workspace, payload: Payload, key: str, *, actor: str = "system") -> Job:
    """Put a job into the queue, unless one of that key waits or runs already: then that one is given back."""
    kind = next(k for k in KINDS if k.payload is type(payload))
    priority = kind.priority + payload.sooner
    return workspace.store.jobs.enqueue(kind.name, asdict(payload), key=key, priority=priority, actor=actor)
