"""Charts as inline SVG: curves with their intervals, distributions, agreement of two measurements, bars.

Own code, since no kept library draws SVG without scripts and without the weight of matplotlib. Colours of series come from the
page's style sheet and differ in shape as well, so that they are told apart without colour and in print.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from medloop.metrics.intervals import Interval
from medloop.metrics.limits import Agreement
from medloop.report.axes import BOTTOM, HEIGHT, LEFT, TOP, WIDTH, Scale, frame, room, svg
from medloop.report.markup import element, joined

NAMES = 176.0
"""Room for the names at the lines' ends."""

LINE_GAP = 16.0
"""Least distance between these names."""

SIDE = 420.0
"""Width of a chart that stands beside another."""

STYLES = 9
"""Series are told apart by colour, and beyond colour by a marker of their own (see `_marker`)."""

ROW = 34.0
"""Height of a row of dots or of a bar."""


@dataclass(frozen=True)
class Point:
    """A point of a line; without ends no interval is drawn."""

    x: float
    mean: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Line:
    """A named line, its points from left to right."""

    name: str
    points: Sequence[Point]


@dataclass(frozen=True)
class Row:
    """A named row of values, in a colour of its own or that of its series."""

    name: str
    values: Sequence[float]
    colour: str | None = None


def curves(lines: Sequence[Line], *, x_title: str, y_title: str, bound: Interval | None = None, bound_name: str = "") -> Markup:
    """Lines with their intervals as bands, each named at its end.

    Args:
        lines: At least one, in the order of their colours; values within 0..1, whole numbers across.
        x_title: What is counted.
        y_title: What is measured.
        bound: A level that all are held against, drawn as a dashed line with its band.
        bound_name: What it is.
    """
    ends = [_ends(p) for line in lines for p in line.points] + ([_ends(bound)] if bound else [])
    low, high = room([v for pair in ends for v in pair])
    across = [p.x for line in lines for p in line.points]
    most = max(across) if max(across) > min(across) else min(across) + 1
    x = Scale(min(across), most, LEFT, WIDTH - NAMES, x_title, whole=True)
    y = Scale(max(0.0, low), min(1.0, high) if high > 0.005 else high, HEIGHT - BOTTOM, TOP, y_title)
    bands = [_band(x, y, line, n) for n, line in enumerate(lines)]
    drawn = [_line(x, y, line, n) for n, line in enumerate(lines)]
    level = _level(x, y, bound, bound_name) if bound else None
    label = f"{y_title} against {x_title} for {', '.join(line.name for line in lines)}"
    return frame(x, y, level, *bands, *drawn, _end_names(x, y, lines), label=label)


def distribution(rows: Sequence[Row], *, title: str) -> Markup:
    """Every value, 0..1, as a dot, row by row, with the middle half as a bar and the median as a stroke."""
    bottom = TOP + ROW * len(rows)
    x = Scale(0.0, 1.0, 190.0, WIDTH - 24.0, title)
    parts = [part for n, row in enumerate(rows) for part in _dots_row(x, row, TOP + ROW * (n + 0.5), n)]
    return svg(*_ruler(x, bottom), *parts, label=f"{title}: {', '.join(row.name for row in rows)}", size=(WIDTH, bottom + BOTTOM))


def bars(rows: Sequence[tuple[str, float]], *, title: str) -> Markup:
    """One bar per name, from 0."""
    bottom = TOP + ROW * len(rows)
    x = Scale(0.0, max(*(value for _, value in rows), 1e-9) * 1.05, 190.0, WIDTH - 70.0, title)
    parts = []
    for n, (name, value) in enumerate(rows):
        y = TOP + ROW * n
        parts.append(element("rect", class_="bar c0", x=x.at(0), y=y + 6, width=x.at(value) - x.at(0), height=ROW - 12))
        parts.append(element("text", _short(name), class_="name", x=x.start - 10, y=y + ROW / 2 + 4, text_anchor="end"))
        parts.append(element("text", f"{value:.1f}", x=x.at(value) + 6, y=y + ROW / 2 + 4))
    return svg(*_ruler(x, bottom), *parts, label=f"{title}: {', '.join(name for name, _ in rows)}", size=(WIDTH, bottom + BOTTOM))


