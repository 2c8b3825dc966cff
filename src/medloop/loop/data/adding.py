"""One case of an import after another: read it, tell what the project knows of it, and store what is new.

Reading may fail in any way: it costs the case, which is named. Only a store that cannot write is passed on.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np

from medloop.core.errors import BlobError, ConflictError, InputError, IntegrityError, MedloopError, NotFoundError
from medloop.core.geometry import Grid
from medloop.core.image import Image, Mask
from medloop.core.names import composed
from medloop.core.records import EVALUATION_SPLITS, Annotator, Case, Json, Source, Split
from medloop.datasets.channels import known_names
from medloop.datasets.dataset import Blank, CaseSource, Dataset, Refusal
from medloop.images.encode import encodings
from medloop.images.read import ReadImage
from medloop.images.result import UNSIZED, require_intensities
from medloop.loop.data.cases import IMPORTER, Incoming, NewCase, add_case, storable
from medloop.loop.data.deidentifying import Deidentifying, aliases_of
from medloop.loop.data.import_report import Tally
from medloop.loop.data.import_splits import drawn_along, import_splits
from medloop.loop.data.keeping_references import NewReference, beside_cases, keep_reference
from medloop.loop.data.label_maps import label_map
from medloop.loop.data.late_labels import take_later, was_imported
from medloop.loop.data.read_ahead import ReadAhead, image_of
from medloop.loop.data.seen_files import SeenFiles
from medloop.loop.data.source_annotated import annotated_by, annotated_in, require_annotated, rule_of
from medloop.loop.data.source_labels import read_label
from medloop.loop.data.source_segments import read_objects
from medloop.loop.foundation.annotated_labels import every_as_none
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.arrays import load_image
from medloop.loop.foundation.disposed import note_stream
from medloop.loop.foundation.follow_up import follow_up
from medloop.loop.foundation.round_moves import after_annotation
from medloop.loop.foundation.starts import pretrain_before_annotations
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.querying.on_demand import request_description

AnnotationsWanted: TypeAlias = Literal["all", "evaluation", "none"]
"""Which of the source's labels become annotations: all, only those of evaluation cases, or none."""

_READ_FAULTS = (MedloopError, OSError, MemoryError, EOFError, ValueError, ArithmeticError, RecursionError)
"""What reading one case may raise: it costs that case. An interrupt is none of these."""


