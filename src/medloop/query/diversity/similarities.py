"""How much one case stands for another, as matrix products: within a radius, by a Gaussian kernel, by angle.

Each form turns features into rows a so that one product of a and a *mirrored* row gives all that is needed; for
distances these are a = (x, -|x|²/2, 1) and mirrored (y, 1, -|y|²/2), whose product is -|x - y|²/2.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from medloop.core.arrays import Features, FloatArray
from medloop.query.diversity.tables import squared_lengths, unit_rows

_ROUNDING = 1e-6
"""Share of a squared radius by which a case may lie outside and yet count as on the rim."""


class Similarity(Protocol):
    """Similarity of cases, 0 (none) to 1 (the same), in three steps."""

    def prepare(self, features: Features) -> FloatArray:
        """Rows for the products, shape (cases, width); the features are near the origin."""

    def mirror(self, prepared: FloatArray) -> FloatArray:
        """The same rows as the left factor of a product."""

    def finish(self, products: FloatArray) -> FloatArray:
        """Similarities from products, which may be overwritten."""


class _ByDistance:
    """Rows whose products are minus half the squared distance."""

    def _scale(self) -> float:
        return 1.0

    def prepare(self, features: Features) -> FloatArray:
        """(x, -|x|²/2, 1) of the scaled features."""
        cases, width = features.shape
        prepared = np.ones((cases, width + 2), dtype=features.dtype)
        np.multiply(features, np.asarray(self._scale(), dtype=features.dtype), out=prepared[:, :width])
        prepared[:, width] = squared_lengths(prepared[:, :width]) * -0.5
        return prepared

    def mirror(self, prepared: FloatArray) -> FloatArray:
        """(x, 1, -|x|²/2)."""
        mirrored = prepared.copy()
        mirrored[:, -2:] = prepared[:, :-3:-1]
        return mirrored


@dataclass(frozen=True)
class Ball(_ByDistance):
    """1 within the radius, else 0.

    Attributes:
        radius: In the units of the features; a case on the rim is within.
    """

    radius: float

    def finish(self, products: FloatArray) -> FloatArray:
        """1 where half the squared distance is at most half the squared radius."""
        return (products >= -0.5 * self.radius**2 * (1.0 + _ROUNDING)).astype(products.dtype)


@dataclass(frozen=True)
class Gaussian(_ByDistance):
    """exp(-|x - y|² / width²).

    Attributes:
        width: In the units of the features.
    """

    width: float

    def _scale(self) -> float:
        return float(np.sqrt(2.0)) / self.width

    def finish(self, products: FloatArray) -> FloatArray:
        """The exponential; products are not positive but for rounding."""
        np.minimum(products, 0.0, out=products)
        return np.exp(products, out=products)


@dataclass(frozen=True)
class Cosine:
    """Cosine of the angle, where it is positive."""

    def prepare(self, features: Features) -> FloatArray:
        """Rows of length 1."""
        return unit_rows(features)

    def mirror(self, prepared: FloatArray) -> FloatArray:
        """The rows themselves."""
        return prepared

    def finish(self, products: FloatArray) -> FloatArray:
        """0 to 1."""
        return np.clip(products, 0.0, 1.0, out=products)
