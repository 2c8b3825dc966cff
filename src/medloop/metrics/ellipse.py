"""An ellipse through points, and how long its outline is."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from medloop.core.arrays import FloatArray
from medloop.core.errors import InputError, ShapeError

FEWEST_POINTS = 6
"""An ellipse has five parameters; with five points nothing is left to fit."""


@dataclass(frozen=True)
class Ellipse:
    """An ellipse in the plane.

    Attributes:
        x, y: Its centre.
        long, short: Semi-axes, the longer one first.
        angle: Of the longer axis against x, radians in [-pi/2, pi/2).
    """

    x: float
    y: float
    long: float
    short: float
    angle: float

    @property
    def circumference(self) -> float:
        """Length of the outline by Ramanujan's second formula, wrong by less than 1 in 10,000 up to axes of 20 : 1.

        Source: Ramanujan 1914, Quarterly Journal of Mathematics 45, 350-372.
        """
        h = ((self.long - self.short) / (self.long + self.short)) ** 2
        return math.pi * (self.long + self.short) * (1 + 3 * h / (10 + math.sqrt(4 - 3 * h)))


def fit_ellipse(points: FloatArray) -> Ellipse:
    """The ellipse with the least algebraic distance to points.

    Args:
        points: Shape (n, 2), at least six.

    Raises:
        ShapeError: Too few points, or points that are not pairs.
        InputError: Points on a line, which no ellipse passes.

    Source: Fitzgibbon et al. 1999, doi:10.1109/34.765658, in the numerically stable form of Halíř & Flusser 1998
        (WSCG'98, 125-132); the conic 4ac - b² = 1 is an ellipse whatever the points.
    """
    if points.ndim != 2 or points.shape[1] != 2 or len(points) < FEWEST_POINTS:
        raise ShapeError(f"An ellipse needs at least {FEWEST_POINTS} points in a plane, got shape {points.shape}")
    centre = points.mean(axis=0)
    scale = float(np.sqrt(((points - centre) ** 2).sum(axis=1).mean())) or 1.0
    a, b, c, d, e, f = _fit_conic(*((points - centre) / scale).T)
    x, y, long, short, angle = _from_conic(a, b, c, d, e, f)
    return Ellipse(centre[0] + scale * x, centre[1] + scale * y, scale * long, scale * short, angle)


def _fit_conic(x: FloatArray, y: FloatArray) -> tuple[float, ...]:
    """Coefficients of a x² + b xy + c y² + d x + e y + f = 0."""
    quadratic = np.stack([x * x, x * y, y * y], axis=1)
    linear = np.stack([x, y, np.ones_like(x)], axis=1)
    s1, s2, s3 = quadratic.T @ quadratic, quadratic.T @ linear, linear.T @ linear
    if np.linalg.cond(s3) > 1e12:
        raise InputError("Points on one line have no ellipse", remedy="the structure must be more than a line")
    reduce = -np.linalg.solve(s3, s2.T)
    m = s1 + s2 @ reduce
    values, vectors = np.linalg.eig(np.stack([m[2] / 2, -m[1], m[0] / 2]))
    del values
    vectors = np.real(vectors)
    condition = 4 * vectors[0] * vectors[2] - vectors[1] ** 2
    if not (condition > 0).any():
        raise InputError("No ellipse fits these points", remedy="the structure must be more than a line")
    first = vectors[:, int(condition.argmax())]
    return tuple(float(v) for v in np.concatenate([first, reduce @ first]))


def _from_conic(a: float, b: float, c: float, d: float, e: float, f: float) -> tuple[float, float, float, float, float]:
    """Centre, semi-axes and angle of the conic."""
    form: npt.NDArray[np.float64] = np.array([[a, b / 2], [b / 2, c]])
    try:
        centre = np.linalg.solve(-2 * form, [d, e])
    except np.linalg.LinAlgError:  # a pair of lines, which rounding took for an ellipse
        raise InputError("No ellipse fits these points", remedy="the structure must be more than a line") from None
    value = f + 0.5 * float(centre @ [d, e])
    curvatures, directions = np.linalg.eigh(form)
    lengths = np.sqrt(np.maximum(-value / curvatures, 0.0))
    long, short = int(lengths.argmax()), int(lengths.argmin())
    direction = directions[:, long]
    angle = (math.atan2(direction[1], direction[0]) + math.pi / 2) % math.pi - math.pi / 2
    return float(centre[0]), float(centre[1]), float(lengths[long]), float(lengths[short]), angle
