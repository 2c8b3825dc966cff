"""What an archive is queried for and what it finds, the same over DICOMweb and DIMSE."""

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, TypeAlias

from medloop.core.errors import InputError, SettingError, UnavailableError
from medloop.core.names import folded

MOST_FOUND = 10_000
_UID = re.compile(r"[0-9.]{1,64}")
_UNSAFE = re.compile(r"[\\\x00-\x1f\x7f]")

Take: TypeAlias = Callable[[str, bytes], None]
"""Called with a SOP Instance UID and the bytes of a DICOM file."""

OBJECT_MODALITIES = frozenset({"SEG", "RTSTRUCT", "SR", "PR", "KO", "RTPLAN", "RTRECORD", "REG", "FID", "DOC", "AU", "ECG", "HD", "EPS"})
"""What is no image: annotations and documents."""


@dataclass(frozen=True, kw_only=True)
class PacsQuery:
    """What to look for; everything that is given must fit. `*` stands for any characters in patient, name, accession and description.

    Attributes:
        patient: PatientID.
        name: PatientName.
        date: Of the study: a day, or FROM..TO, each as 2026-01-31 or nothing.
        modality: CT, MR, …: of the series.
        accession: AccessionNumber.
        description: StudyDescription.
        study, series: Instance UIDs.
        limit: Studies at most.
    """

    patient: str = ""
    name: str = ""
    date: str = ""
    modality: str = ""
    accession: str = ""
    description: str = ""
    study: str = ""
    series: str = ""
    limit: int = 100

    def __post_init__(self) -> None:
        for what in ("patient", "name", "date", "modality", "accession", "description"):
            if _UNSAFE.search(getattr(self, what)) or len(getattr(self, what)) > 64:
                raise SettingError(f"--{what} must be up to 64 characters without backslashes and control characters")
        for what in ("study", "series"):
            if getattr(self, what):
                require_uid(getattr(self, what), f"--{what}")
        if self.series and not self.study:
            raise SettingError("A series is looked for within its study", remedy="give --study, too")
        if not 1 <= self.limit <= MOST_FOUND:
            raise SettingError(f"--limit must be 1 to {MOST_FOUND}, got {self.limit}")
        date_range(self.date)

    @property
    def narrows(self) -> bool:
        """Whether anything is given that narrows it, beyond a lone `*`."""
        return any(value.strip("*? ") for value in self.filters().values())

    def filters(self) -> dict[str, str]:
        """Attributes of a study by keyword, as DICOM matches them."""
        wanted = {
            "PatientID": self.patient,
            "PatientName": self.name,
            "StudyDate": date_range(self.date),
            "ModalitiesInStudy": self.modality,
            "AccessionNumber": self.accession,
            "StudyDescription": self.description,
            "StudyInstanceUID": self.study,
        }
        return {keyword: value for keyword, value in wanted.items() if value}


@dataclass(frozen=True)
class FoundStudy:
    """A study of an archive; for the person who queried, and for nothing that is kept."""

    study: str
    patient: str
    date: str
    modalities: str
    description: str
    series: int | None
    instances: int | None


@dataclass(frozen=True)
class FoundSeries:
    """A series of an archive."""

    study: str
    series: str
    modality: str
    description: str
    instances: int | None

    @property
    def is_image(self) -> bool:
        """Whether it may hold images."""
        return self.modality not in OBJECT_MODALITIES


@dataclass(frozen=True)
class FoundStudies:
    """Studies that match, at most as many as the limit; `more` says that others match, too."""

    studies: tuple[FoundStudy, ...]
    more: bool


def matching(listed: Sequence[FoundStudy], query: PacsQuery, server: str) -> FoundStudies:
    """What a server listed, if all of it matches: one that passes over a key that it does not search by lists other patients' studies.

    Raises:
        UnavailableError: Some does not match.
    """
    others = sum(not _fits(one, query) for one in listed)
    if others:
        raise UnavailableError(
            f"The server {server} lists studies that do not match ({others} of {len(listed)}): it does not search by all that was given",
            remedy="give --patient, --date or --study in place of the rest",
        )
    return FoundStudies(tuple(listed[: query.limit]), len(listed) > query.limit)


def _fits(one: FoundStudy, query: PacsQuery) -> bool:
    """Whether a study matches, as far as the server says; what it leaves out is taken on trust. Source: PS3.4 C.2.2.2."""
    modalities = set(one.modalities.split())
    return (
        _like(query.patient, one.patient)
        and _like(query.description, one.description)
        and query.study in ("", one.study)
        and (not query.modality or not modalities or _any_like(query.modality, modalities))
        and _within(date_range(query.date), one.date.strip())
    )


def _any_like(pattern: str, words: Collection[str]) -> bool:
    return any(_like(pattern, word) for word in words)


def _like(pattern: str, value: str) -> bool:
    """Whether a value matches, letter case and spaces at the ends aside."""
    if not pattern or not value.strip():
        return True
    parts = {"*": ".*", "?": "."}
    wanted = "".join(parts.get(letter) or re.escape(letter) for letter in folded(pattern.strip()))
    return re.fullmatch(wanted, folded(value.strip()), re.DOTALL) is not None


def _within(days: str, day: str) -> bool:
    if not days or not re.fullmatch(r"[0-9]{8}", day):
        return True
    first, dash, last = days.partition("-")
    return (first or day) <= day <= ((last or day) if dash else first)


class Archive(Protocol):
    """An archive that is connected to when it is used.

    Every method may raise `UnavailableError` (no connection, wrong credentials, refused, too slow) and `FormatError` (a reply that is
    no DICOM); none raises `SignInError`, which is for who calls medloop. Their words hold no credentials and nothing of a patient.
    """

    def studies(self, query: PacsQuery) -> FoundStudies:
        """Studies that match."""
        ...

    def series(self, study: str) -> tuple[FoundSeries, ...]:
        """All series of a study."""
        ...

    def instances(self, study: str, series: str) -> tuple[str, ...]:
        """SOP Instance UIDs of a series, sorted."""
        ...

    def fetch(self, found: FoundSeries, wanted: Collection[str], take: Take) -> None:
        """Hand over those instances of a series, as they arrive; what `take` raises ends it."""
        ...

    def person(self, study: str) -> Any:
        """A `pydicom.Dataset` with patient and study (`PERSON_TAGS`)."""
        ...

    def store(self, made: Any) -> None:
        """Store a `pydicom.Dataset`."""
        ...


def date_range(text: str) -> str:
    """A day or a range as DICOM matches it, such as 20260101-20260131.

    Raises:
        SettingError: It is neither.
    """
    if not text:
        return ""
    start, dots, end = text.partition("..")
    days = [_day(part) for part in (start, end)] if dots else [_day(start)]
    if not any(days):
        raise SettingError("--date needs a day", remedy="such as 2026-01-31, or 2026-01-01..2026-01-31")
    return "-".join(days)


def _day(text: str) -> str:
    if not text:
        return ""
    try:
        return datetime.strptime(text.replace("-", ""), "%Y%m%d").strftime("%Y%m%d")  # a day has no zone
    except ValueError:
        raise SettingError("--date must be a day, or FROM..TO", remedy="such as 2026-01-31, or 2026-01-01..2026-01-31") from None


def require_uid(uid: str, what: str = "a UID") -> str:
    """The UID, if it is one.

    Raises:
        InputError: It is none.
    """
    if not _UID.fullmatch(uid):
        raise InputError(f"{what} must be up to 64 digits and dots")
    return uid
