"""What an import keeps of a source's words: pseudonyms for patients and UIDs, terms for texts, other names where a name names somebody.

What the project knows already keeps the words that it has: cases and patients that came in before stay who they are.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from medloop.core.image import Image
from medloop.core.names import composed
from medloop.core.records import Case, Display, Json, Source, Window
from medloop.datasets.dataset import Blank, CaseSource, Dataset
from medloop.datasets.files import IMAGE_SUFFIXES
from medloop.images.deidentification.burned_in import BURNED_IN
from medloop.images.deidentification.naming import hidden, names_somebody
from medloop.images.deidentification.pixels import to_blank
from medloop.images.deidentification.profile import is_term
from medloop.images.deidentification.pseudonyms import STANDARD, Pseudonyms
from medloop.images.dicom_subgroups import SUBGROUPS, permitted_subgroups
from medloop.images.result import ReadImage
from medloop.loop.data.patient_words import PatientRule, patients_called
from medloop.loop.foundation.pseudonyms import has_key, pseudonyms_of, require_key
from medloop.loop.foundation.workspace import Workspace

RENAMED = "its files' names hold what their header says of the patient, so that it is called by a word; `identifiers=kept` keeps names"
_A_FILE = "a file"


@dataclass
class Deidentifying:
    """The rules of one import.

    Attributes:
        removed: Attribute → in how many files it was and is not kept.
    """

    workspace: Workspace
    known: Iterable[Case]
    removed: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._called: dict[str, str] = {}
        self._met: dict[str, tuple[str, ...]] = {}
        self._keeps = self.workspace.settings.identifiers == "kept"
        self._all = self.workspace.settings.case_names == "keyed"
        cases = list(self.known)
        self._names = {composed(case.name): case for case in cases}
        self._words: Pseudonyms | None = None
        if not self._keeps or self._all or has_key(self.workspace):
            self._words = pseudonyms_of(self.workspace)
        require_key(self.workspace, self._words.mark if self._words else None)

    def dataset(self, dataset: Dataset) -> Dataset:
        """The source with the names that its cases get, and with one word for each patient of the project."""
        known = [case.patient for case in self._names.values()]
        called = patients_called(dataset.cases, known, PatientRule(self._words, self._all, not self._keeps))
        first: dict[str, str] = {}
        for patient in sorted(called):
            first.setdefault(called[patient], patient)
        self._called = {patient: word for word, patient in first.items()}
        taken = {composed(case.name) for case in dataset.cases}
        cases = (replace(self._named(case, taken), patient=first[called[case.patient]]) for case in dataset.cases)
        return replace(dataset, cases=tuple(cases))

    def patient(self, case: CaseSource) -> str:
        """Whose a case of `dataset` is called in the project."""
        return self._called[case.patient]

    def _named(self, case: CaseSource, taken: set[str]) -> CaseSource:
        if self._words is None or composed(case.name) in self._names:
            return case
        keyed = self._words.case(composed(case.name))
        if self._all or keyed in self._names or (not self._keeps and names_somebody(case.name, case.header.identifiers)):
            notes = case.notes if self._all else (*case.notes, RENAMED)
            return replace(case, name=keyed, label=case.name, notes=notes)
        if case.header.plain_name and not self._keeps:
            plain = case.header.plain_name
            return replace(case, name=keyed if composed(plain) in taken else plain, label=case.name)
        return case

    def read(self, case: CaseSource, found: ReadImage, blank: Blank) -> ReadImage:
        """An image as it is kept: its source without what names anybody, its pixels blanked where that is asked for, or was before.

        Raises:
            FormatError: Boxes beside the image, or no ultrasound regions.
        """
        removed = found.source.dicom.get("removed", {})
        dicom = {name: value for name, value in found.source.dicom.items() if name not in ("removed", SUBGROUPS)}
        if not self._keeps:
            self.removed.update(removed)
            dicom = self._dicom(dicom)
        if self._all and self._words is not None:
            dicom["key"] = self._words.mark  # names and patients of every format are of this key
        known = self._names.get(composed(case.name))
        before = _blanked_before(known)
        image, notes = found.image, found.notes
        if blank or before:
            wanted = before or blank
            image, dicom = _blanked(case.label or case.name, image, wanted, dicom)
            notes = tuple(note for note in notes if not note.startswith(BURNED_IN))
        groups = permitted_subgroups(found.source.dicom.get(SUBGROUPS, {}), keeps=self._keeps)
        source = replace(found.source, dicom=dicom, groups=groups)
        if self._keeps and not case.label:
            return replace(found, image=image, source=source, notes=notes)
        source = replace(source, names=self._file_names(case, source), display=_display(source.display))
        return replace(found, image=image, source=source, notes=notes)

    def meet(self, case: CaseSource, words: Iterable[str]) -> None:
        """Free words of a case's annotations, which are printed and not stored."""
        self._met[case.name] = tuple(words)

    def stored_notes(self, case: CaseSource, notes: Iterable[str]) -> tuple[str, ...]:
        """Notes as the project keeps them: without what annotations call their segments and files."""
        words = () if self._keeps else self._met.get(case.name, ())
        return tuple(hidden(note, words) for note in notes) if words else tuple(notes)

    def notes(self, case: CaseSource, notes: Iterable[str]) -> tuple[str, ...]:
        """Notes of a case without words of its header, and without its files' names where it is called by a word."""
        if self._keeps and not case.label:
            return tuple(notes)
        words = (*case.header.identifiers, *case.header.odd_words)
        files = [*case.images, *case.objects, *([case.mask] if case.mask else [])] if case.label else []
        return tuple(self._note(note, words, files) for note in notes)

    def _note(self, note: str, words: tuple[str, ...], files: Iterable[Path]) -> str:
        if note == RENAMED:
            return note
        for name in sorted({path.name for path in files}, key=len, reverse=True):
            note = note.replace(name, _A_FILE)
        return hidden(note, words) if words else note

    def _dicom(self, dicom: dict[str, Any]) -> dict[str, Any]:
        if self._words is None or not dicom:
            return dicom
        single: dict[str, Any] = {name: self._words.uid(dicom[name]) for name in ("study", "series", "frame_of_reference") if name in dicom}
        instances = [self._words.uid(uid) for uid in dicom.get("instances", ())]
        if "channel_instances" in dicom:
            single["channel_instances"] = [self._words.uid(uid) for uid in dicom["channel_instances"]]
        sop_class = dicom.get("sop_class", "")
        kept = {"sop_class": sop_class if str(sop_class).startswith(STANDARD) else "", "instances": instances, "key": self._words.mark}
        return dicom | single | kept

    def _file_names(self, case: CaseSource, source: Source) -> tuple[str, ...]:
        """Names of files that name nobody: the case's, where its own are replaced or theirs hold words of the header."""
        somebody = any(names_somebody(name, case.header.identifiers) for name in source.names)
        if not (case.label or somebody):
            return source.names
        one = len(source.names) == 1
        return tuple(f"{case.name}{'' if one else f'_{n:04}'}{''.join(_suffix(name))}" for n, name in enumerate(source.names))


