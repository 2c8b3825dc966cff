"""Intensities brought to those of the training images: landmarks of the histogram are moved to where training has them. Free of torch.

Applied to normalised images, after which every network sees them. Where another scanner shows dark what was bright, the map falls.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from medloop.core.errors import FormatError, ShapeError
from medloop.core.records import Json

PERCENTS = (1.0, 10.0, 25.0, 50.0, 75.0, 90.0, 99.0)

Prepared = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Landmarks:
    """Where the percentiles of training images lie.

    Attributes:
        values: Of each channel, rising, as many as `PERCENTS`.
        falling: Whether bright and dark change places.

    Source: Nyúl and Udupa 1999, doi:10.1002/(SICI)1522-2594(199912)42:6<1072::AID-MRM11>3.0.CO;2-M; the falling map is ours.
    """

    values: tuple[tuple[float, ...], ...]
    falling: bool = False

    def __call__(self, image: Prepared) -> Prepared:
        """A normalised image, shape (channels, I, J, K), with its percentiles moved; linear between them and on beyond the last.

        Raises:
            ShapeError: Another number of channels.
        """
        if len(image) != len(self.values):
            raise ShapeError(f"The landmarks are of {len(self.values)} channels, the image has {len(image)}")
        turned = -image if self.falling else image
        return np.stack([_moved(channel, np.array(values)) for channel, values in zip(turned, self.values, strict=True)])

    def to_json(self) -> Json:
        """As JSON; `landmarks_from_json` reads it."""
        return {"values": [list(one) for one in self.values], "falling": self.falling}


def landmarks_from_json(record: Json) -> Landmarks:
    """Inverse of `Landmarks.to_json`.

    Raises:
        FormatError: It is none.
    """
    try:
        return Landmarks(tuple(tuple(float(v) for v in one) for one in record["values"]), bool(record["falling"]))
    except (KeyError, TypeError, ValueError) as error:
        raise FormatError(f"Not landmarks of intensities: {error}", remedy="adapt the model again") from error


def fit_landmarks(images: Sequence[Prepared]) -> Landmarks:
    """The median percentiles of normalised training images.

    Raises:
        ShapeError: No image, or different channels.
    """
    if not images or len({len(image) for image in images}) > 1:
        raise ShapeError(f"Landmarks need images of as many channels, got {sorted({len(image) for image in images})}")
    found = np.median([[np.percentile(channel, PERCENTS) for channel in image] for image in images], axis=0)
    return Landmarks(tuple(tuple(float(v) for v in _rising(one)) for one in found))


def _moved(channel: Prepared, target: npt.NDArray[np.float64]) -> Prepared:
    own = _rising(np.percentile(channel, PERCENTS))
    moved = np.interp(channel, own, target)
    below, above = channel < own[0], channel > own[-1]
    moved = np.where(below, target[0] + (channel - own[0]), np.where(above, target[-1] + (channel - own[-1]), moved))
    return moved.astype(np.float32)


def _rising(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Apart by at least a little, so that every value has one place."""
    rising: npt.NDArray[np.float64] = np.maximum.accumulate(values) + 1e-4 * np.arange(len(values))
    return rising
