"""Nothing out of reach: every module serves a command, the server, `Project`, or an example of the page for Python only."""

import ast
import importlib
import re
from pathlib import Path

import pytest

from .conftest import MODULES, ROOT

FACES = ("medloop", "medloop.__main__", "medloop.cli.main", "medloop.loop.project")
"""Where people come in; the command line starts the server."""

PAGE = ROOT.parent.parent / "docs" / "python-only.md"


def _started(tree: ast.AST) -> set[str]:
    """Modules whose full names stand in the code as text: they are started as processes of their own, or run a kind of job."""
    texts = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    return {name for text in texts if (name := text.split(":")[0]) in MODULES}


def _homes(page: str) -> set[str]:
    """Modules that the names imported by a page's examples come from."""
    found: set[str] = set()
    for code in re.findall(r"```python\n(.*?)```", page, re.DOTALL):
        for node in ast.walk(ast.parse(code)):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "medloop":
                named = [getattr(importlib.import_module(node.module), alias.name) for alias in node.names]
                found |= {node.module} | {getattr(one, "__module__", node.module) for one in named}
    return found


def _reached(arrows: dict[str, set[str]], begin: set[str]) -> set[str]:
    seen: set[str] = set()
    left = set(begin)
    while left:
        name = left.pop()
        parents = {name.rsplit(".", n)[0] for n in range(1, name.count(".") + 1)}
        seen.add(name)
        left |= (arrows.get(name, set()) | parents | _started(ast.parse(MODULES[name].read_text()))) - seen
    return seen


def _out_of_reach(arrows: dict[str, set[str]], page: str) -> set[str]:
    return set(MODULES) - _reached(arrows, {*FACES, *_homes(page)})


def test_every_module_is_reached_by_a_face_or_by_an_example(arrows: dict[str, set[str]]) -> None:
    assert sorted(_out_of_reach(arrows, PAGE.read_text())) == []


def test_a_module_that_only_examples_use_is_out_of_reach_without_them(arrows: dict[str, set[str]]) -> None:
    assert "medloop.testing.check_strategy" in _out_of_reach(arrows, "")


@pytest.mark.parametrize("name", ["medloop.images.sandbox_child", "medloop.server.app", "medloop.loop.worker"])
def test_what_runs_in_a_process_of_its_own_is_reached(name: str, arrows: dict[str, set[str]]) -> None:
    assert name in _reached(arrows, set(FACES))


def test_every_example_of_the_page_imports_something_that_no_face_reaches(arrows: dict[str, set[str]]) -> None:
    by_faces = _reached(arrows, set(FACES))
    examples = re.findall(r"```python\n.*?```", Path(PAGE).read_text(), re.DOTALL)
    assert [code for code in examples if not _homes(code) - by_faces] == []
