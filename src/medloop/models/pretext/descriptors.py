"""What a case looks like, in numbers that need neither a model nor training: for the first rounds of a project.

Per view of the thumbnail: histograms of gradient directions over a coarse grid (shape), and mean and spread of
the intensities over the same grid (where tissue lies); then the intensities' percentiles and the physical size.
The role is that of the ORB descriptors in MedAL; a dense histogram on a fixed grid is used because smooth medical
images give few corners, and because its length is the same for every case. Free of torch.

Sources: Dalal and Triggs 2005, doi:10.1109/CVPR.2005.177 (histograms of oriented gradients); Smailagic et al. 2018
(MedAL), arXiv:1809.09287, for describing cases before a model exists.
"""

import numpy as np
import numpy.typing as npt

from medloop.core.image import Image
from medloop.models.pretext.thumbnails import VIEWS, thumbnail

CELLS = 4
"""Cells per side of the grid over each view."""

DIRECTIONS = 8
"""Bins of the gradient's direction over half a turn: an edge and its negative count as one."""

PERCENTILES = (5, 25, 50, 75, 95)
LENGTH = VIEWS * CELLS**2 * (DIRECTIONS + 2) + len(PERCENTILES) + 3

Vector = npt.NDArray[np.float32]


def describe_image(image: Image) -> Vector:
    """The descriptor of one picture or volume with any number of channels, shape (LENGTH,).

    Unchanged when all intensities are scaled and shifted; a blank image has no gradients and only its size.
    """
    views = thumbnail(image)
    parts = [part for view in views for part in (gradient_histogram(view), _cell_statistics(view))]
    extents = np.array(image.grid.shape) * np.array(image.grid.spacing_mm)
    sizes = np.log(extents[[image.grid.world_axes.index(axis) for axis in range(3)]])  # left to right, back to front, bottom to top
    return np.concatenate([*parts, np.percentile(views, PERCENTILES), sizes]).astype(np.float32)


def gradient_histogram(view: npt.NDArray[np.float32]) -> Vector:
    """How strong the edges of each direction are in each cell of the grid.

    Args:
        view: Shape (side, side), the side a multiple of `CELLS`.

    Returns:
        Shape (CELLS² × DIRECTIONS,), cells row by row; of length 1, or 0 for a view without edges. Bin 0 are
        gradients along the first axis.
    """
    first, second = np.gradient(view.astype(np.float64))
    strength = np.hypot(first, second)
    place = np.arctan2(second, first) / np.pi * DIRECTIONS % DIRECTIONS
    lower = np.floor(place).astype(np.intp) % DIRECTIONS
    share = place - np.floor(place)
    along = np.arange(len(view)) * CELLS // len(view)
    cell = (along[:, None] * CELLS + along) * DIRECTIONS
    total = np.bincount((cell + lower).ravel(), (strength * (1 - share)).ravel(), CELLS**2 * DIRECTIONS)
    total += np.bincount((cell + (lower + 1) % DIRECTIONS).ravel(), (strength * share).ravel(), CELLS**2 * DIRECTIONS)
    length = float(np.linalg.norm(total))
    return (total / length if length > 0 else total).astype(np.float32)


def _cell_statistics(view: npt.NDArray[np.float32]) -> Vector:
    """Mean and standard deviation of each cell, shape (2 × CELLS²,), scaled to weigh about as much as the histogram."""
    size = len(view) // CELLS
    blocks = view.reshape(CELLS, size, CELLS, size)
    return np.concatenate([blocks.mean(axis=(1, 3)).ravel(), blocks.std(axis=(1, 3)).ravel()]).astype(np.float32) / np.float32(CELLS)
