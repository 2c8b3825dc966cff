"""Spoilt masks, as a starting point that a network has to learn to correct."""

import numpy as np

from medloop.core.arrays import MaskArray

SMOOTHNESS, STRENGTH = 3.0, (1.0, 4.0)
"""Voxels over which a bend changes, and how far it moves borders: smallest and largest standard deviation in voxels."""


def corrupt(mask: MaskArray, rng: np.random.Generator) -> MaskArray:
    """A mask bent, moved and perhaps bitten.

    Args:
        mask: Label values, shape (I, J, K); one-voxel axes are left alone.
        rng: Decides how.

    Returns:
        Same shape; no label that the mask did not have.
    """
    from scipy import ndimage

    places = list(np.meshgrid(*[np.arange(n, dtype=np.float64) for n in mask.shape], indexing="ij"))
    strength = rng.uniform(*STRENGTH)
    for axis, n in enumerate(mask.shape):
        if n > 1:
            field = ndimage.gaussian_filter(rng.standard_normal(mask.shape), [SMOOTHNESS if m > 1 else 0 for m in mask.shape])
            places[axis] += strength * field / max(float(field.std()), 1e-9) * 0.5 + rng.normal(0, strength / 3)
    bent: MaskArray = ndimage.map_coordinates(mask, places, order=0, mode="nearest")
    return _bite(bent, rng) if rng.random() < 0.3 else bent


def _bite(mask: MaskArray, rng: np.random.Generator) -> MaskArray:
    """Without a ball around one of its voxels."""
    inside = np.argwhere(mask)
    if not len(inside):
        return mask
    centre = inside[int(rng.integers(len(inside)))]
    squares = sum((axis - c) ** 2 for axis, c in zip(np.ogrid[tuple(slice(0, n) for n in mask.shape)], centre, strict=True))
    return np.where(squares <= rng.uniform(2, 6) ** 2, 0, mask).astype(np.uint8)
