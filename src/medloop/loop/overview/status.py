"""Where a project stands, for the status command and the head of the page."""

from dataclasses import dataclass

from medloop.core.records import Job, Model, Round
from medloop.core.states import JobState
from medloop.loop.foundation.workspace import Workspace
from medloop.store.reader import CaseCounts


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


def status(workspace: Workspace) -> ProjectStatus:
    """The project's state now."""
    with workspace.store.read() as tx:
        rounds = tx.find(Round, where={"state": "annotating"}, order=("index",), limit=1) or tx.find(
            Round, order=("index",), descending=True, limit=1
        )
        counts, model = tx.case_counts(), tx.live_model()
    active = [j for state in (JobState.RUNNING, JobState.QUEUED) for j in workspace.store.jobs.list(state=state, limit=50)]
    return ProjectStatus(
        name=workspace.project.name,
        kind=workspace.task.kind,
        labels=tuple(label.name for label in workspace.task.labels),
        strategy=workspace.settings.strategy,
        counts=counts,
        round=rounds[0] if rounds else None,
        model=model,
        jobs=tuple(active),
    )
