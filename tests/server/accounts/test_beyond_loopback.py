"""Reached from elsewhere: only with accounts and encryption, and only what the proxy says is believed."""

import json
import socket
import ssl
import subprocess
import urllib.request
from contextlib import closing
from pathlib import Path

import pytest

from medloop.core.errors import ConflictError, SettingError, StorageError
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.people.accounts import add_account
from medloop.loop.people.places import holds_accounts_only, opened_accounts
from medloop.server.app import create_app
from medloop.server.web.folders import Projects, project_folders
from medloop.server.web.settings import ServerSettings

from ..conftest import QUICK, TestClient
from .conftest import PASSWORD, serve_town

PROXIED = ServerSettings(behind_proxy=True, names="medloop.example, m.example", worker=False, assistant=False)
ALONE = {"MEDLOOP_WORKER": "0", "MEDLOOP_ASSISTANT": "0"}


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for medloop.example, made here."""
    folder = tmp_path_factory.mktemp("tls")
    cert, key = folder / "cert.pem", folder / "key.pem"
    subject = ["-subj", "/CN=medloop.example", "-addext", "subjectAltName=DNS:medloop.example,IP:127.0.0.1"]
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", str(key), "-out", str(cert)]
    subprocess.run([*made, *subject], check=True, capture_output=True)
    return cert, key


@pytest.mark.parametrize(
    ("settings", "rule"),
    [
        ({"host": "0.0.0.0"}, "with accounts and encryption only"),
        ({"host": "::"}, "with accounts and encryption only"),
        ({"host": "0.0.0.0", "tls_cert": "c", "tls_key": "k"}, "under which name"),
        ({"behind_proxy": True}, "under which name"),
        ({"tls_cert": "c"}, "belong together"),
        ({"host": "example.org", "behind_proxy": True, "names": "a"}, "is an IP address"),
    ],
)
def test_what_could_be_reached_from_elsewhere_needs_encryption_and_a_name(settings: dict, rule: str) -> None:
    with pytest.raises(SettingError, match=rule):
        ServerSettings(**settings)


@pytest.mark.parametrize("settings", [PROXIED, ServerSettings(host="0.0.0.0", tls_cert="c", tls_key="k", names="a")])
def test_without_accounts_nothing_is_served_to_others(served: Path, settings: ServerSettings) -> None:
    with pytest.raises(SettingError, match="There are no accounts") as caught:
        create_app(served, settings)
    assert "medloop users add" in str(caught.value)
    Projects(served).close()  # nothing stayed locked


def test_an_empty_store_of_people_is_no_account(served: Path) -> None:
    opened_accounts(served, make=True).close()
    with pytest.raises(SettingError, match="There are no accounts"):
        create_app(served, PROXIED)
    with TestClient(create_app(served, QUICK), base_url="http://127.0.0.1") as client:
        assert client.get("/api/v1/me").json()["accounts"] is False


def test_a_served_process_refuses_in_one_line_and_needs_no_password_by_default(start, served: Path) -> None:
    server = start(served, **ALONE, MEDLOOP_HOST="0.0.0.0", MEDLOOP_BEHIND_PROXY="1", MEDLOOP_NAMES="medloop.example")
    message = server.process.communicate(timeout=60)[1]
    assert server.process.returncode == 1
    assert "There are no accounts" in message
    assert len(message.splitlines()) == 1


def test_with_accounts_and_a_certificate_it_is_reached_by_https(start, served: Path, certificate: tuple[Path, Path]) -> None:
    with closing(opened_accounts(served, make=True)) as store:
        add_account(store, "Ada", role="administrator")
    cert, key = map(str, certificate)
    server = start(served, **ALONE, MEDLOOP_HOST="0.0.0.0", MEDLOOP_TLS_CERT=cert, MEDLOOP_TLS_KEY=key, MEDLOOP_NAMES="medloop.example")
    assert server.url.startswith("https://0.0.0.0:")
    port = int(server.url.rpartition(":")[2].strip("/"))
    trusted = ssl.create_default_context(cafile=cert)
    with urllib.request.urlopen(f"https://127.0.0.1:{port}/api/v1/health", context=trusted, timeout=20) as answer:
        assert json.load(answer)["status"] == "ok"
    with socket.create_connection(("127.0.0.1", port), timeout=20) as plain:
        plain.sendall(b"GET /api/v1/health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert b"200" not in plain.recv(100)


def test_a_file_that_is_no_certificate_is_refused_in_one_line(start, served: Path, tmp_path: Path) -> None:
    with closing(opened_accounts(served, make=True)) as store:
        add_account(store, "Ada", role="administrator")
    wrong = tmp_path / "wrong.pem"
    wrong.write_text("no certificate")
    server = start(served, **ALONE, MEDLOOP_TLS_CERT=str(wrong), MEDLOOP_TLS_KEY=str(wrong))
    message = server.process.communicate(timeout=60)[1]
    assert "The TLS files cannot be used" in message
    assert len(message.splitlines()) == 1


def test_the_proxy_says_whence_a_try_comes_and_nobody_else_does(served: Path) -> None:
    with closing(opened_accounts(served, make=True)) as store:
        add_account(store, "Ada", role="administrator")
        for settings, believed in ((PROXIED, True), (QUICK, False)):
            for town in serve_town(served, store, settings):
                headers = {"Host": "m.example", "Origin": "https://m.example"} if believed else {}
                codes = [
                    town.nobody()
                    .post("/sign-in", {"name": f"n{n}", "password": "x"}, **headers, **{"X-Forwarded-For": f"6.6.6.6, 10.0.0.{n}"})
                    .status_code
                    for n in range(22)
                ]
                assert codes[-1] == (401 if believed else 429)


@pytest.mark.parametrize("origin", ["http://medloop.example", "https://evil.example", "https://medloop.example:444", "null"])
def test_behind_a_proxy_changes_come_from_its_own_https_page(served: Path, origin: str) -> None:
    with closing(opened_accounts(served, make=True)) as store:
        account = add_account(store, "Ada", role="administrator")
        for town in serve_town(served, store, PROXIED):
            town.with_password(account)
            body = {"name": "Ada", "password": PASSWORD}
            refused = town.nobody().post("/sign-in", body, Host="medloop.example", Origin=origin)
            assert (refused.status_code, refused.json()["error"]["code"]) == (403, "foreign_origin")


def test_accounts_are_turned_on_while_the_server_runs(served: Path) -> None:
    with TestClient(create_app(served, QUICK), base_url="http://127.0.0.1") as client:
        assert client.get("/api/v1/projects").status_code == 200
        with closing(opened_accounts(served, make=True)) as store:
            add_account(store, "Ada", role="administrator")
        assert client.get("/api/v1/projects").status_code == 401


def test_accounts_that_are_gone_open_nothing(served: Path) -> None:
    with closing(opened_accounts(served, make=True)) as store:
        account = add_account(store, "Ada", role="administrator")
        for town in serve_town(served, store):
            browser = town.browser(account)
            assert browser.get("/me").status_code == 200
            with store.database.writing() as connection:
                for table in ("sign_ins", "memberships", "accounts"):
                    connection.exec_driver_sql(f"DELETE FROM {table}")
            assert browser.get("/projects").status_code == 401
            assert town.nobody().get("/projects").status_code == 401


def test_the_folder_of_accounts_is_no_project(served: Path) -> None:
    opened_accounts(served, make=True).close()
    assert holds_accounts_only(served / "people")
    assert [one.name for one in project_folders(served)] == ["classification", "segmentation"]


def test_a_project_called_people_stays_a_project_and_holds_no_accounts_of_others(served: Path) -> None:
    (served / "segmentation").rename(served / "people")
    assert [one.name for one in project_folders(served)] == ["classification", "people"]
    with pytest.raises(ConflictError, match="is a project"):
        opened_accounts(served, make=True)


def test_a_project_served_alone_holds_its_own_accounts_and_is_left_out_of_a_folder(served: Path, caplog) -> None:
    alone = served / "segmentation"
    with closing(opened_accounts(alone, make=True)) as store:
        add_account(store, "Ada", role="administrator")
    with TestClient(create_app(alone, QUICK), base_url="http://127.0.0.1") as client:
        assert client.get("/api/v1/projects").status_code == 401
    with TestClient(create_app(served, QUICK), base_url="http://127.0.0.1") as client:
        assert [one["kind"] for one in client.get("/api/v1/projects").json()] == ["classification"]
    assert "has accounts of its own" in caplog.text
    with Workspace.open(alone) as workspace:
        assert workspace.project.name


def test_a_store_of_people_that_is_gone_is_said(served: Path) -> None:
    with closing(opened_accounts(served, make=True)) as store:
        add_account(store, "Ada", role="administrator")
        for town in serve_town(served, store):
            people = town.client.app.state.site.people
            people._own = None
            store.folder.rename(served / "elsewhere")
            with pytest.raises(StorageError, match="cannot be read"):
                people.store()
