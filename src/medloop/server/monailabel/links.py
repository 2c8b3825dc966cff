"""Links to one image: for a while, whoever has one fetches the file without a sign-in.

3D Slicer fetches a next sample's image by a downloader that sends no token (MONAI issue 6743), at an address that it makes from the
sample's id. So with accounts the id of a sample is the case's name and a random word, which opens `GET /datastore/image` for this one
image, in the name of whom the sample was handed to, until it ends. Everywhere else the word is cut off and opens nothing.
"""

import re
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from threading import Lock

from medloop.server.web.callers import Caller

SECONDS = 600.0
"""How long a link is open: a download begins at once."""

MOST = 10_000
_WORD = re.compile(r"~[A-Za-z0-9_-]{32}\Z")


class ImageLinks:
    """The links of a running server; they end with it.

    Args:
        clock: Seconds from any fixed moment.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._guard = Lock()
        self._given: OrderedDict[tuple[str, str], tuple[Caller, float]] = OrderedDict()

    def give(self, project: str, name: str, caller: Caller) -> str:
        """An id that opens an image, for a while."""
        made = f"{name}~{secrets.token_urlsafe(24)}"
        with self._guard:
            self._given[project, made] = (caller, self._clock() + SECONDS)
            while len(self._given) > MOST:
                self._given.popitem(last=False)
        return made

    def caller(self, project: str, image: str) -> Caller | None:
        """In whose name an id opens its image; None where it opens nothing, or nothing any more."""
        with self._guard:
            caller, until = self._given.get((project, image), (None, 0.0))
            if caller is not None and self._clock() >= until:
                del self._given[project, image]
                return None
        return caller


def plain_name(image: str) -> str:
    """An id without its word."""
    return _WORD.sub("", image)
