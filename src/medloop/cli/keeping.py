"""Commands that keep a project sound: audit, doctor, backup."""

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from medloop.cli.options import AsJson, ProjectFolder, argument
from medloop.cli.printing import print_json, say, tell
from medloop.core.errors import IntegrityError, SettingError
from medloop.core.names import counted

if TYPE_CHECKING:
    from medloop.store.audit import AuditReport
    from medloop.store.doctor import Health


def audit(
    folder: ProjectFolder,
    action: Annotated[str, typer.Argument(metavar="verify", help="What to do: verify.")] = "verify",
    blobs: Annotated[bool, typer.Option("--blobs/--no-blobs", help="Read every image, mask and weight too, and compare it.")] = True,
    quick: Annotated[bool, typer.Option("--quick", help="The same as --no-blobs.")] = False,
    last_digest: Annotated[str, typer.Option(metavar="HEX", help="A digest printed earlier, which the chain must still hold.")] = "",
    as_json: AsJson = False,
) -> None:
    """Check that no record was tampered with, and that no byte was lost.

    Follows the chain of events from the first to the last, holds every row against it, and compares every blob.
    """
    from medloop.loop.foundation.workspace import open_store
    from medloop.store.audit import verify

    if action != "verify":
        raise SettingError(f"The audit can only verify, got {action!r}")
    with closing(open_store(folder)) as store:
        found = verify(store, blobs=blobs and not quick, last_digest=last_digest.strip().lower())
    _print_audit(found, as_json=as_json)
    if not found.ok:
        at = f" at event {found.first_bad}" if found.first_bad is not None else ""
        raise IntegrityError(f"The audit is broken{at}: {found.reason}", remedy="restore the project from a backup; see medloop doctor")


def _print_audit(found: "AuditReport", *, as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    if found.ok:
        blobs = "" if found.blobs is None else f", {counted(found.blobs, 'blob')} sound"
        typer.echo(f"{counted(found.events, 'event')}, unbroken{blobs}; last digest {found.last_digest}")
    for part in found.unchecked:
        say(f"not checked: {part}")


def doctor(
    folder: ProjectFolder,
    sweep: Annotated[bool, typer.Option("--sweep", help="Remove what nothing refers to and what was left half written.")] = False,
    as_json: AsJson = False,
) -> None:
    """Find damaged and missing bytes, and say what they belong to and what to do.

    Reads every image, mask and weight; the status is 1 when one is damaged or missing.
    """
    from medloop.cli.progress import Bar
    from medloop.loop.foundation.workspace import open_store
    from medloop.store.doctor import examine

    with closing(open_store(folder)) as store, Bar("Reading") as bar:
        found = examine(store, sweep=sweep, report=bar.move)
    tell({"ok": found.ok, **vars(found)}, lambda: _print_health(found), as_json=as_json)
    if not found.ok:
        rows = f" and {counted(found.unreadable_rows, 'row')} cannot be read" if found.unreadable_rows else ""
        summary = f"{len(found.bad)} of {found.blobs} blobs are damaged or missing{rows}"
        raise IntegrityError(summary, remedy="" if as_json else "see the lines above")


def _print_health(found: "Health") -> None:
    for bad in found.bad:
        typer.echo(f"{bad.trouble} {bad.blob}")
        for line in bad.belongs_to:
            typer.echo(f"    {line}")
        for line in bad.advice:
            typer.echo(f"    → {line}")
    if found.unreadable_rows:
        rows = counted(found.unreadable_rows, "row")
        typer.echo(f"{rows} cannot be read, and what blobs they need is unknown: see medloop audit DIR verify")
    left = "removed" if found.swept else "harmless; --sweep removes them"
    if found.orphans or found.leftovers:
        orphans, half = counted(len(found.orphans), "blob"), counted(len(found.leftovers), "half-written file")
        typer.echo(f"{orphans} that nothing refers to, {half} ({left})")
    if found.ok:
        typer.echo(f"{counted(found.blobs, 'blob')}, all sound")


def backup(
    folder: ProjectFolder, out: Annotated[Path, argument(metavar="OUT", help="A new or empty folder.")], as_json: AsJson = False
) -> None:
    """Copy a project while people go on working.

    The copy is complete or absent, and holds one moment of the project.
    """
    from medloop.cli.progress import Bar
    from medloop.loop.foundation.workspace import open_store
    from medloop.store.backup import back_up_project

    with closing(open_store(folder)) as store, Bar("Copying") as bar:
        done = back_up_project(store, out, report=bar.move)
    for line in done.missing:
        say(f"not in the backup: {line}")
    copied = f"{counted(done.blobs, 'blob')} ({done.size / 1e6:.1f} MB) and the database copied to {done.folder}"
    tell(done, lambda: typer.echo(copied), as_json=as_json)
    if done.missing:
        lost = counted(len(done.missing), "blob")
        raise IntegrityError(f"damaged or missing, and so not in the backup: {lost}", remedy="see medloop doctor")