def bland_altman(name: str, pairs: Sequence[tuple[str, float, float]], agreement: Agreement, *, unit: str, colour: str) -> Markup:
    """Differences of two measurements against their means, with the mean difference and the limits of agreement.

    Args:
        name: What was measured.
        pairs: (whose, predicted, true), at least one.
        agreement: Of predicted minus true.
        unit: Of the measurements.
        colour: Of the dots.

    Source: Bland and Altman 1986, doi:10.1016/S0140-6736(86)90837-8.
    """
    means, differences = [(p + t) / 2 for _, p, t in pairs], [p - t for _, p, t in pairs]
    lines = [(value, words) for value, words in ((agreement.high, "+1.96 s"), (agreement.mean, "mean"), (agreement.low, "−1.96 s"))]
    shown = [(value, words) for value, words in lines if value is not None]
    x = Scale(*room(means, least=1e-6), LEFT, SIDE - 64.0, f"mean of predicted and annotated, {unit}")
    y = Scale(*room([0.0, *differences, *(v for v, _ in shown)], least=1e-6), HEIGHT - BOTTOM, TOP, f"predicted − annotated, {unit}")
    zero = element("line", class_="axis", x1=x.start, x2=x.end, y1=y.at(0), y2=y.at(0))
    places = spread([y.at(value) for value, _ in shown], LINE_GAP, TOP, HEIGHT - BOTTOM)
    levels = [element("line", class_="full", x1=x.start, x2=x.end, y1=y.at(value), y2=y.at(value)) for value, _ in shown]
    levels += [element("text", words, x=x.end + 6, y=place + 4) for (_, words), place in zip(shown, places, strict=True)]
    dots = [
        _dot(x.at(m), y.at(d), f"{whose}: {d:+.3g} {unit}", colour) for (whose, _, _), m, d in zip(pairs, means, differences, strict=True)
    ]
    return frame(x, y, zero, *levels, *dots, label=f"Agreement of predicted and annotated {name}", size=(SIDE, HEIGHT))


def against(pairs: Sequence[tuple[str, float, float]], *, x_title: str, y_title: str) -> Markup:
    """The same things measured twice, as (whose, first, second), at least one: above the diagonal the second measurement is higher."""
    low, high = room([v for _, a, b in pairs for v in (a, b)])
    low, high = max(0.0, low), min(1.0, high) if high > 0.005 else high
    x = Scale(low, high, LEFT, SIDE - 16.0, x_title)
    y = Scale(low, high, HEIGHT - BOTTOM, TOP, y_title)
    dots = [_dot(x.at(a), y.at(b), f"{whose}: {a:.3f}, then {b:.3f}") for whose, a, b in pairs]
    return frame(x, y, *dots, label=f"{y_title} against {x_title}", size=(SIDE, HEIGHT), diagonal=True)


def unit_square(lines: Sequence[Line], *, x_title: str, y_title: str, markers: bool = True) -> Markup:
    """Lines within 0..1 both ways with the diagonal: ROC curves, reliability; the n-th line has the n-th colour."""
    x, y = Scale(0.0, 1.0, LEFT, SIDE - 16.0, x_title), Scale(0.0, 1.0, HEIGHT - BOTTOM, TOP, y_title)
    drawn = [_line(x, y, line, n, markers=markers) for n, line in enumerate(lines)]
    return frame(x, y, *drawn, label=f"{y_title} against {x_title}", size=(SIDE, HEIGHT), diagonal=True)


def key(names: Sequence[str]) -> Markup:
    """Names of series with their colours and markers, in one line."""
    marks = (element("svg", element("g", _marker(n, 7, 7)), viewBox="0 0 14 14", class_=f"key c{n % STYLES}") for n in range(len(names)))
    return element("p", *(joined((mark, f" {name}  ")) for mark, name in zip(marks, names, strict=True)), class_="soft")


