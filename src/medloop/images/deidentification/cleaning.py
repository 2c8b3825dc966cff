"""A DICOM dataset without what names anybody: made anew from what the table keeps, never edited in place.

Source: DICOM PS3.15 annex E (profile, options), PS3.16 CID 7050 (codes of methods), PS3.3 C.12.1.1.7.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydicom.datadict import keyword_for_tag
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence

from medloop.core.errors import FormatError
from medloop.images.deidentification.profile import PRIVATE, Action, actions, table_codes
from medloop.images.deidentification.pseudonyms import STANDARD, Pseudonyms
from medloop.images.deidentification.values import kept, known_code, shifted, undated

DEEPEST = 8
"""Sequences within sequences that are kept; images of the standard have four at most."""

METHOD = "medloop: keep-list by PS3.15 E.1-1, 2024b"
_REPLACED = "REMOVED"
_CHARACTER_SET = 0x00080005
_PROFILE = ("113100", "Basic Application Confidentiality Profile")
_CLEAN_PIXELS = ("113101", "Clean Pixel Data Option")
_RETAIN_UIDS = ("113110", "Retain UIDs Option")
_MODIFIED_DATES = ("113107", "Retain Longitudinal Temporal Information Modified Dates Option")


@dataclass(frozen=True)
class Cleaning:
    """How one file is cleaned.

    Attributes:
        pseudonyms: Of the project.
        patient: The word for its patient.
        shift_dates: Whether dates move back, the same for all of a patient; else they go.
        keep_uids: Whether UIDs stay as they are.
        blanked: Whether regions of the pixels are blanked.
    """

    pseudonyms: Pseudonyms
    patient: str
    shift_dates: bool = False
    keep_uids: bool = False
    blanked: bool = False


def action_of(tag: int) -> Action:
    """What happens to an attribute: what the table does not have is removed."""
    return actions().get(tag, "remove")


def removed_from(tags: Dataset) -> Iterator[str]:
    """Attributes at the top level of a dataset that have a value and are not kept; nothing is parsed."""
    for tag in tags.keys():  # noqa: SIM118  # iterating a dataset would parse every value
        if action_of(tag) != "keep" and tag != _CHARACTER_SET and not _is_empty(tags.get_item(tag)):
            yield name_of(tag)


def name_of(tag: Any) -> str:
    """What an attribute is counted as: never a word of the file's own."""
    if tag.is_private:
        return PRIVATE
    return keyword_for_tag(tag) or f"unknown ({tag.group:04x},{tag.element:04x})"


def cleaned(tags: Dataset, how: Cleaning, tally: Counter[str]) -> Dataset:
    """A new dataset of what the table keeps, with its file meta group; the pixels are taken as they are.

    Args:
        tags: As it was read.
        how: See `Cleaning`.
        tally: Takes how often each attribute was removed or replaced.

    Raises:
        FormatError: A class of objects that is not of the standard, or sequences nested too deeply.
    """
    if not str(tags.get("SOPClassUID", "") or "").startswith(STANDARD):
        raise FormatError("its class of objects must be one of the standard", remedy="convert it to a standard image")
    made = _copied(tags, how, tally, 0)
    made.SpecificCharacterSet = "ISO_IR 192"
    made.PatientID, made.PatientName = how.patient, how.patient
    made.PatientIdentityRemoved, made.DeidentificationMethod = "YES", METHOD
    made.DeidentificationMethodCodeSequence = [_method(*code) for code in _methods(how)]
    made.LongitudinalTemporalInformationModified = "MODIFIED" if how.shift_dates else "REMOVED"
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = tags.file_meta.TransferSyntaxUID
    made.file_meta.MediaStorageSOPClassUID, made.file_meta.MediaStorageSOPInstanceUID = made.SOPClassUID, made.SOPInstanceUID
    made.preamble = b"\0" * 128
    return made


def _copied(tags: Dataset, how: Cleaning, tally: Counter[str], depth: int) -> Dataset:
    if depth > DEEPEST:
        raise FormatError(f"its sequences may be nested {DEEPEST} deep, these are nested deeper", remedy="convert it with a tool you trust")
    made = Dataset()
    for tag in sorted(tags.keys()):
        if tag == _CHARACTER_SET:
            continue  # every word that stays is written anew
        if action_of(tag) == "remove":
            tally[name_of(tag)] += not _is_empty(tags.get_item(tag))
            continue
        element = _element(tags, tag)
        new = None if element is None else _treated(element, how, tally, depth)
        if new is not None:
            made.add(new)
        if element is None or new is None or (new.VR != "SQ" and new.value != element.value):
            tally[name_of(tag)] += 1
    return made


def _element(tags: Dataset, tag: Any) -> DataElement | None:
    """An element with its value converted; None where that fails: a value that is not of its kind is not kept."""
    try:
        element: DataElement = tags[tag]
        return element
    except (ValueError, TypeError, KeyError, AttributeError, ArithmeticError, NotImplementedError):
        return None


def _treated(element: DataElement, how: Cleaning, tally: Counter[str], depth: int) -> DataElement | None:
    match action_of(element.tag):
        case "empty":
            return DataElement(element.tag, element.VR, "")
        case "replace":
            return DataElement(element.tag, element.VR, _REPLACED)
        case "pseudonym":
            return DataElement(element.tag, element.VR, how.patient)
        case "uid":
            return _uid(element, how)
        case "date":
            return shifted(element, how.pseudonyms.days(how.patient)) if how.shift_dates else undated(element, table_codes()[element.tag])
        case _:
            return _sequence(element, how, tally, depth) if element.VR == "SQ" else kept(element)


def _uid(element: DataElement, how: Cleaning) -> DataElement | None:
    values = [element.value] if isinstance(element.value, str) or element.value is None else list(element.value)
    if any(str(value).strip("0123456789.") for value in values):
        values = [f"not a uid {value}" for value in values]  # hashed all the same, so that equal ones stay equal
    elif how.keep_uids:
        return element
    new = [how.pseudonyms.uid(str(value or "")) for value in values]
    return DataElement(element.tag, "UI", new if len(new) > 1 else new[0] if new else "")


def _sequence(element: DataElement, how: Cleaning, tally: Counter[str], depth: int) -> DataElement:
    items = []
    for item in element.value:
        if "CodeValue" in item or "CodingSchemeDesignator" in item:
            known = known_code(item)
            tally["codes of no standard dictionary"] += known is None
            items += [] if known is None else [known]
        else:
            items.append(_copied(item, how, tally, depth + 1))
    return DataElement(element.tag, "SQ", Sequence(items))


def _methods(how: Cleaning) -> Iterator[tuple[str, str]]:
    yield _PROFILE
    if how.blanked:
        yield _CLEAN_PIXELS
    if how.shift_dates:
        yield _MODIFIED_DATES
    if how.keep_uids:
        yield _RETAIN_UIDS


def _method(value: str, meaning: str) -> Dataset:
    ds = Dataset()
    ds.CodeValue, ds.CodingSchemeDesignator, ds.CodeMeaning = value, "DCM", meaning
    return ds


def _is_empty(element: Any) -> bool:
    return getattr(element, "length", None) == 0 or element.value in (None, "", b"")
