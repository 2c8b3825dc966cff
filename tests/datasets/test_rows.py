from pathlib import Path

import pytest

from medloop.core.errors import FormatError, NotFoundError
from medloop.datasets.rows import open_rows

from .layouts import touch


def table(folder: Path, text: str, *images: str) -> Path:
    touch(folder, *images)
    folder.mkdir(exist_ok=True)
    (folder / "labels.csv").write_text(text)
    return folder


@pytest.mark.parametrize("header", ["filename,label,patient_id", "Image;Class;Subject", "FILE\tdiagnosis\tgroup id"])
def test_columns_are_known_by_many_names(tmp_path: Path, header: str):
    mark = next(m for m in ",;\t" if m in header)
    rows = "\n".join(mark.join(cells) for cells in (("a.png", "sick", "p1"), ("b.png", "well", "p1")))
    dataset = open_rows(table(tmp_path, f"{header}\n{rows}\n", "images/a.png", "images/b.png"))
    assert [(c.name, c.tag, c.patient) for c in dataset.cases] == [("a", "sick", "p1"), ("b", "well", "p1")]
    assert (dataset.kind, dataset.labels) == ("classification", ("sick", "well"))


def test_class_names_with_numbers_sort_by_number(tmp_path: Path):
    dataset = open_rows(table(tmp_path, "image,label\na.png,grade 10\nb.png,grade 2\n", "a.png", "b.png"))
    assert dict(dataset.label_values) == {"grade 2": 0, "grade 10": 1}


def test_an_empty_label_is_an_unlabelled_case(tmp_path: Path):
    assert not open_rows(table(tmp_path, "image,label\na.png,\n", "a.png")).cases[0].labelled


def test_a_mask_column_makes_a_segmentation(tmp_path: Path):
    dataset = open_rows(table(tmp_path, "image,mask\na.png,m.png\n", "a.png", "masks/m.png"))
    assert (dataset.kind, dataset.cases[0].mask and dataset.cases[0].mask.name) == ("segmentation", "m.png")


def test_splits_of_the_source_are_kept(tmp_path: Path):
    dataset = open_rows(table(tmp_path, "image,label,split\na.png,x,Val\nb.png,x,test\nc.png,x,\n", "a.png", "b.png", "c.png"))
    assert [c.split for c in dataset.cases] == ["validation", "test", None]


@pytest.mark.parametrize(
    ("row", "rule"),
    [
        ("gone.png,x,", "must exist, got gone.png"),
        ("../secret.png,x,", "within the source's folder"),
        ("/etc/passwd,x,", "within the source's folder"),
        (",x,", "printable and not empty"),
        ("b.png,x,holdout", "a split is train, validation or test, got holdout"),
        ("a.png,x,", "an image is listed once, line 2 says the same"),
        (f"b.png,{'x' * 101},", "at most 100"),
    ],
)
def test_a_bad_row_costs_itself_only(tmp_path: Path, row: str, rule: str):
    touch(tmp_path, "secret.png")
    dataset = open_rows(table(tmp_path / "set", f"image,label,split\na.png,x,\n{row}\n", "a.png", "b.png"))
    assert [c.name for c in dataset.cases] == ["a"]
    assert str(dataset.refused[0]).startswith("labels.csv line 3: ")
    assert rule in str(dataset.refused[0])


def test_equal_file_names_keep_their_folder(tmp_path: Path):
    dataset = open_rows(table(tmp_path, "image,label\np1/a.png,x\np2/a.png,y\n", "p1/a.png", "p2/a.png"))
    assert [c.name for c in dataset.cases] == ["p1_a", "p2_a"]


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("", "header line"),
        ("a,b\n1,2\n", "column for the image"),
        ('image,label\n"' + "x" * 200_000, "comma-separated"),
        ("image,label\n" + "\n".join(f"i{n}.png,c{n}" for n in range(300)), "at most 255 classes"),
    ],
)
def test_a_table_of_another_kind_is_refused(tmp_path: Path, text: str, rule: str):
    with pytest.raises(FormatError, match=rule):
        open_rows(table(tmp_path, text, *(f"i{n}.png" for n in range(300))))


def test_several_tables_need_a_choice(tmp_path: Path):
    touch(tmp_path, "one.csv", "two.csv")
    with pytest.raises(FormatError, match=r"one\.csv, two\.csv"):
        open_rows(tmp_path)


def test_a_missing_table_is_not_found(tmp_path: Path):
    with pytest.raises(NotFoundError):
        open_rows(tmp_path / "gone.csv")


def test_a_byte_order_mark_is_no_part_of_the_header(tmp_path: Path):
    assert len(open_rows(table(tmp_path, "\ufeffimage,label\na.png,x\n", "a.png")).cases) == 1


def test_the_real_radiographs_open_whole(data_folder: Path):
    dataset = open_rows(data_folder / "chest_xray")
    assert (len(dataset.cases), dataset.labels, dataset.refused) == (1575, ("bacterial", "normal", "viral"), ())


def test_lists_that_are_not_read_are_named(tmp_path: Path):
    touch(tmp_path, "a.png", "b.png")
    (tmp_path / "train.csv").write_text("filename,label\na.png,x\n")
    (tmp_path / "test.csv").write_text("filename,label\nb.png,x\n")
    refused = open_rows(tmp_path).refused
    assert (refused[0].file, refused[0].rule) == ("test.csv", "a source is one list, train.csv is read")
    assert [(r.file, r.value) for r in refused[1:]] == [("train.csv", "b.png")]
    assert open_rows(tmp_path / "test.csv").refused == ()


def test_a_row_names_the_subgroups_of_its_patient(tmp_path: Path):
    (case,) = open_rows(table(tmp_path, "image,label,Scanner,sex,age group\na.png,x,Aera,F,\n", "a.png")).cases
    assert (case.groups, case.stratum) == ((("scanner", "Aera"), ("sex", "F")), "Aera")


def test_a_subgroup_that_cannot_be_shown_is_refused(tmp_path: Path):
    rows = f"image,label,site\na.png,x,{'s' * 101}\nb.png,y,B\n"
    (refusal,) = open_rows(table(tmp_path, rows, "a.png", "b.png")).refused
    assert refusal.rule == "a site has at most 100 printable characters"
