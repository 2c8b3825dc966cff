"""Exports that describe: tables of annotations, a data set with its Croissant card, and model cards."""

import shutil
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

from medloop.core.names import counted
from medloop.datasets.croissant import FOR_THE_LEAD, write_card
from medloop.datasets.export import ALONE, Exporter, Regions, export_csv, export_nifti
from medloop.datasets.export_tally import ExportCase, Exported
from medloop.datasets.staging import NOTHING, staged_folder
from medloop.loop.foundation.workspace import Workspace

TABLES = ("table", "parquet")
"""Formats of annotations as rows."""

CROISSANT = "croissant"
CARD = "model-card"
RECORD = "change-record"


def croissant_exporter(workspace: Workspace) -> Exporter:
    """What writes the project's data set with a Croissant card: as nifti or, for a classification, as csv."""
    return partial(_export_croissant, workspace)


def _export_croissant(
    workspace: Workspace,
    cases: Iterable[ExportCase],
    folder: Path,
    labels: Sequence[str],
    *,
    regular_grid: bool = False,
    beside: Mapping[str, str] = NOTHING,
    regions: Regions = ALONE,
) -> Exported:
    write = export_csv if workspace.task.kind == "classification" else export_nifti
    with staged_folder(folder) as staging:
        inner = staging / "all"
        done = write(cases, inner, labels, regular_grid=regular_grid, beside=beside, regions=regions)
        for path in list(inner.iterdir()):
            path.rename(staging / path.name)
        shutil.rmtree(inner)
        kind = "classes" if workspace.task.kind == "classification" else "masks"
        words = f"{counted(done.cases, 'medical image')} with {kind} for {', '.join(labels)}, annotated with medloop."
        write_card(staging, workspace.project.name, words, labels)
    return Exported(folder, done.cases, done.answers, (*done.notes, FOR_THE_LEAD))
