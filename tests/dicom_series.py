"""Small DICOM series in any orientation, for tests of what is written beside them and read back."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, EnhancedMRImageStorage, ExplicitVRLittleEndian, generate_uid

NAME, IDENTITY = "MUSTERMANN^ERIKA", "4711-SECRET"
OBLIQUE = [0.8, 0.6, 0.0, -0.36, 0.48, 0.8]
ORIENTATIONS = {
    "axial": [1, 0, 0, 0, 1, 0],
    "sagittal": [0, 1, 0, 0, 0, -1],
    "coronal": [1, 0, 0, 0, 0, -1],
    "oblique": OBLIQUE,
}
COLUMNS, ROWS, SLICES = 6, 5, 4


def _plain(study: str, series: str, sop_class: str) -> Dataset:
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.SOPClassUID, ds.SOPInstanceUID = sop_class, generate_uid()
    ds.file_meta.MediaStorageSOPClassUID, ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPClassUID, ds.SOPInstanceUID
    ds.StudyInstanceUID, ds.SeriesInstanceUID = generate_uid(entropy_srcs=[study]), generate_uid(entropy_srcs=[study, series])
    ds.FrameOfReferenceUID = generate_uid(entropy_srcs=[study, "frame"])
    ds.PatientName, ds.PatientID, ds.PatientBirthDate, ds.PatientSex = NAME, IDENTITY, "19700101", "F"
    ds.StudyDate, ds.StudyTime, ds.AccessionNumber, ds.StudyID, ds.ReferringPhysicianName = "20260101", "120000", "A1", "S1", ""
    ds.Rows, ds.Columns, ds.SamplesPerPixel, ds.PhotometricInterpretation = ROWS, COLUMNS, 1, "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
    return ds


def places(orientation: str, depths: list[float]) -> np.ndarray:
    """Where slices lie along their normal, LPS."""
    directions = np.array(ORIENTATIONS[orientation], dtype=float)
    return np.array([-10.5, 20.25, 33.0]) + np.outer(depths, np.cross(directions[:3], directions[3:]))


def write_stack(folder: Path, orientation: str = "axial", *, series: str = "a", depths: tuple[float, ...] = (0, 2.5, 5, 7.5)) -> Path:
    """A CT of one file a slice; its pixels tell orientation, series and slice."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, position in enumerate(places(orientation, list(depths))):
        ds = _plain("study", orientation + series, CTImageStorage)
        ds.Modality, ds.InstanceNumber, ds.SliceThickness, ds.PixelSpacing = "CT", number + 1, 2.5, [0.7, 0.5]
        ds.ImageOrientationPatient, ds.ImagePositionPatient = ORIENTATIONS[orientation], [round(float(x), 9) for x in position]
        ds.PixelData = (np.arange(ROWS * COLUMNS, dtype="<u2") + 100 * number + len(series) + 7 * len(orientation)).tobytes()
        ds.save_as(folder / f"{len(depths) - number:03}.dcm", enforce_file_format=True)
    return folder


def write_kernels(folder: Path, kernels: tuple[str, ...]) -> Path:
    """A series with every slice once for each of some convolution kernels."""
    write_stack(folder)
    for kernel in kernels:
        for path in list(folder.glob("0*.dcm")):
            ds = dcmread(path)
            ds.ConvolutionKernel, ds.SOPInstanceUID = kernel, generate_uid()
            ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
            ds.save_as(folder / f"{len(kernel)}-{path.name}")
    for path in folder.glob("0*.dcm"):
        path.unlink()
    return folder


def write_frames(folder: Path, orientation: str = "oblique") -> Path:
    """An enhanced MR whose frames lie in another order in the file than in space."""
    folder.mkdir(parents=True, exist_ok=True)
    ds = _plain("study", "enhanced", EnhancedMRImageStorage)
    ds.Modality, ds.InstanceNumber, ds.NumberOfFrames = "MR", 1, SLICES
    shared, plane, measures = Dataset(), Dataset(), Dataset()
    plane.ImageOrientationPatient = ORIENTATIONS[orientation]
    measures.PixelSpacing, measures.SliceThickness = [0.7, 0.5], 2.5
    shared.PlaneOrientationSequence, shared.PixelMeasuresSequence = [plane], [measures]
    ds.SharedFunctionalGroupsSequence, groups = [shared], []
    for number in (2, 0, 3, 1):
        group, place = Dataset(), Dataset()
        place.ImagePositionPatient = [round(float(x), 9) for x in places(orientation, [2.5 * number])[0]]
        group.PlanePositionSequence = [place]
        groups.append(group)
    ds.PerFrameFunctionalGroupsSequence = groups
    ds.PixelData = np.concatenate([np.full(ROWS * COLUMNS, 10 * n + 1, "<u2") for n in (2, 0, 3, 1)]).tobytes()
    ds.save_as(folder / "frames.dcm", enforce_file_format=True)
    return folder


LABELMAP_UNKNOWN = ("Information Object Not found", "SegmentNumber not monotonically increasing")
"""What dicom3tools of 2022 says of every label map segmentation, an object of 2024 that it does not know."""


def faults_of(path: Path) -> list[str]:
    """The errors that dciodvfy of dicom3tools finds in a file, but those of objects younger than it."""
    program = shutil.which("dciodvfy")
    if program is None:
        pytest.skip("dciodvfy is not installed: install the package 'dicom3tools'")
    done = subprocess.run([program, str(path)], capture_output=True, text=True, check=False)
    lines = [line for line in (done.stdout + done.stderr).splitlines() if "Error" in line]
    return [line for line in lines if not any(known in line for known in LABELMAP_UNKNOWN)]
