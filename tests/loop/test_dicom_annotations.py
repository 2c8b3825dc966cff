"""SEG and RTSTRUCT as annotations of a project: matched by reference, refused in one line, and out again."""

from collections.abc import Callable
from pathlib import Path

import highdicom
import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from medloop.core.errors import InputError, SettingError
from medloop.core.records import Annotation, Case
from medloop.datasets.discover import open_dataset
from medloop.loop.annotating.measuring import MeasurementRequest
from medloop.loop.data.importing import ImportReport
from medloop.loop.foundation.arrays import load_mask
from medloop.loop.foundation.configuring import TaskChange, configure
from medloop.loop.project import Project

from ..dicom_series import COLUMNS, IDENTITY, NAME, ROWS, SLICES, faults_of, write_stack

LABELS = {"liver": "", "tumour": "liver", "spleen": ""}


@pytest.fixture
def mask() -> np.ndarray:
    made = np.zeros((COLUMNS, ROWS, SLICES), dtype=np.uint8)
    made[1:5, 1:4, 1:3], made[2:4, 2, 1], made[0, 0, 3] = 1, 2, 3
    return made


@pytest.fixture
def objects(tmp_path: Path, mask: np.ndarray) -> Path:
    """A series, and `out/` with its annotation as a SEG."""
    write_stack(tmp_path / "source/scan")
    with Project.create(tmp_path / "first", kind="segmentation", labels=LABELS) as project:
        project.add(tmp_path / "source")
        project.submit(project.open_case("scan", "anna"), mask)
        project.export(tmp_path / "out", "dicom-seg", source=tmp_path / "source")
    return tmp_path / "out"


def taken(folder: Path, *, labels: object = None, threshold: float | None = None) -> tuple[ImportReport, dict[str, np.ndarray]]:
    """What an import of `source/` with the annotations of `out/` reports, and the masks that it took."""
    with Project.create(folder / "second", kind="segmentation", labels=labels or LABELS) as project:  # type: ignore[arg-type]
        report = project.add(open_dataset(folder / "source", objects_in=folder / "out", threshold=threshold))
        with project.workspace.store.read() as tx:
            cases = {case.id: case for case in tx.find(Case)}
            masks = {
                cases[a.case_id].name: load_mask(project.workspace.store.blobs, a, cases[a.case_id]).array for a in tx.find(Annotation)
            }
    for written in (folder / "second").rglob("*"):
        if written.is_file():
            assert NAME.encode() not in written.read_bytes()
            assert IDENTITY.encode() not in written.read_bytes()
    assert NAME not in str(report)
    assert IDENTITY not in str(report)
    return report, masks


def changed(path: Path, change: Callable[[Dataset], None]) -> None:
    ds = pydicom.dcmread(path)
    change(ds)
    ds.save_as(path)


def test_an_annotation_beside_its_series_or_in_a_folder_of_its_own_is_taken(tmp_path: Path, objects: Path, mask: np.ndarray) -> None:
    report, masks = taken(tmp_path)
    np.testing.assert_array_equal(masks["scan"], mask)
    assert (report.labelled, report.refused) == (1, ())
    (objects / "scan.dcm").rename(tmp_path / "source/scan/000_seg.dcm")
    with Project.create(tmp_path / "third", kind="segmentation", labels=LABELS) as project:
        assert project.add(tmp_path / "source").labelled == 1
        assert project.add(tmp_path / "source").duplicates == ("scan",)


def test_a_segment_is_a_label_by_name_else_by_code_and_others_are_left_out(tmp_path: Path, objects: Path) -> None:
    def rename(ds: Dataset) -> None:
        ds.SegmentSequence[0].SegmentLabel, ds.SegmentSequence[2].SegmentLabel = "Leber", "Milz"
        ds.SegmentSequence[0].SegmentedPropertyTypeCodeSequence[0].CodeValue = "T-62000"
        ds.SegmentSequence[0].SegmentedPropertyTypeCodeSequence[0].CodingSchemeDesignator = "SRT"

    changed(objects / "scan.dcm", rename)
    report, masks = taken(tmp_path, labels={"liver": "", "tumour": "liver"})
    assert sorted(np.unique(masks["scan"])) == [0, 1, 2]
    notes = [note.text for note in report.notes]
    assert "'Leber' in scan.dcm is read as 'liver', by its code" in notes
    assert "Milz in scan.dcm: no label of the project, left out" in notes


