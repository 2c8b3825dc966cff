"""The settings page changes a project as `medloop configure` does; the worklist and the progress page tell what stands."""

from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from medloop.loop.annotating.annotations import next_assignment, submit
from medloop.loop.annotating.submission import Submitted
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.configuring import TaskChange, configure
from medloop.loop.foundation.workspace import Workspace
from tests.server.conftest import SHAPE, fill_project, train_project

from .conftest import Serve, wait_for


@pytest.mark.browser
def test_name_labels_and_settings_are_changed_on_the_page(page: Page, serve: Serve, tmp_path: Path) -> None:
    fill_project(tmp_path / "project", "segmentation")
    with Workspace.open(tmp_path / "project") as workspace:
        project = workspace.project.id
    page.goto(f"{serve(tmp_path / 'project')}/#/p/{project}/settings")
    expect(page.get_by_test_id("save-task")).to_be_disabled()
    page.get_by_test_id("project-name").fill("Печень")
    page.get_by_test_id("label-name-0").fill("liver")
    page.get_by_test_id("add-label").click()
    page.get_by_test_id("label-name-2").fill("cyst")
    page.get_by_test_id("save-task").click()
    expect(page.get_by_test_id("notices")).to_contain_text("Печень")
    expect(page.get_by_test_id("settings")).to_contain_text("Version 2")
    page.get_by_test_id("setting-batch_size").fill("7")
    expect(page.get_by_test_id("setting-release_canary")).to_be_hidden()
    page.get_by_test_id("find-setting").fill("gate")
    expect(page.get_by_test_id("setting-batch_size")).to_have_count(0)
    page.get_by_test_id("find-setting").press("Enter")  # sends nothing
    page.get_by_test_id("setting-release").select_option("gate")
    page.get_by_test_id("setting-release_canary").fill("0.25")
    page.get_by_test_id("find-setting").fill("")
    expect(page.get_by_test_id("changed-settings")).to_contain_text("batch size, release, release canary")
    page.get_by_test_id("save-settings").click()
    expect(page.get_by_test_id("notices")).to_contain_text("batch_size: 2 → 7")
    expect(page.get_by_test_id("setting-release_canary")).to_have_value("0.25")
    expect(page.get_by_test_id("settings-Release of models").locator("summary")).to_contain_text("not the default: release, release canary")
    with Workspace.open(tmp_path / "project") as workspace:
        assert workspace.settings.release_canary == 0.25
        assert workspace.settings.batch_size == 7
        assert [label.name for label in workspace.task.labels] == ["liver", "small", "cyst"]
        assert workspace.project.name == "Печень"


@pytest.mark.browser
def test_what_was_typed_stays_where_somebody_else_changes_the_task(page: Page, serve: Serve, tmp_path: Path) -> None:
    fill_project(tmp_path / "project", "segmentation")
    with Workspace.open(tmp_path / "project") as workspace:
        project = workspace.project.id
    page.goto(f"{serve(tmp_path / 'project')}/#/p/{project}/settings")
    page.get_by_test_id("instructions").fill("Outline the large one.")
    with Workspace.open(tmp_path / "project") as workspace:
        configure(workspace, task=TaskChange(instructions="Outline both."), actor="somebody")
    page.get_by_test_id("setting-batch_size").fill("7")
    page.get_by_test_id("save-settings").click()
    expect(page.get_by_test_id("task-outdated")).to_contain_text("version 2 is in force")
    expect(page.get_by_test_id("instructions")).to_have_value("Outline the large one.")
    page.get_by_role("button", name="begin with version 2").click()
    expect(page.get_by_test_id("instructions")).to_have_value("Outline both.")
    expect(page.get_by_test_id("task-outdated")).to_have_count(0)


