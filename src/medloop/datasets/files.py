"""Files of a source folder, found safely: nothing outside the folder is ever named, listed or followed."""

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from medloop.core.errors import FormatError, NotFoundError, StorageError
from medloop.datasets.dataset import Refusal
from medloop.images.files import stays_within

IMAGE_SUFFIXES = (".nii.gz", ".nii", ".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")
MAX_LIST_BYTES = 64 * 1024 * 1024
"""Largest dataset.json or CSV accepted: a million entries of 60 characters fit."""
MAX_NAME = 200


@dataclass(frozen=True)
class Root:
    """A source folder.

    Attributes:
        folder: With symbolic links resolved.
    """

    folder: Path

    @classmethod
    def of(cls, folder: Path) -> "Root":
        """The root at a folder.

        Raises:
            NotFoundError: It does not exist.
            FormatError: It is not a folder.
        """
        if not folder.exists():
            raise NotFoundError(f"No such folder: {folder}", remedy="check the path")
        if not folder.is_dir():
            raise FormatError(f"{folder.name}: a source in this layout is a folder, got a file", remedy="name its folder")
        return cls(folder.resolve())

    def label(self, path: Path) -> str:
        """The path as people see it: relative to the root."""
        return path.relative_to(self.folder).as_posix() if path.is_relative_to(self.folder) else path.name

    def holds(self, path: Path) -> bool:
        """Whether the path, with every symbolic link followed, lies within the root or the git-annex store it belongs to."""
        return stays_within(path, self.folder)

    def entry(self, text: str) -> Path | Refusal:
        """The path that a list in the source names, or why it is refused."""
        cleaned = text.strip().replace("\\", "/")
        if not cleaned or not cleaned.isprintable():
            return Refusal(repr(text[:80]), "a listed path must be printable and not empty")
        path = self.folder / PurePosixPath(cleaned)
        if ".." in PurePosixPath(cleaned).parts or not self.holds(path):
            return Refusal(cleaned, "a listed path must stay within the source's folder", cleaned, "move the file inside")
        return path

    def has(self, path: Path) -> bool:
        """Whether there is a file within the root; a name no file can have is none."""
        try:
            return path.is_file() and self.holds(path)
        except (OSError, ValueError):
            return False

    def files(self, under: str = ".") -> list[Path]:
        """Visible files below a folder of the root, sorted; hidden ones (macOS `._*` too) are skipped."""
        start = self.folder / under
        if not start.is_dir() or not self.holds(start):
            return []
        return sorted(p for p in start.rglob("*") if p.is_file() and not _hidden(p.relative_to(start)))

    def folder_named(self, *names: str) -> str | None:
        """The first of these sub-folders that exists, whatever its letter case."""
        present = {p.name.lower(): p.name for p in self.folder.iterdir() if p.is_dir()}
        return next((present[n.lower()] for n in names if n.lower() in present), None)


def split_suffix(name: str) -> tuple[str, str]:
    """A file name without and with its image suffix: `a.nii.gz` → (`a`, `.nii.gz`); ("name", "") for others."""
    lower = name.lower()
    for suffix in IMAGE_SUFFIXES:
        if lower.endswith(suffix) and len(name) > len(suffix):
            return name[: -len(suffix)], name[-len(suffix) :]
    return name, ""


def image_files(root: Root, under: str) -> tuple[list[Path], list[Refusal]]:
    """Image files below a folder, and a line for every file that is none or that leads out of the root."""
    found: list[Path] = []
    refused: list[Refusal] = []
    for path in root.files(under):
        if not root.holds(path):
            refused.append(Refusal(root.label(path), "a link must not lead out of the source's folder", "", "copy the file"))
        elif not split_suffix(path.name)[1]:
            refused.append(Refusal(root.label(path), "an image file ends in .nii, .nii.gz, .png, .jpg or .tif", path.suffix or "no suffix"))
        else:
            found.append(path)
    return found, refused


def name_refusal(file: str, name: str) -> Refusal | None:
    """Why a case cannot have this name; None when it can."""
    if not name or len(name) > MAX_NAME or not name.isprintable():
        return Refusal(file, f"a case's name has 1 to {MAX_NAME} printable characters", f"{len(name)}", "rename the file")
    return None


def read_list(path: Path) -> str:
    """The text of a dataset.json or CSV.

    Raises:
        FormatError: Too large, or not UTF-8 text.
        StorageError: It cannot be read.
    """
    try:
        size = path.stat().st_size
        if size > MAX_LIST_BYTES:
            raise FormatError(f"{path.name}: at most {MAX_LIST_BYTES} bytes, got {size}", remedy="split the data set")
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise StorageError(f"{path.name}: cannot be read: {error.strerror}", remedy="check that it exists and may be read") from error
    except UnicodeDecodeError as error:
        raise FormatError(f"{path.name}: must be UTF-8 text, byte {error.start} is not", remedy="save it as UTF-8") from None


def _hidden(relative: Path) -> bool:
    return any(part.startswith(".") or part == "__MACOSX" for part in relative.parts)