def test_overlapping_segments_are_refused_unless_one_label_lies_inside_the_other(tmp_path: Path, objects: Path) -> None:
    report, masks = taken(tmp_path, labels=["liver", "tumour", "spleen"])
    assert masks == {}
    (line,) = map(str, report.refused)
    assert line.startswith("scan: an annotation of it is left out: scan.dcm: a voxel has one label, 2 are tumour and liver")
    assert report.added == ("scan",)


def other_series(ds: Dataset) -> None:
    for one in ds.ReferencedSeriesSequence[0].ReferencedInstanceSequence:
        one.ReferencedSOPInstanceUID = generate_uid()
    for group in ds.PerFrameFunctionalGroupsSequence:
        group.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID = generate_uid()


def no_references(ds: Dataset) -> None:
    del ds.ReferencedSeriesSequence
    for group in ds.PerFrameFunctionalGroupsSequence:
        del group.DerivationImageSequence


def nowhere(ds: Dataset) -> None:
    no_references(ds)
    del ds.FrameOfReferenceUID


def swapped(ds: Dataset) -> None:
    first, last = ds.PerFrameFunctionalGroupsSequence[0], ds.PerFrameFunctionalGroupsSequence[1]
    first.PlanePositionSequence, last.PlanePositionSequence = last.PlanePositionSequence, first.PlanePositionSequence


def shifted(ds: Dataset) -> None:
    for group in ds.PerFrameFunctionalGroupsSequence:
        place = group.PlanePositionSequence[0]
        place.ImagePositionPatient = [place.ImagePositionPatient[0] + 0.2, *place.ImagePositionPatient[1:]]


def other_pixels(ds: Dataset) -> None:
    ds.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].PixelSpacing = [0.7, 0.6]


def same_number(ds: Dataset) -> None:
    ds.SegmentSequence[1].SegmentNumber = 1


def second_frame(ds: Dataset) -> None:
    """The frame of slice 2 says that it is of slice 1, which has one of that segment."""
    ds.PerFrameFunctionalGroupsSequence[1] = ds.PerFrameFunctionalGroupsSequence[0]


REFUSED = {
    "two segments of one number": (same_number, "every segment has a number of its own, [1] are described twice"),
    "two frames of one slice": (second_frame, "a segment has one frame on a slice, frame 2 is a second one of segment 1"),
    "another series": (other_series, "scan.dcm: a SEG points at images of its source, the 8 images that this names are of no series here"),
    "no references at all": (nowhere, "scan.dcm: a SEG points at its images, this names neither images nor a frame of reference"),
    "frames on other slices": (swapped, "a frame lies on the slice that it points at, frame 1 does not"),
    "beside the pixels": (shifted, "an annotation lies on its series' pixels, it is off by 0.4 pixels"),
    "other pixels": (other_pixels, "an annotation has its series' pixel spacing, it has another"),
}


@pytest.mark.parametrize("fault", REFUSED)
def test_wrong_references_cost_the_annotation_and_not_the_image(tmp_path: Path, objects: Path, fault: str) -> None:
    change, rule = REFUSED[fault]
    changed(objects / "scan.dcm", change)
    report, masks = taken(tmp_path)
    (line,) = map(str, report.refused)
    assert rule in line
    assert (masks, report.added) == ({}, ("scan",))


def test_an_object_that_names_no_image_is_matched_by_its_frame_of_reference_if_one_series_has_it(
    tmp_path: Path, objects: Path, mask: np.ndarray
) -> None:
    changed(objects / "scan.dcm", no_references)
    report, masks = taken(tmp_path)
    np.testing.assert_array_equal(masks["scan"], mask)
    assert any("names no image; it is matched by its frame of reference" in note.text for note in report.notes)
    write_stack(tmp_path / "source/again", series="bb")
    with Project.create(tmp_path / "third", kind="segmentation", labels=LABELS) as project:
        (line,) = map(str, project.add(tmp_path / "source", objects_in=objects).refused)
    assert line.startswith("scan.dcm: a SEG that names no image needs one series of its frame of reference, 2 are here")