class Intake:
    """Takes one case after another into a project."""

    def __init__(
        self,
        workspace: Workspace,
        dataset: Dataset,
        annotations: AnnotationsWanted,
        actor: str,
        annotated: Sequence[str] | None = None,
        *,
        rehash: bool = False,
    ) -> None:
        self._workspace, self._dataset = workspace, dataset
        note_stream(workspace)
        with workspace.store.read() as tx:
            self._words = Deidentifying(workspace, tx.find(Case))
        dataset = self._dataset = self._words.dataset(dataset)
        self.values = label_map(workspace, dataset, annotated)
        self._ruled = annotated is not None
        self._rule = rule_of(workspace.task, dataset, self.values, annotated)
        self.tally = Tally(refused=list(dataset.refused), about_source=(*dataset.notes, *self.values.notes))
        self.tally.removed = self._words.removed
        self._channels = known_names(dataset.channels)
        self._annotations = annotations
        self._images = ReadAhead(dataset.cases)
        self._actor = actor
        self._importer = annotator_named(workspace, IMPORTER, program=True)
        self._seen_files, self._rehash = SeenFiles(workspace, self._dataset, (annotations, annotated, self._rule)), rehash
        self._look()

    @property
    def cases(self) -> tuple[CaseSource, ...]:
        """Those of the source, by the names that they get."""
        return self._dataset.cases

    def _look(self) -> None:
        """Learn what the project holds now, and which splits follow for this source."""
        called = {case.patient: self._words.patient(case) for case in self._dataset.cases}
        self._splits = import_splits(self._workspace, self._dataset, called)
        self._along = drawn_along(self._dataset.cases, self._splits)
        with self._workspace.store.read() as tx:
            cases = tx.find(Case)
            self._beside = beside_cases(tx, cases)
        self._seen = len(cases)
        self._cases = {composed(c.name): c for c in cases}
        self._digests = {c.source.sha256: c.name for c in cases}
        self._voxels = {(c.voxels, c.grid.shape): c.name for c in cases}

    def close(self) -> None:
        """Set in motion what new cases and new annotations ask for."""
        self._images.close()
        self._seen_files.close()
        if self.tally.added:
            pretrain_before_annotations(self._workspace)
            request_description(self._workspace)
        if self.tally.annotated or self.tally.corrected or self.tally.further:
            after_annotation(self._workspace)
        if self.tally.kept:
            follow_up(self._workspace)

    def take(self, case: CaseSource) -> None:
        """Store a case, or what its source says about it now, or note why not.

        Raises:
            StorageError: The store cannot write.
        ConflictError: Another import has given the patient another split meanwhile than this source says.
        """
        known = self._cases.get(case.name)
        if self._seen_files.look(case, known) and known is not None and not self._rehash:
            self.tally.duplicates.append(known.name)
            return
        said, refused = self.tally.said, len(self.tally.refused)
        self._take(case)
        told = len(self.tally.refused) > refused if known is None else self.tally.said > said  # notes of a new image are told once
        if not told and (taken := self._cases.get(case.name)) is not None:
            self._seen_files.keep(case, taken)

    def _take(self, case: CaseSource) -> None:
        try:
            read = _kept(case, self._images.read(case), self._words, self._dataset.blank)
            known = self._known(case, read)
            grid = read.image.grid if known is None else known.grid
            label, said = self._label(case, read, grid)
        except _READ_FAULTS as error:
            self.tally.refused.append(_refusal(case, error))
            return
        try:
            if known is None:
                self._add(case, read, label, said)
            else:
                self._update(case, known, read, label, said)
        except (InputError, ConflictError, MemoryError) as error:
            with self._workspace.store.read() as tx:
                grown = tx.count(Case) != self._seen
            if not grown:
                self.tally.refused.append(_refusal(case, error))
                return
            self._look()  # others import at the same time: this may be their case, or its patient theirs
            self._take(case)
            return
        for other in case.more:
            self._take_more(other, read)
        for number, reference in enumerate(case.references, start=1):
            renamed = case.label and reference.acquired is None  # its file's name holds what the case's does
            self._take_reference(case, replace(reference, name=f"series {number}") if renamed else reference)

    def _take_more(self, case: CaseSource, read: "_Read") -> None:
        """Store what somebody else says of a case that is there now, or note why not."""
        known = self._cases[case.name]
        try:
            label, said = self._label(case, read, known.grid)
            given = self._incoming(case, label, known.split)
            taken = None if given is None else take_later(self._workspace, known, given, self._importer, self._actor)
        except _READ_FAULTS as error:
            self.tally.refused.append(_refusal(case, error))
            return
        self.tally.remark(case.name, *said)
        if isinstance(taken, Refusal):
            self.tally.refused.append(taken)
        elif taken in ("annotated", "corrected"):
            self.tally.further += 1
            self.tally.remark(case.name, "more people than one have annotated it")

    def _take_reference(self, case: CaseSource, reference: CaseSource) -> None:
        """Keep another series of a case's patient beside it, or note why not."""
        known = self._cases[case.name]
        named = replace(reference, label=case.label and (reference.label or reference.name))
        try:
            found = _kept(named, image_of(named), self._words, self._dataset.blank)
            new = NewReference(named.name, self._words.notes(named, found.notes), registered=case.joining.registered)
            kept = keep_reference(self._workspace, known, found.found, new, actor=self._actor)
        except _READ_FAULTS as error:
            self.tally.refused.append(_refusal(replace(named, label=f"{case.label or case.name}, reference {named.name}"), error))
            return
        self.tally.references += kept.is_new

    def _label(self, case: CaseSource, read: "_Read", grid: Grid) -> tuple["_Labelled | None", tuple[str, ...]]:
        """What the source says of a case; a DICOM annotation that cannot be used costs itself, not the image."""
        task = self._workspace.task
        if not case.objects:
            annotated = annotated_by(task, self._dataset, self.values, case, self._rule)
            found = read_label(case, read.found.image, grid, self.values, partly=bool(annotated))
            annotated, more = (annotated, ()) if self._ruled else annotated_in(task, found, case, annotated)
            require_annotated(found.label, annotated, task, case)
            return None if found.label is None else _Labelled(found.label, annotated), (*found.notes, *more)
        dicom = aliases_of(self._workspace, read.dicom)
        made = read_objects(case.objects, grid, dicom, task, threshold=self._dataset.threshold)
        self._words.meet(case, made.words)
        rule = "an annotation of it is left out"
        self.tally.refused += [Refusal(case.label or case.name, f"{rule}: {fault.message}", "", fault.remedy) for fault in made.faults]
        return None if made.mask is None else _Labelled(made.mask, every_as_none(task, set(made.values))), made.notes

    def _known(self, case: CaseSource, read: "_Read") -> Case | None:
        """The case of the project that this one is.

        Raises:
            InputError: Another image of this name, or the same image under another name.
        """
        known = self._cases.get(case.name)
        if known is not None and (known.source.sha256 == read.found.source.sha256 or self._has_voxels(known, read.image)):
            return known
        if known is not None:
            what = "the project already has another image of this name"
        elif read.found.source.sha256 in self._digests:
            what = f"its bytes equal those of {self._digests[read.found.source.sha256]}, a duplicate"
        else:
            self._require_own_patient(case, read.found.source)
            return None
        raise InputError(f"{case.name}: {what}", remedy="rename it, or leave one of the two out")

    def _require_own_patient(self, case: CaseSource, source: Source) -> None:
        """Refuse an image that stands beside a case of another patient: one patient would be in two splits.

        Raises:
            InputError: Then.
        """
        named, patient = self._beside.get(source.sha256, ("", ""))
        if named and patient != self._words.patient(case):
            raise InputError(
                f"{case.name}: it is {named}, whose patient is {patient}", remedy="give it that patient, or take the reference away"
            )

    def _has_voxels(self, case: Case, image: Image) -> bool:
        """Whether a case has the very voxels of an image at the same place: one exported here, or packed again, is another file."""
        if (image.channels, image.grid.shape) != (case.channels, case.grid.shape) or not image.grid.same_as(case.grid):
            return False
        try:
            return np.array_equal(load_image(self._workspace.store.blobs, case).array, storable(image))
        except (IntegrityError, NotFoundError):
            return False

    def _said_of_image(self, case: Case, image: Image) -> tuple[str, ...]:
        if not case.voxels:  # removed on purpose: no import brings it back
            return ("stays without its image, which the retention rule removed; import it into a new project",)
        return ("had a damaged image, which is whole again by this file",) if self._restored(case, image) else ()

    def _restored(self, case: Case, image: Image) -> bool:
        """Whether the voxels of a case were damaged or gone and are stored anew: the same voxels are the same bytes."""
        blobs = self._workspace.store.blobs
        try:
            blobs.check(case.voxels)
        except BlobError:
            for data in encodings(storable(image)):
                if hashlib.sha256(data).hexdigest() == case.voxels:
                    blobs.put(data)
                    return True
        return False

    def _incoming(self, case: CaseSource, answer: "_Labelled | None", split: Split) -> Incoming | None:
        """The case's label with its author, if it is requested; a note when it is not."""
        wanted = self._annotations == "all" or (self._annotations == "evaluation" and split in EVALUATION_SPLITS)
        if answer is None:
            return None
        if not wanted:
            self.tally.remark(case.name, f"has a label that was not requested (--annotations {self._annotations})")
            return None
        return Incoming(answer.label, self._author(case), case.annotated_at, case.effort_seconds, case.untouched, answer.annotated)

    def _author(self, case: CaseSource) -> Annotator:
        """Whose the label is: whom the source names, else the importer."""
        if not case.annotator:
            return self._importer
        try:
            return annotator_named(self._workspace, case.annotator)
        except InputError as error:
            self.tally.remark(case.name, f"its annotator's name cannot be kept ({error.message}); the label counts as imported")
            return self._importer

    def _add(self, case: CaseSource, read: "_Read", answer: "_Labelled | None", said: tuple[str, ...]) -> None:
        split = self._splits[case.name]
        given = self._incoming(case, answer, split)
        notes = self._words.notes(case, (*read.notes, *said, *case.notes))
        new = NewCase(
            name=case.name,
            patient=self._words.patient(case),
            split=split,
            source=read.found.source,
            notes=self._words.stored_notes(case, notes),
            stratum=case.stratum or (case.tag or ""),
            channel_names=self._channels,
            frames=case.frames,
            groups=case.groups,
        )
        made = add_case(self._workspace, read.image, new, given, actor=self._actor, follow=False)
        self._seen += 1
        self._cases[case.name], self._digests[made.source.sha256] = made, made.name
        self.tally.added.append(case.name)
        twin = self._voxels.setdefault((made.voxels, made.grid.shape), made.name)
        if twin != made.name:
            self.tally.remark(case.name, f"has the very voxels of {twin}; where it is the same image, flag one of the two")
        if made.source.sha256 in self._beside:
            self.tally.remark(case.name, f"is {self._beside[made.source.sha256][0]}, too")
        self.tally.labelled += given is not None
        self.tally.remark(case.name, *notes)
        if case.name in self._along:
            self.tally.remark(case.name, f"kept for {split}, where the source has another image of the patient")

    def _update(self, case: CaseSource, known: Case, read: "_Read", answer: "_Labelled | None", said: tuple[str, ...]) -> None:
        """Take what the source says now of a case that is there."""
        if composed(known.patient) not in (case.patient, self._words.patient(case)):
            self.tally.remark(case.name, "stays with the patient it was imported with, the source now names another")
        if case.split not in (None, known.split):
            self.tally.remark(case.name, f"stays in {known.split} as splits never move, the source now says {case.split}")
        if known.grid != read.image.grid:
            self.tally.remark(case.name, "keeps the voxel size and position it was imported with, they read differently now")
        self.tally.remark(case.name, *self._said_of_image(known, read.image))
        if known.source.sha256 != read.found.source.sha256:
            self.tally.remark(case.name, "its file is another one than was imported, with the same voxels at the same place")
        if case.frames and dict(case.frames) != known.source.frames:
            self.tally.remark(case.name, "keeps its named frames as they were imported first; move them on the page")
        given = self._incoming(case, answer, known.split)
        if self._dataset.blank and not known.source.dicom.get("blanked"):
            self.tally.remark(case.name, "keeps its pixels as they were imported, nothing is blanked: import it into a new project")
        self.tally.remark(case.name, *self._words.notes(case, said))
        if answer is None and was_imported(self._workspace, known):
            self.tally.remark(case.name, "the source has no label of it now; the one imported before stays, a flag takes it back")
        taken = "known" if given is None else take_later(self._workspace, known, given, self._importer, self._actor)
        if isinstance(taken, Refusal):
            self.tally.refused.append(taken)
        else:
            {"known": self.tally.duplicates, "annotated": self.tally.annotated, "corrected": self.tally.corrected}[taken].append(known.name)


