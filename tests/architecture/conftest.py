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


def imported(tree: ast.AST, package: str = "") -> Iterable[str]:
    """Full names of what a module imports, also of what it names from its own `package`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            module = f"{package.rsplit('.', node.level - 1)[0] if node.level > 1 else package}.{node.module}" if node.level else node.module
            yield from (f"{module}.{alias.name}" if f"{module}.{alias.name}" in MODULES else module for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


@pytest.fixture(scope="session")
def arrows() -> dict[str, set[str]]:
    """Which modules each module imports, at its top or inside its functions."""
    return {
        name: {n for n in imported(ast.parse(p.read_text()), name.rsplit(".", 1)[0]) if n in MODULES} - {name}
        for name, p in MODULES.items()
    }
