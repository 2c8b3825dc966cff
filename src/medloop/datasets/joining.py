"""Channels that lie in files of their own, on grids of their own, as one image on the grid of the first channel.

Intensities of the other channels are interpolated linearly at the voxel centres of the first one's grid; what is interpolated, from which
voxel size, and how much lies outside is kept with the case. A first channel, and labels on its grid, are never touched.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.ndimage import map_coordinates

from medloop.core.arrays import ImageArray
from medloop.core.errors import FormatError, GeometryError
from medloop.core.geometry import Grid
from medloop.core.image import Image
from medloop.core.records import Json
from medloop.datasets.dataset import ChannelFiles, Joining
from medloop.datasets.resampling import as_dtype, lies_inside, places_in
from medloop.images.read import OTHER_GRID, joined, plain_files, read_image
from medloop.images.result import ReadImage

LEAST_COVERED = 0.5
"""A channel that covers less of the first one's grid shows another place, or was not registered."""

_BORDER = 0.5
"""Within half a voxel of the outermost centres a channel still has its outermost value, as ITK interpolates."""

_INTERPOLATION = "linear"

NOT_REGISTERED = "import with --registered if they are registered, or keep it as a reference with --references study"
"""What to do with a channel in another frame of reference."""


@dataclass(frozen=True)
class Moved:
    """A channel on another grid.

    Attributes:
        array: Shape of that grid, in the dtype that it had.
        outside: Share of its voxels that the channel does not cover, 0..1.
        outside_value: What these have: the channel's smallest intensity.
    """

    array: ImageArray
    outside: float
    outside_value: float


def moved(array: ImageArray, old: Grid, new: Grid) -> Moved:
    """One volume, linearly interpolated at the voxel centres of another grid, in its own dtype.

    Args:
        array: Intensities, shape of `old`.
        old: Their grid.
        new: The grid wanted.
    """
    least, found, covered = float(array.min()), np.empty(new.shape, dtype=array.dtype), 0
    for k in range(new.shape[2]):
        places = places_in(old, new, k)
        inside = lies_inside(places, old, _BORDER)
        covered += int(np.count_nonzero(inside))
        if inside.any():
            values = np.full(inside.size, least)
            values[inside] = map_coordinates(array, places[:, inside], output=np.float64, order=1, mode="nearest")
            found[..., k] = as_dtype(values, array.dtype).reshape(new.shape[:2])
        else:
            found[..., k] = array.min()
    return Moved(found, 1 - covered / new.voxels, least)


def read_channels(channels: Sequence[ChannelFiles], joining: Joining) -> ReadImage:
    """Read the channels of one case into one image on the first one's grid.

    Raises:
        FormatError: A file cannot be read, or is not one volume of intensities.
        GeometryError: Another grid without `resample`, another frame of reference without `registered`, or a place that the first
            channel hardly shares.
    """
    parts = [_read(channel) for channel in channels]
    _require_one_frame(channels, parts, joining)
    done: list[ReadImage] = [parts[0]]
    records: list[Json] = []
    notes: list[str] = []
    for channel, part in zip(channels[1:], parts[1:], strict=True):
        taken, record, said = _onto(channel, part, (channels[0].name, parts[0]), joining)
        done.append(taken)
        records += [record] if record else []
        notes += said
    files = [_place(channel.paths) for channel in channels]
    found = joined(files, done, plain_files(path for channel in channels for path in channel.paths))
    removed: Counter[str] = Counter()
    for part in parts:
        removed.update(part.source.dicom.get("removed", {}))
    others = [uid for part in parts[1:] for uid in part.source.dicom.get("instances", ())]
    dicom = {**found.source.dicom, **({"removed": dict(removed)} if removed else {}), **({"channel_instances": others} if others else {})}
    source = replace(found.source, dicom=dicom, resampled=tuple(records))
    return replace(found, source=source, notes=(*found.notes, *notes))


def _read(channel: ChannelFiles) -> ReadImage:
    part = read_image(channel.paths[0] if len(channel.paths) == 1 else channel.paths)
    if part.image.channels != 1:
        rule = f"the channel {channel.name} is one volume of intensities, its file has {part.image.channels}"
        raise FormatError(f"{_place(channel.paths).name}: {rule}", remedy="import that file alone")
    return part


def _require_one_frame(channels: Sequence[ChannelFiles], parts: Sequence[ReadImage], joining: Joining) -> None:
    """Refuse channels whose positions cannot be compared."""
    if joining.registered:
        return
    first = _frame(channels[0], parts[0])
    for channel, part in zip(channels[1:], parts[1:], strict=True):
        frame = _frame(channel, part)
        if frame == first and (frame or channel.acquired is None):
            continue
        lacks = channel.name if first else channels[0].name
        found = f"{channel.name} has another one than {channels[0].name}" if frame and first else f"{lacks} names none"
        message = f"{_place(channel.paths).name}: channels share a frame of reference, {found}"
        raise GeometryError(message, remedy=NOT_REGISTERED)


def _frame(channel: ChannelFiles, part: ReadImage) -> str:
    stated = channel.acquired.frame_of_reference if channel.acquired else ""
    return stated or str(part.source.dicom.get("frame_of_reference", ""))


def _onto(
    channel: ChannelFiles, part: ReadImage, first: tuple[str, ReadImage], joining: Joining
) -> tuple[ReadImage, dict[str, Any] | None, tuple[str, ...]]:
    """A channel on the first one's grid, what became of it, and that in words."""
    lead, onto = first
    old, new = part.image.grid, onto.image.grid
    if old.same_as(new):
        return part, None, ()
    file = _place(channel.paths).name
    if not joining.resample:
        difference = old.differs_from(new)
        raise GeometryError(f"{file}: every channel must lie on the image's grid, but {difference}", remedy=OTHER_GRID)
    if not (_is_placed(part) and _is_placed(onto)):
        rule = f"a channel can be resampled where positions are stored, {channel.name if _is_placed(onto) else lead} has none"
        raise GeometryError(f"{file}: {rule}", remedy="export it on the grid of the first channel")
    made = moved(part.image.array[0], old, new)
    if 1 - made.outside < LEAST_COVERED:
        rule = f"a channel covers at least {LEAST_COVERED:.0%} of the grid of {lead}, {channel.name} covers {1 - made.outside:.1%}"
        raise GeometryError(f"{file}: {rule}", remedy="check that both show the same place, or name another first channel")
    record = {
        "channel": channel.name, "from_shape": list(old.shape), "from_spacing_mm": [float(mm) for mm in old.spacing_mm],
        "interpolation": _INTERPOLATION, "outside": made.outside, "outside_value": made.outside_value, "registered": joining.registered,
    }  # fmt: skip
    return replace(part, image=Image(made.array[None], new)), record, (resampling_words(record, lead),)


def resampling_words(record: Json, lead: str) -> str:
    """What became of a channel, for people."""
    sizes = " × ".join(f"{mm:.3g}" for mm in record["from_spacing_mm"])
    words = f"channel {record['channel']} was resampled from {sizes} mm onto the grid of {lead}, linearly"
    if record["outside"] > 0:
        words += f"; {record['outside']:.1%} of the grid lies outside its field and has its smallest value, {record['outside_value']:g}"
    return words


def _is_placed(part: ReadImage) -> bool:
    return part.source.format != "raster" and (part.source.display is None or part.source.display.oriented)


def _place(paths: Sequence[Path]) -> Path:
    """What names a channel: its file, or the folder of its series."""
    return paths[0] if len(paths) == 1 else paths[0].parent
