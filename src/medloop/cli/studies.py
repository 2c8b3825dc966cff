"""The command that compares strategies by simulated people: on one data set, or on all of a study file."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from medloop.cli.options import AsJson, argument, option
from medloop.cli.printing import print_table, say, tell
from medloop.cli.setting_options import with_setting_options
from medloop.core.declaring import SettingValue
from medloop.core.errors import SettingError
from medloop.simulation.study_settings import RUN_SETTINGS, STUDY_SETTINGS

if TYPE_CHECKING:
    from medloop.simulation.design import StudyDesign
    from medloop.simulation.results import StudyResult
    from medloop.simulation.runs import StudyProgress
    from medloop.simulation.strategy_summary import StrategySummary
    from medloop.simulation.suite_results import SuiteResult
    from medloop.simulation.team_runs import Spending


@with_setting_options({**STUDY_SETTINGS, **RUN_SETTINGS})
def simulate(
    dataset: Annotated[Path, argument(metavar="DATASET", help="A labelled data set in a known layout, or a study file (.toml).")],
    out: Annotated[Path, option(metavar="FOLDER", help="Where results.json and report.html go; an unfinished study goes on.")],
    settings: Mapping[str, SettingValue],
    strategies: Annotated[
        str | None, typer.Option(help="Names, separated by commas; see medloop strategies.", show_default="random,entropy")
    ] = None,
    seeds: Annotated[int | None, typer.Option(min=1, max=1000, help="Repetitions, paired between strategies.", show_default="3")] = None,
    as_json: AsJson = False,
) -> None:
    """Compare strategies with simulated people.

    A simulated annotator (oracle) takes the place of people, from the labels of the data set, through the same code that serves them.
    A study file names several data sets and budgets. Interrupted or killed, the same command goes on from there.
    With --team simulated people of stated expertise, skill, speed and price read --cases of it (24) with each of --seeds: by
    routing, by the expert alone, and two at random; printed is what each costs. Nothing is trained.
    """
    from medloop.cli.learning import known_strategy
    from medloop.simulation.design import StudyDesign
    from medloop.simulation.runs import run_study

    if out.exists() and not out.is_dir():
        raise SettingError(f"--out must be a folder, got the file {out}")
    team, processes = str(settings.get("team", "")), int(settings.get("processes", 1))
    settings = {name: value for name, value in settings.items() if name in STUDY_SETTINGS}
    if team:
        _simulate_team(dataset, out, team, seeds=seeds or 3, settings=settings, as_json=as_json)
        return
    if dataset.suffix.lower() == ".toml":
        flags = {"--strategies": strategies, "--seeds": seeds, **{STUDY_SETTINGS[name].flag: value for name, value in settings.items()}}
        _simulate_file(dataset, out, [flag for flag, value in flags.items() if value is not None], processes=processes, as_json=as_json)
        return
    known_strategy(str(settings.get("start_strategy", "random")))
    names = [known_strategy(name.strip()) for name in ("random,entropy" if strategies is None else strategies).split(",") if name.strip()]
    design = StudyDesign.from_json({"dataset": str(dataset.resolve()), "strategies": names, "seeds": list(range(seeds or 3)), **settings})
    if design.pretraining != "none":
        _simulate_pretraining(design, out, processes=processes, as_json=as_json)
        return
    with _progress() as report:
        result = run_study(design, out, processes=processes, report=report)
    tell(result.to_json(), lambda: _print_study(result, out), as_json=as_json)


def _simulate_pretraining(design: "StudyDesign", out: Path, *, processes: int, as_json: bool) -> None:
    """Run the study with and without pretraining, and say what that saves."""
    from dataclasses import asdict

    from medloop.simulation.saving import HEAD, run_with_and_without, saving_rows

    with _progress() as report:
        result, lines = run_with_and_without(design, out, processes=processes, report=report)

    def as_text() -> None:
        _print_study(result, out)
        print_table(HEAD, saving_rows(lines))

    tell({**result.to_json(), "pretraining": [asdict(line) for line in lines]}, as_text, as_json=as_json)


def _simulate_team(dataset: Path, out: Path, team: str, *, seeds: int, settings: Mapping[str, SettingValue], as_json: bool) -> None:
    """Let a team read, and write every run's minutes, money and quality to `team.json`, with their curves to `report.html`."""
    from dataclasses import asdict

    from medloop.simulation.files import write_json, write_text
    from medloop.simulation.team import STANDARD, read_team
    from medloop.simulation.team_report import team_html
    from medloop.simulation.team_runs import TeamDesign, run_team

    if unknown := sorted(set(settings) - {"cases", "format"}):
        raise SettingError(f"{STUDY_SETTINGS[unknown[0]].flag} is of studies of strategies, not of teams", remedy="leave it out")
    people = STANDARD if team == "standard" else read_team(Path(team))
    cases, layout = int(settings.get("cases", 0)) or 24, str(settings.get("format", "auto"))
    runs = [run_team(TeamDesign(dataset=str(dataset), team=people, cases=cases, format=layout, seed=seed)) for seed in range(seeds)]
    found = {"team": people, "runs": [{policy: asdict(one) for policy, one in run.items()} for run in runs]}
    out.mkdir(parents=True, exist_ok=True)
    write_json(out / "team.json", {"team": [asdict(one) for one in people], "runs": found["runs"]})
    write_text(out / "report.html", team_html(dataset.name, runs))

    def as_text() -> None:
        ends = [(seed, one) for seed, run in enumerate(runs) for one in run.values()]
        rows = [
            (seed, one.policy, len(one.path), f"{one.minutes[-1]:.0f}", f"{one.money[-1]:.4g}", f"{one.quality[-1]:.3f}", *_costs(one))
            for seed, one in ends
        ]
        head = ("seed", "policy", "readings", "minutes", "money", "quality", *(f"money to {target:g}" for target in TARGETS))
        print_table(head, rows)
        say(f"Wrote {out / 'team.json'} and {out / 'report.html'}")

    tell(found, as_text, as_json=as_json)


