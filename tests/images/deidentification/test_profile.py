"""The table against the standard's own: nothing that E.1-1 lists is kept, and nothing unlisted stays."""

import csv
from collections import Counter
from importlib.resources import files
from typing import get_args

import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from medloop.core.errors import FormatError
from medloop.images.deidentification.burned_in import burned_in_note
from medloop.images.deidentification.cleaning import Cleaning, cleaned
from medloop.images.deidentification.naming import hidden, identifiers_in, names_somebody
from medloop.images.deidentification.profile import Action, actions, is_term
from medloop.images.deidentification.pseudonyms import LONGEST_SHIFT_DAYS, Pseudonyms
from medloop.images.deidentification.values import kept, shifted, undated

WORDS = Pseudonyms(b"k" * 32)
ROWS = list(csv.DictReader((files("medloop.images.deidentification") / "profile.csv").read_text().splitlines()))
OF_THE_STANDARD = {"D", "Z", "X", "U", "Z/D", "X/Z", "X/D", "X/Z/D", "X/Z/U*"}


def header(**values: object) -> Dataset:
    ds = Dataset()
    ds.file_meta = pydicom.dataset.FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.SOPClassUID, ds.SOPInstanceUID, ds.PatientID = CTImageStorage, "1.2.3", "4711"
    for keyword, value in values.items():
        setattr(ds, keyword, value)
    return ds


def clean(ds: Dataset, *, shift: bool = False, uids: bool = False) -> Dataset:
    return cleaned(ds, Cleaning(WORDS, "patient-a", shift, uids), Counter())


def test_every_row_is_an_attribute_once_with_a_known_action_and_code() -> None:
    names = [row["attribute"] for row in ROWS]
    assert len(set(names)) == len(names) > 1000
    assert all(tag_for_keyword(name) is not None for name in names)
    assert {row["action"] for row in ROWS} == set(get_args(Action))
    assert {row["table"] for row in ROWS} - {""} == OF_THE_STANDARD


def test_no_attribute_of_the_standards_table_is_kept_and_its_uids_are_replaced() -> None:
    assert not [row["attribute"] for row in ROWS if row["table"] and row["action"] == "keep"]
    assert not [row["attribute"] for row in ROWS if row["table"] == "U" and row["action"] != "uid"]
    assert not [
        row["attribute"] for row in ROWS if row["action"] == "keep" and dictionary_VR(row["attribute"]) in ("PN", "LT", "ST", "UT", "DA")
    ]


@pytest.mark.parametrize(
    ("name", "action"),
    [
        ("PatientName", "pseudonym"),
        ("PatientBirthDate", "empty"),
        ("StudyDescription", "remove"),
        ("StudyDate", "date"),
        ("SeriesInstanceUID", "uid"),
        ("DeviceSerialNumber", "replace"),
        ("PixelSpacing", "keep"),
    ],
)
def test_what_happens_to_well_known_attributes(name: str, action: str) -> None:
    assert actions()[tag_for_keyword(name) or 0] == action


def test_a_clean_header_says_how_it_was_cleaned() -> None:
    ds = clean(header(PatientName="A^B", StudyDate="20260102"), shift=True)
    assert (ds.PatientName, ds.PatientID, ds.PatientIdentityRemoved) == ("patient-a", "patient-a", "YES")
    assert ds.LongitudinalTemporalInformationModified == "MODIFIED"
    assert [code.CodeValue for code in ds.DeidentificationMethodCodeSequence] == ["113100", "113107"]
    assert clean(header(StudyDate="20260102")).StudyDate == ""


def test_codes_have_the_standards_words_or_go() -> None:
    known, private = Dataset(), Dataset()
    known.CodeValue, known.CodingSchemeDesignator, known.CodeMeaning = "69536005", "SCT", "of Erika"
    private.CodeValue, private.CodingSchemeDesignator, private.CodeMeaning = "1", "99ERIKA", "Head"
    (left,) = clean(header(AnatomicRegionSequence=[known, private])).AnatomicRegionSequence
    assert (left.CodeValue, left.CodeMeaning) == ("69536005", "Head structure (body structure)")


def test_a_value_of_another_kind_than_its_attributes_is_not_kept() -> None:
    assert kept(DataElement(0x00280010, "LO", "Erika")) is None  # Rows
    assert kept(DataElement(0x00280010, "US", 5)) is not None
    emptied = kept(DataElement(0x00180015, "CS", "ERIKA"))  # BodyPartExamined
    assert emptied is not None
    assert emptied.value == ""
    mixed = kept(DataElement(0x00080008, "CS", ["ORIGINAL", "ERIKA"]))
    assert mixed is not None
    assert list(mixed.value) == ["ORIGINAL", "OTHER"]


