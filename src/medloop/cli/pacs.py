"""`medloop pacs`: look up, pull, push and receive images and annotations of archives, over DICOMweb and DIMSE."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from medloop.cli.options import AsJson, ProjectFolder, open_project, option
from medloop.cli.printing import print_json, print_table, say, tell
from medloop.cli.setting_options import with_setting_options
from medloop.core.declaring import SettingValue, declared, setting
from medloop.core.errors import MedloopError, SettingError, StorageError
from medloop.core.names import counted, first_named

if TYPE_CHECKING:
    from medloop.datasets.channel_names import Wanted
    from medloop.loop.data.import_report import ImportReport
    from medloop.loop.data.pacs_listen import Door, Listener
    from medloop.loop.data.pacs_pull import PullReport
    from medloop.loop.data.pacs_push import PushReport
    from medloop.loop.foundation.workspace import Workspace
    from medloop.pacs.archive import FoundSeries, FoundStudies, PacsQuery

pacs = typer.Typer(
    name="pacs",
    help="Images from archives and annotations back to them: DICOMweb and DIMSE.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

ServerName: TypeAlias = Annotated[str, option("--server", metavar="NAME", help="Which server of pacs.toml; not needed where it lists one.")]


@dataclass(frozen=True, kw_only=True)
class _Looking:
    """What to look for, as options."""

    patient: str = setting("", "PatientID; * stands for any characters.", "--patient", "at once", longest=64, shown_default="any")
    name: str = setting("", "PatientName, such as MUSTER*.", "--patient-name", "at once", longest=64, shown_default="any")
    date: str = setting("", "Of the study: 2026-01-31, or FROM..TO.", "--date", "at once", longest=64, shown_default="any")
    modality: str = setting("", "CT, MR, …", "--modality", "at once", longest=16, shown_default="any")
    accession: str = setting("", "Accession number.", "--accession", "at once", longest=64, shown_default="any")
    description: str = setting("", "Of the study, such as *THORAX*.", "--description", "at once", longest=64, shown_default="any")
    study: str = setting("", "Study Instance UID.", "--study", "at once", longest=64, shown_default="any")
    series: str = setting("", "Series Instance UID, with --study.", "--series", "at once", longest=64, shown_default="any")
    limit: int = setting(100, "Studies at most.", "--limit", "at once", low=1, high=10_000)


@dataclass(frozen=True, kw_only=True)
class _Pulling(_Looking):
    """What to fetch, as options."""

    most_gb: float = setting(20.0, "GiB of files that one pull fetches at most.", "--most-gb", "at once", low=0.001, high=100_000)
    most_series: int = setting(1000, "Series at most.", "--most-series", "at once", low=1, high=100_000)
    channels: str = setting(
        "", "Series of a study that are one case's channels, T1,T2, the one with the grid first; T1=mprage where called otherwise.",
        "--channels", "at once", longest=500, shown_default="every series is a case",
    )  # fmt: skip
    resample_channels: bool = setting(
        False, "Bring channels on other grids onto the first one's, linearly.", "--resample-channels", "at once"
    )
    registered: bool = setting(False, "All series of a study are registered, whatever their headers say.", "--registered", "at once")
    references: str = setting(
        "none", "Keep the other series of a case's study or patient to look at beside it.", "--references", "at once",
        choices=("none", "study", "patient"),
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class _Listening:
    """Where objects come in, as options."""

    title: str = setting("MEDLOOP", "AE title that senders call.", "--title", "at once", longest=16)
    host: str = setting("127.0.0.1", "Address to listen at.", "--host", "at once", longest=255)
    port: int = setting(11112, "Port; 0 takes a free one.", "--port", "at once", low=0, high=65_535)
    quiet: float = setting(10.0, "Seconds without a new image after which a series is whole.", "--quiet", "at once", low=0.1, high=86_400)
    at_release: bool = setting(False, "A series is whole, too, when no sender is connected.", "--at-release", "at once")


def _query(given: Mapping[str, SettingValue]) -> "PacsQuery":
    from medloop.pacs.archive import PacsQuery

    known: Any = {name: value for name, value in given.items() if name in declared(_Looking)}
    return PacsQuery(**known)


@pacs.command()
@with_setting_options(declared(_Looking))
def find(
    folder: ProjectFolder,
    settings: Mapping[str, SettingValue],
    server: ServerName = "",
    each: Annotated[bool, typer.Option("--each-series", help="List the series of each study.")] = False,
    as_json: AsJson = False,
) -> None:
    """List the studies of an archive that fit.

    Only servers that pacs.toml lists are contacted (docs/orthanc.md).
    """
    from medloop.loop.data.pacs_named import archive_named

    with open_project(folder) as workspace:
        _, archive = archive_named(workspace, server)
    found = archive.studies(_query(settings))
    series = {one.study: archive.series(one.study) for one in found.studies} if each else {}
    if found.more:
        say(f"More than {len(found.studies)} studies match, the first ones are listed; narrow the query, or raise --limit")
    if as_json:
        print_json({"studies": found.studies, "more": found.more, "series": [one for listed in series.values() for one in listed]})
    elif each:
        _print_series(found, series)
    else:
        rows = [(s.study, s.date, s.modalities, _number(s.series), _number(s.instances), s.patient, s.description) for s in found.studies]
        print_table(("study", "date", "modalities", "series", "images", "patient", "description"), rows)


def _print_series(found: "FoundStudies", series: Mapping[str, tuple["FoundSeries", ...]]) -> None:
    rows = [(s.study, one.series, one.modality, _number(one.instances), one.description) for s in found.studies for one in series[s.study]]
    print_table(("study", "series", "modality", "images", "description"), rows)


def _number(count: int | None) -> str:
    return "?" if count is None else str(count)


def _together(usual: Mapping[str, SettingValue]) -> "Wanted | None":
    """Which series are one case; None where every series is."""
    from medloop.datasets.channel_names import Wanted, wanted_named

    resample, registered = bool(usual["resample_channels"]), bool(usual["registered"])
    wanted = wanted_named(str(usual["channels"]), resample=resample, registered=registered, references=str(usual["references"]))
    if (resample or registered) and not wanted.channels:
        raise SettingError("--resample-channels and --registered are of channels, got no --channels", remedy="name them: --channels T1,T2")
    return wanted if wanted != Wanted() else None


@pacs.command()
@with_setting_options(declared(_Pulling))
def pull(
    folder: ProjectFolder,
    settings: Mapping[str, SettingValue],
    server: ServerName = "",
    annotations: Annotated[bool, typer.Option("--annotations", help="Fetch SEG and RTSTRUCT, too, and take them as annotations.")] = False,
    as_json: AsJson = False,
) -> None:
    """Fetch every series of images that fits, and import it.

    Safe to stop and repeat: what came stays until its series is whole, and what is there already is not fetched again.
    """
    from medloop.cli.progress import Bar
    from medloop.loop.data.pacs_named import archive_named
    from medloop.loop.data.pacs_pull import PullBounds
    from medloop.loop.data.pacs_pull import pull as pull_query

    usual = {name: one.default for name, one in declared(_Pulling).items()} | dict(settings)
    bounds = PullBounds(int(float(usual["most_gb"]) * (1 << 30)), int(usual["most_series"]), annotations, _together(usual))
    with open_project(folder) as workspace, Bar("Pulling") as bar:
        name, archive = archive_named(workspace, server)
        done = pull_query(workspace, archive, name, _query(settings), bounds, actor="cli", report=bar.update)
    if as_json:
        print_json(done)
    else:
        _print_pull(done)
    if done.stopped:
        raise MedloopError(f"The pull ended early: {done.stopped}")


def _print_pull(done: "PullReport") -> None:
    for line in done.incomplete:
        say(f"incomplete: {line}")
    _print_imported(done.imported)
    size = done.fetched_bytes / (1 << 20)
    typer.echo(
        f"{done.series} series match, {done.there} were there; {counted(done.files, 'file')} fetched ({size:.1f} MiB), "
        f"{counted(len(done.imported.added), 'case')} added, {len(done.imported.duplicates)} unchanged, "
        f"{len(done.incomplete)} incomplete, {len(done.imported.refused)} left out"
    )


def _print_imported(done: "ImportReport") -> None:
    from medloop.loop.data.import_report import brief_refusals

    for line in brief_refusals(done.refused):
        say(f"left out: {line}")
    for note in done.notes:
        say(f"note: {note if note.cases else note.text}")


@pacs.command()
def push(
    folder: ProjectFolder,
    server: ServerName = "",
    fmt: Annotated[str, typer.Option("--format", help="dicom-seg, dicom-labelmap, rtstruct or dicom-sr (measurements).")] = "dicom-seg",
    case: Annotated[list[str] | None, option(metavar="CASE", help="A case, once for each; every one by default.")] = None,
    again: Annotated[bool, typer.Option("--again", help="Also what the server was given before.")] = False,
    as_json: AsJson = False,
) -> None:
    """Store annotations or measurements in the archive that their images came from.

    Patient and study are taken from the archive. What it was given before is named and not sent again.
    """
    from medloop.cli.progress import Bar
    from medloop.loop.data.pacs_named import archive_named
    from medloop.loop.data.pacs_push import Push
    from medloop.loop.data.pacs_push import push as push_wanted

    with open_project(folder) as workspace, Bar("Pushing") as bar:
        name, archive = archive_named(workspace, server)
        wanted = Push(name, fmt, tuple(case or ()), again)
        done = push_wanted(workspace, archive, wanted, actor="cli", report=bar.update)
    tell(done, lambda: _print_push(done), as_json=as_json)
    if done.stopped:
        raise MedloopError(f"The push ended early: {done.stopped}")
    if done.left_out and not (done.pushed or done.before):
        raise MedloopError(f"Nothing was pushed to {done.server}", remedy=done.left_out[0])


def _print_push(done: "PushReport") -> None:
    for line in done.left_out:
        say(f"left out: {line}")
    if done.before:
        say(f"there before, not sent again (--again sends): {first_named(done.before)}")
    typer.echo(
        f"{counted(len(done.pushed), 'object')} stored on {done.server} as {done.format}, {len(done.before)} there before, "
        f"{len(done.left_out)} left out"
    )


@pacs.command()
@with_setting_options(declared(_Listening))
def listen(
    folder: ProjectFolder,
    settings: Mapping[str, SettingValue],
    accept: Annotated[list[str] | None, option(metavar="TITLE[@ADDRESS]", help="A sender's AE title, once for each.")] = None,
) -> None:
    """Take in what archives and scanners send (C-STORE); each whole series becomes a case.

    What was acknowledged is on the disk. With the setting stream or stream_risk, new cases are predicted and judged.
    Ends with Ctrl+C; safe to repeat.
    """
    from medloop.loop.data.pacs_listen import Door, Listener, listening
    from medloop.loop.data.pacs_spool import Importing

    usual: Any = {name: one.default for name, one in declared(_Listening).items()} | dict(settings)
    door = Door(usual["title"], tuple(accept or ()), usual["host"], usual["port"], usual["quiet"], usual["at_release"])
    with open_project(folder) as workspace:
        listener = Listener(workspace, door, Importing("none", "cli"), say)
        with listening(listener) as port:
            say(_listening_line(door, port))
            pause = threading.Event()
            while not pause.wait(min(1.0, door.quiet_seconds)):
                _bring_in(workspace, listener)


def _listening_line(door: "Door", port: int) -> str:
    return f"Listening at {door.host}:{port} as {door.title} for {', '.join(door.accepts)}"


def _bring_in(workspace: "Workspace", listener: "Listener") -> None:
    """Import what is whole; a project that cannot write now is tried again, nothing of what came is lost."""
    from medloop.cli.streaming import judge_brought

    def bring() -> None:
        done = listener.take()
        _print_imported(done)
        typer.echo(f"{counted(len(done.added), 'case')} added, {len(done.duplicates)} unchanged, {len(done.refused)} left out")

    try:
        listener.sort()
        if not listener.finish():
            return
        settings = workspace.reload().settings
        if settings.stream == "off" and settings.stream_risk <= 0:
            bring()
        else:
            judge_brought(workspace.reload(), bring)
    except (StorageError, SettingError) as error:
        say(f"not taken yet: {error}; trying again")
