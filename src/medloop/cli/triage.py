"""The command that sorts predictions by who should look at them."""

from typing import TYPE_CHECKING, Annotated

import typer

from medloop.cli.options import AsJson, ProjectFolder
from medloop.cli.printing import print_json, print_table, say

if TYPE_CHECKING:
    from medloop.loop.deferral import Triage


def triage(
    folder: ProjectFolder,
    risk: Annotated[float, typer.Option(help="Share of all cases that may be accepted wrongly.")] = 0.1,
    good: Annotated[float, typer.Option(help="True score (Dice) that needs no look.")] = 0.7,
    hard: Annotated[float, typer.Option(help="True score below which two people should look.")] = 0.5,
    as_json: AsJson = False,
) -> None:
    """Say which predictions to accept, to review, or to show to a second expert.

    The thresholds come from evaluated cases and keep the risk in expectation; too few of them are refused.
    """
    from medloop.loop.deferral import triage_pool
    from medloop.loop.workspace import Workspace

    with Workspace.open(folder) as workspace:
        found = triage_pool(workspace, risk=risk, good=good, hard=hard)
    if as_json:
        print_json(found)
    else:
        _print_triage(found)


def _print_triage(found: "Triage") -> None:
    if found.cases:
        print_table(("case", "decision", "expected", "why"), [(c.name, c.decision, _expected(c.expected), c.reason) for c in found.cases])
    counts = {decision: sum(c.decision == decision for c in found.cases) for decision in ("accept", "review", "second expert")}
    typer.echo("; ".join(f"{decision}: {count}" for decision, count in counts.items()))
    accept = found.accept
    typer.echo(
        f"on {accept.patients} evaluated patients ({', '.join(found.splits)}): {accept.coverage:.0%} accepted, "
        f"{accept.accepted_loss:.1%} of these below {found.good:g}"
    )
    if found.optimistic:
        say("validation cases also chose the model's weights: the figures are slightly optimistic")
    if found.unpredicted:
        say(f"{found.unpredicted} cases have no prediction of model {found.model_index}; medloop predict makes them")


def _expected(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.2f}"
