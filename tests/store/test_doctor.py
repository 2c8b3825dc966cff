"""What the doctor finds in a project with known damage, and that a sweep removes nothing that is needed."""

import os
from pathlib import Path

import pytest

from medloop.core.errors import ConflictError, StorageError
from medloop.core.records import Case, Descriptor
from medloop.store.doctor import examine
from medloop.store.store import Store

from .test_audit_tampering import fill


@pytest.fixture
def project(tmp_path: Path) -> Store:
    store = Store.create(tmp_path / "project")
    fill(store)
    yield store
    store.close()


def blob_of(store: Store, content: bytes) -> Path:
    return store.blobs.path(store.blobs.put(content))


def test_a_sound_project_is_said_to_be_sound(project: Store) -> None:
    found = examine(project)
    assert (found.ok, found.blobs, found.bad, found.orphans, found.leftovers) == (True, 5, (), (), ())


def test_each_bad_blob_is_named_with_all_that_needs_it_and_what_to_do(project: Store) -> None:
    mask, voxels = blob_of(project, b"mask"), blob_of(project, b"voxels")
    mask.write_bytes(b"mosk")
    voxels.unlink()
    found = examine(project)
    assert not found.ok
    by_name = {bad.blob: bad for bad in found.bad}
    assert set(by_name) == {mask.name, voxels.name}
    assert by_name[mask.name].trouble == "damaged"
    assert by_name[mask.name].belongs_to == (
        "the blob of the annotation annotation-a-ann-1 (case a)",
        "the uncertainty of the consensus consensus-a (case a)",
        "the mask of the prediction prediction-a-1-0 (case a)",
    )
    assert any("annotate the case again" in line for line in by_name[mask.name].advice)
    assert any("medloop predict" in line for line in by_name[mask.name].advice)
    assert (by_name[voxels.name].trouble, by_name[voxels.name].cases) == ("missing", ("a",))


def test_a_healed_blob_is_sound_again(project: Store) -> None:
    mask = blob_of(project, b"mask")
    mask.write_bytes(b"mosk")
    assert not examine(project).ok
    project.blobs.put(b"mask")
    assert examine(project).ok


def test_what_nothing_needs_is_listed_and_swept_when_asked(project: Store) -> None:
    orphan = blob_of(project, b"nobody's")
    half = project.folder / "blobs" / "tmp" / "half"
    half.write_bytes(b"h")
    checkpoint = project.folder / "work" / "x.tmp"
    checkpoint.parent.mkdir(exist_ok=True)
    checkpoint.write_bytes(b"h")
    found = examine(project)
    assert (found.ok, found.orphans, len(found.leftovers), found.swept) == (True, (orphan.name,), 2, 0)
    assert orphan.exists()
    assert examine(project, sweep=True).swept == 3
    assert not any(path.exists() for path in (orphan, half, checkpoint))
    assert examine(project).blobs == 5


def test_nothing_is_swept_while_somebody_else_has_the_project_open(project: Store) -> None:
    orphan = blob_of(project, b"stored, its row is about to come")
    other = Store.open(project.folder)
    with pytest.raises(ConflictError, match="Another program has"):
        examine(project, sweep=True)
    assert orphan.exists()
    other.close()
    assert examine(project, sweep=True).swept == 1


def test_nothing_is_swept_while_a_row_cannot_be_read(project: Store) -> None:
    weights = blob_of(project, b"weights")
    with project.database.writing() as connection:
        connection.exec_driver_sql("DROP TRIGGER models_refuse_update")
        connection.exec_driver_sql("UPDATE models SET weights = '['")
    assert (examine(project).ok, examine(project).unreadable_rows) == (False, 1)
    with pytest.raises(StorageError, match="1 row cannot be read"):
        examine(project, sweep=True)
    assert weights.exists()


def test_a_blob_that_may_not_be_read_is_no_orphan(project: Store) -> None:
    mask = blob_of(project, b"mask")
    mask.chmod(0)
    found = examine(project)
    assert mask.name not in found.orphans
    assert found.ok is (os.geteuid() == 0)


def test_a_project_whose_lock_cannot_be_had_opens_and_is_not_swept(project: Store) -> None:
    (project.folder / "open.lock").unlink()
    (project.folder / "open.lock").mkdir()
    again = Store.open(project.folder)
    assert examine(again).ok
    with pytest.raises(ConflictError, match="Nobody can tell"):
        examine(again, sweep=True)
    again.close()


@pytest.mark.parametrize("maker", ["", "1", "model-0123456789ab"])
def test_what_made_a_descriptor_need_be_no_blob(project: Store, maker: str) -> None:
    with project.write("test") as tx:
        vector = project.blobs.put(b"vector")
        case = tx.find(Case, limit=1)[0]
        tx.add(Descriptor(id="descriptor-1", case_id=case.id, method="appearance", maker=maker, vector=vector, created_at=case.added_at))
    assert examine(project).unreadable_rows == 0
