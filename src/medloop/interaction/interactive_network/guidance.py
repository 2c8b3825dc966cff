"""Hints as channels that a guided network takes beside the image. Free of torch.

For C classes these are, in this order: the previous answer's foreground (C − 1),
nearness of hints for every class with background first (C), and the boxes of the foreground classes, filled (C − 1). A
negative hint for a label is a hint for background. Only the wanted window is computed, so the cost does not grow with the image.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from medloop.core.arrays import MaskArray
from medloop.core.geometry import Shape3, triple
from medloop.core.settings import PromptEncoding
from medloop.interaction.prompts import Box, ExtremePoints, Prompt, Voxel, exact_voxels
from medloop.interaction.regions import prompt_box

Spacing: TypeAlias = tuple[float, float, float]
Channels: TypeAlias = npt.NDArray[np.float32]
Places: TypeAlias = np.ndarray[Any, np.dtype[np.int64]]

RADIUS = 8.0
"""Reach of a hint, in voxels of the finest axis."""
DISC = 2.0
"""Radius of a disc, likewise."""
EDGE_COST = 4.0
"""How much farther a voxel seems where grey values change by one standard deviation, for geodesic distance."""
FEW = 64
"""Up to this many hinted voxels are drawn one by one; beyond, one distance transform is cheaper."""


@dataclass(frozen=True, eq=False)
class Window:
    """What a network looks at.

    Attributes:
        start, stop: First voxel, and one past the last, in the image.
        spacing_mm: Of the image.
        image: The image's first channel within the window, for geodesic distances; None for the others.
    """

    start: Voxel
    stop: Voxel
    spacing_mm: Spacing
    image: npt.NDArray[np.float32] | None = None

    @property
    def shape(self) -> Shape3:
        """Voxels per axis."""
        return triple(np.subtract(self.stop, self.start))


def guidance_channels(
    prompts: Sequence[Prompt], previous: MaskArray | None, window: Window, *, labels: Sequence[int], hints: PromptEncoding = "euclidean"
) -> Channels:
    """All channels of a window, shape (3 × labels + 1, I, J, K), values 0..1.

    Args:
        prompts: In force, in the image's voxels; those outside the window are left out.
        previous: The previous answer within the window; None for none.
        window: What the network looks at.
        labels: The label value of each foreground class in order.
        hints: How hints are drawn.
    """
    before = np.zeros((len(labels), *window.shape), dtype=np.float32)
    if previous is not None:
        before[:] = [previous == label for label in labels]
    near = [nearness(places, window, hints) for places in prompt_places(prompts, window, labels=labels).values()]
    return np.concatenate([before, np.stack(near), box_channels(prompts, window, labels=labels)])


def prompt_places(prompts: Sequence[Prompt], window: Window, *, labels: Sequence[int]) -> Mapping[int, Places]:
    """Voxels within the window, counted from its start, that prompts hint at, for background (0) and each label; later prompts win."""
    said: dict[tuple[int, ...], int] = {}
    sizes = np.array(window.shape)
    for prompt in prompts:
        meant = prompt.label if getattr(prompt, "positive", True) else 0
        places = exact_voxels(prompt, window.stop) - np.array(window.start)
        inside = ((places >= 0) & (places < sizes)).all(axis=1)
        said |= {tuple(place): meant for place in places[inside].tolist()}
    return {value: np.array([p for p, v in said.items() if v == value], dtype=np.int64).reshape(-1, 3) for value in (0, *labels)}


def nearness(places: Places, window: Window, hints: PromptEncoding) -> npt.NDArray[np.float32]:
    """1 at places (n, 3) counted from the window's start, falling to 0 at `RADIUS`; or 1 within discs of radius `DISC`."""
    if not len(places):
        return np.zeros(window.shape, dtype=np.float32)
    if hints == "geodesic" and window.image is not None:
        return _geodesic(places, window.image, window.spacing_mm)
    radius = DISC if hints == "discs" else RADIUS
    distance = distances_to(places, window, radius=radius)
    if hints == "discs":
        return (distance <= radius).astype(np.float32)
    return np.maximum(0.0, 1.0 - distance / radius).astype(np.float32)


def distances_to(places: Places, window: Window, *, radius: float = RADIUS) -> npt.NDArray[np.float64]:
    """Distance of every voxel to the nearest place in steps of the finest axis; beyond `radius` perhaps some larger number."""
    from scipy import ndimage

    steps = np.array(window.spacing_mm) / min(window.spacing_mm)
    if len(places) <= FEW:
        return _few_distances(places, window.shape, steps, radius)
    away = np.ones(window.shape, dtype=bool)
    away[tuple(places.T)] = False
    return np.asarray(ndimage.distance_transform_edt(away, sampling=steps), dtype=np.float64)


def box_channels(prompts: Sequence[Prompt], window: Window, *, labels: Sequence[int]) -> Channels:
    """1 inside boxes, and the boxes of extreme points, shape (labels, I, J, K)."""
    drawn = np.zeros((len(labels), *window.shape), dtype=np.float32)
    for prompt in prompts:
        if isinstance(prompt, Box | ExtremePoints):
            box = prompt_box(prompt, window.stop)
            i, j, k = (slice(max(0, a - s), max(0, b - s)) for a, b, s in zip(*box, window.start, strict=True))
            drawn[labels.index(prompt.label), i, j, k] = 1.0
    return drawn


def _few_distances(places: Places, shape: Shape3, steps: npt.NDArray[np.float64], radius: float) -> npt.NDArray[np.float64]:
    """Distance to the nearest place, in steps of the finest axis; beyond `radius` some larger number."""
    squares = np.full(shape, (2 * radius) ** 2)
    reach = np.ceil(radius / steps).astype(int)
    for place in places:
        low, high = np.maximum(place - reach, 0), np.minimum(place + reach + 1, shape)
        axes = [((np.arange(a, b) - p) * s) ** 2 for a, b, p, s in zip(low, high, place, steps, strict=True)]
        ball = axes[0][:, None, None] + axes[1][None, :, None] + axes[2][None, None, :]
        part = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
        squares[part] = np.minimum(squares[part], ball)
    return np.asarray(np.sqrt(squares), dtype=np.float64)


def _geodesic(places: Places, image: npt.NDArray[np.float32], spacing_mm: Spacing) -> npt.NDArray[np.float32]:
    """As the Euclidean map, but edges of the image are far to cross.

    Source: Wang et al. 2018, DeepIGeoS, doi:10.1109/TPAMI.2018.2840695, for hints as geodesic maps.
    """
    from skimage.graph import MCP_Geometric

    steps = np.array(spacing_mm) / min(spacing_mm)
    reach = np.ceil(RADIUS / steps).astype(int)
    low, high = np.maximum(places.min(axis=0) - reach, 0), np.minimum(places.max(axis=0) + reach + 1, image.shape)
    near = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    paths, _ = MCP_Geometric(_crossing_costs(image[near], steps), sampling=tuple(steps.tolist())).find_costs((places - low).tolist())
    drawn = np.zeros(image.shape, dtype=np.float32)
    drawn[near] = np.maximum(0.0, 1.0 - np.minimum(paths, RADIUS) / RADIUS)
    return drawn


def _crossing_costs(image: npt.NDArray[np.float32], steps: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Cost per step of the finest axis: 1 where the image is flat."""
    slopes = [np.gradient(image, step, axis=axis) for axis, step in enumerate(steps) if image.shape[axis] > 1]
    costs: npt.NDArray[np.float64] = 1.0 + EDGE_COST * np.sqrt(np.sum(np.square(slopes), axis=0))
    return costs if slopes else np.ones(image.shape)
