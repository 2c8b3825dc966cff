"""Learning curves as inline SVG: mean lines, bands over seeds, the full-data line; colours come from the page's CSS."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from medloop.core.names import counted
from medloop.metrics.intervals import Interval, interval_words
from medloop.simulation.curves import MeanPoint
from medloop.simulation.strategy_summary import StrategySummary

WIDTH, HEIGHT = 860, 430
LEFT, RIGHT, TOP, BOTTOM = 62, 170, 18, 52
LINE_GAP = 16.0
"""Least distance between the names at the lines' ends."""

STYLES = 9
"""Lines are told apart by colour, and beyond colour by a marker of their own (see `_marker`)."""


@dataclass(frozen=True)
class _Scale:
    """Data to pixels."""

    x_low: float
    x_high: float
    y_low: float
    y_high: float

    def x(self, value: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * (value - self.x_low) / max(self.x_high - self.x_low, 1e-9)

    def y(self, value: float) -> float:
        return TOP + (HEIGHT - TOP - BOTTOM) * (1 - (value - self.y_low) / max(self.y_high - self.y_low, 1e-9))


def curves_svg(strategies: Sequence[StrategySummary], full: Interval | None, *, metric: str) -> str:
    """The chart.

    Args:
        strategies: In the order of their colours.
        full: Full-data score, drawn as a dashed line with its band.
        metric: Name of what is measured, for the axis.
    """
    scale = _scale(strategies, full)
    parts = [_grid(scale, strategies, metric)]
    if full is not None:
        parts.append(_full_line(scale, full))
    parts += [_band(scale, s, n) for n, s in enumerate(strategies)]
    parts += [_line(scale, s, n) for n, s in enumerate(strategies)]
    parts.append(_names(scale, strategies))
    label = f"Learning curves: {metric} against answered cases for {', '.join(s.strategy for s in strategies)}"
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(label)}">{"".join(parts)}</svg>'


