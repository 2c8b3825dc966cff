"""The figures are drawn from the code's own tables, and those committed are today's."""

import importlib.util

from ..conftest import REPOSITORY

spec = importlib.util.spec_from_file_location("figures", REPOSITORY / "docs" / "figures.py")
assert spec is not None
assert spec.loader is not None
figures = importlib.util.module_from_spec(spec)
spec.loader.exec_module(figures)


def test_the_committed_figures_are_those_of_the_code() -> None:
    stored = {name: (REPOSITORY / "docs" / "images" / name).read_text(encoding="utf-8") for name in figures.figures()}
    assert stored == figures.figures(), "run: python docs/figures.py"


def test_every_layer_of_every_contract_is_drawn() -> None:
    contracts = [{"type": "layers", "containers": ["here"], "layers": ["top", "left | right"]}, {"type": "forbidden"}]
    drawing = figures.architecture(contracts)
    assert figures.layers(contracts) == {"here": [["top"], ["left", "right"]]}
    assert all(f">{name}</text>" in drawing for name in ("here", "top", "left", "right"))


def test_a_changed_contract_changes_the_figure() -> None:
    one = [{"type": "layers", "containers": ["here"], "layers": ["top", "bottom"]}]
    other = [{"type": "layers", "containers": ["here"], "layers": ["bottom", "top"]}]
    assert figures.architecture(one) != figures.architecture(other)
