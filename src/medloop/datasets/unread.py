"""Files of a source that its layout does not read: counted and named by folder and kind, so that none is lost in silence."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from medloop.core.names import counted
from medloop.datasets.dataset import Refusal
from medloop.datasets.files import Root, split_suffix

DICOM = "DICOM"
_DICOM_SUFFIXES = (".dcm", ".dicom", ".ima")
_VOLUMES = frozenset((".gipl", ".mgh", ".mgz", ".mnc", ".img", ".hdr", ".vtk", ".vti", ".npy", ".npz"))
_PICTURES = frozenset((".gif", ".webp", ".jp2", ".j2k", ".heic", ".avif", ".svs", ".ndpi", ".czi", ".lif"))
_OTHER_SUFFIXES = _VOLUMES | _PICTURES
"""Files that hold images we do not read; tables, texts and the like are no fault."""

_CONVERT = "convert them to .nii.gz or .png, or move them out"


def unread_files(root: Root, files: Iterable[Path], rule: str, remedy: str = "") -> list[Refusal]:
    """A line for each folder and kind of image among files that are not read.

    Args:
        root: The source.
        files: Those that no case of it has.
        rule: What the layout reads.
        remedy: For kinds that another import could read; others have to be converted.
    """
    counts = Counter((root.label(path.parent), kind) for path in files if (kind := _kind(path)))
    return [
        Refusal(
            "./" if place == "." else f"{place}/",
            f"{rule}, {counted(count, f'{kind} file')} here {'is' if count == 1 else 'are'} not read",
            "",
            _CONVERT if kind in _OTHER_SUFFIXES else remedy,
        )
        for (place, kind), count in counts.items()
    ]


def _kind(path: Path) -> str:
    """What an image file is; "" for what is none."""
    suffix = split_suffix(path.name)[1].lower() or path.suffix.lower()
    if suffix in _DICOM_SUFFIXES or (not suffix and _is_marked(path)):
        return DICOM
    return suffix if split_suffix(path.name)[1] or suffix in _OTHER_SUFFIXES else ""


def _is_marked(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            return stream.read(132)[128:] == b"DICM"
    except OSError:
        return False
