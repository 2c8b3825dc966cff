"""DICOM series in: voxels after rescale, in stored order within a slice, slices sorted along their normal.

Array axes are I = column, J = row, K = slice. Headers are judged before pixels are decoded, one file is
decoded at a time, and a series that is not one regular volume is refused or noted, never repaired.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom.pixels.processing import apply_color_lut
from pydicom.pixels.utils import pixel_array

from medloop.core.arrays import ImageArray
from medloop.core.errors import FormatError, MedloopError
from medloop.core.image import Image
from medloop.core.names import counted, first_named
from medloop.core.records import Source
from medloop.images.deidentification.burned_in import burned_in_note
from medloop.images.deidentification.cleaning import removed_from
from medloop.images.deidentification.pixels import regions_of
from medloop.images.dicom_codestreams import require_honest_frames
from medloop.images.dicom_display import MEASURED, display_of, inversion_end
from medloop.images.dicom_facts import FileFacts, Looked, facts_among, facts_of
from medloop.images.dicom_geometry import SAME_PLACE_MM, Slice, Stack, off_the_stack, slices_of, stack
from medloop.images.dicom_grouping import group_files
from medloop.images.dicom_objects import ObjectFacts, SeriesListing
from medloop.images.dicom_reasons import RefusedFile, codec_refusal, is_bare, kind_refusal
from medloop.images.dicom_series import Header, files_below, is_dicom, read_header
from medloop.images.dicom_subgroups import SUBGROUPS, header_subgroups
from medloop.images.files import sha256_of
from medloop.images.notes import without_values
from medloop.images.result import MAX_VOXEL_BYTES, Purpose, ReadImage, grid_of, require_finite, rescaled, supported
from medloop.images.sandbox import facts_isolated

_HEADERS_AT_ONCE = 256
"""Headers asked for in one request to the limited process: their reading stays far below its bounds."""

_AGAIN = "export the series again"


class DicomReader:
    """The reader of DICOM files and folders of them."""

    name = "dicom"

    def accepts(self, path: Path) -> bool:
        """Whether it is a DICOM file, or a folder that holds one."""
        return any(is_dicom(file) for file in files_below(path)) if path.is_dir() else is_dicom(path) or path.suffix.lower() == ".dcm"

    def read(self, path: Path, purpose: Purpose = "image") -> ReadImage:  # noqa: ARG002 - the same for both
        """See `read_series`."""
        return read_series(path)


def list_series(place: Path | Sequence[Path]) -> SeriesListing:
    """The cases among DICOM files, over all their folders, and why other files are none; headers are read in the limited process.

    Args:
        place: A folder, or files of a source. Files that are not called DICOM and have not its mark are passed over.
    """
    files = files_below(place) if isinstance(place, Path) else list(place)
    looked = Looked()
    asked = [path for path in files if path.suffix.lower() == ".dcm" or _may_be_dicom(path)]
    for start in range(0, len(asked), _HEADERS_AT_ONCE):
        _look_at(asked[start : start + _HEADERS_AT_ONCE], looked)
    return SeriesListing(group_files(looked.images), _one_line_each(looked.refused), tuple(looked.objects))


def _may_be_dicom(path: Path) -> bool:
    """Whether a file has DICOM's mark or its first element, or cannot be opened to see; then the reader names it."""
    try:
        return is_dicom(path) or is_bare(path)
    except MedloopError:
        return True


def _look_at(files: list[Path], looked: Looked) -> None:
    """Facts of some files; where reading them together breaks down, each is asked alone, so that the one at fault is named."""
    try:
        record = facts_isolated(files)
    except MedloopError as error:
        if len(files) == 1:
            looked.refused.append(RefusedFile(files[0], error.message.removeprefix(f"{files[0].name}: "), error.remedy))
            return
        for path in files:
            _look_at([path], looked)
        return
    looked.images += [FileFacts.from_json(one) for one in record["facts"]]
    looked.objects += [ObjectFacts.from_json(one) for one in record["objects"]]
    looked.refused += [RefusedFile(Path(path), rule, remedy) for path, rule, remedy in record["refused"]]


def _one_line_each(refused: Sequence[RefusedFile]) -> tuple[RefusedFile, ...]:
    """One line for all files of a folder that are refused for the same reason."""
    groups: dict[tuple[Path, str, str], list[Path]] = {}
    for one in refused:
        groups.setdefault((one.path.parent, one.rule, one.remedy), []).append(one.path)
    return tuple(
        RefusedFile(paths[0], rule if len(paths) == 1 else f"{rule} (and {counted(len(paths) - 1, 'more file')} of this folder)", remedy)
        for (_, rule, remedy), paths in groups.items()
    )


