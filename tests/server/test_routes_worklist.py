"""The worklist over REST: any order, cursors, assigning, thumbnails that give nothing away, and its file."""

import csv
import io
from urllib.parse import quote

import numpy as np
import pytest
from PIL import Image

from medloop.core.records import Case
from medloop.loop.annotating.annotations import open_case, submit
from medloop.loop.annotating.gold import add_gold
from medloop.loop.annotating.submission import Submitted
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.configuring import configure
from medloop.loop.querying.assigning import assign_cases

from .conftest import SHAPE, add_model, add_phantom


def as_person(name: str) -> dict[str, str]:
    return {"X-Annotator": quote(name)}


def annotate(site, case: Case, name: str, *, at: int = 2) -> None:
    """A box in two slices near one end of a case, by somebody."""
    mask = np.zeros(SHAPE, np.uint8)
    mask[2:7, 2:7, at : at + 2] = 1
    opened = open_case(site.workspace, case.id, annotator_named(site.workspace, name).id)
    submit(site.workspace, opened.assignment.id, Submitted(mask=mask))


def names(site, **query: object) -> list[str]:
    return [row["name"] for row in site.client.get(f"{site.url}/cases", params=query).json()["rows"]]


def picture(site, case: Case, name: str, **query: object) -> bytes:
    answer = site.client.get(f"{site.url}/cases/{case.id}/thumbnail", params=query, headers=as_person(name))
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
    return answer.content


def is_coloured(png: bytes) -> bool:
    pixels = np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)
    return bool((pixels[..., 0] != pixels[..., 2]).any())


def test_a_list_goes_on_behind_its_cursor_while_cases_arrive(site) -> None:
    whole = names(site)
    first = site.client.get(f"{site.url}/cases", params={"limit": 2}).json()
    add_phantom(site.workspace, 9)
    seen, cursor = [row["name"] for row in first["rows"]], first["cursor"]
    while cursor:
        page = site.client.get(f"{site.url}/cases", params={"limit": 2, "after": cursor}).json()
        seen, cursor = seen + [row["name"] for row in page["rows"]], page["cursor"]
    assert [name for name in seen if name in whole] == whole
    assert len(seen) == len(set(seen))


def test_a_cursor_of_another_order_is_refused_in_words(site) -> None:
    cursor = site.client.get(f"{site.url}/cases", params={"limit": 2}).json()["cursor"]
    answer = site.client.get(f"{site.url}/cases", params={"limit": 2, "after": cursor, "sort": "quality"})
    assert (answer.status_code, answer.json()["error"]["message"]) == (422, "This cursor is of a list in another order")


def test_lines_say_whose_they_are_when_they_changed_and_which_round_queried_them(site) -> None:
    opened = site.opened()
    bea = annotator_named(site.workspace, "Bea")
    case = site.workspace_case()
    assign_cases(site.workspace, [case.id], bea.id, actor="Lea")
    page = site.client.get(f"{site.url}/cases", params={"by_round": True, "sort": "updated", "descending": True}).json()
    assert page["rounds"] == [{"round": 1, "cases": 2}, {"round": None, "cases": 3}]
    newest = page["rows"][0]
    assert (newest["id"], newest["round"], newest["updated"][:4]) == (opened["case"]["id"], 1, newest["updated"][:4])
    line = next(row for row in page["rows"] if row["id"] == case.id)
    assert line["assignees"] == ["Bea"]
    assert names(site, assignee="bea") == [case.name]
    assert names(site, assignee="Nobody Known") == []


def test_cases_are_given_and_taken_back_over_rest_and_what_could_not_be_is_named(site) -> None:
    with site.workspace.store.read() as tx:
        ids = [case.id for case in tx.find(Case, order=("name",))]
    annotator_named(site.workspace, "Bea")
    annotate(site, site.workspace_case(), "Ann")
    given = site.client.post(f"{site.url}/assign", json={"case_ids": ids, "annotator": "Bea"}).json()
    assert (given["cases"], given["left"]) == (4, [{"case": site.workspace_case().name, "why": "it needs no further reading"}])
    assert site.client.post(f"{site.url}/next", json={}, headers=as_person("Bea")).json()["assignment"]["reason"] == "assigned to you"
    assert site.client.post(f"{site.url}/next", json={}, headers=as_person("Cid")).json()["assignment"] is None
    assert site.client.post(f"{site.url}/assign", json={"case_ids": ids, "annotator": None}).json()["cases"] == 4
    assert site.client.post(f"{site.url}/next", json={}, headers=as_person("Cid")).json()["assignment"] is not None


@pytest.mark.parametrize("body", [{"case_ids": [], "annotator": "Bea"}, {"case_ids": ["a"] * 1001, "annotator": None}, {"case_ids": ["a"]}])
def test_an_assignment_of_nothing_or_of_too_many_is_refused(site, body: dict) -> None:
    assert site.client.post(f"{site.url}/assign", json=body).status_code == 422


def test_a_case_is_given_to_nobody_who_is_unknown(site) -> None:
    answer = site.client.post(f"{site.url}/assign", json={"case_ids": [site.workspace_case().id], "annotator": "Bae"})
    assert (answer.status_code, answer.json()["error"]["message"]) == (404, "Nobody called 'Bae' annotates here")


