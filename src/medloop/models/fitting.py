"""Images as a recipe reads them: one dimension, one number of channels. Free of torch."""

import numpy as np

from medloop.core.errors import ShapeError
from medloop.core.image import Image
from medloop.models.plans import COLOURED, GREY, common_channels
from medloop.models.recipes import Recipe


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
