"""A mask as an RT Structure Set: each label a region of closed contours on the slices of its series.

Every label that the case annotates is a region, also where it has no contour. A label that others lie inside of holds their area, too.
Values are written without explicit representations, as a contour may be longer than those allow.

Source: DICOM PS3.3 A.19 (RT Structure Set), C.8.8.5, C.8.8.6, C.8.8.8; PS3.5 A.1.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ImplicitVRLittleEndian, generate_uid

import medloop
from medloop.core.codes import Code, coded
from medloop.core.errors import InputError
from medloop.core.labels import mask_of
from medloop.core.records import Label
from medloop.datasets.dicom_objects.contours import contours_of
from medloop.datasets.dicom_objects.references import PERSON_TAGS, Referenced, decimals
from medloop.datasets.dicom_objects.segmentation import MAKER, annotated_labels_of, person_name
from medloop.datasets.export_tally import ExportCase
from medloop.images.dicom_objects import CONTOURS

_SERIES_NUMBER = 9001
_STUDY_CLASS = "1.2.840.10008.3.1.2.3.1"
"""Detached Study Management, retired, and still what a structure set names its study with."""


def write_structures(case: ExportCase, source: Referenced, labels: Sequence[Label]) -> Dataset:
    """The object of one case.

    Args:
        case: With a mask on the image's grid.
        source: What it points at.
        labels: Of the task.

    Raises:
        InputError: The case has no mask, or its slices have no place in the patient.
    """
    if case.mask is None:
        raise InputError(f"{case.name}: contours need a mask", remedy="annotate the case")
    if source.positions is None:
        raise InputError(f"{case.name}: contours need the slices' places in the patient, its files store none", remedy="export it as nifti")
    ds = _head(case, source)
    observations, regions, rois = [], [], []
    for number, label in enumerate(annotated_labels_of(case, labels), start=1):
        regions.append(_region(number, label, ds.FrameOfReferenceUID))
        rois.append(_contours(number, label, mask_of(labels, case.mask.array, label.value), case, source))
        observations.append(_observation(number, label))
    ds.StructureSetROISequence, ds.ROIContourSequence, ds.RTROIObservationsSequence = regions, rois, observations
    return ds


def _head(case: ExportCase, source: Referenced) -> Dataset:
    ds, image, at = Dataset(), source.images[0], datetime.now(UTC)
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    ds.SOPClassUID, ds.SOPInstanceUID = CONTOURS, generate_uid()
    ds.file_meta.MediaStorageSOPClassUID, ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPClassUID, ds.SOPInstanceUID
    for keyword in (*PERSON_TAGS, "SpecificCharacterSet", "StudyInstanceUID", "FrameOfReferenceUID", "PositionReferenceIndicator"):
        if keyword in image:
            setattr(ds, keyword, image.get(keyword))
    ds.Modality, ds.SeriesInstanceUID, ds.SeriesNumber = "RTSTRUCT", generate_uid(), _SERIES_NUMBER
    ds.SeriesDescription, ds.OperatorsName = "medloop annotation", person_name(case.annotator) or ""
    ds.Manufacturer = ds.ManufacturerModelName = MAKER
    ds.SoftwareVersions = medloop.__version__
    ds.InstanceNumber, ds.StructureSetLabel = 1, "MEDLOOP"
    ds.StructureSetDate, ds.StructureSetTime = at.strftime("%Y%m%d"), at.strftime("%H%M%S")
    ds.ApprovalStatus = "UNAPPROVED"
    ds.ReferencedFrameOfReferenceSequence = [_frame_of_reference(image, source)]
    return ds


def _frame_of_reference(image: Dataset, source: Referenced) -> Dataset:
    series, study, frame = Dataset(), Dataset(), Dataset()
    series.SeriesInstanceUID = image.SeriesInstanceUID
    series.ContourImageSequence = [
        _image(*source.instance_of(k)) for k in range(len(source.positions) if source.positions is not None else 0)
    ]
    study.ReferencedSOPClassUID, study.ReferencedSOPInstanceUID = _STUDY_CLASS, image.StudyInstanceUID
    study.RTReferencedSeriesSequence = [series]
    frame.FrameOfReferenceUID, frame.RTReferencedStudySequence = image.FrameOfReferenceUID, [study]
    return frame


def _image(image: Dataset, frame: int | None) -> Dataset:
    one = Dataset()
    one.ReferencedSOPClassUID, one.ReferencedSOPInstanceUID = image.SOPClassUID, image.SOPInstanceUID
    if frame is not None:
        one.ReferencedFrameNumber = frame
    return one


def _region(number: int, label: Label, frame_of_reference: str) -> Dataset:
    one = Dataset()
    one.ROINumber, one.ROIName, one.ReferencedFrameOfReferenceUID = number, label.name[:64], frame_of_reference
    one.ROIGenerationAlgorithm = ""
    return one


def _observation(number: int, label: Label) -> Dataset:
    what, one = coded(label), Dataset()
    one.ObservationNumber, one.ReferencedROINumber = number, number
    one.RTROIInterpretedType, one.ROIInterpreter = "", ""
    identified = _code(what.kind)
    if what.side is not None:
        identified.SegmentedPropertyTypeModifierCodeSequence = [_code(what.side)]
    one.RTROIIdentificationCodeSequence = [identified]
    return one


def _code(code: Code) -> Dataset:
    one = Dataset()
    one.CodeValue, one.CodingSchemeDesignator, one.CodeMeaning = code.value, code.scheme, code.meaning
    return one


def _contours(number: int, label: Label, voxels: Any, case: ExportCase, source: Referenced) -> Dataset:
    one = Dataset()
    one.ROIDisplayColor = [int(label.colour[at : at + 2], 16) for at in (1, 3, 5)]
    one.ReferencedROINumber = number
    contours = []
    for k in np.flatnonzero(voxels.any(axis=(0, 1))):
        for outline in contours_of(voxels[:, :, k]):
            contours.append(_contour(_in_patient(outline, case, source, int(k)), _image(*source.instance_of(int(k)))))
    if contours:
        one.ContourSequence = contours
    return one


def _in_patient(outline: Any, case: ExportCase, source: Referenced, k: int) -> Any:
    """Points of a slice in LPS millimetres, (points, 3)."""
    origin = (0.0, 0.0, 0.0) if source.positions is None else source.positions[k]
    axes = case.image.grid.affine[:3, :2] * np.array([[-1.0], [-1.0], [1.0]])
    return np.asarray(origin) + outline @ axes.T


def _contour(points: Any, image: Dataset) -> Dataset:
    one = Dataset()
    one.ContourImageSequence = [image]
    one.ContourGeometricType, one.NumberOfContourPoints = "CLOSED_PLANAR", len(points)
    one.ContourData = decimals(points.reshape(-1))
    return one
