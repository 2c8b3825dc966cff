"""How a new case is shown first: by its files' own window where they have one, else by what its intensities spread over."""

from dataclasses import replace

from medloop.core.arrays import ImageArray
from medloop.core.records import Display, Source, Window
from medloop.images.quantiles import percentiles

AUTO = "Auto"
"""Name of the window between the 0.5 and the 99.5 percentile."""

Range = tuple[float, float]


def displayed(source: Source, array: ImageArray, channel_names: tuple[str, ...] = ()) -> Source:
    """The source with all that showing its case needs, from intensities (C, I, J, K); channel names are kept if one per channel."""
    stated = source.display or Display(oriented=source.format != "raster")
    looked = [percentiles(channel, (0, 5, 95, 100, 0.5, 99.5)) for channel in array]
    spread = tuple(_spread(least, most, low, high) for least, _, _, most, low, high in looked)
    first = (stated.windows[0].low, stated.windows[0].high) if stated.windows else spread[0]
    own = (*stated.windows, Window(name=AUTO, low=spread[0][0], high=spread[0][1])) if stated.windows else ()
    names = channel_names if len(channel_names) == len(array) else stated.channel_names
    ranges = COLOUR if is_colour(source, len(array), array.dtype.name) else (first, *spread[1:])
    values = tuple(tuple(four) for *four, _, _ in looked)
    return replace(source, display=replace(stated, windows=own, channel_names=names, channel_windows=ranges, channel_values=values))


COLOUR: tuple[Range, ...] = ((0.0, 255.0),) * 3
"""The windows of red, green and blue."""


def is_colour(source: Source, channels: int, dtype: str) -> bool:
    """Whether three channels are red, green and blue as stored, 0 to 255 each."""
    return source.format in ("raster", "dicom") and len(source.names) == 1 and channels == 3 and dtype == "uint8"


def _spread(least: float, most: float, low: float, high: float) -> Range:
    """From the 0.5 to the 99.5 percentile; the whole range where they are equal."""
    return (low, high) if high > low else (least, max(most, least + 1.0))
