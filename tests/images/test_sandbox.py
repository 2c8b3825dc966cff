import gzip
import os
import signal
import struct
import sys
import threading
from pathlib import Path

import nibabel
import numpy as np
import pytest

from medloop.core.errors import FormatError, GeometryError, NotFoundError
from medloop.images import sandbox, sandbox_child
from medloop.images.read import read_image, read_mask, readers
from medloop.images.sandbox import Child, Limits, read_isolated

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="memory limits of a process are Linux's")


def scan(path: Path, shape: tuple[int, int, int] = (4, 5, 6)) -> Path:
    nibabel.save(nibabel.Nifti1Image(np.arange(np.prod(shape), dtype=np.int32).reshape(shape), np.eye(4)), path)
    return path


def test_the_same_child_reads_many_files(tmp_path: Path) -> None:
    path = scan(tmp_path / "a.nii.gz")
    first = read_image(path)
    pid = sandbox._children[0].pid
    np.testing.assert_array_equal(read_image(path).image.array, first.image.array)
    assert sandbox._children[0].pid == pid
    assert first.source.names == ("a.nii.gz",)


def test_a_refused_file_keeps_its_kind_of_error_and_the_child(tmp_path: Path) -> None:
    read_image(scan(tmp_path / "a.nii"))
    pid = sandbox._children[0].pid
    data = bytearray((tmp_path / "a.nii").read_bytes())
    struct.pack_into("<f", data, 280, np.nan)
    (tmp_path / "nan.nii").write_bytes(data)
    with pytest.raises(GeometryError, match=r"^nan\.nii: "):
        read_image(tmp_path / "nan.nii")
    with pytest.raises(NotFoundError):
        read_image(tmp_path / "nothing.nii")
    assert sandbox._children[0].pid == pid


def test_a_killed_child_refuses_one_file_and_the_next_gets_a_fresh_one(tmp_path: Path) -> None:
    path = scan(tmp_path / "a.nii")
    read_image(path)
    pid = sandbox._children[0].pid
    os.kill(pid, signal.SIGKILL)
    try:
        read_image(path)
    except FormatError as error:
        assert "could not be decoded" in str(error)  # noqa: PT017 - it may have been seen dead before it was asked
    assert read_image(path).image.array.shape == (1, 4, 5, 6)
    assert sandbox._children[0].pid != pid


def test_a_file_that_needs_more_memory_than_allowed_is_refused_in_one_line(tmp_path: Path) -> None:
    path = scan(tmp_path / "big.nii.gz", (256, 256, 256))
    with pytest.raises(FormatError, match=r"^big\.nii\.gz: .*memory"):
        read_isolated(path, "image", limits=Limits(memory_bytes=32 << 20))


def test_a_file_that_takes_too_long_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "never.nii")
    with pytest.raises(FormatError, match="within 2 s"):
        read_isolated(tmp_path / "never.nii", "image", limits=Limits(wall_seconds=2))


def test_a_gzip_bomb_with_an_honest_header_is_refused_by_size(tmp_path: Path) -> None:
    header = bytearray(scan(tmp_path / "a.nii").read_bytes())
    struct.pack_into("<8h", header, 40, 3, 30000, 30000, 30000, 1, 1, 1, 1)
    (tmp_path / "bomb.nii.gz").write_bytes(gzip.compress(bytes(header) + bytes(1 << 24)))
    with pytest.raises(FormatError, match="holds at most 2048 MiB"):
        read_image(tmp_path / "bomb.nii.gz")


def test_threads_take_turns(tmp_path: Path) -> None:
    paths = [scan(tmp_path / f"{n}.nii", (n + 2, 5, 6)) for n in range(6)]
    seen: dict[int, tuple[int, ...]] = {}

    def read(number: int) -> None:
        seen[number] = read_image(paths[number]).image.grid.shape

    threads = [threading.Thread(target=read, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == {n: (n + 2, 5, 6) for n in range(6)}


def test_a_child_ends_when_its_parent_closes_the_pipe(tmp_path: Path) -> None:
    child = Child(Limits())
    child.call([scan(tmp_path / "a.nii")], "image")
    child._process.stdin.close()  # type: ignore[union-attr]
    assert child._process.wait(timeout=30) == 0
    child.close()


@pytest.mark.parametrize("content", [b"", b"hello", b"\x7fELF" + bytes(200), b"{}"])
def test_files_of_no_known_format_are_refused_with_the_known_ones(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.bin").write_bytes(content)
    for read in (read_image, read_mask):
        with pytest.raises(FormatError, match="nifti, nrrd, metaimage, dicom, png"):
            read(tmp_path / "x.bin")


def test_no_files_are_no_image() -> None:
    with pytest.raises(FormatError, match="at least one file"):
        read_image([])


def test_the_built_in_readers_are_asked_last() -> None:
    assert [reader.name for reader in readers()][-5:] == ["nifti", "nrrd", "metaimage", "dicom", "png, jpeg, tiff, bmp"]


def test_what_a_decoder_raises_is_the_files_fault_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def decode(*_: object) -> None:
        raise KeyError("first\nsecond")

    monkeypatch.setattr(sandbox_child, "read_here", decode)
    record, _ = sandbox_child.answer([tmp_path / "odd.png"], "image")
    assert record["error"]["message"] == "odd.png: it could not be decoded (KeyError: …)"
