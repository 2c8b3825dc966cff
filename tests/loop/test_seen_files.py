"""The same import again reads what is new or has changed, and nothing else."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Picture

from medloop.core.records import Annotation, Case
from medloop.loop.annotating.annotations import open_case, skip_case
from medloop.loop.data import read_ahead, seen_files
from medloop.loop.data.import_report import ImportReport
from medloop.loop.data.importing import import_dataset
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.project import Project


def draw(path: Path, seed: int, *, top: int = 200) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Picture.fromarray(np.random.default_rng(seed).integers(0, top, (6, 8)).astype(np.uint8)).save(path, compress_level=0)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Four pictures, three of them with a mask."""
    for n in range(4):
        draw(tmp_path / f"in/images/c{n}.png", n)
        if n:
            draw(tmp_path / f"in/labels/c{n}.png", n, top=2)
    return tmp_path / "in"


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the cases whose image was read; files count as settled at once."""
    names, real = list[str](), read_ahead.image_of
    monkeypatch.setattr(seen_files, "SETTLED_S", -60.0)

    def noted(case: object) -> object:
        names.append(case.name)  # type: ignore[attr-defined]
        return real(case)  # type: ignore[arg-type]

    monkeypatch.setattr(read_ahead, "image_of", noted)
    return names


@pytest.fixture
def workspace(tmp_path: Path, source: Path, read: list[str]) -> Workspace:
    made = Workspace.create(tmp_path / "project", name="p", kind="segmentation", labels=["a"])
    assert len(import_dataset(made, source).added) == 4
    read.clear()
    return made


def again(workspace: Workspace, source: Path, *, rehash: bool = False) -> ImportReport:
    return import_dataset(workspace, source, rehash=rehash)


def test_nothing_is_read_where_nothing_changed_and_only_what_is_new_where_something_came(
    workspace: Workspace, source: Path, read: list[str]
) -> None:
    assert again(workspace, source).duplicates == ("c0", "c1", "c2", "c3")
    assert read == []
    draw(source / "images/c4.png", 4)
    assert again(workspace, source).added == ("c4",)
    assert set(read) == {"c4"}


def test_every_file_is_read_on_request_and_where_what_is_wanted_of_it_changed(workspace: Workspace, source: Path, read: list[str]) -> None:
    again(workspace, source, rehash=True)
    assert sorted(set(read)) == ["c0", "c1", "c2", "c3"]
    read.clear()
    import_dataset(workspace, source, annotations="none")
    assert sorted(set(read)) == ["c0", "c1", "c2", "c3"]


def test_a_file_replaced_by_one_of_the_same_size_and_date_is_noticed(workspace: Workspace, source: Path, read: list[str]) -> None:
    old, new = source / "images/c2.png", source / "new.png"
    draw(new, 99)
    assert new.stat().st_size == old.stat().st_size
    os.utime(new, ns=(old.stat().st_atime_ns, old.stat().st_mtime_ns))
    new.replace(old)
    assert "the project already has another image of this name" in str(again(workspace, source).refused[0])
    assert "the project already has another image of this name" in str(again(workspace, source).refused[0])


def test_a_mask_that_changed_in_place_is_taken_though_its_image_did_not(workspace: Workspace, source: Path, read: list[str]) -> None:
    mask = source / "labels/c3.png"
    before = mask.stat()
    draw(mask, 77, top=2)
    os.utime(mask, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert again(workspace, source).corrected == ("c3",)


def test_a_file_that_changed_a_moment_ago_is_read_again(
    workspace: Workspace, source: Path, read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seen_files, "SETTLED_S", 3600.0)
    again(workspace, source)
    assert sorted(set(read)) == ["c0", "c1", "c2", "c3"]


def test_a_file_that_changes_while_an_import_runs_is_read_again_as_its_image_may_have_been_read_before(
    tmp_path: Path, source: Path, read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seen_files, "SETTLED_S", 0.0)
    made = Workspace.create(tmp_path / "project", name="p", kind="segmentation", labels=["a"])

    def replace_the_last(done: int, total: int, name: str) -> None:
        if name == "c3":  # which is read ahead by now
            draw(source / "images/c3.png", 3)

    import_dataset(made, source, report=replace_the_last)
    read.clear()
    again(made, source)
    assert "c3" in read


def test_what_the_project_holds_counts_too(workspace: Workspace, source: Path, read: list[str]) -> None:
    ann = annotator_named(workspace, "Ann")
    with workspace.store.read() as tx:
        skipped = tx.find(Case, where={"name": "c1"})[0]
    skip_case(workspace, open_case(workspace, skipped.id, ann.id).assignment.id, reason="blurred")
    with workspace.store.read() as tx:
        damaged = tx.find(Case, where={"name": "c2"})[0]
        mask = tx.find(Annotation, where={"case_id": tx.find(Case, where={"name": "c3"})[0].id})[0].blob
    workspace.store.blobs.path(damaged.voxels).write_bytes(b"gone")
    workspace.store.blobs.path(str(mask)).unlink()
    again(workspace, source)
    assert set(read) == {"c1", "c2", "c3"}
    workspace.store.blobs.check(damaged.voxels)


def test_no_name_is_kept_and_a_damaged_file_of_digests_costs_time_only(workspace: Workspace, source: Path, read: list[str]) -> None:
    kept = workspace.work_folder / "seen-files.sqlite"
    assert b"png" not in kept.read_bytes()
    kept.write_bytes(b"no database" * 500)
    assert len(again(workspace, source).duplicates) == 4
    assert len(again(workspace, source).duplicates) == 4
    assert len(read) == 4


def test_headers_that_may_name_further_files_are_read_each_time(tmp_path: Path, read: list[str]) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in/c.raw").write_bytes(bytes(range(60)))
    (tmp_path / "in/c.mhd").write_text(
        "ObjectType = Image\nNDims = 3\nDimSize = 5 4 3\nElementSpacing = 1 1 1\nElementType = MET_UCHAR\nElementDataFile = c.raw\n"
    )
    with Project.create(tmp_path / "p", kind="segmentation", labels=["a"]) as project:
        assert project.add(tmp_path / "in").added == ("c",)
        assert project.add(tmp_path / "in").duplicates == ("c",)
        assert len(read) == 2
