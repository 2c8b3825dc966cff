"""Annotation noise of a known kind and dose, for studies of what wrong annotations cost.

A share of the cases is wrong, the others are the truth. Which cases, and how each is wrong, follows from the seed and the case alone:
at a larger share the cases that were wrong before are wrong in the same way, so that a curve over the dose is paired. Two kinds are
about the person instead: `lazy` accepts what the model proposes without a look, and `fatigue` errs the more, the longer a sitting
lasts.

Source: kinds as in Yu et al. 2020, Robustness study of noisy annotation in deep learning based medical image segmentation,
doi:10.1088/1361-6560/ab99e5, and Karimi et al. 2020, Deep learning with noisy labels, arXiv:1912.02911, section 2.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeAlias, get_args

import numpy as np
from scipy import ndimage

from medloop.core.arrays import BoolArray, MaskArray
from medloop.core.errors import SettingError
from medloop.core.image import Mask
from medloop.core.seeds import generator
from medloop.simulation.outlines import half_voxel_mm, with_wrong_outlines
from medloop.simulation.study_settings import NoiseKind

TIRED_AFTER = 30
"""Annotations of one sitting after which somebody who tires errs as often as the share of noisy cases says."""

_Change: TypeAlias = Callable[[Mask, float, np.random.Generator], MaskArray]


@dataclass(frozen=True)
class Noise:
    """What is wrong with annotations.

    Attributes:
        kind: Of the errors; `mixed` draws one of the kinds that change a mask per case.
        share: Of the cases that are wrong, 0 to 1.
        mm: How far outlines are moved, in mm (pixels where a picture has no size).
        seed: Which cases, and how.

    Raises:
        SettingError: An unknown kind, or a share or distance outside its range.
    """

    kind: NoiseKind = "none"
    share: float = 0.0
    mm: float = 2.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.kind not in get_args(NoiseKind):
            raise SettingError(f"A kind of noise is one of {', '.join(get_args(NoiseKind))}, got {self.kind!r}")
        if not (0 <= self.share <= 1 and 0 <= self.mm <= 100):
            raise SettingError(f"Noise has a share within 0..1 and 0 to 100 mm, got {self.share:g} and {self.mm:g} mm")

    def is_wrong(self, name: str, *, nth: int = 0) -> bool:
        """Whether the annotation of a case is wrong, as the n-th of its sitting, from 0."""
        chance = self.share * min(1.0, nth / TIRED_AFTER) if self.kind == "fatigue" else self.share
        return self.kind != "none" and bool(generator(self.seed, "noisy case", name).random() < chance)

    def mask(self, truth: Mask, name: str, *, nth: int = 0, proposal: MaskArray | None = None) -> MaskArray:
        """What is annotated instead of the truth, shape (I, J, K).

        Args:
            truth: Of the case.
            name: Of the case.
            nth: How many annotations its sitting had before.
            proposal: What the model shows, shape (I, J, K); without one nobody can be lazy.
        """
        if not self.is_wrong(name, nth=nth):
            return truth.array
        if self.kind == "lazy":
            return truth.array if proposal is None else proposal
        rng = generator(self.seed, "noise", name)
        return self._change(truth, rng)(truth, self.mm, rng)

    def tag(self, truth: int, known: tuple[int, ...], name: str, *, nth: int = 0, proposal: int | None = None) -> int:
        """What a case is tagged instead of the truth: another of the known values, or what the model says."""
        if not self.is_wrong(name, nth=nth):
            return truth
        if self.kind == "lazy":
            return truth if proposal is None else proposal
        others = [value for value in known if value != truth]
        return int(generator(self.seed, "noise", name).choice(others)) if others else truth

    def words(self) -> str:
        """The noise in words, for a report; empty without any."""
        if self.kind == "none" or self.share == 0:
            return ""
        far = f" by {self.mm:g} mm" if self.kind in ("dilation", "erosion", "shift", "boundary-jitter", "mixed", "fatigue") else ""
        return f"{self.share:.0%} of the cases with {self.kind}{far}"

    def _change(self, truth: Mask, rng: np.random.Generator) -> _Change:
        if self.kind == "fatigue":
            return with_wrong_outlines
        if self.kind != "mixed":
            return CHANGES[self.kind]
        possible = [kind for kind in CHANGES if kind != "class-flip" or len(_labels(truth)) > 1]
        return CHANGES[possible[int(rng.integers(len(possible)))]]


NO_NOISE = Noise()


def flipped(mask: Mask, _: float, rng: np.random.Generator) -> MaskArray:
    """Objects that carry another label of the same mask: each by chance, at least one; a mask of one label stays as it is."""
    labels = _labels(mask)
    if len(labels) < 2:
        return mask.array
    found = mask.array.copy()
    for place, value in _some_objects(mask, rng):
        found[place] = rng.choice([label for label in labels if label != value])
    return found


def dilated(mask: Mask, mm: float, _: np.random.Generator) -> MaskArray:
    """Every object grown by so many mm over the background; where two grow to the same voxel, the nearer one has it."""
    if not mask.array.any():
        return mask.array
    far, nearest = ndimage.distance_transform_edt(mask.array == 0, sampling=mask.grid.spacing_mm, return_indices=True)
    grown: MaskArray = np.where(far - half_voxel_mm(mask.array.shape, mask.grid.spacing_mm) <= mm, mask.array[tuple(nearest)], mask.array)
    return grown


def eroded(mask: Mask, mm: float, _: np.random.Generator) -> MaskArray:
    """Every label without the rim of so many mm; the deepest voxels stay, so that no label is lost."""
    found = mask.array.copy()
    for label in _labels(mask):
        inside = mask.array == label
        depth = ndimage.distance_transform_edt(inside, sampling=mask.grid.spacing_mm)
        found[inside & (depth - half_voxel_mm(mask.array.shape, mask.grid.spacing_mm) <= mm) & (depth < depth.max())] = 0
    return found


def shifted(mask: Mask, mm: float, rng: np.random.Generator) -> MaskArray:
    """The whole mask moved by so many mm, by at least a voxel, in a direction of chance; what leaves the image is lost."""
    extended = np.array([n > 1 for n in mask.array.shape])
    direction = rng.standard_normal(3) * extended
    steps = mm * direction / np.linalg.norm(direction) / np.array(mask.grid.spacing_mm) if extended.any() else np.zeros(3)
    moved = np.rint(steps).astype(int)
    if extended.any() and not moved.any():
        largest = int(np.argmax(np.abs(steps)))
        moved[largest] = 1 if steps[largest] > 0 else -1
    found: MaskArray = ndimage.shift(mask.array, moved, order=0, mode="constant", cval=0, prefilter=False)
    return found


def with_missed_objects(mask: Mask, _: float, rng: np.random.Generator) -> MaskArray:
    """Objects left out: each by chance, at least one."""
    found = mask.array.copy()
    for place, _value in _some_objects(mask, rng):
        found[place] = 0
    return found


def blundered(mask: Mask, _: float, rng: np.random.Generator) -> MaskArray:
    """Each label drawn elsewhere: a ball of as many voxels around a place of chance."""
    found = np.zeros_like(mask.array)
    for label in _labels(mask):
        centre = rng.integers(0, mask.array.shape)
        far = np.zeros(mask.array.shape)
        for axis, places in enumerate(np.ogrid[tuple(slice(n) for n in mask.array.shape)]):
            far = far + ((places - centre[axis]) * mask.grid.spacing_mm[axis]) ** 2
        size = int(np.count_nonzero(mask.array == label))
        found.ravel()[np.argpartition(far, size - 1, axis=None)[:size]] = label
    return found


CHANGES: Mapping[str, _Change] = MappingProxyType(
    {
        "class-flip": flipped,
        "dilation": dilated,
        "erosion": eroded,
        "shift": shifted,
        "missed-object": with_missed_objects,
        "boundary-jitter": with_wrong_outlines,
        "blunder": blundered,
    }
)
"""The kinds that change a mask: mask, mm and chance to label values, shape (I, J, K)."""


def _labels(mask: Mask) -> list[int]:
    return [value for value in mask.values() if value]


def _some_objects(mask: Mask, rng: np.random.Generator) -> list[tuple[BoolArray, int]]:
    """Objects (voxels, label) that an error falls on: each with a chance of a half, one of them surely."""
    found = []
    for label in _labels(mask):
        numbered, count = ndimage.label(mask.array == label, structure=np.ones((3, 3, 3)))
        found += [(numbered == number + 1, label) for number in range(count)]
    if not found:
        return []
    sure = int(rng.integers(len(found)))
    return [one for n, (one, hit) in enumerate(zip(found, rng.random(len(found)) < 0.5, strict=True)) if hit or n == sure]
