"""Where a project stands, gathered for `medloop status`."""

from dataclasses import asdict, dataclass

import typer

from medloop.core.records import Job
from medloop.core.states import JobState
from medloop.loop.effort import EffortLine
from medloop.loop.progress import CurvePoint, progress
from medloop.loop.queried import ClassCount
from medloop.loop.status import ProjectStatus, status
from medloop.loop.workspace import Workspace
from medloop.metrics.intervals import interval_words
from medloop.query.stopping import Advice
from medloop.server.locks import SERVER_LOCK, WORKER_LOCK, is_held

FAILURES_SHOWN = 3


@dataclass(frozen=True)
class JobLine:
    """One job."""

    id: str
    kind: str
    state: str
    progress: float
    message: str
    error: str


@dataclass(frozen=True)
class Standing:
    """A project's status as the command prints it.

    Attributes:
        counts: Cases by split and state.
        round: Index and state of the newest round, or None.
        model: Id and index of the newest model, or None.
        evaluations: The newest model's scores, one per split.
        jobs: Running and waiting ones, then the last that failed.
        worker, server: Whether one looks after the project now.
        effort: What each annotator's answers took.
        queried: Per label, how many answered training cases hold it and how many of them a query chose.
        stopping: Whether to go on asking, and why.
    """

    id: str
    name: str
    kind: str
    labels: tuple[str, ...]
    strategy: str
    counts: dict[str, int]
    round: dict[str, str | int] | None
    model: dict[str, str | int] | None
    evaluations: tuple[CurvePoint, ...]
    jobs: tuple[JobLine, ...]
    worker: bool
    server: bool
    effort: tuple[EffortLine, ...]
    queried: tuple[ClassCount, ...]
    stopping: Advice


def standing(workspace: Workspace) -> Standing:
    """The project's status now."""
    now, made = status(workspace), progress(workspace)
    failed = workspace.store.jobs.list(state=JobState.FAILED, limit=FAILURES_SHOWN)
    index = now.model.index if now.model else 0
    return Standing(
        id=workspace.project.id,
        name=now.name,
        kind=now.kind,
        labels=now.labels,
        strategy=now.strategy,
        counts=_counts(now),
        round={"index": now.round.index, "state": str(now.round.state)} if now.round else None,
        model={"id": now.model.id, "index": now.model.index} if now.model else None,
        evaluations=tuple(point for point in made.curve if point.model_index == index),
        jobs=tuple(_line(job) for job in (*now.jobs, *failed)),
        worker=is_held(workspace.folder, WORKER_LOCK),
        server=is_held(workspace.folder, SERVER_LOCK),
        effort=made.effort,
        queried=made.queried,
        stopping=made.stopping,
    )


def print_standing(found: Standing) -> None:
    """The status in a few lines."""
    counts = found.counts
    typer.echo(f"{found.name}: {found.kind} of {', '.join(found.labels)}, cases chosen by {found.strategy}")
    typer.echo(
        f"cases   {counts['total']}: {counts['train']} train, {counts['validation']} validation, "
        f"{counts['test']} test, {counts['audit']} audit"
    )
    typer.echo(f"answers {counts['answered']}; {counts['unanswered']} to go, {counts['skipped']} skipped, {counts['flagged']} flagged")
    typer.echo(f"round   {found.round['index']} is {found.round['state']}" if found.round else "round   none yet")
    typer.echo(f"model   {_model(found)}")
    for line in found.effort:
        typer.echo(f"time    {line.annotator}: {_effort(line)}")
    if any(c.answered for c in found.queried):
        typer.echo(f"labels  {'; '.join(f'{c.label} in {c.answered} answers ({c.queried} asked)' for c in found.queried)}")
    typer.echo(f"advice  {'stop asking' if found.stopping.stop else 'go on'}")
    for reason in found.stopping.reasons:
        typer.echo(f"        {reason}")
    for job in found.jobs:
        typer.echo(f"job     {job.kind} {job.state}{_detail(job)}")
    typer.echo(f"worker  {'at work' if found.worker else 'none; medloop serve or medloop worker starts one'}")


def _counts(now: ProjectStatus) -> dict[str, int]:
    return {name: int(value) for name, value in asdict(now.counts).items()}


def _line(job: Job) -> JobLine:
    return JobLine(job.id, job.kind, str(job.state), job.progress, job.message, job.error)


def _model(found: Standing) -> str:
    if found.model is None:
        return "none yet"
    scores = "; ".join(f"{p.split} {p.metric} {p.mean:.3f} ({interval_words(p)})" for p in found.evaluations)
    learned = f", learned from {found.evaluations[0].labelled_cases} cases" if found.evaluations else ""
    return f"{found.model['index']}{learned}{'; ' if scores else ''}{scores}"


def _effort(line: EffortLine) -> str:
    if line.median_seconds is None:
        return f"{line.answers} answers, no time recorded"
    return f"{line.answers} answers, {line.minutes:.1f} minutes, {line.median_seconds:.0f} s for the middle one"


def _detail(job: JobLine) -> str:
    if job.error:
        return f": {job.error}"
    return f" {job.progress:.0%} {job.message}".rstrip() if job.state == "running" else ""
