"""How a new case is shown first: by its files' own window where they have one, else by what its intensities spread over."""

from dataclasses import replace

import numpy as np

from medloop.core.arrays import ImageArray
from medloop.core.records import Display, Source, Window

AUTO = "Auto"
"""Name of the window between the 0.5 and the 99.5 percentile."""

Range = tuple[float, float]


def displayed(source: Source, array: ImageArray, channel_names: tuple[str, ...] = ()) -> Source:
    """The source with all that showing its case needs, from intensities (C, I, J, K); channel names are kept if one per channel."""
    stated = source.display or Display(oriented=source.format != "raster")
    spread = tuple(spread_of(channel) for channel in array)
    first = (stated.windows[0].low, stated.windows[0].high) if stated.windows else spread[0]
    own = (*stated.windows, Window(name=AUTO, low=spread[0][0], high=spread[0][1])) if stated.windows else ()
    names = channel_names if len(channel_names) == len(array) else stated.channel_names
    ranges = ((0.0, 255.0),) * 3 if is_colour(source, array) else (first, *spread[1:])
    return replace(source, display=replace(stated, windows=own, channel_names=names, channel_windows=ranges))


def is_colour(source: Source, array: ImageArray) -> bool:
    """Whether three channels are red, green and blue as stored, 0 to 255 each."""
    return source.format in ("raster", "dicom") and len(source.names) == 1 and len(array) == 3 and array.dtype == np.uint8


def spread_of(channel: ImageArray) -> Range:
    """The 0.5 and 99.5 percentile; the whole range where they are equal."""
    low, high = (float(value) for value in np.percentile(channel, (0.5, 99.5)))
    least, most = float(channel.min()), float(channel.max())
    return (low, high) if high > low else (least, max(most, least + 1.0))
