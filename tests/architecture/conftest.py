"""The modules of the package and which imports which."""

import ast
from collections.abc import Iterable
from pathlib import Path

import pytest

import medloop

ROOT = Path(medloop.__file__).parent
MODULES = {
    ".".join(("medloop", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__"): path
    for path in ROOT.rglob("*.py")
    if "migrations" not in path.parts
}


def imported(tree: ast.AST) -> Iterable[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" if f"{node.module}.{alias.name}" in MODULES else node.module for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


@pytest.fixture(scope="session")
def arrows() -> dict[str, set[str]]:
    """Which modules each module imports, at its top or inside its functions."""
    return {name: {n for n in imported(ast.parse(p.read_text())) if n in MODULES} - {name} for name, p in MODULES.items()}
