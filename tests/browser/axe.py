"""What axe-core finds on a page, in every scheme of colours that the page has."""

from typing import Any, Literal

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from .conftest import DRAWN

SERIOUS = {"serious", "critical"}
COLOURS = ["color-contrast", "link-in-text-block"]
"""The rules that look at colours, which are all that a scheme changes (frontend/src/style/tokens.css)."""

Scheme = Literal["light", "dark", "contrast"]


def emulate(page: Page, scheme: Scheme) -> None:
    """Set the reader's system, without motion, and see it drawn: until then an element may have colours of two schemes."""
    page.emulate_media(
        color_scheme="dark" if scheme == "dark" else "light",
        contrast="more" if scheme == "contrast" else "no-preference",
        reduced_motion="reduce",
    )
    page.evaluate(DRAWN)


def findings(page: Page) -> list[str]:
    """What axe-core calls serious on the page as it is."""
    return _serious(Axe().run(page).response)


def findings_in_every_scheme(page: Page) -> list[str]:
    """All rules in light, those about colours also in dark and with more contrast; the page is light before and after."""
    found = findings(page)
    for scheme in ("dark", "contrast"):
        emulate(page, scheme)
        options = {"resultTypes": ["violations"], "runOnly": COLOURS}
        found += [f"{scheme}: {line}" for line in _serious(page.evaluate("(options) => axe.run(options)", options))]
    emulate(page, "light")
    return found


def _serious(response: dict[str, Any]) -> list[str]:
    violations = [v for v in response["violations"] if v["impact"] in SERIOUS]
    return [f"{v['id']}: {node['html'][:160]} {node['failureSummary']}" for v in violations for node in v["nodes"]]
