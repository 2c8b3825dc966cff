"""Third parties that write what they send and receive into logs and warnings, kept from it while they work.

dicomweb-client, urllib3 and retrying log addresses with the values that are looked for, pynetdicom whole data sets, and pydicom warns
with the value that it dislikes: all of that may be a patient's.
"""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

_LOGGERS = ("urllib3", "requests", "dicomweb_client", "pynetdicom", "pydicom", "retrying")
_SILENT = logging.CRITICAL + 1


def hush() -> None:
    """Silence their logs for good: they have nothing to say that medloop does not."""
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        logger.setLevel(_SILENT)
        for known in list(logging.root.manager.loggerDict):
            if known.startswith(f"{name}."):
                logging.getLogger(known).setLevel(logging.NOTSET)


@contextmanager
def unwarned() -> Iterator[None]:
    """Without warnings, whose texts quote values."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
