"""Augmentation: parameters are sampled first, then applied, so that a patch can be replayed exactly.

`sample_change` is the only place with randomness. `apply_change` cuts the patch out of a somewhat larger
window with a single interpolation for rotation, scaling, flips and elastic deformation together, so that no
empty corners appear and nothing is blurred twice.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor
from torch.nn import functional

from medloop.core.geometry import Shape3, triple
from medloop.models.foundation.plans import ANISOTROPY, Spacing
from medloop.models.foundation.recipes import Recipe

MARGIN = 1.3
"""Window over patch per axis: room for the usual rotations and scales."""

TURNED, ZOOMED, DEFORMED = 0.2, 0.25, 0.05
"""Shares of patches: most stay on their own voxels, because interpolated borders teach blurred borders."""

ROTATION_DEGREES = 15.0
SCALE = 0.2
ELASTIC_VOXELS = 2.0
ELASTIC_KNOTS = 4
"""Control points per axis of the elastic deformation; the patch moves smoothly between them."""

CURVE_KNOTS = 5
"""Points of a random curve over the grey values, linear between them: what is bright in one contrast is dark in another."""


@dataclass(frozen=True, eq=False)
class Change:
    """What happens to one patch.

    Attributes:
        flips: Whether each axis is mirrored.
        degrees: Rotation around each axis.
        scale: Zoom; above 1 shows more of the surroundings.
        elastic: Displacement in voxels at the knots, shape (3, knots, knots, knots), or None.
        contrast, brightness: Multiplied with, then added to the intensities (unit: standard deviations).
        curve: New values at equal distances over the range of the old ones, shape (knots,), or None.
        gamma: Exponent on the intensities scaled to 0..1; 1 keeps them.
        blur: Gaussian sigma in voxels, 0 for none.
        noise: Standard deviation of the noise, 0 for none; its values follow from `noise_seed`.
    """

    flips: tuple[bool, bool, bool] = (False, False, False)
    degrees: tuple[float, float, float] = (0.0, 0.0, 0.0)
    scale: float = 1.0
    elastic: npt.NDArray[np.float32] | None = None
    contrast: float = 1.0
    brightness: float = 0.0
    gamma: float = 1.0
    curve: npt.NDArray[np.float32] | None = None
    blur: float = 0.0
    noise: float = 0.0
    noise_seed: int = 0

    @property
    def moves(self) -> bool:
        """Whether voxels have to be interpolated."""
        return self.scale != 1.0 or self.elastic is not None or any(self.degrees)


@dataclass(frozen=True, eq=False)
class Views:
    """The same patches of unlabelled cases twice, both of shape (B, channels, spatial…), float32.

    Attributes:
        plain: As they are, moved alone.
        changed: With other intensities.
    """

    plain: Tensor
    changed: Tensor


def sample_change(recipe: Recipe, spacing_mm: Spacing, rng: np.random.Generator) -> Change:
    """Draw what happens to the next patch; a rotation never mixes axes of very different spacing."""
    strength = recipe.augmentation
    f0, f1, f2 = (bool(rng.random() < 0.5) and axis in recipe.flips and strength > 0 for axis in range(3))
    if strength == 0:
        return Change()

    def happens(share: float) -> bool:
        return bool(rng.random() < share * recipe.augmented)

    scale = float(np.exp(rng.uniform(-SCALE, SCALE) * strength)) if happens(ZOOMED) else 1.0
    elastic = None
    if happens(DEFORMED):
        elastic = rng.normal(0, ELASTIC_VOXELS / 2 * strength, size=(3, *[ELASTIC_KNOTS] * 3)).astype(np.float32)
        if recipe.dimension == 2:
            elastic[2] = 0
    return Change(
        flips=(f0, f1, f2),
        degrees=_sample_degrees(recipe, spacing_mm, rng, turn=happens(TURNED)),
        scale=scale,
        elastic=elastic,
        contrast=float(rng.uniform(1 - 0.25 * strength, 1 + 0.25 * strength)) if happens(0.3) else 1.0,
        brightness=float(rng.normal(0, 0.15 * strength)) if happens(0.3) else 0.0,
        gamma=float(np.exp(rng.uniform(-0.35, 0.35) * strength)) if happens(0.3) else 1.0,
        blur=float(rng.uniform(0.4, 1.0) * strength) if happens(0.1) else 0.0,
        noise=float(rng.uniform(0, 0.15) * strength) if happens(0.2) else 0.0,
        noise_seed=int(rng.integers(2**62)),
        curve=rng.uniform(0, 1, size=CURVE_KNOTS).astype(np.float32) if recipe.remapped and rng.random() < recipe.remapped else None,
    )


def _sample_degrees(recipe: Recipe, spacing_mm: Spacing, rng: np.random.Generator, *, turn: bool) -> tuple[float, float, float]:
    drawn = rng.uniform(-ROTATION_DEGREES, ROTATION_DEGREES, size=3) * recipe.augmentation
    allowed = [turn and _comparable(recipe, spacing_mm, axis) for axis in range(3)]
    a, b, c = (float(d) if ok else 0.0 for d, ok in zip(drawn, allowed, strict=True))
    return (a, b, c)


def _comparable(recipe: Recipe, spacing_mm: Spacing, axis: int) -> bool:
    """Whether the two axes that a rotation around `axis` mixes have comparable spacing."""
    if recipe.dimension == 2:
        return axis == 2
    others = [s for n, s in enumerate(spacing_mm) if n != axis]
    return max(others) <= ANISOTROPY * min(others)


def geometry_of(change: Change) -> Change:
    """The part of a change that moves voxels: what is no intensity moves as the image does and keeps its values."""
    return Change(flips=change.flips, degrees=change.degrees, scale=change.scale, elastic=change.elastic)


def intensities_of(recipe: Recipe, rng: np.random.Generator) -> Change:
    """Other intensities for a patch that stays where it is, each kind for more patches than `sample_change` gives it to."""
    strength = recipe.augmentation
    if strength == 0:
        return Change()
    return Change(
        contrast=float(np.exp(rng.uniform(-0.25, 0.25) * strength)),
        brightness=float(rng.normal(0, 0.15 * strength)),
        gamma=float(np.exp(rng.uniform(-0.35, 0.35) * strength)) if rng.random() < 0.5 else 1.0,
        blur=float(rng.uniform(0.4, 1.0) * strength) if rng.random() < 0.3 else 0.0,
        noise=float(rng.uniform(0, 0.15) * strength) if rng.random() < 0.5 else 0.0,
        noise_seed=int(rng.integers(2**62)),
    )


def window_shape(change: Change, patch: Shape3) -> Shape3:
    """The size of the window to cut for `apply_change`."""
    if not change.moves:
        return patch
    return triple(n if n == 1 else int(np.ceil(n * MARGIN / 2)) * 2 + n % 2 for n in patch)


def apply_change(
    change: Change, image: npt.NDArray[np.float32], mask: npt.NDArray[np.uint8] | None, *, patch: Shape3, spacing_mm: Spacing, classes: int
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.uint8] | None]:
    """Cut the changed patch out of its window.

    Args:
        change: From `sample_change`.
        image: Window (channels, I, J, K) of `window_shape`.
        mask: Window (I, J, K), values below `classes` or 255; or None.
        patch: Size of the result.
        spacing_mm: Of the window.
        classes: Number of mask values.
    """
    if change.moves:
        image, mask = _move(change, image, mask, patch, spacing_mm, classes)
    axes = tuple(axis for axis, flip in enumerate(change.flips) if flip)
    if axes:
        image = np.flip(image, tuple(a + 1 for a in axes))
        mask = None if mask is None else np.flip(mask, axes)
    return np.ascontiguousarray(_recolour(change, image)), None if mask is None else np.ascontiguousarray(mask)


def _move(
    change: Change, image: npt.NDArray[np.float32], mask: npt.NDArray[np.uint8] | None, patch: Shape3, spacing_mm: Spacing, classes: int
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.uint8] | None]:
    """Interpolate image and one-hot mask together; ignored voxels (255) are a class of their own meanwhile."""
    layers = [torch.from_numpy(np.array(image, order="C"))]
    if mask is not None:
        indices = np.minimum(mask, classes).astype(np.int64)
        layers.append(functional.one_hot(torch.from_numpy(indices), classes + 1).movedim(-1, 0).float())
    lattice = _lattice(change, patch, image.shape[1:], spacing_mm)
    moved = functional.grid_sample(torch.cat(layers)[None], lattice[None], mode="bilinear", align_corners=False)[0]
    channels = len(image)
    if mask is None:
        return moved.numpy(), None
    values = moved[channels:].argmax(0).numpy().astype(np.uint8)
    return moved[:channels].numpy(), np.where(values == classes, np.uint8(255), values)


def _lattice(change: Change, patch: Shape3, window: tuple[int, ...], spacing_mm: Spacing) -> Tensor:
    """Where each voxel of the patch looks in the window: (I, J, K, 3) in grid_sample's order K, J, I and range −1..1."""
    axes = [torch.arange(n, dtype=torch.float32) - (n - 1) / 2 for n in patch]
    offsets = torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1)
    spacing = np.array(spacing_mm)
    matrix = np.diag(1 / spacing) @ (_rotation(change.degrees) * change.scale) @ np.diag(spacing)
    offsets = offsets @ torch.from_numpy(matrix.T.astype(np.float32))
    if change.elastic is not None:
        field = functional.interpolate(torch.from_numpy(change.elastic)[None], size=list(patch), mode="trilinear", align_corners=True)
        offsets = offsets + field[0].movedim(0, -1)
    sizes = torch.tensor(window, dtype=torch.float32)
    return (offsets * 2 / sizes).flip(-1)


