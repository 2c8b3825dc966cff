"""By which UIDs an archive knows the series of a case."""

from collections.abc import Iterable
from dataclasses import dataclass

from medloop.core.errors import InputError
from medloop.core.records import Case
from medloop.loop.foundation.workspace import Workspace


@dataclass(frozen=True)
class ArchiveUids:
    """Where a case's images are in an archive."""

    study: str
    series: str
    instances: frozenset[str]


def uids_at_pacs(workspace: Workspace, case: Case) -> ArchiveUids:  # noqa: ARG001  # where UIDs are replaced, the project has the way back
    """The UIDs of a case's images, as an archive has them.

    Raises:
        InputError: The case did not come from DICOM.
    """
    kept = case.source.dicom
    if case.source.format != "dicom" or not all(kept.get(name) for name in ("study", "series", "instances")):
        raise InputError(f"{case.name}: it did not come from a DICOM series, so that no archive has its images", remedy="export it instead")
    return ArchiveUids(kept["study"], kept["series"], frozenset(kept["instances"]))


def instances_known(workspace: Workspace) -> frozenset[str]:
    """SOP Instance UIDs of all images of the project."""
    with workspace.store.read() as tx:
        cases: Iterable[Case] = tx.find(Case)
    return frozenset(uid for case in cases if case.source.format == "dicom" for uid in case.source.dicom.get("instances", ()))
