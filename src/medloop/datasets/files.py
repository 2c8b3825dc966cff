"""Files of a source folder, found safely: nothing outside the folder is ever named, listed or followed."""

import os
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from medloop.core.errors import FormatError, NotFoundError, StorageError
from medloop.core.names import composed
from medloop.datasets.dataset import Refusal
from medloop.images.files import stays_within

_VOLUME_SUFFIXES = (".nii.gz", ".nii", ".seg.nrrd", ".nrrd", ".nhdr", ".mha", ".mhd")
IMAGE_SUFFIXES = (*_VOLUME_SUFFIXES, ".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")
_DETACHED = (".raw", ".zraw", ".raw.gz")
"""Voxels of a header of the same name beside them (`a.mhd`, `a.raw`): read with it."""
MAX_LIST_BYTES = 64 * 1024 * 1024
"""Largest dataset.json or CSV accepted: a million entries of 60 characters fit."""
MAX_NAME = 200
SIDECAR = "medloop.csv"
"""Table that our exports put beside layouts which know no patients, splits or authors; an import reads it back."""

LINK_RULE = "a link must not lead out of the source's folder, or of the git-annex store it belongs to"
LINK_REMEDY = "copy the file, or import the folder that holds both"


@dataclass(frozen=True)
class Root:
    """A source folder.

    Attributes:
        folder: With symbolic links resolved.
    """

    folder: Path
    _spellings: dict[Path, dict[str, str]] = field(default_factory=dict, repr=False, compare=False)

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

    def find(self, path: Path) -> Path | None:
        """The file of that name within the root, also where the disk spells it another way (macOS takes accents apart)."""
        if self.has(path):
            return path
        other = self._as_on_disk(path)
        return other if other is not None and self.has(other) else None

    def _as_on_disk(self, path: Path) -> Path | None:
        place = self.folder
        for part in path.relative_to(self.folder).parts if path.is_relative_to(self.folder) else ():
            spelled = self._spelling(place).get(composed(part))
            if spelled is None:
                return None
            place = place / spelled
        return place

    def _spelling(self, place: Path) -> dict[str, str]:
        """Composed name → name on disk; each folder is listed once."""
        if place not in self._spellings:
            try:
                self._spellings[place] = {composed(path.name): path.name for path in place.iterdir()} if self.holds(place) else {}
            except OSError:
                self._spellings[place] = {}
        return self._spellings[place]

    def files(self, under: str = ".") -> list[Path]:
        """Visible files below a folder of the root, sorted; hidden ones (macOS `._*` too) are skipped."""
        return self.walk(under)[0]

    def walk(self, under: str = ".") -> tuple[list[Path], list[Refusal]]:
        """The same, and a line for whatever there cannot be listed: unreadable folders, links to nowhere, linked folders, pipes."""
        start = self.folder / under
        if not start.is_dir():
            return [], []
        if not self.holds(start):
            return [], [Refusal(under, "a linked folder must not lead out of the source's folder", "", "copy it, or name it as the source")]
        found: list[Path] = []
        refused: list[Refusal] = []
        faults: list[OSError] = []
        for place, folders, names in os.walk(start, onerror=faults.append):
            here = Path(place)
            folders[:] = sorted(name for name in folders if not _hidden(name))
            links = [here / name for name in folders if (here / name).is_symlink()]
            refused += [Refusal(self.label(p), "a linked folder is not entered", "", "name the folder itself, or copy it") for p in links]
            for path in (here / name for name in sorted(names) if not _hidden(name)):
                fault = _unlisted(path)
                if fault is None:
                    found.append(path)
                else:
                    refused.append(Refusal(self.label(path), fault, "", "restore the file, or remove the entry"))
        places = [self.label(Path(str(e.filename)) if e.filename else self.folder) for e in faults]
        rules = [f"a folder must be readable: {e.strerror or e}" for e in faults]
        return sorted(found), [*(Refusal(p, r, "", "check its permissions") for p, r in zip(places, rules, strict=True)), *refused]

    def folder_named(self, *names: str) -> str | None:
        """The first of these sub-folders that exists, whatever its letter case."""
        return next(iter(self.folders_named(*names)), None)

    def folders_named(self, *names: str) -> list[str]:
        """Those of these sub-folders that exist, whatever their letter case, in the order of the names."""
        wanted = [n.lower() for n in names]
        present = sorted(p.name for p in self.folder.iterdir() if p.is_dir() and p.name.lower() in wanted)
        return sorted(present, key=lambda name: wanted.index(name.lower()))


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
    files, refused = root.walk(under)
    for path in files:
        if not root.holds(path):
            refused.append(Refusal(root.label(path), LINK_RULE, "", LINK_REMEDY))
        elif not split_suffix(path.name)[1]:
            if not _has_header(path):
                rule = "an image file ends in .nii, .nii.gz, .nrrd, .mha, .png, .jpg or .tif"
                refused.append(Refusal(root.label(path), rule, path.suffix or "no suffix"))
        else:
            found.append(path)
    return found, refused


def _has_header(path: Path) -> bool:
    """Whether a file is the voxels of a header beside it, which is what is listed."""
    stem = next((path.name.removesuffix(end) for end in _DETACHED if path.name.lower().endswith(end)), None)
    return stem is not None and any(path.with_name(stem + end).is_file() for end in (".mhd", ".nhdr"))


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


def _hidden(name: str) -> bool:
    return name.startswith(".") or name == "__MACOSX"


def _unlisted(path: Path) -> str | None:
    """Why an entry of a folder is no file to read; None when it is one."""
    try:
        if path.is_file():
            return None
        return "a link must lead to a file" if path.is_symlink() else "an image is a plain file, this is a pipe or a device"
    except OSError as error:
        return f"a file must be readable: {error.strerror or error}"