def test_a_truncated_segmentation_is_named_and_the_image_comes_in(tmp_path: Path, objects: Path) -> None:
    whole = (objects / "scan.dcm").read_bytes()
    for share in (0.3, 0.999):
        (objects / "scan.dcm").write_bytes(whole[: int(len(whole) * share)])
        report, masks = taken(tmp_path)
        assert (masks, report.added) == ({}, ("scan",))
        assert len(report.refused) == 1
        (tmp_path / "second").rename(tmp_path / f"second-{share}")


def test_two_files_of_one_instance_and_two_annotations_of_one_label_are_refused(tmp_path: Path, objects: Path) -> None:
    def other(ds: Dataset) -> None:
        ds.ContentLabel = "OTHER"

    (objects / "copy.dcm").write_bytes((objects / "scan.dcm").read_bytes())
    report, masks = taken(tmp_path)
    assert [str(line) for line in report.refused] == ["scan.dcm: it repeats copy.dcm, byte for byte; leave one of the two out"]
    assert list(masks) == ["scan"]
    changed(objects / "copy.dcm", other)
    (tmp_path / "second").rename(tmp_path / "one")
    report, masks = taken(tmp_path)
    assert [str(line).split(",")[0] for line in report.refused] == [f"{n}.dcm: a SOP Instance UID is one file's" for n in ("copy", "scan")]
    assert masks == {}

    def differ(ds: Dataset) -> None:
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        ds.PixelData = bytes(len(ds.PixelData))

    changed(objects / "copy.dcm", differ)
    (tmp_path / "second").rename(tmp_path / "two")
    report, masks = taken(tmp_path)
    assert "copy.dcm and scan.dcm: a label has one annotation, they differ in" in str(report.refused[0])
    assert masks == {}


def test_a_fractional_segmentation_needs_a_threshold(tmp_path: Path, objects: Path) -> None:
    slices = [pydicom.dcmread(path) for path in sorted((tmp_path / "source/scan").iterdir(), reverse=True)]
    shares = np.zeros((SLICES, ROWS, COLUMNS, 1))
    shares[1, 2, 1:5, 0] = (0.2, 0.4, 0.6, 1.0)
    organ = highdicom.sr.CodedConcept("10200004", "SCT", "Liver")
    described = highdicom.seg.SegmentDescription(
        1, "liver", organ, organ,
        "AUTOMATIC", highdicom.AlgorithmIdentificationSequence("net", highdicom.sr.CodedConcept("123110", "DCM", "AI"), "1"),
    )  # fmt: skip
    made = highdicom.seg.Segmentation(
        slices, shares, "FRACTIONAL", [described], generate_uid(), 1, generate_uid(), 1, "maker", "model", "1", "serial"
    )
    made.save_as(objects / "scan.dcm")
    report, masks = taken(tmp_path)
    assert "a fractional segmentation holds shares, not labels; say from which share on a voxel counts" in str(report.refused[0])
    (tmp_path / "second").rename(tmp_path / "one")
    report, masks = taken(tmp_path, threshold=0.5)
    assert masks["scan"][:, 2, 1].tolist() == [0, 0, 0, 1, 1, 0]
    assert any("voxels of 0.5 and more of the fractional scan.dcm count" in note.text for note in report.notes)
    with pytest.raises(SettingError, match="above 0 and be at most 1"):
        open_dataset(tmp_path / "source", threshold=0.0)


