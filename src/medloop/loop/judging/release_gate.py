"""What a newly trained model has to hold before it replaces the one in use: the questions of `medloop.metrics.release`, from a project."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress

import numpy as np

from medloop.core.arrays import UNKNOWN, FloatArray
from medloop.core.errors import BlobError
from medloop.core.image import Mask
from medloop.core.records import Case, Model, Prediction
from medloop.core.seeds import generator
from medloop.core.settings import ProjectSettings
from medloop.images.encode import decode_mask
from medloop.loop.foundation.annotated_labels import annotated_labels, without_others
from medloop.loop.foundation.arrays import load_annotation, load_proposal
from medloop.loop.foundation.consensus import consensus_annotations
from medloop.loop.foundation.label_versions import labels_of_model
from medloop.loop.foundation.subgroups import subgroups_of
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.judging.shared_scores import SharedScores
from medloop.metrics.expected_errors import expected_wrong
from medloop.metrics.release import Gate, Kind, Question, judge, with_labels

SIZES = ("small", "medium", "large")
"""Thirds of the cases by annotated voxels."""

FEWEST_FOR_SIZES = 18
"""Cases below which thirds hold too few patients to be judged."""


def judge_release(workspace: Workspace, newer: Model, older: Model, shared: SharedScores, settings: ProjectSettings) -> Gate:
    """Hold a newer model against the one in use, on cases that both were scored on, with the margins of today's settings.

    A label that the model in use has learned and the newer one has not stops it, whatever the scores say.
    """
    margins = settings.release_margin, settings.release_group_margin
    gate = judge(
        list(_questions(_Looked(workspace, newer, older, list(shared.cases)), shared, *margins)),
        generator(settings.seed, "release", newer.index, older.index),
    )
    ours, theirs = ([label.name for label in labels_of_model(model, workspace.task)] for model in (newer, older))
    of_masks = workspace.task.kind == "segmentation"  # classes are right or wrong, whichever they are
    seen = {name for by_label in shared.cases.values() for name in by_label}
    return with_labels(
        gate,
        lost=[name for name in theirs if name not in ours],
        new=[name for name in ours if name not in theirs],
        unseen=[name for name in ours if of_masks and name in theirs and name not in seen],
    )


def _questions(looked: "_Looked", shared: SharedScores, margin: float, group_margin: float) -> Iterator[Question]:
    means = shared.means[:, 0] - shared.means[:, 1]
    yield Question("all", "", means, shared.patients, margin)
    labels = sorted({name for by_label in shared.cases.values() for name in by_label})
    for name in labels if len(labels) > 1 else ():
        found = [by_label.get(name) for by_label in shared.cases.values()]
        yield from _some("label", name, [np.nan if pair is None else pair[0] - pair[1] for pair in found], shared, group_margin)
    for attribute, values in looked.groups().items():
        for value in sorted(set(values) - {""}):
            inside = np.array([one == value for one in values])
            yield from _some("subgroup", f"{attribute} {value}", np.where(inside, means, np.nan), shared, group_margin)
    yield from _some("calibration", looked.calibration_words, looked.calibration(), shared, group_margin)


def _some(kind: Kind, name: str, differences: Sequence[float] | FloatArray, shared: SharedScores, margin: float) -> Iterator[Question]:
    """A question about the cases that have a difference, if there are any."""
    values = np.asarray(differences, dtype=np.float64)
    there = np.flatnonzero(np.isfinite(values))
    if len(there):
        yield Question(kind, name, values[there], [shared.patients[n] for n in there], margin)


class _Looked:
    """The cases of a comparison with their annotations and both models' predictions."""

    def __init__(self, workspace: Workspace, newer: Model, older: Model, case_ids: Sequence[str]) -> None:
        self._blobs, self._models = workspace.store.blobs, (newer, older)
        self._of_masks = workspace.task.kind == "segmentation"
        self._classes = workspace.task.classes
        with workspace.store.read() as tx:
            self._cases = [tx.get(Case, case_id) for case_id in case_ids]
            self._predictions = [{p.case_id: p for p in tx.latest_predictions(model.id, among=case_ids)} for model in self._models]
            splits = sorted({case.split for case in self._cases})
            self._answers = {a.case_id: a for split in splits for a in consensus_annotations(tx, split)}
            self._scope = annotated_labels(tx, workspace.task)
        self._told = [self._look(case) for case in self._cases]

    def _look(self, case: Case) -> tuple[float, float]:
        """Annotated voxels, and how much better the newer model's probabilities come true; NaN for what cannot be told.

        Each case is read once, and one at a time. Where a label is not annotated, nobody knows how large the structures are.
        """
        try:
            truth = load_annotation(self._blobs, self._answers[case.id], case) if case.id in self._answers else None
        except BlobError:  # an evaluation leaves such a case out, and says so
            truth = None
        if truth is None:
            return np.nan, np.nan
        voxels = np.nan
        if isinstance(truth, Mask) and not self._scope.lacking(self._answers[case.id]):
            voxels = float(((truth.array > 0) & (truth.array != UNKNOWN)).sum())
        return voxels, self._calibrated(case, truth)

    def groups(self) -> Mapping[str, Sequence[str]]:
        """Attribute → its value for each case, of attributes that tell cases apart; thirds by size where there are cases enough."""
        known = [subgroups_of(case) for case in self._cases]
        names = sorted({name for one in known for name in one})
        found = {name: [one.get(name, "") for one in known] for name in names}
        sizes = self._sizes()
        return {name: values for name, values in {**found, **({"size": sizes} if sizes else {})}.items() if len({*values} - {""}) > 1}

    def _sizes(self) -> list[str]:
        voxels = [count for count, _ in self._told]
        if not self._of_masks or np.isfinite(voxels).sum() < FEWEST_FOR_SIZES:
            return []
        bounds = np.nanquantile(voxels, (1 / 3, 2 / 3))
        return ["" if np.isnan(count) else SIZES[int(np.searchsorted(bounds, count, side="left"))] for count in voxels]

    @property
    def calibration_words(self) -> str:
        """What `calibration` is about."""
        return "calibration, voxels expected to be wrong" if self._of_masks else "calibration, Brier score"

    def calibration(self) -> FloatArray:
        """How much better the newer model's probabilities come true, for each case; NaN where a prediction is lacking."""
        return np.array([better for _, better in self._told])

    def _calibrated(self, case: Case, truth: Mask | int) -> float:
        seen = [predictions[case.id] for predictions in self._predictions if case.id in predictions]
        if len(seen) < len(self._models):
            return np.nan
        with suppress(BlobError):  # damaged: the case tells nothing of calibration
            judged = self._judged(case, truth, seen)
            newer, older = (self._off(one, model, case, judged) for one, model in zip(seen, self._models, strict=True))
            return older - newer
        return np.nan

    def _judged(self, case: Case, truth: Mask | int, predictions: Sequence[Prediction]) -> Mask | int:
        """The annotation, which says nothing where either model proposes a label that it does not annotate."""
        answer = self._answers[case.id]
        if not isinstance(truth, Mask) or not self._scope.lacking(answer):
            return truth
        annotated, said = [label.value for label in self._scope.of(answer)], truth.array.copy()
        for one in predictions:
            proposed = load_proposal(self._blobs, one, case)
            said[without_others(proposed, annotated, self._scope.task.labels) != proposed] = UNKNOWN
        return Mask(said, truth.grid)

    def _off(self, prediction: Prediction, model: Model, case: Case, truth: Mask | int) -> float:
        if not isinstance(truth, Mask):
            chances = np.array(prediction.probabilities)
            return float(((chances - np.eye(len(chances))[truth]) ** 2).sum()) if truth < len(chances) else np.nan
        if prediction.uncertainty is None:
            return np.nan
        proposed, known = load_proposal(self._blobs, prediction, case), truth.array != UNKNOWN
        uncertainty = decode_mask(self._blobs.get(prediction.uncertainty), case.grid.shape)
        wrong = float(((proposed != truth.array) & known).sum())
        held = max(1, int((((proposed > 0) | (truth.array > 0)) & known).sum()))
        return abs(expected_wrong(uncertainty[known], int(model.recipe.get("classes", self._classes))) - wrong) / held
