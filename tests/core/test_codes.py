import pytest
from pydicom.sr.codedict import codes

from medloop.core.codes import ANATOMY, KNOWN, PRIVATE, REGION, coded, parse_code
from medloop.core.errors import LabelError
from medloop.core.records import Label


def label(name: str, code: str = "") -> Label:
    return Label(value=1, name=name, colour="#000000", code=code)


def test_every_default_is_a_concept_of_snomed_ct_as_pydicom_has_it() -> None:
    known = {(code.value, code.meaning) for code in (getattr(codes.SCT, name) for name in codes.SCT.dir())}
    for category, kind in KNOWN.values():
        assert (kind.value, kind.meaning) in known
        assert (category.value, category.meaning) in known


def test_a_name_has_its_code_in_any_spelling_and_with_a_side() -> None:
    assert str(coded(label("LIVER")).kind) == "SCT:10200004:Liver"
    for name in ("left kidney", "Kidney_Left", "kidney, left"):
        what = coded(label(name))
        assert what.side is not None
        assert (what.kind.value, what.side.meaning, what.category) == ("64033007", "Left", ANATOMY)


def test_other_names_have_a_private_code_that_depends_on_nothing_but_the_name() -> None:
    one, other = coded(label("Region A")), coded(label("region a"))
    assert (one.kind.scheme, one.kind.value, one.category) == (PRIVATE, other.kind.value, REGION)
    assert len(one.kind.value) <= 16


def test_a_given_code_wins_over_the_name_and_keeps_its_category_where_it_is_known() -> None:
    assert coded(label("foo", "SCT:10200004:Liver")).category == ANATOMY
    assert str(coded(label("liver", "99ABC:1:x")).kind) == "99ABC:1:x"


@pytest.mark.parametrize("text", ["", "SCT:1", "SCT::Liver", "A" * 17 + ":1:x", "SCT:1:" + "x" * 65, "SCT:1\\2:x"])
def test_a_code_that_dicom_cannot_hold_is_refused(text: str) -> None:
    with pytest.raises(LabelError, match="SCHEME:VALUE:MEANING"):
        parse_code(text)
