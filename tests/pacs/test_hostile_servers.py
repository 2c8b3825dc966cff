"""Servers that send pages, send elsewhere, send nothing, break off, or list without end."""

import json
import logging
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from medloop.core.errors import FormatError, MedloopError, SettingError, UnavailableError
from medloop.pacs import web_session
from medloop.pacs.archive import FoundSeries, PacsQuery
from medloop.pacs.connect import open_archive
from medloop.pacs.sites import Site

from ..orthanc import free_port

SECRET = "MUSTERMANN"


DEAF = {"0020000D": "1.2.1", "00100020": "4711 ", "00081030": "Abdomen", "00080020": "20260131", "00080061": "CT"}
FIXED = {
    "page": ("text/html", b"<html>Please sign in, MUSTERMANN</html>"),
    "lie": ("application/dicom+json", b"<html>MUSTERMANN</html>"),
    "object": ("application/dicom+json", b'{"PatientName": "MUSTERMANN"}'),
    "deaf": ("application/dicom+json", json.dumps([{tag: {"vr": "LO", "Value": [value]} for tag, value in DEAF.items()}]).encode()),
}


class Hostile(BaseHTTPRequestHandler):
    """Replies by the name of its service."""

    release = threading.Event()
    elsewhere = ""
    met: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.met.append(self.path)
        way = self.path.split("/")[1]
        if way in FIXED:
            self.reply(200, *FIXED[way])
        elif way == "elsewhere":
            self.send_response(302)
            self.send_header("Location", self.elsewhere)
            self.end_headers()
        elif way == "circle":
            self.send_response(302)
            self.send_header("Location", self.path)
            self.end_headers()
        elif way == "slow":
            self.release.wait(20)
        elif way == "broken":
            self.reply(200, "application/dicom+json", b"[", length=1000)
        elif way == "error":
            self.reply(500, "text/plain", b"MUSTERMANN has crashed")
        elif way == "many":
            one = [{"0020000D": {"vr": "UI", "Value": [f"1.2.{n}"]}} for n in range(10_001)]
            self.reply(200, "application/dicom+json", json.dumps(one).encode())

    def reply(self, status: int, kind: str, body: bytes, length: int | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(length or len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@contextmanager
def serving(kind: type[Hostile], context: ssl.SSLContext | None = None) -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), kind)
    server.daemon_threads = False  # its end waits for theirs
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def hostile() -> Iterator[tuple[type[Hostile], int]]:
    kind = type("Fresh", (Hostile,), {"release": threading.Event(), "met": []})
    with serving(kind) as port:
        yield kind, port
        kind.release.set()


def site(port: int, way: str, scheme: str = "http", ca_file: str = "") -> Site:
    url = f"{scheme}://127.0.0.1:{port}/{way}"
    return Site("archive", "127.0.0.1", port, url=url, timeout_seconds=0.5 if way == "slow" else 10, ca_file=ca_file)


@pytest.mark.parametrize(
    ("way", "kind", "says"),
    [
        ("page", FormatError, "replies with something that is no DICOM"),
        ("lie", FormatError, "replies with something that is no DICOM"),
        ("object", FormatError, "replies with something that is no DICOM"),
        ("slow", UnavailableError, "does not reply within 0.5 seconds"),
        ("broken", UnavailableError, "cannot be reached or broke off"),
        ("error", UnavailableError, r"cannot do this now \(500\)"),
        ("closed", UnavailableError, "cannot be reached or broke off"),
        ("circle", SettingError, "sends to another address"),
    ],
)
def test_what_is_no_reply_of_an_archive_is_said_in_one_line_without_a_patient(
    hostile: tuple[type[Hostile], int], way: str, kind: type[MedloopError], says: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    archive = open_archive(site(free_port() if way == "closed" else hostile[1], way))
    with pytest.raises(kind, match=says) as refused:
        archive.studies(PacsQuery(patient=SECRET))
    assert SECRET not in str(refused.value)
    assert SECRET not in caplog.text
    with pytest.raises(MedloopError) as refused:
        archive.fetch(FoundSeries("1.2", "1.3", "CT", "", 1), ["1.4"], lambda *_: None)
    assert SECRET not in str(refused.value)


def test_no_redirect_leads_to_another_server(hostile: tuple[type[Hostile], int]) -> None:
    kind, port = hostile
    other = type("Other", (Hostile,), {"met": []})
    with serving(other) as second:
        kind.elsewhere = f"http://127.0.0.1:{second}/many"
        with pytest.raises(SettingError, match="sends to another address, which is not followed"):
            open_archive(site(port, "elsewhere")).studies(PacsQuery(patient="x"))
        assert other.met == []


def test_no_proxy_of_the_environment_is_used(hostile: tuple[type[Hostile], int], monkeypatch: pytest.MonkeyPatch) -> None:
    other = type("Other", (Hostile,), {"met": []})
    with serving(other) as second:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{second}")
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{second}")
        monkeypatch.setenv("NO_PROXY", "")
        monkeypatch.setenv("no_proxy", "")
        assert open_archive(site(hostile[1], "many")).studies(PacsQuery(patient="x", limit=10)).more
        assert other.met == []


def test_ten_thousand_studies_are_cut_at_the_limit_and_said(hostile: tuple[type[Hostile], int], monkeypatch: pytest.MonkeyPatch) -> None:
    found = open_archive(site(hostile[1], "many")).studies(PacsQuery(patient="x", limit=100))
    assert (len(found.studies), found.more) == (100, True)
    monkeypatch.setattr(web_session, "MOST_REPLY_BYTES", 1 << 16)
    with pytest.raises(UnavailableError, match="lists more than"):
        open_archive(site(hostile[1], "many")).studies(PacsQuery(patient="x"))


@pytest.mark.parametrize(
    "wanted", [{"description": "Thorax*"}, {"patient": "4712"}, {"date": "2026-02-01.."}, {"modality": "MR"}, {"study": "1.2"}]
)
def test_a_server_that_passes_over_a_key_gives_nobody_elses_studies(hostile: tuple[type[Hostile], int], wanted: dict[str, str]) -> None:
    archive = open_archive(site(hostile[1], "deaf"))
    with pytest.raises(UnavailableError, match=r"do not match \(1 of 1\)"):
        archive.studies(PacsQuery(**wanted))
    fitting = PacsQuery(patient="47?1", description="abd*", date="2026-01-01..2026-01-31", modality="CT", study="1.2.1")
    assert len(archive.studies(fitting).studies) == 1


def certificate(folder: Path) -> Path:
    """A self-signed certificate of 127.0.0.1 with its key, as one file."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "archive")])
    start = datetime.now(UTC) - timedelta(days=1)
    import ipaddress

    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), start, start + timedelta(days=9))
    made = made.add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
    made = made.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    text = made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    text += key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "archive.pem").write_bytes(text)
    return folder / "archive.pem"


def test_a_certificate_is_trusted_only_when_it_is_named(tmp_path: Path) -> None:
    pem = certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    with serving(Hostile, context) as port:
        with pytest.raises(SettingError, match="cannot be trusted"):
            open_archive(site(port, "many", "https")).studies(PacsQuery(patient="x"))
        assert open_archive(site(port, "many", "https", str(pem))).studies(PacsQuery(patient="x")).more
