"""Where a project stands, gathered for `medloop status`."""

from dataclasses import asdict, dataclass, field

import typer

from medloop.core.names import counted
from medloop.core.states import JobState
from medloop.loop.foundation.annotated_labels import LabelGap, label_gaps
from medloop.loop.foundation.computable import oversized_cases
from medloop.loop.foundation.damage import DamagedCase, damaged_cases
from medloop.loop.foundation.effort import EffortLine, priced
from medloop.loop.foundation.marked import marked_lines
from medloop.loop.foundation.refusals import LeftOutCase, refused_cases
from medloop.loop.foundation.starts import start_in_use
from medloop.loop.foundation.waiting import ReadingSummary, reading_summary
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.overview.class_counts import ClassCount
from medloop.loop.overview.gold_standing import gold_standing
from medloop.loop.overview.model_history import ModelLine
from medloop.loop.overview.progress import CurvePoint, progress
from medloop.loop.overview.selected import SelectedView
from medloop.loop.overview.status import status
from medloop.loop.overview.stream_standing import stream_standing
from medloop.loop.querying.rejected import rejected_lines
from medloop.loop.querying.streaming import verdicts
from medloop.metrics.intervals import interval_words
from medloop.query.stopping import Advice
from medloop.server.web.locks import SERVER_LOCK, is_held, somebody_works

