"""Marks in place of masks: bring a document of them in, write one, list them."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from medloop.cli.options import AsJson, ProjectFolder, open_project, option
from medloop.cli.printing import print_table, say, tell
from medloop.core.errors import ConflictError, MedloopError, SettingError

if TYPE_CHECKING:
    from medloop.loop.data.marks_files import MarkedLine, MarksReport


def marks(
    folder: ProjectFolder,
    file: Annotated[Path | None, option("--import", metavar="FILE", help="Take the marks of this JSON document.")] = None,
    out: Annotated[Path | None, option(metavar="FILE", help="Write all marks to this JSON document.")] = None,
    as_json: AsJson = False,
) -> None:
    """List cases with marks (points, scribbles, boxes, tags) in place of masks, or take or write a document of them.

    Trainings learn from marks where a case has no mask; nothing is evaluated against them.
    """
    from medloop.images.files import write_atomic
    from medloop.loop.data.marks_files import import_marks, marked_cases, marks_document

    if file is not None and out is not None:
        raise SettingError("Marks are taken or written, got both --import and --out", remedy="give one of the two")
    with open_project(folder) as workspace:
        if file is not None:
            report = import_marks(workspace, file, actor="cli")
            tell(report, lambda: print_marks_report(report), as_json=as_json)
            if not (report.taken or report.known):
                raise MedloopError(f"No marks were taken from {file}", remedy="see the lines above")
            return
        lines = marked_cases(workspace)
        if out is not None:
            if out.exists():
                raise ConflictError(f"{out} exists", remedy="name a new file")
            write_atomic(out, marks_document(workspace, lines).encode())
            say(f"Wrote {out}")
    tell([_listed(line) for line in lines], lambda: _print_lines(lines), as_json=as_json)


def print_marks_report(report: "MarksReport", *, said: bool = False) -> None:
    """What became of a document of marks; `said` keeps the last line off the output, which is a document of its own."""
    for refusal in report.refused:
        say(f"left out: {refusal}")
    if report.beside_masks:
        say(f"note: kept, and not learned from while a mask stands, which says more: {', '.join(report.beside_masks[:5])}")
    (say if said else typer.echo)(f"marks: {report}")


def _listed(line: "MarkedLine") -> dict[str, object]:
    from medloop.interaction.weak.marks import kind_of_mark

    kinds = dict(Counter(kind_of_mark(mark) for mark in line.marks))
    return {"case": line.case, "annotator": line.annotator, "effort_seconds": line.effort_seconds, "marks": kinds}


def _print_lines(lines: "tuple[MarkedLine, ...]") -> None:
    rows = []
    for line in map(_listed, lines):
        kinds = line["marks"]
        shown = ", ".join(f"{count} {kind}" for kind, count in kinds.items()) if isinstance(kinds, dict) else ""
        rows.append((str(line["case"]), str(line["annotator"] or "-"), shown, f"{line['effort_seconds']:.0f}"))
    print_table(("case", "annotator", "marks", "seconds"), rows)
