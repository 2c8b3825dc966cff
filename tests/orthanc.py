"""A real Orthanc with its DICOMweb plug-in on loopback, for the tests of archives."""

import json
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
USER, PASSWORD = "reader", "correct-horse-7"


def free_port() -> int:
    """A port of loopback that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True)
class Orthanc:
    """A running server.

    Attributes:
        http, dicom: Its ports.
        auth: Name and password, where it wants them.
    """

    http: int
    dicom: int
    auth: tuple[str, str] | None = None

    @property
    def url(self) -> str:
        """Root of its own REST interface."""
        return f"http://127.0.0.1:{self.http}"

    def call(self, method: str, path: str, **how: object) -> httpx.Response:
        """Its own REST interface, past the code under test."""
        reply = httpx.request(method, f"{self.url}{path}", auth=self.auth, trust_env=False, timeout=60, **how)
        reply.raise_for_status()
        return reply

    def put(self, files: Sequence[Path]) -> None:
        """Store files."""
        for path in files:
            self.call("POST", "/instances", content=path.read_bytes())

    def empty(self) -> None:
        """Forget everything."""
        for patient in self.call("GET", "/patients").json():
            self.call("DELETE", f"/patients/{patient}")

    def file_of(self, sop_instance: str) -> bytes:
        """The stored bytes of an instance."""
        (found,) = self.call("POST", "/tools/lookup", content=sop_instance).json()
        return self.call("GET", f"{found['Path']}/file").content


@contextmanager
def orthanc(folder: Path, *, auth: tuple[str, str] | None = None, peers: dict[str, list[object]] | None = None) -> Iterator[Orthanc]:
    """A server whose index and files lie in a folder; `peers` are whom it can send to, as Orthanc writes them."""
    program = shutil.which("Orthanc") or "/usr/sbin/Orthanc"
    if not Path(program).exists() or not PLUGIN.exists():
        pytest.skip("Orthanc is not installed: install the packages 'orthanc' and 'orthanc-dicomweb'")
    made = Orthanc(free_port(), free_port(), auth)
    config = {
        "Name": "medloop-test",
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "storage"),
        "Plugins": [str(PLUGIN)],
        "HttpPort": made.http,
        "DicomPort": made.dicom,
        "DicomAet": "ORTHANC",
        "DicomCheckCalledAet": True,
        "DicomAlwaysAllowFind": True,
        "DicomAlwaysAllowGet": True,
        "DicomAlwaysAllowMove": True,
        "DicomModalities": peers or {},
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": auth is not None,
        "RegisteredUsers": dict([auth]) if auth else {},
        "HttpVerbose": False,
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
    }
    (folder / "orthanc.json").write_text(json.dumps(config))
    process = subprocess.Popen(
        [program, str(folder / "orthanc.json")], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=folder
    )
    drained = threading.Thread(target=lambda: [None for _ in process.stdout or ()], daemon=True)  # its pipe must not fill
    with process:
        try:
            _wait_until_started(process)
            drained.start()
            yield made
        finally:
            process.terminate()
            process.wait(30)
            if drained.is_alive():
                drained.join()


def _wait_until_started(process: "subprocess.Popen[str]") -> None:
    lines: list[str] = []
    assert process.stdout is not None
    for line in process.stdout:
        lines.append(line)
        if "Orthanc has started" in line:
            return
    raise AssertionError("Orthanc did not start: " + "".join(lines[-20:]))


@pytest.fixture(scope="session")
def running_orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    """One server for all tests of a run."""
    with orthanc(tmp_path_factory.mktemp("orthanc")) as made:
        yield made


def sites_text(server: Orthanc, *, more: str = "", hosts: str = '"127.0.0.1"') -> str:
    """A pacs.toml with this server over DICOMweb (`web`) and over DIMSE (`dimse`)."""
    return f"""
hosts = [{hosts}]

[servers.web]
url = "{server.url}/dicom-web"
{more}

[servers.dimse]
host = "127.0.0.1"
port = {server.dicom}
title = "ORTHANC"
own_title = "MEDLOOP"
"""


def write_sites(folder: Path, server: Orthanc, *, more: str = "", hosts: str = '"127.0.0.1"') -> Path:
    """`sites_text` as a file of a folder."""
    path = folder / "pacs.toml"
    path.write_text(sites_text(server, more=more, hosts=hosts))
    path.chmod(0o600)
    return path
