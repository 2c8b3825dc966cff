"""Small data sets of phantoms on disk, with their truth, for studies that take seconds."""

from pathlib import Path

from medloop.images.nifti import write_image, write_mask
from medloop.images.phantoms import phantom_2d, phantom_tags
from medloop.images.raster import write_image_png
from medloop.simulation.design import StudyDesign


def slices(folder: Path, count: int = 16, size: int = 32) -> Path:
    """`images/` and `labels/` with 2D phantoms as NIfTI."""
    for name in ("images", "labels"):
        (folder / name).mkdir(parents=True)
    for index in range(count):
        phantom = phantom_2d(index, seed=3, shape=(size, size))
        write_image(folder / "images" / f"{phantom.name}.nii.gz", phantom.image)
        write_mask(folder / "labels" / f"{phantom.name}.nii.gz", phantom.mask)
    return folder


def tagged(folder: Path, count: int = 16, size: int = 32) -> Path:
    """A CSV of pictures with classes."""
    folder.mkdir(parents=True)
    lines = ["image,label,patient"]
    for index in range(count):
        phantom = phantom_tags(index, seed=3, shape=(size, size))
        write_image_png(folder / f"{phantom.name}.png", phantom.image)
        lines.append(f"{phantom.name}.png,{('clear', 'lesion')[phantom.tag]},{phantom.patient}")
    (folder / "cases.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder / "cases.csv"


def small_design(dataset: Path, **changes: object) -> StudyDesign:
    """Three rounds of two cases and six steps."""
    plain: dict[str, object] = {
        "dataset": str(dataset), "strategies": ("random", "entropy"), "seeds": (0,), "start": 3, "batch": 2, "rounds": 3, "steps": 6, "samples": 2
    }  # fmt: skip
    return StudyDesign(**{**plain, **changes})  # type: ignore[arg-type]
