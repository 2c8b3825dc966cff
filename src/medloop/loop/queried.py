"""What was asked, class by class: how many answered cases hold each label, and how many of these a query chose."""

from dataclasses import dataclass

import numpy as np

from medloop.core.image import Mask
from medloop.core.records import Annotation, Case, Query, Round
from medloop.loop.arrays import load_answer
from medloop.loop.consensus import consensus_answers
from medloop.loop.damage import LeftOut
from medloop.loop.memo import Memo, memo
from medloop.loop.workspace import Workspace
from medloop.query.budget.balance import count_classes
from medloop.store.reader import Reader


@dataclass(frozen=True)
class ClassCount:
    """One label.

    Attributes:
        answered: Answered training cases that hold it.
        queried: Those of them that a query had chosen.
    """

    label: str
    answered: int
    queried: int


def queried_classes(workspace: Workspace) -> tuple[ClassCount, ...]:
    """Counts of every label of the task, in the task's order."""
    with workspace.store.read() as tx:
        answers = consensus_answers(tx, "train")
        cases = {c.id: c for c in tx.find(Case, where={"id": [a.case_id for a in answers]})}
        chosen = chosen_case_ids(tx)
    with memo(workspace, "label-values") as known:
        values = {a.case_id: _values(workspace, a, cases[a.case_id], known) for a in answers}
    size = max(workspace.task.label_values) + 1
    answered = count_classes(values.values(), size)
    queried = count_classes((v for case_id, v in values.items() if case_id in chosen), size)
    return tuple(ClassCount(x.name, int(answered[x.value]), int(queried[x.value])) for x in workspace.task.labels)


def chosen_case_ids(tx: Reader) -> set[str]:
    """Cases that the query of any round has chosen."""
    queries = [tx.get(Query, r.query_id) for r in tx.find(Round) if r.query_id]
    return {choice.case_id for query in queries for choice in query.choices}


def _values(workspace: Workspace, annotation: Annotation, case: Case, known: Memo) -> np.ndarray:
    """Label values an annotation holds; none while its bytes cannot be read."""

    def look() -> list[int]:
        answer = load_answer(workspace.store.blobs, annotation, case)
        return [int(v) for v in (np.unique(answer.array) if isinstance(answer, Mask) else [answer])]

    found: list[int] = []
    with LeftOut(workspace).case(case):
        found = known.get(annotation.blob, look) if annotation.blob else look()
    return np.array(found, dtype=np.int64)
