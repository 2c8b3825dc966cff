"""One image or mask to one file: NIfTI for volumes, PNG for what came as a picture."""

from pathlib import Path

from medloop.core.image import Image, Mask
from medloop.core.records import Source
from medloop.datasets.png import encode_png
from medloop.images.nifti import write_image, write_mask
from medloop.images.raster import write_mask_png


def write_volume(path: Path, image: Image, source: Source) -> None:
    """Write intensities as NIfTI, with the header of a NIfTI source."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_image(path, image, source)


def write_labels(path: Path, mask: Mask, source: Source) -> None:
    """Write label values as NIfTI, with the affine of a NIfTI source bit for bit."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_mask(path, mask, source)


def is_picture(image: Image, source: Source) -> bool:
    """Whether an image came as a picture and a PNG holds it exactly."""
    grey = image.channels == 1 and image.array.dtype.name in ("uint8", "uint16")
    colour = image.channels == 3 and image.array.dtype.name == "uint8"
    return source.format == "raster" and image.grid.is_2d and (grey or colour)


def write_picture(path: Path, image: Image) -> None:
    """Write a picture as PNG, value for value; see `is_picture`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode_png(image.array[..., 0]))


def write_picture_labels(path: Path, mask: Mask) -> None:
    """Write label values as an 8-bit grey PNG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_mask_png(path, mask)


def pixel_mm(image: Image) -> str:
    """The pixel size of a flat picture for a table; "" for volumes, oblong pixels and the 1 mm of pictures without size."""
    wide, high, _ = image.grid.spacing_mm
    return f"{wide:.9g}" if image.grid.is_2d and wide == high and wide != 1.0 else ""
