"""No circle of imports anywhere, those inside functions counted, and a folder for every room that the documentation draws."""

from graphlib import CycleError, TopologicalSorter

import pytest

from .conftest import ROOT


def _circle(arrows: dict[str, set[str]]) -> list[str]:
    try:
        TopologicalSorter(arrows).prepare()
    except CycleError as found:
        return list(found.args[1])
    return []


def test_a_circle_is_found() -> None:
    assert _circle({"a": {"b"}, "b": {"c"}, "c": {"a"}})


def test_no_module_imports_itself_by_way_of_others(arrows: dict[str, set[str]]) -> None:
    assert len(arrows) > 400
    assert sum(map(len, arrows.values())) > 1000
    assert _circle(arrows) == []


@pytest.mark.parametrize("package", sorted(p.name for p in ROOT.iterdir() if (p / "__init__.py").exists()))
def test_the_rooms_of_a_package_draw_no_circle(package: str, arrows: dict[str, set[str]]) -> None:
    inside = f"medloop.{package}."

    def room(name: str) -> str:
        return name.removeprefix(inside).split(".")[0]

    rooms: dict[str, set[str]] = {}
    for name, found in arrows.items():
        if name.startswith(inside):
            rooms.setdefault(room(name), set()).update(room(n) for n in found if n.startswith(inside) and room(n) != room(name))
    assert _circle(rooms) == []


@pytest.mark.parametrize("package", ["loop", "server", "models"])
def test_every_room_stands_on_the_page_about_the_architecture(package: str) -> None:
    page = (ROOT.parent.parent / "docs" / "architecture.md").read_text()
    rooms = [p.name for p in (ROOT / package).iterdir() if (p / "__init__.py").exists()]
    assert len(rooms) >= 4
    assert [name for name in rooms if f"`{package}/{name}`" not in page] == []
