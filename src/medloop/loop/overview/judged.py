"""The evaluation cases of a model with their annotations and predictions: what a report shows of how well it does."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from medloop.core.records import Annotation, Case, Evaluation, Model, Prediction, Split
from medloop.loop.foundation.consensus import consensus_annotations
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.overview.model_history import PREFERRED, best_scores
from medloop.metrics.intervals import Interval
from medloop.metrics.succession import FEWEST_PATIENTS, compare
from medloop.store.reader import Reader

SPLIT_WORDS = {
    "test": "test cases",
    "audit": "audit cases",
    "validation": "validation cases, which also chose the weights and flatter the model",
}


@dataclass(frozen=True)
class JudgedCase:
    """One case that a model was held against: label → Dice, or "correct" → 0 or 1, and whether its annotation leans on a proposal."""

    case: Case
    annotation: Annotation
    prediction: Prediction
    scores: Mapping[str, float]
    leans: bool

    @property
    def score(self) -> float:
        """Mean over its labels."""
        return float(np.mean(list(self.scores.values())))


@dataclass(frozen=True)
class Judged:
    """A model's evaluation, the worst case first; (name, why) of those that were scored and whose score does not hold any more."""

    model: Model
    evaluation: Evaluation
    cases: tuple[JudgedCase, ...]
    left_out: tuple[tuple[str, str], ...]

    @property
    def patients(self) -> int:
        """How many different patients the shown cases are of."""
        return len({one.case.patient for one in self.cases})

    @property
    def words(self) -> str:
        """Which split."""
        return SPLIT_WORDS[self.evaluation.split]


NOTICEABLE = 0.005
"""A change of a score that is worth a word."""


@dataclass(frozen=True)
class Succession:
    """Two successive models: (case, patient, score of the older, of the newer) where both were scored, over labels of both.

    Attributes:
        older, newer: Their indices.
        split: What they were scored on.
        case_ids: Of the scores, in order.
    """

    older: int
    newer: int
    scores: tuple[tuple[str, str, float, float], ...]
    split: Split
    case_ids: tuple[str, ...]

    @property
    def changed(self) -> tuple[int, int]:
        """How many cases the newer model does noticeably better, and how many worse."""
        gains = [after - before for _, _, before, after in self.scores]
        return sum(gain > NOTICEABLE for gain in gains), sum(gain < -NOTICEABLE for gain in gains)

    @property
    def difference(self) -> Interval:
        """The newer model's score less the older one's, with the interval that also decides which model is in use."""
        _, patients, older, newer = zip(*self.scores, strict=True)
        found = compare(newer, older, patients, with_index=self.older, source=self.split)
        note = "" if found.low is not None else f"an interval needs at least {FEWEST_PATIENTS} patients"
        return Interval(found.difference, found.low, found.high, found.patients, note)


def judged_cases(workspace: Workspace, *, damaged: Collection[str] = ()) -> Judged | None:
    """The cases of the model in use, else of the newest that was evaluated, on the split that speaks for it; None without one."""
    with workspace.store.read() as tx:
        by_model, live = best_scores(tx.current_evaluations()), tx.live_model()
        if not by_model:
            return None
        chosen = live.id if live is not None and live.id in by_model else max(by_model, key=lambda i: tx.get(Model, i).index)
        return _judged(tx, tx.get(Model, chosen), by_model[chosen], damaged)


def succession(workspace: Workspace) -> Succession | None:
    """The last two models with annotations of their own that share an evaluation split; None where no two do."""
    with workspace.store.read() as tx:
        order = {m.id: place for place, m in enumerate(tx.distinct_models())}
        found = _on_shared_split(tx, order)
        if len(found) < 2:
            return None
        older, newer = sorted(found, key=lambda e: order[e.model_id])[-2:]
        shared = {i: names for i, scores in newer.per_case.items() if (names := sorted(set(scores) & set(older.per_case.get(i, ()))))}
        known = tx.patients_of(shared)
        first, second = (tx.get(Model, e.model_id).index for e in (older, newer))
    means = {i: [float(np.mean([e.per_case[i][n] for n in names])) for e in (older, newer)] for i, names in shared.items()}
    rows = sorted((*known[i], before, after, i) for i, (before, after) in means.items())
    if not rows:
        return None
    return Succession(first, second, tuple(row[:4] for row in rows), newer.split, tuple(row[4] for row in rows))


def _on_shared_split(tx: Reader, wanted: Mapping[str, int]) -> Sequence[Evaluation]:
    """Evaluations of these models on the best split that two of them share."""
    for split in PREFERRED:
        found = [e for e in tx.current_evaluations() if e.split == split and e.model_id in wanted]
        if len(found) > 1:
            return found
    return ()


def _judged(tx: Reader, model: Model, evaluation: Evaluation, damaged: Collection[str]) -> Judged:
    ids = [i for i, scores in evaluation.per_case.items() if scores and i not in damaged]
    answers = {a.case_id: a for a in consensus_annotations(tx, evaluation.split)}
    predictions = {p.case_id: p for p in tx.find(Prediction, where={"model_id": model.id, "case_id": ids})}
    cases, left_out = [], []
    for i in ids:
        case = tx.get(Case, i)
        why = _missing(answers.get(i), predictions.get(i), evaluation)
        if why:
            left_out.append((case.name, why))
        else:
            cases.append(JudgedCase(case, answers[i], predictions[i], evaluation.per_case[i], i in evaluation.leaning))
    worst_first = sorted(cases, key=lambda one: (one.score, one.case.name))
    return Judged(model, evaluation, tuple(worst_first), tuple(sorted(left_out)))


def _missing(answer: Annotation | None, prediction: Prediction | None, evaluation: Evaluation) -> str:
    """Why a case that was scored cannot be shown; "" where it can."""
    if answer is None:
        return "its annotation was withdrawn after the evaluation"
    if answer.created_at > evaluation.created_at:
        return "it was annotated again after the evaluation"
    return "" if prediction is not None else "its prediction is gone"