def nice_ticks(low: float, high: float, *, most: int = 6) -> list[float]:
    """Round numbers within a range, at most about `most` of them."""
    span = max(high - low, 1e-6)
    power = 10.0 ** _floor_log10(span / most)
    step = next(s * power for s in (1, 2, 2.5, 5, 10) if s * power >= span / most - 1e-12)
    first = -(-low // step)
    return [round((first + n) * step, 10) for n in range(int((high - first * step) / step + 1e-9) + 1)]


def _floor_log10(value: float) -> int:
    return int(f"{value:e}".split("e")[1])


def _scale(strategies: Sequence[StrategySummary], full: Interval | None) -> _Scale:
    ends = [_ends(p) for s in strategies for p in s.points] + ([_ends(full)] if full else [])
    lows, highs = [low for low, _ in ends], [high for _, high in ends]
    xs = [p.labelled for s in strategies for p in s.points]
    room = 0.06 * max(max(highs) - min(lows), 0.01)
    return _Scale(min(xs), max(xs) if max(xs) > min(xs) else min(xs) + 1, max(0.0, min(lows) - room), min(1.0, max(highs) + room))


def _ends(value: Interval | MeanPoint) -> tuple[float, float]:
    """Ends of the interval; the mean twice where there is none, so that no band is seen."""
    return (value.mean, value.mean) if value.low is None or value.high is None else (value.low, value.high)


def _grid(scale: _Scale, strategies: Sequence[StrategySummary], metric: str) -> str:
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    parts = []
    for value in nice_ticks(scale.y_low, scale.y_high):
        y = scale.y(value)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{value:g}</text>')
    for labelled in sorted({p.labelled for s in strategies for p in s.points}):
        x = scale.x(labelled)
        parts.append(f'<line class="axis" x1="{x:.1f}" x2="{x:.1f}" y1="{bottom}" y2="{bottom + 5}"/>')
        parts.append(f'<text x="{x:.1f}" y="{bottom + 20}" text-anchor="middle">{labelled}</text>')
    parts.append(f'<line class="axis" x1="{LEFT}" x2="{right}" y1="{bottom}" y2="{bottom}"/>')
    parts.append(f'<text x="{(LEFT + right) / 2}" y="{HEIGHT - 10}" text-anchor="middle">answered cases</text>')
    middle = (TOP + bottom) / 2
    parts.append(f'<text transform="translate(16 {middle}) rotate(-90)" text-anchor="middle">held-out {escape(metric)}</text>')
    return "".join(parts)


def _full_line(scale: _Scale, full: Interval) -> str:
    right, y = WIDTH - RIGHT, scale.y(full.mean)
    low, high = _ends(full)
    top, height = scale.y(high), scale.y(low) - scale.y(high)
    return (
        f'<rect class="full" x="{LEFT}" y="{top:.1f}" width="{right - LEFT}" height="{height:.1f}"/>'
        f'<line class="full" x1="{LEFT}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"><title>full data: {full.mean:.4f}</title></line>'
        f'<text x="{LEFT + 6}" y="{y - 6:.1f}">all cases answered: {full.mean:.3f}</text>'
    )


def _band(scale: _Scale, summary: StrategySummary, n: int) -> str:
    there = [f"{scale.x(p.labelled):.1f},{scale.y(_ends(p)[1]):.1f}" for p in summary.points]
    back = [f"{scale.x(p.labelled):.1f},{scale.y(_ends(p)[0]):.1f}" for p in reversed(summary.points)]
    return f'<polygon class="band c{n % STYLES}" points="{" ".join(there + back)}"/>'


def _line(scale: _Scale, summary: StrategySummary, n: int) -> str:
    places = [(scale.x(p.labelled), scale.y(p.mean)) for p in summary.points]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    name = escape(summary.strategy)
    marks = [
        f"<g>{_marker(n, x, y)}<title>{name}, {counted(p.labelled, 'case')}: {p.mean:.4f} ({interval_words(p, '.4f')})</title></g>"
        for p, (x, y) in zip(summary.points, places, strict=True)
    ]
    return f'<g class="c{n % STYLES}"><polyline class="line" points="{line}"/>{"".join(marks)}</g>'


def _names(scale: _Scale, strategies: Sequence[StrategySummary]) -> str:
    """The names at the lines' ends, moved apart where lines end close together, tied to them by thin leaders."""
    ends = sorted((scale.y(s.points[-1].mean), n) for n, s in enumerate(strategies))
    places = spread([y for y, _ in ends], LINE_GAP, TOP + 6.0, HEIGHT - BOTTOM - 4.0)
    right = WIDTH - RIGHT
    parts = []
    for (y, n), place in zip(ends, places, strict=True):
        parts.append(f'<line class="leader" x1="{right + 6}" y1="{y:.1f}" x2="{right + 20}" y2="{place:.1f}"/>')
        parts.append(f'<g class="c{n % STYLES}">{_marker(n, right + 28, place)}</g>')
        parts.append(f'<text class="name" x="{right + 38}" y="{place + 4:.1f}">{escape(strategies[n].strategy)}</text>')
    return "".join(parts)


def spread(places: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Move ascending places apart by at least `gap`, as little as a pass down and a pass up need."""
    moved = list(places)
    for n in range(len(moved)):
        moved[n] = max(moved[n], moved[n - 1] + gap if n else low)
    for n in reversed(range(len(moved))):
        moved[n] = min(moved[n], moved[n + 1] - gap if n + 1 < len(moved) else high)
    return moved


def _marker(n: int, x: float, y: float) -> str:
    """Circle, square, triangle, diamond, …: readable without colour."""
    shapes = (
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4"/>',
        f'<rect x="{x - 3.5:.1f}" y="{y - 3.5:.1f}" width="7" height="7"/>',
        f'<path d="M{x:.1f} {y - 5:.1f}l4.6 8h-9.2z"/>',
        f'<path d="M{x:.1f} {y - 5:.1f}l5 5l-5 5l-5 -5z"/>',
        f'<path d="M{x:.1f} {y + 5:.1f}l4.6 -8h-9.2z"/>',
    )
    return shapes[n % len(shapes)]
