"""One image or mask to one file: NIfTI for volumes, PNG for what came as a picture."""

from pathlib import Path

from medloop.core.image import Image, Mask
from medloop.core.records import Source
from medloop.images.nifti import write_image, write_mask
from medloop.images.raster import write_mask_png, write_png


def draw(path: Path, shown: Image | Mask, source: Source) -> None:
    """Write intensities or label values, value for value, as the name says: PNG, or NIfTI with the header of a NIfTI source bit for bit."""
    path.parent.mkdir(parents=True, exist_ok=True)
    is_png = path.suffix == ".png"
    if isinstance(shown, Mask):
        write_mask_png(path, shown) if is_png else write_mask(path, shown, source)
    else:
        write_png(path, shown.array) if is_png else write_image(path, shown, source)


def natural_suffix(image: Image, source: Source) -> str:
    """How a file of an image ends in its natural format: ".png" where it came as a picture and a PNG holds it exactly."""
    grey = image.channels == 1 and image.array.dtype.name in ("uint8", "uint16")
    colour = image.channels == 3 and image.array.dtype.name == "uint8"
    return ".png" if source.format == "raster" and image.grid.is_2d and (grey or colour) else ".nii.gz"


def pixel_mm(image: Image) -> str:
    """The pixel size of a flat picture for a table; "" for volumes, oblong pixels and the 1 mm of pictures without size."""
    wide, high, _ = image.grid.spacing_mm
    return f"{wide:.9g}" if image.grid.is_2d and wide == high and wide != 1.0 else ""
