"""The page for contributors names files that exist."""

import re

from ..conftest import REPOSITORY

PAGE = (REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8")


def test_every_file_to_touch_exists() -> None:
    named = set(re.findall(r"`((?:src|tests|docs|benchmarks|frontend)/[\w./]*)`", PAGE))
    assert len(named) > 40
    assert [name for name in sorted(named) if not (REPOSITORY / name).exists()] == []


def test_every_addition_ends_with_its_documentation() -> None:
    rows = re.findall(r"^\| an? (.*?) \|(.*)\|$", PAGE, re.MULTILINE)
    assert len(rows) > 10
    assert [what for what, files in rows if "docs/" not in files and "check_strategy" not in files and "scores.py" not in files] == []
