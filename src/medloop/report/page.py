"""The frame of every report: one HTML document that opens offline, in light, dark and print, with no script in it."""

from collections.abc import Iterable

from markupsafe import Markup

from medloop.core.records import now
from medloop.report.markup import element, joined, listed
from medloop.report.style import style_sheet


def page(title: str, intro: str, parts: Iterable[object]) -> str:
    """A whole document with a heading, a line below it to which the time is added, and a body of markup; it loads nothing from anywhere."""
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width,initial-scale=1"),
        element("title", f"{title}: medloop report"),
        element("style", Markup(style_sheet())),  # noqa: S704  # a constant of this package
    )
    heading = (element("h1", title), element("p", f"{intro}, written {now()[:16]}Z.", class_="soft"))
    return f"<!doctype html>\n{element('html', head, element('body', *heading, *parts), lang='en')}\n"


def section(title: str, *parts: object) -> Markup:
    """A heading with what follows it."""
    return element("section", element("h2", title), *parts)


def advice(verdict: str, *parts: object, unsure: bool = False) -> Markup:
    """What to do next, in one line with reasons and further steps, set apart at the top; `unsure` while it may still change."""
    return element("div", element("p", element("strong", verdict)), *parts, class_="verdict open" if unsure else "verdict")


def steps(found: Iterable[tuple[str, str]]) -> Markup:
    """What to do and why, line by line."""
    return listed(joined((element("b", what), f" {why}")) for what, why in found)


def facts(rows: Iterable[tuple[str, object]]) -> Markup:
    """Names with their values."""
    return element("dl", *(part for name, value in rows for part in (element("dt", name), element("dd", value))))
