"""Tables: text to the left, numbers and their headings to the right, matrices in boxes."""

from collections.abc import Iterable, Sequence

from markupsafe import Markup

from medloop.report.markup import element, note


def table(head: Sequence[str], rows: Iterable[Sequence[object]], *, text: Sequence[int] = (0,), none: str = "None yet.") -> Markup:
    """A table.

    Args:
        head: Names of the columns.
        rows: Cells, markup or plain; the first names its row.
        text: Columns that hold words: they and their headings stand to the left, all others to the right.
        none: Said instead of a table without rows.
    """
    side = ["t" if n in text else None for n in range(len(head))]
    body = [element("tr", *(_cell(n, *cell) for n, cell in enumerate(zip(row, side, strict=True)))) for row in rows]
    if not body:
        return note(none)
    top = element("tr", *(element("th", name, scope="col", class_=where) for name, where in zip(head, side, strict=True)))
    return element("div", element("table", element("thead", top), element("tbody", *body)), class_="scroll")


def matrix(names: Sequence[str], cells: Sequence[Sequence[Markup]], *, foot: Sequence[Markup] = (), corner: str = "") -> Markup:
    """Rows against columns of the same names.

    Args:
        names: Of rows and columns.
        cells: `td` elements, row by row.
        foot: Cells of a last row, its `th` first.
        corner: What rows and columns are.
    """
    head = element("tr", element("td", corner, class_="self"), *(element("th", name, scope="col") for name in names))
    rows = [element("tr", element("th", name, scope="row"), *row) for name, row in zip(names, cells, strict=True)]
    last = [element("tr", *foot)] if foot else []
    return element("div", element("table", element("thead", head), element("tbody", *rows, *last), class_="matrix"), class_="scroll")


def _cell(n: int, value: object, side: str | None) -> Markup:
    return element("th", value, scope="row") if n == 0 else element("td", value, class_=side)
