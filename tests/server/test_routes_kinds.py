"""Kinds of annotation over REST: a rejected proposal, and which kinds each case of the worklist has."""

import pytest

from medloop.core.records import Annotation, Case
from medloop.interaction.weak.marks import Box, Tag
from medloop.loop.annotating.annotations import open_case
from medloop.loop.annotating.marking import SubmittedMarks, submit_marks
from medloop.loop.foundation.annotators import annotator_named

from ..loop.made_up import add_model, add_prediction


@pytest.fixture
def marked(site) -> list[Case]:
    """The training cases, of which the first two have marks."""
    with site.workspace.store.read() as tx:
        cases = tx.find(Case, where={"split": "train"}, order=("name",))
    for case, marks in zip(cases, ([Tag(1), Box((0, 0, 0), (2, 2, 2), 1)], [Tag(1)]), strict=False):
        opened = open_case(site.workspace, case.id, annotator_named(site.workspace, "zoe").id)
        submit_marks(site.workspace, opened.assignment.id, SubmittedMarks(marks=marks))
    return cases


def names(site, **query: object) -> list[str]:
    return [row["name"] for row in site.client.get(f"{site.url}/cases", params=query).json()["rows"]]


def test_a_rejected_proposal_is_kept_and_shown_with_its_case(site) -> None:
    with site.workspace.store.read() as tx:
        case = tx.find(Case, where={"split": "train"}, order=("name",))[-1]
    add_prediction(site.workspace, add_model(site.workspace, 1), case)
    opened = site.client.post(f"{site.url}/cases/{case.id}/open", json={}).json()["assignment"]["id"]
    said = site.client.post(f"{site.url}/assignments/{opened}/reject", json={"effort": {"session": "s1", "active_seconds": 3}})
    assert said.status_code == 200, said.text
    assert site.workspace.store.get(Annotation, said.json()["annotation_id"]).kind == "rejected"
    assert names(site, given="rejected") == [case.name]
    assert "whose proposal was rejected" in site.client.get(site.url).json()["label_gaps"][-1]
    again = site.client.post(f"{site.url}/assignments/{opened}/reject", json={})
    assert again.json()["error"]["code"] == "wrong_state"
    assert site.client.post(f"{site.url}/assignments/{opened}/undo", json={}).status_code == 200
    assert names(site, given="rejected") == []


def test_the_worklist_names_the_kinds_of_marks_and_filters_by_them(site, marked: list[Case]) -> None:
    rows = {row["name"]: row["given"] for row in site.client.get(f"{site.url}/cases").json()["rows"]}
    assert rows[marked[0].name] == ["box", "tag"]
    assert rows[marked[1].name] == ["tag"]
    assert rows[marked[2].name] == []
    assert names(site, given="tag") == [marked[0].name, marked[1].name]
    assert names(site, given="box") == [marked[0].name]
    assert names(site, given="scribble") == []
    assert site.client.get(f"{site.url}/cases", params={"given": "circle"}).status_code == 422
    table = site.client.get(f"{site.url}/cases/csv", params={"given": "box"}).text.splitlines()
    assert table[0].split(",")[-4:] == ["given", "lacking", "acquisition", "acquisition_why"]
    assert '"box, tag"' in table[1]
