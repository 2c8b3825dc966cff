"""Several applications in one process: what they share, and what not."""

from collections.abc import Callable
from pathlib import Path

from starlette.testclient import TestClient

from medloop.server.app import create_app
from tests.server.conftest import API, QUICK


def test_two_applications_of_a_process_serve_each_its_own_folder(serve_folder: Callable, folder: Path, tag_folder: Path) -> None:
    with serve_folder(folder) as one, serve_folder(tag_folder) as other:
        assert [site.get(f"{API}/projects").json()[0]["kind"] for site in (one, other, one)] == [
            "segmentation",
            "classification",
            "segmentation",
        ]


def test_an_application_made_later_shares_the_routes_and_its_page_comes_last(folder: Path, tag_folder: Path) -> None:
    one, other = create_app(folder, QUICK), create_app(tag_folder, QUICK)
    shared = [route for route in one.router.routes if any(route is theirs for theirs in other.router.routes)]
    assert len(shared) >= 20  # else FastAPI works out for each what every route takes
    for app in (one, other):
        with TestClient(app, base_url="http://127.0.0.1:8000") as client:
            assert client.get("/cases").headers["content-type"].startswith("text/html")
            assert client.get(f"{API}/health").headers["content-type"] == "application/json"
