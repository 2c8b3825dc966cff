"""Good images made worse by known amounts: what a patient who moves, a wrong gain or a field set too small does to them."""

from collections.abc import Callable, Mapping

import numpy as np

from medloop.core.arrays import FloatArray
from medloop.core.errors import SettingError

Degradation = Callable[[FloatArray, float, np.random.Generator], FloatArray]
"""From a plane, shape (I, J), a degree of 0 (unchanged) to 1 (hardly usable) and randomness to a worse plane."""

_LONGEST = 0.08
"""Share of the shorter side over which the worst motion smears."""


def motion(plane: FloatArray, degree: float, rng: np.random.Generator) -> FloatArray:
    """Smeared along one direction, as when the patient or the probe moves during the exposure."""
    from scipy import ndimage

    angle = rng.uniform(0.0, np.pi)
    half = degree * _LONGEST * min(plane.shape) / 2
    count = max(2, int(np.ceil(4 * half)) + 1)
    steps = np.linspace(-half, half, count)
    total = np.zeros_like(plane, dtype=np.float64)
    for step in steps:
        total += ndimage.shift(plane, (step * np.cos(angle), step * np.sin(angle)), order=1, mode="nearest")
    return total / count


def field_of_view(plane: FloatArray, degree: float, rng: np.random.Generator) -> FloatArray:
    """A field set too small and beside the structure: a window of the plane at its own resolution."""
    sizes = [max(1, round((1.0 - 0.5 * degree) * n)) for n in plane.shape]
    starts = [int(rng.integers(0, n - size + 1)) for n, size in zip(plane.shape, sizes, strict=True)]
    window: FloatArray = plane[tuple(slice(start, start + size) for start, size in zip(starts, sizes, strict=True))]
    return window.copy()


def low_contrast(plane: FloatArray, degree: float, rng: np.random.Generator) -> FloatArray:
    """Values drawn together around a level between the darkest and the middle one, as with a wrong gain."""
    low, high = float(plane.min()), float(plane.max())
    level = low + rng.uniform(0.0, 0.5) * (high - low)
    return level + (1.0 - 0.85 * degree) * (plane - level)


def saturation(plane: FloatArray, degree: float, rng: np.random.Generator) -> FloatArray:
    """Gain far too high: what is bright is cut off."""
    del rng
    low, high = float(plane.min()), float(plane.max())
    brighter: FloatArray = np.minimum(low + (1.0 + 5.0 * degree) * (plane - low), high)
    return brighter


def speckle(plane: FloatArray, degree: float, rng: np.random.Generator) -> FloatArray:
    """Noise that grows with the signal (Rayleigh-like speckle), and some that does not."""
    low, high = float(plane.min()), float(plane.max())
    shown = plane + degree * (0.8 * (plane - low) * rng.normal(size=plane.shape) + 0.08 * (high - low) * rng.normal(size=plane.shape))
    clipped: FloatArray = np.clip(shown, low, high)
    return clipped


DEGRADATIONS: Mapping[str, Degradation] = {
    "motion": motion,
    "field_of_view": field_of_view,
    "contrast": low_contrast,
    "saturation": saturation,
    "noise": speckle,
}
"""By name; `saturation` has the reason "contrast"."""


def degrade(plane: FloatArray, name: str, degree: float, rng: np.random.Generator) -> FloatArray:
    """A worse copy of a plane, shape (I, J).

    Raises:
        SettingError: No such degradation, or a degree outside 0..1.
    """
    if name not in DEGRADATIONS:
        raise SettingError(f"A degradation is one of {', '.join(DEGRADATIONS)}, got {name!r}")
    if not 0.0 <= degree <= 1.0:
        raise SettingError(f"An image is degraded by a degree of 0 to 1, got {degree:g}")
    return plane.copy() if degree == 0.0 else DEGRADATIONS[name](plane.astype(np.float64), degree, rng)
