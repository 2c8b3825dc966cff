"""The files of deploy/: linters pass them, they name what exists, and their commands work outside of a container."""

import dataclasses
import os
import re
import shlex
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
import tomllib
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from medloop.server.web.settings import ServerSettings

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
NAME = "medloop.test"


def _command(*words: str, **options) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, capture_output=True, text=True, timeout=120, **options)


def _exec_form(instruction: str) -> list[str]:
    found = re.search(rf"^{instruction} .*?(\[.*\])$", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)
    assert found
    return yaml.safe_load(found[1])


def test_the_dockerfile_passes_its_linter() -> None:
    done = _command(str(Path(sys.executable).with_name("hadolint")), str(DEPLOY / "Dockerfile"))
    assert done.returncode == 0, done.stdout


def test_the_dockerfile_copies_what_the_build_needs_and_installs_extras_that_exist() -> None:
    text = (DEPLOY / "Dockerfile").read_text()
    copied = [word for line in re.findall(r"^COPY (.*) \S+$", text, re.MULTILINE) for word in line.split()]
    kept = {line.removeprefix("!") for line in (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines() if line.startswith("!")}
    assert set(copied) == kept
    assert all((ROOT / name).exists() for name in copied)
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert set(re.search(r'"\.\[(.*)\]"', text)[1].split(",")) <= set(extras)


def test_compose_names_settings_volumes_and_secrets_that_exist_and_opens_one_port() -> None:
    made = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    services = made["services"]
    known = {f"MEDLOOP_{name.upper()}" for name in (field.name for field in dataclasses.fields(ServerSettings))}
    assert {name for name in services["medloop"]["environment"] if name.startswith("MEDLOOP_")} <= known
    assert set(re.findall(r"\b(MEDLOOP_\w+)=", (DEPLOY / "Dockerfile").read_text())) <= known
    named = [volume.split(":")[0] for service in services.values() for volume in service.get("volumes", [])]
    assert {name for name in named if re.fullmatch(r"\w+", name)} == set(made["volumes"])
    assert {secret for service in services.values() for secret in service.get("secrets", [])} == set(made["secrets"])
    assert [name for name, service in services.items() if "ports" in service] == ["proxy"]
    assert all(dependency in services for service in services.values() for dependency in service.get("depends_on", []))


@pytest.mark.parametrize("unit", ["medloop.service", "medloop-backup@.service", "medloop-backup@.timer"])
def test_systemd_accepts_the_units(unit: str, tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    program = str(Path(sys.executable).with_name("medloop"))
    for file in DEPLOY.glob("medloop*"):
        (tmp_path / file.name).write_text(file.read_text().replace("/opt/medloop/.venv/bin/medloop", program))
    name = unit.replace("@", "@liver")
    (tmp_path / name).write_text((tmp_path / unit).read_text())
    done = _command("systemd-analyze", "verify", "--man=no", "--recursive-errors=no", str(tmp_path / name))
    assert done.returncode == 0, done.stderr
    assert unit.split(".")[0].rstrip("@") not in done.stderr, done.stderr


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def _medloop(*words: str, **options) -> subprocess.CompletedProcess[str]:
    done = _command(sys.executable, "-m", "medloop", *words, **options)
    assert done.returncode == 0, done.stderr
    return done


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, int, int]]:
    """A folder served by the Dockerfile's command and settings behind a real nginx with deploy/nginx.conf: (folder, port, nginx port)."""
    if (nginx := shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")) is None:
        pytest.skip("nginx is not installed")
    folder, port, tls_port = tmp_path_factory.mktemp("deployed"), _free_port(), _free_port()
    (folder / "data").mkdir()
    _medloop("init", str(folder / "data/liver"), "--kind", "segmentation", "--label", "liver")
    _medloop("users", "add", str(folder / "data"), "Mia", "--role", "administrator", "--password-stdin", input="correct horse battery\n")
    key, cert = folder / "key.pem", folder / "cert.pem"
    subject = ("-subj", f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME}")
    assert not _command(
        "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", str(key), "-out", str(cert), *subject
    ).returncode
    settings = dict(re.findall(r"\b(MEDLOOP_\w+)=(\S+)", (DEPLOY / "Dockerfile").read_text()))
    environment = {**os.environ, **settings, "MEDLOOP_HOST": "127.0.0.1", "MEDLOOP_PORT": str(port), "MEDLOOP_NAMES": NAME}
    environment |= {"MEDLOOP_WORKER": "no", "MEDLOOP_ASSISTANT": "no"}
    words = [*_exec_form("ENTRYPOINT"), *_exec_form("CMD")]
    assert words[0] == "medloop"
    server = [sys.executable, "-m", *(str(folder / "data") if word == "/data" else word for word in words)]
    conf = (DEPLOY / "nginx.conf").read_text().replace("medloop:8000", f"127.0.0.1:{port}").replace("8443", f"127.0.0.1:{tls_port}")
    conf = conf.replace("/etc/nginx/tls", str(folder)).replace("http {", f"http {{ access_log off; {_paths(folder)}")
    (folder / "nginx.conf").write_text(f"pid {folder}/nginx.pid;\nerror_log {folder}/error.log;\n{conf}")
    proxy = [nginx, "-c", str(folder / "nginx.conf"), "-p", str(folder), "-e", str(folder / "error.log"), "-g", "daemon off;"]
    with subprocess.Popen(server, env=environment) as serving, subprocess.Popen(proxy) as proxying:
        try:
            _wait_for(port, serving)
            _wait_for(tls_port, proxying)
            yield folder, port, tls_port
        finally:
            proxying.terminate()
            serving.terminate()


def _paths(folder: Path) -> str:
    return "".join(f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    """Until something listens; an ended process, or two minutes, is a failure."""
    end, pause = time.monotonic() + 120, threading.Event()
    while time.monotonic() < end and process.poll() is None:
        with socket.socket() as one:
            if one.connect_ex(("127.0.0.1", port)) == 0:
                return
        pause.wait(0.05)
    raise AssertionError(f"{process.args} does not listen on {port}")


def _through(folder: Path, port: int, path: str, **headers: str) -> tuple[int, bytes]:
    context = ssl.create_default_context(cafile=str(folder / "cert.pem"))
    with socket.create_connection(("127.0.0.1", port), timeout=30) as plain, context.wrap_socket(plain, server_hostname=NAME) as line:
        lines = [f"GET {path} HTTP/1.1", f"Host: {NAME}", "Connection: close", *(f"{name}: {value}" for name, value in headers.items())]
        line.sendall("\r\n".join([*lines, "", ""]).encode())
        got = b""
        while piece := line.recv(65536):
            got += piece
            if b"text/event-stream" in got and b"event:" in got:
                break
    return int(got.split()[1]), got


def test_the_health_check_of_the_image_passes_on_a_running_server(behind: tuple[Path, int, int]) -> None:
    words = [word.replace(":8000", f":{behind[1]}") for word in _exec_form("HEALTHCHECK")]
    assert words[0] == "python"
    assert _command(sys.executable, *words[1:]).returncode == 0
    dead = [word.replace(":8000", f":{_free_port()}") for word in _exec_form("HEALTHCHECK")]
    assert _command(sys.executable, *dead[1:]).returncode != 0


def test_through_the_proxy_the_page_opens_and_strangers_are_asked_to_sign_in(behind: tuple[Path, int, int]) -> None:
    folder, _, port = behind
    assert _through(folder, port, "/")[0] == 200
    assert _through(folder, port, "/api/v1/projects")[0] == 401


def test_live_news_come_through_the_proxy_at_once(behind: tuple[Path, int, int]) -> None:
    folder, _, port = behind
    made = _medloop("users", "tokens", "add", str(folder / "data"), "Mia", "news", "--scope", "all").stdout
    token = max(re.findall(r"\S{30,}", made), key=len)
    projects = _through(folder, port, "/api/v1/projects", Authorization=f"Bearer {token}")
    project = re.search(rb'"id":"([^"]+)"', projects[1])
    assert project, projects
    status, got = _through(folder, port, f"/api/v1/projects/{project[1].decode()}/stream", Authorization=f"Bearer {token}")
    assert status == 200
    assert b"event:" in got


def test_another_name_than_the_given_one_is_refused(behind: tuple[Path, int, int]) -> None:
    request = urllib.request.Request(f"http://127.0.0.1:{behind[1]}/api/v1/projects", headers={"Host": "evil.example"})
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=30)
    with refused.value as answer:
        assert answer.code in (400, 403, 421)


def test_the_backup_units_command_copies_a_project(tmp_path: Path) -> None:
    _medloop("init", str(tmp_path / "medloop/liver"), "--kind", "segmentation", "--label", "liver")
    line = re.search(r"^ExecStart=(.*)$", (DEPLOY / "medloop-backup@.service").read_text(), re.MULTILINE)[1]
    line = line.replace("%i", "liver").replace("%%", "%").replace("/opt/medloop/.venv/bin/medloop", f"{sys.executable} -m medloop")
    line = line.replace("/var/lib/", f"{tmp_path}/")
    (tmp_path / "medloop-backup").mkdir()
    done = _command(*shlex.split(line))
    assert done.returncode == 0, done.stderr
    assert [copy.name[:6] for copy in (tmp_path / "medloop-backup").iterdir()] == ["liver-"]
