"""The built page is served, and nothing else of the disk."""

from pathlib import Path

import pytest
from fastapi import FastAPI

from medloop.server.web.failures import install_failures
from medloop.server.web.pages import install_pages


@pytest.fixture
def client(client_of, tmp_path: Path):
    (tmp_path / "secret.txt").write_text("secret")
    page = tmp_path / "static"
    (page / "assets").mkdir(parents=True)
    (page / "index.html").write_text("<title>page</title>")
    (page / "assets" / "app-1a2b.js").write_text("run()")
    (page / "assets" / "link.txt").symlink_to(tmp_path / "secret.txt")
    app = FastAPI()
    install_failures(app)
    install_pages(app, page)
    return client_of(app)


def test_assets_are_sent_with_their_type_and_kept_for_ever(client) -> None:
    answer = client.get("/assets/app-1a2b.js")
    assert answer.text == "run()"
    assert answer.headers["content-type"].startswith("text/javascript")
    assert "immutable" in answer.headers["cache-control"]


@pytest.mark.parametrize("address", ["/", "/projects/project-1", "/projects/p/cases/c"])
def test_addresses_of_the_page_show_its_index_and_are_checked_every_time(client, address: str) -> None:
    answer = client.get(address)
    assert answer.text == "<title>page</title>"
    assert answer.headers["cache-control"] == "no-cache"


def test_a_known_tag_is_answered_without_the_bytes(client) -> None:
    tag = client.get("/").headers["etag"]
    assert client.get("/", headers={"If-None-Match": tag}).status_code == 304


def test_a_page_that_is_replaced_while_the_server_runs_stays_whole_until_it_starts_anew(client, tmp_path: Path) -> None:
    page = tmp_path / "static"
    (page / "assets" / "app-1a2b.js").rename(page / "assets" / "app-3c4d.js")
    (page / "index.html").write_text("<title>another page</title>")
    assert client.get("/").text == "<title>page</title>"
    assert client.get("/assets/app-1a2b.js").text == "run()"


@pytest.mark.parametrize(
    "address",
    [
        "/../secret.txt",
        "/assets/../../secret.txt",
        "/..%2fsecret.txt",
        "/%2e%2e/secret.txt",
        "/assets/..%5c..%5csecret.txt",
        "//etc/passwd",
        "/%2fetc%2fpasswd",
        "/assets/link.txt",
        "/assets/app-1a2b.js%00.txt",
        "/missing.js",
    ],
)
def test_nothing_outside_the_page_is_ever_sent(client, address: str) -> None:
    answer = client.get(address)
    assert "secret" not in answer.text
    assert "root:" not in answer.text
    assert answer.status_code == 404 or answer.text == "<title>page</title>"


@pytest.mark.parametrize("address", ["/api/v1/nothing", "/api/"])
def test_an_unknown_address_of_the_interface_is_not_a_page(client, address: str) -> None:
    answer = client.get(address)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


def test_without_a_built_page_a_notice_is_shown(client_of, tmp_path: Path) -> None:
    app = FastAPI()
    install_pages(app, tmp_path / "none")
    assert "has not been built" in client_of(app).get("/").text
