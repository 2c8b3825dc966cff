"""Training a network that segments whatever is pointed at, so that a box works for a class nobody has labelled yet.

It is an interactive network of one foreground class. What stands for that class changes from case to case: each known label, random patches
of superpixels, and made-up shapes painted into the image. It proposes nothing without a prompt; `rehearsal_for_any_label` plays such users.

Source: superpixels as training labels from Wong et al. 2024, ScribblePrompt, arXiv:2312.07381, section 3.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from medloop.core.arrays import UNKNOWN, BoolArray
from medloop.core.errors import InputError
from medloop.core.image import Image, Mask
from medloop.core.seeds import generator
from medloop.interaction.interactive_network.rehearsal import Rehearsal
from medloop.models.foundation.normalise import normalise
from medloop.models.training.batches import TrainingCase

REGIONS = (20, 150)
"""Fewest and most superpixels an image is cut into."""

CONTRAST = (0.7, 2.5)
"""How much brighter or darker a painted shape is than what was there, in standard deviations."""


def cases_for_any_label(
    cases: Sequence[TrainingCase],
    *,
    labels: Sequence[int],
    seed: int,
    superpixels: int = 2,
    shapes: int = 1,
    regions: Mapping[int, Sequence[int]] = MappingProxyType({}),
) -> list[TrainingCase]:
    """One case per label, and some with superpixels and shapes, all with the mask value 1.

    Args:
        cases: Of a segmentation.
        labels: Values that may be learned from, in cases where they are annotated; all others are background.
        seed: Root of all chance.
        superpixels: Cases with superpixels made of each.
        shapes: Cases with painted shapes made of each.
        regions: Value of a label → its own and those of what lies inside it or is shared (`core.labels.nested_regions`); left out, its own.
    """
    made = []
    for case in cases:
        for label in (label for label in labels if not case.known or label in case.known):
            own = regions.get(label, (label,))
            made.append(TrainingCase(f"{case.id}/label-{label}", partial(_with_label, case, own), case.weight))
        for count, kind, make in ((superpixels, "superpixels", _with_superpixels), (shapes, "shape", _with_shape)):
            names = [f"{case.id}/{kind}-{number}" for number in range(count)]
            made += [TrainingCase(name, partial(make, case, seed, name), case.weight) for name in names]
    return made


def rehearsal_for_any_label() -> Rehearsal:
    """Users who always begin with a box or a click on an empty mask."""
    return Rehearsal(automatic=0.0, corrupted=0.1, boxed=0.6, blank=1.0)


def draw_superpixels(image: npt.NDArray[np.float32], rng: np.random.Generator) -> BoolArray:
    """One superpixel of a normalised image, shape (I, J, K), with some of its neighbours."""
    from skimage.segmentation import slic

    flat = image.shape[2] == 1
    grey = image[..., 0] if flat else image
    wanted = int(rng.integers(*REGIONS))
    numbers = slic(grey, n_segments=wanted, compactness=0.1, sigma=1.0, channel_axis=None, start_label=1)
    chosen: BoolArray = (numbers == rng.choice(np.unique(numbers))).reshape(image.shape)
    numbers = numbers.reshape(image.shape)
    for _ in range(int(rng.integers(0, 3))):
        beside = np.unique(numbers[ndimage.binary_dilation(chosen) & ~chosen])
        if len(beside):
            chosen = chosen | (numbers == rng.choice(beside))
    return chosen


def draw_shape(shape: tuple[int, ...], rng: np.random.Generator) -> BoolArray:
    """A bumpy ellipsoid of a tenth to a half of the sides of an image (I, J, K), wholly or partly within it."""
    sizes = np.array(shape)
    centre, radii = rng.uniform(0.2, 0.8, 3) * sizes, np.maximum(rng.uniform(0.08, 0.3, 3) * sizes, 2.0)
    axes = np.ogrid[tuple(slice(0, n) for n in shape)]
    far = sum(((a - c) / r) ** 2 for a, c, r, n in zip(axes, centre, radii, shape, strict=True) if n > 1)
    bumps = ndimage.gaussian_filter(rng.standard_normal(shape), [2.0 if n > 1 else 0 for n in shape])
    drawn: BoolArray = np.asarray(np.sqrt(far) + 0.3 * bumps / max(float(bumps.std()), 1e-9) < 1.0)
    return np.broadcast_to(drawn, shape)


def _loaded(case: TrainingCase) -> tuple[Image, Mask]:
    image, answer = case.load()
    if not isinstance(answer, Mask):
        raise InputError(f"{case.id}: a network for any label learns from masks, got a class")
    return image, answer


def _with_label(case: TrainingCase, values_of_label: Sequence[int]) -> tuple[Image, Mask]:
    image, answer = _loaded(case)
    values = np.where(answer.array == UNKNOWN, UNKNOWN, np.isin(answer.array, tuple(values_of_label))).astype(np.uint8)
    return image, Mask(values, answer.grid)


def _with_superpixels(case: TrainingCase, seed: int, name: str) -> tuple[Image, Mask]:
    image, answer = _loaded(case)
    return image, Mask(draw_superpixels(normalise(image.array)[0], generator(seed, name)).astype(np.uint8), answer.grid)


def _with_shape(case: TrainingCase, seed: int, name: str) -> tuple[Image, Mask]:
    (image, answer), rng = _loaded(case), generator(seed, name)
    drawn = draw_shape(answer.array.shape, rng)
    soft = ndimage.gaussian_filter(drawn.astype(np.float32), [0.7 if n > 1 else 0 for n in drawn.shape])
    shift = rng.choice((-1.0, 1.0), size=image.channels) * rng.uniform(*CONTRAST, size=image.channels)
    painted: npt.NDArray[Any] = normalise(image.array) + shift[:, None, None, None].astype(np.float32) * soft
    return Image(painted.astype(np.float32), image.grid), Mask(drawn.astype(np.uint8), answer.grid)