TARGETS = (0.8, 0.9, 0.95)
"""Qualities whose cost is printed."""


def _costs(one: "Spending") -> list[str]:
    return ["-" if (cost := one.cost_to(target)) is None else f"{cost:.4g}" for target in TARGETS]


def _simulate_file(file: Path, out: Path, given: Sequence[str], *, processes: int, as_json: bool) -> None:
    """Run a study file, whose settings no option may change."""
    from medloop.simulation.suite import read_suite
    from medloop.simulation.suite_runs import run_suite

    if given:
        raise SettingError(f"{given[0]} is decided by the study file {file.name}", remedy="change it there")
    suite = read_suite(file)
    with _progress() as report:
        result = run_suite(suite, out, processes=processes, report=report)
    tell(result.to_json(), lambda: _print_suite(result, out), as_json=as_json)


@contextmanager
def _progress() -> "Iterator[Callable[[StudyProgress], None]]":
    from medloop.cli.progress import Bar

    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    with Bar("Simulating") as bar:
        yield lambda now: bar.update(now.done, now.total, now.message)


def _print_study(result: "StudyResult", out: Path) -> None:
    from medloop.metrics.intervals import interval_words

    if (summary := result.summary) is not None:
        best_first = sorted(summary.strategies, key=lambda s: (-s.area.mean, s.strategy))
        final, ends = f"final {result.setup.metric}", "95 % interval"
        head = ("strategy", "area", ends, final, ends, "labels to 98 % of full data", "seeds")
        print_table(head, [_row(one) for one in best_first])
        if full := summary.full:
            typer.echo(f"full data: {full.mean:.4f} ({interval_words(full, '.4f')})")
        typer.echo(summary.verdict)
    if result.added:
        typer.echo(f"Added as baselines: {', '.join(result.added)}")
    say(f"Wrote {out / 'results.json'} and {out / 'report.html'}")


def _row(one: "StrategySummary") -> tuple[object, ...]:
    from medloop.metrics.intervals import interval_words
    from medloop.simulation.suite_results import HEADLINE_SHARE, needed_share

    figures = (part for found in (one.area, one.final) for part in (f"{found.mean:.4f}", interval_words(found, ".4f")))
    return (one.strategy, *figures, needed_share(one.labels_to.get(HEADLINE_SHARE)), one.seeds)


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