def aliases_of(workspace: Workspace, dicom: Json) -> Json:
    """What a series keeps, with the words of this project for its instances: objects that were exported here name these."""
    words = pseudonyms_of(workspace)
    return {**dicom, "aliases": [words.uid(uid) for uid in dicom.get("instances", ())]}


def _suffix(name: str) -> list[str]:
    """The last suffixes of a file's name, as far as they are letters and digits of a format."""
    return [one for one in PurePosixPath(name).suffixes[-2:] if one.lower() in _SUFFIXES]


_SUFFIXES = frozenset({*IMAGE_SUFFIXES, ".nii", ".gz", ".seg", ".dcm", ".hdr", ".img"})


def _blanked_before(known: Case | None) -> Blank:
    record = known.source.dicom.get("blanked") if known is not None else None
    if not record:
        return Blank()
    return Blank(tuple((int(x), int(y), int(w), int(h)) for x, y, w, h in record["boxes"]), bool(record["outside"]))


def _blanked(name: str, image: Image, wanted: Blank, dicom: dict[str, Any]) -> tuple[Image, dict[str, Any]]:
    columns, rows = image.grid.shape[:2]
    regions = [(int(x), int(y), int(w), int(h)) for x, y, w, h in dicom.get("regions", ())]
    blank = to_blank((rows, columns), wanted.boxes, regions, outside=wanted.outside, name=name)
    array = np.array(image.array)
    array[:, blank.T] = array.min()
    record = {"boxes": [list(box) for box in wanted.boxes], "outside": wanted.outside}
    return Image(array, image.grid), dicom | {"blanked": record}


def _display(display: Display | None) -> Display | None:
    """How the files ask to be shown, with terms of the standard only."""
    if display is None:
        return None
    windows = tuple(_window(window, number) for number, window in enumerate(display.windows, start=1))
    modality, unit = (word if is_term(word) else "" for word in (display.modality, display.unit))
    return replace(display, windows=windows, modality=modality, unit=unit if unit or not display.unit else "")


def _window(window: Window, number: int) -> Window:
    if not window.explanation or is_term(window.explanation):
        return window
    return replace(window, name="DICOM" if number == 1 else f"DICOM {number}", explanation="")
