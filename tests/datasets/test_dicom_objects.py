"""Annotations of DICOM series as SEG, labelmap and RTSTRUCT: there and back, exact, and as other programs read them."""

from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import highdicom
import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medloop.core.arrays import MaskArray
from medloop.core.errors import MedloopError
from medloop.core.image import Mask
from medloop.core.records import Label, Task, now
from medloop.datasets.dicom_objects.references import Originals
from medloop.datasets.dicom_objects.writing import OBJECT_EXPORTERS, Wanted
from medloop.datasets.discover import open_dataset
from medloop.datasets.export_tally import ExportCase
from medloop.images.dicom_segments import object_record
from medloop.images.read import ReadImage, read_image
from medloop.loop.data.source_segments import SourceSegments, read_objects

from ..dicom_series import COLUMNS, IDENTITY, ORIENTATIONS, ROWS, SLICES, faults_of, write_frames, write_stack

LABELS = (
    Label(value=1, name="liver", colour="#b62700"),
    Label(value=2, name="liver tumour", colour="#5b82f7", inside=1, code="SCT:108369006:Neoplasm"),
    Label(value=4, name="left kidney", colour="#2700dd"),
)
TASK = Task(id="task", version=1, kind="segmentation", labels=LABELS, created_at=now())
SHAPE = (COLUMNS, ROWS, SLICES)
FORMATS = tuple(OBJECT_EXPORTERS)
PLACES = (*ORIENTATIONS, "frames", "uneven", "single")


@cache
def source(place: str) -> tuple[Path, ReadImage]:
    """A series on disk and as it is read."""
    folder = Path(mkdtemp(prefix="medloop-series-")) / "scan"
    if place == "frames":
        write_frames(folder)
    elif place == "uneven":
        write_stack(folder, "oblique", depths=(0, 1, 4, 4.5))
    elif place == "single":
        write_stack(folder, "coronal", depths=(0,))
    else:
        write_stack(folder, place)
    return folder, read_image(folder)


def case_of(place: str, mask: MaskArray, **changes: object) -> ExportCase:
    read = source(place)[1]
    fields = {"name": "scan", "patient": "patient-1", "split": "train", "tag": None, "source": read.source, "image": read.image} | changes
    return ExportCase(mask=Mask(mask, read.image.grid), **fields)  # type: ignore[arg-type]


def there_and_back(place: str, mask: MaskArray, fmt: str, annotated: tuple[str, ...] = ()) -> SourceSegments:
    folder, read = source(place)
    out = Path(mkdtemp(prefix="medloop-objects-")) / "out"
    OBJECT_EXPORTERS[fmt]([case_of(place, mask, annotated=annotated)], out, Wanted(LABELS, "project-1"))
    (case,) = open_dataset(folder, objects_in=out).cases
    assert [path.name for path in case.objects] == ["scan.dcm"]
    return read_objects(case.objects, read.image.grid, read.source.dicom, TASK, threshold=None)


@settings(max_examples=25)
@given(
    values=st.lists(st.sampled_from([0, 0, 1, 2, 4]), min_size=COLUMNS * ROWS * SLICES, max_size=COLUMNS * ROWS * SLICES),
    place=st.sampled_from(PLACES),
    fmt=st.sampled_from(FORMATS),
)
def test_any_mask_comes_back_voxel_for_voxel_in_any_orientation(values: list[int], place: str, fmt: str) -> None:
    mask = np.array(values, dtype=np.uint8).reshape(SHAPE)[:, :, : source(place)[1].image.grid.shape[2]]
    back = there_and_back(place, mask, fmt)
    if back.mask is None:  # contours of nothing say nothing
        assert fmt == "rtstruct"
        assert not mask.any()
        return
    np.testing.assert_array_equal(back.mask.array, mask)
    assert back.faults == ()
    if fmt != "rtstruct":
        assert back.values == (1, 2, 4)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("fmt", FORMATS)
def test_what_is_written_passes_dciodvfy(place: str, fmt: str, tmp_path: Path) -> None:
    mask = np.zeros(source(place)[1].image.grid.shape, dtype=np.uint8)
    mask[1:5, 1:4], mask[2:4, 2] = 1, 2
    case = case_of(place, mask, untouched=0.5, annotator="anna")
    for number, originals in enumerate((None, Originals.below(source(place)[0]))):
        out = tmp_path / str(number)
        OBJECT_EXPORTERS[fmt]([case], out, Wanted(LABELS, "project-1", originals))
        assert faults_of(out / "scan.dcm") == []
        assert pydicom.dcmread(out / "scan.dcm").PatientID == (IDENTITY if originals else "patient-1")


