"""Where a project stands, for the status command and the head of the page."""

from dataclasses import dataclass

from medloop.core.records import Job, Model, Round
from medloop.core.states import JobState, RoundState
from medloop.loop.foundation.workspace import Workspace
from medloop.store.reader import CaseCounts, Reader


@dataclass(frozen=True)
class ProjectStatus:
    """Counts of cases, the newest round and model, and work under way."""

    name: str
    kind: str
    labels: tuple[str, ...]
    strategy: str
    counts: CaseCounts
    round: Round | None
    model: Model | None
    jobs: tuple[Job, ...]


def current_round(tx: Reader) -> Round | None:
    """The round being annotated, else the newest."""
    annotating = tx.find(Round, where={"state": RoundState.ANNOTATING}, order=("index",), limit=1)
    return next(iter(annotating or tx.find(Round, order=("index",), descending=True, limit=1)), None)


def status(workspace: Workspace) -> ProjectStatus:
    """The project's state now."""
    with workspace.store.read() as tx:
        current, counts, model = current_round(tx), tx.case_counts(), tx.live_model()
    active = [j for state in (JobState.RUNNING, JobState.QUEUED) for j in workspace.store.jobs.list(state=state, limit=50)]
    return ProjectStatus(
        name=workspace.project.name,
        kind=workspace.task.kind,
        labels=tuple(label.name for label in workspace.task.labels),
        strategy=workspace.settings.strategy,
        counts=counts,
        round=current,
        model=model,
        jobs=tuple(active),
    )