def read_series(place: Path | Sequence[Path]) -> ReadImage:
    """Read one series, in this process and without limits; `read_image` is the safe way.

    Args:
        place: A folder with one series in it, one file, or the files of one series.

    Raises:
        FormatError: Not one series, not an image, damaged, or in a compression no installed decoder reads.
        GeometryError: Its slices are not one stack.
    """
    paths = files_below(place) if isinstance(place, Path) else list(place)
    name = place.name if isinstance(place, Path) else paths[0].name
    headers = [h for h in (Header(file, read_header(file)[0]) for file in paths if is_dicom(file)) if kind_refusal(h.tags) is None]
    if not headers:
        refused = facts_among(paths).refused
        why = refused[0].rule if len(refused) == 1 else "a DICOM image is needed, got none"
        raise FormatError(f"{name}: {why}", remedy="choose a CT, MR or other image, not SEG, RTSTRUCT or a report")
    if isinstance(place, Path) and (count := len(group_files([facts_of(header) for header in headers]))) != 1:
        raise FormatError(
            f"{name}: one series with an image in it is needed, got {count}",
            remedy="keep one series, without SEG or RTSTRUCT, a folder, or import the folder as DICOM, which splits it",
        )
    found = stack([s for header in headers for s in slices_of(header)], name)
    removed: Counter[str] = Counter()
    array, notes, slices = _volume(found, name, removed)
    burned = burned_in_note(slices[0].header.tags)
    require_finite(name, array)
    notes += _shared_instances(slices)
    i, j, k = array.shape[1:]
    display, said = display_of(slices, array, oriented=found.oriented)
    if found.over_time:
        display = replace(display, over_time=True, frame_seconds=found.seconds)
    source = Source(
        format="dicom",
        names=(name,),
        sha256=sha256_of(sorted(header.path for header in headers)),
        dicom=_uids(found, slices) | {"removed": dict(removed), SUBGROUPS: header_subgroups(slices[0].header.tags)},
        display=display,
    )
    return ReadImage(
        Image(array, grid_of(name, (i, j, k), found.affine)), source, (*found.notes, *notes, *said, *((burned,) if burned else ()))
    )


def _volume(found: Stack, name: str, removed: Counter[str]) -> tuple[ImageArray, tuple[str, ...], list[Slice]]:
    """Decode, drop repeated slices, rescale: (C, I, J, K), what was noticed, and the slices kept."""
    _check_size(found, name)
    decoded: dict[tuple[Path, int], ImageArray] = {}
    notes: list[str] = []
    for header in {s.header.path: s.header for s in found.slices}.values():
        frames, said = _decode(header, removed)
        notes += said
        decoded.update({(header.path, number): frame for number, frame in enumerate(frames)})
    slices = _distinct(found.slices, decoded, name, notes)
    pieces = [decoded[s.header.path, s.frame] for s in slices]
    factors = [(s.slope, s.intercept) for s in slices]
    if len(set(factors)) == 1:
        array = rescaled(_stacked(pieces), *factors[0])
    else:
        array = _stacked([rescaled(p, *f).astype(np.float32) for p, f in zip(pieces, factors, strict=True)])
        notes.append("the rescale differs from slice to slice; each slice has its own")
    return supported(name, array), tuple(dict.fromkeys(notes)), slices


def _stacked(pieces: Sequence[ImageArray]) -> ImageArray:
    """Slices, (C, I, J) each, as (C, I, J, K): laid out as a file is, I fastest, which is written in one go and read so again."""
    return np.stack([piece.transpose(0, 2, 1) for piece in pieces], axis=1).transpose(0, 3, 2, 1)


def _check_size(found: Stack, name: str) -> None:
    tags = found.slices[0].header.tags
    size = int(tags.Rows) * int(tags.Columns) * len(found.slices) * int(tags.get("SamplesPerPixel", 1) or 1) * 2
    if not 0 < size <= MAX_VOXEL_BYTES:
        raise FormatError(
            f"{name}: a series has 1 byte to {MAX_VOXEL_BYTES >> 20} MiB of pixels, its headers declare {size >> 20} MiB", remedy=_AGAIN
        )


def _distinct(slices: Sequence[Slice], decoded: dict[tuple[Path, int], ImageArray], name: str, notes: list[str]) -> list[Slice]:
    """One slice per place; repeated ones must be identical to be dropped."""
    kept: list[Slice] = []
    repeated: list[tuple[str, str]] = []
    for one in slices:
        if one.position is None or not kept or one.depth - kept[-1].depth >= SAME_PLACE_MM:
            kept.append(one)
            continue
        if not np.array_equal(decoded[one.header.path, one.frame], decoded[kept[-1].header.path, kept[-1].frame]):
            raise FormatError(
                f"{name}: a series has one slice at a place, {_both(one, kept[-1])} share theirs",
                remedy="split the series by time, echo or b-value",
            )
        repeated.append((one.header.path.name, kept[-1].header.path.name))
    notes += _repeats(repeated)
    return kept


def _shared_instances(slices: Sequence[Slice]) -> tuple[str, ...]:
    """A note where slices of several files have one SOP Instance UID: nothing can point at one of them."""
    found = {one.header.path: str(one.header.tags.get("SOPInstanceUID", "") or "") for one in slices}
    shared = len(found) - len(set(found.values()))
    if not shared:
        return ()
    return (f"{counted(shared, 'slice')} of it have no SOP Instance UID of their own; no DICOM object can point at them",)


