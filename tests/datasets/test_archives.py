"""Zip archives and DICOMDIR as sources: what is in them comes in, and nothing of them gets out."""

import io
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Picture
from pydicom.data import get_testdata_files
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MediaStorageDirectoryStorage

from medloop.core.errors import FormatError
from medloop.datasets import archives
from medloop.datasets.archives import unpacked
from medloop.datasets.discover import open_dataset

from ..dicom_series import write_stack


def packed(path: Path, entries: dict[str, bytes], **how: int) -> Path:
    with zipfile.ZipFile(path, "w", how.get("compression", zipfile.ZIP_DEFLATED)) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return path


def png(value: int) -> bytes:
    made = io.BytesIO()
    Picture.fromarray(np.full((6, 5), value, dtype=np.uint8)).save(made, "png")
    return made.getvalue()


def test_pictures_and_series_come_in_by_the_names_that_a_folder_gives(tmp_path: Path) -> None:
    pictures = packed(tmp_path / "set.zip", {"top/images/a.png": png(1), "top/labels/a.png": png(0), "__MACOSX/._a.png": b"x"})
    with unpacked(pictures) as folder:
        assert folder.name == "top"
        assert [case.name for case in open_dataset(folder).cases] == ["a"]
    assert not folder.exists()
    series = write_stack(tmp_path / "in")
    both = packed(tmp_path / "ct.zip", {path.name: path.read_bytes() for path in series.iterdir()})
    with unpacked(both) as folder:
        assert [case.name for case in open_dataset(folder).cases] == ["ct"]


def test_names_in_utf8_that_do_not_say_so_are_read_as_they_were_written(tmp_path: Path) -> None:
    data = packed(tmp_path / "a.zip", {"Mü.png": png(1), "b.png": png(2)}).read_bytes()
    (tmp_path / "mac.zip").write_bytes(data.replace(b"\x00\x08\x08\x00", b"\x00\x00\x08\x00").replace(b"\x00\x08\x00\x00", b"\0" * 4))
    with zipfile.ZipFile(tmp_path / "mac.zip") as archive:
        assert "Mü.png" not in archive.namelist()
    with unpacked(tmp_path / "mac.zip") as folder:
        assert sorted(path.name for path in folder.iterdir()) == ["Mü.png", "b.png"]


@pytest.mark.parametrize("name", ["../out.png", "/etc/out.png", "a/../../out.png", "a\\..\\out.png", "C:/out.png"])
def test_a_name_that_leaves_the_archive_refuses_it(name: str, tmp_path: Path) -> None:
    _refused(packed(tmp_path / "a.zip", {"b.png": png(1), name: png(2)}), "names in an archive stay within it")
    assert not list(tmp_path.rglob("out.png"))


def test_archives_within_archives_links_and_doubles_are_refused(tmp_path: Path) -> None:
    inner = packed(tmp_path / "inner.zip", {"a.png": png(1)}).read_bytes()
    _refused(packed(tmp_path / "1.zip", {"b.zip": inner}), "an archive within an archive is not opened")
    _refused(packed(tmp_path / "2.zip", {"b.dcm": inner}), "an archive within an archive is not opened")
    with zipfile.ZipFile(tmp_path / "3.zip", "w") as archive:
        link = zipfile.ZipInfo("b.png")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    _refused(tmp_path / "3.zip", "is a link")
    _refused(packed(tmp_path / "4.zip", {"a.png": png(1), "A.png": png(2)}), "holds a name once")


def test_bombs_are_refused_before_they_are_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _refused(packed(tmp_path / "a.zip", {"a.dcm": bytes(20 << 20)}), "200 times its stored size")
    monkeypatch.setattr(archives, "MAX_BYTES", 10)
    _refused(packed(tmp_path / "b.zip", {"a.png": png(1)}), "unpacks to at most")
    monkeypatch.setattr(archives, "MAX_ENTRIES", 0)
    _refused(tmp_path / "b.zip", "at most 0 files")


def test_an_entry_that_lies_about_its_size_or_is_cut_off_is_refused(tmp_path: Path) -> None:
    whole = packed(tmp_path / "a.zip", {"a.png": png(1) * 50}, compression=zipfile.ZIP_STORED).read_bytes()
    (tmp_path / "cut.zip").write_bytes(whole[: len(whole) // 2])
    _refused(tmp_path / "cut.zip", "damaged")
    size = (len(png(1)) * 50).to_bytes(4, "little")
    (tmp_path / "lie.zip").write_bytes(whole.replace(size + size, size + (5).to_bytes(4, "little")))
    _refused(tmp_path / "lie.zip", "damaged|larger than it declares|smaller than it declares")


def test_an_encrypted_archive_is_refused_in_words(tmp_path: Path) -> None:
    data = bytearray(packed(tmp_path / "a.zip", {"a.png": png(1)}).read_bytes())
    data[6] |= 1
    data[data.rindex(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "b.zip").write_bytes(data)
    _refused(tmp_path / "b.zip", "must not be encrypted")


def _refused(path: Path, words: str) -> None:
    with pytest.raises(FormatError, match=words), unpacked(path) as folder:
        raise AssertionError(folder)


def write_directory(folder: Path, names: list[list[str]]) -> None:
    """A DICOMDIR, as far as it lists files."""
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPClassUID, ds.file_meta.MediaStorageSOPInstanceUID = MediaStorageDirectoryStorage, "1.2.3"
    ds.DirectoryRecordSequence = [Dataset()]
    for name in names:
        record = Dataset()
        record.DirectoryRecordType, record.ReferencedFileID = "IMAGE", name
        ds.DirectoryRecordSequence.append(record)
    ds.save_as(folder / "DICOMDIR", enforce_file_format=True)


@pytest.mark.filterwarnings("ignore")
def test_a_dicomdir_is_followed_and_its_missing_files_are_named(tmp_path: Path) -> None:
    place = write_stack(tmp_path / "medium" / "IMAGES")
    write_directory(tmp_path / "medium", [["IMAGES", path.name.upper()] for path in place.iterdir()])
    whole = open_dataset(tmp_path / "medium" / "DICOMDIR")
    assert (len(whole.cases), whole.refused) == (1, ())
    (place / "002.dcm").unlink()
    found = open_dataset(tmp_path / "medium")
    assert [str(one) for one in found.refused] == [
        "DICOMDIR: a file that it lists must be there, got IMAGES/002.DCM; copy the whole medium"
    ]
    (tmp_path / "medium" / "DICOMDIR").write_bytes(b"\0" * 128 + b"DICM" + b"\xff" * 40)
    assert "a DICOMDIR lists files, this lists none" in str(open_dataset(tmp_path / "medium").refused[0])


@pytest.mark.filterwarnings("ignore")
def test_every_file_that_pydicom_ships_is_a_case_or_is_named(tmp_path: Path) -> None:
    names = [Path(name) for name in get_testdata_files("*.dcm")]
    for number, path in enumerate(names):
        (tmp_path / f"{number:03}").mkdir()
        shutil.copy(path, tmp_path / f"{number:03}" / path.name)
    found = open_dataset(tmp_path)
    used = {path.parent.name if path.is_file() else path.name for case in found.cases for path in (*case.images, *case.objects)}
    named = {refusal.file.split("/")[0] for refusal in found.refused}
    assert used | named == {f"{number:03}" for number in range(len(names))}
    assert all(refusal.rule and refusal.remedy for refusal in found.refused)
