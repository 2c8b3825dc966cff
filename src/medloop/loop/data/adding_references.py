"""Add another series of its patient to a case that is there."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from medloop.core.errors import ConflictError, InputError, StateError
from medloop.core.names import folded
from medloop.core.records import Case, ReferenceSeries
from medloop.datasets.archives import unpacked
from medloop.datasets.dataset import NOTHING_BLANK, CaseSource, Dataset
from medloop.datasets.files import split_suffix
from medloop.datasets.series import acquired_of, header_patient
from medloop.datasets.series_words import sequence_name
from medloop.images.dicom_series import FROM_ID
from medloop.images.read import read_image
from medloop.images.result import require_intensities
from medloop.loop.data.arriving import require_file_name
from medloop.loop.data.deidentifying import Deidentifying
from medloop.loop.data.keeping_references import NewReference, keep_reference
from medloop.loop.foundation.references import HowToAdd
from medloop.loop.foundation.workspace import Workspace


def add_reference(
    workspace: Workspace, case: Case, files: Sequence[str | Path], how: HowToAdd | None = None, *, actor: str = "system"
) -> ReferenceSeries:
    """Keep an image beside a case: one file, the folder of a DICOM series, or the files of one.

    Raises:
        InputError: Its header names another patient than the case's, or it is the image of another patient's case.
        ConflictError: Another reference of the case has that name, or the image is one already under another name or not registered.
        FormatError: The files cannot be read, or are a segmentation.
        NotFoundError: No such file.
        StateError: The project can only be read.
    """
    if workspace.store.read_only:
        raise StateError(f"Nothing can be added to this project: {workspace.store.read_only}", remedy="make it writable")
    how = how or HowToAdd()
    paths = [Path(file) for file in files]
    stored = read_image(paths[0] if len(paths) == 1 else paths)
    require_intensities(paths[0].name, stored)
    described = _described(case, paths, how)
    with workspace.store.read() as tx:
        words = Deidentifying(workspace, tx.find(Case))
    source = words.dataset(Dataset("dicom", None, cases=(described,))).cases[0]
    if not how.same_patient:
        _require_same_patient(case, source, words)
    found = words.read(source, stored, NOTHING_BLANK)
    new = NewReference(how.name or (described if described.acquired else source).name, words.notes(source, found.notes), how.registered)
    kept = keep_reference(workspace, case, found, new, actor=actor)
    if not kept.is_new:
        _require_as_said(case, kept.reference, how)
    return kept.reference


def add_sent_reference(
    workspace: Workspace, case: Case, name: str, content: bytes, how: HowToAdd | None = None, *, actor: str
) -> ReferenceSeries:
    """Keep an image beside a case that arrives as the bytes of one file, or of a zip archive of a DICOM series.

    Raises:
        InputError: A name that is no plain file name; or see `add_reference`.
        ConflictError: See `add_reference`.
        FormatError: See `add_reference`.
        StateError: The project can only be read.
    """
    require_file_name(name)
    with TemporaryDirectory(prefix="medloop-arriving-") as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        with unpacked(path) as opened:
            return add_reference(workspace, case, [opened], how, actor=actor)


def _require_as_said(case: Case, there: ReferenceSeries, how: HowToAdd) -> None:
    """Refuse to call a reference that is there something else in silence.

    Raises:
        ConflictError: It has another name than is wanted, or was not said to be registered.
    """
    other = bool(how.name) and folded(how.name) != folded(there.name)
    if other or (how.registered and there.frame not in ("registered", "none")):
        what = f"as {there.name}" if other else f"as {there.name}, and was not said to be registered"
        raise ConflictError(f"This image stands beside {case.name} already, {what}", remedy="take that one away first")


def _described(case: Case, paths: Sequence[Path], how: HowToAdd) -> CaseSource:
    """What the files say of themselves, as a source of one case."""
    patient, notes, header = header_patient(paths[0])
    acquired = acquired_of(paths[0])
    if acquired is not None:
        name = sequence_name(acquired.description, acquired.modality)
    else:
        stem = split_suffix(paths[0].name)[0]
        name = stem.removeprefix(case.name).strip("_-. ") or stem
    return CaseSource(how.name or name, patient or case.patient, tuple(paths), notes=notes, header=header, acquired=acquired)


def _require_same_patient(case: Case, source: CaseSource, words: Deidentifying) -> None:
    """Refuse a series whose PatientID is not that of the case's own series.

    Raises:
        InputError: Then.
    """
    named = source.header.patient.startswith(FROM_ID)
    if named and case.source.format == "dicom" and words.patient(source) != case.patient:
        rule = f"A reference is of its case's patient, the header of {source.images[0].name} names another one than that of {case.name}"
        raise InputError(rule, remedy="name the right file, or say --same-patient if you know better")
