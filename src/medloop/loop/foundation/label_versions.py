"""Labels that came later: which labels each annotation could use, and what follows for those it did not know.

A task is never edited: a change makes its next version, and annotations keep the version they were made under. Labels are
only ever added at the end or renamed, so the labels that an annotation knew are the first ones of today's task. Its
background may hold any label that came later.
"""

from collections.abc import Iterable, Set
from dataclasses import dataclass

from medloop.core.errors import InputError
from medloop.core.names import first_named, in_natural_order
from medloop.core.records import Annotation, Case, Label, Model, Task
from medloop.loop.foundation.workspace import Workspace
from medloop.store.reader import Reader


@dataclass(frozen=True)
class LabelVersions:
    """The version of a task in force, and how many labels each version has, by its id."""

    task: Task
    counts: dict[str, int]

    def known(self, annotation: Annotation) -> tuple[Label, ...]:
        """The labels, as they are called today, that the annotation could use."""
        return self.task.labels[: self.counts[annotation.task_id]]

    def unknown(self, annotation: Annotation) -> tuple[Label, ...]:
        """The labels that came after the annotation."""
        return self.task.labels[self.counts[annotation.task_id] :]

    def known_classes(self, annotations: Iterable[Annotation]) -> int:
        """Classes that all of these annotations knew, background included, as a training wants them; 0 is all of today's."""
        fewest = min(self.counts[a.task_id] for a in annotations)
        return 0 if fewest == len(self.task.labels) else fewest + (self.task.kind == "segmentation")


def version_seen(tx: Reader, task: Task, opened_at: str, told: int | None, values: Set[int]) -> Task:
    """The version of a task that an annotation was made under: a page may have been opened before a label was added.

    Args:
        tx: An open transaction.
        task: The version in force.
        opened_at: When the case was given to the annotator.
        told: The version that the annotator saw; None takes the one in force at `opened_at`.
        values: Label values that the annotation uses; whoever uses a label knows it.

    Raises:
        InputError: There is no such version.
    """
    versions = sorted(tx.find(Task), key=lambda version: version.version)
    if told is not None and told not in {version.version for version in versions}:
        raise InputError(f"The task has versions 1 to {task.version}, got {told}", remedy="load the page again")
    seen = [v for v in versions if (v.version <= told if told is not None else v.created_at <= opened_at)] or versions[:1]
    later = [v for v in versions if v.version > seen[-1].version]
    return next((v for v in (seen[-1], *later) if values <= set(v.label_values)), task)


def shared_version(tx: Reader, annotations: Iterable[Annotation], values: Set[int]) -> Task:
    """The version of a task that everybody behind these annotations knew, or a later one where something made of them has its labels.

    Args:
        tx: An open transaction.
        annotations: At least one.
        values: Label values of what is made of them.
    """
    versions = {version.id: version for version in sorted(tx.find(Task), key=lambda version: version.version)}
    oldest = min(versions[a.task_id].version for a in annotations)
    later = [v for v in versions.values() if v.version >= oldest]
    return next((v for v in later if values <= set(v.label_values)), later[-1])


def knows_every_label(model: Model, task: Task) -> bool:
    """Whether a model has an output for every label of the task; one trained before a label was added has not."""
    return int(model.recipe.get("classes", task.classes)) == task.classes


def labels_of_model(model: Model, task: Task) -> tuple[Label, ...]:
    """The labels of today's task that a model can predict."""
    return task.labels[: int(model.recipe.get("classes", task.classes)) - (task.kind == "segmentation")]


@dataclass(frozen=True)
class LabelGap:
    """A label that was added after some annotations, which therefore say nothing of it."""

    label: str
    annotations: int
    names: tuple[str, ...]

    def __str__(self) -> str:
        shown = first_named(self.names)
        return f"{self.annotations} annotated before the label {self.label!r} was added, so their background says nothing of it: {shown}"


def label_gaps(workspace: Workspace) -> tuple[LabelGap, ...]:
    """The labels that some annotations in force did not know, with their cases; empty while no label was added."""
    with workspace.store.read() as tx:
        if tx.count(Task) == 1:
            return ()
        versions = label_versions(tx, workspace.task)
        found = {label: [a.case_id for a in tx.current_annotations() if label in versions.unknown(a)] for label in workspace.task.labels}
        names = {c.id: c.name for c in tx.find(Case, where={"id": sorted({i for ids in found.values() for i in ids})})}
    return tuple(LabelGap(label.name, len(ids), tuple(in_natural_order(names[i] for i in set(ids)))) for label, ids in found.items() if ids)


def label_versions(tx: Reader, task: Task) -> LabelVersions:
    """Every version's labels; `task` is the version in force."""
    return LabelVersions(task, {version.id: len(version.labels) for version in tx.find(Task)})
