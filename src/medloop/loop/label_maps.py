"""How a data set's labels become the project's."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from medloop.core.errors import LabelError, SettingError
from medloop.datasets.dataset import Dataset
from medloop.loop.workspace import Workspace


@dataclass(frozen=True)
class LabelMap:
    """How a data set's labels become the task's.

    Attributes:
        voxels: Mask value → label value.
        tags: Class name → label value.
        foreground: Label value that every voxel above 0 gets (instance maps, 0/255 masks), or None.
    """

    voxels: Mapping[int, int] = field(default_factory=dict)
    tags: Mapping[str, int] = field(default_factory=dict)
    foreground: int | None = None


def label_map(workspace: Workspace, dataset: Dataset) -> LabelMap:
    """Match a data set's labels with the project's, by name; a single label matches a single label.

    Raises:
        SettingError: The dataset answers another kind of question.
        LabelError: It names labels the task does not have.
    """
    task = workspace.task
    known = {label.name: label.value for label in task.labels}
    if dataset.kind is not None and dataset.kind != task.kind:
        raise SettingError(f"The project asks for a {task.kind}, the data answers a {dataset.kind}", remedy="import into another project")
    if task.kind == "classification":
        return LabelMap(tags=known)
    if dataset.masks == "foreground":
        return LabelMap(foreground=task.labels[0].value)
    if not dataset.labels:
        return LabelMap(voxels={value: value for value in task.label_values})
    if len(dataset.labels) == len(task.labels) == 1:
        return LabelMap(voxels={dataset.label_values[dataset.labels[0]]: task.labels[0].value})
    unknown = [name for name in dataset.labels if name not in known]
    if unknown:
        raise LabelError(
            f"The data has labels the project does not know: {', '.join(unknown)} (it knows {', '.join(known)})",
            remedy="make the project with these labels",
        )
    return LabelMap(voxels={dataset.label_values[name]: known[name] for name in dataset.labels})
