"""Associations of DIMSE: opened with one archive, and accepted from named peers. Source: DICOM PS3.7, PS3.8."""

import socket
import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import pynetdicom
from pydicom.uid import (
    HTJ2K,
    JPEG2000,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)
from pynetdicom import AE, AllStoragePresentationContexts, _config, evt
from pynetdicom.pdu import A_ASSOCIATE_RJ

from medloop.core.errors import MedloopError, SettingError, UnavailableError
from medloop.pacs.quiet import hush
from medloop.pacs.sites import Site

SYNTAXES: list[Any] = [
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGLosslessSV1,
    JPEGLossless,
    JPEGLSLossless,
    JPEG2000Lossless,
    RLELossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLSNearLossless,
    JPEG2000,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    HTJ2K,
]
"""Transfer syntaxes that are taken: not the deflated one, whose size nobody knows before it is inflated."""

SUCCESS, OUT_OF_RESOURCES, CANNOT_UNDERSTAND, NOT_AUTHORISED = 0x0000, 0xA700, 0xC000, 0x0124
PENDING = (0xFF00, 0xFF01)
_MOST_CONTEXTS = 128
VERIFICATION = "1.2.840.10008.1.1"

Keep = Callable[[str, bytes], None]
"""Called with a SOP Instance UID and a file's bytes; what it raises is told to the sender as a failure."""


def storage_classes() -> list[str]:
    """SOP classes of what may be fetched: images first, then annotations, as many as an association can name beside one more."""
    known = [(str(one.abstract_syntax), pynetdicom.sop_class.uid_to_sop_class(str(one.abstract_syntax)).keyword) for one in ALL]
    wanted = ("Image", "Segmentation", "RTStructureSet", "LabelMap", "SR")
    ranked = sorted((next((n for n, word in enumerate(wanted) if word in name), len(wanted)), uid) for uid, name in known)
    return [uid for _, uid in ranked[: _MOST_CONTEXTS - 1]]


ALL = list(AllStoragePresentationContexts)


def entity(site: Site) -> AE:
    """Medloop as an application entity that calls an archive."""
    hush()
    _config.LOG_REQUEST_IDENTIFIERS = _config.LOG_RESPONSE_IDENTIFIERS = False
    made = AE(ae_title=site.own_title)
    made.connection_timeout = made.acse_timeout = made.dimse_timeout = made.network_timeout = site.timeout_seconds
    return made


@contextmanager
def associated(site: Site, contexts: Sequence[Any], *, roles: Sequence[Any] = (), on_store: Any = None) -> Iterator[Any]:
    """An association with an archive for these presentation contexts, released at the end and aborted by an error.

    Raises:
        UnavailableError: No connection, or the archive refuses the association.
        SettingError: Its certificate is not trusted.
    """
    refusals = list[Any]()
    handlers: list[Any] = [(evt.EVT_PDU_RECV, partial(_note_refusal, refusals)), *_closing()]
    handlers += [] if on_store is None else [(evt.EVT_C_STORE, on_store)]
    tls = (_tls(site), site.host) if site.tls else None
    made = entity(site).associate(
        site.host, site.port, contexts=list(contexts), ae_title=site.title, ext_neg=list(roles), tls_args=tls, evt_handlers=handlers
    )
    if not made.is_established:
        raise _refusal(site, refusals)
    try:
        yield made
    except BaseException:
        made.abort()
        raise
    made.release()


def _closing() -> list[Any]:
    """Handlers that close a connection's socket for good: pynetdicom leaves it open where the other side has reset it before."""
    opened: dict[int, Any] = {}

    def note(event: Any) -> None:
        opened[id(event.assoc)] = event.assoc.dul.socket.socket

    def close(event: Any) -> None:
        left = opened.pop(id(event.assoc), None)
        if left is not None:
            left.close()

    return [(evt.EVT_CONN_OPEN, note), (evt.EVT_CONN_CLOSE, close)]


def _note_refusal(refusals: list[Any], event: Any) -> None:
    """Keep what an archive says when it refuses: where it closes at once, the association itself may only know that it was closed."""
    if isinstance(event.pdu, A_ASSOCIATE_RJ):
        refusals.append(event.pdu)


def _refusal(site: Site, refusals: Sequence[Any]) -> MedloopError:
    if refusals:
        try:
            why = refusals[0].reason_str
        except (KeyError, ValueError):
            why = "for no reason that the standard names"
        return UnavailableError(f"The server {site.name} refuses the association: {why}", remedy="check title and own_title of pacs.toml")
    secure = ", or its certificate is not trusted" if site.tls else ", or speaks no DICOM"
    return UnavailableError(f"The server {site.name} cannot be reached{secure}", remedy="check host, port and tls of pacs.toml")


def _tls(site: Site) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=site.ca_file or None)
    except (OSError, ssl.SSLError):
        raise SettingError(f"The ca_file of {site.name} holds no certificate that can be read", remedy="give a file in PEM") from None


def storing(keep: Keep, allowed: Callable[[Any], bool] = lambda _event: True) -> Callable[[Any], int]:
    """What handles a C-STORE request: it is acknowledged when `keep` has returned, and never decoded here."""

    def handle(event: Any) -> int:
        if not allowed(event):
            return NOT_AUTHORISED
        try:
            keep(str(event.request.AffectedSOPInstanceUID), event.encoded_dataset())
        except (OSError, MemoryError):  # a StorageError is one, too
            return OUT_OF_RESOURCES
        except Exception:
            return CANNOT_UNDERSTAND  # whatever an object may break; the sender keeps it
        return SUCCESS

    return handle


@contextmanager
def receiving(title: str, callers: Sequence[str], address: tuple[str, int], handlers: Sequence[Any]) -> Iterator[Any]:
    """Accept associations from named callers to one title, in threads of their own, until the block ends.

    Raises:
        UnavailableError: The address cannot be listened at.
    """
    hush()
    _config.LOG_REQUEST_IDENTIFIERS = _config.LOG_RESPONSE_IDENTIFIERS = False
    ours = AE(ae_title=title)
    ours.require_called_aet, ours.require_calling_aet = True, list(callers)
    ours.add_supported_context(VERIFICATION)
    for one in ALL:
        ours.add_supported_context(str(one.abstract_syntax), SYNTAXES)
    ours.maximum_pdu_size = 1 << 17
    try:
        server: Any = ours.start_server(address, block=False, evt_handlers=[*handlers, *_closing()])
    except (OSError, socket.gaierror) as error:
        why = error.strerror or type(error).__name__
        raise UnavailableError(f"{address[0]}:{address[1]} cannot be listened at: {why}", remedy="choose another --port") from error
    try:
        yield server
    finally:
        server.shutdown()
