"""The progress page says how well models do, in which unit, and who needs to look at which prediction."""

from dataclasses import replace
from pathlib import Path

from playwright.sync_api import Page, expect

from medloop.core.records import Evaluation
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.configuring import configure
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.judging.live_models import choose_live
from tests.loop.made_up import add_answer, add_evaluation, add_model, every_case
from tests.loop.test_live_models import trained
from tests.server.conftest import add_phantom, fill_project
from tests.server.test_routes_triage import judge

from .conftest import Serve


def test_the_pool_is_sorted_at_the_chosen_risk(page: Page, serve: Serve, tmp_path: Path) -> None:
    fill_project(tmp_path / "project", "segmentation", cases=12)
    with Workspace.open(tmp_path / "project") as workspace:
        judge(workspace, agreements=(0.95, 0.94, 0.93, 0.92, 0.91, 0.9, 0.8, 0.75, 0.6, 0.3, 0.1))
        page.goto(f"{serve(workspace.folder)}/#/p/{workspace.project.id}/progress")
        panel = page.get_by_test_id("triage")
        expect(page.get_by_test_id("triage-accept")).to_have_text("9")
        expect(page.get_by_test_id("triage-second-expert")).to_have_text("2")
        expect(panel).to_contain_text("On 11 evaluated test patients 73 % were accepted, 0 % of these below 0.7")
        expect(panel.locator("tbody tr").first).to_contain_text("two people")
        page.get_by_test_id("triage-risk").select_option("0.05")
        expect(panel).to_contain_text("A risk of 0.05 needs at least 19 evaluated patients, got 11")
        page.get_by_test_id("triage-risk").select_option("0.2")
        expect(page.get_by_test_id("triage-accept")).to_have_text("10")


def test_calibration_and_surfaces_stand_beside_the_curve_and_the_models(page: Page, serve: Serve, tmp_path: Path) -> None:
    fill_project(tmp_path / "project", "segmentation", cases=8)
    with Workspace.open(tmp_path / "project") as workspace:
        model = add_model(workspace, 1)
        kept = {"calibrator": {"temperature": 1.5}, "before": 0.123, "after": 0.045, "patients": 6}
        calibrated = replace(add_model(workspace, 2), id="model-calibrated", index=3, metrics={"calibration": kept})
        names = [case.name for case in every_case(workspace)][:6]
        add_evaluation(workspace, model, "test", 3, dict.fromkeys(names, 0.9))
        with workspace.store.write("test") as tx:
            tx.add(calibrated)
            (made,) = tx.find(Evaluation)
            tx.add(replace(made, id="evaluation-surfaces", surfaces={names[0]: {"large": [0.5, 2.25]}}))
        page.goto(f"{serve(workspace.folder)}/#/p/{workspace.project.id}/progress")
    expect(page.get_by_test_id("surface")).to_have_text("surface Dice 0.500 within a voxel, median HD95 2.2 mm")
    expect(page.get_by_test_id("model-1")).to_contain_text("test: surface Dice 0.500 within a voxel, median HD95 2.2 mm")
    expect(page.get_by_test_id("model-3")).to_contain_text("temperature 1.50, calibration error 0.123 -> 0.045 on 6 validation patients")


def test_the_three_questions_stand_on_top_and_charts_and_tables_are_taken_as_files(page: Page, serve: Serve, tmp_path: Path) -> None:
    fill_project(tmp_path / "project", "segmentation", cases=8)
    with Workspace.open(tmp_path / "project") as workspace:
        cases = every_case(workspace)[:6]
        older, newer = add_model(workspace, 1), add_model(workspace, 2)
        for model, score in ((older, 0.7), (newer, 0.8)):
            add_evaluation(workspace, model, "test", model.index, {case.name: score + n / 100 for n, case in enumerate(cases)})
        workspace.store.jobs.enqueue("train", {})
        page.goto(f"{serve(workspace.folder)}/#/p/{workspace.project.id}/progress")
    expect(page.get_by_test_id("how-good")).to_contain_text("Dice 0.825")
    expect(page.get_by_test_id("change")).to_contain_text("Better than model 1: +0.100")
    expect(page.get_by_test_id("how-long")).to_contain_text("no target set")
    expect(page.get_by_test_id("stop-advice")).to_contain_text("Go on")
    expect(page.get_by_test_id("before-after")).to_contain_text("6 cases got better and 0 worse")
    expect(page.get_by_test_id("jobs-state")).to_have_text("1 waiting")
    page.get_by_test_id("jobs-open").press("Enter")
    expect(page.get_by_test_id("jobs")).to_contain_text("train")
    for name, begins in (("models-csv", b"Model,Score"), ("learning-curve-svg", b"<svg"), ("learning-curve-png", b"\x89PNG")):
        with page.expect_download() as taken:
            page.get_by_test_id(name).click()
        assert Path(taken.value.path()).read_bytes().startswith(begins)


def test_before_any_evaluation_the_way_there_is_named(page: Page, serve: Serve, tmp_path: Path) -> None:
    fill_project(tmp_path / "project", "segmentation")
    with Workspace.open(tmp_path / "project") as workspace:
        page.goto(f"{serve(workspace.folder)}/#/p/{workspace.project.id}/progress")
    expect(page.get_by_test_id("triage")).to_contain_text("annotate evaluation cases and train a model")


def test_a_candidate_is_released_with_a_signature_and_rolled_back(page: Page, serve: Serve, tmp_path: Path) -> None:
    fill_project(tmp_path / "project", "segmentation", cases=2)
    with Workspace.open(tmp_path / "project") as workspace:
        configure(workspace, settings={"release": "gate"}, actor="test")
        person, tested = annotator_named(workspace, "local"), [add_phantom(workspace, n, split="test") for n in range(2, 8)]
        names = [add_answer(workspace, person, case) and case.name for case in tested if case is not None]
        for index, score in ((1, 0.8), (2, 0.7)):
            model = trained(workspace, index)
            add_evaluation(workspace, model, "test", index, {name: score + n / 100 for n, name in enumerate(names)})
            choose_live(workspace, model)
        page.goto(f"{serve(workspace.folder)}/#/p/{workspace.project.id}/progress")
    expect(page.get_by_test_id("candidate-2")).to_be_visible()
    page.get_by_test_id("release-model-2").click()
    dialog = page.get_by_test_id("release-dialog")
    expect(dialog).to_contain_text("all cases: -0.100 on 6 patients, at worst -0.104 where -0.020 is allowed: worse")
    page.keyboard.type("the new scanner needs it")
    page.get_by_test_id("release-name").fill("Ada Byron")
    page.get_by_test_id("release-send").click()
    expect(dialog).to_have_count(0)
    expect(page.get_by_test_id("model-2")).to_contain_text("released by Ada Byron: the new scanner needs it")
    page.get_by_test_id("roll-back").click()
    expect(page.get_by_test_id("model-1").get_by_text("in use", exact=True)).to_be_visible()
    expect(page.get_by_test_id("use-model-2")).to_be_visible()
