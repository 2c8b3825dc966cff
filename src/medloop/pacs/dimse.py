"""An archive over DIMSE: C-FIND, C-GET or C-MOVE, C-STORE. Source: DICOM PS3.4 annexes B and C."""

import threading
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pynetdicom import build_context, build_role, evt

from medloop.core.errors import MedloopError, NotFoundError, UnavailableError
from medloop.images.dicom_series import PERSON_TAGS
from medloop.pacs.archive import FoundSeries, FoundStudies, FoundStudy, PacsQuery, Take, matching, require_uid
from medloop.pacs.associations import PENDING, SUCCESS, SYNTAXES, associated, receiving, storage_classes, storing
from medloop.pacs.quiet import hush, unwarned
from medloop.pacs.sites import Site

_FIND, _MOVE, _GET = "1.2.840.10008.5.1.4.1.2.2.1", "1.2.840.10008.5.1.4.1.2.2.2", "1.2.840.10008.5.1.4.1.2.2.3"
"""Information models with the study as their root. Source: PS3.4 C.6.2.3."""

_SUB_OPERATIONS_FAILED = 0xB000
_ONE_BY_ONE = 0.5

_SHOWN = {
    "STUDY": (
        "StudyInstanceUID",
        "PatientID",
        "StudyDate",
        "ModalitiesInStudy",
        "StudyDescription",
        "NumberOfStudyRelatedSeries",
        "NumberOfStudyRelatedInstances",
    ),
    "SERIES": ("StudyInstanceUID", "SeriesInstanceUID", "Modality", "SeriesDescription", "NumberOfSeriesRelatedInstances"),
    "IMAGE": ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"),
}


class DimseArchive:
    """See `Archive`."""

    def __init__(self, site: Site) -> None:
        hush()
        self.site = site

    def studies(self, query: PacsQuery) -> FoundStudies:
        """See `Archive`."""
        return matching([_study(one) for one in self._matches("STUDY", query.filters(), most=query.limit + 1)], query, self.site.name)

    def series(self, study: str) -> tuple[FoundSeries, ...]:
        """See `Archive`."""
        found = self._matches("SERIES", {"StudyInstanceUID": require_uid(study)})
        return tuple(_series(study, one) for one in found if one["SeriesInstanceUID"])

    def instances(self, study: str, series: str) -> tuple[str, ...]:
        """See `Archive`."""
        wanted = {"StudyInstanceUID": require_uid(study), "SeriesInstanceUID": require_uid(series)}
        return tuple(sorted({one["SOPInstanceUID"] for one in self._matches("IMAGE", wanted) if one["SOPInstanceUID"]}))

    def fetch(self, found: FoundSeries, wanted: Collection[str], take: Take) -> None:
        """See `Archive`."""
        singly = found.instances is not None and len(wanted) < _ONE_BY_ONE * found.instances
        place = {"StudyInstanceUID": require_uid(found.study), "SeriesInstanceUID": require_uid(found.series)}
        queries = [{**place, "SOPInstanceUID": require_uid(uid)} for uid in sorted(wanted)] if singly else [place]
        receipt = _Receipt(wanted, take)
        fetch = self._get if self.site.retrieve == "get" else self._move
        with unwarned():
            fetch([_identifier("IMAGE" if singly else "SERIES", one, ()) for one in queries], receipt)
        receipt.require_sound()

    def _get(self, queries: list[Dataset], receipt: "_Receipt") -> None:
        classes = storage_classes()
        contexts = [build_context(_GET), *(build_context(uid, SYNTAXES) for uid in classes)]
        roles = [build_role(uid, scp_role=True) for uid in classes]
        with associated(self.site, contexts, roles=roles, on_store=storing(receipt.keep)) as made:
            for query in queries:
                self._operations(made.send_c_get(query, _GET), receipt)

    def _move(self, queries: list[Dataset], receipt: "_Receipt") -> None:
        address = (self.site.receive_host, self.site.receive_port)
        handlers = [(evt.EVT_C_STORE, storing(receipt.keep))]
        with receiving(self.site.own_title, [self.site.title], address, handlers), associated(self.site, [build_context(_MOVE)]) as made:
            for query in queries:
                self._operations(made.send_c_move(query, self.site.own_title, _MOVE), receipt)

    def _operations(self, replies: Iterator[Any], receipt: "_Receipt") -> None:
        """Follow a C-GET or C-MOVE to its end; single objects that failed are found out by what lacks."""
        code = None
        for status, _ in replies:
            code = status.get("Status", None)
            receipt.require_sound()
        if code not in (SUCCESS, _SUB_OPERATIONS_FAILED):
            raise self._broken(code)

    def _matches(self, level: str, wanted: Mapping[str, str], *, most: int | None = None) -> list[dict[str, str]]:
        """Every match as text; not more than `most` of them are waited for."""
        found: list[dict[str, str]] = []
        with unwarned(), associated(self.site, [build_context(_FIND)]) as made:
            for status, match in made.send_c_find(_identifier(level, wanted, _SHOWN[level]), _FIND):
                code = status.get("Status", None)
                if code in PENDING and match is not None:
                    found.append({keyword: _word(match, keyword) for keyword in _SHOWN[level]})
                    if most is not None and len(found) >= most:
                        made.abort()  # nothing but the end of the association stops an archive that ignores C-CANCEL
                        return found
                elif code != SUCCESS:
                    raise self._broken(code)
        return found

    def _broken(self, code: int | None) -> MedloopError:
        if code is None:
            return UnavailableError(f"The server {self.site.name} does not reply or broke off", remedy="repeat it later")
        return UnavailableError(f"The server {self.site.name} cannot do this (status {code:#06x})", remedy="see its own log")

    def person(self, study: str) -> Dataset:
        """See `Archive`.

        Raises:
            NotFoundError: The archive does not have the study.
        """
        with unwarned(), associated(self.site, [build_context(_FIND)]) as made:
            replies = list(made.send_c_find(_identifier("STUDY", {"StudyInstanceUID": study}, PERSON_TAGS), _FIND))
        found = [match for _, match in replies if match is not None]
        if len(found) != 1:
            raise NotFoundError(f"The server {self.site.name} has {len(found)} studies of that UID, one is needed")
        person = Dataset()
        with unwarned():
            for keyword in PERSON_TAGS:
                setattr(person, keyword, _word(found[0], keyword))
        return person

    def store(self, made: Any) -> None:
        """See `Archive`.

        Raises:
            UnavailableError: It refused.
        """
        context = build_context(made.SOPClassUID, [made.file_meta.TransferSyntaxUID])
        with unwarned(), associated(self.site, [context]) as association:
            try:
                code = association.send_c_store(made).get("Status", None)
            except ValueError:
                remedy = "see its own log, or push another format"
                raise UnavailableError(f"The server {self.site.name} takes no objects of this kind", remedy=remedy) from None
        if code != SUCCESS:
            raise self._broken(code)