def contours(tmp_path: Path, *regions: tuple[str, list[tuple[str, int | float, list[tuple[float, float]]]]]) -> None:
    """`out/rt.dcm`: regions with contours of (type, slice, points in pixels)."""
    slices = [pydicom.dcmread(path) for path in sorted((tmp_path / "source/scan").iterdir(), reverse=True)]
    origin = [float(x) for x in slices[0].ImagePositionPatient]
    with Project.create(tmp_path / "rt", kind="segmentation", labels=[name for name, _ in regions]) as project:
        project.add(tmp_path / "source")
        project.submit(project.open_case("scan"), np.ones((COLUMNS, ROWS, SLICES), dtype=np.uint8))
        project.export(tmp_path / "rt-out", "rtstruct", source=tmp_path / "source")
    ds = pydicom.dcmread(tmp_path / "rt-out/scan.dcm")
    for item, (_, given) in zip(ds.ROIContourSequence, regions, strict=True):
        item.ContourSequence = []
        for kind, k, points in given:
            one = Dataset()
            one.ContourGeometricType, one.NumberOfContourPoints = kind, len(points)
            one.ContourData = [round(x, 4) for i, j in points for x in (origin[0] + 0.5 * i, origin[1] + 0.7 * j, origin[2] + 2.5 * k)]
            item.ContourSequence.append(one)
    (tmp_path / "out").mkdir()
    ds.save_as(tmp_path / "out/rt.dcm")


def box(low: float, high: float) -> list[tuple[float, float]]:
    return [(low, low), (high, low), (high, high), (low, high)]


def test_contours_are_filled_on_their_slices_with_holes_and_nothing_between(tmp_path: Path) -> None:
    write_stack(tmp_path / "source/scan")
    closed = [("CLOSED_PLANAR", 0, box(-0.4, 4.4)), ("CLOSED_PLANAR", 0, box(0.6, 2.4)), ("CLOSED_PLANAR", 2, box(0.6, 1.4))]
    between = [("CLOSED_PLANAR", 2.5, box(0.6, 3.4)), ("POINT", 1, [(2.0, 2.0)])]
    contours(tmp_path, ("liver", [*closed, *between]), ("spleen", []))
    report, masks = taken(tmp_path, labels=["liver", "spleen"])
    wanted = np.zeros((COLUMNS, ROWS, SLICES), dtype=np.uint8)
    wanted[:5, :5, 0], wanted[1:3, 1:3, 0], wanted[1, 1, 2] = 1, 0, 1
    np.testing.assert_array_equal(masks["scan"], wanted)
    notes = [note.text for note in report.notes]
    assert "1 contour (POINT) in rt.dcm bound no area: ignored" in notes
    assert "1 contour of rt.dcm on slices that the series does not have: left out" in notes
    assert "spleen in rt.dcm has no area: not annotated by it" in notes


def test_a_repeated_contour_takes_no_area_away_and_slices_left_out_between_are_named(tmp_path: Path) -> None:
    write_stack(tmp_path / "source/scan")
    closed = [("CLOSED_PLANAR", k, box(0.6, 2.4)) for k in (0, 0, 3)]
    contours(tmp_path, ("liver", closed), ("spleen", []))
    report, masks = taken(tmp_path, labels=["liver", "spleen"])
    assert masks["scan"][1:3, 1:3].sum(axis=(0, 1)).tolist() == [4, 0, 0, 4]
    notes = [note.text for note in report.notes]
    assert "1 contour in rt.dcm repeated: read once" in notes
    assert "liver in rt.dcm has no contour on 2 slices between its first and its last: read as absent there" in notes


def test_two_regions_of_one_number_are_refused(tmp_path: Path) -> None:
    write_stack(tmp_path / "source/scan")
    contours(tmp_path, ("liver", [("CLOSED_PLANAR", 0, box(0.6, 2.4))]), ("spleen", []))
    changed(tmp_path / "out/rt.dcm", lambda ds: setattr(ds.StructureSetROISequence[1], "ROINumber", 1))
    report, masks = taken(tmp_path, labels=["liver", "spleen"])
    assert "every region has a number of its own, [1] are described twice" in str(report.refused[0])
    assert masks == {}


def exchanged(ds: Dataset) -> None:
    first, last = ds.SegmentSequence[0], ds.SegmentSequence[2]
    first.SegmentLabel, last.SegmentLabel = last.SegmentLabel, first.SegmentLabel


def test_names_that_contradict_their_codes_are_named(tmp_path: Path, objects: Path) -> None:
    changed(objects / "scan.dcm", exchanged)
    notes = [note.text for note in taken(tmp_path, labels=["liver", "spleen"])[0].notes]
    assert "'spleen' in scan.dcm is read by its name, and its code is that of liver" in notes


