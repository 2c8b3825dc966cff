"""Signs of a poor acquisition that need no model: how sharp, how noisy, how much contrast, what lies at the border.

Each is a number of one image. None says anything by itself: what is usual differs between an ultrasound of a head and a
CT of a liver, so `medloop.quality.acquisition.rule` compares with the project's own images. Everything but contrast
and extent is relative to the image's own contrast, so that a change of gain is not taken for blur or noise.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from medloop.core.arrays import BoolArray, FloatArray, ImageArray
from medloop.core.errors import InputError
from medloop.quality.acquisition.planes import channels_of, planes_of, require_picture, slice_axis, thinned

Reason: TypeAlias = Literal["motion", "field_of_view", "contrast", "noise", "model_unsure"]


@dataclass(frozen=True)
class Sign:
    """What a number says.

    Attributes:
        name: Of the number.
        reason: What is wrong when it is unusual.
        bad: +1 when large is bad, -1 when small is.
        least: Smallest difference that is looked at, in the number's unit: where all references are alike, rounding is no fault.
        words: The number in words.
    """

    name: str
    reason: Reason
    bad: Literal[1, -1]
    least: float
    words: str


SIGNS = (
    Sign("detail", "motion", -1, 0.05, "fine detail against coarse"),
    Sign("streak", "motion", -1, 0.05, "fine detail in the direction that has least"),
    Sign("jump", "motion", 1, 0.1, "the largest change between neighbouring slices"),
    Sign("border", "field_of_view", 1, 0.05, "content at the border against the middle"),
    Sign("border_side", "field_of_view", 1, 0.05, "content at the fullest border against the middle"),
    Sign("extent", "field_of_view", -1, 0.02, "size of the field"),
    Sign("contrast", "contrast", -1, 0.05, "range of the middle 98 % of the values"),
    Sign("spread", "contrast", -1, 0.05, "range of the middle half of the values that are not background"),
    Sign("saturated", "contrast", 1, 0.005, "share of voxels at the largest value"),
    Sign("dark", "contrast", 1, 0.02, "share of voxels at the smallest value"),
    Sign("noise", "noise", 1, 0.05, "noise against the image's own contrast (Immerkær)"),
    Sign("grain", "noise", 1, 0.05, "noise against the image's own contrast (finest wavelet)"),
)
"""What is looked at in every image."""

_TINY = 1e-4
"""Added before a logarithm: noise of a ten-thousandth of the contrast is none."""

_HAAR_TO_SIGMA = 0.6745
"""Median of the absolute values of a normal variable with standard deviation 1."""

_BORDER = 0.02
"""Width of the border as a share of the shorter side."""

_COARSE = 4
"""Pixels between two values whose difference is coarse."""


def image_signs(array: ImageArray, spacing_mm: tuple[float, float, float]) -> dict[str, float]:
    """The signs of one image.

    Args:
        array: Intensities, shape (C, I, J, K).
        spacing_mm: Of its voxels; ones where it is not known.

    Returns:
        Name of `SIGNS` → number; of several channels "name 1", "name 2" and so on, except for what all share.

    Raises:
        InputError: See `require_picture`; or one of several channels holds a single value.
    """
    require_picture(array, spacing_mm)
    across = slice_axis(array.shape[1:], spacing_mm)
    channels = channels_of(array)
    _require_full(channels)
    found = {"extent": _extent(array.shape[1:], spacing_mm, across)}
    for number, channel in enumerate(channels, start=1):
        ending = f" {number}" if len(channels) > 1 else ""
        found |= {name + ending: value for name, value in _channel_signs(channel, across).items()}
    return {name: round(value, 5) for name, value in found.items()}


def sign_called(name: str) -> Sign:
    """The sign that a number's name, with or without its channel, belongs to."""
    return next(sign for sign in SIGNS if sign.name == name.split(" ")[0])


def _require_full(channels: Sequence[ImageArray]) -> None:
    """Refuse an image of which a channel was not acquired: nothing else says so, as it has no sign that could be unusual."""
    for number, channel in enumerate(channels, start=1):
        if float(channel.min()) == float(channel.max()):
            rule = f"Every channel holds more than one value, got {float(channel.min()):g} everywhere in channel {number}: it is empty"
            raise InputError(rule, remedy="acquire it again, or send all channels")


