"""An S3 server of its own as a process (moto's), for the tests that need one."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}


class S3Server:
    """A running server; `stop` and `start` keep the port, and lose what was stored."""

    def __init__(self, log: Path, **environment: str) -> None:
        self._log, self._environment = log, environment
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-W", "ignore", "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, **CREDENTIALS, **self._environment})
        for _ in range(300):
            try:
                httpx.get(self.url, timeout=5)
            except httpx.TransportError:
                if self._process.poll() is not None:
                    break
                time.sleep(0.1)
            else:
                return
        raise RuntimeError(self._log.read_text())

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()

    def make_bucket(self, name: str) -> str:
        assert httpx.put(f"{self.url}/{name}").status_code == 200
        return f"s3://{name}"

    def objects(self, bucket: str) -> list[str]:
        from xml.etree import ElementTree

        found = ElementTree.fromstring(httpx.get(f"{self.url}/{bucket}?list-type=2").text)  # of our own process
        return sorted(str(one.text) for one in found.iter() if one.tag.endswith("Key"))


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    pytest.importorskip("moto", reason="moto is not installed: pip install 'medloop[test]'")
    server = S3Server(tmp_path_factory.mktemp("s3") / "log")
    yield server
    server.stop()


@pytest.fixture
def bucket(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """The URL of a new bucket, which this process and its children reach."""
    reach(monkeypatch, s3_server.url)
    return s3_server.make_bucket(f"b{os.getpid()}-{abs(hash(tmp_path)) % 10**9}")


def reach(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    for name, value in {**CREDENTIALS, "AWS_ENDPOINT_URL": url}.items():
        monkeypatch.setenv(name, value)
