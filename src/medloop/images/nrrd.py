"""NRRD in: `.nrrd`, `.nhdr` with its voxels beside it, and the segmentations of 3D Slicer (`.seg.nrrd`).

Its own reader, as for NIfTI: after the gate (`nrrd_header`) nothing is left to do for a library. pynrrd 1.1.3 inflates all that is there
before it compares (1.2 GB for a header of 120 voxels with 2.7 MB of deflated noughts); SimpleITK 2.5 takes 264 MB of disk.
"""

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from medloop.core.errors import FormatError
from medloop.core.image import Image
from medloop.core.records import Display, Source
from medloop.images.files import read_start, sha256_of
from medloop.images.nrrd_header import MAGIC, NrrdHeader, gate_nrrd
from medloop.images.payload import AT_THE_END, Packing, Payload, file_beside, read_payload
from medloop.images.result import UNSIZED, Purpose, ReadImage, grid_of, require_finite, supported
from medloop.images.segments import segments_of
from medloop.images.text_geometry import (
    LPS_TO_RAS,
    UNORIENTED,
    affine_of,
    channels_first,
    header_numbers,
    lengths_of,
    require_lengths,
    volume_shape,
)

_SPACES = {
    "right-anterior-superior": (1, 1, 1),
    "ras": (1, 1, 1),
    "left-anterior-superior": (-1, 1, 1),
    "las": (-1, 1, 1),
    "left-posterior-superior": (-1, -1, 1),
    "lps": (-1, -1, 1),
}
_UNNAMED = ("scanner-xyz", "3d-right-handed", "3d-left-handed")
"""Spaces that say nothing of the patient's directions."""

_CHANNEL_KINDS = frozenset(
    ("list", "vector", "point", "covariant-vector", "rgb-color", "rgba-color", "3-color", "4-color", "2-vector", "3-vector", "4-vector")
)
_NOT_CHANNELS = ("time", "complex", "quaternion", "matrix", "normal", "gradient", "xyz-color", "hsv-color")
_PACKINGS: dict[str, Packing] = {"raw": "raw", "gzip": "gzip", "gz": "gzip", "bzip2": "bzip2", "bz2": "bzip2"}
_UNITS = {"mm": 1.0, "millimeter": 1.0, "millimetre": 1.0, "um": 0.001, "µm": 0.001, "μm": 0.001, "micron": 0.001, "cm": 10.0, "m": 1000.0}
_INDEX_KEY = re.compile(r"axis \d index (type|values)", re.IGNORECASE)
"""How 3D Slicer's sequences say what runs along an axis."""

_VECTOR = re.compile(r"none|\([^()]*\)", re.IGNORECASE)


class NrrdReader:
    """The reader of `.nrrd`, `.nhdr` and `.seg.nrrd` files."""

    name = "nrrd"

    def accepts(self, path: Path) -> bool:
        """Whether the name or the first bytes are NRRD's."""
        return path.name.lower().endswith((".nrrd", ".nhdr")) or (path.is_file() and read_start(path, len(MAGIC)) == MAGIC)

    def read(self, path: Path, purpose: Purpose = "image") -> ReadImage:  # noqa: ARG002 - the same for both
        """See `read_nrrd`."""
        return read_nrrd(path)


def read_nrrd(path: Path) -> ReadImage:
    """Read an image, a label map, or a segmentation with its segments.

    Returns:
        Array (C, I, J, K) in file order; an axis that is no direction in space becomes channels, or the layers of a segmentation.

    Raises:
        FormatError: The file breaks a rule of the format, or holds voxels that are not numbers.
        GeometryError: Its directions do not span space.
        NotFoundError: No such file, or the voxels of a detached header are not there.
    """
    header = gate_nrrd(path)
    _require_no_series(header)
    channel_axis = _channel_axis(header)
    lengths = [size for axis, size in enumerate(header.sizes) if axis != channel_axis]
    channels = 1 if channel_axis is None else header.sizes[channel_axis]
    segments = segments_of(path.name, header.keys, channels)
    require_lengths(path.name, lengths, 1 if segments else channels)
    vectors, origin, to_ras, notes = _place(header, channel_axis)
    grid = grid_of(path.name, volume_shape(lengths), affine_of(vectors, origin, to_ras))
    payload = _payload(header)
    flat = np.frombuffer(read_payload(payload), header.dtype)
    array = channels_first(flat, header.sizes, channel_axis)
    require_finite(path.name, array)
    files = [path] if payload.path == path else [path, payload.path]
    source = Source(
        format="nrrd",
        names=(path.name,),
        sha256=sha256_of(files),
        display=Display(oriented=UNORIENTED not in notes and UNSIZED not in notes),
    )
    return ReadImage(Image(supported(path.name, array), grid), source, notes, segments)


