"""Images as a recipe's networks read them: its channels, normalised intensities, its working grid."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from medloop.core.errors import ShapeError
from medloop.core.geometry import Shape3
from medloop.core.image import Image
from medloop.models.foundation.normalise import normalise
from medloop.models.foundation.plans import COLOURED, GREY, Spacing, common_channels
from medloop.models.foundation.recipes import Recipe
from medloop.models.foundation.resample import resample, working_shape, working_spacing


@dataclass(frozen=True, eq=False)
class FittedImage:
    """An image as networks read it.

    Attributes:
        image: With the recipe's channels, on its own grid.
        normalised: Its intensities normalised there, shape (channels, I, J, K), float32.
        array: The same on the working grid: what goes into a network.
        shape, spacing_mm: Of the working grid.
    """

    image: Image
    normalised: npt.NDArray[np.float32]
    array: npt.NDArray[np.float32]
    shape: Shape3
    spacing_mm: Spacing


def fit_for_networks(recipe: Recipe, image: Image, name: str = "image") -> FittedImage:
    """An image, named so in errors, as the networks of a recipe read it, in training and ever after.

    Raises:
        ShapeError: See `fit_image`.
    """
    image = fit_image(recipe, image, name)
    shape = working_shape(recipe, image.grid)
    normalised = normalise(image.array)
    return FittedImage(image, normalised, resample(normalised, shape), shape, working_spacing(image.grid, shape))


def fit_image(recipe: Recipe, image: Image, name: str) -> Image:
    """The image with the recipe's channels: a grey picture repeated in each colour, a coloured one averaged for a grey recipe.

    Raises:
        ShapeError: Other channels, or slices where the recipe is 2D; it names the image, the rule and what was found.
    """
    if recipe.dimension == 2 and not image.grid.is_2d:
        raise ShapeError(f"{name}: the recipe is for single slices, got {image.grid.shape[2]}", remedy="choose a 3D recipe")
    if image.channels == recipe.channels:
        return image
    if common_channels((image.channels, recipe.channels), dimension=recipe.dimension) is None:
        raise ShapeError(f"{name}: the recipe is for {recipe.channels} channels, got {image.channels}")
    if image.channels == GREY:
        return Image(np.repeat(image.array, COLOURED, axis=0), image.grid)
    return Image(image.array.mean(axis=0, keepdims=True, dtype=np.float32), image.grid)


def cut(array: npt.NDArray[Any], start: Sequence[int], shape: Sequence[int]) -> npt.NDArray[Any]:
    """Cut (channels, I, J, K) at `start`; what lies outside the array is 0."""
    inside = [slice(max(0, s), max(0, min(n, s + m))) for s, m, n in zip(start, shape, array.shape[1:], strict=True)]
    piece = np.asarray(array[(slice(None), *inside)])
    if piece.shape[1:] == tuple(shape):
        return np.array(piece)
    result = np.zeros((array.shape[0], *shape), dtype=array.dtype)
    target = [slice(i.start - s, i.stop - s) for i, s in zip(inside, start, strict=True)]
    result[(slice(None), *target)] = piece
    return result
