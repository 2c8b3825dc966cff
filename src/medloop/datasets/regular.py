"""Grids and headers that ITK, and so nnU-Net, reads as they are meant; others are named, and made regular on request.

ITK knows voxel axes at right angles only. A tilted gantry or a sheared affine it refuses, or, where a qform stands
beside the sform, reads as something else without a word. It takes voxel sizes from pixdim, whatever the sform says, and
knows no NIfTI-2. A header can be written anew without touching a voxel; sheared axes need resampling.

Source: ITK 5.4, itkNiftiImageIO.cxx (SetImageIOOrientationFromNIfTI); its limit for right angles was measured with
SimpleITK 2.5 (a cosine of 1e-4 is read, 3e-4 refused).
"""

import base64
from dataclasses import dataclass, replace
from typing import Any

import nibabel
import numpy as np

from medloop.core.arrays import Affine, FloatArray, ImageArray
from medloop.core.errors import GeometryError, InputError, ShapeError
from medloop.core.geometry import Grid
from medloop.core.image import Image, Mask
from medloop.core.records import Source
from medloop.datasets.resampling import EDGE, as_dtype, resampled

MAX_COSINE = 1e-4
"""Largest cosine between two voxel axes that ITK calls a right angle."""

MOST_VOXELS = 4.0
"""A regular grid around a sheared one may have so many times its voxels."""

_SIZE_SHARE = 1e-4
_FORM_SHARE = 1e-2
_NIFTI1 = 348
_UNITLESS, _MILLIMETRES = 0, 2


def is_sheared(grid: Grid) -> bool:
    """Whether two voxel axes are not at right angles."""
    return bool(_cosines(grid.affine).max() > MAX_COSINE)


def header_trouble(source: Source, grid: Grid) -> str:
    """Why ITK would not read a source's own NIfTI header as this grid, in words; "" when it does, or there is none."""
    if not source.nifti_header:
        return ""
    raw = base64.b64decode(source.nifti_header)
    if len(raw) != _NIFTI1:
        return "its header is NIfTI-2"
    kind: Any = nibabel.Nifti1Header
    fields: Any = kind(raw, endianness="<" if int.from_bytes(raw[:4], "little") == _NIFTI1 else ">", check=False)
    axes = min(int(fields["dim"][0]), 3)
    sizes = np.array(grid.spacing_mm)[:axes]
    stated = np.array(fields["pixdim"][1 : axes + 1], dtype=np.float64)
    if not bool((np.abs(stated - sizes) <= _SIZE_SHARE * sizes).all()):
        return "its header states other voxel sizes in pixdim than its affine has"
    if int(fields["xyzt_units"]) & 7 not in (_UNITLESS, _MILLIMETRES):
        return "its header has another unit of length than the millimetre"
    return _form_trouble(fields, grid)


@dataclass(frozen=True)
class Regular:
    """A case on a grid that ITK reads.

    Attributes:
        image: On it.
        mask: On it, None when there is none.
        source: Without a header of its own where a new one is to be written.
    """

    image: Image
    mask: Mask | None
    source: Source


def made_regular(name: str, image: Image, mask: Mask | None, source: Source) -> Regular:
    """A case with a plain header, and resampled where its axes are sheared: intensities linearly, labels to the nearest.

    The two axes nearest to a right angle keep their directions and all voxel sizes along them, so that the slices of
    a tilted gantry stay slices and move within their plane only.

    Args:
        name: The case's, for errors.
        image: Intensities.
        mask: Labels on the same grid.
        source: Where it came from.

    Raises:
        InputError: The axes lean so much that a regular grid around them would be mostly empty.
    """
    plain = replace(source, nifti_header="")
    if not is_sheared(image.grid):
        return Regular(image, mask, plain if header_trouble(source, image.grid) else source)
    grid = regular_grid(name, image.grid)
    channels = [resampled(channel, image.grid, grid, order=1, outside=float(channel.min())) for channel in image.array]
    array: ImageArray = np.stack([as_dtype(channel, image.array.dtype) for channel in channels])
    labels = None if mask is None else resampled(mask.array, image.grid, grid, order=0, outside=0.0).astype(np.uint8)
    return Regular(Image(array, grid), None if labels is None else Mask(labels, grid), plain)


def regular_grid(name: str, grid: Grid) -> Grid:
    """The smallest grid at right angles around a sheared one.

    Raises:
        InputError: It would be mostly empty.
    """
    axes = _order(grid.affine)
    directions, triangle = np.linalg.qr(grid.affine[:3, :3][:, axes])
    signs = np.sign(np.diag(triangle))
    directions, triangle = directions * signs, triangle * signs[:, None]
    spacing = np.diag(triangle)
    last = np.array(grid.shape, dtype=np.float64)[axes] - 1
    corners = triangle @ np.array([[a * last[0], b * last[1], c * last[2]] for a in (0, 1) for b in (0, 1) for c in (0, 1)]).T
    low, high = corners.min(axis=1), corners.max(axis=1)
    counts = np.ceil((high - low) / spacing - EDGE).astype(int) + 1
    if float(np.prod(counts.astype(float))) > MOST_VOXELS * grid.voxels + 64:
        raise InputError(
            f"{name}: its voxel axes lean too much for a regular grid", remedy="leave it out, or export it as nifti without one"
        )
    affine = np.eye(4)
    affine[:3, 3] = grid.affine[:3, 3] + directions @ low
    shape = [0, 0, 0]
    for place, axis in enumerate(axes):
        affine[:3, axis] = directions[:, place] * spacing[place]
        shape[axis] = int(counts[place])
    try:
        return Grid((shape[0], shape[1], shape[2]), affine)
    except (GeometryError, ShapeError) as error:
        raise InputError(f"{name}: no regular grid fits around it: {error.message}", remedy="export it as nifti without one") from error


def _order(affine: Affine) -> list[int]:
    """Voxel axes: the two nearest to a right angle first, the one that leans last; of equal ones the coarsest."""
    cosines = _cosines(affine)
    lengths = np.linalg.norm(affine[:3, :3], axis=0)
    third = min(range(3), key=lambda c: (round(float(cosines[(c + 1) % 3, (c + 2) % 3]), 6), -float(lengths[c])))
    return [axis for axis in range(3) if axis != third] + [third]


def _cosines(affine: Affine) -> FloatArray:
    unit = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    cosines: FloatArray = np.abs(unit.T @ unit - np.diag(np.sum(unit * unit, axis=0)))
    return cosines


def _form_trouble(fields: Any, grid: Grid) -> str:
    """Whether the form that ITK may prefer says something else than the affine in use."""
    forms = []
    try:
        if int(fields["sform_code"]) > 0:
            forms.append(np.asarray(fields.get_sform(), dtype=np.float64))
        if int(fields["qform_code"]) > 0:
            forms.append(np.asarray(fields.get_qform(), dtype=np.float64))
    except (nibabel.spatialimages.HeaderDataError, ValueError, ArithmeticError):
        return "its header has a qform that is no rotation"
    least = min(grid.spacing_mm)
    reach = np.array([[a, b, c, 1.0] for a in (0, grid.shape[0]) for b in (0, grid.shape[1]) for c in (0, grid.shape[2])])
    if any(float(np.abs((form - grid.affine) @ reach.T).max()) > _FORM_SHARE * least for form in forms):
        return "the qform and sform of its header disagree"
    return ""
