"""Which labels a source's masks annotate: what its table says of a case, else the rule of the import, else the labels that it names."""

from collections.abc import Sequence

from medloop.core.errors import LabelError
from medloop.core.image import Mask
from medloop.core.names import folded
from medloop.core.records import Task
from medloop.datasets.dataset import CaseSource, Dataset
from medloop.loop.data.label_maps import LabelMap
from medloop.loop.data.source_labels import SourceLabel
from medloop.loop.foundation.annotated_labels import checked_labels, every_as_none, labels_named, require_only


def rule_of(task: Task, dataset: Dataset, values: LabelMap, names: Sequence[str] | None) -> tuple[int, ...]:
    """What the masks of a source annotate where its table says nothing, as a record keeps it.

    Args:
        task: The version in force.
        dataset: The source.
        values: How its labels become the task's.
        names: The rule that somebody gave for the whole import; None for none.

    Raises:
        StateError: A rule for a classification.
        InputError: A rule that names no label.
        LabelError: One that names an unknown label.
    """
    return values.annotated if names is None else checked_labels(task, _values(task, dataset, values, names))


def annotated_by(task: Task, dataset: Dataset, values: LabelMap, case: CaseSource, rule: tuple[int, ...]) -> tuple[int, ...]:
    """What the mask of a case annotates, as a record keeps it; () for a class.

    Raises:
        InputError: Its table names no label.
        LabelError: Its table names an unknown one.
    """
    if case.mask is None and case.drawing is None:
        return ()
    return rule if case.annotated is None else checked_labels(task, _values(task, dataset, values, case.annotated))


def annotated_in(task: Task, found: SourceLabel, case: CaseSource, annotated: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """What a mask annotates whose file names its segments, where nobody has said it otherwise, and a note on what the file lacks.

    Args:
        task: The version in force.
        found: Its label as it was read.
        case: Where it lies.
        annotated: What table and rule say, as a record keeps it; () for all.
    """
    lacking = [label.name for label in task.labels if label.value not in found.named]
    if not found.named or not lacking or annotated or case.annotated is not None:
        return annotated, ()
    rule = "which it therefore does not annotate; where they are absent, name them with --annotated"
    return every_as_none(task, found.named), (f"mask: it has no segment called {', '.join(lacking)}, {rule}",)


def require_annotated(answer: Mask | int | None, annotated: tuple[int, ...], task: Task, case: CaseSource) -> None:
    """Refuse a mask that holds a label which the source says it does not annotate.

    Raises:
        LabelError: Naming the file, the labels and their voxels.
    """
    if isinstance(answer, Mask) and (file := case.mask.name if case.mask is not None else case.drawing.file if case.drawing else ""):
        require_only(answer.array, annotated, task, f"{case.name}: {file}")


def _values(task: Task, dataset: Dataset, values: LabelMap, names: Sequence[str]) -> tuple[int, ...]:
    """Label values by the project's names or the source's own."""
    own = {folded(name): values.voxels.get(value) for name, value in dataset.label_values.items()}
    known = {folded(label.name) for label in task.labels}
    found = [own[folded(name)] for name in names if folded(name) not in known and own.get(folded(name)) is not None]
    try:
        rest = labels_named(task, [name for name in names if folded(name) in known or own.get(folded(name)) is None])
    except LabelError as error:
        raise LabelError(f"Labels that are annotated: {error.message}", remedy=error.remedy) from None
    return (*rest, *(value for value in found if value is not None))
