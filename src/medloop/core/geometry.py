"""The one place that knows about orientation: a voxel grid and its planes.

World coordinates are millimetres, RAS+ (x to the patient's right, y anterior, z superior), as in
NIfTI. `affine @ (i, j, k, 1)` is the centre of voxel (i, j, k). Arrays keep the file's voxel order;
nothing is ever resampled or flipped in memory, only drawing flips.

A 2D image is a grid with K == 1. Without orientation it is drawn as stored (i to the right,
j downwards), which `Grid.flat` expresses as an axial slice in radiological convention.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, SupportsInt, TypeAlias

import numpy as np
import numpy.typing as npt

from medloop.core.arrays import Affine
from medloop.core.errors import GeometryError, ShapeError

PlaneName: TypeAlias = Literal["axial", "coronal", "sagittal"]
Shape3: TypeAlias = tuple[int, int, int]

MAX_AXIS = 32767
"""Longest axis accepted: the limit of a NIfTI-1 dimension (a signed 16-bit number)."""

COARSER = 1.2
"""An axis that much coarser than the last one is the one people page along."""

GRID_TOLERANCE = 0.05
"""Two grids count as equal when no corner voxel lies further off than this share of a voxel, in either grid.

Tools that keep positions as 32-bit floats, or an oblique or slightly sheared affine as rotation and spacing, move corners by a
few thousandths of a voxel; a shift of one twentieth changes no voxel's label.
"""

_PLANE_AXES: dict[PlaneName, Shape3] = {"axial": (0, 1, 2), "coronal": (0, 2, 1), "sagittal": (1, 2, 0)}
"""World axes: (horizontal, vertical, through the slice)."""

_LETTERS = (("L", "R"), ("P", "A"), ("I", "S"))


@dataclass(frozen=True)
class Plane:
    """How to draw one slice direction of a grid on a screen.

    Attributes:
        name: Anatomical name of the plane nearest to the voxel axes.
        slice_axis: Voxel axis (0, 1, 2) that the wheel moves along.
        x_axis, y_axis: Voxel axes drawn to the right and downwards.
        x_flip, y_flip: Whether that axis is drawn from its far end.
        x_spacing_mm, y_spacing_mm: Size of a drawn pixel.
        edges: Letters at (left, right, top, bottom), for example ("R", "L", "A", "P").
    """

    name: PlaneName
    slice_axis: int
    x_axis: int
    y_axis: int
    x_flip: bool
    y_flip: bool
    x_spacing_mm: float
    y_spacing_mm: float
    edges: tuple[str, str, str, str]


@dataclass(frozen=True, eq=False)
class Grid:
    """Voxel positions in space: shape (I, J, K) and the voxel→mm affine, RAS+.

    Args:
        shape: Voxels along I, J, K; each at least 1.
        affine: 4×4, finite, invertible, last row (0, 0, 0, 1). Kept bit for bit as float64.

    Raises:
        ShapeError: A shape that is not three positive lengths within `MAX_AXIS`.
        GeometryError: An affine that is not a finite, invertible 4×4 matrix.
    """

    shape: Shape3
    affine: Affine

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", _checked_shape(self.shape))
        object.__setattr__(self, "affine", _checked_affine(self.affine))

    @classmethod
    def of_spacing(cls, shape: Sequence[int], spacing_mm: Sequence[float]) -> "Grid":
        """A grid whose axes are the RAS+ world axes, origin at voxel (0, 0, 0)."""
        return cls(_three(shape), np.diag([*(float(s) for s in spacing_mm), 1.0]))

    @classmethod
    def flat(cls, width: int, height: int, pixel_mm: float = 1.0) -> "Grid":
        """A 2D picture without orientation: I along its width, J down its height, K == 1."""
        return cls((width, height, 1), np.diag([-pixel_mm, -pixel_mm, 1.0, 1.0]))

    @property
    def is_2d(self) -> bool:
        """Whether the grid has exactly one slice along K."""
        return self.shape[2] == 1

    @property
    def voxels(self) -> int:
        """Number of voxels."""
        return int(np.prod(self.shape, dtype=np.int64))

    @cached_property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Distance between neighbours along I, J, K in mm."""
        lengths = np.linalg.norm(self.affine[:3, :3], axis=0)
        return (float(lengths[0]), float(lengths[1]), float(lengths[2]))

    @cached_property
    def world_axes(self) -> tuple[int, int, int]:
        """For each voxel axis, the world axis (0 x, 1 y, 2 z) it runs along most; each used once."""
        return _assign_axes(self.affine)

    @cached_property
    def axis_codes(self) -> str:
        """Letters towards which I, J, K increase, such as "RAS" or "LPS"."""
        return "".join(_LETTERS[w][int(self._direction(v) > 0)] for v, w in enumerate(self.world_axes))

    def _direction(self, voxel_axis: int) -> float:
        return float(self.affine[self.world_axes[voxel_axis], voxel_axis])

    def to_mm(self, voxels: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Voxel coordinates (…, 3) to millimetres (…, 3)."""
        points = np.asarray(voxels, dtype=np.float64)
        return points @ self.affine[:3, :3].T + self.affine[:3, 3]

    def to_voxels(self, points_mm: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Millimetres (…, 3) to fractional voxel coordinates (…, 3)."""
        points = np.asarray(points_mm, dtype=np.float64)
        return (points - self.affine[:3, 3]) @ np.linalg.inv(self.affine[:3, :3]).T

    def plane(self, name: PlaneName) -> Plane:
        """The drawing rule of one plane, in radiological convention (patient's right on the left)."""
        horizontal, vertical, _ = _PLANE_AXES[name]
        x, y, s = (self.world_axes.index(w) for w in _PLANE_AXES[name])
        # The screen's right is the patient's left (axial, coronal) or posterior (sagittal): the negative
        # world direction. The screen's bottom is posterior or inferior: negative too.
        x_flip, y_flip = self._direction(x) > 0, self._direction(y) > 0
        edges = (_LETTERS[horizontal][1], _LETTERS[horizontal][0], _LETTERS[vertical][1], _LETTERS[vertical][0])
        return Plane(name, s, x, y, x_flip, y_flip, self.spacing_mm[x], self.spacing_mm[y], edges)

    def planes(self) -> tuple[Plane, ...]:
        """All planes worth drawing: one for a 2D image (its own slice), three for a volume."""
        every = tuple(self.plane(name) for name in _PLANE_AXES)
        return tuple(p for p in every if p.slice_axis == 2) if self.is_2d else every

    @property
    def paging_axis(self) -> int:
        """The voxel axis people page along: the one much coarser than the others, else the axial one; of a picture its only one."""
        axis = self.planes()[0].slice_axis
        if self.is_2d:
            return axis
        for other in range(3):
            if self.spacing_mm[other] > self.spacing_mm[axis] * COARSER:
                axis = other
        return axis

    def differs_from(self, other: "Grid") -> str | None:
        """What keeps two grids from being the same, in words; None when they agree within tolerance."""
        if self.shape != other.shape:
            return f"shape {_x(self.shape)} against {_x(other.shape)}"
        gap_mm, share = self.gap_to(other)
        return f"positions differ by up to {gap_mm:.3g} mm ({share:.2g} of a voxel)" if share > GRID_TOLERANCE else None

    def gap_to(self, other: "Grid") -> tuple[float, float]:
        """How far the corners of two grids of one shape lie apart at most: in mm, and as a share of a voxel."""
        last = np.array(self.shape, dtype=np.float64) - 1
        corners = np.array([[a, b, c] for a in (0, last[0]) for b in (0, last[1]) for c in (0, last[2])])
        mine, theirs = self.to_mm(corners), other.to_mm(corners)
        shares = (np.abs(self.to_voxels(theirs) - corners).max(), np.abs(other.to_voxels(mine) - corners).max())
        return float(np.abs(mine - theirs).max()), float(max(shares))

    def same_as(self, other: "Grid") -> bool:
        """Whether both grids put the same voxels at the same places."""
        return self.differs_from(other) is None

    def require_same(self, other: "Grid", what: str) -> None:
        """Raise unless both grids agree.

        Raises:
            GeometryError: With the difference in words.
        """
        if difference := self.differs_from(other):
            raise GeometryError(f"{what} must lie on the image's grid, but {difference}", remedy="export it again on the grid of its image")

    def __eq__(self, other: object) -> bool:
        """Bit-for-bit equality; use `same_as` for equality within tolerance."""
        return isinstance(other, Grid) and self.shape == other.shape and np.array_equal(self.affine, other.affine)

    def __hash__(self) -> int:
        return hash((self.shape, self.affine.tobytes()))

    def to_json(self) -> dict[str, Any]:
        """Shape and affine as plain lists; floats survive JSON exactly."""
        return {"shape": list(self.shape), "affine": [[float(v) for v in row] for row in self.affine]}

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> "Grid":
        """Inverse of `to_json`."""
        return cls(_three(record["shape"]), np.array(record["affine"], dtype=np.float64))


def triple(numbers: Iterable[SupportsInt]) -> Shape3:
    """Three numbers as whole ones, for I, J and K."""
    i, j, k = map(int, numbers)
    return i, j, k


def _x(shape: Sequence[int]) -> str:
    return "×".join(str(n) for n in shape)


def _three(values: Sequence[int]) -> Shape3:
    if len(values) != 3:
        raise ShapeError(f"A grid has three axes, got {len(values)}: {_x(values)}")
    return triple(values)


def _checked_shape(shape: Sequence[int]) -> Shape3:
    three = _three(shape)
    if min(three) < 1 or max(three) > MAX_AXIS:
        raise ShapeError(f"Every axis of a grid must have 1 to {MAX_AXIS} voxels, got {_x(three)}")
    return three


def _checked_affine(affine: npt.ArrayLike) -> Affine:
    matrix = np.array(affine, dtype=np.float64)
    if matrix.shape != (4, 4):
        raise GeometryError(f"An affine is a 4×4 matrix, got shape {_x(matrix.shape)}")
    if not np.isfinite(matrix).all():
        raise GeometryError("An affine must be finite, got NaN or infinity", remedy="repair the image's header")
    if not np.array_equal(matrix[3], (0.0, 0.0, 0.0, 1.0)):
        raise GeometryError(f"The last row of an affine must be 0 0 0 1, got {matrix[3].tolist()}")
    lengths = np.linalg.norm(matrix[:3, :3], axis=0)
    if not (lengths > 0).all() or abs(float(np.linalg.det(matrix[:3, :3] / lengths))) < 1e-3:
        columns = matrix[:3, :3].T.tolist()
        raise GeometryError(f"The three voxel axes must span space, got columns {columns}", remedy="repair the image's header")
    matrix.setflags(write=False)
    return matrix


def _assign_axes(affine: Affine) -> tuple[int, int, int]:
    """Pair voxel with world axes so that the sum of |direction cosines| is largest (6 permutations)."""
    from itertools import permutations

    cosines = np.abs(affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0))
    best = max(permutations(range(3)), key=lambda p: sum(cosines[p[v], v] for v in range(3)))
    return triple(best)
