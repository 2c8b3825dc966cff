"""A refusal is said as one, also where the archive closes the connection in the same moment."""

import gc
import socket
import socketserver
import struct
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from medloop.core.errors import UnavailableError
from medloop.pacs.associations import associated
from medloop.pacs.sites import Site

pynetdicom = pytest.importorskip("pynetdicom")
TIMES = 150


@contextmanager
def refusing(source: int, reason: int) -> Iterator[Site]:
    """An archive that answers every request for an association with A-ASSOCIATE-RJ (PS3.8, 9.3.4) and closes at once."""

    class Refusing(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            head = self.request.recv(6, 0x100)  # all of it: what is left unread would reset the connection
            self.request.recv(struct.unpack(">BxI", head)[1], 0x100)
            self.request.sendall(struct.pack(">BxIxBBB", 3, 4, 1, source, reason))

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Refusing) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield Site(name="archive", host="127.0.0.1", port=server.server_address[1], title="OTHER", own_title="MEDLOOP")
        server.shutdown()


def refusal(site: Site) -> str:
    with (
        pytest.raises(UnavailableError) as refused,
        associated(site, [pynetdicom.presentation.build_context("1.2.840.10008.1.1")]),
    ):
        pass
    return str(refused.value)


def test_a_refusal_is_never_taken_for_a_lost_connection() -> None:
    with refusing(source=1, reason=7) as site:
        said = {refusal(site) for _ in range(TIMES)}
    assert said == {"The server archive refuses the association: Called AE title not recognised; check title and own_title of pacs.toml"}


@contextmanager
def resetting() -> Iterator[Site]:
    """An archive that resets every connection once the request for an association has come."""

    class Resetting(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(6, 0x100)
            self.request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Resetting) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield Site(name="archive", host="127.0.0.1", port=server.server_address[1], title="OTHER", own_title="MEDLOOP")
        server.shutdown()


def test_a_connection_that_the_archive_resets_leaves_no_open_socket() -> None:
    with warnings.catch_warnings(record=True) as warned, resetting() as site:
        warnings.simplefilter("always", ResourceWarning)
        said = {refusal(site) for _ in range(20)}
        gc.collect()
    assert [str(one.message) for one in warned if "unclosed" in str(one.message)] == []
    assert said == {"The server archive cannot be reached, or speaks no DICOM; check host, port and tls of pacs.toml"}
