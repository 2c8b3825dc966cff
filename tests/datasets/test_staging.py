"""A folder that is written is complete or absent, also after a power cut."""

import os
from pathlib import Path

import pytest

from medloop.datasets.staging import staged_folder
from medloop.images.files import write_atomic


def test_every_file_is_on_the_disk_before_the_folder_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[tuple[int, bool]] = []
    real = os.fsync

    def watched(descriptor: int) -> None:
        real(descriptor)
        synced.append((os.fstat(descriptor).st_ino, (tmp_path / "out").exists()))

    monkeypatch.setattr(os, "fsync", watched)
    with staged_folder(tmp_path / "out", {"a.csv": "a\n"}) as staging:
        (staging / "deep").mkdir()
        write_atomic(staging / "deep" / "b.bin", b"b")
        assert not synced  # waiting for the disk file by file costs more than the writing
    write_atomic(tmp_path / "c.bin", b"c")
    named = {path.stat().st_ino for path in (tmp_path / "out").rglob("*")}
    assert named <= {inode for inode, there in synced if not there}
    assert (tmp_path / "c.bin").stat().st_ino in {inode for inode, _ in synced}
