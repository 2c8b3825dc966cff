"""Made-up pictures whose sharpness, contrast and noise vary as those of a device do."""

import numpy as np

from medloop.quality.acquisition.rule import Direction
from medloop.quality.acquisition.signs import SIGNS, image_signs

ONES = (1.0, 1.0, 1.0)
DIRECTIONS = {sign.name: Direction(sign.bad, sign.least) for sign in SIGNS}


def picture(number: int, *, size: int = 64) -> np.ndarray:
    """A bright, textured disc on a dark ground, shape (I, J), values 0 to 255."""
    from scipy import ndimage

    rng = np.random.default_rng(number)
    away = np.linalg.norm(np.indices((size, size)) - np.reshape(size / 2 + rng.uniform(-4, 4, 2), (2, 1, 1)), axis=0)
    disc = ndimage.gaussian_filter((away < size * rng.uniform(0.22, 0.3)).astype(float), 0.8)
    texture = ndimage.gaussian_filter(rng.normal(size=(size, size)), 0.8)
    shown = 20 + rng.uniform(110, 150) * disc * (1 + 0.6 * texture) + rng.uniform(2, 3) * rng.normal(size=(size, size))
    return np.clip(shown, 0, 255)


def as_image(plane: np.ndarray) -> np.ndarray:
    """Shape (1, I, J, 1), as stored."""
    return np.rint(np.clip(plane, 0, 255)).astype(np.uint8)[None, :, :, None]


def signs_of(plane: np.ndarray) -> dict[str, float]:
    return image_signs(as_image(plane), ONES)