def _rotation(degrees: tuple[float, float, float]) -> npt.NDArray[np.float64]:
    matrix = np.eye(3)
    for axis, angle in enumerate(np.deg2rad(degrees)):
        a, b = (n for n in range(3) if n != axis)
        turn = np.eye(3)
        turn[a, a] = turn[b, b] = np.cos(angle)
        turn[a, b], turn[b, a] = -np.sin(angle), np.sin(angle)
        matrix = matrix @ turn
    return matrix


def _recolour(change: Change, image: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    if change.blur:
        image = np.stack([gaussian_filter(channel, [change.blur if n > 1 else 0 for n in channel.shape]) for channel in image])
    if change.curve is not None:
        image = _bend(image, change.curve)
    if change.gamma != 1.0:
        low, high = float(image.min()), float(image.max())
        image = ((image - low) / max(high - low, 1e-6)) ** np.float32(change.gamma) * (high - low) + low
    if change.contrast != 1.0 or change.brightness:
        image = image * np.float32(change.contrast) + np.float32(change.brightness)
    if change.noise:
        drawn = np.random.default_rng(change.noise_seed).standard_normal(image.shape, dtype=np.float32)
        image = image + np.float32(change.noise) * drawn
    return image


def _bend(image: npt.NDArray[np.float32], curve: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Grey values through the curve, then back to mean 0 and deviation 1 as every prepared image has."""
    knots = np.linspace(float(image.min()), float(image.max()), len(curve))
    bent = np.interp(image, knots, curve)
    result: npt.NDArray[np.float32] = ((bent - bent.mean()) / max(float(bent.std()), 1e-6)).astype(np.float32)
    return result
