"""Every view can be used without a mouse and read by everybody: axe-core finds nothing serious, in light, dark and with more contrast."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from medloop.core.records import Case
from medloop.loop.annotating.annotations import flag_case, open_case
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.workspace import Workspace
from tests.server.conftest import fill_project, train_project

from .axe import emulate, findings, findings_in_every_scheme
from .conftest import Serve, wait_for

COVERED = """() => [...document.querySelectorAll("button, a[href], input, select, textarea, summary")]
  .filter((e) => e.checkVisibility() && e.getBoundingClientRect().width > 1)
  .filter((e) => {
    e.scrollIntoView({ block: "center", inline: "center" });
    const { left, top, width, height } = e.getBoundingClientRect();
    const hit = document.elementFromPoint(left + width / 2, top + height / 2);
    return !(hit && (e.contains(hit) || hit.closest("label")?.contains(e)));
  })
  .map((e) => e.dataset.testid || e.outerHTML.slice(0, 100))"""
"""Controls that cannot be pressed, because they lie under something else or outside of what scrolls."""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with everything to show: a model, annotations, a flagged case."""
    folder = tmp_path_factory.mktemp("access") / "project"
    fill_project(folder, "segmentation")
    train_project(folder)
    with Workspace.open(folder) as workspace:
        with workspace.store.read() as tx:
            case = tx.find(Case)[-1]
        person = annotator_named(workspace, "local")
        flag_case(workspace, open_case(workspace, case.id, person.id).assignment.id, reason="Second opinion needed")
    return folder


@pytest.mark.browser
def test_nothing_serious_in_any_view_of_a_segmentation(trained: Path, page: Page, serve: Serve) -> None:
    emulate(page, "light")
    address = serve(trained, assistant=True)
    with Workspace.open(trained) as workspace:
        project = workspace.project.id
    found = {}
    for view, path, sign in (
        ("projects", "", f"project-{project}"),
        ("worklist", f"p/{project}", "worklist"),
        ("progress", f"p/{project}/progress", "models"),
    ):
        page.goto(f"{address}/#/{path}")
        expect(page.get_by_test_id(sign)).to_be_visible()
        found[view] = findings_in_every_scheme(page)
    page.goto(f"{address}/#/p/{project}/next")
    wait_for(page, "window.medloop?.seen")
    page.keyboard.press("u")
    page.keyboard.press("y")
    wait_for(page, "document.querySelector('[data-testid=status-line]').textContent.startsWith('Green')", seconds=90)
    found["case"] = findings_in_every_scheme(page)
    for key, dialog in (("s", "skip-dialog"), ("g", "flag-dialog"), ("?", "help-dialog"), ("Control+k", "palette"), ("?", "change-keys")):
        page.keyboard.press(key)
        expect(page.get_by_test_id(dialog)).to_be_visible()
        if dialog == "change-keys":
            page.get_by_test_id(dialog).click()
        found[dialog] = findings_in_every_scheme(page)
        page.keyboard.press("Escape")
    page.keyboard.press("Backspace")
    expect(page.get_by_test_id("notices")).to_contain_text("No earlier case")
    page.get_by_test_id("person").click()
    found["notice and name"] = findings_in_every_scheme(page)
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    page.get_by_test_id("introduce").click()
    expect(page.get_by_test_id("introduction")).to_be_visible()
    found["introduction"] = findings_in_every_scheme(page)
    assert {view: lines for view, lines in found.items() if lines} == {}, found


@pytest.mark.browser
def test_at_200_percent_everything_can_be_read_and_pressed(trained: Path, page: Page, serve: Serve) -> None:
    page.set_viewport_size({"width": 640, "height": 450})  # what 1280 × 900 shows when it is enlarged to 200 %
    address = serve(trained)
    with Workspace.open(trained) as workspace:
        project = workspace.project.id
    found = {}
    for path, sign in (
        ("", f"project-{project}"),
        (f"p/{project}", "worklist"),
        (f"p/{project}/progress", "work"),
        (f"p/{project}/next", "submit"),
    ):
        page.goto(f"{address}/#/{path}")
        expect(page.get_by_test_id(sign)).to_be_visible()
        found[path] = page.evaluate(COVERED)
        assert page.evaluate("document.documentElement.scrollWidth") <= 640, path
    page.emulate_media(forced_colors="active")
    found["forced colours"] = findings(page)
    assert {view: lines for view, lines in found.items() if lines} == {}


@pytest.mark.browser
def test_nothing_serious_in_a_classification(page: Page, serve: Serve, tmp_path: Path) -> None:
    emulate(page, "light")
    fill_project(tmp_path / "project", "classification")
    with Workspace.open(tmp_path / "project") as workspace:
        project = workspace.project.id
    page.goto(f"{serve(tmp_path / 'project')}/#/p/{project}/next")
    wait_for(page, "window.medloop?.seen")
    page.keyboard.press("1")
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("notice-action")).to_be_visible()
    assert findings_in_every_scheme(page) == []


@pytest.mark.browser
def test_panes_are_reached_and_turned_by_keyboard(trained: Path, page: Page, serve: Serve) -> None:
    with Workspace.open(trained) as workspace:
        project = workspace.project.id
    page.goto(f"{serve(trained)}/#/p/{project}/next")
    wait_for(page, "window.medloop?.seen")
    reached = []
    for _ in range(50):  # past every tool and its settings
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.dataset.testid ?? ''"))
        if reached[-1] == "pane-sagittal":
            break
    assert {"pane-axial", "pane-coronal", "pane-sagittal"} <= set(reached)
    before = page.evaluate("window.medloop.crosshair")
    page.keyboard.press("ArrowDown")
    after = page.evaluate("window.medloop.crosshair")
    assert [a != b for a, b in zip(before, after, strict=True)] == [True, False, False]
