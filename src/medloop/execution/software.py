"""Which software a process runs: two that differ in it do not work on the same tasks."""

import hashlib
import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from medloop.core.errors import ConflictError

COMPARED = ("numpy", "torch", "monai")
"""Libraries whose version decides numbers; builds for other devices of one version count as the same."""


@cache
def software() -> str:
    """Versions of medloop with a digest of its sources, of Python and of what decides numbers; read once per process."""
    python = ".".join(platform.python_version_tuple()[:2])
    libraries = [f"{name} {_version(name)}" for name in COMPARED]
    return ", ".join([f"medloop {_version('medloop')} ({_digest()})", f"Python {python}", *libraries])


def require_same(wanted: str) -> None:
    """Refuse to work for another version.

    Raises:
        ConflictError: This process runs other software than what is wanted.
    """
    if wanted != software():
        differ = [f"{here} where {there} is wanted" for here, there in zip(software().split(", "), wanted.split(", "), strict=False)]
        what = ", ".join(one for one, pair in zip(differ, _pairs(wanted), strict=False) if pair[0] != pair[1]) or software()
        remedy = "install the same version on every machine, and start the workers again"
        raise ConflictError(f"A worker on {platform.node()} is of another version: {what}", remedy=remedy)


def _pairs(wanted: str) -> list[tuple[str, str]]:
    return list(zip(software().split(", "), wanted.split(", "), strict=False))


def _version(name: str) -> str:
    try:
        return version(name).split("+")[0]
    except PackageNotFoundError:
        return "missing"


def _digest() -> str:
    folder, digest = Path(__file__).parents[1], hashlib.sha256()
    for file in sorted(folder.rglob("*.py")):
        digest.update(f"{file.relative_to(folder).as_posix()}\0".encode() + file.read_bytes())
    return digest.hexdigest()[:8]
