"""Labels that came later: which labels each annotation could use, and what follows for those it did not know.

A task is never edited: a change makes its next version, and annotations keep the version they were made under. Labels are
only ever added at the end or renamed, so the labels that an annotation knew are the first ones of today's task. Its
background may hold any label that came later.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from medloop.core.records import Annotation, Label, Model, Task
from medloop.store.reader import Reader


@dataclass(frozen=True)
class LabelVersions:
    """How many labels every version of a task has.

    Attributes:
        task: The version in force.
        counts: Task id → number of its labels.
    """

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


def knows_every_label(model: Model, task: Task) -> bool:
    """Whether a model has an output for every label of the task; one trained before a label was added has not."""
    return int(model.recipe.get("classes", task.classes)) == task.classes


def labels_of_model(model: Model, task: Task) -> tuple[Label, ...]:
    """The labels of today's task that a model can predict."""
    return task.labels[: int(model.recipe.get("classes", task.classes)) - (task.kind == "segmentation")]


def label_versions(tx: Reader, task: Task) -> LabelVersions:
    """Every version's labels; `task` is the version in force."""
    return LabelVersions(task, {version.id: len(version.labels) for version in tx.find(Task)})
