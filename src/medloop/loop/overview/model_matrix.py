"""The matrix of models and groups: what each model scores on the evaluation patients of each site, scanner, label or day.

Of the test and audit splits, without annotations that began as a model's prediction. Models are held against the annotations of their
time; `medloop matrix DIR --fill` holds all against those of today.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from medloop.core.errors import InputError
from medloop.core.names import folded
from medloop.core.records import Annotation, Case, Job, Model
from medloop.loop.foundation.follow_up import is_outdated
from medloop.loop.foundation.job_kinds import Rejudge, request_job
from medloop.loop.foundation.label_versions import labels_of_model
from medloop.loop.foundation.learned import learned_itself
from medloop.loop.foundation.subgroups import subgroups_of
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.judging.evaluation_cases import FAIR_SPLITS, fair_evaluations
from medloop.metrics.forgetting import GroupCases, Scores, Transfers, cell, mean_of, remembering, transfers
from medloop.metrics.intervals import Interval
from medloop.store.reader import Reader

LABEL, DATE = "label", "date"
"""What models can be compared by beside what tables say of cases: each label, or the day on which cases came."""


@dataclass(frozen=True)
class MatrixRow:
    """One model: its number, whether it is in use, and its score on each group, None where it was held against none of its cases."""

    model: int
    live: bool
    cells: tuple[Interval | None, ...]
    outdated: bool


@dataclass(frozen=True)
class ModelMatrix:
    """Every model on every group.

    Attributes:
        by: Attribute of the groups.
        metric: dice, or accuracy.
        groups: Names of the columns.
        first: Number of the first model that learned cases of each group; 0 where none did.
        rows: The models, oldest first.
        transfers: Of each group.
        backward, forgetting, forward, remembering: Means over the groups that have them.
        offered: What they can be grouped by.
        notes: What must be known before it is read.
    """

    by: str
    metric: str
    groups: tuple[str, ...]
    first: tuple[int, ...]
    rows: tuple[MatrixRow, ...]
    transfers: tuple[Transfers, ...]
    backward: float | None
    forgetting: float | None
    forward: float | None
    remembering: float | None
    offered: tuple[str, ...]
    notes: tuple[str, ...]


def model_matrix(workspace: Workspace, *, by: str = "") -> ModelMatrix:
    """The matrix by an attribute of the cases, by label or by date; without one by the first attribute of several values, else by label.

    Raises:
        InputError: No evaluation case has that attribute.
    """
    with workspace.store.read() as tx:
        models = tx.find(Model, order=("index",))
        live = tx.live_model()
        scores = [_scores(tx, model) for model in models]
        cases = _cases(tx, sorted({i for one in scores for i in one}))
        offered = _offered(cases, workspace)
        by = _attribute(by, offered, cases)
        groups, rows = _by_label(workspace, models, scores, cases) if by == LABEL else _by_case(tx, by, models, scores, cases)
        late = [any(is_outdated(tx, model, split, frozenset()) for split in FAIR_SPLITS) for model in models]
    classes = len(workspace.task.labels)
    chance = 0.0 if workspace.task.kind == "segmentation" else 1.0 / max(2, classes)
    found = [transfers([row[n] for row in rows], group, chance=chance) for n, group in enumerate(groups)]
    backward = mean_of([one.backward for one in found])
    return ModelMatrix(
        by=by,
        metric="dice" if workspace.task.kind == "segmentation" else "accuracy",
        groups=tuple(group.name for group in groups),
        first=tuple(0 if group.learned is None else models[group.learned].index for group in groups),
        rows=tuple(
            MatrixRow(model.index, live is not None and live.id == model.id, tuple(map(cell, row, groups)), outdated)
            for model, row, outdated in zip(models, rows, late, strict=True)
        ),
        transfers=tuple(found),
        backward=backward,
        forgetting=mean_of([one.forgetting for one in found]),
        forward=mean_of([one.forward for one in found]),
        remembering=remembering(backward),
        offered=offered,
        notes=_notes(models, cases, late),
    )


def request_rejudging(workspace: Workspace, *, actor: str) -> Job:
    """Let the worker hold every model against the annotations of today."""
    return request_job(workspace, Rejudge(), "rejudge", actor=actor)


def _scores(tx: Reader, model: Model) -> dict[str, dict[str, float]]:
    """Case id → score by label of the cases that may judge a model."""
    found = fair_evaluations(tx, model.id)
    return {i: dict(by_label) for e in found for i, by_label in e.per_case.items() if by_label and i not in e.leaning}


def _cases(tx: Reader, ids: Sequence[str]) -> dict[str, Case]:
    return {case.id: case for start in range(0, len(ids), 5000) for case in tx.find(Case, where={"id": ids[start : start + 5000]})}


def _groups_of(case: Case) -> dict[str, str]:
    return {folded(name): value for name, value in subgroups_of(case).items()} | {DATE: case.added_at[:10]}


def _offered(cases: Mapping[str, Case], workspace: Workspace) -> tuple[str, ...]:
    """Attributes that tables name, then date, and label where there is a score of each."""
    known = sorted({name for case in cases.values() for name in _groups_of(case)} - {DATE})
    return (*known, DATE, LABEL) if workspace.task.kind == "segmentation" else (*known, DATE)


def _attribute(by: str, offered: Sequence[str], cases: Mapping[str, Case]) -> str:
    """The attribute wanted; without one the first that tells cases apart, else the last one offered.

    Raises:
        InputError: It is not offered.
    """
    if not by:
        several = (name for name in offered if len({_groups_of(case).get(name) for case in cases.values()} - {None}) > 1)
        return next(several, offered[-1])
    if folded(by.strip()) not in offered:
        raise InputError(f"Evaluation cases are not known by {by!r}", remedy=f"group by one of {', '.join(offered)}")
    return folded(by.strip())


def _by_case(
    tx: Reader, by: str, models: Sequence[Model], scores: Sequence[Mapping[str, Mapping[str, float]]], cases: Mapping[str, Case]
) -> tuple[list[GroupCases], list[list[Scores]]]:
    learned = [{_groups_of(case).get(by) for case in _learned(tx, model).values()} for model in models]
    names = sorted({value for case in cases.values() if (value := _groups_of(case).get(by))})
    groups = [
        GroupCases(
            name,
            {i: case.patient for i, case in cases.items() if _groups_of(case).get(by) == name},
            next((n for n, known in enumerate(learned) if name in known), None),
        )
        for name in names
    ]
    row = [{i: float(np.mean(list(by_label.values()))) for i, by_label in one.items()} for one in scores]
    return groups, [[one] * len(groups) for one in row]


def _learned(tx: Reader, model: Model) -> dict[str, Case]:
    """The cases that a model has learned itself: a part of its snapshot, where it went on from another model."""
    ids = learned_itself(tx, model)
    return _cases(tx, sorted({a.case_id for a in tx.find(Annotation, where={"id": ids})})) if ids else {}


def _by_label(
    workspace: Workspace, models: Sequence[Model], scores: Sequence[Mapping[str, Mapping[str, float]]], cases: Mapping[str, Case]
) -> tuple[list[GroupCases], list[list[Scores]]]:
    """A model scores nothing where a label was annotated that it has no output for."""
    names = [label.name for label in workspace.task.labels]
    patients = {i: case.patient for i, case in cases.items()}
    known = [{label.name for label in labels_of_model(model, workspace.task)} for model in models]
    first = {name: next((n for n, one in enumerate(known) if name in one), None) for name in names}
    groups = [GroupCases(name, patients, first[name]) for name in names]
    return groups, [[{i: found[name] for i, found in one.items() if name in found} for name in names] for one in scores]


def _notes(models: Sequence[Model], cases: Mapping[str, Case], late: Sequence[bool]) -> tuple[str, ...]:
    if not models:
        return ("no model yet",)
    if not cases:
        return ("no model was held against annotated test or audit cases yet: annotate some, then train or fill the matrix",)
    old = [str(model.index) for model, outdated in zip(models, late, strict=True) if outdated]
    return (f"not held against the annotations of today: model {', '.join(old)}; --fill does that",) if old else ()
