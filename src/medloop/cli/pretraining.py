"""The command that gives networks a start before the first annotation."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

import typer

from medloop.cli.option_groups import with_option_group
from medloop.cli.options import AsJson, Background, ProjectFolder, Threads, one_of, open_project, option
from medloop.cli.printing import print_table, say, tell
from medloop.core.errors import SettingError

if TYPE_CHECKING:
    from medloop.loop.foundation.starts import Start
    from medloop.loop.foundation.workspace import Workspace

UNUSED_SHOWN = 10


LAYERS: Final[tuple[Literal["all", "encoder"], ...]] = ("all", "encoder")


@dataclass(frozen=True)
class Wanted:
    """What to begin with, as it is typed."""

    source: Annotated[
        Path | None,
        option("--from", metavar="PATH", help="Weights from elsewhere: a file, the folder of a MONAI bundle, or of another project."),
    ] = None
    inflate: Annotated[bool, typer.Option("--inflate", help="Let 2D weights of a file become 3D ones.")] = False
    layers: Annotated[
        str | None, option(metavar="|".join(LAYERS), help="What is taken of weights from elsewhere: all that fits, or the encoder alone.")
    ] = None
    steps: Annotated[int, typer.Option(min=0, max=10_000_000, help="Steps of learning from the pool; 0: those of a training.")] = 0
    minutes: Annotated[float, typer.Option(min=0, max=100_000, help="Minutes of it, in place of steps; 0: those of a training.")] = 0

    def check(self, *, background: bool) -> None:
        """Refuse options that do not go together.

        Raises:
            SettingError: Then.
        """
        if self.steps and self.minutes:
            rule = f"A pretraining ends by steps or by minutes, got {self.steps} steps and {self.minutes:g} minutes"
            raise SettingError(rule, remedy="leave one out")
        if self.source is None and (self.inflate or self.layers):
            alone = "--inflate" if self.inflate else "--layers"
            raise SettingError(f"{alone} is about weights from elsewhere, got no --from", remedy="leave it out")
        if self.source is not None and (self.steps or self.minutes or background):
            words = "Weights from elsewhere are taken at once, got --steps, --minutes or --background too"
            raise SettingError(words, remedy="leave these out")


@with_option_group("wanted", Wanted)
def pretrain(folder: ProjectFolder, wanted: Wanted, background: Background = False, threads: Threads = 0, as_json: AsJson = False) -> None:
    """Give networks a start before the first annotation.

    Without --from the network learns from the project's own images, evaluation patients and gold cases apart. With it, the layers that
    fit are taken, and what became of each is reported. Trainings that go on from no model begin so from then on (the setting pretraining).
    """
    wanted.check(background=background)
    with open_project(folder) as workspace:
        if wanted.source is None:
            _pretrain(workspace, wanted, background=background, threads=threads, as_json=as_json)
            return
        from medloop.loop.learning.pretraining import start_from

        layers = one_of("--layers", wanted.layers or "all", LAYERS)
        start = start_from(workspace, wanted.source, inflate=wanted.inflate, layers=layers, actor="cli")
        tell(_document(start), lambda: _print_report(start), as_json=as_json)


def _pretrain(workspace: "Workspace", wanted: Wanted, *, background: bool, threads: int, as_json: bool) -> None:
    from medloop.cli.jobs import have_done
    from medloop.loop.foundation.starts import begin_with_pool, start_in_use

    job = begin_with_pool(workspace, steps=wanted.steps, minutes=wanted.minutes, actor="cli")
    workspace = workspace.reload()
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