def spread(places: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Move ascending places apart by at least `gap`, as little as a pass down and a pass up need."""
    moved = list(places)
    for n in range(len(moved)):
        moved[n] = max(moved[n], moved[n - 1] + gap if n else low)
    for n in reversed(range(len(moved))):
        moved[n] = min(moved[n], moved[n + 1] - gap if n + 1 < len(moved) else high)
    return moved


def _ends(value: Interval | Point) -> tuple[float, float]:
    """Ends of the interval; the mean twice where there is none, so that no band is seen."""
    return (value.mean, value.mean) if value.low is None or value.high is None else (value.low, value.high)


def _band(x: Scale, y: Scale, line: Line, n: int) -> Markup:
    there = [f"{x.at(p.x):.1f},{y.at(_ends(p)[1]):.1f}" for p in line.points]
    back = [f"{x.at(p.x):.1f},{y.at(_ends(p)[0]):.1f}" for p in reversed(line.points)]
    return element("polygon", class_=f"band c{n % STYLES}", points=" ".join(there + back))


def _line(x: Scale, y: Scale, line: Line, n: int, *, markers: bool = True) -> Markup:
    places = [(x.at(p.x), y.at(p.mean)) for p in line.points]
    marks = [joined((_marker(n, *place), None)) for place in places] if markers else []
    points = " ".join(f"{a:.1f},{b:.1f}" for a, b in places)
    return element("g", element("polyline", class_="line", points=points), *marks, class_=f"c{n % STYLES}")


def _level(x: Scale, y: Scale, bound: Interval, name: str) -> Markup:
    low, high = _ends(bound)
    return joined(
        (
            element("rect", class_="full", x=x.start, y=y.at(high), width=x.end - x.start, height=y.at(low) - y.at(high)),
            element("line", class_="full", x1=x.start, x2=x.end, y1=y.at(bound.mean), y2=y.at(bound.mean)),
            element("text", f"{name}: {bound.mean:.3f}", x=x.start + 6, y=y.at(bound.mean) - 6),
        )
    )


def _end_names(x: Scale, y: Scale, lines: Sequence[Line]) -> Markup:
    """The name of every line beside its end, moved apart where ends lie close."""
    ends = sorted((y.at(line.points[-1].mean), n) for n, line in enumerate(lines))
    places = spread([place for place, _ in ends], LINE_GAP, TOP + 6.0, y.start - 4.0)
    parts = []
    for (end, n), place in zip(ends, places, strict=True):
        last = x.at(lines[n].points[-1].x)
        parts.append(element("line", class_="leader", x1=last + 6, y1=end, x2=x.end + 20, y2=place))
        parts.append(element("g", _marker(n, x.end + 28, place), class_=f"c{n % STYLES}"))
        parts.append(element("text", lines[n].name, class_="name", x=x.end + 38, y=place + 4))
    return joined(parts)


def _dots_row(x: Scale, row: Row, y: float, n: int) -> list[Markup]:
    low, middle, high = (float(v) for v in np.quantile(row.values, (0.25, 0.5, 0.75)))
    colour = {"class_": f"c{n % STYLES}"} if row.colour is None else {"style": f"color:{row.colour}"}
    words = f"median {middle:.3f}, middle half {low:.3f} to {high:.3f}, n = {len(row.values)}"
    box = element("rect", element("title", words), x=x.at(low), y=y - 8, width=x.at(high) - x.at(low), height=16, class_="box")
    stroke = element("line", x1=x.at(middle), x2=x.at(middle), y1=y - 11, y2=y + 11, class_="median")
    dots = [element("circle", cx=x.at(v), cy=y, r=4.5, class_="dot") for v in row.values]
    name = element("text", _short(row.name), class_="name", x=x.start - 10, y=y + 4, text_anchor="end")
    return [name, element("g", box, *dots, stroke, **colour)]


def _ruler(x: Scale, bottom: float) -> list[Markup]:
    lines = [element("line", class_="grid", x1=x.at(v), x2=x.at(v), y1=TOP, y2=bottom) for v in x.ticks]
    below = [element("text", f"{v:g}", x=x.at(v), y=bottom + 18, text_anchor="middle") for v in x.ticks]
    return [*lines, *below, element("text", x.title, x=(x.start + x.end) / 2, y=bottom + 40, text_anchor="middle")]


def _dot(x: float, y: float, words: str, colour: str | None = None) -> Markup:
    style = {"class_": "dot c0"} if colour is None else {"class_": "dot", "style": f"color:{colour}"}
    return element("g", element("title", words), element("circle", cx=x, cy=y, r=4.5), **style)


def _short(name: str) -> str:
    return name if len(name) <= 24 else f"{name[:23]}…"


def _marker(n: int, x: float, y: float) -> Markup:
    """Circle, square, triangle, diamond, …: readable without colour."""
    shapes = (
        element("circle", cx=x, cy=y, r=4),
        element("rect", x=x - 3.5, y=y - 3.5, width=7, height=7),
        element("path", d=f"M{x:.1f} {y - 5:.1f}l4.6 8h-9.2z"),
        element("path", d=f"M{x:.1f} {y - 5:.1f}l5 5l-5 5l-5 -5z"),
        element("path", d=f"M{x:.1f} {y + 5:.1f}l4.6 -8h-9.2z"),
    )
    return shapes[n % len(shapes)]
