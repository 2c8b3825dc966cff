"""Which writer of DICOM objects an export takes, with the labels and codes of the project."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from medloop.core.errors import SettingError
from medloop.datasets.dicom_objects.references import Originals, require_highdicom
from medloop.datasets.dicom_objects.writing import OBJECT_EXPORTERS, Wanted
from medloop.datasets.export import ALONE, Exporter, Regions
from medloop.datasets.export_tally import ExportCase, Exported
from medloop.datasets.staging import NOTHING
from medloop.loop.foundation.workspace import Workspace

OBJECT_FORMATS = tuple(OBJECT_EXPORTERS)


def object_exporter(workspace: Workspace, fmt: str, source: Path | None) -> Exporter:
    """The writer of a format of `OBJECT_FORMATS`.

    Args:
        workspace: The project.
        fmt: One of `OBJECT_FORMATS`.
        source: Where the original files lie, for patient and study; None for the project's pseudonyms.

    Raises:
        FormatError: highdicom is not installed.
        NotFoundError: The originals are not there.
    """
    require_highdicom()
    originals = None if source is None else Originals.below(source)

    def write(
        cases: Iterable[ExportCase],
        folder: Path,
        labels: Sequence[str],  # noqa: ARG001  # the task's labels say more
        *,
        regular_grid: bool = False,
        beside: Mapping[str, str] = NOTHING,
        regions: Regions = ALONE,  # noqa: ARG001  # likewise
    ) -> Exported:
        if regular_grid:
            raise SettingError("A DICOM object lies on the slices of its series, --regular-grid would move it", remedy="leave it out")
        return OBJECT_EXPORTERS[fmt](cases, folder, Wanted(workspace.task.labels, workspace.project.id, originals, beside))

    return write
