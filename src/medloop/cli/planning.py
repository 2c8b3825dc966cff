"""`medloop query --plan`: what the next query will take, before it is begun."""

import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from medloop.cli.options import PlaceOptions, open_project, option
from medloop.cli.printing import tell

if TYPE_CHECKING:
    from medloop.query.planning import QueryPlan

_FEATURES = 256
"""Numbers of an embedding where nobody says how many there are."""

_LONG_S = 3600.0


@dataclass(frozen=True)
class QueryOptions(PlaceOptions):
    """Where a query is worked out, and whether it is only planned."""

    plan: Annotated[bool, option("--plan", help="Choose nothing: measure a few seconds here and print what it will take.")] = False
    cases: Annotated[int | None, option("--cases", min=1, help="With --plan, of a pool of so many cases; the project's by default.")] = None
    features: Annotated[int | None, option("--features", min=1, help="With --plan, numbers of an embedding; 256 by default.")] = None


def print_plan(folder: Path, at: QueryOptions, strategy: str | None, count: int | None, *, as_json: bool) -> None:
    """Calibrate the strategy and print what the next query takes."""
    from medloop.query.planning import plan_query
    from medloop.query.strategies import strategy as strategy_of

    with open_project(folder) as workspace:
        name = strategy or workspace.settings.strategy
        with workspace.store.read() as tx:
            waiting = sum(number for split, state, number, _ in tx.counts_by_state() if split == "train" and state == "unanswered")
        cases = at.cases or max(1, waiting)
        wanted = count or workspace.settings.batch_size
        place = workspace.work_folder if workspace.work_folder.exists() else folder
    made = plan_query(strategy_of(name), cases, at.features or _FEATURES, wanted)
    warnings, stated = _warnings(made, place), strategy_of(name).cost

    def as_text() -> None:
        width = f" × {made.dimensions}" if made.dimensions else ""
        typer.echo(f"{name}, {made.count} of {made.cases:,}{width}, in one process:")
        typer.echo(f"  time    {_time(made.seconds)}, growing with cases^{made.growth:.1f}")
        typer.echo(f"  memory  {_size(made.memory)}, beside the pool's predictions")
        typer.echo(f"  disk    {_size(made.disk)} in {place}")
        runs = ", ".join(f"{one.cases:,} cases {one.seconds:.2f} s {_size(one.memory)}" for one in made.measured)
        typer.echo(f"  by      {runs}; good to about a factor of two, an upper bound where the cost is stated as a square")
        typer.echo(f"  stated  {stated}")
        for line in warnings:
            typer.echo(line)

    tell({"strategy": name, "cost": stated, **asdict(made), "warnings": warnings}, as_text, as_json=as_json)


def _warnings(made: "QueryPlan", place: Path) -> list[str]:
    """What does not fit, with what helps."""
    from medloop.query.planning import free_memory

    found, free, room = [], free_memory(), float(shutil.disk_usage(place).free)
    others = "a strategy of single scores (entropy), or k-centre by --processes N or --ray ADDRESS"
    if free is not None and made.memory > free:
        found.append(f"Memory does not suffice: {_size(made.memory)} of {_size(free)} that are free; use {others}")
    if made.disk > room:
        found.append(
            f"The disk does not suffice: {_size(made.disk)} of {_size(room)} that are free; free space, or use a strategy without features"
        )
    if made.seconds > _LONG_S:
        found.append(f"It takes long: {_time(made.seconds)}; use {others}, or query --among a sample of the pool")
    return found


def _time(seconds: float) -> str:
    for unit, length in (("days", 86_400.0), ("hours", 3600.0), ("minutes", 60.0)):
        if seconds >= 2 * length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.1f} s"


def _size(count: float) -> str:
    for unit, length in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if count >= length:
            return f"{count / length:.1f} {unit}"
    return f"{count / 1e6:.1f} MB"