@pytest.mark.parametrize("place", ["oblique", "sagittal", "frames"])
def test_highdicom_reads_the_same_voxels_at_the_same_place_with_the_same_codes(place: str, tmp_path: Path) -> None:
    mask = np.zeros(SHAPE, dtype=np.uint8)
    mask[1:5, 1:4, :2], mask[2:4, 2, 1], mask[0, 0, 3] = 1, 2, 4
    OBJECT_EXPORTERS["dicom-seg"]([case_of(place, mask)], tmp_path / "out", Wanted(LABELS, "project-1"))
    read = highdicom.seg.segread(tmp_path / "out/scan.dcm")
    told = [read.get_segment_description(number) for number in read.segment_numbers]
    assert [one.segment_label for one in told] == ["liver", "liver tumour", "left kidney"]
    assert [one.segmented_property_type.value for one in told] == ["10200004", "108369006", "64033007"]
    assert told[2].SegmentedPropertyTypeCodeSequence[0].SegmentedPropertyTypeModifierCodeSequence[0].CodeMeaning == "Left"
    grid = source(place)[1].image.grid
    volume = read.get_volume(segment_numbers=[1], combine_segments=True, rescale_fractional=False)
    found = {tuple(np.round(p, 4)) for p in volume.map_indices_to_reference(np.argwhere(volume.array > 0))}
    wanted = {tuple(np.round(np.array(grid.to_mm(tuple(at))) * (-1, -1, 1), 4)) for at in np.argwhere((mask == 1) | (mask == 2))}
    assert found == wanted
    instances = set(source(place)[1].source.dicom["instances"])
    named = {one.ReferencedSOPInstanceUID for one in read.ReferencedSeriesSequence[0].ReferencedInstanceSequence}
    assert named == instances


@pytest.mark.parametrize("fmt", FORMATS)
def test_names_of_any_script_are_kept(fmt: str, tmp_path: Path) -> None:
    mask = np.ones(SHAPE, dtype=np.uint8)
    folder = write_stack(tmp_path / "scan", "sagittal", series="name")
    for path in folder.iterdir():
        ds = pydicom.dcmread(path)
        ds.SpecificCharacterSet, ds.PatientName = "ISO_IR 100", "Müller^Jürgen"
        ds.save_as(path)
    read = read_image(folder)
    case = case_of("sagittal", mask, image=read.image, source=read.source, annotator="Łukasz 田")
    labels = (replace(LABELS[0], name="Läsion 肝"),)
    OBJECT_EXPORTERS[fmt]([case], tmp_path / "out", Wanted(labels, "project-1", Originals.below(folder)))
    ds = pydicom.dcmread(tmp_path / "out/scan.dcm")
    assert str(ds.PatientName) == "Müller^Jürgen"
    named = [one.ROIName for one in ds.StructureSetROISequence] if fmt == "rtstruct" else [one.SegmentLabel for one in ds.SegmentSequence]
    assert named[-1] == "Läsion 肝"
    assert faults_of(tmp_path / "out/scan.dcm") == []


def test_only_annotated_labels_are_segments_and_come_back_as_such() -> None:
    mask = np.zeros(SHAPE, dtype=np.uint8)
    mask[2, 2, 2] = 4
    back = there_and_back("axial", mask, "dicom-seg", annotated=("left kidney", "liver"))
    assert back.values == (1, 4)
    assert any("liver in scan.dcm has no voxel: annotated, and nowhere" in note for note in back.notes)


def test_a_case_without_dicom_is_left_out_with_the_remedy_and_the_rest_is_written(tmp_path: Path) -> None:
    good = case_of("axial", np.ones(SHAPE, dtype=np.uint8))
    plain = replace(good, name="photo", source=replace(good.source, format="nifti", dicom={}))
    older = replace(good, name="older", source=replace(good.source, dicom={**good.source.dicom, "instances": ["1.2"]}))
    done = OBJECT_EXPORTERS["dicom-seg"]([plain, good, older], tmp_path / "out", Wanted(LABELS, "project-1"))
    assert done.cases == 1
    left = [note for note in done.notes if note.startswith("left out")]
    assert any("photo: a DICOM object points at a DICOM series, this case came as nifti; import the original" in note for note in left)
    assert any("older: every slice needs its DICOM instance, 1 are kept for 4 slices" in note for note in left)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["medloop.csv", "scan.dcm"]


@pytest.mark.filterwarnings("ignore::UserWarning")  # as in the limited process, where this runs
@pytest.mark.parametrize("fmt", FORMATS)
def test_a_file_cut_off_anywhere_is_refused_or_says_the_same(fmt: str, tmp_path: Path) -> None:
    mask = np.zeros(SHAPE, dtype=np.uint8)
    mask[1:5, 1:4], mask[0, 0] = 1, 4
    OBJECT_EXPORTERS[fmt]([case_of("axial", mask)], tmp_path / "out", Wanted(LABELS, "project-1"))
    path = tmp_path / "out/scan.dcm"
    whole = path.read_bytes()
    record, planes = object_record(path)
    for length in range(200, len(whole), 97):
        path.write_bytes(whole[:length])
        try:
            cut, cut_planes = object_record(path)
        except (MedloopError, OSError, ValueError):  # the limited process makes a refusal of the latter two
            continue
        assert (cut.get("contours"), cut.get("planes"), cut_planes) == (record.get("contours"), record.get("planes"), planes)
