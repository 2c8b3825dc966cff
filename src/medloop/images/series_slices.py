"""The slices of a DICOM series as its source keeps them: which instance each is, and where it lies in the patient."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from medloop.core.geometry import GRID_TOLERANCE, Grid

Vector = npt.NDArray[np.float64]

_LPS = np.array([-1.0, -1.0, 1.0])
_LEAST_MM = 0.01
"""Slices closer than this are never told apart; 32-bit positions stay below."""


@dataclass
class Slices:
    """The slices of one series.

    Args:
        name: Of the object that is laid on them, for messages.
        grid: Of the volume.
        dicom: What the series' `Source` keeps.

    Attributes:
        outside: Planes that were found to lie on none of them.
    """

    name: str
    grid: Grid
    dicom: Mapping[str, Any]
    outside: int = 0
    index: dict[tuple[str, int], int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        instances, frames = self.dicom.get("instances", ()), self.dicom.get("frames", ())
        places = [(instances[0], frame) for frame in frames] if frames else [(uid, 0) for uid in instances]
        self.index = {place: k for k, place in enumerate(places)}
        aliases = self.dicom.get("aliases", ())
        self.index |= {(uid, places[k][1]): k for k, uid in enumerate(list(aliases) * len(frames) if frames else aliases)}
        self.directions = [self.grid.affine[:3, axis] / np.linalg.norm(self.grid.affine[:3, axis]) * _LPS for axis in (0, 1)]
        self.normal: Vector = np.cross(*self.directions)
        own = self.dicom.get("positions")
        stacked = (self.grid.affine[:3, 3] + np.arange(self.grid.shape[2])[:, None] * self.grid.affine[:3, 2]) * _LPS
        self.origins: Vector = np.array(own, dtype=np.float64) if own else stacked
        self.depths: Vector = self.origins @ self.normal
        steps = np.abs(np.diff(self.depths))
        self.near_mm = max(GRID_TOLERANCE * (float(steps.min()) if len(steps) else self.grid.spacing_mm[2]), _LEAST_MM)

    def of_sources(self, sources: Sequence[Sequence[Any]]) -> tuple[list[int], bool]:
        """The slices that references lead to, and whether there were references."""
        found = {k for uid, frame in sources if (k := self._one(str(uid), int(frame))) is not None}
        return sorted(found), bool(sources)

    def _one(self, uid: str, frame: int) -> int | None:
        only = self.index.get((uid, 0))
        return only if only is not None else self.index.get((uid, frame or 1))

    def at_depth(self, depth: float) -> int | None:
        """The slice that lies in a plane across the normal; None between slices and beyond them."""
        k = int(np.abs(self.depths - depth).argmin())
        return k if abs(float(self.depths[k]) - depth) <= self.near_mm else None
