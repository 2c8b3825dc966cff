"""Audit, doctor and backup as commands, and every command that only looks on a disk that cannot be written."""

import json
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from medloop.core.records import Annotation, Case
from medloop.loop.foundation.workspace import Workspace

from .conftest import Medloop


def first_blob(project: Path, kind: type) -> tuple[str, Path]:
    """Name of a case and the file of its voxels or of its mask."""
    with Workspace.open(project) as workspace, workspace.store.read() as tx:
        found = tx.find(kind, limit=1)[0]
        case = found if isinstance(found, Case) else tx.get(Case, found.case_id)
        return case.name, workspace.store.blobs.path(found.voxels if isinstance(found, Case) else found.blob)


def test_the_audit_reads_every_blob_and_says_what_it_left_out(medloop: Medloop, project: Path) -> None:
    said = medloop("audit", project, "verify")
    assert (said.status, "blobs sound" in said.out) == (0, True)
    quick = medloop("audit", project, "verify", "--quick")
    assert (quick.status, "not checked: the blobs" in quick.err) == (0, True)
    assert json.loads(medloop("audit", project, "verify", "--json", "--no-blobs").out)["blobs"] is None


@pytest.mark.parametrize("how", ["exchanged", "deleted"])
def test_an_exchanged_or_deleted_mask_breaks_the_audit_and_the_doctor_tells_the_case(medloop: Medloop, project: Path, how: str) -> None:
    name, path = first_blob(project, Annotation)
    path.unlink()
    if how == "exchanged":
        path.write_bytes(b"another mask")
    said = medloop("audit", project, "verify")
    assert said.status == 1
    assert f"(case {name})" in said.err
    assert said.err.strip().count("\n") <= 1
    found = medloop("doctor", project)
    assert found.status == 1
    assert (f"(case {name})" in found.out, path.name in found.out, "annotate the case again" in found.out) == (True, True, True)
    told = json.loads(medloop("doctor", project, "--json").out)
    assert (told["ok"], told["bad"][0]["blob"], told["bad"][0]["cases"]) == (False, path.name, [name])


def tampered(project: Path, statement: str) -> None:
    """Change a row as a failing disk or an intruder would, past the triggers."""
    with sqlite3.connect(project / "medloop.sqlite") as database:
        for (trigger,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            database.execute(f"DROP TRIGGER {trigger}")
        database.execute(statement)
    database.close()


@pytest.mark.parametrize(
    ("statement", "noun"),
    [
        ("UPDATE tasks SET labels = 'null'", "task"),
        ("UPDATE tasks SET labels = '{bad'", "task"),
        ("UPDATE projects SET settings = '[]'", "project"),
        ("UPDATE projects SET settings = '{\"unheard_of\": 1}'", "project"),
        ("UPDATE cases SET grid = 'null'", "case"),
        ("UPDATE cases SET channels = 'abc'", "case"),
    ],
)
def test_the_audit_names_a_damaged_row_that_no_other_command_can_read(medloop: Medloop, project: Path, statement: str, noun: str) -> None:
    tampered(project, statement)
    said = medloop("audit", project, "verify")
    assert (said.status, f"the {noun} {noun}-" in said.err, "Unexpected" in said.err) == (1, True, False), said.err
    looked = medloop("doctor", project)
    assert "Unexpected" not in looked.err
    other = medloop("status", project)
    assert "Unexpected" not in other.err
    if noun != "case":
        assert (other.status, "medloop audit DIR verify names the row" in other.err) == (1, True)


def test_a_row_that_names_no_blob_is_no_sound_row(medloop: Medloop, project: Path, tmp_path: Path) -> None:
    name, _ = first_blob(project, Annotation)
    tampered(project, "UPDATE annotations SET blob = '../../etc/passwd' WHERE event = (SELECT min(event) FROM annotations)")
    said = medloop("doctor", project)
    assert (said.status, "1 rows cannot be read" in said.out, "all sound" in said.out) == (1, True, False)
    exported = medloop("export", project, tmp_path / "out", "--format", "nnunet")
    assert (exported.status, f"{name} is left out" in exported.err) == (0, True), exported.err


def test_a_digest_that_the_chain_no_longer_holds_is_named(medloop: Medloop, project: Path) -> None:
    digest = json.loads(medloop("audit", project, "verify", "--json").out)["last_digest"]
    assert medloop("audit", project, "verify", "--last-digest", digest).status == 0
    said = medloop("audit", project, "verify", "--last-digest", "f" * 64)
    assert (said.status, "events were cut off" in said.err) == (1, True)


def test_a_sound_project_is_swept_and_backed_up(medloop: Medloop, project: Path, tmp_path: Path) -> None:
    (project / "blobs" / "tmp" / "half").write_bytes(b"h")
    assert medloop("doctor", project, "--sweep").status == 0
    done = json.loads(medloop("backup", project, tmp_path / "copy", "--json").out)
    assert done["missing"] == []
    shutil.rmtree(project)
    assert medloop("audit", tmp_path / "copy", "verify").status == 0
    assert json.loads(medloop("status", tmp_path / "copy", "--json").out)["counts"]["total"] == 9


@pytest.fixture
def read_only(project: Path, tmp_path: Path) -> Iterator[Path]:
    """The project on a disk that is mounted for reading only."""
    if os.geteuid() != 0:
        pytest.skip("mounting needs root")
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(disk)], check=True)
    shutil.copytree(project, disk / "project")
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    yield disk / "project"
    subprocess.run(["umount", "-l", str(disk)], check=True)


