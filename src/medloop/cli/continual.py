"""Commands for what comes after the first model: what later ones forgot, and which images are not to be kept."""

from typing import TYPE_CHECKING, Annotated

import typer

from medloop.cli.options import AsJson, ProjectFolder, Threads, open_project, option
from medloop.cli.printing import print_json, print_table, say, tell
from medloop.core.errors import SettingError
from medloop.core.names import counted

if TYPE_CHECKING:
    from medloop.loop.data.retention import Retention, RetentionReport
    from medloop.loop.overview.model_matrix import ModelMatrix
    from medloop.metrics.intervals import Interval


def matrix(
    folder: ProjectFolder,
    by: Annotated[
        str, option("--by", metavar="COLUMN", help="Group evaluation cases by what tables say of them, such as site; by label, or by date.")
    ] = "",
    fill: Annotated[bool, typer.Option("--fill", help="First hold every model against the annotations of today.")] = False,
    threads: Threads = 0,
    as_json: AsJson = False,
) -> None:
    """Show what each model scores on each group of evaluation patients.

    Below it, for each group: what became of it since it was learned (backward transfer), what was forgotten, and what the models
    before knew of it (forward transfer), each with an interval over patients.
    """
    from medloop.loop.overview.model_matrix import model_matrix, request_rejudging

    with open_project(folder) as workspace:
        if fill:
            from medloop.cli.jobs import have_done

            have_done(workspace, request_rejudging(workspace, actor="cli"), threads=threads)
        found = model_matrix(workspace, by=by)
    if as_json:
        print_json(found)
        return
    for note in found.notes:
        say(note)
    _print_matrix(found)


def _print_matrix(found: "ModelMatrix") -> None:
    if not found.groups:
        return
    typer.echo(f"{found.metric} by {found.by}")
    rows = [(f"{row.model}{' (in use)' if row.live else ''}", *map(_shown, row.cells)) for row in found.rows]
    print_table(("model", *found.groups), rows)
    typer.echo("")
    lines = [
        (name, str(first or "none"), _shown(one.backward), _shown(one.forgetting), _shown(one.forward), one.note)
        for name, first, one in zip(found.groups, found.first, found.transfers, strict=True)
    ]
    print_table((found.by, "learned by", "backward transfer", "forgetting", "forward transfer", ""), lines)
    means = [f"{name} {value:+.3f}" for name, value in _means(found) if value is not None]
    if means:
        typer.echo(f"means over the groups: {', '.join(means)}")


def _means(found: "ModelMatrix") -> list[tuple[str, float | None]]:
    return [
        ("backward transfer", found.backward),
        ("forgetting", found.forgetting),
        ("forward transfer", found.forward),
        ("remembering", found.remembering),
    ]


def _shown(interval: "Interval | None") -> str:
    if interval is None:
        return "–"
    if interval.low is None or interval.high is None:
        return f"{interval.mean:.3f} ({interval.groups} patients: too few)" if "needed" in interval.note else f"{interval.mean:.3f}"
    return f"{interval.mean:.3f} ({interval.low:.3f} to {interval.high:.3f}, n={interval.groups})"


def retention(
    folder: ProjectFolder,
    action: Annotated[str, typer.Argument(metavar="[remove]", help="remove: delete the images that are due.")] = "",
    as_json: AsJson = False,
) -> None:
    """List the images that are not to be kept any longer, or remove them.

    The setting retention_days says how long images are kept. Annotations, effort, audit and history of the cases stay.
    """
    from medloop.loop.data.retention import remove_due
    from medloop.loop.data.retention import retention as standing

    if action not in ("", "remove"):
        raise SettingError(f"Images that are due can be listed or removed, got {action!r}", remedy="medloop retention DIR remove")
    with open_project(folder) as workspace:
        if action:
            done = remove_due(workspace, actor="cli")
            tell(done, lambda: _print_removed(done), as_json=as_json)
            return
        found = standing(workspace)
    tell(found, lambda: _print_retention(found), as_json=as_json)


def _print_removed(done: "RetentionReport") -> None:
    typer.echo(f"{counted(len(done.removed), 'image')} removed, {done.freed / 1e6:.1f} MB freed")
    if done.files:
        typer.echo(f"{counted(done.files, 'file')} from archives that became no case removed")
    for name in done.shared:
        say(f"{name}: another case has the very same image, so its bytes stay until that one is due")
    for case in done.waiting:
        say(str(case))


def _print_retention(found: "Retention") -> None:
    if not found.days:
        typer.echo("Images are kept for ever (retention_days is 0)")
    else:
        by = "workers remove them" if found.by_worker else "medloop retention DIR remove deletes them"
        typer.echo(f"Images are kept {counted(found.days, 'day')}: {counted(len(found.due), 'image')} due; {by}")
    if found.files:
        typer.echo(f"{counted(found.files, 'file')} from archives that became no case {'is' if found.files == 1 else 'are'} due")
    for due in found.due:
        typer.echo(f"    {due}")
    if found.next_due:
        typer.echo(f"The next is due on {found.next_due[:10]}")
    for gone in found.removed:
        typer.echo(f"    {gone.name}: {gone.note}")
