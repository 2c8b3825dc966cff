"""Probes: foreign hosts and origins, forms, endless and slow bodies, headers."""

import asyncio
from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from starlette.requests import Request

from medloop.server.web.failures import install_failures
from medloop.server.web.security import HEADERS, Gate, host_name
from medloop.server.web.settings import ServerSettings

SMALL = ServerSettings(max_json_mb=0.001, max_mask_mb=0.002, body_seconds=0.1, origins="http://localhost:5173, ")


@pytest.fixture
def app() -> FastAPI:
    app = FastAPI()
    install_failures(app)
    app.add_middleware(Gate, settings=SMALL)

    @app.get("/thing")
    def read() -> str:
        return "read"

    @app.post("/thing")
    async def change(request: Request) -> int:
        return len(await request.body())

    @app.get("/broken")
    def broken() -> None:
        raise RuntimeError

    return app


@pytest.fixture
def client(client_of, app: FastAPI):
    return client_of(app)


def code_of(answer) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:8000", "localhost:8000", "LOCALHOST", "[::1]:8000", "[::1]"])
def test_loopback_names_are_let_in(client, host: str) -> None:
    assert client.get("/thing", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "127.0.0.1.evil.example",
        "localhost@evil.example",
        "evil.example/127.0.0.1",
        "",
        "192.168.0.4:8000",
        "[::1",
        "0.0.0.0",
    ],
)
def test_any_other_host_name_is_refused(client, host: str) -> None:
    assert code_of(client.get("/thing", headers={"Host": host})) == (400, "unknown_host")


def test_a_forwarded_host_changes_nothing(client) -> None:
    headers = {"Host": "evil.example", "X-Forwarded-Host": "127.0.0.1", "Forwarded": "host=127.0.0.1"}
    assert client.get("/thing", headers=headers).status_code == 400


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://127.0.0.1:9999", "https://127.0.0.1:8000", "http://localhost:8000"]
)
def test_a_change_from_another_origin_is_refused(client, origin: str) -> None:
    assert code_of(client.post("/thing", json={}, headers={"Origin": origin})) == (403, "foreign_origin")


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_change_that_the_browser_calls_foreign_is_refused(client, site: str) -> None:
    assert client.post("/thing", json={}, headers={"Sec-Fetch-Site": site}).status_code == 403


@pytest.mark.parametrize(
    "headers", [{"Origin": "http://127.0.0.1:8000"}, {"Origin": "http://localhost:5173"}, {"Sec-Fetch-Site": "same-origin"}, {}]
)
def test_a_change_from_the_own_page_or_a_program_is_accepted(client, headers: dict[str, str]) -> None:
    assert client.post("/thing", json={}, headers=headers).status_code == 200


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "", "text/json"])
def test_content_types_that_a_form_can_send_are_refused(client, kind: str) -> None:
    answer = client.post("/thing", content=b'{"a": 1}', headers={"Content-Type": kind})
    assert code_of(answer) == (415, "unsupported_media_type")


def test_reading_from_elsewhere_gets_no_permission_to_see_the_answer(client) -> None:
    answer = client.get("/thing", headers={"Origin": "http://evil.example"})
    assert not [name for name in answer.headers if name.startswith("access-control")]
    assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"


@pytest.mark.parametrize(("kind", "limit"), [("application/json", 1000), ("application/octet-stream", 2000)])
def test_a_body_may_reach_its_limit_and_not_pass_it(client, kind: str, limit: int) -> None:
    headers = {"Content-Type": kind}
    assert client.post("/thing", content=b"x" * limit, headers=headers).json() == limit
    assert code_of(client.post("/thing", content=b"x" * (limit + 1), headers=headers)) == (413, "too_large")


def test_a_chunked_body_is_counted_as_it_comes(client) -> None:
    def endless() -> Iterator[bytes]:
        while True:
            yield b"x" * 500

    answer = client.post("/thing", content=_first(endless(), 10), headers={"Content-Type": "application/json"})
    assert code_of(answer) == (413, "too_large")


def _first(chunks: Iterator[bytes], count: int) -> Iterator[bytes]:
    return (next(chunks) for _ in range(count))


@pytest.mark.parametrize("length", ["-1", "1e3", "٣", "abc"])
def test_a_content_length_that_is_no_number_is_refused(client, length: str) -> None:
    headers = {"Content-Type": "application/json", "Content-Length": length.encode()}
    assert client.post("/thing", content=b"{}", headers=headers).status_code == 400


def test_an_absurd_content_length_is_refused_without_reading(client) -> None:
    headers = {"Content-Type": "application/json", "Content-Length": "9" * 400}
    assert client.post("/thing", content=b"{}", headers=headers).status_code == 413


def test_a_body_that_does_not_arrive_is_given_up_after_its_time(app: FastAPI) -> None:
    async def never() -> None:
        await asyncio.Event().wait()

    sent: list[dict] = []

    async def send(message: dict) -> None:
        sent.append(message)

    headers = [(b"host", b"localhost"), (b"content-type", b"application/json")]
    scope = {"type": "http", "method": "POST", "path": "/thing", "headers": headers, "query_string": b""}
    asyncio.run(app(scope, never, send))
    assert sent[0]["status"] == 408
    assert b"did not arrive within 0.1 s" in sent[1]["body"]


@pytest.mark.parametrize("address", ["/thing", "/nowhere", "/broken"])
def test_every_answer_carries_the_protecting_headers(client, address: str) -> None:
    headers = client.get(address).headers
    assert {name: headers.get(name) for name in HEADERS} == dict(HEADERS)


def test_refusals_carry_them_too(client) -> None:
    headers = client.get("/thing", headers={"Host": "evil.example"}).headers
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_the_policy_lets_nothing_run_from_elsewhere_or_inline() -> None:
    policy = HEADERS["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy


@pytest.mark.parametrize(("header", "name"), [("a:1", "a"), ("[::1]:80", "::1"), ("A.B", "a.b"), ("", ""), ("[", ""), ("a b", "")])
def test_host_names_are_read_without_their_port(header: str, name: str) -> None:
    assert host_name(header) == name
