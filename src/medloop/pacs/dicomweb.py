"""An archive over DICOMweb: QIDO-RS, WADO-RS, STOW-RS. Source: DICOM PS3.18."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any

from dicomweb_client.web import DICOMwebClient, _Transaction
from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset

from medloop.core.errors import NotFoundError, UnavailableError
from medloop.images.dicom_series import PERSON_TAGS
from medloop.pacs.archive import FoundSeries, FoundStudies, FoundStudy, PacsQuery, Take, matching, require_uid
from medloop.pacs.files import instance_of
from medloop.pacs.quiet import hush, unwarned
from medloop.pacs.sites import Site
from medloop.pacs.web_session import open_session, speaking_to

_AS_STORED = 'multipart/related; type="application/dicom"; transfer-syntax=*'
_PAGE = 5000
_ONE_BY_ONE = 0.5
"""Where less than this share of a series lacks, its instances are fetched singly."""

Attributes = Mapping[str, Any]


class _Client(DICOMwebClient):
    """The client, which also hands over files as they are stored, not decoded."""

    @property
    def session(self) -> Any:
        """Its connections."""
        return self._session

    def stored_parts(self, study: str, series: str, instance: str = "") -> Iterator[bytes]:
        """The files of a series, or one of its instances."""
        url = self._get_series_url(_Transaction.RETRIEVE, study, series)
        url += f"/instances/{instance}" if instance else ""
        reply = self._http_get(url, headers={"Accept": _AS_STORED}, stream=True)
        kind = reply.headers.get("Content-Type", "")
        if kind.startswith("application/dicom") and "json" not in kind:  # one part without its envelope
            yield reply.content
        elif kind.startswith("multipart/related"):
            yield from map(bytes, self._decode_multipart_message(reply, stream=True))
        else:
            reply.close()
            raise ValueError


class WebArchive:
    """See `Archive`."""

    def __init__(self, site: Site) -> None:
        hush()
        self.site = site

    @cached_property
    def _client(self) -> _Client:
        made = _Client(self.site.url.rstrip("/"), session=open_session(self.site), timeout=self.site.timeout_seconds)
        made.set_http_retry_params(retry=False)
        return made

    @contextmanager
    def _speaking(self) -> Iterator[None]:
        """See `speaking_to`; its connections end with it."""
        with speaking_to(self.site), unwarned():
            session = self._client.session
            try:
                yield
            finally:
                session.close()

    def studies(self, query: PacsQuery) -> FoundStudies:
        """See `Archive`."""
        shown = ["StudyDescription", "ModalitiesInStudy", "NumberOfStudyRelatedSeries", "NumberOfStudyRelatedInstances"]
        with self._speaking():
            found = _listed(
                self._client.search_for_studies(limit=query.limit + 1, fields=shown, search_filters=query.filters()), "StudyInstanceUID"
            )
            return matching([_study(one) for one in found[: query.limit + 1]], query, self.site.name)

    def series(self, study: str) -> tuple[FoundSeries, ...]:
        """See `Archive`."""
        shown = ["Modality", "SeriesDescription", "NumberOfSeriesRelatedInstances"]
        with self._speaking():
            found = _listed(self._client.search_for_series(require_uid(study), fields=shown), "SeriesInstanceUID")
            return tuple(_series(study, one) for one in found)

    def instances(self, study: str, series: str) -> tuple[str, ...]:
        """See `Archive`."""
        known: set[str] = set()
        with self._speaking():
            while True:  # a server may give fewer at a time, or have no pages and give the same again
                page = self._client.search_for_instances(require_uid(study), require_uid(series), limit=_PAGE, offset=len(known))
                before = len(known)
                known |= {_word(one, "SOPInstanceUID") for one in _listed(page, "SOPInstanceUID")}
                if len(known) == before:
                    return tuple(sorted(known))

    def fetch(self, found: FoundSeries, wanted: Collection[str], take: Take) -> None:
        """See `Archive`."""
        singly = found.instances is not None and len(wanted) < _ONE_BY_ONE * found.instances
        with self._speaking():
            if not singly:
                self._take(self._client.stored_parts(found.study, found.series), wanted, take)
                return
            for uid in sorted(wanted):
                self._take(self._client.stored_parts(found.study, found.series, require_uid(uid)), wanted, take)

    def _take(self, parts: Iterator[bytes], wanted: Collection[str], take: Take) -> None:
        for part in parts:
            uid = instance_of(part)
            if uid in wanted:
                take(uid, part)

    def person(self, study: str) -> Dataset:
        """See `Archive`.

        Raises:
            NotFoundError: The archive does not have the study.
        """
        with self._speaking():
            found = _listed(
                self._client.search_for_studies(fields=list(PERSON_TAGS), search_filters={"StudyInstanceUID": study}), "StudyInstanceUID"
            )
            if len(found) != 1:
                raise NotFoundError(f"The server {self.site.name} has {len(found)} studies of that UID, one is needed")
            made = Dataset()
            for keyword in PERSON_TAGS:
                setattr(made, keyword, _word(found[0], keyword))
            return made

    def store(self, made: Any) -> None:
        """See `Archive`.

        Raises:
            UnavailableError: It refused.
        """
        with self._speaking():
            reply = self._client.store_instances([made])
            failed = reply.get("FailedSOPSequence", None)
            if failed:
                reason = int(failed[0].get("FailureReason", 0) or 0)
                raise UnavailableError(f"The server {self.site.name} did not store it (reason {reason:#06x})", remedy="see its own log")


def _listed(found: Sequence[Attributes], needed: str) -> list[Attributes]:
    """Matches, each with the UID that it is called by; the caller's `speaking_to` turns what is none into words."""
    if not all(_word(one, needed) for one in found):
        raise TypeError
    return list(found)


def _study(one: Attributes) -> FoundStudy:
    return FoundStudy(
        study=require_uid(_word(one, "StudyInstanceUID")),
        patient=_word(one, "PatientID"),
        date=_word(one, "StudyDate"),
        modalities=_word(one, "ModalitiesInStudy").replace("\\", " "),
        description=_word(one, "StudyDescription"),
        series=_count(one, "NumberOfStudyRelatedSeries"),
        instances=_count(one, "NumberOfStudyRelatedInstances"),
    )


def _series(study: str, one: Attributes) -> FoundSeries:
    uid, count = require_uid(_word(one, "SeriesInstanceUID")), _count(one, "NumberOfSeriesRelatedInstances")
    return FoundSeries(study, uid, _word(one, "Modality"), _word(one, "SeriesDescription"), count)


def _word(one: Attributes, keyword: str) -> str:
    """The value of an attribute in DICOM's JSON as text, "" where missing. Source: PS3.18 F.2."""
    values = one.get(f"{tag_for_keyword(keyword):08X}", {}).get("Value", [])
    plain = [value.get("Alphabetic", "") if isinstance(value, dict) else str(value) for value in values if value is not None]
    return "\\".join(plain)


def _count(one: Attributes, keyword: str) -> int | None:
    word = _word(one, keyword)
    return int(word) if word.isascii() and word.isdigit() else None
