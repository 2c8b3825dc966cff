"""Masks as they might have been: spoilt ones to start correcting from, and ones that another person would have wanted."""

import numpy as np

from medloop.core.arrays import MaskArray

SPOILT, WANTED = (0.5, 2.0), (0.5, 1.5)
"""How far borders move: smallest and largest standard deviation, in voxels of the finest axis. Readers differ by about a voxel."""

SMOOTHNESS = 3.0
"""Voxels over which a bend changes."""

Steps = tuple[float, float, float]


def corrupt(mask: MaskArray, rng: np.random.Generator, *, steps: Steps = (1.0, 1.0, 1.0)) -> MaskArray:
    """A mask bent, moved and perhaps bitten; no label that it did not have.

    Args:
        mask: Label values, shape (I, J, K); one-voxel axes are left alone.
        rng: Decides how.
        steps: Voxel size per axis, in voxels of the finest.
    """
    strength = rng.uniform(*SPOILT)
    bent = _bend(mask, rng, strength, shift=2 * strength / 3, steps=steps)
    return _bite(bent, rng) if rng.random() < 0.3 else bent


def disagree(mask: MaskArray, rng: np.random.Generator, *, steps: Steps = (1.0, 1.0, 1.0)) -> MaskArray:
    """The mask as another reader might have drawn it: borders bent by about a voxel. Arguments as of `corrupt`."""
    return _bend(mask, rng, rng.uniform(*WANTED), shift=0.0, steps=steps)


def _bend(mask: MaskArray, rng: np.random.Generator, strength: float, *, shift: float, steps: Steps) -> MaskArray:
    from scipy import ndimage

    places = list(np.meshgrid(*[np.arange(n, dtype=np.float32) for n in mask.shape], indexing="ij"))
    widths = [SMOOTHNESS / step if n > 1 else 0 for n, step in zip(mask.shape, steps, strict=True)]
    for axis, (n, step) in enumerate(zip(mask.shape, steps, strict=True)):
        if n > 1:
            field = ndimage.gaussian_filter(rng.standard_normal(mask.shape, dtype=np.float32), widths)
            places[axis] += strength / step * field / max(float(field.std()), 1e-9) + rng.normal(0, 1) * shift / step
    bent: MaskArray = ndimage.map_coordinates(mask, places, order=0, mode="nearest")
    return bent


def _bite(mask: MaskArray, rng: np.random.Generator) -> MaskArray:
    """Without a ball around one of its voxels."""
    inside = np.argwhere(mask)
    if not len(inside):
        return mask
    centre = inside[int(rng.integers(len(inside)))]
    squares = sum((axis - c) ** 2 for axis, c in zip(np.ogrid[tuple(slice(0, n) for n in mask.shape)], centre, strict=True))
    return np.where(squares <= rng.uniform(2, 6) ** 2, 0, mask).astype(np.uint8)
