"""What is done to the intensities of an image before a network sees them, step by step. Free of torch.

robust-zscore    tails clipped at the percentiles 0.5 and 99.5, then mean 0 and deviation 1, per channel (`models.foundation.normalise`)
zscore           mean 0 and deviation 1, per channel or over all, of all voxels or of those that are not 0
range            from low..high to to_low..to_high, clipped there or not
percentiles      the same, low and high being percentiles of the image
minmax           from the image's own range to 0..1
clip             cut off at low and high
affine           minus `subtract`, divided by `divide`
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from medloop.core.arrays import ImageArray
from medloop.core.errors import FormatError
from medloop.models.foundation.normalise import normalise

Array = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Step:
    """One step: its name, and its numbers (see the module); those of other steps are ignored."""

    step: str
    low: float = 0.0
    high: float = 1.0
    to_low: float = 0.0
    to_high: float = 1.0
    clip: bool = True
    subtract: float = 0.0
    divide: float = 1.0
    nonzero: bool = False
    channel_wise: bool = True


ROBUST = Step("robust-zscore")
"""What medloop's own networks are trained with."""


def checked_steps(given: Sequence[Mapping[str, Any]]) -> tuple[Step, ...]:
    """Steps from their JSON.

    Raises:
        FormatError: A step that is not known, or numbers that are none.
    """
    found = tuple(Step(**one) for one in given)
    for one in found:
        numbers = (one.low, one.high, one.to_low, one.to_high, one.subtract, one.divide)
        if one.step not in _STEPS:
            raise FormatError(f"a step of intensities must be one of {', '.join(_STEPS)}, got {one.step!r:.40}", remedy="correct it")
        sound = all(isinstance(n, int | float) and np.isfinite(n) for n in numbers) and one.divide != 0
        if not sound or (one.step in ("range", "percentiles", "clip") and one.low >= one.high):
            raise FormatError(
                f"{one.step} needs finite numbers, low below high, got {one.low!r:.20} and {one.high!r:.20}", remedy="correct it"
            )
    return found


def apply_steps(array: ImageArray, steps: Sequence[Step]) -> Array:
    """An image, shape (channels, I, J, K), any real dtype, after these steps, float32; NaN and infinities become 0."""
    done: ImageArray = array
    if not steps or steps[0].step != "robust-zscore":
        done = np.nan_to_num(array.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    for one in steps:
        done = _STEPS[one.step](done, one)
    return np.asarray(done, dtype=np.float32)


def _robust(array: ImageArray, _step: Step) -> ImageArray:
    return normalise(array)


def _zscore(array: ImageArray, step: Step) -> ImageArray:
    return _each(array, step, lambda part: _standard(part, nonzero=step.nonzero))


def _standard(part: ImageArray, *, nonzero: bool) -> ImageArray:
    counted = part != 0 if nonzero else np.ones(part.shape, dtype=np.bool_)
    if not counted.any():
        return part
    values = part[counted].astype(np.float64)
    deviation = values.std() or 1.0
    return np.where(counted, (part - values.mean()) / deviation, part).astype(np.float32)


def _range(array: ImageArray, step: Step) -> ImageArray:
    return _mapped(array, step.low, step.high, step)


def _percentiles(array: ImageArray, step: Step) -> ImageArray:
    return _each(array, step, lambda part: _mapped(part, float(np.percentile(part, step.low)), float(np.percentile(part, step.high)), step))


def _minmax(array: ImageArray, step: Step) -> ImageArray:
    return _each(array, step, lambda part: _mapped(part, float(part.min()), float(part.max()), step))


def _clip(array: ImageArray, step: Step) -> ImageArray:
    return array.clip(step.low, step.high)


def _affine(array: ImageArray, step: Step) -> ImageArray:
    return (array - step.subtract) / step.divide


def _mapped(part: ImageArray, low: float, high: float, step: Step) -> ImageArray:
    if high <= low:
        return np.full(part.shape, step.to_low, dtype=np.float32)
    scaled = (part - low) / (high - low) * (step.to_high - step.to_low) + step.to_low
    return scaled.clip(min(step.to_low, step.to_high), max(step.to_low, step.to_high)) if step.clip else scaled


def _each(array: ImageArray, step: Step, change: Callable[[ImageArray], ImageArray]) -> ImageArray:
    return np.stack([change(channel) for channel in array]) if step.channel_wise else change(array)


_STEPS: Mapping[str, Callable[[ImageArray, Step], ImageArray]] = {
    "robust-zscore": _robust,
    "zscore": _zscore,
    "range": _range,
    "percentiles": _percentiles,
    "minmax": _minmax,
    "clip": _clip,
    "affine": _affine,
}
