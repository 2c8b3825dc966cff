import fcntl
import hashlib
import os
from pathlib import Path
from threading import Barrier, Thread

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medloop.core.errors import BlobError, DamagedBlobError, IntegrityError, MissingBlobError, NotFoundError, StorageError
from medloop.store.blobs import Blobs


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs(tmp_path / "blobs")


def leftovers(blobs: Blobs, tmp_path: Path) -> list[Path]:
    return list((tmp_path / "blobs" / "tmp").iterdir())


@given(data=st.binary(max_size=2000))
@settings(max_examples=20, deadline=None)
def test_bytes_come_back_under_their_hash(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    blobs = Blobs(tmp_path_factory.mktemp("blobs"))
    name = blobs.put(data)
    assert name == hashlib.sha256(data).hexdigest()
    assert (blobs.get(name), blobs.size(name), blobs.exists(name)) == (data, len(data), True)


def test_the_same_bytes_are_kept_once(blobs: Blobs, tmp_path: Path) -> None:
    first = blobs.put(b"abc")
    written = blobs.path(first).stat().st_mtime_ns
    assert blobs.put(b"abc") == first
    assert blobs.path(first).stat().st_mtime_ns == written
    assert leftovers(blobs, tmp_path) == []


def test_a_changed_file_is_noticed_and_named(blobs: Blobs) -> None:
    name = blobs.put(b"truth")
    blobs.path(name).write_bytes(b"lies!")
    with pytest.raises(IntegrityError, match=f"{name} is damaged: 5 bytes that do not match its hash"):
        blobs.get(name)


def test_a_file_cut_short_is_mended_by_putting_the_bytes_again(blobs: Blobs) -> None:
    name = blobs.put(b"truth")
    blobs.path(name).write_bytes(b"tru")
    blobs.put(b"truth")
    assert blobs.get(name) == b"truth"


@pytest.mark.parametrize("place", [0, 1_500_000, 2_999_999])
def test_one_flipped_byte_is_mended_by_the_next_person_who_stores_the_same_bytes(
    blobs: Blobs, tmp_path: Path, place: int, caplog: pytest.LogCaptureFixture
) -> None:
    data = os.urandom(3_000_000)
    name = blobs.put(data)
    spoilt = bytearray(data)
    spoilt[place] ^= 1
    blobs.path(name).write_bytes(spoilt)
    assert blobs.put(data) == name
    assert blobs.get(name) == data
    assert f"{name} was damaged" in caplog.text
    assert leftovers(blobs, tmp_path) == []


@given(data=st.binary(min_size=1, max_size=300), spoilt=st.binary(max_size=300))
@settings(max_examples=40, deadline=None)
def test_whatever_lies_under_a_name_an_acknowledged_write_can_be_read(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, spoilt: bytes
) -> None:
    blobs = Blobs(tmp_path_factory.mktemp("blobs"))
    blobs.path(blobs.put(data)).write_bytes(spoilt)
    assert blobs.get(blobs.put(data)) == data


def test_a_check_reads_piece_by_piece_and_names_what_is_wrong(blobs: Blobs) -> None:
    sound, spoilt, gone = blobs.put(b"a" * 3_000_000), blobs.put(b"truth"), "0" * 64
    assert blobs.check(sound) == 3_000_000
    blobs.path(spoilt).write_bytes(b"")
    for name, kind in ((spoilt, DamagedBlobError), (gone, MissingBlobError)):
        with pytest.raises(kind) as caught:
            blobs.check(name)
        assert isinstance(caught.value, BlobError)
        assert (caught.value.blob, str(caught.value).count("\n")) == (name, 0)
    assert sorted(blobs.names()) == sorted([sound, spoilt])


def test_only_this_user_may_read_what_is_stored(blobs: Blobs, tmp_path: Path) -> None:
    file = blobs.path(blobs.put(b"abc"))
    modes = {path: path.stat().st_mode & 0o777 for path in (file, file.parent, tmp_path / "blobs", tmp_path / "blobs" / "tmp")}
    assert list(modes.values()) == [0o600, 0o700, 0o700, 0o700]


@pytest.mark.parametrize("name", ["", "../../etc/passwd", "A" * 64, "0" * 63, "0" * 64 + "\n"])
def test_only_hashes_are_names(blobs: Blobs, name: str) -> None:
    with pytest.raises(NotFoundError, match="Not the name of a blob"):
        blobs.path(name)


def test_missing_bytes_are_not_found(blobs: Blobs) -> None:
    assert not blobs.exists("0" * 64)
    for call in (blobs.get, blobs.size):
        with pytest.raises(NotFoundError, match="no blob 0000"):
            call("0" * 64)


def test_threads_may_put_the_same_bytes_at_once(blobs: Blobs, tmp_path: Path) -> None:
    data, start, names = b"x" * 100_000, Barrier(8), []

    def put() -> None:
        start.wait()
        names.append(blobs.put(data))

    threads = [Thread(target=put) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(names) == {hashlib.sha256(data).hexdigest()}
    assert len(names) == 8
    assert blobs.get(names[0]) == data
    assert leftovers(blobs, tmp_path) == []


def test_a_sweep_removes_abandoned_files_but_not_work_in_progress(blobs: Blobs, tmp_path: Path) -> None:
    abandoned, busy = (tmp_path / "blobs" / "tmp" / name for name in ("abandoned", "busy"))
    abandoned.write_bytes(b"half")
    with busy.open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert blobs.sweep_temporary() == 1
        assert leftovers(blobs, tmp_path) == [busy]


def test_a_full_disk_says_so_and_leaves_nothing_behind(blobs: Blobs, tmp_path: Path) -> None:
    """A file size limit stands for the full disk: both make the write fail half way."""
    import resource
    import signal

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(StorageError):
            blobs.put(os.urandom(100_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
    assert leftovers(blobs, tmp_path) == []
    assert blobs.put(b"works again")
