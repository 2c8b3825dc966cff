"""Draws the documentation's figures from the code's own tables: `python docs/figures.py` writes them, a test fails when they are stale.

- `architecture.svg`: the layers that import-linter checks (pyproject.toml), top to bottom; imports point downwards.
- `axes.svg`: the planes of a RAS+ grid and of a picture, as `medloop.Grid` says they are drawn.
"""

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from medloop import Grid

HERE = Path(__file__).parent
INK, PAPER, LINE, FILL, ACCENT = "#1f2933", "#ffffff", "#9aa5b1", "#e8eef4", "#0b6e4f"
ROW, GAP, PANEL = 34, 8, 400


def _text(x: float, y: float, words: str, *, anchor: str = "middle", colour: str = INK, size: int = 14) -> str:
    return f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" font-size="{size}" fill="{colour}">{escape(words)}</text>'


def _box(x: float, y: float, width: float, height: float, words: str = "") -> str:
    rect = f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="5" fill="{FILL}" stroke="{LINE}"/>'
    return rect + (_text(x + width / 2, y + height / 2 + 5, words) if words else "")


def _arrow(x: float, y: float, dx: float, dy: float) -> str:
    ends = f'x1="{x:g}" y1="{y:g}" x2="{x + dx:g}" y2="{y + dy:g}"'
    return f'<line {ends} stroke="{ACCENT}" stroke-width="2" marker-end="url(#tip)"/>'


def _page(width: float, height: float, title: str, parts: Sequence[str]) -> str:
    shape = f'<path d="M0 0L8 4L0 8z" fill="{ACCENT}"/>'
    tip = f'<marker id="tip" markerWidth="8" markerHeight="8" refX="6" refY="4" orient="auto">{shape}</marker>'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" role="img" font-family="sans-serif">'
    body = "\n".join(parts)
    return f'{head}<title>{escape(title)}</title><defs>{tip}</defs>\n<rect width="100%" height="100%" fill="{PAPER}"/>\n{body}\n</svg>\n'


def layers(contracts: Sequence[dict[str, Any]]) -> dict[str, list[list[str]]]:
    """The layers of each package that a contract draws, top first; names on one line do not import each other."""
    drawn = [c for c in contracts if c["type"] == "layers"]
    return {c["containers"][0]: [[name.strip() for name in layer.split("|")] for layer in c["layers"]] for c in drawn}


def _stack(x: float, y: float, package: str, rows: Sequence[Sequence[str]]) -> list[str]:
    parts = [_text(x, y - 10, package, anchor="start", size=16)]
    for n, row in enumerate(rows):
        width = (PANEL - GAP * (len(row) - 1)) / len(row)
        parts += [_box(x + m * (width + GAP), y + n * (ROW + GAP), width, ROW, name) for m, name in enumerate(row)]
    return parts


def architecture(contracts: Sequence[dict[str, Any]]) -> str:
    """The layers of all packages: the whole on the left, the rooms of the larger packages on the right."""
    found = layers(contracts)
    (whole, main), *rooms = found.items()
    parts = _stack(20, 40, whole, main)
    top, bottom = 40.0, 40.0 + len(main) * (ROW + GAP)
    for package, rows in rooms:
        parts += _stack(PANEL + 60, top, package, rows)
        top += len(rows) * (ROW + GAP) + 40
    return _page(2 * PANEL + 80, max(bottom, top - 30), "Layers of medloop: imports point downwards only", parts)


def _pane(x: float, grid: Grid, name: str, words: str, *, letters: bool = True) -> list[str]:
    """One plane as it is drawn: its letters, and the voxel axes with the direction in which their index grows."""
    plane = next(p for p in grid.planes() if p.name == name)
    side, y = 150, 60
    parts = [_text(x + side / 2, 24, words, size=15), _box(x, y, side, side)]
    start_x, towards_x = (x + side - 20, -1) if plane.x_flip else (x + 20, 1)
    start_y, towards_y = (y + side - 20, -1) if plane.y_flip else (y + 20, 1)
    parts += [_arrow(start_x, start_y, 45 * towards_x, 0), _arrow(start_x, start_y, 0, 45 * towards_y)]
    parts.append(_text(start_x + 58 * towards_x, start_y + 5, "IJK"[plane.x_axis], colour=ACCENT))
    parts.append(_text(start_x, start_y + 60 * towards_y + 5, "IJK"[plane.y_axis], colour=ACCENT))
    if letters:
        left_of, right_of, above, below = plane.edges
        places = ((x - 12, y + 80, left_of), (x + side + 12, y + 80, right_of), (x + 75, y - 6, above), (x + 75, y + side + 18, below))
        parts += [_text(a, b, letter, size=16) for a, b, letter in places]
    return parts


def axes() -> str:
    """Three planes of a volume in RAS+ order, and a picture."""
    volume, picture = Grid.of_spacing((64, 64, 48), (1, 1, 1)), Grid.flat(64, 64)
    parts: list[str] = []
    for n, name in enumerate(("axial", "coronal", "sagittal")):
        parts += _pane(40 + n * 220, volume, name, f"{name} (RAS+ volume)")
    parts += _pane(40 + 3 * 220, picture, "axial", "picture, as stored", letters=False)
    return _page(900, 260, "Which way the voxel axes I, J, K run on the screen", parts)


def figures() -> dict[str, str]:
    """Every figure by its file's name under `docs/images`."""
    project = tomllib.loads((HERE.parent / "pyproject.toml").read_text(encoding="utf-8"))
    return {"architecture.svg": architecture(project["tool"]["importlinter"]["contracts"]), "axes.svg": axes()}


if __name__ == "__main__":
    for name, drawing in figures().items():
        (HERE / "images" / name).write_text(drawing, encoding="utf-8")