@dataclass(frozen=True)
class _Labelled:
    """A label in the task's values, and the labels that it annotates."""

    label: Mask | int
    annotated: tuple[int, ...]


@dataclass(frozen=True)
class _Read:
    """A case's image as it is kept, with the pixel size of its list, and what its DICOM files call its slices."""

    found: ReadImage
    image: Image
    dicom: Json
    unused_size: str = ""

    @property
    def notes(self) -> tuple[str, ...]:
        """The reader's notes that still hold."""
        sized = self.image is not self.found.image
        kept = tuple(note for note in self.found.notes if not (sized and note == UNSIZED))
        return (*kept, self.unused_size) if self.unused_size else kept


def _kept(case: CaseSource, stored: ReadImage, words: Deidentifying, blank: Blank) -> _Read:
    require_intensities(case.images[0].name, stored)
    found = words.read(case, stored, blank)
    return _Read(found, case.sized(found.image), stored.source.dicom, _unused_size(case, found.image))


def _unused_size(case: CaseSource, image: Image) -> str:
    """A note when the pixel size of a list is not the one that the file has; the file's is kept."""
    own = np.asarray(image.grid.spacing_mm)[:2]
    if case.pixel_mm is None or case.sized(image) is not image or np.allclose(own, case.pixel_mm, rtol=1e-3):
        return ""
    return f"its pixel size in the list is {case.pixel_mm:g} mm, the file has {own[0]:.4g} × {own[1]:.4g} mm of its own, which is kept"


def _refusal(case: CaseSource, error: BaseException) -> Refusal:
    """Why a case stays out, in words whatever went wrong; under the name that its files have, for whoever imports them."""
    name = case.label or case.name
    if isinstance(error, MedloopError):
        return Refusal(name, error.message.removeprefix(f"{name}: "), "", error.remedy)
    if isinstance(error, MemoryError):
        return Refusal(name, "there is not enough memory to read it", "", "crop it, or use a machine with more memory")
    reason = (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
    return Refusal(name, f"it cannot be read: {reason}", "", "check that the file exists and may be read, and repeat the import")
