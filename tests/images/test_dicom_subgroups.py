"""What of a DICOM header puts a case into a subgroup, and what of that is kept."""

import pytest
from pydicom.dataset import Dataset

from medloop.images.dicom_subgroups import header_subgroups, permitted_subgroups


def header(**values: object) -> Dataset:
    tags = Dataset()
    for name, value in values.items():
        setattr(tags, name, value)
    return tags


FULL = header(
    Manufacturer="Siemens", ManufacturerModelName="Skyra of Dr Doe", MagneticFieldStrength="2.89", PatientSex="F", PatientAge="047Y"
)


def test_a_header_names_scanner_and_patient_coarsely() -> None:
    assert header_subgroups(FULL) == {
        "manufacturer": "SIEMENS",
        "scanner": "Skyra of Dr Doe",
        "field strength": "2.9 T",
        "sex": "female",
        "age group": "40 to 49",
    }
    assert header_subgroups(header()) == {}


def test_without_identifiers_only_a_known_manufacturer_and_the_field_strength_are_kept() -> None:
    found = header_subgroups(FULL)
    assert permitted_subgroups(found, keeps=False) == {"manufacturer": "SIEMENS", "field strength": "2.9 T"}
    assert permitted_subgroups(header_subgroups(header(Manufacturer="Doe and sons")), keeps=False) == {}
    assert permitted_subgroups(found, keeps=True) == found


@pytest.mark.parametrize(
    ("age", "group"),
    [("009Y", "0 to 9"), ("006W", "0 to 9"), ("026M", "0 to 9"), ("089Y", "80 to 89"), ("101Y", "90 and older"), ("old", "")],
)
def test_ages_are_told_in_tens_and_the_oldest_together(age: str, group: str) -> None:
    tags = header()
    tags.add_new("PatientAge", "LO", age)  # as odd files have it
    assert header_subgroups(tags).get("age group", "") == group


@pytest.mark.parametrize(("value", "words"), [("1.494", "1.5 T"), ("15000", "1.5 T"), ("3", "3 T"), ("0", ""), ("-1", "")])
def test_a_field_strength_is_told_to_a_tenth_of_a_tesla(value: str, words: str) -> None:
    assert header_subgroups(header(MagneticFieldStrength=value)).get("field strength", "") == words
