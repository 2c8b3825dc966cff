"""HTML and SVG made of elements: every text is escaped unless it is markup already, so no name can break a page."""

from collections.abc import Iterable

from markupsafe import Markup, escape

_EMPTY = frozenset({"meta", "br", "line", "rect", "circle", "path", "polygon", "polyline", "image"})


def element(name: str, /, *children: object, **attributes: object) -> Markup:
    """One element.

    Args:
        name: Its tag; pictures that hold nothing close themselves, so that a page is XML, too.
        children: Markup as it is, everything else as escaped text; None is left out.
        attributes: `class_` is written class, `text_anchor` text-anchor; numbers are rounded to a hundredth, None is left out.
    """
    given = ((key.rstrip("_").replace("_", "-"), _plain(value)) for key, value in attributes.items() if value is not None)
    head = Markup("").join(Markup(' {}="{}"').format(*pair) for pair in given)
    if name in _EMPTY and not children:
        return Markup("<{}{}/>").format(name, head)
    return Markup("<{}{}>{}</{}>").format(name, head, joined(children), name)


def joined(parts: Iterable[object]) -> Markup:
    """Parts one after the other, what is not markup escaped."""
    return Markup("").join(escape(part) for part in parts if part is not None)


def note(*text: object) -> Markup:
    """A paragraph in small print; nothing for no text."""
    return element("p", *text, class_="soft") if any(text) else Markup("")


def listed(items: Iterable[object]) -> Markup:
    """A bulleted list; nothing for no item."""
    found = [element("li", item) for item in items]
    return element("ul", *found) if found else Markup("")


def _plain(value: object) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
