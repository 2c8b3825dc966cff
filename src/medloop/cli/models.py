"""The models of a project: list them, and say which one is in use."""

from typing import TYPE_CHECKING, Annotated

import typer

from medloop.cli.options import AsJson, ProjectFolder, argument, open_project
from medloop.cli.printing import print_json, print_table, say
from medloop.core.errors import SettingError

if TYPE_CHECKING:
    from medloop.loop.foundation.starts import Start
    from medloop.loop.foundation.workspace import Workspace
    from medloop.loop.overview.model_history import ModelLine


def models(
    folder: ProjectFolder,
    action: Annotated[
        str,
        typer.Argument(
            metavar="[use|release|refuse|back]",
            help="use: pin the model of the number that follows; release, refuse: a candidate; back: roll back to the one in use before.",
        ),
    ] = "",
    number: Annotated[int, argument(metavar="[N]", help="A model's number; of back the one to be out of use.")] = 0,
    why: Annotated[str, typer.Option("--why", help="Of a release or refusal: the reason, which the change record repeats.")] = "",
    signed_as: Annotated[str, typer.Option("--by", help="Of a release: who signs it.")] = "",
    auto: Annotated[bool, typer.Option("--auto", help="Give the choice of the model in use back to the evaluations.")] = False,
    as_json: AsJson = False,
) -> None:
    """List the models, or choose the one in use.

    For each: annotations learned, score with interval, comparison with the model in use before, and why it is in use or not.
    """
    from medloop.loop.overview.model_history import list_models

    _require_sense(action, number, auto=auto)
    _require_signature(action, why, signed_as)
    with open_project(folder) as workspace:
        if auto or action:
            _change(workspace, action, number, (why, signed_as))
        found = list_models(workspace)
        begun = _starts(workspace)
    if as_json:
        print_json({"models": found, "starts": [{"id": one.id, "in_use": used, "words": one.words} for one, used in begun]})
        return
    if found:
        print_table(("model", "annotations", "score", "in use", "why"), [_row(line) for line in found])
    else:
        typer.echo("No model yet; medloop train makes one")
    for text in (text for line in found for text in line.trial):
        typer.echo(f"trial   {text}")
    for one, used in begun:
        typer.echo(f"start   {one.at[:16]} {one.words}{' (trainings begin with it)' if used else ''}")


def _starts(workspace: "Workspace") -> "list[tuple[Start, bool]]":
    """Weights to begin with, and whether trainings do."""
    from medloop.loop.foundation.starts import start_in_use, starts

    with workspace.store.read() as tx:
        used = start_in_use(tx, workspace.settings)
        return [(one, one == used) for one in starts(tx)]


def _require_sense(action: str, number: int, *, auto: bool) -> None:
    if action not in ("", "use", "release", "refuse", "back"):
        raise SettingError(
            f"Models can be listed, used, released, refused or rolled back, got {action!r}", remedy="medloop models DIR use N"
        )
    if auto and action:
        raise SettingError(f"--auto gives the choice back, {action} makes it; got both", remedy="give one of them")
    if action in ("use", "release", "refuse") and number < 1:
        raise SettingError(f"{action} needs a model's number", remedy="medloop models DIR lists them")


def _require_signature(action: str, why: str, signed_as: str) -> None:
    if action == "release" and not (why and signed_as):
        raise SettingError("A release is signed, with a reason", remedy="medloop models DIR release N --why REASON --by NAME")
    if action == "refuse" and not why:
        raise SettingError("A refusal needs a reason", remedy="medloop models DIR refuse N --why REASON")
    if signed_as and action != "release":
        raise SettingError("--by belongs to a release, which is signed", remedy="medloop models DIR release N --why REASON --by NAME")
    if why and action not in ("release", "refuse"):
        raise SettingError("--why belongs to a release or a refusal", remedy="medloop models DIR release N --why REASON --by NAME")


def _change(workspace: "Workspace", action: str, number: int, signature: tuple[str, str]) -> None:
    from medloop.loop.judging.releasing import refuse_model, release_model, roll_back, use_automatic, use_model

    if action == "release":
        model = release_model(workspace, number, why=signature[0], signed_as=signature[1], actor="cli")
        say(f"Model {model.index} is in use; the next candidates are held against it")
    elif action == "refuse":
        say(f"Model {number} is refused; model {refuse_model(workspace, number, why=signature[0], actor='cli').index} stays in use")
    elif action == "back":
        model = roll_back(workspace, actor="cli", index=number or None)
        say(f"Model {model.index} is in use again, until another choice; the one that was rolled back stays out of use")
    elif action == "use":
        say(f"Model {use_model(workspace, number, actor='cli').index} is in use until another choice; a worker predicts the pool with it")
    else:
        say(f"Model {use_automatic(workspace, actor='cli').index} is in use; the evaluations choose again")


def _row(line: "ModelLine") -> tuple[int, int, str, str, str]:
    score = "not evaluated" if line.score is None else f"{line.score_split} {line.score:.3f} ({line.interval_words})"
    why = f"{line.note}{'; the same annotations as an older model' if line.nothing_new else ''}"
    return line.index, line.learned, score, ("pinned" if line.pinned else "yes") if line.live else "", why
