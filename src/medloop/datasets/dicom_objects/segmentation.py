"""A mask as a DICOM Segmentation: binary with one segment a label, or a labelmap.

Every label that the case annotates is a segment, also where it has no voxel: that says that it was looked for and is not there.
A label that others lie inside of holds their voxels, too, so that binary segments overlap; a labelmap holds the innermost one.

Source: DICOM PS3.3 A.51 (Segmentation), A.93 (Label Map Segmentation), C.8.20 (segmentation image and its segments).
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import numpy as np

import medloop
from medloop.core.arrays import MaskArray
from medloop.core.codes import Code, coded
from medloop.core.errors import InputError
from medloop.core.labels import mask_of, nested_regions
from medloop.core.records import Label
from medloop.datasets.dicom_objects.references import Referenced
from medloop.datasets.export_tally import ExportCase

MAKER = "medloop"
_SERIES_NUMBER = 9000
RLE = "1.2.840.10008.1.2.5"
EXPLICIT = "1.2.840.10008.1.2.1"


def annotated_labels_of(case: ExportCase, labels: Sequence[Label]) -> tuple[Label, ...]:
    """The labels that a case annotates."""
    return tuple(label for label in labels if not case.annotated or label.name in case.annotated)


def write_segmentation(
    case: ExportCase, source: Referenced, labels: Sequence[Label], *, kind: Literal["BINARY", "LABELMAP"], serial: str
) -> Any:
    """The object of one case.

    Args:
        case: With a mask on the image's grid.
        source: What it points at.
        labels: Of the task.
        kind: One bit a segment and voxel, or one number a voxel.
        serial: What tells this project from others, as the number of the device.

    Raises:
        InputError: The case has no mask, or highdicom refuses what the source's headers say.
    """
    import highdicom as hd

    if case.mask is None:
        raise InputError(f"{case.name}: a segmentation needs a mask", remedy="annotate the case")
    chosen = annotated_labels_of(case, labels)
    pixels = _in_file_order(_segments(case.mask.array, chosen, labels, stacked=kind == "BINARY"), source)
    if source.positions is None and len(pixels) > 1:
        raise InputError(
            f"{case.name}: a DICOM segmentation of several frames needs their places in the patient, its files store none",
            remedy="export it as nifti",
        )
    if not case.mask.array.any() and not source.frames:
        pixels, images = pixels[:1], source.images[:1]  # one empty frame a segment says it; all of them would say no more
    else:
        images = source.images
    with refusing(case, "segmentation", "export it as nifti"):
        made = hd.seg.Segmentation(
            source_images=images,
            pixel_array=pixels,
            segmentation_type=kind,
            segment_descriptions=[_described(number, label, case) for number, label in enumerate(chosen, start=1)],
            **identity(_SERIES_NUMBER),
            device_serial_number=serial,
            content_label="MEDLOOP",
            content_description="Annotation of an image",
            content_creator_name=person_name(case.annotator),
            transfer_syntax_uid=RLE if kind == "LABELMAP" else EXPLICIT,
            omit_empty_frames=bool(pixels.any()),
            series_description="medloop annotation",
        )
    if source.positions is None:
        made.PatientOrientation = ""  # required, and empty, where the image does not say it (PS3.3 C.7.6.1)
    return made


def identity(series_number: int) -> dict[str, Any]:
    """What tells an object from all others, and who made it, as highdicom takes it: a series of its own, with this one instance."""
    import highdicom as hd

    return {
        "series_instance_uid": hd.UID(),
        "series_number": series_number,
        "sop_instance_uid": hd.UID(),
        "instance_number": 1,
        "manufacturer": MAKER,
        "manufacturer_model_name": MAKER,
        "software_versions": medloop.__version__,
    }


@contextmanager
def refusing(case: ExportCase, what: str, remedy: str) -> Iterator[None]:
    """Turn what highdicom says against a source's headers into one line.

    Raises:
        InputError: It refused.
    """
    try:
        yield
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        words = " ".join(str(error).split())[:160]
        raise InputError(f"{case.name}: its series does not fit a DICOM {what} ({words})", remedy=remedy) from error


def person_name(name: str) -> str | None:
    """An annotator's name as DICOM writes people's: all of it the family name; None for nobody."""
    cleaned = " ".join(name.replace("\\", " ").replace("^", " ").replace("=", " ").split())[:60]
    return f"{cleaned}^" if cleaned else None


def _segments(mask: MaskArray, chosen: Sequence[Label], labels: Sequence[Label], *, stacked: bool) -> Any:
    """The numbers of the segments, shape (I, J, K); where labels lie inside others and may overlap, (I, J, K, segments)."""
    nested = nested_regions(labels)
    if stacked and nested:
        return np.stack([mask_of(labels, mask, label.value) for label in chosen], axis=-1).astype(np.uint8)
    table = np.zeros(256, dtype=np.uint8)
    for number, label in enumerate(chosen, start=1):
        table[label.value] = number
    return table[mask]


def _in_file_order(segments: Any, source: Referenced) -> Any:
    """(frames, rows, columns[, segments]) as the source's file, or its files in order, have them."""
    stacked = np.moveaxis(segments, (0, 1, 2), (2, 1, 0))
    if not source.frames:
        return np.ascontiguousarray(stacked)
    ordered = np.zeros((int(source.images[0].NumberOfFrames), *stacked.shape[1:]), dtype=np.uint8)
    ordered[[frame - 1 for frame in source.frames]] = stacked
    return ordered


def _described(number: int, label: Label, case: ExportCase) -> Any:
    import highdicom as hd

    what = coded(label)
    helped = case.untouched is not None
    algorithm = hd.AlgorithmIdentificationSequence(MAKER, concept(Code("DCM", "123110", "Artificial Intelligence")), medloop.__version__)
    described = hd.seg.SegmentDescription(
        segment_number=number,
        segment_label=label.name[:64],
        segmented_property_category=concept(what.category),
        segmented_property_type=concept(what.kind),
        algorithm_type="SEMIAUTOMATIC" if helped else "MANUAL",
        algorithm_identification=algorithm if helped else None,
        tracking_uid=hd.UID(),
        tracking_id=f"{case.name} {label.name}"[:64],
    )
    if what.side is not None:
        described.SegmentedPropertyTypeCodeSequence[0].SegmentedPropertyTypeModifierCodeSequence = [concept(what.side)]
    described.RecommendedDisplayCIELabValue = cielab(label.colour)
    return described


def concept(code: Code) -> Any:
    """A code as highdicom has it."""
    import highdicom as hd

    return hd.sr.CodedConcept(value=code.value, scheme_designator=code.scheme, meaning=code.meaning)


def cielab(colour: str) -> list[int]:
    """A colour #rrggbb as DICOM writes it: PCS-values of CIELab in 16 bits. Source: PS3.3 C.10.7.1.1."""
    from skimage.color import rgb2lab

    rgb = np.array([int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)])
    light, a, b = rgb2lab(rgb.reshape(1, 1, 3)).reshape(3)
    return [round(float(light) * 65535 / 100), round((float(a) + 128) * 65535 / 255), round((float(b) + 128) * 65535 / 255)]