@pytest.mark.browser
def test_a_rate_set_on_the_page_prices_the_work_where_progress_is_shown(page: Page, serve: Serve, tmp_path: Path) -> None:
    fill_project(tmp_path / "project", "segmentation")
    with Workspace.open(tmp_path / "project") as workspace:
        project = workspace.project.id
        opened = next_assignment(workspace, annotator_named(workspace, "Ann").id)
        assert opened is not None
        submit(workspace, opened.assignment.id, Submitted(mask=np.zeros(SHAPE, np.uint8), effort_seconds=90))
    address = serve(tmp_path / "project")
    page.goto(f"{address}/#/p/{project}/progress")
    expect(page.get_by_test_id("people")).to_contain_text("1.5")
    expect(page.get_by_test_id("people")).not_to_contain_text("Cost")
    page.goto(f"{address}/#/p/{project}/settings")
    expect(page.get_by_test_id("save-rates")).to_be_disabled()
    page.get_by_test_id("rate-Ann").fill("2,5")
    page.get_by_test_id("save-rates").click()
    expect(page.get_by_test_id("notices")).to_contain_text("Ann: 1 → 2.5 per minute")
    expect(page.get_by_test_id("annotators")).to_contain_text("3.75")
    page.get_by_test_id("hours-Ann").fill("1,5")
    page.get_by_test_id("cases-Ann").fill("40")
    page.get_by_test_id("expertise-Ann").select_option("novice")
    page.get_by_test_id("save-rates").press("Enter")
    expect(page.get_by_test_id("notices")).to_contain_text("Ann: no limit → 40 cases per week")
    page.get_by_test_id("hours-Ann").fill("")
    page.get_by_test_id("save-rates").click()
    expect(page.get_by_test_id("notices")).to_contain_text("Ann: 1.5 → no limit hours per week")
    with Workspace.open(tmp_path / "project") as workspace:
        kept = annotator_named(workspace, "Ann")
        assert (kept.expertise, kept.hours_per_week, kept.cases_per_week) == ("novice", None, 40)
    page.goto(f"{address}/#/p/{project}/progress")
    expect(page.get_by_test_id("people")).to_contain_text("3.75")
    row = page.get_by_test_id("work").locator("tbody tr")
    expect(row).to_have_text("1Ann11.5–––––3.75––")
    page.get_by_test_id("work-by").select_option("person")
    expect(row).to_have_text("Ann11.5–––––3.75––")
    with page.expect_download() as file:
        page.get_by_test_id("work-csv").click()
    assert file.value.suggested_filename == "effort-by-person.csv"
    assert "Ann,,,1,1,1,1.5,,,,,,3.75," in file.value.path().read_text()


@pytest.mark.browser
def test_advice_and_scores_stand_on_the_progress_page_and_filters_survive_the_return(page: Page, serve: Serve, tmp_path: Path) -> None:
    fill_project(tmp_path / "project", "segmentation")
    train_project(tmp_path / "project")
    address = serve(tmp_path / "project")
    with Workspace.open(tmp_path / "project") as workspace:
        project = workspace.project.id
    page.goto(f"{address}/#/p/{project}/progress")
    told = page.request.get(f"{address.rstrip('/')}/api/v1/projects/{project}/progress").json()["stopping"]
    panel = page.get_by_test_id("stop-advice")
    expect(panel).to_contain_text("Stop annotating" if told["stop"] else "Go on")
    for reason in told["reasons"]:
        expect(panel).to_contain_text(reason)
    expect(page.get_by_test_id("forecast")).to_contain_text("batch")
    expect(page.get_by_test_id("model-1")).to_contain_text("probabilities as trained: needs 5 validation patients, got 0")
    expect(page.get_by_test_id("people")).to_contain_text("local")

    page.goto(f"{address}/#/p/{project}")
    page.get_by_test_id("filter-annotated").click()
    page.get_by_test_id("search").fill("phantom")
    expect(page.get_by_test_id("worklist").locator("tbody tr")).to_have_count(3)
    page.get_by_test_id("worklist").locator("tbody tr").first.click()
    wait_for(page, "window.medloop?.seen")
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("filter-annotated")).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_test_id("search")).to_have_value("phantom")
    expect(page.get_by_test_id("worklist").locator("tbody tr")).to_have_count(3)
