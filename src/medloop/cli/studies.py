"""The command that compares strategies by simulated people: on one data set, or on all of a study file."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_args

import typer

from medloop.cli.options import AsJson, one_of
from medloop.cli.printing import print_json, print_table, say
from medloop.core.errors import SettingError

if TYPE_CHECKING:
    from medloop.simulation.results import StudyResult
    from medloop.simulation.runs import StudyProgress
    from medloop.simulation.strategy_summary import StrategySummary
    from medloop.simulation.suite_results import SuiteResult


IN_BOTH = ("dataset", "out", "processes", "as_json")
"""What is said on the command line whatever is compared; a study file decides the rest."""


def simulate(
    context: typer.Context,
    dataset: Annotated[
        Path, typer.Argument(metavar="DATASET", help="A labelled data set in a known layout, or a study file (.toml).", show_default=False)
    ],
    out: Annotated[
        Path, typer.Option(metavar="FOLDER", help="Where results.json and report.html go; an unfinished study goes on.", show_default=False)
    ],
    strategies: Annotated[str, typer.Option(help="Names, separated by commas; see medloop strategies.")] = "random,entropy",
    only: Annotated[bool, typer.Option("--only", help="Do not add the baselines random and foreground.")] = False,
    seeds: Annotated[int, typer.Option(min=1, max=1000, help="Repetitions, paired between strategies.")] = 3,
    start: Annotated[int, typer.Option(help="Cases of the first round, which all strategies share.")] = 8,
    start_strategy: Annotated[str, typer.Option(help="How the first round is chosen.")] = "random",
    batch: Annotated[int, typer.Option(help="Cases of every later round.")] = 8,
    rounds: Annotated[int, typer.Option(help="Rounds in all, the first included.")] = 4,
    steps: Annotated[int, typer.Option(help="Training steps per model; 0 takes --minutes instead.")] = 200,
    full_steps: Annotated[int, typer.Option(help="Steps of the full-data model; 0 takes as many as the others.")] = 0,
    minutes: Annotated[float, typer.Option(help="Time per model when --steps is 0; then results depend on the machine.")] = 2.0,
    samples: Annotated[int, typer.Option(help="Answers drawn per case for uncertainty.")] = 4,
    members: Annotated[int, typer.Option(help="Networks per model.")] = 1,
    warm_start: Annotated[bool, typer.Option("--warm-start", help="The same as --training all.")] = False,
    training: Annotated[
        str | None,
        typer.Option(help="What later trainings begin with: scratch, all, new, replay or misclassified.", show_default="scratch"),
    ] = None,
    cold_start: Annotated[str, typer.Option(help="Features before there is a model: descriptors or selfsup.")] = "descriptors",
    cases: Annotated[int, typer.Option(help="Use only so many cases, drawn by patient; 0 uses all.")] = 0,
    test: Annotated[float, typer.Option(help="Share of patients held out to measure every model.")] = 0.25,
    validation: Annotated[float, typer.Option(help="Share of patients that every training may validate on.")] = 0.0,
    outline_error_mm: Annotated[float, typer.Option(help="How far simulated outlines stray, in mm; 0 is perfect.")] = 0.0,
    tag_error: Annotated[float, typer.Option(help="Share of wrong simulated tags.")] = 0.0,
    fmt: Annotated[str, typer.Option("--format", help="Layout of the data set: auto, msd, nnunet, folder or csv.")] = "auto",
    processes: Annotated[int, typer.Option(min=1, max=1024, help="Processes at work at once, each with one thread.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Compare strategies with simulated people.

    A simulated annotator (oracle) takes the place of people, from the labels of the data set, through the same code that serves them.
    A study file names several data sets and budgets. Interrupted or killed, the same command goes on from there.
    """
    from medloop.cli.learning import known_strategy
    from medloop.core.records import ColdStart, WarmStart
    from medloop.simulation.design import StudyDesign
    from medloop.simulation.runs import run_study

    if out.exists() and not out.is_dir():
        raise SettingError(f"--out must be a folder, got the file {out}")
    if dataset.suffix.lower() == ".toml":
        _simulate_file(context, dataset, out, processes, as_json)
        return
    design = StudyDesign(
        dataset=str(dataset.resolve()),
        strategies=tuple(known_strategy(name.strip()) for name in strategies.split(",") if name.strip()),
        only=only,
        seeds=tuple(range(seeds)),
        start=start,
        start_strategy=known_strategy(start_strategy),
        batch=batch,
        rounds=rounds,
        steps=steps,
        full_steps=full_steps,
        minutes=minutes,
        samples=samples,
        members=members,
        warm_start=one_of("--training", training or ("all" if warm_start else "scratch"), get_args(WarmStart)),
        cold_start=one_of("--cold-start", cold_start, get_args(ColdStart)),
        cases=cases,
        test_fraction=test,
        validation_fraction=validation,
        outline_error_mm=outline_error_mm,
        tag_error=tag_error,
        format=fmt,
    )
    with _progress() as report:
        result = run_study(design, out, processes=processes, report=report)
    if as_json:
        print_json(result.to_json())
    else:
        _print_study(result, out)


