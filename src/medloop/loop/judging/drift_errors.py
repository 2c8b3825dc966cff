"""Whether a model errs more on a group than it was expected to, where annotations of the group show it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from medloop.core.arrays import FloatArray
from medloop.core.names import counted
from medloop.core.records import Annotation, Case, Prediction, Split
from medloop.core.seeds import generator
from medloop.loop.foundation.consensus import consensus_annotations
from medloop.loop.foundation.damage import LeftOut, sound_annotations
from medloop.loop.foundation.leaning import leans_on_proposal
from medloop.loop.foundation.learned import learned_cases
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.judging.domain import Domain
from medloop.loop.judging.evaluation import score_annotations
from medloop.loop.judging.evaluation_cases import EvaluatedCase, evaluated_cases
from medloop.metrics.drift import DriftTest
from medloop.metrics.intervals import MIN_PATIENTS, bootstrap_mean, group_means, interval_words

OTHERS = "as on the other evaluated patients"

SPLITS: tuple[Split, ...] = ("train", "audit", "test", "validation")


@dataclass(frozen=True)
class ErrorDrift:
    """The test, where enough patients are annotated; and what to say beside it."""

    test: DriftTest | None
    note: str


@dataclass(frozen=True, eq=False)
class _Pairs:
    """Observed and expected score of each case, its patient, and by what it is expected.

    Attributes:
        known: Means of the patients whose mean is expected of every case, shape (patients,); none where each case has its own expectation.
    """

    observed: FloatArray
    expected: FloatArray
    patients: Sequence[str]
    by: str
    known: FloatArray


@dataclass(frozen=True, eq=False)
class Annotated:
    """What there is to hold against a model's expectations, read once for all groups.

    Attributes:
        answers: Annotations that the model did not learn and that did not begin as a proposal, of cases that it predicted.
        cases: Of these, and of the evaluated ones, by id.
        predictions: By id of the case.
        evaluated: What the model was judged on.
    """

    answers: Sequence[Annotation]
    cases: dict[str, Case]
    predictions: Mapping[str, Prediction]
    evaluated: Sequence[EvaluatedCase]


def annotated_beside(workspace: Workspace, domain: Domain) -> Annotated:
    """The annotations that can tell whether a model errs more than expected."""
    model, taught = domain.model, {case.patient for case in domain.training.cases}
    with workspace.store.read() as tx:
        learned = set(learned_cases(tx, model))
        answers = [
            a for split in SPLITS for a in consensus_annotations(tx, split) if a.case_id not in learned and not leans_on_proposal(tx, a)
        ]
        evaluated = evaluated_cases(tx, model.id)
        ids = {a.case_id for a in answers} | {c.case_id for c in evaluated}
        cases = {case.id: case for case in tx.find(Case, where={"id": sorted(ids)})} if ids else {}
        predictions = {p.case_id: p for p in tx.latest_predictions(model.id, among=[a.case_id for a in answers])}
    wanted = [a for a in answers if a.case_id in predictions and cases[a.case_id].patient not in taught]
    return Annotated(wanted, cases, predictions, evaluated)


def calibration_drift(workspace: Workspace, domain: Domain, known: Annotated, inside: Callable[[Case], bool]) -> ErrorDrift:
    """Observed less expected score of the annotated cases of a group that the model did not learn from.

    What is expected is the quality predicted with each case, or the mean over the model's other evaluated patients where none was.
    Annotations that began as a proposal are left out. The test is Student's, one-sided for a lower score, over patients; against the mean
    of other patients it is Welch's, since that mean is known no better than they are many.
    """
    pairs = _pairs(workspace, domain, known, inside)
    if not len(pairs.observed):
        return ErrorDrift(None, "no annotated cases of the group: expected and observed quality were not compared")
    sides = [
        (len(set(pairs.patients)), "annotated patient", "of the group"),
        (len(pairs.known), "other evaluated patient", "to compare with"),
    ]
    for count, what, where in sides if pairs.by == OTHERS else sides[:1]:
        if count < MIN_PATIENTS:
            words = f"{counted(count, what)} {where}: at least {MIN_PATIENTS} needed to compare expected and observed quality"
            return ErrorDrift(None, words)
    less = pairs.observed - pairs.expected
    interval = bootstrap_mean(less, pairs.patients, generator(workspace.settings.seed, "calibration drift", domain.model.index))
    t, p = lower_mean(group_means(less, pairs.patients), pairs.known)
    means = f"observed {pairs.observed.mean():.3f}, expected {pairs.expected.mean():.3f} {pairs.by}"
    about = f"{means}; difference {interval_words(interval, '+.3f')}"
    return ErrorDrift(DriftTest("calibration", about, t, p, interval.mean, "observed less expected quality"), "")


def lower_mean(less: FloatArray, known: FloatArray) -> tuple[float, float]:
    """Statistic and p-value of a mean below 0, one-sided.

    Args:
        less: Of each patient, what is observed less what is expected, shape (patients,).
        known: Of each patient whose mean is expected, shape (patients,); none where what is expected has no error.

    Source: Welch 1947, doi:10.1093/biomet/34.1-2.28 (degrees of freedom after Satterthwaite 1946); Student's without `known`.
    """
    from scipy.special import stdtr

    sides = [side for side in (less, known) if len(side)]
    parts = np.array([float(side.var(ddof=1)) / len(side) for side in sides])
    error = max(float(parts.sum()) ** 0.5, 1e-6)
    least = [len(side) - 1 for side in sides]
    freedom = float(parts.sum()) ** 2 / max(float((parts**2 / np.array(least)).sum()), 1e-300)
    t = float(less.mean()) / error
    return t, float(stdtr(max(freedom, min(least)), t))


def _pairs(workspace: Workspace, domain: Domain, known: Annotated, inside: Callable[[Case], bool]) -> _Pairs:
    model, cases, predictions = domain.model, known.cases, known.predictions
    others = [c for c in known.evaluated if not inside(cases[c.case_id])]
    wanted = [a for a in known.answers if inside(cases[a.case_id])]
    left_out = LeftOut(workspace)
    scores = score_annotations(workspace, model, sound_annotations(wanted, cases, left_out), cases, left_out)
    ids, none = list(scores), np.zeros(0)
    observed = np.array([np.mean(list(scores[i].values())) for i in ids], dtype=np.float64)
    patients, qualities = [cases[i].patient for i in ids], [predictions[i].quality for i in ids]
    if ids and all(q is not None for q in qualities):
        return _Pairs(observed, np.array(qualities, dtype=np.float64), patients, "by the quality predicted with each", none)
    if not others or not ids:
        return _Pairs(none, none, [], "", none)
    means = group_means([c.truth for c in others], [c.patient for c in others])
    return _Pairs(observed, np.full(len(ids), float(means.mean())), patients, OTHERS, means)
