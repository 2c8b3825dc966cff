"""Labels that came later: the version of the task that an annotation was made under, and the labels that a model has.

A task is never edited: a change makes its next version, and annotations keep the version they were made under. Labels are
only ever added at the end or renamed, so that a value means the same in every version.
"""

from collections.abc import Set

from medloop.core.errors import InputError
from medloop.core.records import Label, Model, Task
from medloop.store.reader import Reader


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
    return next((v for v in (seen[-1], *later) if values <= set(v.mask_values)), task)


NOT_LEARNED = "not_learned"
"""Among a model's metrics: values of the labels that none of its training cases annotates."""


def has_every_output(model: Model, task: Task) -> bool:
    """Whether a model has an output for every label of the task, learned or not; one trained before a label was added has not."""
    return int(model.recipe.get("classes", task.classes)) == task.classes


def knows_every_label(model: Model, task: Task) -> bool:
    """Whether a model has learned every label of the task; one trained before a label was added or annotated has not."""
    return len(labels_of_model(model, task)) == len(task.labels)


def labels_of_model(model: Model, task: Task) -> tuple[Label, ...]:
    """The labels of today's task that a model has learned."""
    first_lacking = int(model.recipe.get("classes", task.classes))
    return tuple(label for label in task.labels if label.value < first_lacking and label.value not in model.metrics.get(NOT_LEARNED, ()))
