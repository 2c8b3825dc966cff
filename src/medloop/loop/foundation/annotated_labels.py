"""Which labels each annotation annotates, and what follows for the others: one truth for everything that reads a mask.

An annotation annotates every label of its version of the task, or those that it names. Any other label may lie in its background,
and its mask holds none of them: what a proposal shows of them stays the proposal's. Whole-body and multi-centre projects begin so,
and so does every project when a label is added later.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from medloop.core.arrays import UNKNOWN, MaskArray
from medloop.core.errors import InputError, LabelError, StateError
from medloop.core.labels import seen_as, shared_names, values_of
from medloop.core.names import first_named, folded, in_natural_order
from medloop.core.records import Annotation, Case, Label, Task
from medloop.loop.foundation.consensus import by_case, deciding
from medloop.loop.foundation.workspace import Workspace
from medloop.store.reader import Reader


@dataclass(frozen=True)
class AnnotatedLabels:
    """The version of a task in force, and the label values of each version, by its id."""

    task: Task
    versions: dict[str, frozenset[int]]

    def of(self, annotation: Annotation) -> tuple[Label, ...]:
        """The labels, as they are called today, that the annotation annotates."""
        values = self._values(annotation)
        return tuple(label for label in self.task.labels if label.value in values)

    def lacking(self, annotation: Annotation) -> tuple[Label, ...]:
        """The labels that it says nothing of."""
        values = self._values(annotation)
        return tuple(label for label in self.task.labels if label.value not in values)

    def known_classes(self, annotation: Annotation) -> tuple[int, ...]:
        """Its classes, background included, as a training wants them; () is all of today's."""
        if not self.lacking(annotation):
            return ()
        values = values_of(self.task.labels, [label.value for label in self.of(annotation)])
        return (0, *values) if self.task.kind == "segmentation" else values

    def union(self, annotations: Iterable[Annotation]) -> tuple[int, ...]:
        """What annotations annotate together, for one that is made of them under the version in force."""
        return every_as_none(self.task, {label.value for one in annotations for label in self.of(one)})

    def _values(self, annotation: Annotation) -> Collection[int]:
        return annotation.annotated or self.versions[annotation.task_id]


def annotated_labels(tx: Reader, task: Task) -> AnnotatedLabels:
    """What annotations of a project annotate; `task` is the version in force."""
    return AnnotatedLabels(task, {version.id: frozenset(version.label_values) for version in tx.find(Task)})


def scope_in_force(tx: Reader) -> AnnotatedLabels:
    """The same, for who has no workspace at hand: the newest version of the task is in force."""
    return annotated_labels(tx, max(tx.find(Task), key=lambda version: version.version))


def every_as_none(task: Task, values: Collection[int]) -> tuple[int, ...]:
    """Label values in order, and () for all of the task's: how a record keeps them."""
    return () if set(values) >= set(task.label_values) else tuple(sorted(set(values)))


def checked_labels(task: Task, values: Collection[int]) -> tuple[int, ...]:
    """Values of the labels that an annotation is to annotate, as a record keeps them.

    Raises:
        StateError: The task is a classification, whose annotations say one class.
        InputError: None at all.
        LabelError: A value that the task does not have.
    """
    if task.kind != "segmentation":
        raise StateError("Only masks annotate some labels and not others, this project is a classification", remedy="leave them out")
    if not values:
        raise InputError("An annotation annotates at least one label, got none", remedy="skip the case instead")
    unknown = sorted(set(values) - set(task.label_values))
    if unknown:
        raise LabelError(f"Unknown labels {unknown}", remedy=f"use some of {list(task.label_values)}")
    return every_as_none(task, values)


def labels_named(task: Task, names: Iterable[str]) -> tuple[int, ...]:
    """Values of labels by their names, whatever their letter case.

    Raises:
        LabelError: A name that the task does not have.
    """
    values = {folded(label.name): label.value for label in task.labels}
    wanted = [name.strip() for name in names]
    unknown = [name for name in wanted if folded(name) not in values]
    if unknown:
        raise LabelError(f"Unknown label {unknown[0]!r}", remedy=f"use some of {', '.join(label.name for label in task.labels)}")
    return tuple(dict.fromkeys(values[folded(name)] for name in wanted))


