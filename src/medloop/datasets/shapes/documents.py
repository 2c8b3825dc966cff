"""Documents of shapes on pictures (JSON, XML), read within bounds, and the pictures that they name."""

import json
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, Literal, TypeAlias
from urllib.parse import unquote

from medloop.core.errors import FormatError, NotFoundError, StorageError
from medloop.core.names import composed, first_named, one_line
from medloop.datasets.dataset import Refusal
from medloop.datasets.files import Root, split_suffix
from medloop.images.files import read_start

DocumentFormat: TypeAlias = Literal["coco", "labelstudio", "cvat"]

MAX_DOCUMENT_BYTES = 128 * 1024 * 1024
"""Largest document that is read; read into memory it takes about ten times as much."""

_HEAD = 64 * 1024
_PLACES = ("", "images/")
_SHOWN = 80


def document_bytes(path: Path) -> bytes:
    """What a document holds.

    Raises:
        FormatError: Too large.
        StorageError: It cannot be read.
    """
    try:
        size = path.stat().st_size
        if size > MAX_DOCUMENT_BYTES:
            raise FormatError(f"{path.name}: a document has at most {MAX_DOCUMENT_BYTES} bytes, got {size}", remedy="export it in parts")
        return path.read_bytes()
    except OSError as error:
        raise StorageError(f"{path.name}: cannot be read: {error.strerror}", remedy="check that it exists and may be read") from error


def document_text(path: Path) -> str:
    """The text of a document.

    Raises:
        FormatError: Too large, or not UTF-8.
        StorageError: It cannot be read.
    """
    try:
        return document_bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FormatError(f"{path.name}: must be UTF-8 text, byte {error.start} is not", remedy="save it as UTF-8") from None


def read_json(path: Path) -> Any:
    """A JSON document.

    Raises:
        FormatError: Too large, or not JSON.
        StorageError: It cannot be read.
    """
    try:
        return json.loads(document_text(path))
    except (ValueError, RecursionError) as error:
        if isinstance(error, FormatError):
            raise
        reason = one_line(str(error))[:_SHOWN]
        raise FormatError(f"{path.name}: must be valid JSON ({reason})", remedy="export it again") from None


def documents_in(folder: Path) -> dict[Path, DocumentFormat]:
    """The documents of shapes in a folder, and in `annotations/` within it, by what they look like."""
    root = Root.of(folder)
    places = [root.folder, *(root.folder / name for name in root.folders_named("annotations"))]
    paths = sorted(path for place in places for path in place.iterdir() if path.suffix.lower() in (".json", ".xml"))
    return {path: kind for path in paths if not path.name.startswith(".") and root.has(path) and (kind := kind_of(path))}


def kind_of(path: Path) -> DocumentFormat | None:
    """Which format a document looks to be in, by its first character and the names in it; None for any other file."""
    try:
        if path.stat().st_size > MAX_DOCUMENT_BYTES:
            return _kind(read_start(path, _HEAD), whole=False)
        return _kind(path.read_bytes(), whole=True)
    except OSError:
        return None


def _kind(data: bytes, *, whole: bool) -> DocumentFormat | None:
    start = data[:_HEAD].lstrip(b"\xef\xbb\xbf \t\r\n")
    if start.startswith(b"<"):
        return "cvat" if b"<annotations" in data[:_HEAD] else None
    if start.startswith(b"{"):
        names = (b'"images"', b'"annotations"', b'"categories"')
        return "coco" if (all if whole else any)(name in data for name in names) else None
    if start.startswith(b"["):
        return "labelstudio" if b'"data"' in data and (b'"annotations"' in data or b'"predictions"' in data) else None
    return None


