"""Gold cases in the page: a lead makes them, somebody new reads a tutorial, later checks come unannounced, and a lead sees the scores."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from medloop.core.records import Annotation, Assignment
from medloop.loop.annotating.gold import add_gold
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.configuring import configure
from medloop.loop.foundation.workspace import Workspace

from .axe import findings
from .conftest import wait_for
from .teams import Team, type_and_keep
from .test_review import cases_of, cube, read
from .test_team import draw, saved, settling


def at_case(page: Page, case: str) -> None:
    wait_for(page, f"window.medloop?.caseId === {case!r} && window.medloop.seen")


def feedback_shown(page: Page) -> None:
    """The feedback, with its picture drawn."""
    expect(page.get_by_test_id("feedback")).to_be_visible()
    wait_for(page, "document.querySelector('.feedback-picture')?.naturalWidth > 0")


@pytest.mark.browser
def test_somebody_new_reads_a_tutorial_a_lead_lets_them_begin_and_a_later_check_comes_unannounced(team: Team, tmp_path: Path) -> None:
    for name, role in (("Lena", "lead"), ("Ann", "annotator")):
        team.add(name, role)  # type: ignore[arg-type]
    with Workspace.open(team.folder) as workspace:
        first, second = (case.id for case in cases_of(workspace)[:2])
        for case in (first, second):
            read(workspace, case, "Rita", cube(2))
        configure(workspace, settings={"tutorial": 1, "tutorial_score": 0.9})
    home = f"p/{team.project}"

    lena = team.enter("Lena", f"{home}/team")
    expect(lena.get_by_test_id("gold")).to_contain_text("A tutorial needs 1 gold case, there are 0: nobody new can begin")
    lena.goto(f"{team.address}/#/{home}/people")
    type_and_keep(lena, "Cases per week of Ann", "40")
    lena.goto(f"{team.address}/#/{home}/case/{first}")
    at_case(lena, first)
    lena.get_by_test_id("make-gold").click()
    expect(lena.get_by_test_id("notices")).to_contain_text("is a gold case now")

    ann = team.enter("Ann", home)
    expect(ann.get_by_test_id(f"case-{first}")).to_contain_text("unlabelled")
    expect(ann.get_by_test_id(f"case-{second}")).to_contain_text("annotated")
    ann.get_by_test_id("start").click()
    at_case(ann, first)
    expect(ann.get_by_test_id("reason-queried")).to_contain_text("tutorial: 0 of 1 gold cases read")
    assert ann.evaluate("window.medloop.labelCounts()") == {}, "nothing of the truth"
    ann.keyboard.press("1")
    draw(ann, 9)
    saved(ann)
    drawn = ann.evaluate("window.medloop.labelCounts()")
    ann.reload()
    at_case(ann, first)
    assert ann.evaluate("window.medloop.labelCounts()") == drawn, "a tutorial that was left goes on"
    ann.keyboard.press("Enter")
    feedback_shown(ann)
    expect(ann.get_by_test_id("feedback-score")).to_contain_text("Your score is 0.")
    expect(ann.get_by_test_id("feedback-tutorial")).to_contain_text("0.9 is needed")
    ann.screenshot(path=tmp_path / "feedback.png")
    assert findings(ann) == []
    ann.keyboard.press("Enter")
    expect(ann.get_by_test_id("nothing-left")).to_contain_text("no gold case is left: a lead adds gold cases")

    lena.goto(f"{team.address}/#/{home}/team")
    expect(lena.get_by_test_id("team-people").locator("tr[data-name=Ann]")).to_contain_text("40 cases")
    row = lena.get_by_test_id("gold-people").locator("tr[data-name=Ann]")
    expect(row).to_contain_text("tutorial: 1 of 1 gold cases read")
    settle = settling(lena)
    lena.emulate_media(color_scheme="dark")
    settle()
    lena.screenshot(path=tmp_path / "team.png", full_page=True)
    assert findings(lena) == []
    row.get_by_role("button", name="Let Ann begin").click()
    expect(row).to_contain_text("admitted without it")
    with Workspace.open(team.folder) as workspace:
        configure(workspace, settings={"gold_rate": 0.5})
        add_gold(workspace, second, annotator_id=annotator_named(workspace, "Lena").id)

    ann.goto(f"{team.address}/#/{home}")
    line = ann.get_by_test_id(f"case-{second}")
    expect(line).to_contain_text("unlabelled")
    line.focus()
    line.press("Enter")
    at_case(ann, second)
    expect(ann.get_by_test_id("reason-queried")).to_have_text("chosen from the worklist")
    expect(ann.get_by_test_id("case-progress")).to_be_hidden()
    assert ann.evaluate("window.medloop.labelCounts()") == {}
    ann.keyboard.press("1")
    draw(ann, 3)
    saved(ann)
    ann.get_by_test_id("submit").click()
    feedback_shown(ann)
    expect(ann.get_by_test_id("feedback")).to_contain_text("in 2 gold cases")
    ann.get_by_test_id("feedback-on").click()
    wait_for(ann, f"window.medloop?.caseId !== {second!r}")
    expect(row.locator("td").nth(2)).to_have_text("2")
    lena.get_by_test_id("gold-cases").get_by_role("button").first.click()
    expect(lena.get_by_test_id("gold-cases").locator("li")).to_have_count(1)
    expect(row.locator("td").nth(2)).to_have_text("1")
    expect(lena.get_by_test_id("work")).to_contain_text("Ann")
    with Workspace.open(team.folder) as workspace, workspace.store.read() as tx:
        given = tx.find(Annotation, where={"annotator_id": annotator_named(workspace, "Ann").id})
        assert [a.origin for a in given] == ["gold", "gold"]
        assert [a.id for a in tx.current_annotations(case_ids=[first, second]) if a.origin == "gold"] == []


@pytest.mark.browser
@pytest.mark.parametrize("team", ["classification"], indirect=True)
def test_a_class_that_is_wrong_is_said_with_the_right_one(team: Team) -> None:
    team.add("Ann", "annotator")
    with Workspace.open(team.folder) as workspace:
        case = cases_of(workspace)[0].id
        read(workspace, case, "Rita", 1)
        add_gold(workspace, case, annotator_id=annotator_named(workspace, "Rita").id)
        configure(workspace, settings={"tutorial": 1, "tutorial_score": 0.0})
    ann = team.enter("Ann", f"p/{team.project}/next")
    at_case(ann, case)
    ann.keyboard.press("1")
    ann.keyboard.press("Enter")
    expect(ann.get_by_test_id("feedback-score")).to_have_text("You gave large, the truth is small.")
    ann.keyboard.press("Escape")
    wait_for(ann, f"window.medloop?.caseId !== {case!r} && window.medloop.seen")
    with Workspace.open(team.folder) as workspace, workspace.store.read() as tx:
        assert tx.find(Assignment)[-1].gold_id is None, "passed: real work"
