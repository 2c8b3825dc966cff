"""Pull what a query finds in an archive into a project: resumable, bounded, each series whole or not at all.

Files that came stay until their series is whole, so that the same command goes on after a kill or a broken line. What is there
already is not fetched again.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from medloop.core.errors import ConflictError, InputError, MedloopError, NotFoundError, SettingError, StateError, StorageError
from medloop.core.records import now
from medloop.datasets.channel_names import Wanted
from medloop.loop.data.import_report import ImportReport
from medloop.loop.data.importing import ImportProgress
from medloop.loop.data.pacs_folders import PULLED
from medloop.loop.data.pacs_identity import ArchiveSeries, instances_known, remember
from medloop.loop.data.pacs_joined import studies_joined
from medloop.loop.data.pacs_spool import NOTHING_TAKEN, Importing, Spool, alone
from medloop.loop.foundation.workspace import Workspace
from medloop.pacs.archive import Archive, FoundSeries, PacsQuery
from medloop.pacs.files import file_name, keep_file, series_name

MARKED = frozenset({"SEG", "RTSTRUCT"})
"""Objects that an import reads as annotations."""


@dataclass(frozen=True)
class PullBounds:
    """How much one pull may fetch.

    Attributes:
        most_bytes: Of files.
        most_series: At most.
        annotations: Fetch SEG and RTSTRUCT, too, and take them as annotations.
        together: Which series of a study are the channels of one case; see `medloop.datasets.channel_names.wanted_named`.
    """

    most_bytes: int = 20 << 30
    most_series: int = 1000
    annotations: bool = False
    together: Wanted | None = None


@dataclass(frozen=True)
class PullReport:
    """What a pull did.

    Attributes:
        server: Its name.
        series: How many the query found.
        there: Of these, how many the project had already.
        files, fetched_bytes: What was fetched now.
        incomplete: Series of which files lack, a line each; they are not imported, the same pull goes on with them.
        stopped: Why it ended before its end, "" when it did not; what was whole is imported all the same.
        imported: What became of the whole series.
    """

    server: str
    series: int
    there: int
    files: int
    fetched_bytes: int
    incomplete: tuple[str, ...] = ()
    stopped: str = ""
    imported: ImportReport = NOTHING_TAKEN


Known: TypeAlias = Callable[[FoundSeries, Sequence[str]], bool]
"""Whether the project has a series already, by its files' UIDs."""


class _EnoughError(MedloopError):
    """The bound of a pull is reached."""


@dataclass
class _Tally:
    bounds: PullBounds
    there: int = 0
    files: int = 0
    fetched_bytes: int = 0
    incomplete: list[str] = field(default_factory=list)
    stopped: str = ""
    stopped_in: str = ""

    def count(self, content: bytes) -> None:
        if self.fetched_bytes + len(content) > self.bounds.most_bytes:
            raise _EnoughError(
                f"{self.bounds.most_bytes / (1 << 30):g} GiB are the most of one pull", remedy="the same pull goes on from there"
            )
        self.files, self.fetched_bytes = self.files + 1, self.fetched_bytes + len(content)


def pull(
    workspace: Workspace,
    archive: Archive,
    server: str,
    query: PacsQuery,
    bounds: PullBounds | None = None,
    *,
    actor: str = "system",
    report: ImportProgress | None = None,
) -> PullReport:
    """Fetch every image series that a query finds, and import it.

    Args:
        workspace: The project.
        archive: Where to look.
        server: What it is called.
        query: At least one thing must narrow it.
        bounds: How much; None for the usual bounds.
        actor: Who pulls, for the audit.
        report: Called before each series and each case.

    Raises:
        SettingError: Nothing narrows the query, or it finds more than its limit or the bounds allow.
        NotFoundError: Nothing matches.
        ConflictError: Another pull of this project is at work, or the project can only be read.
        UnavailableError: The archive cannot be looked into; a line that breaks later ends the pull, and is in its report.
        StorageError: The project cannot write.
    """
    bounds = bounds or PullBounds()
    if workspace.store.read_only:
        raise StateError(f"Nothing can be pulled into this project: {workspace.store.read_only}", remedy="make it writable")
    place = workspace.work_folder / PULLED
    with alone(place, "pull"):
        spool, tally = Spool(place), _Tally(bounds)
        spool.set_back()  # what a pull that was stopped had fetched is imported by the same one, not by another
        found = find_series(archive, query, bounds)
        _fetch_all(archive, found, spool, tally, known=_known(workspace, archive, found, bounds), report=report)
        if bounds.together is not None:  # half a study would be a case without its other series
            spool.set_back({series_name(one.series) for one in found if one.study == tally.stopped_in})
        remember(workspace, [ArchiveSeries(one.study, one.series) for one in found if one.is_image])
        how = Importing("all" if bounds.annotations else "none", actor, report, bounds.together)
        imported = spool.take(workspace, how)
        if tally.files or imported.added:
            with workspace.store.write(actor) as tx:
                body = {"server": server, "series": len(found), "files": tally.files, "bytes": tally.fetched_bytes, "at": now()}
                tx.record("pull", "project", workspace.project.id, body)
    return PullReport(server, len(found), tally.there, tally.files, tally.fetched_bytes, tuple(tally.incomplete), tally.stopped, imported)


