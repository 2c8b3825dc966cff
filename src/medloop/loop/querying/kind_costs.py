"""What kinds of annotation take here: learned from the log of work, and by stated times where it says too little."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from medloop.core.arrays import FloatArray
from medloop.core.errors import BlobError, IntegrityError
from medloop.core.records import Annotation, Case, Model, Prediction, QueryKind, Withdrawal
from medloop.loop.foundation.marked import load_marks
from medloop.loop.foundation.partial_annotations import BoxPart, load_partial
from medloop.loop.foundation.spent import OWN_ORIGINS
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.querying.mark_kinds import PRIORS, STATED, kind_of_marks, presence_errors
from medloop.query.budget.kinds import chance_accepted
from medloop.store.reader import Reader

FEWEST = 5
"""Timed annotations of a kind from which their median counts."""

RECENT = 200
"""Annotations that are looked at: people and proposals get faster."""

PARTS_READ = 50
"""Annotations of parts whose parts are counted, and of marks whose kind is looked up, which reads their bytes."""

AS_IT_WAS = 1.0
"""Share of a proposal that is untouched where it was accepted as it was."""


def _none() -> FloatArray:
    return np.zeros(0)


@dataclass(frozen=True)
class KindCosts:
    """What is known of the times of kinds.

    Attributes:
        look: Seconds of a look that accepted the proposal or rejected it, the median; None with too few.
        longer: How many times the median of all masks of a proposal those take that did not accept it as it was; 1 with too few.
        marks: Seconds of marks in place of a mask by their kind, the median; without kinds of which there are too few.
        part: By kind ("slices", "regions"): seconds per slice or box of an annotation of such, the median; none with too few.
        doubts, accepted: Of earlier proposals: their doubt (`doubt_of`), and 1 where it was accepted as it was, shapes (n,).
        labels: Of the task.
        presence_errors: Share of labels that the model in use misses altogether, or finds where there are none.
    """

    look: float | None = None
    longer: float = 1.0
    marks: Mapping[QueryKind, float] = field(default_factory=dict)
    part: Mapping[QueryKind, float] = field(default_factory=dict)
    doubts: FloatArray = field(default_factory=_none)
    accepted: FloatArray = field(default_factory=_none)
    labels: int = 1
    presence_errors: float = 0.0

    def look_minutes(self, whole: float, *, gain: float, slices: int) -> float:
        """Minutes of a look at `slices` slices; unlearned: the stated share of what annotating all takes."""
        if self.look is not None:
            return min(self.look / 60, whole)
        viewing = STATED.slice_viewed * slices
        return whole * viewing / (viewing + STATED.outline * gain)

    def part_minutes(self, whole: float, *, kind: QueryKind, seconds: Sequence[float], gain: float, slices: int) -> float:
        """Minutes of slices or boxes of these stated seconds; unlearned: their share of what annotating all, of that gain, takes."""
        if kind in self.part:
            return len(seconds) * self.part[kind] / 60
        every = STATED.slice_viewed * slices + STATED.outline * gain
        return whole * min(1.0, sum(seconds) / every)

    def mark_minutes(self, kind: QueryKind, whole: float, *, slices: int) -> float:
        """Minutes of marks of a kind; unlearned: by stated times, and more than their share of annotating everything."""
        learned = self.marks.get(kind)
        return PRIORS[kind].minutes(whole, slices=slices, labels=self.labels) if learned is None else learned / 60

    def sets_right(self, kind: QueryKind) -> float:
        """Share of what is wrong that marks of a kind set right."""
        return PRIORS[kind].sets_right * (self.presence_errors if kind == "tags" else 1.0)

    def chance_accepted(self, doubt: float) -> float:
        """Chance that a proposal of this doubt is accepted as it is."""
        return chance_accepted(doubt, self.doubts, self.accepted)


def kind_costs(workspace: Workspace, tx: Reader, model: Model | None = None) -> KindCosts:
    """What the last annotations teach about the times of kinds, and the evaluation of the model in use about tags."""
    made = tx.find(Annotation, where={"origin": OWN_ORIGINS}, order="created_at", descending=True, limit=RECENT)
    undone = {one.annotation_id for one in tx.find(Withdrawal, where={"annotation_id": [one.id for one in made], "verb": "undone"})}
    made = [one for one in made if one.id not in undone]  # their seconds go on in the next annotation of the assignment
    masks = [one for one in made if one.kind == "mask" and one.untouched is not None and one.proposal_id is not None]
    rejected = [one for one in made if one.kind == "rejected"]
    every = _median([one.effort_seconds for one in made if one.effort_seconds > 0 and one.proposal_id is not None and one.kind == "mask"])
    corrected = _median([one.effort_seconds for one in masks if one.effort_seconds > 0 and one.untouched != AS_IT_WAS])
    looks = [one.effort_seconds for one in (*masks, *rejected) if one.untouched in (AS_IT_WAS, None) and one.effort_seconds > 0]
    each = _seconds_per_part(workspace, tx, [one for one in made if one.kind == "partial" and one.effort_seconds > 0][:PARTS_READ])
    judged = [*masks, *rejected]
    shown = {p.id: p for p in tx.find(Prediction, where={"id": [one.proposal_id or "" for one in judged]})}
    cases = {c.id: c for c in tx.find(Case, where={"id": [one.case_id for one in judged]})}
    known = [one for one in judged if one.proposal_id in shown]
    return KindCosts(
        look=_median(looks),
        longer=max(1.0, corrected / every) if every and corrected else 1.0,
        marks=_seconds_by_kind(workspace, [one for one in made if one.kind == "marks" and one.effort_seconds > 0][:PARTS_READ]),
        part={kind: median for kind, seconds in each.items() if (median := _median(seconds)) is not None},
        doubts=np.array([doubt_of(cases[one.case_id], shown[one.proposal_id or ""]) for one in known]),
        accepted=np.array([float(one.untouched == AS_IT_WAS) for one in known]),
        labels=len(workspace.task.labels),
        presence_errors=presence_errors(tx, model),
    )


def doubt_of(case: Case, prediction: Prediction) -> float:
    """Mean entropy of a proposal over the share of its voxels that belong to structures, in nats per such voxel."""
    share = max(float(prediction.scores.get("foreground", 0.0)), 1 / float(np.prod(case.grid.shape)))
    return max(0.0, float(prediction.scores.get("entropy", 0.0))) / share


def _seconds_per_part(workspace: Workspace, tx: Reader, made: Sequence[Annotation]) -> dict[QueryKind, list[float]]:
    """By kind; an annotation with a box counts as regions: a box takes the view of all of its slices."""
    found: dict[QueryKind, list[float]] = {"slices": [], "regions": []}
    for one in made:
        try:
            parts, _ = load_partial(workspace.store.blobs, one, tx.get(Case, one.case_id))
        except (BlobError, IntegrityError):  # damaged bytes say nothing, and stop nobody's query
            continue
        kind: QueryKind = "regions" if any(isinstance(part, BoxPart) for part in parts) else "slices"
        found[kind].append(one.effort_seconds / len(parts))
    return found


def _seconds_by_kind(workspace: Workspace, made: Sequence[Annotation]) -> dict[QueryKind, float]:
    """The median seconds of marks of each kind of which there are enough."""
    found: dict[QueryKind, list[float]] = {kind: [] for kind in PRIORS}
    for one in made:
        try:
            kind = kind_of_marks(load_marks(workspace.store.blobs, one))
        except (BlobError, IntegrityError):
            continue
        if kind is not None:
            found[kind].append(one.effort_seconds)
    middle = {kind: _median(seconds) for kind, seconds in found.items()}
    return {kind: value for kind, value in middle.items() if value is not None}


def _median(seconds: Sequence[float]) -> float | None:
    return float(np.median(seconds)) if len(seconds) >= FEWEST else None
