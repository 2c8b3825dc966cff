"""What a project calls the patients of a source, so that one patient has one word whatever an import was told to keep.

A patient may be known by the word that stands for PatientID, by its keyed hash, by the id itself (a table of another import), or by what
`medloop deidentify` wrote into files. Whoever is known by one of these stays who they are: two words for one patient could be put into
two splits.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from medloop.core.names import composed
from medloop.datasets.dataset import CaseSource, HeaderWords
from medloop.images.deidentification.naming import names_somebody
from medloop.images.deidentification.pseudonyms import Pseudonyms
from medloop.images.dicom_series import FROM_ID, patient_word

_LEAST_ID = 4
"""Shorter ids stand for different people in different sources."""


@dataclass(frozen=True)
class PatientRule:
    """Which patients get words by keyed hash.

    Attributes:
        words: Of the project's key; None where it has none and needs none.
        every: All new patients do.
        named: Those of headers do, and those whose word holds what a header says of them.
    """

    words: Pseudonyms | None
    every: bool
    named: bool


def patients_called(cases: Iterable[CaseSource], known: Iterable[str], rule: PatientRule) -> Mapping[str, str]:
    """The source's word for each patient → the project's.

    Args:
        cases: Of the source.
        known: Patients that the project has.
        rule: For patients that it does not have.
    """
    headers: dict[str, list[HeaderWords]] = defaultdict(list)
    for case in cases:
        headers[case.patient].append(case.header)
    there = {composed(patient) for patient in known}
    ids = {patient_word(patient): patient for patient in there if len(patient) >= _LEAST_ID}
    return {patient: _called(patient, found, (there, ids), rule) for patient, found in headers.items()}


def _called(patient: str, headers: Sequence[HeaderWords], known: tuple[set[str], Mapping[str, str]], rule: PatientRule) -> str:
    there, ids = known
    somebody = any(names_somebody(patient, one.identifiers) for one in headers)
    people = sorted({one.patient for one in headers if one.patient.startswith(FROM_ID)}) if somebody else []
    for form in _forms([composed(patient), *people], rule.words):
        if form in there:
            return form
        if form in ids:
            return ids[form]
    if rule.words is None or not (rule.every or rule.named):
        return patient
    from_header = any(one.patient == patient for one in headers)
    if rule.every or somebody or from_header:
        return rule.words.patient(people[0] if len(people) == 1 else patient)
    return patient


def _forms(patients: Sequence[str], words: Pseudonyms | None) -> list[str]:
    """Every word by which the project may know a patient, the plainest first."""
    plain = [form for one in patients for form in (one, *([patient_word(one)] if len(one) >= _LEAST_ID else ()))]
    if words is None:
        return plain
    keyed = [words.patient(one) for one in plain]
    cleaned = [words.patient(patient_word(one)) for one in keyed]
    return [*plain, *keyed, *cleaned]
