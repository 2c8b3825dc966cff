"""An image is dropped and judged, and forgotten; a series is added beside a case and taken away."""

from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from degrading import degrade
from medloop.core.records import Case, ReferenceSeries
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.project import Project
from medloop.loop.worker import drain
from medloop.pacs.archive import PacsQuery
from tests.dicom_series import IDENTITY, write_stack
from tests.loop.conftest import FAST
from tests.loop.test_acquisition import fill, saved
from tests.orthanc import Orthanc, write_sites
from tests.quality.acquisition.pictures import picture

from .conftest import Serve

pytestmark = pytest.mark.browser


def test_a_moved_picture_is_to_be_acquired_again_and_leaves_nothing_behind(page: Page, serve: Serve, tmp_path: Path) -> None:
    with Workspace.create(tmp_path / "project", name="Discs", kind="segmentation", labels=["disc"], settings=FAST) as workspace:
        fill(workspace, 20)
        moved = degrade(picture(200), "motion", 0.9, np.random.default_rng(0))
        page.goto(f"{serve(workspace.folder)}/#/p/{workspace.project.id}")
        page.get_by_test_id("acquisition-link").click()
        page.get_by_test_id("acquisition-file").set_input_files(saved(tmp_path / "doe_jane.png", moved))
        expect(page.get_by_test_id("acquisition-verdict")).to_have_text("Acquire again")
        expect(page.get_by_test_id("acquisition-reasons")).to_contain_text("motion or blur")
        expect(page.get_by_test_id("acquisition-outcome").locator("img")).to_be_visible()
        with workspace.store.read() as tx:
            assert tx.count(Case) == 20


def test_a_series_is_added_beside_the_case_and_taken_away(page: Page, serve: Serve, tmp_path: Path) -> None:
    with Workspace.create(tmp_path / "project", name="Discs", kind="segmentation", labels=["disc"], settings=FAST) as workspace:
        fill(workspace, 1)
        with workspace.store.read() as tx:
            (case,) = tx.find(Case)
        page.goto(f"{serve(workspace.folder)}/#/p/{workspace.project.id}/case/{case.id}")
        expect(page.get_by_test_id("workplace")).to_have_attribute("data-ready", "true")
        page.get_by_test_id("judge-acquisition").click()
        expect(page.get_by_test_id("acquisition-verdict")).to_contain_text("Not known")
        page.get_by_test_id("reference-list").locator("summary").click()
        page.get_by_test_id("reference-file").set_input_files(saved(tmp_path / "late.png", picture(5)))
        expect(page.get_by_test_id("reference-list").get_by_role("listitem")).to_contain_text("late")
        page.get_by_test_id("reference-remove").click()
        expect(page.get_by_test_id("reference-list").get_by_role("listitem")).to_have_count(0)
        with workspace.store.read() as tx:
            assert [one.removed_at is None for one in tx.find(ReferenceSeries)] == [False]


def test_annotations_go_to_the_archive_from_the_worklist(page: Page, serve: Serve, tmp_path: Path, running_orthanc: Orthanc) -> None:
    running_orthanc.empty()
    running_orthanc.put(sorted(write_stack(tmp_path / "files").iterdir()))
    with Project.create(tmp_path / "project", kind="segmentation", labels=["liver"]) as project:
        write_sites(tmp_path / "project", running_orthanc)
        project.pull(PacsQuery(patient=IDENTITY), server="web")
        opened = project.next()
        assert opened is not None
        project.submit(opened, (np.indices(opened.case.grid.shape)[0] > 2).astype(np.uint8))
        workspace = project.workspace
        page.goto(f"{serve(workspace.folder)}/#/p/{workspace.project.id}")
        page.get_by_test_id(f"select-{opened.case.id}").check()
        page.get_by_test_id("bulk-push").select_option("dicom-seg|web")
        expect(page.get_by_text("The push is queued")).to_be_visible()
        drain(workspace)
        series = [running_orthanc.call("GET", f"/series/{one}").json() for one in running_orthanc.call("GET", "/series").json()]
        assert sorted(one["MainDicomTags"]["Modality"] for one in series) == ["CT", "SEG"]
