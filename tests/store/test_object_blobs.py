"""Blobs under a URL: acknowledged only once the store has them, whatever becomes of it, of the copies here, and of other hosts."""

import hashlib
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from medloop.core.errors import ConflictError, DamagedBlobError, MissingBlobError, SettingError, StorageError
from medloop.store import object_blobs, object_store
from medloop.store.blob_cache import BlobCache
from medloop.store.homes import Home, Mark, claim_place, read_mark, write_mark
from medloop.store.object_blobs import ObjectBlobs
from medloop.store.object_store import ObjectStore, checked_url

from ..object_storage import CREDENTIALS, S3Server, reach

PLACE = "a" * 32


@pytest.fixture(params=["s3", "file"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "file":
        return f"file://{tmp_path}/share/liver"
    return str(request.getfixturevalue("bucket")) + "/liver"


def opened(url: str, cache: Path | None, limit: int = 10**9, owner: str = "database") -> ObjectBlobs:
    """The blobs as one host has them."""
    claim_place(ObjectStore(url), Mark(PLACE, "project", "database"))
    return ObjectBlobs(Home(url, PLACE), BlobCache(cache, limit), owner=lambda: owner)


def test_what_one_host_stores_another_reads_and_keeps_a_copy(url: str, tmp_path: Path) -> None:
    one, other = opened(url, tmp_path / "one"), opened(url, tmp_path / "other")
    name = one.put(b"voxels")
    assert (name, other.get(name), other.size(name), other.exists(name)) == (hashlib.sha256(b"voxels").hexdigest(), b"voxels", 6, True)
    assert one.put(b"voxels") == name
    assert list(other.names()) == [name]
    ObjectStore(url).delete(f"{name[:2]}/{name}")
    assert other.get(name) == b"voxels"  # the copy
    with pytest.raises(MissingBlobError, match=f"There is no blob {name} at {url}"):
        other.check_kept(name)
    other.forget_copy(name)
    with pytest.raises(MissingBlobError):
        other.get(name)


def test_a_copy_of_the_database_adds_nothing_and_who_was_taken_over_is_refused_soon(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    original, copy = opened(url, None), opened(url, None, owner="its copy")
    name = original.put(b"voxels")
    assert copy.get(name) == b"voxels"
    with pytest.raises(ConflictError, match="Nothing is stored at") as refused:
        copy.put(b"more")
    assert f"medloop move-blobs DIR {url}" in refused.value.remedy
    write_mark(ObjectStore(url), Mark(PLACE, "project", "its copy"))
    copy.put(b"more")
    monkeypatch.setattr("medloop.store.object_blobs.LOOKED_SECONDS", 0.0)
    with pytest.raises(ConflictError, match="Nothing is stored at"):
        original.put(b"late")
    assert original.get(name) == b"voxels"


def test_of_many_who_mark_a_place_at_once_one_has_it(url: str) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda n: ObjectStore(url).create("mark", f"{n}".encode()), range(8)))
    assert sum(made) == 1
    assert ObjectStore(url).read("mark") == f"{made.index(True)}".encode()
    assert list(ObjectStore(url).listed()) == ["mark"]


def test_a_damaged_object_is_refused_and_healed_by_the_next_who_stores_the_bytes(url: str, tmp_path: Path) -> None:
    one, other = opened(url, tmp_path / "one"), opened(url, tmp_path / "other")
    name = one.put(b"truth")
    ObjectStore(url).write(f"{name[:2]}/{name}", b"lies!")
    with pytest.raises(DamagedBlobError, match=f"{url} gives 5 bytes that do not match"):
        other.get(name)
    with pytest.raises(DamagedBlobError):
        one.check_kept(name)
    one.put(b"truth")
    assert other.get(name) == b"truth"


def test_a_damaged_copy_is_replaced(url: str, tmp_path: Path) -> None:
    blobs = opened(url, tmp_path / "one")
    name = blobs.put(b"truth")
    copy = tmp_path / "one" / name[:2] / name
    copy.write_bytes(b"lies!")
    assert blobs.get(name) == b"truth"
    assert copy.read_bytes() == b"truth"


def test_copies_are_bounded_and_the_one_unused_for_longest_goes_first(tmp_path: Path) -> None:
    blobs = opened(f"file://{tmp_path}/share", tmp_path / "cache", limit=10_000)
    names = [blobs.put(bytes([n]) * 3000) for n in range(3)]
    for age, name in enumerate(names):
        os.utime(tmp_path / "cache" / name[:2] / name, (1000 + age, 1000 + age))
    assert blobs.get(names[0])  # used now
    blobs.put(b"z" * 3000)
    kept = [n for n in names if (tmp_path / "cache" / n[:2] / n).exists()]
    assert names[0] in kept
    assert names[1] not in kept
    assert [blobs.get(n) for n in names] == [bytes([n]) * 3000 for n in range(3)]


def test_a_cache_that_cannot_be_written_costs_time_only(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "cache").write_text("a file in its place")
    blobs = opened(f"file://{tmp_path}/share", tmp_path / "cache")
    name = blobs.put(b"voxels")
    assert blobs.get(name) == b"voxels"
    assert "costs time only" in caplog.text


def test_two_writers_of_the_same_bytes_at_once_both_have_them(url: str, tmp_path: Path) -> None:
    data, names, hosts = os.urandom(300_000), [], [opened(url, tmp_path / str(n)) for n in range(4)]
    threads = [threading.Thread(target=lambda host=host: names.append(host.put(data))) for host in hosts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(names) == {hashlib.sha256(data).hexdigest()}
    assert len(names) == 4
    assert opened(url, None).fetch(names[0]) == data


def test_a_sweep_spares_what_is_young_and_what_was_swept_too_soon_comes_back(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blobs, other = opened(url, tmp_path / "one"), opened(url, None)
    needed, orphan = blobs.put(b"needed"), blobs.put(b"orphan")
    assert blobs.sweep({needed}) == 0
    monkeypatch.setattr(object_blobs, "ORPHAN_HOURS", -1.0)  # a day later
    assert blobs.sweep({needed}) == 1
    assert list(other.names()) == [needed]
    assert other.get(orphan) == b"orphan"  # somebody had just stored it again and refers to it now
    assert orphan in other.names()
    blobs.sweep({needed})
    blobs.sweep({needed})
    with pytest.raises(MissingBlobError):
        other.get(orphan)
    assert other.get(needed) == b"needed"


def test_a_damaged_object_that_was_put_aside_never_takes_the_place_of_sound_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"file://{tmp_path}/share"
    blobs = opened(url, None)
    name = blobs.put(b"truth")
    ObjectStore(url).write(f"{name[:2]}/{name}", b"lies!")
    monkeypatch.setattr(object_blobs, "ORPHAN_HOURS", -1.0)  # a day later
    blobs.sweep(())
    assert not blobs.exists(name)
    blobs.put(b"truth")
    blobs.sweep({name})
    assert blobs.fetch(name) == b"truth"


def test_the_name_of_a_blob_on_a_shared_disk_is_synced_before_it_is_acknowledged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blobs, synced, fsync = opened(f"file://{tmp_path}/share", None), list[Path](), os.fsync

    def noted(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink())
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    name = blobs.put(b"voxels")
    assert synced[-2:] == [tmp_path / "share" / name[:2], tmp_path / "share"]


def test_blobs_on_a_shared_disk_are_this_users_alone_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        name = opened(f"file://{tmp_path}/share", None).put(b"voxels")
    finally:
        os.umask(before)
    shard = tmp_path / "share" / name[:2]
    assert (shard.stat().st_mode & 0o777, (shard / name).stat().st_mode & 0o777) == (0o700, 0o600)


def test_what_lies_in_a_place_below_is_not_kept_here(tmp_path: Path) -> None:
    blobs, below = opened(f"file://{tmp_path}/share", None), opened(f"file://{tmp_path}/share/liver", None)
    theirs = {below.put(bytes([n])) for n in range(30)}
    own = blobs.put(b"own")
    assert blobs.kept({*theirs, own}) == {own}


def test_a_copy_of_the_database_removes_nothing_of_the_original(url: str, tmp_path: Path) -> None:
    name = opened(url, None).put(b"voxels")
    copy = opened(url, None, owner="its copy")
    for attempt in (lambda: copy.remove(name), lambda: copy.sweep(())):
        with pytest.raises(ConflictError, match="is not the one that these blobs belong to"):
            attempt()
    assert copy.get(name) == b"voxels"


def test_the_place_of_another_project_and_one_whose_mark_is_gone_are_refused(url: str, tmp_path: Path) -> None:
    opened(url, None)
    with pytest.raises(ConflictError, match="holds the blobs of another project"):
        claim_place(ObjectStore(url), Mark("b" * 32, "another", "database"))
    stranger = ObjectBlobs(Home(url, "c" * 32), BlobCache(None))
    with pytest.raises(ConflictError, match="holds the blobs of another project"):
        stranger.put(b"x")
    ObjectStore(url).delete("medloop-blobs.json")
    with pytest.raises(StorageError, match="its mark is gone"):
        opened_without_claim(url).get("0" * 64)
    assert read_mark(ObjectStore(url)) is None


def opened_without_claim(url: str) -> ObjectBlobs:
    return ObjectBlobs(Home(url, PLACE), BlobCache(None))


def test_a_store_that_cannot_be_reached_acknowledges_nothing_and_names_no_secret(
    tmp_path: Path, s3_server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    reach(monkeypatch, s3_server.url)
    url = s3_server.make_bucket(f"gone-{os.getpid()}") + "/p"
    blobs = opened(url, tmp_path / "cache")
    name = blobs.put(b"before")
    reach(monkeypatch, "http://someone:hunter2@127.0.0.1:9")
    monkeypatch.setattr(object_store, "TRIES", 1)
    cut_off = ObjectBlobs(blobs.home, blobs.cache)
    with pytest.raises(StorageError, match="cannot be reached") as refused:
        cut_off.put(b"after")
    assert "hunter2" not in str(refused.value)
    assert "\n" not in str(refused.value)
    assert cut_off.get(name) == b"before"  # what is here can be looked at
    assert cut_off.cache.get(hashlib.sha256(b"after").hexdigest()) is None


def test_a_store_that_says_nothing_is_not_waited_for_without_end(bucket: str, s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(object_store, "TRIES", 1)
    monkeypatch.setattr(object_store, "READ_SECONDS", 1)
    blobs = opened(f"{bucket}/p", None)
    name = blobs.put(b"before")
    with s3_server.silent(), pytest.raises(StorageError, match="cannot be reached to read"):
        blobs.put(b"meanwhile")
    assert blobs.put(b"before") == name


def test_a_store_that_takes_bytes_and_keeps_others_acknowledges_nothing(tmp_path: Path) -> None:
    import fsspec
    from fsspec.implementations.local import LocalFileSystem

    class Forgetful(LocalFileSystem):
        protocol = "forgetful"

        @classmethod
        def _strip_protocol(cls, path: str) -> str:
            return super()._strip_protocol(path.removeprefix("forgetful://"))

        def mv(self, path1: str, path2: str, **_options: object) -> None:
            Path(path2).write_bytes(Path(path1).read_bytes() if path2.endswith(".json") else b"X" * Path(path1).stat().st_size)

    fsspec.register_implementation("forgetful", Forgetful, clobber=True)
    blobs = opened(f"forgetful://{tmp_path}/share", tmp_path / "cache")
    with pytest.raises(StorageError, match=r"took the blob .* and does not give it back"):
        blobs.put(b"voxels")
    assert blobs.cache.get(hashlib.sha256(b"voxels").hexdigest()) is None


def test_a_bucket_that_is_not_there_is_said_so(bucket: str) -> None:
    with pytest.raises(StorageError, match=r"There is no bucket or folder for s3://no-such-bucket/p; make it"):
        claim_place(ObjectStore("s3://no-such-bucket/p"), Mark(PLACE, "project", "database"))


def test_a_bucket_without_permission_is_said_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = S3Server(tmp_path / "log", INITIAL_NO_AUTH_ACTION_COUNT="0")
    try:
        reach(monkeypatch, server.url)
        with pytest.raises(StorageError, match="does not let this machine read") as refused:
            ObjectStore("s3://somebodys/p").read("x")
        assert CREDENTIALS["AWS_SECRET_ACCESS_KEY"] == "test"
        assert "credentials" in str(refused.value)
    finally:
        server.stop()


@pytest.mark.parametrize(
    "url",
    [
        "s3://key:hunter2@bucket/p",
        "s3://key@bucket/p",
        "s3://bucket/p?secret=hunter2",
        "s3://bucket/p#hunter2",
        "memory://p",
        "https://host/p",
        "simplecache::s3://bucket/p",
        "/mnt/share",
        "s3://",
        "s3://bucket/../other",
        "file://relative",
        "local://relative",
        "nonsense://x y",
        "",
    ],
)
def test_urls_that_hold_secrets_or_keep_nothing_are_refused_without_being_shown(url: str) -> None:
    with pytest.raises(SettingError) as refused:
        checked_url(url)
    assert "hunter2" not in str(refused.value)


def test_a_url_is_kept_without_its_last_slash_and_azures_container_stands_first() -> None:
    assert checked_url(" s3://bucket/liver/ ") == "s3://bucket/liver"
    assert checked_url("abfs://container@account.dfs.core.windows.net/p") == "abfs://container@account.dfs.core.windows.net/p"


def test_a_process_that_was_forked_reads_and_writes_by_a_connection_of_its_own(bucket: str, tmp_path: Path) -> None:
    blobs = opened(f"{bucket}/p", None)
    name = blobs.put(b"before the fork")
    child = os.fork()
    if child == 0:
        os._exit(0 if blobs.fetch(name) == b"before the fork" and blobs.put(b"by the child") else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert blobs.fetch(hashlib.sha256(b"by the child").hexdigest()) == b"by the child"


def test_what_is_not_installed_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    from medloop.core.errors import UnavailableError

    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    with pytest.raises(UnavailableError, match=r"need fsspec and s3fs, which are not installed; pip install 'medloop\[objects\]'"):
        ObjectStore("s3://bucket/p").read("x")
