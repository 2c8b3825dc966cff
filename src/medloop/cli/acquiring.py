"""`medloop acquisition`: whether images are good enough, or had better be acquired again."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from medloop.cli.option_groups import with_option_group
from medloop.cli.options import AsJson, ProjectFolder, argument, open_project, option
from medloop.cli.printing import print_json, print_table, say
from medloop.core.errors import MedloopError

if TYPE_CHECKING:
    from medloop.loop.overview.acquisition import AcquisitionCheck, Demand
    from medloop.loop.overview.acquisition_checks import AcquisitionChecker

Rows = list[tuple[str, "AcquisitionCheck"]]


@dataclass(frozen=True)
class Required:
    """What is required of the images, and how they are read."""

    joined: Annotated[bool, typer.Option("--joined", help="The images are the channels of one.")] = False
    pixel_mm: Annotated[float | None, option(help="Pixel size of pictures whose files have none.")] = None
    alarm: Annotated[float, option(help="Share of good images that may be called bad.")] = 0.05
    measure: Annotated[str, option(help="The figure that images are acquired for, such as circumference.")] = ""
    tolerance: Annotated[float, option(help="How far its bounds may be away, as a share of it.")] = 0.25
    every: Annotated[bool, typer.Option("--all", help="Also name the project's cases that are good enough.")] = False


@with_option_group("wanted", Required)
def acquisition(
    folder: ProjectFolder,
    images: Annotated[
        list[Path] | None, argument(metavar="[IMAGE…]", help="Images that are not stored, each a file or the folder of a DICOM series.")
    ] = None,
    *,
    wanted: Required,
    as_json: AsJson = False,
) -> None:
    """Judge the acquisition of images: accept, or acquire again, and why.

    Limits come from the project's own images, and from its model where there is one. Without IMAGE the project's own cases
    are judged. Nothing is stored.
    """
    from medloop.loop.overview.acquisition import Demand
    from medloop.loop.overview.acquisition_checks import AcquisitionChecker, check_cases

    demand = Demand(wanted.alarm, wanted.measure, wanted.tolerance)
    with open_project(folder) as workspace:
        if not images:
            rows = [(one.case_name, one.check) for one in check_cases(workspace, demand, log=say)]
            failed = 0
        else:
            rows, failed = _of_images(AcquisitionChecker(workspace, demand), images, wanted)
    if as_json:
        print_json([{"image": name, "check": check} for name, check in rows])
    else:
        _print(rows, every=bool(images) or wanted.every, demand=demand)
    if failed:
        raise typer.Exit(1)


def _of_images(checker: "AcquisitionChecker", images: Sequence[Path], wanted: Required) -> tuple[Rows, int]:
    """Every image that could be judged, and how many could not: each of these has one line on stderr."""
    rows, failed = [], 0
    for name, files in _named(images, joined=wanted.joined):
        try:
            rows.append((name, checker.check(files, pixel_mm=wanted.pixel_mm).check))
        except MedloopError as error:
            failed += 1
            typer.echo(f"medloop: {_line(name, error)}", err=True)
    return rows, failed


def _named(images: Sequence[Path], *, joined: bool) -> Iterator[tuple[str, Sequence[Path]]]:
    if joined:
        yield images[0].name, images
    else:
        yield from ((image.name, [image]) for image in images)


def _line(name: str, error: MedloopError) -> str:
    text = str(error)
    return text if text.startswith(name) else f"{name}: {text}"


def _print(rows: Rows, *, every: bool, demand: "Demand") -> None:
    shown = [(name, check) for name, check in rows if every or check.verdict == "acquire again"]
    if shown:
        print_table(("image", "verdict", "why"), [[name, check.verdict, _why(check)] for name, check in shown])
    if len(shown) == 1 and every:
        _print_numbers(shown[0][1])
    again = sum(check.verdict == "acquire again" for _, check in rows)
    say(f"{again} of {len(rows)} to acquire again; {_known(rows)}" if rows else "No image was judged")
    for note in dict.fromkeys(note for _, check in rows for note in check.notes):
        say(note)
    if demand.measure:
        say(f"The demand of the {demand.measure} is not among the false alarms")


def _print_numbers(check: "AcquisitionCheck") -> None:
    print_table(
        ("sign", "value", "usual", "score"),
        [
            [line.words, f"{line.value:.4g}", _number(line.usual), _number(line.score) + (" unusual" if line.unusual else "")]
            for line in check.signs
        ],
    )
    if check.expected is not None:
        print_table(
            ("expected Dice", "low", "high"), [[_number(check.expected), _number(check.expected_low), _number(check.expected_high)]]
        )
    if check.measures:
        print_table(
            ("label", "measure", "value", "unit", "low", "high"),
            [[m.label, m.name, _number(m.value), m.unit, _number(m.low), _number(m.high)] for m in check.measures],
        )


def _known(rows: Rows) -> str:
    check = rows[0][1]
    if not check.alarm:
        return "no rate of false alarms is known"
    kind = "annotated" if check.compared_with == "annotated" else "unflagged"
    return f"false alarms: at most {check.alarm:.3g} of good images, by {check.patients} patients with {kind} images"


def _why(check: "AcquisitionCheck") -> str:
    return "; ".join(reason.words for reason in check.reasons)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"
