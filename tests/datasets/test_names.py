"""Composed and decomposed spellings are one name, and 2 comes before 10."""

import unicodedata
from pathlib import Path

import pytest

from medloop.datasets.discover import open_dataset
from medloop.datasets.folder import open_folder
from medloop.datasets.staging import FileNames

from .layouts import msd, nnunet, touch


def apart(text: str) -> str:
    return unicodedata.normalize("NFD", text)


@pytest.mark.parametrize("turned", [False, True])
def test_a_decomposed_image_pairs_with_a_composed_mask(tmp_path: Path, turned: bool):
    image, mask = (apart("Müller"), "Müller") if not turned else ("Müller", apart("Müller"))
    touch(tmp_path, f"images/{image}.png", f"masks/{mask}_mask.png")
    (tmp_path / "index.csv").write_text(f"filename,patient\n{mask}.png,x\n", encoding="utf-8")
    (case,) = open_folder(tmp_path).cases
    assert (case.name, case.labelled, case.patient) == ("Müller", True, "x")


def test_a_decathlon_list_finds_files_that_a_mac_spelled(tmp_path: Path):
    entry = {"image": "./imagesTr/Zoë.nii.gz", "label": "./labelsTr/Zoë.nii.gz"}
    dataset = open_dataset(msd(tmp_path, [apart("Zoë")], training=[entry]))
    assert [(c.name, c.labelled) for c in dataset.cases] == [("Zoë", True)]
    assert dataset.refused == ()


def test_an_nnunet_image_pairs_with_a_mask_that_a_mac_spelled(tmp_path: Path):
    nnunet(tmp_path, ["Zoë"])
    (tmp_path / "labelsTr/Zoë.nii.gz").rename(tmp_path / f"labelsTr/{apart('Zoë')}.nii.gz")
    dataset = open_dataset(tmp_path)
    assert ([c.name for c in dataset.cases], dataset.refused) == (["Zoë"], ())


def test_a_csv_finds_files_that_a_mac_spelled(tmp_path: Path):
    touch(tmp_path, f"{apart('Große')}/{apart('Zoë')}.png")
    (tmp_path / "labels.csv").write_text("filename,label\nGroße/Zoë.png,x\n", encoding="utf-8")
    dataset = open_dataset(tmp_path)
    assert ([c.name for c in dataset.cases], dataset.refused) == (["Zoë"], ())


def test_cases_come_in_natural_order(tmp_path: Path):
    touch(tmp_path, *(f"images/{name}.png" for name in ("img10", "img2", "Img1", "img02b", "a")))
    assert [c.name for c in open_folder(tmp_path).cases] == ["a", "Img1", "img2", "img02b", "img10"]


def test_file_names_that_a_mac_takes_for_one_stay_apart():
    names = FileNames()
    assert len({unicodedata.normalize("NFC", names.of(name)).casefold() for name in ("Zoë", apart("Zoë"), "ZOË", "Straße", "STRASSE")}) == 5
