"""Functions take few parameters: what belongs together travels as one value."""

import ast
from pathlib import Path

import medloop

ROOT = Path(medloop.__file__).parent
MANY = 7
MOST = 5
"""Functions that may have more, such as commands, whose parameters are what people type. The number only falls."""


def _parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    found = function.args
    names = [a.arg for a in (*found.posonlyargs, *found.args, *found.kwonlyargs)]
    return len([name for name in names if name not in ("self", "cls")])


def test_few_functions_have_more_than_seven_parameters() -> None:
    functions = [
        (path.relative_to(ROOT), node)
        for path in ROOT.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    assert len(functions) > 3000
    many = [f"{path}: {function.name}" for path, function in functions if _parameters(function) > MANY]
    assert len(many) <= MOST, many
