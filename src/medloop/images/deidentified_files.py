"""One DICOM file into a clean one. What calls this lives in `medloop.datasets.cleaned_folder`; decoding happens in the limited process."""

import uuid
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pydicom
from pydicom.uid import UID

from medloop.core.errors import FormatError, MedloopError
from medloop.images.deidentification.burned_in import burned_in_note
from medloop.images.deidentification.cleaning import Cleaning, cleaned
from medloop.images.deidentification.pixels import blank_pixels, regions_of, to_blank, without_words
from medloop.images.deidentification.pseudonyms import Pseudonyms
from medloop.images.dicom_codestreams import require_honest_frames
from medloop.images.dicom_facts import FileFacts, facts_among
from medloop.images.dicom_series import pseudonym_of, require_bounded


def clean_file(path: Path, options: Mapping[str, Any]) -> dict[str, Any]:
    """Write a file without what names anybody, in this process and without limits.

    Args:
        path: A DICOM image.
        options: `out` (where to write), `key` (hexadecimal), `shift_dates`, `keep_uids`, `boxes`, `outside`.

    Returns:
        `series` and `patient` (words that stand for them), `instance` (the UID in the file, to find copies), `removed` (attribute → count),
        `note` ("" or a warning).

    Raises:
        FormatError: It is no image, is damaged, or cannot be blanked as asked.
    """
    looked = facts_among([path])
    if looked.refused:
        raise FormatError(f"{path.name}: {looked.refused[0].rule}", remedy=looked.refused[0].remedy)
    if not looked.images:
        kind = f"a {looked.objects[0].kind}" if looked.objects else "no DICOM"
        raise FormatError(f"{path.name}: DICOM images are cleaned, this is {kind}", remedy="clean the image series; leave it out")
    try:
        return _cleaned_to(path, options, looked.images[0])
    except MedloopError as error:
        message = error.message if error.message.startswith(path.name) else f"{path.name}: {error.message}"
        raise FormatError(message, remedy=error.remedy) from error


def _cleaned_to(path: Path, options: Mapping[str, Any], facts: FileFacts) -> dict[str, Any]:
    pseudonyms = Pseudonyms(bytes.fromhex(options["key"]))
    with path.open("rb") as file:
        require_bounded(path, file)
    tags = pydicom.dcmread(path)
    patient = pseudonyms.patient(pseudonym_of(tags)) or "patient-unknown"
    boxes = [(int(x), int(y), int(w), int(h)) for x, y, w, h in options["boxes"]]
    blanked = bool(boxes or options["outside"])
    how = Cleaning(pseudonyms, patient, options["shift_dates"], options["keep_uids"], blanked)
    removed: Counter[str] = Counter()
    made = cleaned(tags, how, removed)
    if not made.get("SOPInstanceUID"):
        made.SOPInstanceUID = made.file_meta.MediaStorageSOPInstanceUID = UID(f"2.25.{uuid.uuid4().int}")
    require_honest_frames(path.name, tags, facts.frames)
    note = burned_in_note(tags)
    if blanked:
        blank_pixels(made, to_blank(facts.size, boxes, regions_of(tags), outside=options["outside"], name=path.name))
        note = ""
    without_words(made)
    made.save_as(options["out"], enforce_file_format=True, overwrite=False)
    series = pseudonyms.uid(f"{facts.series} {facts.patient}")
    return {"patient": patient, "series": series, "instance": facts.instance, "removed": dict(removed), "note": note}
