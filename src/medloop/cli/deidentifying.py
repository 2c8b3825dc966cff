"""Clean DICOM files for others."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from medloop.cli.options import AsJson, argument, open_project, option
from medloop.cli.printing import say, tell
from medloop.core.names import counted

if TYPE_CHECKING:
    from medloop.datasets.cleaned_folder import CleanedFolder


def deidentify(
    source: Annotated[Path, argument(metavar="IN", help="A folder or zip archive of DICOM files; it is only read.")],
    out: Annotated[Path, argument(metavar="OUT", help="A new or empty folder.")],
    project: Annotated[
        Path | None, option(metavar="DIR", help="A project whose key makes the pseudonyms and UIDs; without, a key of this run alone.")
    ] = None,
    shift_dates: Annotated[
        bool, typer.Option("--shift-dates", help="Move dates back, all of a patient by the same days, in place of removing them.")
    ] = False,
    keep_uids: Annotated[bool, typer.Option("--keep-uids", help="Leave UIDs as they are.")] = False,
    blank: Annotated[str, option(metavar="X,Y,W,H", help="Rectangles to blank in every image, or outside-regions (ultrasound).")] = "",
    as_json: AsJson = False,
) -> None:
    """Write DICOM files without what names anybody.

    By the basic profile of DICOM PS3.15 annex E, as a list of what is kept; prints what was removed, in counts and without values.
    """
    import secrets

    from medloop.cli.progress import Bar
    from medloop.datasets.blanking import blank_named
    from medloop.datasets.cleaned_folder import HowCleaned, clean_folder
    from medloop.images.deidentification.pseudonyms import KEY_BYTES, Pseudonyms
    from medloop.loop.foundation.pseudonyms import pseudonyms_of

    how = HowCleaned(shift_dates, keep_uids, blank_named(blank))
    if project is None:
        words = Pseudonyms(secrets.token_bytes(KEY_BYTES))
    else:
        with open_project(project) as workspace:
            words = pseudonyms_of(workspace)
    with Bar("Cleaning") as bar:
        done = clean_folder(source, out, words, how, report=bar.update)
    tell(done, lambda: _print(done), as_json=as_json)


def _print(done: "CleanedFolder") -> None:
    from medloop.loop.data.import_report import brief_refusals

    for line in brief_refusals(done.refused):
        say(f"left out: {line}")
    for warning, count in done.warnings.items():
        say(f"warning: {counted(count, 'file')}: {warning}")
    for name, count in done.removed.items():
        typer.echo(f"{count:7} {name}")
    typer.echo(f"{counted(done.files, 'file')} of {counted(done.patients, 'patient')} written to {done.folder}")
