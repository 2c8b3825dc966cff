"""What happened to a case: who gave, fused, decided, returned or took back which annotation, when, and what that changed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np

from medloop.core.arrays import MaskArray
from medloop.core.errors import BlobError
from medloop.core.labels import mask_of
from medloop.core.records import Annotation, Case, Consensus, Label, Review, Withdrawal
from medloop.loop.foundation.annotated_labels import annotated_labels
from medloop.loop.foundation.annotators import annotator_names
from medloop.loop.foundation.arrays import load_annotation
from medloop.loop.foundation.in_force import standing_annotation
from medloop.loop.foundation.readings import RESTORE
from medloop.loop.foundation.workspace import Workspace
from medloop.store.blobs import Blobs
from medloop.store.reader import Reader
from medloop.store.states import GOLD

MASKS_AT_ONCE = 8
"""A case may have hundreds of annotations, and volumes are large."""


@dataclass(frozen=True)
class LabelChange:
    """How an annotation differs in one label from the one before: voxels, and the change of volume in ml of the grid's voxels."""

    label: str
    added: int
    removed: int
    ml: float


@dataclass(frozen=True, kw_only=True)
class HistoryLine:
    """One thing that happened.

    Attributes:
        at: When, as the records write times; lines are in the order of the audit, whatever the clocks said.
        who: By name.
        what: In words.
        annotation_id: What it is about.
        in_force: For an annotation: it counts now.
        changes: For an annotation of a mask: label by label against what it replaces, else against the annotator's one before,
            else against nothing; labels that are the same are left out.
        comment: Of a review, a withdrawal or a consensus.
        restorable: It is a full annotation and does not stand: it can be restored.
        lacking: Names of the labels that it does not annotate.
        replayable: It is a mask drawn in a draft, so that its steps are kept.
    """

    at: str
    who: str
    what: str
    annotation_id: str
    in_force: bool = False
    changes: tuple[LabelChange, ...] = ()
    comment: str = ""
    restorable: bool = False
    lacking: tuple[str, ...] = ()
    replayable: bool = False
    order: int = field(default=0, repr=False)


def case_history(workspace: Workspace, case_id: str) -> tuple[HistoryLine, ...]:
    """The history of a case, oldest first.

    Raises:
        NotFoundError: No such case.
    """
    with workspace.store.read() as tx:
        case, people = tx.get(Case, case_id), annotator_names(tx)
        made = tx.find(Annotation, where={"case_id": case_id})
        lines = [*_annotations(workspace, tx, case, made, people), *_events(tx, case_id, people)]
    return tuple(sorted(lines, key=lambda line: line.order))


def _annotations(workspace: Workspace, tx: Reader, case: Case, made: Sequence[Annotation], people: Mapping[str, str]) -> list[HistoryLine]:
    of_case = [case.id]
    given = (*tx.current_annotations(case_ids=of_case), *tx.partial_annotations(case_ids=of_case), *tx.marked_annotations(case_ids=of_case))
    current = {a.id for a in given}
    order, standing = tx.event_numbers(Annotation, [a.id for a in made]), standing_annotation(tx, case.id)
    restored = {event.noun_id for event in tx.events_about("annotation", list(order), verbs=[RESTORE])}
    found, by_id, scope = list[HistoryLine](), {a.id: a for a in made}, annotated_labels(tx, workspace.task)

    @lru_cache(maxsize=MASKS_AT_ONCE)
    def mask(annotation_id: str) -> MaskArray:
        return _mask(workspace.store.blobs, by_id[annotation_id], case)

    for annotation in made:
        before = _before(annotation, made)
        line = HistoryLine(
            at=annotation.created_at,
            who=people[annotation.annotator_id],
            what=_made(workspace, annotation, restored=annotation.id in restored),
            annotation_id=annotation.id,
            in_force=annotation.id in current,
            restorable=annotation.is_whole and annotation.origin != GOLD and (standing is None or standing.id != annotation.id),
            replayable=annotation.assignment_id is not None and annotation.kind in ("mask", "partial"),
            changes=label_changes(mask(before.id) if before else None, mask(annotation.id), case, workspace.task.labels),
            lacking=tuple(label.name for label in scope.lacking(annotation)) if annotation.tag is None else (),
            order=order[annotation.id],
        )
        found.append(line)
    return found