def test_the_background_of_a_labelmap_is_no_label_that_is_nowhere(tmp_path: Path, mask: np.ndarray) -> None:
    write_stack(tmp_path / "source/scan")
    with Project.create(tmp_path / "first", kind="segmentation", labels=["liver", "tumour", "spleen"]) as project:
        project.add(tmp_path / "source")
        project.submit(project.open_case("scan", "anna"), mask)
        project.export(tmp_path / "out", "dicom-labelmap", source=tmp_path / "source")
    changed(tmp_path / "out/scan.dcm", lambda ds: setattr(ds, "PixelPaddingValue", 1))
    report, masks = taken(tmp_path, labels=["liver", "tumour", "spleen"])
    assert np.array_equal(masks["scan"], np.where(mask == 1, 0, mask))
    assert not any("liver" in note.text and "nowhere" in note.text for note in report.notes)


def test_a_code_given_to_a_label_goes_out_and_a_broken_one_is_refused(tmp_path: Path, objects: Path, mask: np.ndarray) -> None:
    with Project.open(tmp_path / "first") as project:
        (done,) = configure(project.workspace, task=TaskChange(codes={"spleen": "99ABC: x1 :My spleen"}))
        assert (done.what, done.before, done.after) == ("code of spleen", "", "99ABC:x1:My spleen")
        with pytest.raises(Exception, match="A code is SCHEME:VALUE:MEANING"):
            configure(project.workspace, task=TaskChange(codes={"spleen": "SCT-78961009"}))
    with Project.open(tmp_path / "first") as project:
        project.export(tmp_path / "coded", "dicom-seg")
        with pytest.raises(SettingError, match="Original files are used by dicom-seg"):
            project.export(tmp_path / "nifti", "nifti", source=tmp_path / "source")
        with pytest.raises(SettingError, match="--regular-grid would move it"):
            project.export(tmp_path / "regular", "dicom-seg", regular_grid=True)
        with pytest.raises(InputError, match="its original files must lie in the folder of originals, 4 of 4 do not"):
            project.export(tmp_path / "lost", "dicom-seg", source=write_stack(tmp_path / "elsewhere", "coronal"))
    kind = pydicom.dcmread(tmp_path / "coded/scan.dcm").SegmentSequence[2].SegmentedPropertyTypeCodeSequence[0]
    assert (kind.CodingSchemeDesignator, kind.CodeValue, kind.CodeMeaning) == ("99ABC", "x1", "My spleen")


def test_measurements_go_out_as_a_report_at_their_place_with_codes_and_units(tmp_path: Path, objects: Path) -> None:
    with Project.open(tmp_path / "first") as project:
        opened = project.open_case("scan", "berta")
        across = MeasurementRequest(kind="length", points=((1, 1, 2), (4, 1, 2)), axis=2, index=2)
        project.measure(opened, across)
        project.measure(opened, MeasurementRequest(kind="ellipse", points=((1, 1, 2), (4, 3, 2)), axis=2, index=2))
        done = project.export(tmp_path / "sr", "dicom-sr", source=tmp_path / "source")
    assert done.cases == 1
    assert faults_of(tmp_path / "sr/scan.dcm") == []
    report = highdicom.sr.srread(tmp_path / "sr/scan.dcm")
    assert report.PatientID == IDENTITY
    groups = report.content.get_image_measurement_groups()
    found = {(m.name.meaning, m.unit.value): m for group in groups for m in group.get_measurements()}
    length = found["Length", "mm"]
    assert length.value == pytest.approx(1.5)
    assert {"Area", "Attenuation Coefficient", "Intensity of the image"} & {name for name, _ in found}
    (place,) = [item for item in length[0].ContentSequence if item.ValueType == "SCOORD3D"]
    points = np.array(place.GraphicData).reshape(-1, 3)
    first = pydicom.dcmread(tmp_path / "source/scan/004.dcm")
    start = np.array(first.ImagePositionPatient, dtype=float) + np.array([0.5, 0.7, 5.0])
    np.testing.assert_allclose(points, [start, start + np.array([1.5, 0, 0])], atol=1e-4)
