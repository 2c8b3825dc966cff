"""Other series of a case's patient, kept to look at beside the case: nobody annotates them, nothing is trained on them or exported.

A reference belongs to its case, and with it to the case's patient and split. Its bytes are stored as those of cases are; one that is taken
away leaves its record, and its bytes are removed by the next `medloop doctor --sweep`.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from medloop.core.errors import ConflictError, InputError
from medloop.core.names import checked_title, folded
from medloop.core.records import Case, FrameRelation, ReferenceSeries, Source, new_id, now
from medloop.images.encode import encode_voxels
from medloop.images.result import ReadImage
from medloop.loop.data.cases import storable
from medloop.loop.data.first_display import displayed
from medloop.loop.foundation.pseudonyms import known_as
from medloop.loop.foundation.references import references_of
from medloop.loop.foundation.workspace import Workspace
from medloop.store.reader import Reader

MOST_REFERENCES = 32
"""Of one case: more than a study of every kind has."""


@dataclass(frozen=True)
class NewReference:
    """What is known of a reference beside its image.

    Attributes:
        name: Unique among those of its case.
        notes: What was noticed about it.
        registered: Somebody says that its positions are those of the case.
    """

    name: str
    notes: tuple[str, ...] = ()
    registered: bool = False


@dataclass(frozen=True)
class Kept:
    """A reference, and whether it was not there before."""

    reference: ReferenceSeries
    is_new: bool


def keep_reference(workspace: Workspace, case: Case, found: ReadImage, new: NewReference, *, actor: str = "system") -> Kept:
    """Store an image beside a case; one that is there already stays as it is.

    Raises:
        ConflictError: Another image has that name beside the case.
        InputError: A name or voxels that cannot be kept, too many references, or the image of a case of another patient.
    """
    name = checked_title(new.name)
    with workspace.store.read() as tx:
        if there := _there(tx, case, found.source, name):
            return Kept(there, False)
        _require_patient(tx, case, found.source)
    record = _record(workspace, case, found, (name, new))
    with workspace.store.write(actor) as tx:
        if there := _there(tx, case, found.source, name):  # somebody else was faster
            return Kept(there, False)
        if not workspace.store.blobs.exists(record.voxels):  # removed meanwhile with a case of the very same image
            workspace.store.blobs.put(encode_voxels(storable(found.image)))
        tx.add(record, verb="import")
    return Kept(record, True)


def beside_cases(tx: Reader, cases: Iterable[Case]) -> dict[str, tuple[str, str]]:
    """Digest of every reference's files → what it is, and its patient."""
    by_id = {case.id: case for case in cases}
    standing = [one for one in tx.find(ReferenceSeries) if one.removed_at is None]
    owners = [(one, by_id[one.case_id]) for one in standing if one.case_id in by_id]
    return {one.source.sha256: (f"the reference {one.name} of {case.name}", case.patient) for one, case in owners}


def _there(tx: Reader, case: Case, source: Source, name: str) -> ReferenceSeries | None:
    """The reference that an image already is.

    Raises:
        ConflictError: Its name is taken by another image.
        InputError: The case has as many as it may have.
    """
    standing = references_of(tx, case.id)
    for one in standing:
        if one.source.sha256 == source.sha256:
            return one
    if any(folded(one.name) == folded(name) for one in standing):
        raise ConflictError(f"{case.name} has another reference called {name}", remedy="give it another name, or take the other one away")
    if len(standing) >= MOST_REFERENCES:
        raise InputError(f"A case has at most {MOST_REFERENCES} references, {case.name} has {len(standing)}", remedy="take one away")
    return None


def _require_patient(tx: Reader, case: Case, source: Source) -> None:
    """Refuse an image that the project knows as another patient's, or as the case itself.

    Raises:
        InputError: Then.
    """
    if source.sha256 == case.source.sha256:
        raise InputError(f"A reference is another image than its case, got that of {case.name}", remedy="name another file")
    cases = tx.find(Case)
    own = [(f"the image of {other.name}", other.patient) for other in cases if other.source.sha256 == source.sha256]
    beside = beside_cases(tx, [other for other in cases if other.patient != case.patient]).get(source.sha256)
    for what, patient in [*own, *([beside] if beside else [])]:
        if patient != case.patient:
            rule = f"A reference is of its case's patient, {case.patient}; this is {what}, whose patient is {patient}"
            raise InputError(rule, remedy="name the right file")


def _record(workspace: Workspace, case: Case, found: ReadImage, named: tuple[str, NewReference]) -> ReferenceSeries:
    name, new = named
    array = storable(found.image)
    source = displayed(found.source, array)
    least, most = float(array.min()), float(array.max())
    return ReferenceSeries(
        id=new_id("reference"),
        case_id=case.id,
        name=name,
        grid=found.image.grid,
        channels=found.image.channels,
        dtype=array.dtype.name,
        voxels=workspace.store.blobs.put(encode_voxels(array)),
        window=source.display.channel_windows[0] if source.display else (least, max(most, least + 1.0)),
        value_range=(least, most),
        source=source,
        frame=relation(workspace, case, found.source, registered=new.registered),
        notes=new.notes,
        added_at=now(),
    )


def relation(workspace: Workspace, case: Case, source: Source, *, registered: bool = False) -> FrameRelation:
    """How positions in an image relate to those of a case, judged by what the files say."""
    stated = source.display.oriented if source.display else source.format != "raster"
    if not (stated and case.display.oriented):
        return "none"  # whatever somebody says: there is no position to compare
    if registered:
        return "registered"
    names = known_as(workspace)
    mine, theirs = (str(one.dicom.get("frame_of_reference", "")) for one in (case.source, source))
    if not (mine and theirs):
        return "files"
    return "same" if {mine, names(mine)} & {theirs, names(theirs)} else "other"
