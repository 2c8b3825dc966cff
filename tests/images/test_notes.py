from medloop.images.dicom import _repeats
from medloop.images.notes import grouped_notes, kind_of


def test_the_same_remark_with_other_figures_is_one_line_with_a_count() -> None:
    pairs = [
        ("a", ["gantry tilt of 18.5 degrees; x", "no pixel size is stored; 1 mm is assumed"]),
        ("b", ["gantry tilt of 3.0 degrees; x"]),
        ("c", ["7.dcm repeats 6.dcm and is left out"]),
        ("d", ["9.dcm repeats 8.dcm and is left out", "2.dcm repeats 1.dcm and is left out", "gantry tilt of 1.0 degrees; x"]),
    ]
    groups = grouped_notes(pairs)
    assert [(g.kind, g.cases) for g in groups] == [("tilt", ("a", "b", "d")), ("repeat", ("c", "d")), ("size", ("a",))]
    assert str(groups[0]) == "3 cases: gantry tilt of 18.5 degrees; x (a, b, d)"
    assert str(groups[2]) == "a: no pixel size is stored; 1 mm is assumed"


def test_a_remark_nobody_foresaw_is_kept_under_other() -> None:
    assert kind_of("the moon is up") == "other"
    assert [str(g) for g in grouped_notes([("a", ["the moon is up"])])] == ["a: the moon is up"]


def test_many_cases_are_counted_and_five_are_named() -> None:
    (group,) = grouped_notes((f"c{n}", ["EXIF says to turn the picture (orientation 6); it is kept as stored"]) for n in range(40))
    assert str(group).endswith("(c0, c1, c2, c3, c4 and 35 more)")
    assert str(group).startswith("40 cases: ")


def test_all_files_that_repeat_others_are_named_in_one_note() -> None:
    assert _repeats([]) == []
    assert _repeats([("b.dcm", "a.dcm")]) == ["b.dcm repeats a.dcm and is left out"]
    many = _repeats([(f"copy{n}.dcm", f"{n}.dcm") for n in range(12)])
    assert len(many) == 1
    assert many[0].startswith("copy0.dcm repeats 0.dcm and is left out, and so are 11 more that repeat others: copy1.dcm, copy2.dcm")
    assert kind_of(many[0]) == "repeat"
