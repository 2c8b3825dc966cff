"""The map of the pool: cases are lassoed and queried, and the keyboard does the same."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from medloop.core.records import BY_HAND, ProjectSettings, Query
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.overview.pool_map import make_map
from tests.server.conftest import add_phantom

from .axe import findings
from .conftest import Serve

pytestmark = pytest.mark.browser
SETTINGS = ProjectSettings(cold_start="descriptors", train_after=0, audit_fraction=0.0, validation_fraction=0.0, test_fraction=0.0)


def test_cases_on_the_map_are_lassoed_looked_at_and_queried(page: Page, serve: Serve, tmp_path: Path) -> None:
    with Workspace.create(
        tmp_path / "project", name="Phantoms", kind="segmentation", labels=["large", "small"], settings=SETTINGS
    ) as workspace:
        for index in range(6):
            add_phantom(workspace, index)
        make_map(workspace)
        page.goto(f"{serve(workspace.folder)}/#/p/{workspace.project.id}")
        page.get_by_test_id("map-link").click()
        expect(page.get_by_test_id("map-words").first).to_contain_text("the axes explain")
        canvas = page.get_by_test_id("map-canvas")
        box = canvas.bounding_box()
        assert box is not None
        corners = [(1, 1), (box["width"] - 2, 1), (box["width"] - 2, box["height"] - 2), (1, box["height"] - 2), (1, 1)]
        page.mouse.move(box["x"] + 1, box["y"] + 1)
        page.mouse.down()
        for x, y in corners:
            page.mouse.move(box["x"] + x, box["y"] + y, steps=3)
        page.mouse.up()
        expect(page.get_by_test_id("map-count")).to_have_text("6 selected")
        page.get_by_test_id("map-clear").click()
        expect(page.get_by_test_id("map-count")).to_have_text("0 selected")
        page.get_by_test_id("map-in-view").focus()
        page.keyboard.press("Enter")
        expect(page.get_by_test_id("map-count")).to_have_text("6 selected")
        assert findings(page) == []
        page.get_by_test_id("map-most").fill("2")
        page.get_by_test_id("map-query").click()
        expect(page.get_by_test_id("map-legend").filter(has_text="queried")).to_contain_text("2")
        with workspace.store.read() as tx:
            (query,) = tx.find(Query)
        assert (query.strategy, len(query.choices)) == (BY_HAND, 2)