def _require_no_series(header: NrrdHeader) -> None:
    """Raise for what 3D Slicer saves of moments: its axis of time looks like channels.

    Raises:
        FormatError: It is such a file.
    """
    if any(key.startswith("MultiVolume.") or _INDEX_KEY.fullmatch(key) for key in header.keys):
        rule = "axes are directions in space or channels, this is a series of volumes"
        raise FormatError(f"{header.path.name}: {rule}", remedy="save one volume per file")


def _payload(header: NrrdHeader) -> Payload:
    name, stated = header.path.name, header.fields["encoding"].lower()
    packing = _PACKINGS.get(stated)
    if packing is None:
        raise FormatError(f"{name}: the encoding must be raw, gzip or bzip2, got {stated[:20]!r}", remedy="save it again as gzip")
    detached = "datafile" in header.fields
    place = file_beside(header.path, header.fields["datafile"]) if detached else header.path
    if header.fields.get("lineskip", "0") != "0":
        raise FormatError(
            f"{name}: no lines are skipped before voxels, got line skip {header.fields['lineskip'][:20]}", remedy="save it again"
        )
    skipped = header.fields.get("byteskip", "0")
    if skipped != "-1" and not (skipped.isascii() and skipped.isdigit() and len(skipped) < 12):
        raise FormatError(f"{name}: byte skip must be a count or -1, got {skipped[:20]!r}", remedy="save it again")
    if packing != "raw" and skipped != "0":
        raise FormatError(f"{name}: byte skip must be 0 before compressed voxels, got {skipped}", remedy="save it again")
    offset = AT_THE_END if skipped == "-1" else int(skipped) + (0 if detached else header.size)
    return Payload(place, offset, math.prod(header.sizes) * header.dtype.itemsize, packing)


def _channel_axis(header: NrrdHeader) -> int | None:
    """The axis that is no direction in space; None where every axis is one."""
    name, count = header.path.name, len(header.sizes)
    kinds = header.fields.get("kinds", "").lower().split()
    strange = [kind for kind in kinds if any(word in kind for word in _NOT_CHANNELS)]
    if strange:
        raise FormatError(f"{name}: axes are directions in space or channels, got {strange[0][:30]!r}", remedy="save one volume per file")
    if "space directions" in header.fields:
        found = [axis for axis, vector in enumerate(_vectors(header, count)) if vector is None]
    else:
        found = [axis for axis, kind in enumerate(kinds) if kind in _CHANNEL_KINDS]
    if len(found) > 1 or not 2 <= count - len(found) <= 3:
        rule = "a volume has two or three directions in space and at most one axis of channels"
        raise FormatError(f"{name}: {rule}, got {count - len(found)} and {len(found)}", remedy="state kinds and space directions")
    return found[0] if found else None


def _vectors(header: NrrdHeader, count: int) -> list[str | None]:
    """The text within the brackets of every axis; None for an axis without direction."""
    text = header.fields["space directions"]
    found = _VECTOR.findall(text)
    if len(found) != count or _VECTOR.sub("", text).strip():
        raise FormatError(
            f"{header.path.name}: space directions must be one vector or none for each of {count} axes, got {text[:80]!r}",
            remedy="repair the header, or export it again",
        )
    return [None if one.lower() == "none" else one[1:-1] for one in found]


