"""Markup as a value that a notebook shows as it is."""

from dataclasses import dataclass

from markupsafe import Markup

from medloop.report.markup import element
from medloop.report.style import inline_style_sheet


@dataclass(frozen=True)
class Inline:
    """Something to look at in a notebook's cell; elsewhere its words.

    Attributes:
        body: The markup.
        words: The same for a terminal.
    """

    body: Markup
    words: str

    def _repr_html_(self) -> str:
        """What a notebook shows: markup with its own style, no script, nothing from elsewhere."""
        sheet = element("style", Markup(inline_style_sheet()))  # noqa: S704  # a constant of this package
        return str(element("div", sheet, self.body, class_="medloop"))

    def __repr__(self) -> str:
        return self.words