def _made(workspace: Workspace, annotation: Annotation, *, restored: bool) -> str:
    decided = "restored" if restored else "adjudicated"
    verbs = {"imported": "imported", "consensus": "fused", "adjudicated": decided, GOLD: "read as gold"}
    kinds = {"partial": "annotated parts", "marks": "imported marks" if annotation.origin == "imported" else "gave marks"}
    kinds |= {"rejected": "rejected the proposal"}
    what = kinds["marks"] if annotation.kind == "marks" else verbs.get(annotation.origin, kinds.get(annotation.kind, "annotated"))
    named = next((label.name for label in workspace.task.labels if label.value == annotation.tag), None)
    return what if named is None else f"{what}: {named}"


def _before(annotation: Annotation, made: Sequence[Annotation]) -> Annotation | None:
    """What an annotation is held against."""
    earlier = made[: made.index(annotation)]
    named = [a for a in earlier if a.id == annotation.supersedes]
    return next(iter(named or [a for a in reversed(earlier) if a.annotator_id == annotation.annotator_id]), None)


def _mask(blobs: Blobs, annotation: Annotation, case: Case) -> MaskArray:
    """The mask; nothing where it is a tag or cannot be read."""
    try:
        found = load_annotation(blobs, annotation, case) if annotation.blob is not None else 0
    except BlobError:
        found = 0
    return np.zeros(case.grid.shape, dtype=np.uint8) if isinstance(found, int) else found.array


def label_changes(before: MaskArray | None, after: MaskArray, case: Case, labels: Sequence[Label]) -> tuple[LabelChange, ...]:
    """Label by label what two masks of a case, shape (I, J, K), differ in; None stands for an empty one."""
    ml = float(np.prod(case.grid.spacing_mm)) / 1000.0
    found = []
    for label in labels:
        was = mask_of(labels, before, label.value) if before is not None else np.zeros(after.shape, dtype=np.bool_)
        now = mask_of(labels, after, label.value)
        added, removed = int(np.count_nonzero(now & ~was)), int(np.count_nonzero(was & ~now))
        if added or removed:
            found.append(LabelChange(label.name, added, removed, round((added - removed) * ml, 3)))
    return tuple(found)


def _events(tx: Reader, case_id: str, people: Mapping[str, str]) -> list[HistoryLine]:
    """Reviews, withdrawals and consensuses."""
    found: list[tuple[type[Any], Review | Withdrawal | Consensus, str, str, str]] = [
        *((Review, r, r.annotator_id, _verdict(r, people), r.comment) for r in tx.find(Review, where={"case_id": case_id})),
        *((Withdrawal, w, w.annotator_id, w.verb, w.reason) for w in tx.find(Withdrawal, where={"case_id": case_id})),
        *((Consensus, c, "", _consensus(c), c.note) for c in tx.find(Consensus, where={"case_id": case_id})),
    ]
    return [
        HistoryLine(
            at=record.created_at,
            who=people.get(who, "consensus"),
            what=what,
            annotation_id=record.annotation_id,
            comment=comment,
            order=tx.event_numbers(kind, [record.id])[record.id],
        )
        for kind, record, who, what, comment in found
    ]


def _consensus(made: Consensus) -> str:
    return f"consensus of {len(made.inputs)} readings by {made.method}, agreement {made.agreement:.2f}"


def _verdict(review: Review, people: Mapping[str, str]) -> str:
    if review.verdict == "return":
        return f"returned to {people[review.returned_to or '']}"
    if review.signature is None:
        return "approved"
    return f"approved, signed by {review.signature['name']} ({review.signature['meaning']})"
