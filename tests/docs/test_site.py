"""The documentation builds strictly, and every name in it can be found."""

import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

import medloop
import medloop.query

from ..conftest import REPOSITORY
from .test_snippets import TEXTS

BUILD = ("-W", "--keep-going", "-q", "-b", "html")


def _build(source: Path, out: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sphinx", *BUILD, "-c", str(REPOSITORY / "docs"), str(source), str(out)]
    return subprocess.run(command, capture_output=True, text=True, cwd=REPOSITORY)


@pytest.mark.timeout(600)
def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    done = _build(REPOSITORY, tmp_path)
    assert done.returncode == 0, done.stderr
    assert 'url=docs/index.html"' in (tmp_path / "index.html").read_text()
    assert "medloop.Project.submit" in (tmp_path / "docs" / "api.html").read_text()
    page = (tmp_path / "docs" / "index.html").read_text()
    assert re.findall(r'(?:<script[^>]*src|<link[^>]*rel="stylesheet"[^>]*href)="https?://', page) == [], "nothing comes from elsewhere"


@pytest.mark.parametrize(
    "broken", ["[a](gone.md)", "[a](other.md#gone)", "```{eval-rst}\n.. autofunction:: medloop.gone\n```"], ids=["link", "anchor", "name"]
)
def test_a_dead_link_anchor_or_name_fails_the_build(broken: str, tmp_path: Path) -> None:
    pages = tmp_path / "docs"
    pages.mkdir()
    (pages / "index.md").write_text(f"# Begin\n\n```{{toctree}}\nother\n```\n\n{broken}\n")
    (pages / "other.md").write_text("# Other\n")
    assert _build(tmp_path, tmp_path / "out").returncode != 0
    (pages / "index.md").write_text("# Begin\n\n```{toctree}\nother\n```\n\n[a](other.md#other)\n")
    done = _build(tmp_path, tmp_path / "again")
    assert done.returncode == 0, done.stderr


def test_every_public_name_is_in_the_reference() -> None:
    listed = set(re.findall(r"^\.\. auto\w+:: (\S+)", TEXTS["docs/api.md"], re.MULTILINE))
    names = {name.rpartition(".")[2] for name in listed}
    assert {*medloop.__all__, *medloop.query.__all__} - names == {"__version__"}


def _found(name: str) -> bool:
    """Whether a dotted name is a module, or something in one."""
    parts = name.split(".")
    for n in range(len(parts), 0, -1):
        try:
            found: object = importlib.import_module(".".join(parts[:n]))
        except ModuleNotFoundError:
            continue
        for part in parts[n:]:
            if not hasattr(found, part):
                return False
            found = getattr(found, part)
        return True
    return False


@pytest.mark.parametrize("page", TEXTS)
def test_every_module_that_a_page_names_exists(page: str) -> None:
    names = set(re.findall(r"`(medloop(?:\.[A-Za-z_]\w*)+)(?:\(|`)", TEXTS[page])) - {"medloop.sqlite", "medloop.json", "medloop.csv"}
    assert [name for name in sorted(names) if not _found(name) and name != "medloop.strategies"] == []