def test_a_thumbnail_shows_the_mask_and_one_of_a_blind_reader_neither_mask_nor_where_it_is(site) -> None:
    case = site.workspace_case()
    before = picture(site, case, "Ann")
    annotate(site, case, "Ann", at=0)
    seen = picture(site, case, "Ann")
    assert (is_coloured(before), is_coloured(seen), picture(site, case, "Bea")) == (False, True, seen)
    configure(site.workspace, settings={"blind": True, "readings": 2}, actor="Ann")
    assert picture(site, case, "Bea") == before, "byte by byte the picture of a case that nobody has read"
    assert picture(site, case, "Ann") == seen
    annotate(site, case, "Bea", at=0)
    assert is_coloured(picture(site, case, "Bea"))


def test_the_tag_of_a_blind_readers_thumbnail_does_not_tell_that_somebody_annotated_again(site) -> None:
    case = site.workspace_case()
    configure(site.workspace, settings={"blind": True, "readings": 2}, actor="Ann")
    tags = []
    for at in (0, 2, 4):
        annotate(site, case, "Ann", at=at)
        tags.append(site.client.get(f"{site.url}/cases/{case.id}/thumbnail", headers=as_person("Bea")).headers["etag"])
    assert len(set(tags)) == 1


def test_a_gold_case_shows_no_mask_to_whom_it_is_a_check_for(site) -> None:
    case = site.workspace_case()
    annotate(site, case, "Ann")
    add_gold(site.workspace, case.id, annotator_id=annotator_named(site.workspace, "Ann").id)
    configure(site.workspace, settings={"tutorial": 1}, actor="Ann")
    opened = site.client.post(f"{site.url}/next", json={}, headers=as_person("Bea")).json()
    assert opened["case"]["id"] == case.id
    assert not is_coloured(picture(site, case, "Bea"))
    line = site.client.get(f"{site.url}/cases", params={"search": case.name}, headers=as_person("Bea")).json()["rows"][0]
    assert (line["state"], line["annotations"], line["updated"], line["round"]) == ("unlabelled", 0, None, None)
    newest = site.client.get(f"{site.url}/cases", params={"sort": "updated", "descending": True}, headers=as_person("Bea")).json()["rows"]
    assert newest[0]["updated"] is not None or all(row["updated"] is None for row in newest), "nor does its place in the list tell"


def test_a_thumbnail_is_kept_and_not_sent_twice(site) -> None:
    case = site.workspace_case()
    url = f"{site.url}/cases/{case.id}/thumbnail"
    first = site.client.get(url)
    assert site.client.get(url, headers={"If-None-Match": first.headers["etag"]}).status_code == 304
    folder = site.workspace.work_folder / "thumbnails"
    (kept,) = folder.iterdir()
    kept.write_bytes(b"kept")
    assert site.client.get(url).content == b"kept"
    annotate(site, case, "Ann")
    annotate(site, case, "Ann", at=4)
    site.client.get(url)
    annotate(site, case, "Ann", at=0)
    site.client.get(url)
    assert len(list(folder.iterdir())) == 2, "one with a mask and one without"


@pytest.mark.parametrize("size", ["96", "288"])
def test_pixels_of_a_thumbnail_are_square_in_mm(site, size: str) -> None:
    case = site.workspace_case()
    wide, high = Image.open(io.BytesIO(picture(site, case, "Ann", size=size))).size
    assert max(wide, high) == int(size)
    plane = max(case.grid.planes(), key=lambda p: case.grid.spacing_mm[p.slice_axis])
    extents = [case.grid.shape[axis] * mm for axis, mm in ((plane.x_axis, plane.x_spacing_mm), (plane.y_axis, plane.y_spacing_mm))]
    assert wide / high == pytest.approx(extents[0] / extents[1], abs=0.02)


def test_where_nothing_can_be_written_a_thumbnail_is_made_each_time(site) -> None:
    site.workspace.work_folder.mkdir(exist_ok=True)
    (site.workspace.work_folder / "thumbnails").write_text("in the way")
    assert picture(site, site.workspace_case(), "Ann") == picture(site, site.workspace_case(), "Ann")


def test_no_cell_of_the_worklists_file_is_taken_for_a_formula(site) -> None:
    case = site.workspace_case()
    annotator_named(site.workspace, "=cmd()")
    opened = open_case(site.workspace, case.id, annotator_named(site.workspace, "=cmd()").id)
    answer = site.client.post(
        f"{site.url}/assignments/{opened.assignment.id}/skip", json={"reason": "@SUM(A1)"}, headers=as_person("=cmd()")
    )
    assert answer.status_code == 200
    answer = site.client.get(f"{site.url}/cases/csv", params={"sort": "updated"})
    assert (answer.headers["content-type"], answer.headers["content-disposition"]) == (
        "text/csv; charset=utf-8",
        'attachment; filename="cases.csv"',
    )
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert len(rows) == 5
    assert (rows[0]["name"], rows[0]["state"]) == (case.name, "skipped")
    assert "@SUM(A1)" in rows[0]["reason"]
    assert not any(cell.startswith(("=", "+", "-", "@")) for row in rows for cell in row.values())


def test_the_file_holds_the_list_as_it_is_filtered_and_sorted(site) -> None:
    add_model(site.workspace, site.last_case().id)
    rows = list(csv.DictReader(io.StringIO(site.client.get(f"{site.url}/cases/csv", params={"sort": "quality"}).text)))
    assert (rows[0]["name"], rows[0]["quality"], len(rows)) == (site.last_case().name, "0.8", 5)
    assert site.client.get(f"{site.url}/cases/csv", params={"state": "annotated"}).text.count("\n") == 1
