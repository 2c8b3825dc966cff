"""Scales with ticks at round numbers, and the frame of a chart: grid, ticks and titles."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor, log10

from markupsafe import Markup

from medloop.report.markup import element

WIDTH, HEIGHT = 860.0, 400.0
LEFT, TOP, BOTTOM = 66.0, 16.0, 52.0
TICKS, AWAY = 6, 0.06
"""Numbers along a scale, about; room at either end of values, as a share of their range."""


@dataclass(frozen=True)
class Scale:
    """Numbers to pixels.

    Attributes:
        low, high: Ends of the numbers, low < high.
        start, end: Their places; the end may come first.
        title: What is measured, with its unit.
        whole: Whether only whole numbers are marked.
    """

    low: float
    high: float
    start: float
    end: float
    title: str = ""
    whole: bool = False

    def at(self, value: float) -> float:
        """Where a number lies."""
        return self.start + (self.end - self.start) * (value - self.low) / (self.high - self.low)

    @property
    def ticks(self) -> list[float]:
        """Round numbers within the range."""
        return nice_ticks(self.low, self.high, whole=self.whole)


def nice_ticks(low: float, high: float, *, whole: bool = False) -> list[float]:
    """Multiples of 1, 2 or 5 times a power of ten within a range, about `TICKS` of them, at least 1 apart where they are to be `whole`."""
    span = max(high - low, 1e-9)
    power = 10.0 ** floor(log10(span / TICKS))
    step = next(s * power for s in (1, 2, 5, 10) if s * power >= span / TICKS * (1 - 1e-9))
    step = max(step, 1.0) if whole else step
    first = -floor(-low / step + 1e-9)
    last = floor(high / step + 1e-9)
    return [round(n * step, 12) for n in range(first, last + 1)]


def room(values: Sequence[float], *, least: float = 0.01) -> tuple[float, float]:
    """A range around values, with some room at both ends."""
    low, high = min(values), max(values)
    away = AWAY * max(high - low, least)
    return low - away, high + away


def frame(
    x: Scale, y: Scale, *marks: Markup | None, label: str, size: tuple[float, float] = (WIDTH, HEIGHT), diagonal: bool = False
) -> Markup:
    """A chart: the grid below, then the marks.

    Args:
        x: The scale to the right.
        y: The scale upwards.
        marks: Drawn in this order; None is left out.
        label: What it shows, for those who hear it.
        size: Width and height of the whole, in pixels.
        diagonal: Whether equal numbers on both axes are marked.
    """
    grid = [element("line", class_="grid", x1=x.start, x2=x.end, y1=y.at(v), y2=y.at(v)) for v in y.ticks]
    left = [element("text", _number(v), x=x.start - 8, y=y.at(v) + 4, text_anchor="end") for v in y.ticks]
    stubs = [element("line", class_="axis", x1=x.at(v), x2=x.at(v), y1=y.start, y2=y.start + 5) for v in x.ticks]
    below = [element("text", _number(v), x=x.at(v), y=y.start + 20, text_anchor="middle") for v in x.ticks]
    axis = element("line", class_="axis", x1=x.start, x2=x.end, y1=y.start, y2=y.start)
    low, high = max(x.low, y.low), min(x.high, y.high)
    same = element("line", class_="leader", x1=x.at(low), x2=x.at(high), y1=y.at(low), y2=y.at(high)) if diagonal else None
    titles = (
        element("text", x.title, x=(x.start + x.end) / 2, y=y.start + 42, text_anchor="middle"),
        element("text", y.title, transform=f"translate(16 {(y.start + y.end) / 2:g}) rotate(-90)", text_anchor="middle"),
    )
    return svg(*grid, *left, *stubs, *below, axis, *titles, same, *marks, label=label, size=size)


def svg(*marks: Markup | None, label: str, size: tuple[float, float]) -> Markup:
    """Marks as one picture of its own scale."""
    return element("svg", *marks, viewBox=f"0 0 {size[0]:g} {size[1]:g}", role="img", aria_label=label)


def _number(value: float) -> str:
    return f"{value:g}".replace("-", "−")