def _repeats(pairs: Sequence[tuple[str, str]]) -> list[str]:
    """One note for all repeated slices, which names them."""
    if not pairs:
        return []
    others = [file for file, _ in pairs[1:]]
    named = first_named(others)
    more = f", and so are {len(others)} more that repeat others: {named}" if others else ""
    return [f"{pairs[0][0]} repeats {pairs[0][1]} and is left out{more}"]


def _both(one: Slice, other: Slice) -> str:
    """Two slices by their files, or by their frames of one file."""
    if one.header.path == other.header.path:
        return f"frame {one.frame + 1} and frame {other.frame + 1} of {one.header.path.name}"
    return f"{one.header.path.name} and {other.header.path.name}"


def _decode(header: Header, removed: Counter[str]) -> tuple[list[ImageArray], list[str]]:
    """The frames of a file, each (C, columns, rows), stored values; `removed` takes the attributes that are not kept."""
    name = header.path.name
    syntax = getattr(getattr(header.tags, "file_meta", None), "TransferSyntaxUID", None)
    if refusal := codec_refusal(str(syntax or "")):
        raise FormatError(f"{name}: {refusal[0]}", remedy=refusal[1])
    try:
        tags = pydicom.dcmread(header.path)
        removed.update(removed_from(tags))
        require_honest_frames(name, tags, int(header.tags.get("NumberOfFrames", None) or 1))
        pixels = pixel_array(tags)
        if tags.PhotometricInterpretation == "PALETTE COLOR":
            pixels = apply_color_lut(pixels, tags)  # often of 16 bits, of which the upper 8 count
            pixels = (pixels >> 8 if pixels.dtype == np.uint16 and int(pixels.max()) > 255 else pixels).astype(np.uint8)
    except (MedloopError, MemoryError, RecursionError):
        raise
    except Exception as error:
        # pydicom and its decoders raise many kinds on damaged pixels; all mean the same here.
        words = without_values(" ".join(f"{error}".split()))[:160]
        raise FormatError(f"{name}: the pixels cannot be decoded ({words})", remedy="copy the file again, or decompress it") from error
    frames = int(header.tags.get("NumberOfFrames", None) or 1)
    colours = pixels.shape[-1] if pixels.ndim == (3 if frames == 1 else 4) else 1
    array: ImageArray = np.asarray(pixels).reshape(frames, int(header.tags.Rows), int(header.tags.Columns), colours).transpose(0, 3, 2, 1)
    notes: list[str] = []
    if colours == 3 and np.array_equal(array[:, 0], array[:, 1]) and np.array_equal(array[:, 0], array[:, 2]):
        array, notes = array[:, :1], ["grey stored as colour; one channel kept"]
    if header.tags.get("PhotometricInterpretation", "") == "MONOCHROME1":
        array, words = _upright(array, header.tags)
        notes.append(words)
    return list(array), notes


def _upright(array: ImageArray, tags: Any) -> tuple[ImageArray, str]:
    """Invert MONOCHROME1 where values are only brightness. Source: PS3.3 C.7.6.3.1.2."""
    if str(tags.get("Modality", "")) in MEASURED:
        return array, "MONOCHROME1: meant to be drawn inverted; values are kept"
    return (inversion_end(tags) - array.astype(np.int64)).astype(array.dtype), "MONOCHROME1: values are inverted so that higher is brighter"


def _uids(found: Stack, slices: Sequence[Slice]) -> dict[str, Any]:
    """What another object (SEG, RTSTRUCT, SR) needs to point at this series and to lie on it; nothing that names a patient.

    Slices of a multi-frame file have their frame numbers (from 1); positions (LPS) are kept where the volume's affine does not give them.
    """
    tags = slices[0].header.tags
    instances = [str(s.header.tags.get("SOPInstanceUID", "")) for s in slices]
    frames = int(tags.get("NumberOfFrames", None) or 1)
    kept: dict[str, Any] = {
        "study": str(tags.get("StudyInstanceUID", "")),
        "series": str(tags.get("SeriesInstanceUID", "")),
        "frame_of_reference": str(tags.get("FrameOfReferenceUID", "")),
        "sop_class": str(tags.get("SOPClassUID", "")),
        "instances": [uid for uid, _ in groupby(instances)],
        "thickness": _thickness(tags),
    }
    if frames > 1:
        kept |= {"frames": [s.frame + 1 for s in slices], "frames_of_file": frames}
    if regions := regions_of(tags):
        kept["regions"] = [list(box) for box in regions]
    if found.oriented and off_the_stack(found, slices):
        kept["positions"] = [[float(number) for number in s.position] for s in slices if s.position is not None]
    return kept


def _thickness(tags: Any) -> float | None:
    """SliceThickness in mm; None when the file does not say."""
    value = tags.get("SliceThickness", None)
    return float(value) if value not in (None, "") and float(value) > 0 else None
