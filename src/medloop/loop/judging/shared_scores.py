"""What two models scored on the same cases against the same annotations."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from medloop.core.arrays import FloatArray
from medloop.core.records import Evaluation, Model, Split
from medloop.loop.judging.evaluation_cases import FAIR_SPLITS
from medloop.metrics.succession import Comparison, compare
from medloop.store.reader import Reader


@dataclass(frozen=True)
class SharedScores:
    """Scores of two models.

    Attributes:
        source: Whose patients, in words.
        patients: Of each case.
        cases: Case id → {label name: (score of the newer model, score of the other)}, labels that both know.
    """

    source: str
    patients: tuple[str, ...]
    cases: Mapping[str, Mapping[str, tuple[float, float]]]

    @property
    def means(self) -> FloatArray:
        """Mean over the labels of each case, shape (cases, 2): the newer model's and the other's."""
        return np.array([np.mean(list(by_label.values()), axis=0) for by_label in self.cases.values()])


def shared_scores(tx: Reader, newer: Model, older: Model) -> SharedScores | None:
    """Both models on the same test and audit cases, or on validation cases where there are no others; None without shared ones.

    Of each case only the labels that both were scored on count: one of them may not know a label that was added later.
    """
    first, second = _scored(tx, newer), _scored(tx, older)
    for splits in (FAIR_SPLITS, ("validation",)):
        used = [s for s in splits if s in first and s in second and _same_truth(tx, newer, older, s)]
        pairs = {case_id: scores for s in used for case_id, scores in paired_labels(first[s], second[s]).items()}
        if pairs:
            known = tx.patients_of(list(pairs))
            return SharedScores(_source(used), tuple(known[case_id][1] for case_id in pairs), pairs)
    return None


def compare_models(tx: Reader, newer: Model, older: Model) -> Comparison | None:
    """The newer model against the other one; None without a case that both were scored on. See `shared_scores`."""
    shared = shared_scores(tx, newer, older)
    return None if shared is None else comparison_of(shared, older)


def comparison_of(shared: SharedScores, older: Model) -> Comparison:
    """The mean difference of two models, with a verdict."""
    return compare(shared.means[:, 0], shared.means[:, 1], shared.patients, with_index=older.index, source=shared.source)


def paired_labels(first: Evaluation, second: Evaluation) -> dict[str, dict[str, tuple[float, float]]]:
    """Case id → scores by label of the cases that both scored, over the labels that both know."""
    pairs = {}
    for case_id, ours in first.per_case.items():
        theirs = second.per_case.get(case_id, {})
        if shared := sorted(ours.keys() & theirs.keys()):
            pairs[case_id] = {name: (float(ours[name]), float(theirs[name])) for name in shared}
    return pairs


def _scored(tx: Reader, model: Model) -> dict[Split, Evaluation]:
    return {e.split: e for e in tx.current_evaluations(model_id=model.id)}


def _same_truth(tx: Reader, newer: Model, older: Model, split: Split) -> bool:
    """Whether both were held against the same annotations; figures from before that was kept count as such."""
    first, second = tx.evaluation_truth(newer.id, split), tx.evaluation_truth(older.id, split)
    return first is None or second is None or first.digest == second.digest


def _source(splits: Sequence[str]) -> str:
    words = " and ".join(splits)
    return f"{words} cases, which also chose the weights" if "validation" in splits else f"{words} cases"