def _channel_signs(channel: ImageArray, across: int) -> dict[str, float]:
    some = thinned(channel, across)
    low, high = (float(v) for v in np.quantile(some, [0.01, 0.99], method="nearest"))
    least, most = float(channel.min()), float(channel.max())
    if high <= low:
        low, high = least, most
    content = some[some > least]
    rows = [_plane_signs((plane - low) / (high - low), (least - low) / (high - low)) for plane in planes_of(channel, across)]
    found = {name: float(np.nanmedian([row[name] for row in rows])) for name in rows[0]}
    if channel.shape[across] > 2:
        found["jump"] = _jump(some, across)
    quarter, three = np.quantile(content, [0.25, 0.75]) if content.size else (low, high)
    return found | {
        "contrast": math.log(high - low),
        "spread": math.log(max(float(three - quarter), _TINY * (high - low))),
        "saturated": float(np.mean(some == most)),
        "dark": float(np.mean(some == least)),
    }


def _plane_signs(plane: FloatArray, least: float) -> dict[str, float]:
    """Signs of a slice, shape (I, J), whose middle 98 % of values lie within 0 to 1 and whose background is `least`."""
    fine = _directions(plane)
    border = _borders(plane - least)
    return {
        "detail": float(np.mean(fine)),
        "streak": float(np.min(fine)),
        "border": float(np.mean(border)),
        "border_side": float(np.max(border)),
        "noise": math.log(_immerkaer(plane) + _TINY),
        "grain": math.log(_wavelet(plane, least) + _TINY),
    }


def _directions(plane: FloatArray) -> list[float]:
    """Logarithm of fine over coarse differences along rows, columns and both diagonals: blur takes the fine ones first."""
    found = []
    for step in ((1, 0), (0, 1), (1, 1), (1, -1)):
        fine, coarse = (_difference(plane, (step[0] * far, step[1] * far)) for far in (1, _COARSE))
        found.append(math.log((fine + _TINY) / (coarse + _TINY)))
    return found


def _difference(plane: FloatArray, step: tuple[int, int]) -> float:
    """Mean absolute difference of pixels that lie one step apart."""
    down, right = step
    first = plane[: plane.shape[0] - down, max(0, -right) : plane.shape[1] - max(0, right)]
    second = plane[down:, max(0, right) : plane.shape[1] - max(0, -right)]
    return float(np.abs(first - second).mean())


def _immerkaer(plane: FloatArray) -> float:
    """Standard deviation of the noise, from a mask that no linear ramp nor edge along an axis passes.

    Source: Immerkær 1996, Fast noise variance estimation, doi:10.1006/cviu.1996.0060, equation 4.
    """
    inner = plane[:, :-2] - 2 * plane[:, 1:-1] + plane[:, 2:]
    twice = inner[:-2] - 2 * inner[1:-1] + inner[2:]
    return math.sqrt(math.pi / 2) / 6 * float(np.abs(twice).mean())


def _wavelet(plane: FloatArray, least: float) -> float:
    """Standard deviation of the noise from the median of the finest diagonal Haar coefficients, background left out.

    Source: Donoho and Johnstone 1994, Ideal spatial adaptation by wavelet shrinkage, doi:10.1093/biomet/81.3.425, section 4.
    """
    even = plane[: plane.shape[0] // 2 * 2, : plane.shape[1] // 2 * 2]
    corners = even[::2, ::2], even[1::2, ::2], even[::2, 1::2], even[1::2, 1::2]
    diagonal = (corners[0] - corners[1] - corners[2] + corners[3]) / 2
    inside: BoolArray = np.max(corners, axis=0) > least
    return float(np.median(np.abs(diagonal[inside]))) / _HAAR_TO_SIGMA if inside.any() else 0.0


def _borders(above: FloatArray) -> list[float]:
    """Mean content along each of the four borders over that of the whole plane; content is what lies above the background."""
    wide = max(2, round(_BORDER * min(above.shape)))
    whole = float(above.mean()) or 1.0
    return [float(part.mean()) / whole for part in (above[:wide], above[-wide:], above[:, :wide], above[:, -wide:])]


def _jump(channel: ImageArray, across: int) -> float:
    """Logarithm of the largest over the usual mean difference between neighbouring slices: a volume that moved in between."""
    others = tuple(axis for axis in range(3) if axis != across)
    steps = np.abs(np.diff(channel, axis=across)).mean(axis=others)
    return math.log((float(steps.max()) + 1e-9) / (float(np.median(steps)) + 1e-9))


def _extent(shape: tuple[int, ...], spacing_mm: tuple[float, float, float], across: int) -> float:
    """Logarithm of the field's size within a slice: the root of its area."""
    lengths = [n * mm for axis, (n, mm) in enumerate(zip(shape, spacing_mm, strict=True)) if axis != across]
    return 0.5 * math.log(lengths[0] * lengths[1])
