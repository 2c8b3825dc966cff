"""Cases whose proposal was rejected: they come first in the next query, as somebody has seen that the model is wrong there.

A rejection stands until its case is annotated whole; it lifts the case until anything of it was given since, parts or marks, so that a
case is not queried first for ever. At most half of a query is such cases: a model that is wrong everywhere leaves room for the strategy.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from medloop.core.names import counted, first_named, in_natural_order
from medloop.core.records import Annotation, Case, Choice
from medloop.loop.foundation.annotators import annotator_names
from medloop.loop.foundation.workspace import Workspace
from medloop.store.reader import Reader


@dataclass(frozen=True)
class Lifted:
    """A case that a rejection lifts, and why in words."""

    case_id: str
    reason: str


def lifted_cases(tx: Reader) -> list[Lifted]:
    """Training cases that a rejected proposal puts first, the longest waiting first."""
    standing = tx.rejections(splits=["train"])
    if not standing:
        return []
    ids = sorted({one.case_id for one in standing})
    given = [*tx.partial_annotations(case_ids=ids), *tx.marked_annotations(case_ids=ids)]
    order = tx.event_numbers(Annotation, [one.id for one in (*standing, *given)])
    since = {case_id: max((order[one.id] for one in given if one.case_id == case_id), default=-1) for case_id in ids}
    people = annotator_names(tx)
    found = {one.case_id: one for one in standing if order[one.id] > since[one.case_id]}
    return [Lifted(one.case_id, f"its proposal was rejected by {people[one.annotator_id]}") for one in found.values()]


def with_lifted(choices: Sequence[Choice], lifted: Sequence[Lifted], *, free: Collection[str], size: int) -> list[Choice]:
    """A query of `size` whose first half, at most, are lifted cases that may be queried (`free`); the strategy's choices follow.

    Their picks are certain, so that none of them has a probability; nor have those beside them, as they are drawn of what is left.
    """
    wanted = [one for one in lifted if one.case_id in free][: max(1, size // 2)]
    if not wanted:
        return list(choices)
    ids = {one.case_id for one in wanted}
    score = max((choice.score for choice in choices), default=0.0)
    first = [Choice(case_id=one.case_id, score=score, reason=one.reason) for one in wanted]
    others = [replace(choice, probability=None) for choice in choices if choice.case_id not in ids]
    return [*first, *others][: max(size, len(first))]


def rejected_lines(workspace: Workspace) -> list[str]:
    """What a person should know of rejected proposals, a line or none."""
    with workspace.store.read() as tx:
        ids = sorted({one.case_id for one in tx.rejections()})
        names = in_natural_order(case.name for case in tx.find(Case, where={"id": ids})) if ids else []
    if not names:
        return []
    many = counted(len(names), "case")
    return [f"{many} whose proposal was rejected: no pseudo-labels, and first in the next queries: {first_named(names)}"]