def discard_fetched(workspace: Workspace) -> None:
    """Remove the files of pulls that never imported them; they stay while another pull is at work."""
    place = workspace.work_folder / PULLED
    with suppress(ConflictError), alone(place, "pull"):
        Spool(place).drop()


def find_series(archive: Archive, query: PacsQuery, bounds: PullBounds) -> list[FoundSeries]:
    """The series that a pull would fetch.

    Raises:
        SettingError: See `pull`.
        NotFoundError: Nothing matches.
    """
    if not query.narrows:
        raise SettingError("A pull needs something that narrows it", remedy="give --patient, --date, --modality, --study or another one")
    studies = archive.studies(query)
    if studies.more:
        raise SettingError(f"More than {query.limit} studies match", remedy="narrow the query, or raise --limit")
    found = [one for study in studies.studies for one in archive.series(study.study) if _is_wanted(one, query, bounds)]
    if not found:
        raise NotFoundError("No series of images matches", remedy="see what there is with: medloop pacs find")
    if len(found) > bounds.most_series:
        raise SettingError(f"{len(found)} series match, one pull takes {bounds.most_series}", remedy="narrow it, or raise --most-series")
    return found


def _is_wanted(one: FoundSeries, query: PacsQuery, bounds: PullBounds) -> bool:
    if query.series and one.series != query.series:
        return False
    if bounds.annotations and one.modality in MARKED:
        return True
    return one.is_image and (not query.modality or one.modality == query.modality)


def _known(workspace: Workspace, archive: Archive, found: Sequence[FoundSeries], bounds: PullBounds) -> Known:
    """What says whether a series is in the project: each by itself, or all of a study where they are to be one case."""
    if bounds.annotations:
        return lambda _one, _uids: False
    if bounds.together is not None and bounds.together.channels:
        there = studies_joined(workspace, archive, found, bounds.together)
        return lambda one, _uids: there(one.study)
    known = instances_known(workspace)
    return lambda _one, uids: known(uids)


def _fetch_all(
    archive: Archive,
    found: list[FoundSeries],
    spool: Spool,
    tally: _Tally,
    *,
    known: Known,
    report: ImportProgress | None,
) -> None:
    for number, one in enumerate(found):
        name = series_name(one.series)
        if report is not None:
            report(number, len(found), f"fetching {name}")
        try:
            _fetch(archive, one, spool, tally, known)
        except (NotFoundError, InputError) as error:
            tally.incomplete.append(f"{name}: {error}")
        except StorageError:
            raise  # what came stays, the same pull goes on from there
        except MedloopError as error:
            tally.stopped, tally.stopped_in = f"{error}; {number} of {len(found)} series were looked at", one.study
            return


def _fetch(archive: Archive, one: FoundSeries, spool: Spool, tally: _Tally, known: Known) -> None:
    instances = archive.instances(one.study, one.series)
    if instances and known(one, instances):
        tally.there += 1
        spool.drop(series_name(one.series))
        return
    folder = spool.series(series_name(one.series))

    def take(uid: str, content: bytes) -> None:
        tally.count(content)
        keep_file(folder, uid, content, durable=False)

    if wanted := _lacking(instances, folder):
        archive.fetch(one, wanted, take)
    lacking, total = len(_lacking(instances, folder)), max(len(instances), one.instances or 0)
    if lacking or total > len(instances) or not instances:
        came = len(instances) - lacking
        tally.incomplete.append(f"{series_name(one.series)}: {came} of {total} files came; the same pull goes on with it")
        return
    spool.finish(series_name(one.series))


def _lacking(instances: Iterable[str], folder: Path) -> list[str]:
    return [uid for uid in instances if not (folder / file_name(uid)).exists()]