def _simulate_file(context: typer.Context, file: Path, out: Path, processes: int, as_json: bool) -> None:
    """Run a study file, whose settings no option may change."""
    from medloop.simulation.suite import read_suite
    from medloop.simulation.suite_runs import run_suite

    for name in context.params:
        source = context.get_parameter_source(name)
        if name not in IN_BOTH and source is not None and source.name == "COMMANDLINE":
            raise SettingError(f"--{name.replace('_', '-')} is decided by the study file {file.name}", remedy="change it there")
    suite = read_suite(file)
    with _progress() as report:
        result = run_suite(suite, out, processes=processes, report=report)
    if as_json:
        print_json(result.to_json())
    else:
        _print_suite(result, out)


@contextmanager
def _progress() -> "Iterator[Callable[[StudyProgress], None]]":
    from medloop.cli.progress import Bar

    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    with Bar("Simulating") as bar:

        def show(now: "StudyProgress") -> None:
            bar.update(now.done, now.total, now.message)

        yield show


def _print_study(result: "StudyResult", out: Path) -> None:
    from medloop.metrics.intervals import interval_words

    if (summary := result.summary) is not None:
        best_first = sorted(summary.strategies, key=lambda s: (-s.area.mean, s.strategy))
        print_table(
            ("strategy", "area", "95 % interval", f"final {result.setup.metric}", "95 % interval", "labels to 98 % of full data", "seeds"),
            [_row(one) for one in best_first],
        )
        if full := summary.full:
            typer.echo(f"full data: {full.mean:.4f} ({interval_words(full, '.4f')})")
        typer.echo(summary.verdict)
    if result.added:
        typer.echo(f"Added as baselines: {', '.join(result.added)}")
    say(f"Wrote {out / 'results.json'} and {out / 'report.html'}")


def _row(one: "StrategySummary") -> tuple[object, ...]:
    from medloop.metrics.intervals import interval_words
    from medloop.simulation.suite_results import HEADLINE_SHARE, needed_share

    area, final = one.area, one.final
    return (
        one.strategy,
        f"{area.mean:.4f}",
        interval_words(area, ".4f"),
        f"{final.mean:.4f}",
        interval_words(final, ".4f"),
        needed_share(one.labels_to.get(HEADLINE_SHARE)),
        one.seeds,
    )


def _print_suite(result: "SuiteResult", out: Path) -> None:
    from medloop.metrics.intervals import interval_words
    from medloop.simulation.suite_results import OVERVIEW, overview

    print_table(OVERVIEW, overview(result.studies))
    for part, study in result.studies:
        if study.summary is not None:
            typer.echo(f"{part.name}: {study.summary.verdict}")
    if result.ranks:
        ranks = [(r.strategy, f"{r.rank.mean:.2f}", interval_words(r.rank, ".2f"), f"{r.best:.0%}") for r in result.ranks]
        print_table(("strategy", "mean rank", "95 % interval", "best in"), ranks)
    typer.echo(result.verdict)
    say(f"Wrote {out / 'results.json'} and {out / 'report.html'}")
