"""The pictures of the documentation: every one is linked and small, and every link has its picture."""

import re

from ..conftest import REPOSITORY

IMAGES = REPOSITORY / "docs" / "images"
LARGEST_BYTES = 150_000
PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))]
LINKED = {name for page in PAGES for name in re.findall(r"\]\((?:docs/)?images/([\w.-]+)\)", page.read_text())}


def test_every_picture_is_linked_and_every_link_has_its_picture() -> None:
    assert {path.name for path in IMAGES.iterdir()} == LINKED


def test_no_picture_makes_the_repository_large() -> None:
    assert [path.name for path in IMAGES.iterdir() if path.stat().st_size > LARGEST_BYTES] == []