def test_a_class_of_objects_of_ones_own_and_endless_nesting_are_refused() -> None:
    with pytest.raises(FormatError, match="one of the standard"):
        clean(header(SOPClassUID="1.2.3.4"))
    inner = Dataset()
    for _ in range(10):
        outer = Dataset()
        outer.FrameContentSequence = [inner]
        inner = outer
    with pytest.raises(FormatError, match="nested 8 deep"):
        clean(header(FrameContentSequence=[inner]))


def test_uids_are_keyed_stable_and_valid_and_those_of_the_standard_stay() -> None:
    once, other = WORDS.uid("1.2.3"), Pseudonyms(b"l" * 32).uid("1.2.3")
    assert once == WORDS.uid("1.2.3") != other
    assert pydicom.uid.UID(once).is_valid
    assert WORDS.uid(CTImageStorage) == CTImageStorage
    assert clean(header(SOPInstanceUID="1.2.3"), uids=True).SOPInstanceUID == "1.2.3"


@given(st.dates(min_value=__import__("datetime").date(1920, 1, 1)), st.integers(0, 400), st.text(max_size=20))
def test_a_shift_keeps_the_days_between_two_dates_of_a_patient(day: object, later: int, patient: str) -> None:
    from datetime import date, datetime, timedelta

    assert isinstance(day, date)
    try:
        second = day + timedelta(days=later)
    except OverflowError:
        return
    moved = [shifted(DataElement(0x00080020, "DA", f"{one:%Y%m%d}"), WORDS.days(patient)) for one in (day, second)]
    found = [datetime.strptime(str(one.value), "%Y%m%d").date() for one in moved if one is not None]
    assert found[1] - found[0] == second - day
    assert 1 <= (day - found[0]).days <= LONGEST_SHIFT_DAYS


def test_what_is_no_date_is_not_shifted_and_dates_of_type_1_become_a_day_that_is_none() -> None:
    with pytest.warns(UserWarning, match="Invalid value"):
        wrong = DataElement(0x00080020, "DA", "MUSTERMA")
    assert shifted(wrong, 3) is None
    moment = shifted(DataElement(0x00189074, "DT", "20260105101112.5+0100"), 5)
    assert moment is not None
    assert moment.value == "20251231101112.5+0100"
    assert undated(DataElement(0x00189074, "DT", "2026"), "D").value == "19000101000000"  # type: ignore[union-attr]
    assert undated(DataElement(0x00080021, "DA", "20260101"), "X/D") is None


def test_a_header_whose_identity_was_removed_names_nobody() -> None:
    assert identifiers_in(header(PatientName="Muster^Erika")) == ("Muster", "Erika", "4711")
    assert identifiers_in(header(PatientName="Muster^Erika", PatientIdentityRemoved="YES")) == ()
    assert identifiers_in(header(PatientName="ANON^ANON", PatientID="0000")) == ()


@pytest.mark.parametrize("text", ["MÜLLER_ct", "scan mueller-müller", "x.Müller"])
def test_a_name_is_found_whatever_its_accents_and_letter_case(text: str) -> None:
    assert names_somebody(text, ("Muller",))
    assert not names_somebody(hidden(text, ("Muller",)), ("Muller",))


def test_short_words_count_alone_only() -> None:
    assert names_somebody("ct_Lee_1", ("Lee",))
    assert not names_somebody("sleep", ("Lee",))
    assert hidden("Lee.dcm repeats Lee2.dcm: sleep", ("Lee",)) == "….dcm repeats …2.dcm: sleep"


def test_burned_in_text_is_warned_of_by_kind_unless_the_header_denies_it() -> None:
    assert "ultrasound" in burned_in_note(header(Modality="US"))
    assert burned_in_note(header(Modality="US", BurnedInAnnotation="NO")) == ""
    assert "says so" in burned_in_note(header(Modality="CT", BurnedInAnnotation="YES"))
    assert burned_in_note(header(Modality="CT")) == ""


def test_terms_are_words_of_the_standard() -> None:
    assert is_term("axial")
    assert not is_term("Mustermann")


@pytest.mark.parametrize(
    "text",
    [
        "Mueller",
        "p_MUELLER2",
        "Luedenscheidt_ct",
        "muellerluedenscheidt",
        "Bo2",
        "XuBo_1",
        "scan 03.04.1970",
        "1970-04-03",
        "p4711",
        "4711b",
    ],
)
def test_a_name_is_found_as_people_write_it_in_names_of_files(text: str) -> None:
    words = identifiers_in(header(PatientName="Müller-Lüdenscheidt^Bo", PatientBirthDate="19700403"))
    assert names_somebody(text, words)


@pytest.mark.parametrize("text", ["scan_1", "boxes", "muesli", "47110", "series-2024-04-03"])
def test_other_words_are_no_names(text: str) -> None:
    assert not names_somebody(text, identifiers_in(header(PatientName="Müller-Lüdenscheidt^Bo", PatientBirthDate="19700403")))
