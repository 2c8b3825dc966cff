"""A team of five on many cases: what pages and steps read does not grow with the project, and they run on both databases."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from large_team import READINGS, SETTINGS, Cost, Team, counted, fill, served
from medloop.loop.foundation.workspace import Workspace

from ..postgres import empty_database

FEW, MANY = 200, 3000
ROUND = 600
"""Cases of which enough are left for a whole round."""


def made_team(folder: Path, cases: int, *, url: str | None = None, readers: int = 0) -> str:
    with Workspace.create(folder, name="team", kind="classification", labels=["no", "yes"], settings=SETTINGS, url=url) as workspace:
        return fill(workspace, cases, readers=readers)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def team(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Team]:
    url = request.getfixturevalue("postgres_url") if request.param == "postgres" else None
    if url is not None:
        empty_database(url)
    made_team(tmp_path / "p", FEW, url=url)
    with served(tmp_path / "p") as (found, _):
        yield found


def human(team: Team, case_id: str) -> list[dict[str, Any]]:
    return [one for one in team.get(f"/cases/{case_id}/readings")["readings"] if one["origin"] == "human"]


def test_reviewers_work_through_their_queue(team: Team) -> None:
    first, second, *_ = (line["case_id"] for line in team.get("/review"))
    assert len(human(team, first)) == READINGS
    standing = next(one for one in team.get(f"/cases/{first}/readings")["readings"] if one["standing"])
    looked = {"annotation_id": standing["annotation_id"], "readings": [one["annotation_id"] for one in human(team, first)]}
    team.post(f"/cases/{first}/approve", {**looked, "signed_as": "Rita Roe"}, "Rita")
    reading = human(team, second)[0]
    team.post(f"/cases/{second}/return", {"comment": "look again", "to": "Ben"}, "Rita")
    assert [line["returned_to"] for line in team.get("/review") if line["case_id"] == second] == ["Ben"]
    assert team.open_next("Ben")["case_id"] == second
    team.post(f"/cases/{second}/adjudicate", {"choices": [{"annotation_id": reading["annotation_id"]}], "comment": "so"}, "Rita")
    assert {first, second}.isdisjoint(line["case_id"] for line in team.get("/review"))
    assert [line["what"] for line in team.get(f"/cases/{second}/history")]
    team.post(f"/annotations/{reading['annotation_id']}/restore", {"comment": "as it was"}, "Rita")


def test_every_page_and_step_of_a_team_answers(team: Team) -> None:
    for prepare, step in team.steps.values():
        step(prepare())
    accepted, waiting, every = (team.get(f"/cases?limit=1&reading={which}")["total"] for which in ("accepted", "in review", "any"))
    assert 0 < waiting < accepted < every == FEW


NEAR_CONSTANT = (
    "next", "submit", "project", "worklist", "upcoming", "readings of a case", "history of a case",
)  # fmt: skip


def read(folder: Path, cases: int) -> dict[str, Cost]:
    made_team(folder, cases)
    found = {}
    with served(folder) as (team, engine):
        for name, (prepare, step) in team.steps.items():
            if name in NEAR_CONSTANT:
                for _ in range(2):
                    given = prepare()
                    with counted(engine) as cost:
                        made = step(given)
                    if name == "next":
                        team.submit(made["id"], "Ben")
                found[name] = cost
    shutil.rmtree(folder)
    return found


def test_what_a_step_reads_does_not_grow_with_the_project(tmp_path: Path) -> None:
    few, many = read(tmp_path / "few", ROUND), read(tmp_path / "many", MANY)
    for name in NEAR_CONSTANT:
        assert many[name].statements <= few[name].statements + 5 < 160, name
        assert many[name].steps <= 1.5 * few[name].steps + 15, name


def test_a_case_of_three_hundred_readings_is_read_with_as_many_statements_as_one_of_three(tmp_path: Path) -> None:
    much_read = made_team(tmp_path / "p", FEW, readers=300)
    with served(tmp_path / "p") as (team, engine):
        found = []
        usual = team.get("/review")[0]["case_id"]
        for case_id in (usual, much_read):
            with counted(engine) as cost:
                assert len(human(team, case_id)) == (300 if case_id == much_read else READINGS)
                team.get(f"/cases/{case_id}/history")
            found.append(cost.statements)
    assert found[1] <= found[0] + 10
