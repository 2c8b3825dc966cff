"""Small data sets of phantoms on disk, with their truth, for studies that take seconds."""

from pathlib import Path

from medloop.images.nifti import write_image, write_mask
from medloop.images.phantoms import phantom_2d, phantom_tags
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
        write_image(folder / f"{phantom.name}.nii.gz", phantom.image)
        lines.append(f"{phantom.name}.nii.gz,{('clear', 'lesion')[phantom.tag]},{phantom.patient}")
    (folder / "cases.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder / "cases.csv"


def small_design(dataset: Path, **changes: object) -> StudyDesign:
    """Two rounds: three cases, then two; six steps."""
    plain: dict[str, object] = {"strategies": ("random", "entropy"), "only": True, "seeds": (0,), "start": 3, "batch": 2, "rounds": 2}
    plain |= {"dataset": str(dataset), "steps": 6, "samples": 2}
    return StudyDesign(**{**plain, **changes})  # type: ignore[arg-type]
