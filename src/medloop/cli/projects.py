"""Commands about a project's contents: make, fill, look, take away, check."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_args

import typer

from medloop.cli.options import AsJson, ProjectFolder, one_of
from medloop.cli.printing import print_json, say
from medloop.core.errors import MedloopError, SettingError

if TYPE_CHECKING:
    from medloop.loop.importing import ImportReport


def init(
    folder: ProjectFolder,
    kind: Annotated[str, typer.Option(help="What is asked of every case: segmentation or classification.", show_default=False)],
    label: Annotated[list[str], typer.Option(help="A label's name; give it once for each label.", show_default=False)],
    name: Annotated[str, typer.Option(help="Name shown to people; the folder's name by default.")] = "",
    instructions: Annotated[str, typer.Option(help="What to tell annotators.")] = "",
    strategy: Annotated[
        str | None,
        typer.Option(help="How to choose cases; see medloop strategies.", show_default="foreground; random for a classification"),
    ] = None,
    first_strategy: Annotated[
        str | None, typer.Option(help="How to choose before there is a model; may need features only.", show_default="random")
    ] = None,
    batch: Annotated[int | None, typer.Option(help="Cases per round.", show_default="4")] = None,
    minutes: Annotated[float | None, typer.Option(help="Longest time of one training.", show_default="10")] = None,
    warm_start: Annotated[bool, typer.Option("--warm-start", help="The same as --training all.")] = False,
    training: Annotated[
        str | None,
        typer.Option(help="What a training begins with: scratch, all, new, replay or misclassified.", show_default="scratch"),
    ] = None,
    cold_start: Annotated[
        str | None, typer.Option(help="Features before there is a model: descriptors or selfsup.", show_default="descriptors")
    ] = None,
    summed: Annotated[
        str | None,
        typer.Option(
            help="How doubt per voxel becomes doubt per case: mean, sum, top, foreground, contour, classes or box.", show_default="mean"
        ),
    ] = None,
    pseudo_labels: Annotated[
        bool, typer.Option("--pseudo-labels", help="Let trainings learn from the model's surest predictions too.")
    ] = False,
    bias_correction: Annotated[
        bool, typer.Option("--bias-correction", help="Weigh drawn cases so that they stand for the whole pool.")
    ] = False,
    guided: Annotated[
        bool, typer.Option("--guided", help="Train networks that also take clicks, strokes and boxes (segmentation).")
    ] = False,
    correction_weight: Annotated[
        float, typer.Option(min=1, max=100, help="How much voxels drawn over count in training against proposed ones merely accepted.")
    ] = 1.0,
    right_reasons: Annotated[
        float, typer.Option(min=0, help="Weight of what people call irrelevant in explanations; 0 ignores it, 30 is a start.")
    ] = 0,
    validation: Annotated[float | None, typer.Option(help="Share of labelled patients kept for validation.", show_default="0.1")] = None,
    test: Annotated[float | None, typer.Option(help="Share of labelled patients kept for testing.", show_default="0.15")] = None,
    audit: Annotated[float | None, typer.Option(help="Share of unlabelled patients asked for evaluation only.", show_default="0.1")] = None,
    budget_labels: Annotated[int, typer.Option(min=0, help="Answers after which to advise stopping; 0 for no limit.")] = 0,
    budget_minutes: Annotated[float, typer.Option(min=0, help="Minutes of work after which to advise stopping; 0 for no limit.")] = 0,
    budget_money: Annotated[float, typer.Option(min=0, help="Cost of work after which to advise stopping; 0 for no limit.")] = 0,
    target_score: Annotated[
        float, typer.Option(min=0, max=1, help="Score whose lower bound, once reached, brings that advice; 0 for none.")
    ] = 0,
    seed: Annotated[int, typer.Option(help="Root of all randomness.")] = 0,
    database: Annotated[str, typer.Option(help="PostgreSQL URL; SQLite in the folder by default.")] = "",
    as_json: AsJson = False,
) -> None:
    """Make a project."""
    from medloop.cli.learning import known_strategy
    from medloop.core.records import ColdStart, ProjectSettings, Summed, WarmStart
    from medloop.loop.workspace import Workspace

    if kind not in ("segmentation", "classification"):
        raise SettingError(f"--kind must be segmentation or classification, got {kind!r}")
    usual = ProjectSettings()
    settings = ProjectSettings(
        strategy=usual.strategy if strategy is None else known_strategy(strategy),
        first_strategy=usual.first_strategy if first_strategy is None else known_strategy(first_strategy),
        batch_size=usual.batch_size if batch is None else batch,
        warm_start=one_of("--training", training or ("all" if warm_start else usual.warm_start), get_args(WarmStart)),
        cold_start=one_of("--cold-start", cold_start or usual.cold_start, get_args(ColdStart)),
        summed=one_of("--summed", summed or usual.summed, get_args(Summed)),
        pseudo_labels=pseudo_labels,
        bias_correction=bias_correction,
        guided=guided,
        correction_weight=correction_weight,
        right_reasons=right_reasons,
        train_minutes=usual.train_minutes if minutes is None else minutes,
        validation_fraction=usual.validation_fraction if validation is None else validation,
        test_fraction=usual.test_fraction if test is None else test,
        audit_fraction=usual.audit_fraction if audit is None else audit,
        budget_labels=budget_labels,
        budget_minutes=budget_minutes,
        budget_money=budget_money,
        target_score=target_score,
        seed=seed,
    )
    made = Workspace.create(
        folder,
        name=name or folder.resolve().name,
        kind="segmentation" if kind == "segmentation" else "classification",
        labels=label,
        instructions=instructions,
        settings=settings,
        url=database or None,
        actor="cli",
    )
    with made as workspace:
        labels = {one.name: one.value for one in workspace.task.labels}
        if as_json:
            print_json({"id": workspace.project.id, "name": workspace.project.name, "kind": kind, "labels": labels})
        else:
            say(f"Made {workspace.project.name}: {kind} of {', '.join(labels)}. Next: medloop import {folder} SOURCE")


def import_(
    folder: ProjectFolder,
    source: Annotated[Path, typer.Argument(metavar="SOURCE", help="A folder of images in a known layout, or a CSV.", show_default=False)],
    fmt: Annotated[str, typer.Option("--format", help="auto, msd, nnunet, folder, csv or dicom.")] = "auto",
    answers: Annotated[str, typer.Option(help="Which of its labels become answers: all, evaluation or none.")] = "all",
    masks: Annotated[
        str, typer.Option(help="labels, or foreground: every mask value above 0 is the first label (instance maps).")
    ] = "labels",
    patient_pattern: Annotated[
        str | None, typer.Option(help="Regular expression whose first group is the patient in a case's name.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Bring images in, with labels and splits.

    What cannot be read is named, with what to do about it, and left out; the rest goes on. Safe to repeat: cases that
    are there already stay as they are.
    """
    from medloop.cli.progress import Bar
    from medloop.loop.importing import AnswersWanted, import_dataset
    from medloop.loop.workspace import Workspace

    if answers not in ("all", "evaluation", "none"):
        raise SettingError(f"--answers must be all, evaluation or none, got {answers!r}")
    if masks not in ("labels", "foreground"):
        raise SettingError(f"--masks must be labels or foreground, got {masks!r}")
    wanted: AnswersWanted = "all" if answers == "all" else "evaluation" if answers == "evaluation" else "none"
    with Workspace.open(folder) as workspace, Bar("Importing") as bar:
        report = import_dataset(
            workspace,
            source,
            fmt=fmt,
            answers=wanted,
            masks="foreground" if masks == "foreground" else "labels",
            patient_pattern=patient_pattern,
            actor="cli",
            report=bar.update,
        )
    _print_import(report, as_json=as_json)
    if not report.added and not report.duplicates:
        raise MedloopError(
            f"Nothing was imported from {source}", remedy="see the lines above" if report.refused else "choose another source"
        )


