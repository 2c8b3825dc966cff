"""Commands about a project's contents: make, fill, look, take away, check."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_args

import typer

from medloop.cli.marks import print_marks_report
from medloop.cli.options import AsJson, ProjectFolder, argument, one_of, open_project, option
from medloop.cli.printing import print_json, say, tell
from medloop.cli.setting_options import with_setting_options
from medloop.core.declaring import SettingValue, declared, setting
from medloop.core.errors import MedloopError, SettingError
from medloop.core.names import counted, first_named

if TYPE_CHECKING:
    from medloop.datasets.channel_names import Wanted
    from medloop.loop.data.importing import ImportReport


@dataclass(frozen=True, kw_only=True)
class _Names:
    """What the names in a source mean, as options."""

    annotated: str = setting(
        "", "Labels, A,B, that its masks annotate where its table does not say.", "--annotated", "at once", shown_default="all it names"
    )
    proposals: str = setting(
        "", "A folder of masks or probability maps that become first proposals.", "--proposals", "at once", shown_default="none"
    )
    proposals_name: str = setting(
        "", "Who made them, such as nnunet-liver-2.", "--proposals-name", "at once", shown_default="the folder's name"
    )
    parts: str = setting(
        "", "A folder of masks with 255, or nnU-Net's ignore label, where nothing is annotated.", "--parts", "at once", shown_default="none"
    )
    patient_pattern: str = setting(
        "", "Regular expression whose first group is the patient in a case's name.", "--patient-pattern", "at once", shown_default="none"
    )
    blank: str = setting(
        "", "Rectangles X,Y,WIDTH,HEIGHT to blank in every new image, or outside-regions (ultrasound).", "--blank", "at once",
        longest=500, shown_default="nothing",
    )  # fmt: skip
    channels: str = setting(
        "", "Series or files that are one case's channels, T1,T2, the one with the grid first; T1=mprage where they are called otherwise.",
        "--channels", "at once", longest=500, shown_default="every series is a case",
    )  # fmt: skip
    resample_channels: bool = setting(
        False,
        "Bring channels on other grids onto the first one's, linearly; the case says which and how.",
        "--resample-channels",
        "at once",
    )
    registered: bool = setting(
        False, "All series of a case are registered, whatever frames of reference they name.", "--registered", "at once"
    )
    references: str = setting(
        "none", "Keep the other series of a case's study or patient to look at beside it.", "--references", "at once",
        choices=("none", "study", "patient"),
    )  # fmt: skip
    rehash: bool = setting(False, "Read every file again, also those that look unchanged since they were imported.", "--rehash", "at once")
    threshold: float = setting(
        0.0,
        "Share from which on a voxel of a fractional DICOM segmentation counts.",
        "--threshold",
        "at once",
        low=0.0,
        high=1.0,
        shown_default="such ones are refused",
    )


@with_setting_options(declared(_Names))
def import_(
    folder: ProjectFolder,
    settings: Mapping[str, SettingValue],
    source: Annotated[
        Path | None,
        typer.Argument(
            metavar="[SOURCE]",
            help="A folder of images in a known layout, a zip archive of one, a CSV, or a document of COCO, Label Studio or CVAT; "
            "not needed with --proposals or --parts.",
        ),
    ] = None,
    fmt: Annotated[str, typer.Option("--format", help="auto, msd, nnunet, folder, csv, dicom, coco, labelstudio or cvat.")] = "auto",
    annotations: Annotated[str, typer.Option(help="Which of its labels become annotations: all, evaluation or none.")] = "all",
    masks: Annotated[
        str,
        typer.Option(
            metavar="labels|foreground|DIR",
            help="labels; foreground: every mask value above 0 is the first label (instance maps); or a folder of DICOM SEG and RTSTRUCT.",
        ),
    ] = "labels",
    as_json: AsJson = False,
) -> None:
    """Bring images in, with labels and splits, and with --proposals what another tool proposes for them.

    What cannot be read is named, with what to do about it, and left out; the rest goes on. Safe to repeat: images that are
    there already stay as they are, and labels that came or changed since are taken as new annotations.
    """
    if source is None and not {"proposals", "parts"} & set(settings):
        raise SettingError("An import needs a SOURCE, --proposals or --parts, got none", remedy="medloop import DIR SOURCE")
    if source is not None:
        _import_source(folder, source, settings, (fmt, annotations, masks), as_json=as_json)
    if "proposals" in settings:
        _import_proposals(folder, settings, as_json=as_json, beside=source is not None)
    if "parts" in settings:
        _import_parts(folder, settings, as_json=as_json, beside=source is not None or "proposals" in settings)


def _import_source(folder: Path, source: Path, settings: Mapping[str, SettingValue], how: tuple[str, str, str], *, as_json: bool) -> None:
    from medloop.cli.progress import Bar
    from medloop.datasets.archives import unpacked
    from medloop.datasets.blanking import blanked
    from medloop.datasets.channel_groups import grouped
    from medloop.datasets.dataset import MaskReading
    from medloop.datasets.discover import open_dataset
    from medloop.datasets.table import split_names
    from medloop.loop.data.importing import AnnotationsWanted, import_dataset
    from medloop.loop.data.marks_files import import_marks, marks_beside
    from medloop.loop.foundation.pseudonyms import pseudonyms_of

    fmt, annotations, masks = how
    wanted = one_of("--annotations", annotations, get_args(AnnotationsWanted))
    apart = Path(masks) if masks not in get_args(MaskReading) else None
    if apart is not None and not apart.is_dir():
        raise SettingError(f"--masks must be labels, foreground or a folder of SEG and RTSTRUCT, got {masks!r}", remedy="check the path")
    reading = one_of("--masks", "labels" if apart else masks, get_args(MaskReading))
    with open_project(folder) as workspace, unpacked(source) as opened, Bar("Importing") as bar:
        pattern, labels = settings.get("patient_pattern"), settings.get("annotated")
        share = settings.get("threshold")
        dataset = open_dataset(
            opened,
            fmt=fmt,
            masks=reading,
            patient_pattern=None if pattern is None else str(pattern),
            objects_in=apart,
            threshold=None if share is None else float(share),
            known_as=pseudonyms_of(workspace).uid,
        )
        dataset = grouped(blanked(dataset, str(settings.get("blank", ""))), _wanted(settings))
        named = None if labels is None else split_names(str(labels))
        rehash = bool(settings.get("rehash", False))
        report = import_dataset(workspace, dataset, annotations=wanted, annotated=named, actor="cli", report=bar.update, rehash=rehash)
        beside = marks_beside(opened)
        marked = import_marks(workspace, beside, actor="cli") if beside is not None and annotations == "all" else None
    _print_import(report, as_json=as_json)
    if beside is not None and marked is None:
        say(f"note: {beside.name} was not requested (--annotations {wanted})")
    if marked is not None:
        print_marks_report(marked, said=as_json)
    if not (report.added or report.annotated or report.corrected or report.duplicates or report.references):
        remedy = "see the lines above" if report.refused else "choose another source"
        raise MedloopError(f"Nothing was imported from {source}", remedy=remedy)


def _wanted(settings: Mapping[str, SettingValue]) -> "Wanted":
    """Which series and files are one case.

    Raises:
        SettingError: See `wanted_named`; or rectangles of one channel that would be blanked in others.
    """
    from medloop.datasets.channel_names import wanted_named

    resample = bool(settings.get("resample_channels", False))
    if resample and settings.get("blank"):
        rule = "--blank is of pixels as they are stored, --resample-channels moves them"
        raise SettingError(f"{rule}, got both", remedy="blank the files first: medloop deidentify")
    return wanted_named(
        str(settings.get("channels", "")),
        resample=resample,
        registered=bool(settings.get("registered", False)),
        references=str(settings.get("references", "none")),
    )


def _import_proposals(folder: Path, settings: Mapping[str, SettingValue], *, as_json: bool, beside: bool) -> None:
    from medloop.loop.data.import_report import brief_refusals
    from medloop.loop.data.outside_proposals import import_proposals

    place = Path(str(settings["proposals"]))
    with open_project(folder) as workspace:
        done = import_proposals(workspace, place, name=str(settings.get("proposals_name") or place.resolve().name), actor="cli")
    for line in brief_refusals(done.refused):
        say(f"left out: {line}")
    for note in done.notes:
        say(f"note: {note}")
    if as_json and beside:
        say(str(done))  # the document on the output is that of the images
    else:
        tell(done, lambda: typer.echo(str(done)), as_json=as_json)
    if not (done.taken or done.known):
        raise MedloopError(f"No proposal was taken from {place}", remedy="see the lines above" if done.refused else "choose another folder")


def _import_parts(folder: Path, settings: Mapping[str, SettingValue], *, as_json: bool, beside: bool) -> None:
    from medloop.datasets.table import split_names
    from medloop.loop.data.import_report import brief_refusals
    from medloop.loop.data.parts_in import import_parts

    place, labels = Path(str(settings["parts"])), settings.get("annotated")
    with open_project(folder) as workspace:
        done = import_parts(workspace, place, annotated=None if labels is None else split_names(str(labels)), actor="cli")
    for line in brief_refusals(done.refused):
        say(f"left out: {line}")
    if as_json and beside:
        say(str(done))
    else:
        tell(done, lambda: typer.echo(str(done)), as_json=as_json)
    if not (done.taken or done.known):
        raise MedloopError(f"No part was taken from {place}", remedy="see the lines above" if done.refused else "choose another folder")


def _print_import(report: "ImportReport", *, as_json: bool) -> None:
    from medloop.loop.data.import_report import brief_refusals, removal_line

    if as_json:
        print_json(report)
        return
    for line in brief_refusals(report.refused):
        say(f"left out: {line}")
    if report.annotated:
        say(f"annotated, there already, with their labels now: {first_named(report.annotated)}")
    if report.corrected:
        say(f"corrected, with the source's newer labels in place of the older ones: {first_named(report.corrected)}")
    for note in report.notes:
        say(f"note: {note if note.cases else note.text}")
    if report.removed:
        say(removal_line(report.removed))
    if report.references:
        say(f"{report.references} other series kept as references beside the cases")
    typer.echo(
        f"{counted(len(report.added), 'case')} added ({report.labelled} with an annotation), {len(report.annotated)} labelled and "
        f"{len(report.corrected)} corrected that were there, {len(report.duplicates)} unchanged, {len(report.refused)} left out"
    )


def status(folder: ProjectFolder, as_json: AsJson = False) -> None:
    """Show where a project stands."""
    from medloop.cli.standing import print_standing, standing

    with open_project(folder) as workspace:
        found = standing(workspace)
    tell(found, lambda: print_standing(found), as_json=as_json)


def report(
    folder: ProjectFolder,
    out: Annotated[Path | None, option(metavar="FILE.html", help="Where to write the page.")] = None,
    as_json: AsJson = False,
) -> None:
    """Write a report as one HTML file.

    It holds the learning curve, the models and the rounds; --json prints the same figures.
    """
    from medloop.images.files import write_atomic
    from medloop.loop.overview.progress import progress
    from medloop.loop.overview.report import report_html

    if out is None and not as_json:
        raise SettingError("A report needs --out FILE.html or --json, got neither")
    if out is not None and (out.is_dir() or not out.resolve().parent.is_dir()):
        raise SettingError(f"--out must be a file in a folder that exists, got {out}", remedy="name a file such as report.html")
    with open_project(folder) as workspace:
        if out is not None:
            write_atomic(out, report_html(workspace).encode())
            say(f"Wrote {out}")
        if as_json:
            print_json(progress(workspace))


def export(
    folder: ProjectFolder,
    out: Annotated[Path, argument(metavar="OUT", help="A new or empty folder.")],
    fmt: Annotated[
        str,
        option("--format", help="nifti, nnunet, coco, csv, dicom-seg, table, model, torchscript, onnx, … ; a wrong word names them all."),
    ],
    model: Annotated[int | None, option(help="Which model to write; the one in use by default.")] = None,
    regular_grid: Annotated[
        bool, typer.Option("--regular-grid", help="Resample cases with tilted or sheared axes, which ITK and nnU-Net refuse.")
    ] = False,
    source: Annotated[
        Path | None, option(metavar="DIR", help="Of DICOM objects: where the original files lie, for patient and study.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write the annotations or the model to a folder.

    Masks lie on their images' own geometry, bit for bit. The folder is complete or absent.
    """
    from medloop.loop.data.exporting import export_project

    with open_project(folder) as workspace:
        done = export_project(workspace, out, fmt, model=model, regular_grid=regular_grid, source=source)
    if as_json:
        print_json(done)
    else:
        for note in done.notes:
            say(f"note: {note}")
        typer.echo(
            f"{counted(done.cases, 'network' if fmt in ('model', 'model-card') else 'case')} written to {done.folder} as {done.format}"
        )
