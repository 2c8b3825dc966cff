"""The command that measures structures."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_args

import typer

from medloop.cli.options import AsJson, ProjectFolder, one_of, open_project, option
from medloop.cli.printing import print_json, print_table, say
from medloop.core.errors import SettingError

if TYPE_CHECKING:
    from medloop.loop.overview.measurements import CaseMeasures

HEAD = ("case", "measured", "label", "measure", "value", "unit", "low", "high", "accepted", "reason")


def measure(
    folder: ProjectFolder,
    of: Annotated[str, typer.Option(help="Whose masks: any (an annotation where there is one), annotation or prediction.")] = "any",
    tolerance: Annotated[float, typer.Option(help="Accept figures whose bounds are at most this share away.")] = 0.25,
    out: Annotated[Path | None, option(metavar="FILE.csv", help="Write the table to a file.")] = None,
    as_json: AsJson = False,
) -> None:
    """Measure every structure that was annotated or predicted.

    Volume, area, largest diameters and circumference, in millimetres where the size of a voxel is known. Figures of
    predictions have bounds, and say whether they can be accepted.
    """
    from medloop.loop.overview.measurements import Wanted, measure_project

    wanted = one_of("--of", "annotation" if of == "answer" else of, get_args(Wanted))
    if out is not None and (out.is_dir() or not out.resolve().parent.is_dir()):
        raise SettingError(f"--out must be a file in a folder that exists, got {out}", remedy="name a file such as measures.csv")
    with open_project(folder) as workspace:
        found = measure_project(workspace, of=wanted, tolerance=tolerance, log=say)
    if out is not None:
        _write(out, found)
        say(f"Wrote {out}")
    if as_json:
        print_json(found)
    elif not found:
        say(f"Nothing to measure: --of {wanted} found no mask; annotate a case, or train a model and predict")
    elif out is None:
        print_table(HEAD, [[_shown(cell) for cell in row] for row in _rows(found)])


def _rows(found: "list[CaseMeasures]") -> list[list[object]]:
    return [
        [case.case_name, case.source, m.label, m.name, m.value, m.unit, m.low, m.high, m.accepted, m.reason]
        for case in found
        for m in case.measures
    ]


def _shown(cell: object) -> str:
    if cell is None:
        return "-"
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    return f"{cell:.4g}" if isinstance(cell, float) else str(cell)


def _write(path: Path, found: "list[CaseMeasures]") -> None:
    import csv
    import io

    from medloop.images.files import write_atomic

    table = io.StringIO(newline="")
    writer = csv.writer(table)
    writer.writerow(HEAD)
    writer.writerows(["" if cell is None else cell for cell in row] for row in _rows(found))
    write_atomic(path, table.getvalue().encode())
