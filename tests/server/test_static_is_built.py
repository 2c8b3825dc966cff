"""The built page is committed, so it must be the build of the committed sources; no Node is needed to check."""

import hashlib
import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
FRONTEND = REPOSITORY / "frontend"
STATIC = REPOSITORY / "src" / "medloop" / "server" / "static"
REMEDY = "run `npm ci && npm run build` in frontend/ and commit src/medloop/server/static"


def _hashed_names() -> list[str]:
    text = (FRONTEND / "sources.ts").read_text(encoding="utf-8")
    found = re.search(r"HASHED = \[(.*?)\]", text, re.DOTALL)
    assert found, "frontend/sources.ts no longer lists HASHED"
    return re.findall(r'"([^"]+)"', found[1])


def _source_digest() -> str:
    """The rule of frontend/sources.ts: path and hash of every source, in path order."""
    roots = [FRONTEND / name for name in _hashed_names()]
    paths = [path for root in roots for path in ([root] if root.is_file() else root.rglob("*")) if path.is_file()]
    digest = hashlib.sha256()
    for name, path in sorted((path.relative_to(FRONTEND).as_posix(), path) for path in paths):
        digest.update(f"{name}\n{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()


@pytest.fixture(scope="module")
def page() -> str:
    return (STATIC / "index.html").read_text(encoding="utf-8")


def test_the_page_was_built_from_these_sources() -> None:
    assert (STATIC / "sources.sha256").read_text(encoding="utf-8").strip() == _source_digest(), REMEDY


def test_every_file_the_page_names_is_there(page: str) -> None:
    names = re.findall(r'(?:src|href)="/([^"]+)"', page)
    assert names
    assert [name for name in names if not (STATIC / name).is_file()] == []


def test_the_page_runs_under_a_policy_without_inline_code(page: str) -> None:
    assert re.findall(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", page) == []


def test_the_built_page_fetches_nothing_from_elsewhere() -> None:
    addresses = {
        address
        for path in STATIC.rglob("*")
        if path.suffix in {".js", ".css", ".html"}
        for address in re.findall(r"https?://[^\"'`\s)]+", path.read_text(encoding="utf-8"))
    }
    # Namespaces of SVG and MathML are names, not addresses.
    assert {address for address in addresses if not address.startswith("http://www.w3.org/")} == set()


def test_the_lock_file_names_no_registry() -> None:
    assert '"resolved"' not in (FRONTEND / "package-lock.json").read_text(encoding="utf-8")
