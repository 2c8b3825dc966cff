"""The command that gives networks a start before the first annotation."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from medloop.cli.options import AsJson, Background, ProjectFolder, Threads, open_project, option
from medloop.cli.printing import print_table, say, tell
from medloop.core.errors import SettingError

if TYPE_CHECKING:
    from medloop.loop.foundation.starts import Start
    from medloop.loop.foundation.workspace import Workspace

UNUSED_SHOWN = 10


def pretrain(
    folder: ProjectFolder,
    source: Annotated[
        Path | None,
        option("--from", metavar="PATH", help="Weights from elsewhere: a file, the folder of a MONAI bundle, or of another project."),
    ] = None,
    inflate: Annotated[bool, typer.Option("--inflate", help="Let 2D weights of a file become 3D ones.")] = False,
    steps: Annotated[int, typer.Option(min=0, max=10_000_000, help="Steps of learning from the pool; 0: those of a training.")] = 0,
    background: Background = False,
    threads: Threads = 0,
    as_json: AsJson = False,
) -> None:
    """Give networks a start before the first annotation.

    Without --from the network learns from the project's own images, evaluation patients and gold cases apart. With it, the layers that
    fit are taken, and what became of each is reported. Trainings that go on from no model begin so from then on (the setting pretraining).
    """
    if source is None and inflate:
        raise SettingError("--inflate is about weights from elsewhere, got no --from", remedy="leave it out")
    if source is not None and (steps or background):
        raise SettingError("Weights from elsewhere are taken at once, got --steps or --background too", remedy="leave these out")
    with open_project(folder) as workspace:
        if source is not None:
            from medloop.loop.learning.pretraining import start_from

            start = start_from(workspace, source, inflate=inflate, actor="cli")
            tell(_document(start), lambda: _print_report(start), as_json=as_json)
            return
        _pretrain(workspace, steps, background=background, threads=threads, as_json=as_json)


def _pretrain(workspace: "Workspace", steps: int, *, background: bool, threads: int, as_json: bool) -> None:
    from medloop.cli.jobs import have_done
    from medloop.loop.foundation.configuring import configure
    from medloop.loop.foundation.starts import request_pretraining, start_in_use

    if workspace.settings.pretraining != "pool":
        configure(workspace, settings={"pretraining": "pool"}, actor="cli")
        workspace = workspace.reload()
    job = request_pretraining(workspace, steps=steps, actor="cli")
    if background:
        document = {"job": job.id, "kind": job.kind, "state": str(job.state)}
        tell(document, lambda: typer.echo(f"Requested {job.kind}: job {job.id}; a worker takes it up"), as_json=as_json)
        return
    done = have_done(workspace, job, threads=threads)
    with workspace.store.read() as tx:
        start = start_in_use(tx, workspace.settings)
    tell(
        _document(start) if start else {},
        lambda: typer.echo(f"Trainings begin with weights {done.result.get('note', '')}"),
        as_json=as_json,
    )


def _document(start: "Start") -> dict[str, object]:
    return {"id": start.id, "origin": start.origin, "source": start.source, "note": start.note, **start.metrics}


def _print_report(start: "Start") -> None:
    """What became of every layer."""
    rows = [(one["name"], "×".join(map(str, one["shape"])), one["how"], one["source"] or one["why"]) for one in start.metrics["layers"]]
    print_table(("layer", "shape", "how", "from, or why not"), rows)
    if unused := start.metrics["unused"]:
        more = f" and {len(unused) - UNUSED_SHOWN} more" if len(unused) > UNUSED_SHOWN else ""
        say(f"not used: {', '.join(unused[:UNUSED_SHOWN])}{more}")
    typer.echo(f"Trainings begin with {start.words}")