FAILURES_SHOWN = 3
LEFT_OUT_SHOWN = 10


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
        model: Id and index of the model in use, or None.
        models: Every model, with its comparison and why it is in use or not.
        unpredicted: Unanswered cases that the model in use has not seen; None without a model.
        evaluations: The scores of the model in use, one per split.
        jobs: Running and waiting ones, then the last that failed.
        worker, server: Whether one looks after the project now.
        effort: What each annotator's annotations took.
        queried: Per label, how many annotated training cases hold it and how many of them a query chose.
        stopping: Whether to go on asking, and why.
        left_out: Cases that were skipped or flagged, by whom and why.
        label_gaps: Labels that were added after some annotations, which say nothing of them.
        marked: What is left out of because some cases have marks alone, and what a rejected proposal changes.
        damaged: Cases whose bytes were found damaged and that nothing learns from until they are restored.
        readings: How far the readings of cases are; None where each needs one and no review.
        gold: What keeps gold cases and tutorials from doing what the settings want.
        start: What trainings that go on from no model begin with; "" for random weights.
        selected: What the queried cases say of the pool, beside the evaluation cases; None before the first model.
        oversized: Cases whose voxel size asks for a working grid that the model in use cannot compute on.
    """

    id: str
    name: str
    kind: str
    labels: tuple[str, ...]
    strategy: str
    counts: dict[str, int]
    round: dict[str, str | int] | None
    model: dict[str, str | int] | None
    models: tuple[ModelLine, ...]
    unpredicted: int | None
    evaluations: tuple[CurvePoint, ...]
    jobs: tuple[JobLine, ...]
    worker: bool
    server: bool
    effort: tuple[EffortLine, ...]
    queried: tuple[ClassCount, ...]
    stopping: Advice
    left_out: tuple[LeftOutCase, ...] = ()
    label_gaps: tuple[LabelGap, ...] = ()
    marked: tuple[str, ...] = ()
    stream: dict[str, int] = field(default_factory=dict)
    dispositions: tuple[str, ...] = ()
    damaged: tuple[DamagedCase, ...] = ()
    oversized: tuple[DamagedCase, ...] = ()
    readings: ReadingSummary | None = None
    gold: tuple[str, ...] = ()
    start: str = ""
    selected: SelectedView | None = None


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
        counts=asdict(now.counts),
        round={"index": now.round.index, "state": str(now.round.state), "message": now.round.message} if now.round else None,
        model={"id": now.model.id, "index": now.model.index} if now.model else None,
        models=made.models,
        unpredicted=made.unpredicted,
        evaluations=tuple(point for point in made.curve if point.model_index == index),
        jobs=tuple(JobLine(j.id, j.kind, str(j.state), j.progress, j.message, j.error) for j in (*now.jobs, *failed)),
        worker=somebody_works(workspace),
        server=is_held(workspace.folder, SERVER_LOCK),
        effort=made.effort,
        queried=made.queried,
        stopping=made.stopping,
        left_out=refused_cases(workspace),
        label_gaps=label_gaps(workspace),
        marked=(*marked_lines(workspace), *rejected_lines(workspace)),
        stream=_stream(workspace),
        dispositions=stream_standing(workspace, shown=0).words if workspace.settings.stream_risk > 0 else (),
        damaged=damaged_cases(workspace),
        oversized=oversized_cases(workspace),
        readings=_readings(workspace),
        gold=gold_standing(workspace).warnings,
        start=_start(workspace),
        selected=made.selected,
    )


def print_standing(found: Standing) -> None:
    """The status in a few lines."""
    counts = found.counts
    typer.echo(f"{found.name}: {found.kind} of {', '.join(found.labels)}, cases chosen by {found.strategy}")
    typer.echo(
        f"cases   {counts['total']}: {counts['train']} train, {counts['validation']} validation, "
        f"{counts['test']} test, {counts['audit']} audit"
    )
    typer.echo(
        f"        {counts['annotated']} annotated, {counts['unlabelled']} unlabelled, "
        f"{counts['skipped']} skipped, {counts['flagged']} flagged"
    )
    if found.readings:
        states = ", ".join(f"{count} {state}" for state, count in found.readings.cases.items()) or "none begun"
        typer.echo(f"read    {found.readings.needed} per case: {states}")
    for text in _stream_lines(found):
        typer.echo(f"stream  {text}")
    typer.echo(f"round   {_round(found)}" if found.round else "round   none yet")
    typer.echo(f"model   {_model(found)}")
    if found.start:
        typer.echo(f"start   {found.start}")
    for warning in _warnings(found):
        typer.echo(warning)
    for note in _choices(found):
        typer.echo(f"        {note}")
    for line in found.effort:
        typer.echo(f"time    {line.annotator}: {_effort(line, with_cost=priced(found.effort))}")
    if any(c.annotated for c in found.queried):
        shares = [
            f"{c.label} in {counted(c.annotated, 'annotation')} ({'; '.join(filter(None, (f'{c.queried} queried', c.known_words)))})"
            for c in found.queried
        ]
        typer.echo(f"labels  {'; '.join(shares)}")
    typer.echo(f"advice  {'stop annotating' if found.stopping.stop else 'go on'}")
    for reason in found.stopping.reasons:
        typer.echo(f"        {reason}")
    for job in found.jobs:
        typer.echo(f"job     {job.kind} {job.state}{_detail(job)}")
    typer.echo(f"worker  {'at work' if found.worker else 'none; medloop serve or medloop worker starts one'}")


def _warnings(found: Standing) -> list[str]:
    """Scores that flatter their model, and cases that are left out, with their reasons."""
    lines = [f"        {point.split}: {point.warning}" for point in found.evaluations if point.warning]
    lines += [f"labels  {gap}" for gap in found.label_gaps]
    lines += [f"marks   {line}" for line in found.marked]
    lines += [f"damaged {case}" for case in found.damaged]
    lines += [f"large   {case}" for case in found.oversized]
    lines += [f"read    {line}" for line in (found.readings.lines if found.readings else ())]
    lines += [f"pool    {line}" for line in (found.selected.words if found.selected else ())]
    lines += [f"gold    {line}" for line in found.gold]
    lines += [f"out     {case}" for case in found.left_out[:LEFT_OUT_SHOWN]]
    more = len(found.left_out) - LEFT_OUT_SHOWN
    return lines + ([f"out     {more} more; the worklist shows them"] if more > 0 else [])


def _readings(workspace: Workspace) -> ReadingSummary | None:
    with workspace.store.read() as tx:
        return reading_summary(tx)


def _start(workspace: Workspace) -> str:
    if workspace.settings.pretraining == "none":
        return ""
    with workspace.store.read() as tx:
        found = start_in_use(tx, workspace.settings)
    return found.words if found else f"pretraining {workspace.settings.pretraining}: none yet"


def _stream_lines(found: Standing) -> tuple[str, ...]:
    if not found.stream:
        return found.dispositions
    judged, annotate = counted(found.stream["judged"], "case"), found.stream["annotate"]
    return (f"{judged} judged on arrival: {annotate} to annotate, the others kept unlabelled", *found.dispositions)


def _stream(workspace: Workspace) -> dict[str, int]:
    with workspace.store.read() as tx:
        judged = verdicts(tx)
    return {"judged": len(judged), "annotate": sum(one.annotate for one in judged.values())} if judged else {}


def _model(found: Standing) -> str:
    if found.model is None:
        return "none yet"
    scores = "; ".join(f"{p.split} {p.metric} {p.mean:.3f} ({interval_words(p)})" for p in found.evaluations)
    learned = next((f", learned from {counted(line.cases, 'case')}" for line in found.models if line.live), "")
    return f"{found.model['index']}{learned}; {scores or 'not evaluated'}"


def _choices(found: Standing) -> list[str]:
    """Why this model is in use, what became of a newer one, and how much of the pool it has not seen."""
    notes = [
        line.note for line in found.models if line.note and (line.live or line.index > int(found.model["index"] if found.model else 0))
    ]
    notes += [line.calibration for line in found.models if line.live]
    if found.unpredicted:
        notes.append(f"without its prediction so far: {counted(found.unpredicted, 'case')}")
    return notes


def _round(found: Standing) -> str:
    current = found.round or {}
    waits = current.get("state") in ("training", "evaluating") and not found.worker
    message = f": {current['message']}" if current.get("message") else ""
    return f"{current['index']} is {current['state']}{message}{' (no worker is at work on it)' if waits else ''}"


def _effort(line: EffortLine, *, with_cost: bool) -> str:
    if line.median_seconds is None:
        return f"{counted(line.annotations, 'annotation')}, no time recorded"
    cost = f", cost {line.cost:.4g}" if with_cost else ""
    return f"{counted(line.annotations, 'annotation')}, {line.minutes:.1f} minutes, {line.median_seconds:.0f} s in the median{cost}"


def _detail(job: JobLine) -> str:
    if job.error:
        return f": {job.error}"
    return f" {job.progress:.0%} {job.message}".rstrip() if job.state == "running" else ""