def require_only(mask: MaskArray, annotated: Sequence[int], task: Task, where: str) -> None:
    """Refuse a mask that holds a label which it does not annotate; `annotated` is as a record keeps it.

    Raises:
        LabelError: Naming the labels and their voxels.
    """
    if not annotated:
        return
    names, said = {label.value: label.name for label in task.labels} | shared_names(task.labels), values_of(task.labels, annotated)
    values, counts = np.unique(mask, return_counts=True)
    extra = [f"{names.get(int(v), str(v))} ({n} voxels)" for v, n in zip(values, counts, strict=True) if v not in (0, UNKNOWN, *said)]
    if extra:
        only = ", ".join(names[value] for value in annotated)
        rule = f"{where} is annotated for {only} only, and holds {', '.join(extra)} too"
        raise LabelError(rule, remedy="call these annotated, or leave them out of the mask")


def without_others(mask: MaskArray, annotated: Sequence[int], labels: Sequence[Label]) -> MaskArray:
    """A mask without the labels that it does not annotate.

    They become the annotated label of `labels` that they lie inside of, else background; `annotated` is as a record keeps it.
    """
    if not annotated:
        return mask
    kept = {0, UNKNOWN, *values_of(labels, annotated)}
    table = np.array([value if value in kept else seen_as(labels, value, annotated) for value in range(256)], dtype=np.uint8)
    only: MaskArray = table[mask]
    return only


def may_lack_labels(tx: Reader) -> bool:
    """Whether some annotation may say nothing of some label: a quick look, so that other projects pay nothing."""
    return tx.count(Task) > 1 or tx.some_annotated_in_part()


def lacking_cases(tx: Reader, task: Task, *, case_ids: Collection[str] | None = None) -> dict[str, tuple[Label, ...]]:
    """The annotated cases whose annotation in force says nothing of some labels, with these; empty where all are annotated everywhere.

    Args:
        tx: A reading transaction.
        task: The version in force.
        case_ids: Of these cases only; None for all.
    """
    if not may_lack_labels(tx):
        return {}
    scope = annotated_labels(tx, task)
    found = {case_id: scope.lacking(deciding(given)) for case_id, given in by_case(tx.current_annotations(case_ids=case_ids)).items()}
    return {case_id: labels for case_id, labels in found.items() if labels}


@dataclass(frozen=True)
class LabelGap:
    """A label that some annotated cases say nothing of.

    Attributes:
        label: Its name.
        annotations: How many annotated cases lack it.
        annotated: How many have it.
        names: The cases that lack it.
    """

    label: str
    annotations: int
    annotated: int
    names: tuple[str, ...]

    def __str__(self) -> str:
        shown = first_named(self.names)
        if not self.annotated:
            return f"{self.label!r} is annotated in no case: it is not learned, never proposed, and left out of every score"
        cases = f"{self.annotated} of {self.annotated + self.annotations} annotated cases"
        return f"{self.label!r} is annotated in {cases}; the background of the others says nothing of it: {shown}"


def label_gaps(workspace: Workspace) -> tuple[LabelGap, ...]:
    """The labels that some annotated cases say nothing of, with these; empty where every annotation annotates all."""
    with workspace.store.read() as tx:
        lacking = lacking_cases(tx, workspace.task)
        if not lacking:
            return ()
        whole = len({a.case_id for a in tx.current_annotations()})
        names = {c.id: c.name for c in tx.find(Case, where={"id": sorted(lacking)})}
    found = {label: [i for i, labels in lacking.items() if label in labels] for label in workspace.task.labels}
    return tuple(
        LabelGap(label.name, len(ids), whole - len(ids), tuple(in_natural_order(names[i] for i in ids)))
        for label, ids in found.items()
        if ids
    )
