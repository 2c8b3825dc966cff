"""Locks: one server per folder, seen and released with the process that holds them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from medloop.core.errors import ConflictError, MedloopError, NotFoundError, StorageError
from medloop.server.web.folders import Projects, project_folders
from medloop.server.web.locks import SERVER_LOCK, WORKER_LOCK, FolderLock, is_held


def test_a_second_lock_is_refused_with_the_holders_number(tmp_path: Path) -> None:
    with FolderLock(tmp_path, SERVER_LOCK), pytest.raises(ConflictError, match=f"process {os.getpid()}") as caught:
        FolderLock(tmp_path, SERVER_LOCK)
    assert "stop it first" in str(caught.value)


def test_a_shared_lock_has_many_holders_and_is_seen(tmp_path: Path) -> None:
    assert not is_held(tmp_path, WORKER_LOCK)
    with FolderLock(tmp_path, WORKER_LOCK, shared=True), FolderLock(tmp_path, WORKER_LOCK, shared=True):
        assert is_held(tmp_path, WORKER_LOCK)
    assert not is_held(tmp_path, WORKER_LOCK)


def test_a_killed_holder_leaves_no_lock(tmp_path: Path) -> None:
    program = (
        "from pathlib import Path; from medloop.server.web.locks import *; import sys, time\n"
        f"lock = FolderLock(Path({str(tmp_path)!r}), SERVER_LOCK); print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        assert is_held(tmp_path, SERVER_LOCK)
        holder.kill()
    FolderLock(tmp_path, SERVER_LOCK).close()


def test_a_folder_that_is_missing_cannot_be_locked(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="must be writable"):
        FolderLock(tmp_path / "none", SERVER_LOCK)


def test_two_servers_never_share_a_folder(folder: Path) -> None:
    first = Projects(folder)
    with pytest.raises(ConflictError, match="already serves"):
        Projects(folder)
    first.close()
    Projects(folder).close()


def test_a_folder_of_projects_lists_each(templates: Path) -> None:
    assert [f.name for f in project_folders(templates)] == ["classification", "segmentation"]


@pytest.mark.parametrize("name", ["missing", "empty"])
def test_a_folder_without_a_project_is_refused_with_the_remedy(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(NotFoundError, match="medloop init"):
        Projects(tmp_path / name)


def test_a_project_that_appears_is_served_and_a_damaged_one_is_left_out(templates: Path, tmp_path: Path) -> None:
    shutil.copytree(templates / "segmentation", tmp_path / "one")
    (tmp_path / "four").mkdir()
    (tmp_path / "four" / "medloop.json").write_text("{")
    projects = Projects(tmp_path)
    shutil.copytree(templates / "classification", tmp_path / "two")
    (tmp_path / "three").mkdir()
    (tmp_path / "three" / "medloop.json").write_text("{")
    assert sorted(w.folder.name for w in projects.all()) == ["one", "two"]
    projects.close()


def test_a_folder_with_nothing_but_a_damaged_project_says_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "medloop.json").write_text("{")
    with pytest.raises(MedloopError, match=r"medloop\.json"):
        Projects(tmp_path)