def _print_import(report: "ImportReport", *, as_json: bool) -> None:
    if as_json:
        print_json(report)
        return
    for refusal in report.refused:
        say(f"left out: {refusal}")
    typer.echo(
        f"{len(report.added)} cases added ({report.labelled} with an answer), "
        f"{len(report.duplicates)} already there, {len(report.refused)} left out"
    )


def status(folder: ProjectFolder, as_json: AsJson = False) -> None:
    """Show where a project stands."""
    from medloop.cli.standing import print_standing, standing
    from medloop.loop.workspace import Workspace

    with Workspace.open(folder) as workspace:
        found = standing(workspace)
    if as_json:
        print_json(found)
    else:
        print_standing(found)


def report(
    folder: ProjectFolder,
    out: Annotated[Path | None, typer.Option(metavar="FILE.html", help="Where to write the page.", show_default=False)] = None,
    as_json: AsJson = False,
) -> None:
    """Write a report as one HTML file.

    It holds the learning curve, the models and the rounds; --json prints the same figures.
    """
    from medloop.images.files import write_atomic
    from medloop.loop.progress import progress
    from medloop.loop.reporting import report_html
    from medloop.loop.workspace import Workspace

    if out is None and not as_json:
        raise SettingError("A report needs --out FILE.html or --json, got neither")
    if out is not None and (out.is_dir() or not out.resolve().parent.is_dir()):
        raise SettingError(f"--out must be a file in a folder that exists, got {out}", remedy="name a file such as report.html")
    with Workspace.open(folder) as workspace:
        if out is not None:
            write_atomic(out, report_html(workspace).encode())
            say(f"Wrote {out}")
        if as_json:
            print_json(progress(workspace))


def export(
    folder: ProjectFolder,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="A new or empty folder.", show_default=False)],
    fmt: Annotated[str, typer.Option("--format", help="nifti, msd, nnunet, csv or model.", show_default=False)],
    as_json: AsJson = False,
) -> None:
    """Write the answers or the model to a folder.

    Masks lie on their images' own geometry, bit for bit. The folder is complete or absent.
    """
    from medloop.loop.exporting import export_project
    from medloop.loop.workspace import Workspace

    with Workspace.open(folder) as workspace:
        done = export_project(workspace, out, fmt)
    if as_json:
        print_json(done)
    else:
        typer.echo(f"{done.cases} {'networks' if fmt == 'model' else 'cases'} written to {done.folder} as {done.format}")
