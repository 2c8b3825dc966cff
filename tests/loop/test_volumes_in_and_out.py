"""NRRD and MetaImage through a project: names, nested labels, what is not annotated, and what is refused."""

from pathlib import Path

import numpy as np
import pytest
import SimpleITK

from medloop.core.geometry import Grid
from medloop.core.image import Image, Mask
from medloop.core.records import Case, ProjectSettings
from medloop.images.metaimage import write_metaimage
from medloop.images.nrrd_write import write_nrrd, write_seg_nrrd
from medloop.images.segments import Segment
from medloop.loop.data.exporting import export_project
from medloop.loop.data.importing import import_dataset
from medloop.loop.foundation.arrays import load_image, load_mask
from medloop.loop.foundation.configuring import TaskChange, configure
from medloop.loop.foundation.workspace import Workspace

GRID = Grid((6, 5, 4), np.array([[0, 0, 2.5, -7], [-0.8, 0, 0, 3], [0, 1.1, 0, 9], [0, 0, 0, 1.0]]))
SETTINGS = ProjectSettings(validation_fraction=0.2, test_fraction=0.2, audit_fraction=0.0, train_after=0, seed=5)
LIVER, TUMOUR = Segment("Liver", 4), Segment("tumour", 2)
HELD = {4: (4, 2), 2: (2,)}


def drawn(n: int) -> np.ndarray:
    return np.random.default_rng(100 + n).choice([0, 2, 4], GRID.shape).astype(np.uint8)


def source(folder: Path, *, cases: int = 6) -> Path:
    (folder / "images").mkdir(parents=True)
    (folder / "labels").mkdir()
    for n in range(cases):
        rng = np.random.default_rng(n)
        write_nrrd(folder / f"images/p{n}.nrrd", Image(rng.integers(-900, 900, (1, *GRID.shape)).astype(np.int16), GRID))
        write_seg_nrrd(folder / f"labels/p{n}.seg.nrrd", Mask(drawn(n), GRID), [LIVER, TUMOUR], HELD)
    return folder


def project(folder: Path) -> Workspace:
    workspace = Workspace.create(folder, name=folder.name, kind="segmentation", labels=["liver", "tumour"], settings=SETTINGS)
    configure(workspace, task=TaskChange(inside={"tumour": "liver"}), actor="test")
    return workspace.reload()


def kept(workspace: Workspace) -> dict[str, tuple[np.ndarray, np.ndarray, Grid, tuple[int, ...]]]:
    with workspace.store.read() as tx:
        found = [(tx.get(Case, a.case_id), a) for a in tx.current_annotations()]
    blobs = workspace.store.blobs
    return {c.name: (load_image(blobs, c).array, load_mask(blobs, a, c).array, c.grid, a.annotated) for c, a in found}


@pytest.mark.parametrize("fmt", ["nrrd", "mha"])
def test_an_export_comes_back_with_names_places_and_nested_labels(tmp_path: Path, fmt: str) -> None:
    workspace = project(tmp_path / "one")
    assert import_dataset(workspace, source(tmp_path / "source")).refused == ()
    before = kept(workspace)
    assert np.array_equal(before["p0"][1], np.array([0, 0, 2, 0, 1], np.uint8)[drawn(0)])
    export_project(workspace, tmp_path / "out", fmt)
    again = project(tmp_path / "two")
    report = import_dataset(again, tmp_path / "out")
    assert len(report.added) == 6
    assert {one.file for one in report.refused} <= {"regions/liver/", "regions/tumour/"}  # a mask of each label beside the label maps
    for name, (image, mask, grid, annotated) in kept(again).items():
        assert np.array_equal(image, before[name][0])
        assert np.array_equal(mask, before[name][1])
        assert grid.same_as(before[name][2])
        assert annotated == ()
    theirs = SimpleITK.ReadImage(tmp_path / "out" / "labels" / ("p0.seg.nrrd" if fmt == "nrrd" else "p0.mha"))
    assert theirs.GetSize() == GRID.shape
    assert import_dataset(workspace, tmp_path / "out").duplicates != ()  # the same images, exported here


def test_a_segment_that_a_file_lacks_is_not_annotated_and_an_unknown_one_is_refused(tmp_path: Path) -> None:
    place = source(tmp_path / "source", cases=4)
    empty = np.zeros(GRID.shape, np.uint8)
    empty[0] = 4
    write_seg_nrrd(place / "labels/p1.seg.nrrd", Mask(empty, GRID), [LIVER], {})
    write_seg_nrrd(place / "labels/p2.seg.nrrd", Mask(empty, GRID), [Segment("cyst", 4)], {})
    (place / "images/p3.nrrd").write_bytes((place / "images/p3.nrrd").read_bytes()[:-20])
    workspace = project(tmp_path / "one")
    report = import_dataset(workspace, place)
    found = kept(workspace)
    assert set(found) == {"p0", "p1"}
    assert np.array_equal(found["p1"][1], (empty > 0).astype(np.uint8))
    assert found["p1"][3] == (1,)
    assert any("it has no segment called tumour" in note.text for note in report.notes)
    assert sorted(one.file for one in report.refused) == ["p2", "p3"]
    assert any("p2.seg.nrrd: segments are called like the labels, liver, tumour, got 'cyst'" in str(one) for one in report.refused)


def test_a_detached_pair_is_one_image_and_its_voxels_are_no_stray_file(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(np.arange(120, dtype=np.int16).reshape(4, 5, 6)), tmp_path / "source/a.mhd")
    write_metaimage(tmp_path / "source/b.mha", Image(np.zeros((2, *GRID.shape), np.float32), GRID))
    report = import_dataset(project(tmp_path / "one"), tmp_path / "source")
    assert (report.added, report.refused) == (("a", "b"), ())


def test_a_segmentation_that_lies_among_the_images_is_no_case(tmp_path: Path) -> None:
    place = source(tmp_path / "source", cases=2)
    (place / "labels/p1.seg.nrrd").rename(place / "images/p1-segmentation.seg.nrrd")
    report = import_dataset(project(tmp_path / "one"), place)
    assert report.added == ("p0", "p1")
    assert ["an image holds intensities, this is a segmentation of 2 segments" in str(one) for one in report.refused] == [True]


@pytest.mark.parametrize("fmt", ["nrrd", "mha", "nifti"])
def test_an_export_keeps_its_labels_in_a_project_that_counts_them_in_another_order(tmp_path: Path, fmt: str) -> None:
    first = Workspace.create(tmp_path / "one", name="one", kind="segmentation", labels=["liver", "tumour"], settings=SETTINGS)
    place = source(tmp_path / "source", cases=2)
    for n in range(2):
        write_seg_nrrd(place / f"labels/p{n}.seg.nrrd", Mask(drawn(n), GRID), [LIVER, TUMOUR], {})
    import_dataset(first, place)
    export_project(first, tmp_path / "out", fmt)
    turned = Workspace.create(tmp_path / "two", name="two", kind="segmentation", labels=["tumour", "liver"], settings=SETTINGS)
    import_dataset(turned, tmp_path / "out")
    before, after = kept(first), kept(turned)
    for name, (_, mask, _, _) in before.items():
        assert np.array_equal(np.array([0, 2, 1], np.uint8)[mask], after[name][1])
