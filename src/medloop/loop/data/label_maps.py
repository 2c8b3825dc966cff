"""How a data set's labels become the project's."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from medloop.core.errors import LabelError, SettingError
from medloop.core.labels import members, shared_names
from medloop.core.names import folded
from medloop.core.records import Task
from medloop.datasets.dataset import Dataset
from medloop.images.segments import Naming
from medloop.loop.foundation.annotated_labels import every_as_none, labels_named
from medloop.loop.foundation.workspace import Workspace


@dataclass(frozen=True)
class LabelMap:
    """How a data set's labels become the task's.

    Attributes:
        voxels: Mask value → label value.
        tags: Class name → label value.
        foreground: Label value that every voxel above 0 gets (instance maps, 0/255 masks), or None.
        only: The task's label value when it has one label: then a black and white mask can mean nothing else.
        annotated: Values of the labels that the source's masks annotate where nothing else is given, as a record keeps them.
        ignore: Mask value of voxels that say nothing, None without such.
        naming: What segments with names mean, whose files say themselves what their values are; None for a classification.
        notes: What was decided about the labels as a whole.
    """

    voxels: Mapping[int, int] = field(default_factory=dict)
    tags: Mapping[str, int] = field(default_factory=dict)
    foreground: int | None = None
    only: int | None = None
    annotated: tuple[int, ...] = ()
    ignore: int | None = None
    naming: Naming | None = None
    notes: tuple[str, ...] = ()

    def tag(self, name: str) -> int | None:
        """The label value of a class name, whatever its letter case; None for an unknown one."""
        return self.tags.get(name, {folded(known): value for known, value in self.tags.items()}.get(folded(name)))


def label_map(workspace: Workspace, dataset: Dataset, annotated: Sequence[str] | None = None) -> LabelMap:
    """Match a data set's labels with the project's, by name; a single label matches a single label.

    Masks of foreground are of the only label that `annotated` names, as where each label has a file of its own, else of the first one.

    Raises:
        SettingError: The dataset answers another kind of question.
        LabelError: It names labels the task does not have.
    """
    found = _label_map(workspace, dataset, annotated)
    labels = workspace.task.labels
    naming = Naming(labels)
    return replace(found, naming=naming if workspace.task.kind == "segmentation" else None)


def _label_map(workspace: Workspace, dataset: Dataset, annotated: Sequence[str] | None) -> LabelMap:
    task = workspace.task
    if dataset.kind is not None and dataset.kind != task.kind:
        raise SettingError(f"The project is a {task.kind}, the data is a {dataset.kind}", remedy="import into another project")
    if task.kind == "classification":
        names = {label.name: label.value for label in task.labels}
        return LabelMap(tags={folded(name): value for name, value in names.items()} | names)
    first = task.labels[0]
    if dataset.masks == "foreground":
        (value,) = labels_named(task, annotated) if annotated and len(annotated) == 1 else (first.value,)
        name = next(label.name for label in task.labels if label.value == value)
        which = "the first label" if value == first.value else "the label"
        notes = (f"every mask value above 0 is read as {which}, {name!r}",) if len(task.labels) > 1 else ()
        return LabelMap(foreground=value, annotated=every_as_none(task, {value}), notes=notes)
    if not dataset.labels:
        return LabelMap(voxels={value: value for value in task.mask_values}, only=_only(workspace))
    if len(dataset.labels) == len(task.labels) == 1:
        renamed = folded(dataset.labels[0]) != folded(first.name)
        notes = (f"the source's only label {dataset.labels[0]!r} is read as the project's only one, {first.name!r}",) if renamed else ()
        voxels = {dataset.label_values[dataset.labels[0]]: first.value}
        return LabelMap(voxels=voxels, only=_only(workspace), ignore=dataset.ignore, notes=notes)
    return _by_name(dataset, task, _only(workspace))


def _only(workspace: Workspace) -> int | None:
    return workspace.task.labels[0].value if len(workspace.task.labels) == 1 else None


def _by_name(dataset: Dataset, task: Task, only: int | None) -> LabelMap:
    """Labels that are called the same, whatever their case; those that the source does not name its masks do not annotate."""
    known = {label.name: label.value for label in task.labels}
    spelled = {folded(name): value for name, value in known.items()} | dict(known)
    shared = {_together(name): value for value, name in shared_names(task.labels).items()}
    values = {name: spelled.get(name, spelled.get(folded(name), shared.get(_together(name)))) for name in dataset.labels}
    values = {name: value for name, value in values.items() if value is not None or name not in dataset.idle}
    unknown = [name for name, value in values.items() if value is None]
    if unknown:
        raise LabelError(
            f"The data has labels the project does not know: {', '.join(unknown)} (it knows {', '.join(known)})",
            remedy=_remedy(unknown, spelled),
        )
    if len(set(values.values())) < len(values):
        raise LabelError(f"The data has labels that differ in letter case only: {', '.join(dataset.labels)}", remedy="rename one of them")
    missing = [name for name, value in known.items() if value not in values.values()]
    rule = "not annotated in its cases, and their background says nothing of it; where it is absent, name it with --annotated"
    notes: tuple[str, ...] = (f"the source does not name {', '.join(missing)}: {rule}",) if missing else ()
    voxels = {dataset.label_values[name]: value for name, value in values.items() if value is not None}
    notes += _nesting_notes(dataset, task, {name: value for name, value in values.items() if value is not None})
    return LabelMap(
        voxels=voxels, only=only, annotated=every_as_none(task, {*voxels.values()} & {*known.values()}), ignore=dataset.ignore, notes=notes
    )


def _together(name: str) -> tuple[str, ...]:
    """The labels of "vessel + tumour", in whatever order."""
    return tuple(sorted(folded(part.strip()) for part in name.split(" + ")))


def _remedy(unknown: Sequence[str], known: Mapping[str, int]) -> str:
    parts = next((one for one in map(_together, unknown) if len(one) > 1 and all(part in known for part in one)), ())
    if parts:
        return f"these overlap in the source: medloop configure DIR --overlap {parts[0]}={parts[1]}"
    return "add or rename them with medloop configure, or make a project with these labels"


def _nesting_notes(dataset: Dataset, task: Task, values: Mapping[str, int]) -> tuple[str, ...]:
    """What the source says of labels inside others, and the project does not."""
    lacking = {inner: outer for inner, outer in dataset.inside.items() if values[outer] not in members(task.labels, values[inner])}
    return tuple(
        f"the source has {inner} inside {outer}, the project has not: set it with medloop configure DIR --inside {inner}={outer}"
        for inner, outer in lacking.items()
    )
