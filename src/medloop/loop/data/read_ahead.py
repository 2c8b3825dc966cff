"""Reading the next image of an import while the one before is packed and stored: the decoders' process and this one work at once."""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from itertools import pairwise

from medloop.datasets.dataset import CaseSource
from medloop.datasets.joining import read_channels
from medloop.images.read import ReadImage, read_image

AHEAD_BYTES = 64 << 20
"""Of files at most that are read ahead: larger images are not held two at a time."""


class ReadAhead:
    """Images of cases that are taken in the order of a source; any other order works and reads nothing ahead."""

    def __init__(self, cases: Sequence[CaseSource]) -> None:
        self._next = {case.name: after for case, after in pairwise(cases)}
        self._thread = ThreadPoolExecutor(1, "medloop-read-ahead")
        self._ahead: tuple[str, Future[ReadImage]] | None = None

    def read(self, case: CaseSource) -> ReadImage:
        """A case's image, and begin with that of the next case.

        Raises:
            FormatError, GeometryError, NotFoundError: As `medloop.images.read.read_image`.
        """
        ahead, self._ahead = self._ahead, None
        found = ahead[1].result() if ahead is not None and ahead[0] == case.name else image_of(case)
        after = self._next.get(case.name)
        if after is not None and _bytes_of(after) <= AHEAD_BYTES:
            self._ahead = after.name, self._thread.submit(image_of, after)
        return found

    def close(self) -> None:
        """Read nothing more; waits for the image that is being read."""
        self._ahead = None
        self._thread.shutdown(cancel_futures=True)


def image_of(case: CaseSource) -> ReadImage:
    """Read a case's image: its files, or its channels brought onto one grid.

    Raises:
        FormatError, GeometryError, NotFoundError: As `medloop.images.read.read_image` and `medloop.datasets.joining.read_channels`.
    """
    if case.channels:
        return read_channels(case.channels, case.joining)
    return read_image(case.images[0] if len(case.images) == 1 else case.images)


def _bytes_of(case: CaseSource) -> int:
    """Of its files; those that cannot be looked at count nothing here, and are refused when they are read."""
    total = 0
    for path in case.images:
        with suppress(OSError):
            total += sum(one.stat().st_size for one in (path.rglob("*") if path.is_dir() else (path,)))
    return total
