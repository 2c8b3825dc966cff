"""One image that arrives by itself, as its file's bytes: imported with the checks of every import, from a folder of its own."""

from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from medloop.core.errors import FormatError, InputError
from medloop.core.records import Case
from medloop.loop.data.importing import import_dataset
from medloop.loop.foundation.workspace import Workspace

LONGEST_NAME = 200


def take_image(workspace: Workspace, name: str, content: bytes, *, actor: str) -> Case:
    """Import an image without an annotation; one that is there already is not stored twice.

    Raises:
        InputError: A name that is no plain file name.
        FormatError: An import would leave it out; the message says why.
        StorageError: The project cannot write.
    """
    require_file_name(name)
    with TemporaryDirectory(prefix="medloop-arriving-") as folder:
        (Path(folder) / name).write_bytes(content)
        report = import_dataset(workspace, Path(folder), annotations="none", actor=actor)
    if report.refused or not (taken := (*report.added, *report.duplicates)):
        why = str(report.refused[0]) if report.refused else f"{name}: no image was found in it"
        raise FormatError(why)
    with workspace.store.read() as tx:
        return tx.find(Case, where={"name": taken[0]}, limit=1)[0]


def require_file_name(name: str) -> None:
    """Refuse what is no plain file name.

    Raises:
        InputError: Then.
    """
    plain = name.isprintable() and not set(name) & set("/\\:") and not name.startswith(".") and len(name.encode()) <= LONGEST_NAME
    if not plain or PurePosixPath(name).suffix == "":
        raise InputError(f"An image is sent with a plain file name such as scan7.nii.gz, got {name[:LONGEST_NAME]!r}")
