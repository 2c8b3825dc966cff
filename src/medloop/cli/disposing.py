"""The command about a stream in production: what was decided about the cases that arrived, and what a lead does about it."""

from typing import TYPE_CHECKING, Annotated

import typer

from medloop.cli.options import AsJson, ProjectFolder, open_project
from medloop.cli.printing import print_json, print_table, say
from medloop.core.errors import SettingError
from medloop.core.names import counted

if TYPE_CHECKING:
    from medloop.loop.foundation.workspace import Workspace
    from medloop.loop.overview.stream_standing import StreamStanding

LISTED = 30


def dispositions(
    folder: ProjectFolder,
    action: Annotated[
        str,
        typer.Argument(
            metavar="[renew|recall]",
            help="renew: have the rule made anew, which lifts an alarm; recall: people read the accepted cases that nobody has looked at.",
        ),
    ] = "",
    why: Annotated[str, typer.Option("--why", help="Of renew and recall: the reason, which is kept.")] = "",
    model: Annotated[int, typer.Option("--model", help="Of recall: only what this model's rule accepted; 0 for all.")] = 0,
    curve: Annotated[bool, typer.Option("--curve", help="Also print the measured coverage-risk curve.")] = False,
    as_json: AsJson = False,
) -> None:
    """Say what the stream decided: accepted, deferred to a reader, or sent to a second one; by which rule, and what its audit found.

    The stream is on where the setting stream_risk is above 0.
    """
    from medloop.loop.overview.stream_standing import stream_standing

    _require_sense(action, why, model)
    with open_project(folder) as workspace:
        if action:
            _act(workspace, action, why, model)
        found = stream_standing(workspace)
    if as_json:
        print_json(found)
    else:
        _print(found, curve=curve)


def _require_sense(action: str, why: str, model: int) -> None:
    if action not in ("", "renew", "recall"):
        raise SettingError(f"Dispositions can be listed, renewed or recalled, got {action!r}", remedy="medloop dispositions DIR")
    if action and not why:
        raise SettingError(f"{action} needs a reason", remedy=f"medloop dispositions DIR {action} --why REASON")
    if why and not action:
        raise SettingError("--why belongs to renew and recall", remedy="medloop dispositions DIR renew --why REASON")
    if model and action != "recall":
        raise SettingError("--model belongs to recall", remedy="medloop dispositions DIR recall --model N --why REASON")


def _act(workspace: "Workspace", action: str, why: str, model: int) -> None:
    from medloop.loop.querying.recalling import recall_accepted, renew_rule

    if action == "renew":
        renew_rule(workspace, why=why, actor="cli")
        say("The rule is made anew when the next case arrives, on all patients evaluated by then")
    else:
        found = recall_accepted(workspace, why=why, actor="cli", model_index=model or None)
        say(f"{counted(len(found), 'case')} accepted before: people read them now")


def _print(found: "StreamStanding", *, curve: bool) -> None:
    for line in found.words:
        typer.echo(line)
    if curve and found.rule is not None:
        points = [(f"{score:.4f}", f"{coverage:.0%}", f"{risk:.1%}") for score, coverage, risk in found.rule.curve]
        print_table(("score from", "accepted", "bad of these"), points)
    if found.cases:
        rows = [(one.name, one.decision or "audit", str(one.model_index), one.reason) for one in found.cases[:LISTED]]
        print_table(("case", "decision", "model", "why"), rows)
