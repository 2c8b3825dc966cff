"""The command that compares strategies by simulated people."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from medloop.cli.options import AsJson
from medloop.cli.printing import print_json, print_table, say
from medloop.core.errors import SettingError

if TYPE_CHECKING:
    from medloop.simulation.results import StudyResult


def simulate(
    dataset: Annotated[Path, typer.Argument(metavar="DATASET", help="A labelled data set in a known layout.", show_default=False)],
    out: Annotated[
        Path, typer.Option(metavar="FOLDER", help="Where results.json and report.html go; an unfinished study goes on.", show_default=False)
    ],
    strategies: Annotated[str, typer.Option(help="Names, separated by commas; see medloop strategies.")] = "random,entropy",
    seeds: Annotated[int, typer.Option(min=1, max=1000, help="Repetitions, paired between strategies.")] = 3,
    start: Annotated[int, typer.Option(help="Cases of the first round, which all strategies share.")] = 8,
    batch: Annotated[int, typer.Option(help="Cases of every later round.")] = 8,
    rounds: Annotated[int, typer.Option(help="Rounds in all, the first included.")] = 4,
    steps: Annotated[int, typer.Option(help="Training steps per model; 0 takes --minutes instead.")] = 200,
    full_steps: Annotated[int, typer.Option(help="Steps of the full-data model; 0 takes as many as the others.")] = 0,
    minutes: Annotated[float, typer.Option(help="Time per model when --steps is 0; then results depend on the machine.")] = 2.0,
    samples: Annotated[int, typer.Option(help="Answers drawn per case for uncertainty.")] = 4,
    members: Annotated[int, typer.Option(help="Networks per model.")] = 1,
    test: Annotated[float, typer.Option(help="Share of patients held out to measure every model.")] = 0.25,
    outline_error_mm: Annotated[float, typer.Option(help="How far simulated outlines stray, in mm; 0 is perfect.")] = 0.0,
    tag_error: Annotated[float, typer.Option(help="Share of wrong simulated tags.")] = 0.0,
    fmt: Annotated[str, typer.Option("--format", help="Layout of the data set: auto, msd, nnunet, folder or csv.")] = "auto",
    processes: Annotated[int, typer.Option(min=1, max=1024, help="Processes at work at once, each with one thread.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Compare strategies with simulated people.

    An oracle answers in place of people, from the labels of the data set, through the same code that serves them.
    Interrupted or killed, the same command goes on from there.
    """
    from medloop.cli.learning import known_strategy
    from medloop.cli.progress import Bar
    from medloop.simulation.design import StudyDesign
    from medloop.simulation.runs import StudyProgress, run_study

    design = StudyDesign(
        dataset=str(dataset.resolve()),
        strategies=tuple(known_strategy(name.strip()) for name in strategies.split(",") if name.strip()),
        seeds=tuple(range(seeds)),
        start=start,
        batch=batch,
        rounds=rounds,
        steps=steps,
        full_steps=full_steps,
        minutes=minutes,
        samples=samples,
        members=members,
        test_fraction=test,
        outline_error_mm=outline_error_mm,
        tag_error=tag_error,
        format=fmt,
    )
    if out.exists() and not out.is_dir():
        raise SettingError(f"--out must be a folder, got the file {out}")
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    with Bar("Simulating") as bar:

        def show(now: StudyProgress) -> None:
            bar.update(now.done, now.total, now.message)

        result = run_study(design, out, processes=processes, report=show)
    if as_json:
        print_json(result.to_json())
    else:
        _print_study(result, out)


def _print_study(result: "StudyResult", out: Path) -> None:
    if result.summary is not None:
        rows = [
            (one.strategy, f"{one.area.mean:.4f}", f"{one.area.low:.4f} to {one.area.high:.4f}", f"{one.points[-1].mean:.4f}", one.seeds)
            for one in result.summary.strategies
        ]
        print_table(("strategy", "area", "95 % interval", f"last {result.setup.metric}", "seeds"), rows)
        if full := result.summary.full:
            typer.echo(f"full data: {full.mean:.4f} ({full.low:.4f} to {full.high:.4f})")
        typer.echo(result.summary.verdict)
    say(f"Wrote {out / 'results.json'} and {out / 'report.html'}")
