"""An HTTP session that reaches one server and no other: no redirect elsewhere, no proxy, no credentials from the machine's files."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter

from medloop.core.errors import ForbiddenError, FormatError, MedloopError, NotFoundError, SettingError, UnavailableError
from medloop.pacs.sites import Site

MOST_REPLY_BYTES = 256 << 20
"""Of a reply that is a list: 10,000 studies need some 20 MiB."""

_MOST_REDIRECTS = 3


class _Elsewhere(requests.RequestException):
    """A request that would leave the server."""


class _TooLong(requests.RequestException):
    """A reply beyond its bound."""


class _OneServer(HTTPAdapter):  # type: ignore[misc,unused-ignore]  # requests has no types
    """Sends to one scheme, host and port."""

    def __init__(self, site: Site) -> None:
        super().__init__(max_retries=0)
        self._origin = _origin(site.url)

    def send(self, request: Any, stream: bool = False, *more: Any, **how: Any) -> Any:
        """Send, if it stays with the server; a list that is too long is not read to its end."""
        if _origin(str(request.url)) != self._origin:
            raise _Elsewhere
        request.url = str(request.url).replace("%2A", "*")  # Orthanc takes the escaped wildcard literally, and finds nothing
        reply = super().send(request, True, *more, **how)
        if not stream:
            _read_bounded(reply)
        return reply


def _read_bounded(reply: Any) -> None:
    parts, total = [], 0
    for chunk in reply.iter_content(1 << 16):
        parts.append(chunk)
        total += len(chunk)
        if total > MOST_REPLY_BYTES:
            reply.close()
            raise _TooLong
    reply._content, reply._content_consumed = b"".join(parts), True  # what requests itself does where it does not stream


def _origin(url: str) -> tuple[str, str, int]:
    parts = urlsplit(url)
    return parts.scheme, (parts.hostname or "").lower(), parts.port or (443 if parts.scheme == "https" else 80)


def open_session(site: Site) -> Any:
    """A session for one server, signed in.

    Raises:
        SettingError: Its credentials cannot be had.
    """
    session = requests.Session()
    session.trust_env = False  # neither proxies nor ~/.netrc: nothing is contacted that is not listed
    session.max_redirects = _MOST_REDIRECTS
    session.mount("http://", _OneServer(site))
    session.mount("https://", _OneServer(site))
    session.verify = site.ca_file or True
    if token := site.secrets.token():
        session.headers["Authorization"] = f"Bearer {token}"
    elif site.secrets.user:
        session.auth = (site.secrets.user, site.secrets.password())
    return session


_STATUS: Mapping[int, tuple[type[MedloopError], str, str]] = {
    401: (UnavailableError, "refuses the credentials", "check user and password of pacs.toml"),
    403: (ForbiddenError, "forbids this", "ask its administrator for the right"),
    404: (NotFoundError, "does not have that", "check the url of pacs.toml, and the query"),
    409: (UnavailableError, "refuses what was sent", "see its own log"),
    413: (UnavailableError, "finds that too large", "see its own log"),
}


@contextmanager
def speaking_to(site: Site) -> Iterator[None]:
    """Say in one line what went wrong; the errors of the client hold addresses with what was looked for, and are dropped.

    Raises:
        UnavailableError: No connection, wrong credentials, too slow, or an error of the server.
        ForbiddenError: Not allowed there.
        NotFoundError: Not there.
        SettingError: It leads elsewhere, or its certificate is not trusted.
        FormatError: A reply that is no DICOM.
    """
    try:
        yield
    except MedloopError:
        raise
    except Exception as error:
        # Whatever a client and a server may disagree on; the chain is cut because its texts may be a patient's.
        raise _translated(site, error) from None


def _translated(site: Site, error: Exception) -> MedloopError:
    server = f"The server {site.name}"
    if isinstance(error, requests.HTTPError):
        status = getattr(error.response, "status_code", 0)
        kind, says, remedy = _STATUS.get(status, (UnavailableError, "cannot do this now", "repeat it later"))
        return kind(f"{server} {says} ({status})", remedy=remedy)
    if isinstance(error, requests.exceptions.SSLError):
        return SettingError(
            f"{server} cannot be trusted: its certificate or its encryption does not fit", remedy="give its ca_file, or check https"
        )
    if isinstance(error, (_Elsewhere, requests.TooManyRedirects)):
        return SettingError(f"{server} sends to another address, which is not followed", remedy="give the address that it sends to as url")
    if isinstance(error, _TooLong):
        return UnavailableError(f"{server} lists more than {MOST_REPLY_BYTES >> 20} MiB", remedy="narrow the query")
    if isinstance(error, requests.Timeout):
        return UnavailableError(f"{server} does not reply within {site.timeout_seconds:g} seconds", remedy="repeat it later")
    if isinstance(error, (requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        return UnavailableError(f"{server} cannot be reached or broke off", remedy="check that it runs, then repeat")
    return FormatError(f"{server} replies with something that is no DICOM ({type(error).__name__})", remedy="check the url of pacs.toml")
