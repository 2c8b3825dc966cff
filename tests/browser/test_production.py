"""A stream on the progress page: what was decided, by which rule, and a lead who recalls what was accepted."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from medloop.loop.querying.disposing import dispose_arrivals
from tests.loop.streamed import arrive, streaming

from .axe import findings
from .conftest import Serve

pytestmark = pytest.mark.browser


def test_the_stream_shows_its_decisions_and_its_rule_and_accepted_cases_are_recalled(page: Page, serve: Serve, tmp_path: Path) -> None:
    workspace, model = streaming(tmp_path / "p", evaluated=24)
    with workspace:
        arrive(workspace, model, range(100, 104))
        dispose_arrivals(workspace)
        page.goto(f"{serve(workspace.folder)}/#/p/{workspace.project.id}/progress")
        expect(page.get_by_test_id("production-rule")).to_contain_text("model 1, 24 evaluated patients")
        expect(page.get_by_test_id("production-curve")).to_be_visible()
        expect(page.get_by_test_id("production-accepted")).not_to_have_text("0")
        expect(page.get_by_test_id("production-recall")).to_be_disabled()
        assert findings(page) == []
        page.get_by_test_id("production-why").fill("the scanner was replaced")
        page.get_by_test_id("production-recall").click()
        expect(page.get_by_test_id("production-accepted")).to_have_text("0")
        expect(page.get_by_test_id("production-cases")).to_contain_text("then recalled: the scanner was replaced")
