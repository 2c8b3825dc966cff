"""What was asked, class by class: how many answered cases hold each label, and how many of these a query chose."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from medloop.core.errors import BlobError
from medloop.core.image import Mask
from medloop.core.labels import members, nested_regions
from medloop.core.records import Annotation, Case
from medloop.loop.foundation.annotated_labels import lacking_cases
from medloop.loop.foundation.arrays import load_annotation
from medloop.loop.foundation.consensus import by_case, deciding
from medloop.loop.foundation.damage import LeftOut
from medloop.loop.foundation.memo import Memo, memo
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.querying.queries import queried_case_ids
from medloop.store.reader import Reader


@dataclass(frozen=True)
class ClassCount:
    """One label: annotated training cases that hold it, how many of them a query had chosen, and how many of `cases` annotate it."""

    label: str
    annotated: int
    queried: int
    known: int
    cases: int

    @property
    def known_words(self) -> str:
        """In how many cases it is annotated, in words; "" where it is annotated everywhere."""
        return f"annotated in {self.known} of {self.cases} cases" if self.known < self.cases else ""


def queried_classes(workspace: Workspace) -> tuple[ClassCount, ...]:
    """Counts of every label of the task, in the task's order."""
    with workspace.store.read() as tx:
        answers, chosen = _answers(tx), queried_case_ids(tx, ever=True)
        lacking = lacking_cases(tx, workspace.task) if workspace.task.kind == "segmentation" else {}
    with memo(workspace, "label-values") as known:
        values: dict[str, Collection[int]] = {
            case_id: label_values(workspace, annotation_id, blob, tag, known) for case_id, annotation_id, blob, tag in answers
        }
    if nested_regions(workspace.task.labels):
        values = {case_id: {one for value in held for one in members(workspace.task.labels, value)} for case_id, held in values.items()}
    answered = Counter(value for held in values.values() for value in held)
    queried = Counter(value for case_id in chosen for value in values.get(case_id, ()))
    missing = Counter(label.value for case_id, *_ in answers for label in lacking.get(case_id, ()))
    cases = len(answers)
    return tuple(ClassCount(x.name, answered[x.value], queried[x.value], cases - missing[x.value], cases) for x in workspace.task.labels)


def _answers(tx: Reader) -> list[tuple[str, str, str | None, int | None]]:
    """(case id, annotation id, blob, tag) of the deciding annotation of every answered training case."""
    sole, contested = tx.sole_annotations(["train"]), tx.contested_cases(["train"])
    known = {row[0]: row for row in (*sole, *(tx.decided_annotations(["train"]) if contested else ()))}
    several = tx.current_annotations(case_ids=[i for i in contested if i not in known])
    decided = [deciding(found) for found in by_case(a for a in several if a.is_whole).values()]
    return [*known.values(), *((a.case_id, a.id, a.blob, a.tag) for a in decided)]


def label_values(workspace: Workspace, annotation_id: str, blob: str | None, tag: int | None, known: Memo) -> Sequence[int]:
    """Label values a full annotation holds; none while its bytes cannot be read."""

    def look() -> list[int]:
        with workspace.store.read() as tx:
            annotation = tx.get(Annotation, annotation_id)
            case = tx.get(Case, annotation.case_id)
        answer = load_annotation(workspace.store.blobs, annotation, case)
        return [int(v) for v in (np.unique(answer.array) if isinstance(answer, Mask) else [answer])]

    if blob is None and tag is not None:
        return (tag,)
    try:
        found: list[int] = known.get(blob, look) if blob else look()
        return found
    except BlobError as error:
        with workspace.store.read() as tx:
            case = tx.get(Case, tx.get(Annotation, annotation_id).case_id)
        LeftOut(workspace).note(case, error)
        return ()
