"""Which cases may judge a model without flattering it: one rule, and one count of patients, for everything that rests on them.

Cases of the test and audit splits that the model predicted and people annotated by themselves. Validation cases also
chose the weights; an annotation that began as a model's prediction agrees with it too well. Neither sets a threshold,
fits predicted quality, or widens a bound.
"""

import math
from dataclasses import dataclass

import numpy as np

from medloop.core.names import counted
from medloop.core.records import Case, Evaluation, Prediction, Split
from medloop.metrics.intervals import MIN_PATIENTS, Interval, too_few
from medloop.store.reader import Reader

FAIR_SPLITS: tuple[Split, ...] = ("test", "audit")

FEW_CASES = 20
"""Evaluations of more cases than this hardly have fewer than five patients; they need no count."""


@dataclass(frozen=True)
class EvaluatedCase:
    """A case whose prediction was held against a person's annotation: mean Dice of its labels; 1 for a right class, 0 for a wrong one.

    `by_label` holds the score of each label that the annotation is about.
    """

    case_id: str
    patient: str
    split: Split
    truth: float
    prediction: Prediction
    by_label: tuple[float, ...] = ()


def evaluated_cases(tx: Reader, model_id: str) -> list[EvaluatedCase]:
    """The cases that may judge this model, by name of the split and order of evaluation."""
    found = []
    for evaluation in fair_evaluations(tx, model_id):
        wanted = [case_id for case_id, by_label in evaluation.per_case.items() if by_label and case_id not in evaluation.leaning]
        predictions = {p.case_id: p for p in tx.latest_predictions(model_id, among=wanted)}
        for case_id in wanted:
            if case_id in predictions:
                scores = tuple(float(score) for score in evaluation.per_case[case_id].values())
                patient, truth = tx.get(Case, case_id).patient, float(np.mean(scores))
                found.append(EvaluatedCase(case_id, patient, evaluation.split, truth, predictions[case_id], scores))
    return found


def evaluated_patients(cases: list[EvaluatedCase]) -> int:
    """How many different patients these are: the unit of every promise."""
    return len({case.patient for case in cases})


def evaluated_counts(tx: Reader, model_id: str) -> dict[str, int]:
    """Evaluated patients of every split there is, those that judge nothing too."""
    return {
        e.split: len({patient for _, patient in tx.patients_of(e.per_case).values()}) for e in tx.current_evaluations(model_id=model_id)
    }


def fair_evaluations(tx: Reader, model_id: str) -> list[Evaluation]:
    """The newest evaluation of each fair split."""
    newest = {e.split: e for e in tx.current_evaluations(model_id=model_id)}
    return [newest[split] for split in FAIR_SPLITS if split in newest]


def shown_interval(tx: Reader, evaluation: Evaluation) -> Interval:
    """An evaluation's mean with the interval that may be shown, or why there is none.

    Older versions also kept intervals of fewer than `MIN_PATIENTS` patients; these are not shown.
    """
    few = evaluation.low is None or len(evaluation.per_case) <= FEW_CASES
    patients = len({tx.get(Case, case_id).patient for case_id in evaluation.per_case}) if few else MIN_PATIENTS
    if patients < MIN_PATIENTS:
        return Interval(evaluation.mean, None, None, patients, too_few(patients, MIN_PATIENTS, "patients"))
    return Interval(evaluation.mean, evaluation.low, evaluation.high)


def surface_words(evaluation: Evaluation) -> str:
    """How far surfaces are apart over all structures of an evaluation, in words; "" where that is not known."""
    pairs = [pair for by_label in (evaluation.surfaces or {}).values() for pair in by_label.values()]
    if not pairs:
        return ""
    apart, lacking = [math.inf if mm is None else mm for _, mm in pairs], sum(mm is None for _, mm in pairs)
    middle = float(np.median(apart))
    hd95 = f"{middle:.1f} mm" if math.isfinite(middle) else "infinite"
    missing = f"; {lacking} of {counted(len(pairs), 'structure')} in one of both masks only" if lacking else ""
    return f"surface Dice {np.mean([share for share, _ in pairs]):.3f} within a voxel, median HD95 {hd95}{missing}"