def the_document(source: Path, kind: DocumentFormat) -> tuple[Root, Path]:
    """The document that a source means, and the folder that its pictures lie in.

    Raises:
        NotFoundError: Nothing there.
        FormatError: None of this kind in the folder, or several.
    """
    if not source.exists():
        raise NotFoundError(f"No such file or folder: {source}", remedy="check the path")
    if source.is_file():
        place = source.resolve().parent
        return Root.of(place.parent if place.name.lower() == "annotations" else place), source.resolve()
    found = [path for path, its in documents_in(source).items() if its == kind]
    if len(found) != 1:
        got = first_named([path.name for path in found]) if found else "none"
        raise FormatError(f"{source.name}: needs one document of the format {kind}, got {got}", remedy="name the document itself")
    return Root.of(source), found[0]


class Pictures:
    """The pictures of a source, found by what a document calls them; a name that could mean two pictures means none.

    Args:
        root: Where they lie.
        listed: For every entry of the document its name of the file, or several; a file whose name several entries have is only that
            entry's which names its folder.
    """

    def __init__(self, root: Root, listed: Iterable[str]) -> None:
        self.root = root
        self._listed = Counter(map(file_name, listed))
        files, self.refused = root.walk()
        self.files = [path for path in files if root.holds(path)]
        self._by_name: dict[str, list[Path]] = defaultdict(list)
        for path in (path for path in self.files if split_suffix(path.name)[1]):
            self._by_name[composed(path.name)].append(path)
        self.met: set[Path] = set()

    def find(self, entry: str, *spellings: str) -> Path | Refusal:
        """The picture at a path from the source or from `images/`, else the only one of that file name.

        Args:
            entry: As the document has it.
            spellings: What it may mean, where it is no path; () for itself.
        """
        refused: Refusal | None = None
        for spelled in spellings or (entry,):
            found = self._find(spelled) if spelled == entry or "/" in spelled else self._named(spelled)
            if isinstance(found, Path):
                self.met.add(found)
                return found
            refused = refused or found
        return refused or Refusal(repr(entry[:_SHOWN]), "a listed picture has a name")

    def _find(self, entry: str) -> Path | Refusal:
        for place in _PLACES:
            path = self.root.entry(place + entry)
            if isinstance(path, Refusal):
                return path
            if found := self.root.find(path):
                return found
        return self._named(entry)

    def _named(self, entry: str) -> Path | Refusal:
        name = file_name(entry)
        named = self._by_name.get(name, [])
        if len(named) == 1 and self._listed[name] < 2:
            return named[0]
        if len(named) == 1:
            rule = f"a listed picture is found by its folder where several have its name, {self._listed[name]} have"
            return Refusal(entry[:_SHOWN], rule, self.root.label(named[0]), "restore it in that folder, or drop the entry")
        if named:
            shown = first_named([self.root.label(path) for path in named])
            return Refusal(entry[:_SHOWN], "a listed picture is one file, this name could mean several", shown, "write it with its folder")
        return Refusal(entry[:_SHOWN], "a listed picture must exist", "nothing there", "restore it, or drop the entry")

    def unlisted(self) -> list[Path]:
        """Pictures that nobody has asked for."""
        return [path for path in self.files if path not in self.met]


def file_name(entry: str) -> str:
    """The last part of a path, however its folders are written."""
    return composed(PurePosixPath(entry.strip().replace("\\", "/")).name)


def number(given: Any) -> float:
    """A finite number; NaN for anything else."""
    if isinstance(given, bool) or not isinstance(given, int | float):
        return math.nan
    try:
        return float(given)
    except OverflowError:
        return math.nan


def size_of(given: Mapping[str, Any], wide: str, high: str) -> tuple[int, int] | None:
    """Columns and rows where both are whole numbers above 0; None where they are not given so."""
    sizes = [given.get(wide), given.get(high)]
    whole = [one for one in sizes if isinstance(one, int) and not isinstance(one, bool) and one > 0]
    return (whole[0], whole[1]) if len(whole) == 2 else None


def text_of(given: Any) -> str:
    """A text or number as text, without blanks around it; "" for anything else."""
    return str(given).strip() if isinstance(given, str | int) and not isinstance(given, bool) else ""


def unquoted(entry: str) -> str:
    """A path of a web address: without its query, and with its escapes read."""
    return unquote(entry.split("?", 1)[0])