class _Receipt:
    """What arrives of a series; the first thing that goes wrong ends it."""

    def __init__(self, wanted: Collection[str], take: Take) -> None:
        self._wanted, self._take, self._lock = frozenset(wanted), take, threading.Lock()
        self._error: Exception | None = None

    def keep(self, uid: str, content: bytes) -> None:
        """Take an object that was wanted; one that was not is let go."""
        with self._lock:
            if self._error is not None:
                raise OSError
            if uid not in self._wanted:
                return
            try:
                self._take(uid, content)
            except Exception as error:
                self._error = error
                raise

    def require_sound(self) -> None:
        """Pass on what went wrong.

        Raises:
            MedloopError: What taking an object raised.
        """
        if self._error is not None:
            raise self._error


def _identifier(level: str, wanted: Mapping[str, str], shown: Collection[str]) -> Dataset:
    made = Dataset()
    made.SpecificCharacterSet, made.QueryRetrieveLevel = "ISO_IR 192", level
    for keyword in shown:
        setattr(made, keyword, "")
    for keyword, value in wanted.items():
        setattr(made, keyword, value)
    return made


def _word(match: Dataset, keyword: str) -> str:
    value = match.get(keyword, None)
    if value is None:
        return ""
    return "\\".join(map(str, value)) if isinstance(value, MultiValue) else str(value)


def _count(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() else None


def _study(one: Mapping[str, str]) -> FoundStudy:
    return FoundStudy(
        study=require_uid(one["StudyInstanceUID"]),
        patient=one["PatientID"],
        date=one["StudyDate"],
        modalities=one["ModalitiesInStudy"].replace("\\", " "),
        description=one["StudyDescription"],
        series=_count(one["NumberOfStudyRelatedSeries"]),
        instances=_count(one["NumberOfStudyRelatedInstances"]),
    )


def _series(study: str, one: Mapping[str, str]) -> FoundSeries:
    uid, count = require_uid(one["SeriesInstanceUID"]), _count(one["NumberOfSeriesRelatedInstances"])
    return FoundSeries(study, uid, one["Modality"], one["SeriesDescription"], count)