def test_a_project_on_a_read_only_disk_can_be_looked_at_verified_exported_and_backed_up(
    medloop: Medloop, read_only: Path, tmp_path: Path
) -> None:
    assert medloop("status", read_only).status == 0
    assert medloop("report", read_only, "--out", tmp_path / "r.html", "--json").status == 0
    assert medloop("audit", read_only, "verify").status == 0
    assert medloop("doctor", read_only).status == 0
    assert medloop("export", read_only, tmp_path / "out", "--format", "nifti").status == 0
    assert medloop("backup", read_only, tmp_path / "copy").status == 0
    assert medloop("audit", tmp_path / "copy", "verify").status == 0


@pytest.mark.parametrize("command", [("train",), ("query",), ("worker",), ("doctor", "--sweep")], ids=str)
def test_what_would_write_there_is_refused_in_one_line(medloop: Medloop, read_only: Path, command: tuple[str, ...]) -> None:
    name, *rest = command
    said = medloop(name, read_only, *rest)
    assert said.status == 1
    lines = [line for line in said.err.splitlines() if line.startswith("medloop: ")]
    assert len(lines) == 1, said.err
    assert "lies on a read-only disk" in lines[0]
    assert "copy the project to where it can be written" in lines[0]


@pytest.mark.parametrize(("umask", "folder", "file"), [(0o022, 0o755, 0o644), (0o077, 0o700, 0o600), (0o027, 0o750, 0o640)])
def test_who_may_read_an_export_is_what_the_umask_says(
    medloop: Medloop, project: Path, tmp_path: Path, umask: int, folder: int, file: int
) -> None:
    before = os.umask(umask)
    try:
        assert medloop("export", project, tmp_path / "out", "--format", "nifti").status == 0
        assert medloop("report", project, "--out", tmp_path / "r.html").status == 0
    finally:
        os.umask(before)
    found = {path.is_dir(): path.stat().st_mode & 0o777 for path in (tmp_path / "out", *(tmp_path / "out").rglob("*"))}
    assert found == {True: folder, False: file}
    assert (tmp_path / "r.html").stat().st_mode & 0o777 == file
    assert (project.stat().st_mode & 0o777, (project / "medloop.sqlite").stat().st_mode & 0o777) == (0o700, 0o600)
