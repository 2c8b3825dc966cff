"""Files of a study: whole or absent; one worker at a time."""

import math
import multiprocessing
import os
import signal
from pathlib import Path

import pytest

from medloop.core.errors import ConflictError, IntegrityError
from medloop.simulation.files import copy_workspace, only_one, read_json, write_json


def hold_and_die(lock: Path) -> None:
    with only_one(lock, "it"):
        os.kill(os.getpid(), signal.SIGKILL)


def test_json_comes_back_and_nothing_else_is_left(tmp_path):
    write_json(tmp_path / "a" / "x.json", {"b": 1, "a": [0.1]})
    assert read_json(tmp_path / "a" / "x.json") == {"b": 1, "a": [0.1]}
    assert [p.name for p in (tmp_path / "a").iterdir()] == ["x.json"]


def test_what_is_no_number_is_never_written(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "x.json", {"a": math.nan})


@pytest.mark.parametrize("text", ["{", "[1]"])
def test_a_damaged_file_is_named(tmp_path, text):
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(IntegrityError, match=r"x\.json"):
        read_json(tmp_path / "x.json")


def test_a_copy_shares_blobs_and_owns_the_rest(tmp_path):
    source = tmp_path / "source"
    (source / "blobs" / "ab").mkdir(parents=True)
    (source / "blobs" / "ab" / "cd").write_bytes(b"voxels")
    (source / "medloop.sqlite").write_bytes(b"rows")
    (source / "medloop.sqlite-shm").write_bytes(b"memory")
    (source / "work").mkdir()
    copy_workspace(source, tmp_path / "copy")
    assert (tmp_path / "copy" / "blobs" / "ab" / "cd").samefile(source / "blobs" / "ab" / "cd")
    assert not (tmp_path / "copy" / "medloop.sqlite").samefile(source / "medloop.sqlite")
    assert sorted(p.name for p in (tmp_path / "copy").iterdir()) == ["blobs", "medloop.sqlite"]


def test_an_unfinished_copy_is_made_anew_and_a_finished_one_kept(tmp_path):
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "f").write_text("new")
    (tmp_path / "copy.part").mkdir()
    (tmp_path / "copy.part" / "rest").write_text("old")
    copy_workspace(tmp_path / "source", tmp_path / "copy")
    (tmp_path / "source" / "f").write_text("newer")
    copy_workspace(tmp_path / "source", tmp_path / "copy")
    assert [(p.name, p.read_text()) for p in (tmp_path / "copy").iterdir()] == [("f", "new")]


def test_a_second_holder_is_refused_and_a_dead_one_forgotten(tmp_path):
    lock = tmp_path / "lock"
    with only_one(lock, "The study"), pytest.raises(ConflictError, match="The study is being worked on"), only_one(lock, "The study"):
        pass
    child = multiprocessing.get_context("spawn").Process(target=hold_and_die, args=(tmp_path / "lock",))
    child.start()
    child.join()
    assert child.exitcode == -signal.SIGKILL
    with only_one(tmp_path / "lock", "The study"):
        pass
