"""By which UIDs an archive knows the series of a case, and what it says of its patient.

Where a project keeps other UIDs than the files have, it remembers beside its key which series of an archive each of its series is: for
its owner alone, never in the store, an export or an event.
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from pydicom.dataset import Dataset

from medloop.core.errors import InputError, StorageError
from medloop.core.records import Case, ReferenceSeries
from medloop.datasets.dicom_objects.references import Originals
from medloop.images.dicom_series import read_header
from medloop.images.files import write_atomic
from medloop.loop.foundation.pseudonyms import pseudonyms_of
from medloop.loop.foundation.workspace import Workspace
from medloop.pacs.archive import Archive, FoundSeries
from medloop.pacs.files import keep_file, private_folder
from medloop.store.private import LINKS_FILE

_MANY = 1 << 30
"""Images that a series is taken to have, so that one of them is fetched alone."""


@dataclass(frozen=True)
class ArchiveSeries:
    """A series as an archive knows it."""

    study: str
    series: str


def uids_at_pacs(workspace: Workspace, case: Case) -> ArchiveSeries:
    """The series of a case, as an archive has it.

    Raises:
        InputError: The case did not come from DICOM.
    """
    kept = case.source.dicom
    if case.source.format != "dicom" or not all(kept.get(name) for name in ("study", "series", "instances")):
        raise InputError(f"{case.name}: it did not come from a DICOM series, so that no archive has its images", remedy="export it instead")
    study, series = _links(workspace).get(kept["series"], (kept["study"], kept["series"]))
    return ArchiveSeries(study, series)


def remember(workspace: Workspace, found: Iterable[ArchiveSeries]) -> None:
    """Keep the way back to series whose UIDs the project replaces.

    Raises:
        StorageError: The disk refuses.
    """
    call, before = pseudonyms_of(workspace).uid, _links(workspace)
    links = before | {call(one.series): (one.study, one.series) for one in found if call(one.series) != one.series}
    if links != before:
        write_atomic(workspace.folder / LINKS_FILE, json.dumps(links, indent=1).encode(), mode=0o600)


def _links(workspace: Workspace) -> dict[str, tuple[str, str]]:
    path = workspace.folder / LINKS_FILE
    if not path.exists():
        return {}
    try:
        read = json.loads(path.read_text(encoding="ascii"))
        return {str(kept): (str(study), str(series)) for kept, (study, series) in read.items()}
    except (OSError, ValueError, AttributeError, TypeError):
        raise StorageError(f"{LINKS_FILE} cannot be read", remedy="restore it from a backup, or pull the series again") from None


def instances_known(workspace: Workspace) -> Callable[[Iterable[str]], bool]:
    """What finds out whether the project has all of some images, by the UIDs of their files."""
    with workspace.store.read() as tx:
        sources = [case.source for case in tx.find(Case)]
        sources += [one.source for one in tx.find(ReferenceSeries) if one.removed_at is None]
    kept = ("instances", "channel_instances")
    known = {uid for source in sources if source.format == "dicom" for name in kept for uid in source.dicom.get(name, ())}
    call = pseudonyms_of(workspace).uid
    return lambda uids: all(uid in known or call(uid) in known for uid in uids)


def originals_at(workspace: Workspace, archive: Archive, server: str, case: Case) -> Originals:
    """Patient, study and UIDs of a case's images, from the archive that has them.

    Raises:
        InputError: It does not have all of them.
        NotFoundError: It does not have the study.
    """
    place, call = uids_at_pacs(workspace, case), pseudonyms_of(workspace).uid
    there = archive.instances(place.study, place.series)
    wanted = set(case.source.dicom["instances"])
    own = {uid: kept for uid in there if (kept := uid if uid in wanted else call(uid)) in wanted}
    if lacking := len(wanted - set(own.values())):
        raise InputError(
            f"{lacking} of its {len(wanted)} images are not on {server}", remedy="push to the server that the series came from"
        )
    person = archive.person(place.study)
    person.StudyInstanceUID, person.SeriesInstanceUID = place.study, place.series
    if frame := _frame_of_reference(workspace, archive, place, next(iter(own))):
        person.FrameOfReferenceUID = frame
    return Originals({name: _with_instance(person, uid) for uid, kept in own.items() for name in (uid, kept)})


def _with_instance(person: Dataset, uid: str) -> Dataset:
    made = Dataset()
    made.update(person)  # `Dataset(person)` would share its elements
    made.SOPInstanceUID = uid
    return made


def _frame_of_reference(workspace: Workspace, archive: Archive, place: ArchiveSeries, uid: str) -> str:
    """UID of the coordinate system of a series, "" where it has none: from one of its files, as few archives list it."""
    came: list[Path] = []
    with TemporaryDirectory(prefix=".reading-", dir=private_folder(workspace.work_folder)) as folder:
        found = FoundSeries(place.study, place.series, "", "", _MANY)
        archive.fetch(found, [uid], lambda name, content: came.append(keep_file(Path(folder), name, content, durable=False)))
        return str(read_header(came[0])[0].get("FrameOfReferenceUID", "") or "") if came else ""
