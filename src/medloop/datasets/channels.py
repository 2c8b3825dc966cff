"""What the channels of a data set are called, from case to file and back.

nnU-Net chooses how to normalise intensities by these names: `CT` is windowed over the whole set, anything else image by image.
"""

import re
from collections.abc import Sequence

from medloop.core.records import Source

_NUMBERED = re.compile(r"channel[ _]?\d+", re.IGNORECASE)
_COLOURS = ("red", "green", "blue")
_WHOLE_SET = "CT"


def named_channels(source: Source, channels: int) -> tuple[str, ...]:
    """Names of an image's channels: given with the image, else its modality or its colours; () when nothing is known."""
    shown = source.display
    if shown is not None and len(shown.channel_names) == channels and all(shown.channel_names):
        return shown.channel_names
    if shown is not None and shown.modality and channels == 1:
        return (shown.modality,)
    return _COLOURS if source.format == "raster" and channels == len(_COLOURS) else ()


def known_names(names: Sequence[str]) -> tuple[str, ...]:
    """Names that say something, none of them `channel 0` as we write it for want of another."""
    return () if any(not name.strip() or _NUMBERED.fullmatch(name.strip()) for name in names) else tuple(names)


def common_channels(found: Sequence[tuple[str, ...]], channels: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names to write for a whole data set, and notes where they had to be numbers.

    Args:
        found: Names of each case's channels, () for unknown.
        channels: How many to name.
    """
    different = sorted({names for names in found if len(names) == channels})
    if len(different) == 1 and all(len(names) == channels for names in found):
        return different[0], ()
    numbered = tuple(f"channel {n}" for n in range(channels))
    if len(different) > 1:
        said = " and ".join("+".join(names) for names in different[:4])
        return numbered, (f"the cases' channels are called differently ({said}); they are numbered in dataset.json",)
    return numbered, (
        f"what the channels show is not known of every case; they are numbered in dataset.json, where {_WHOLE_SET} is to be "
        f"written for a CT, as nnU-Net normalises by that name",
    )