def _place(
    header: NrrdHeader, channel_axis: int | None
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64], tuple[str, ...]]:
    """Columns of the spatial axes, origin, the matrix to RAS+, and what was noticed."""
    name, fields = header.path.name, header.fields
    space = " ".join(fields.get("space", "").lower().split())
    if space and space not in _SPACES and space not in _UNNAMED:
        rule = f"space must be one of {', '.join(s for s in _SPACES if len(s) > 3)}"
        raise FormatError(f"{name}: {rule}, got {space[:40]!r}", remedy="save it again with the patient's directions")
    if "space directions" not in fields:
        return _of_spacings(header, channel_axis)
    _require_one_place(header)
    told = fields.get("space dimension", "3")
    dimension = 3 if space else lengths_of(name, "space dimension", told, 1)[0]
    if dimension not in (2, 3):
        raise FormatError(f"{name}: space has 2 or 3 dimensions, got {dimension}", remedy="save one volume per file")
    columns = [header_numbers(name, "space directions", v, dimension) for v in _vectors(header, len(header.sizes)) if v is not None]
    vectors, origin = np.zeros((3, len(columns))), np.zeros(3)
    vectors[:dimension] = np.array(columns).T
    if "space origin" in fields:
        origin[:dimension] = header_numbers(name, "space origin", fields["space origin"].strip("() "), dimension)
    scale = _unit(name, fields, dimension)
    to_ras = np.diag(np.array(_SPACES[space], dtype=np.float64)) if space in _SPACES else LPS_TO_RAS
    notes = () if space in _SPACES else (UNORIENTED,)
    return vectors * scale, origin * scale, to_ras, notes


def _require_one_place(header: NrrdHeader) -> None:
    """Raise where the header also places its axes in the other way that the format has.

    Raises:
        FormatError: It does.
    """
    for field in ("spacings", "axis mins", "axis maxs"):
        if any(word.lower() != "nan" for word in header.fields.get(field, "").split()):
            rule = f"a header has space directions or {field}, this has both"
            raise FormatError(f"{header.path.name}: {rule}", remedy="remove what is wrong")


def _unit(name: str, fields: Mapping[str, str], dimension: int) -> float:
    """Millimetres in one unit of the header; millimetres where it states none."""
    stated = re.findall(r'"([^"]*)"', fields.get("space units", ""))
    if not stated:
        return 1.0
    found = {_UNITS.get(unit.strip().lower()) for unit in stated}
    if len(found) != 1 or None in found or len(stated) != dimension:
        raise FormatError(f"{name}: space units must be one known unit of length, got {' '.join(stated)[:40]!r}", remedy="use mm")
    return float(next(one for one in found if one is not None))


def _of_spacings(
    header: NrrdHeader, channel_axis: int | None
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64], tuple[str, ...]]:
    """Voxel sizes without directions: axes as stored."""
    text = header.fields.get("spacings", "")
    spatial = [axis for axis in range(len(header.sizes)) if axis != channel_axis]
    if not text:
        return np.eye(3)[:, : len(spatial)], np.zeros(3), LPS_TO_RAS, (UNORIENTED, UNSIZED)
    stated = header_numbers(header.path.name, "spacings", text, len(header.sizes))
    sizes = [stated[axis] for axis in spatial]
    return np.eye(3)[:, : len(spatial)] * sizes, _first_centre(header, spatial, sizes), LPS_TO_RAS, (UNORIENTED,)


def _first_centre(header: NrrdHeader, spatial: Sequence[int], sizes: Sequence[float]) -> npt.NDArray[np.float64]:
    """Centre of the first voxel: half a voxel behind `axis mins`, unless samples are nodes; the origin without them."""
    origin = np.zeros(3)
    text = header.fields.get("axis mins", "")
    if not text:
        return origin
    count = len(header.sizes)
    least = header_numbers(header.path.name, "axis mins", text, count)
    centres = header.fields.get("centers", "").lower().split() or ["cell"] * count
    for at, axis in enumerate(spatial):
        origin[at] = least[axis] + (0.0 if centres[axis : axis + 1] == ["node"] else sizes[at] / 2)
    return origin
