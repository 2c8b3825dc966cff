"""Work over the interface: what clients know is kept once, what cannot be is refused or cut, what they do not know stays unknown."""

import csv
import io

import pytest

from medloop.core.records import Effort

HOUR = 3600


@pytest.fixture
def open_url(site) -> str:
    """Address of an assignment that is open."""
    return f"{site.url}/assignments/{site.opened()['assignment']['id']}"


def session(name: str = "tab-1", **figures) -> dict:
    return {"session": name, **figures}


def kept(site) -> list[Effort]:
    with site.workspace.store.read() as tx:
        return tx.find(Effort)


@pytest.mark.usefixtures("an_hour_later")
def test_reports_of_one_session_count_once_and_sessions_add_up(site, open_url: str) -> None:
    def put(body: dict) -> float:
        return site.client.put(f"{open_url}/effort", json=body).json()["active_seconds"]

    assert put(session(active_seconds=60, strokes=2)) == 60
    assert put(session(active_seconds=60, strokes=2)) == 60
    assert put(session("tab-2", active_seconds=30)) == 90
    assert site.opened()["assignment"]["active_seconds"] == 90
    site.client.post(f"{open_url}/submit", json={"revision": 0, "effort": session("tab-2", active_seconds=45, slices_viewed=5, undos=1)})
    assert put(session("tab-2", active_seconds=45)) == 105  # a beacon that arrives after the submission
    (line,) = site.client.get(f"{site.url}/effort", params={"by": "round"}).json()
    assert (line["round"], line["annotator"], line["minutes"], line["strokes"], line["slices_viewed"]) == ("1", "local", 1.75, 2, 5)
    assert (line["prompts"], line["idle_minutes"]) == (None, None)


def test_more_seconds_than_passed_are_cut_and_the_line_says_so(site, open_url: str) -> None:
    answer = site.client.post(f"{open_url}/submit", json={"revision": 0, "effort": session(active_seconds=20 * HOUR)})
    assert answer.status_code == 200
    (line,) = site.client.get(f"{site.url}/effort", params={"by": "annotation"}).json()
    assert line["minutes"] < 1
    assert line["note"].startswith("72000.0 s were reported, ")


def test_a_client_that_measures_nothing_still_works(site, open_url: str) -> None:
    assert site.client.post(f"{open_url}/submit", json={"revision": 0}).status_code == 200
    assert kept(site) == []
    (line,) = site.client.get(f"{site.url}/effort").json()
    assert (line["annotations"], line["timed"], line["minutes"]) == (1, 0, None)


@pytest.mark.parametrize("figure", ["-1", "1e400", "NaN", "Infinity", "86401", '"12"x'])
@pytest.mark.parametrize("name", ["active_seconds", "strokes", "ago_seconds"])
def test_figures_that_cannot_be_are_refused_and_nothing_is_kept(site, open_url: str, name: str, figure: str) -> None:
    if (name, figure) in {("strokes", "86401"), ("ago_seconds", "86401")}:
        figure = "1e9"
    body = f'{{"session": "tab-1", "{name}": {figure}}}'
    answer = site.client.put(f"{open_url}/effort", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert "\n" not in answer.json()["error"]["message"]
    assert kept(site) == []


@pytest.mark.parametrize("name", ["", "a b", "x" * 81, "../x", "<b>"])
def test_a_session_needs_a_plain_name(site, open_url: str, name: str) -> None:
    assert site.client.put(f"{open_url}/effort", json=session(name, active_seconds=1)).status_code == 422


def test_submitting_twice_counts_once(site, open_url: str) -> None:
    body = {"revision": 0, "effort": session(active_seconds=1)}
    assert [site.client.post(f"{open_url}/submit", json=body).status_code for _ in range(2)] == [200, 409]
    assert [one.active_seconds for one in kept(site)] == [1]


@pytest.mark.parametrize("verb", ["skip", "flag"])
def test_a_case_without_an_annotation_took_its_time(site, open_url: str, verb: str) -> None:
    site.client.post(f"{open_url}/{verb}", json={"reason": "blurred", "effort": session(active_seconds=1.5, strokes=0)})
    (line,) = site.client.get(f"{site.url}/effort").json()
    assert (line["annotations"], line["minutes"], line["strokes"]) == (0, 1.5 / 60, 0)


def test_the_lines_come_as_a_file_for_a_spreadsheet(site, open_url: str) -> None:
    site.client.post(f"{open_url}/submit", json={"revision": 0, "effort": session(active_seconds=1.5)})
    answer = site.client.get(f"{site.url}/effort/csv", params={"by": "round"})
    assert answer.headers["content-disposition"] == 'attachment; filename="effort-by-round.csv"'
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    (row,) = csv.DictReader(io.StringIO(answer.text))
    assert (row["round"], row["annotator"], row["minutes"], row["undos"]) == ("1", "local", "0.025", "")
    assert site.client.get(f"{site.url}/effort", params={"by": "moon"}).status_code == 422


@pytest.mark.usefixtures("an_hour_later")
def test_a_rate_counts_from_now_on_unless_the_past_is_meant(site, open_url: str) -> None:
    def cost(rate: float | None = None, **more: bool) -> float:
        if rate is not None:
            site.client.patch(f"{site.url}/annotators", json={"annotator": "local", "cost_per_minute": rate, **more})
        return site.client.get(f"{site.url}/effort").json()[0]["cost"]

    site.client.put(f"{open_url}/effort", json=session(active_seconds=60))
    assert [cost(), cost(2), cost(5), cost(5, past=True)] == [1, 2, 2, 5]
