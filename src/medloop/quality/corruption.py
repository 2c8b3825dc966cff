"""Masks made worse by known amounts: what errors of a model may look like, with the true Dice at hand."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from medloop.core.arrays import MaskArray
from medloop.core.errors import SettingError

DEGREES = (0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 0.8)
"""How bad: 0 leaves the mask as it is, 1 leaves little that is right. Mostly mild, as models are."""


def corrupt_mask(mask: MaskArray, degree: float, rng: np.random.Generator) -> MaskArray:
    """A mask with errors: moved, warped, and partly missing.

    Args:
        mask: Label values, shape (I, J, K).
        degree: 0 (unchanged) to 1.
        rng: Which errors.

    Raises:
        SettingError: A degree outside 0..1.
    """
    from scipy import ndimage

    if not 0.0 <= degree <= 1.0:
        raise SettingError(f"A mask is corrupted by a degree of 0 to 1, got {degree:g}")
    if degree == 0.0 or not mask.any():
        return mask.copy()
    inside = np.argwhere(mask)
    size = np.maximum(np.ptp(inside, axis=0), 1)
    shift = degree * size * rng.uniform(-0.5, 0.5, 3)
    warp = [degree * 0.25 * n * smooth_noise(mask.shape, [n / 8 for n in mask.shape], rng) for n in size]
    places = [index + s + w for index, s, w in zip(np.indices(mask.shape), shift, warp, strict=True)]
    moved: MaskArray = ndimage.map_coordinates(mask, places, order=0, mode="nearest")
    return _cut(moved, degree, rng)


def smooth_noise(shape: tuple[int, ...], sigmas: Sequence[float], rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """A field of smooth bumps with standard deviation 1, as wide as one sigma per axis says; an axis of one voxel stays as it is."""
    from scipy import ndimage

    widths = [sigma if n > 1 else 0.0 for sigma, n in zip(sigmas, shape, strict=True)]
    field: npt.NDArray[np.float64] = ndimage.gaussian_filter(rng.standard_normal(shape), widths)
    return field / max(float(field.std()), 1e-9)


def _cut(mask: MaskArray, degree: float, rng: np.random.Generator) -> MaskArray:
    """Half of the time, one end of the structure is lost."""
    inside = np.argwhere(mask)
    if rng.random() < 0.5 or not len(inside):
        return mask
    direction = rng.standard_normal(3)
    along = inside @ direction
    lost = inside[along > np.quantile(along, 1.0 - 0.6 * degree)]
    kept = mask.copy()
    kept[tuple(lost.T)] = 0
    return kept
