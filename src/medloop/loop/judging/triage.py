"""Which predictions of the pool need no look, one look, or two: thresholds from the cases that were evaluated.

Test and audit cases set the thresholds (`medloop.loop.judging.evaluation_cases`), and too few patients among them are refused. The
promise is for cases drawn like the evaluated ones: others are not accepted, whatever their score (`medloop.loop.judging.trust`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import TypeAlias

import numpy as np

from medloop.core.errors import InputError
from medloop.core.names import natural_key
from medloop.core.records import Case, Evaluation, Model, Prediction, Split
from medloop.core.states import JobState
from medloop.loop.foundation.annotated_labels import lacking_cases
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.judging.evaluation_cases import EvaluatedCase, evaluated_cases, evaluated_counts, evaluated_patients
from medloop.loop.judging.trust import Check, Trust, trust_in
from medloop.metrics.selective import risk_coverage
from medloop.quality.deferral import Decision, Deferral, Threshold, fewest_patients, fit_deferral, require_enough, require_risk
from medloop.quality.triage import GOOD_DICE
from medloop.store.reader import Reader

HARD_DICE = 0.5
"""Below this Dice a proposal misleads more than it helps; one person alone should not mend it."""

CURVE_POINTS = 20

RISK = 0.1
"""What is promised unless somebody asks for another risk."""

Limits: TypeAlias = tuple[float, float, float]
"""Risk, good and hard of `triage_pool`."""


@dataclass(frozen=True)
class TriagedCase:
    """One unanswered case.

    Attributes:
        score: What decides: agreement of the samples, or the highest probability of a classification.
        expected, low, high: Its predicted quality with interval, where that could be calibrated.
        domain_p: Chance that a case like those the model was judged on lies as far from what it learned; None where that cannot be told.
        outside: Whether it is refused for that.
    """

    case_id: str
    name: str
    decision: Decision
    score: float
    expected: float | None
    low: float | None
    high: float | None
    reason: str
    domain_p: float | None = None
    outside: bool = False


@dataclass(frozen=True)
class CurvePoint:
    """What accepting everything from a score on would have meant on the evaluated cases.

    Attributes:
        share_bad: Of the accepted, how many were below `good`.
        share_of_all: The same over all cases, accepted or not: what the risk bounds.
    """

    score: float
    coverage: float
    share_bad: float
    share_of_all: float


@dataclass(frozen=True)
class Triage:
    """The pool, sorted.

    Attributes:
        risk, good, hard: As asked; see `triage_pool`.
        accept, second: Thresholds on the score, with what they measured.
        splits: Whose evaluated cases set them.
        optimistic: False; validation cases, which also chose the weights, set no threshold.
        evaluated: Evaluated patients of every split there is, those left out too.
        curve: Measured on the evaluated cases, from the strictest score down.
        cases: Unanswered predicted cases, those that need most help first.
        unpredicted: Unanswered cases without a prediction of this model.
        in_part: Cases that are annotated for some labels only: they are left out, since a score is of a whole case.
        promise: For which cases the risk holds, in words.
        checked: Whether cases were compared with those that the model was judged on.
        drifted: Groups that are refused as a whole, with the reason.
    """

    model_index: int
    risk: float
    good: float
    hard: float
    accept: Threshold
    second: Threshold
    splits: tuple[Split, ...]
    optimistic: bool
    evaluated: Mapping[str, int]
    curve: tuple[CurvePoint, ...]
    cases: tuple[TriagedCase, ...]
    unpredicted: int
    in_part: int
    promise: str
    checked: bool
    drifted: tuple[str, ...]


def triage_pool(
    workspace: Workspace, *, risk: float = RISK, good: float = GOOD_DICE, hard: float = HARD_DICE, check: Check = "domain"
) -> Triage:
    """Sort the unanswered cases that the newest evaluated model has predicted.

    Args:
        workspace: The project.
        risk: At most this share of all cases is accepted though their true score is below `good`, and at most this share
            is looked at by one person only though it is below `hard`; in expectation.
        good: Score (mean Dice of the labels; 1 for a right class, 0 for a wrong one) that needs no look.
        hard: Score below which two people should look; at most `good`.
        check: "domain" accepts no case that is unlike those the model was judged on, nor any of a group that drifted; "none" does not look.

    Raises:
        InputError: No evaluated model, or too few evaluated patients for the risk, so far or at all.
        SettingError: A risk outside 0..1, or `hard` above `good`.
    """
    require_risk(risk)
    try:
        return _sorted_pool(workspace, (risk, good, hard), check)
    except InputError:
        _refuse_while_evaluating(workspace)
        raise


def _sorted_pool(workspace: Workspace, limits: Limits, check: Check) -> Triage:
    risk, good, hard = limits
    with workspace.store.read() as tx:
        rule = triage_rule(tx, risk=risk, good=good, hard=hard)
        model, judged, deferral = rule.model, rule.judged, rule.deferral
        predictions = {p.case_id: p for p in tx.latest_predictions(model.id)}
        pool = sorted(tx.unlabelled_cases(["train", "audit"]), key=lambda c: c.name)
        in_part = tx.find(Case, where={"id": sorted(lacking_cases(tx, workspace.task)), "split": ["train", "audit"]})
    predicted = [case for case in pool if case.id in predictions]
    trust = trust_in(workspace, model, predicted, check)
    return Triage(
        model_index=model.index,
        risk=risk,
        good=good,
        hard=hard,
        accept=deferral.accept,
        second=deferral.second,
        splits=tuple(dict.fromkeys(c.split for c in judged)),
        optimistic=False,
        evaluated=rule.evaluated,
        curve=_curve([confidence_score(c.prediction) for c in judged], [c.truth for c in judged], good),
        cases=_sort_cases(predicted, predictions, deferral, limits, trust),
        unpredicted=len(pool) - len(predicted),
        in_part=len(in_part),
        promise=trust.promise,
        checked=not trust.unchecked,
        drifted=trust.drifted,
    )


@dataclass(frozen=True)
class TriageRule:
    """What decides, by which model's evaluated cases; `evaluated` counts patients of every split."""

    model: Model
    deferral: Deferral
    judged: Sequence[EvaluatedCase]
    evaluated: Mapping[str, int]


def triage_rule(tx: Reader, *, risk: float, good: float = GOOD_DICE, hard: float = HARD_DICE) -> TriageRule:
    """The rule of now; arguments and what is raised as of `triage_pool`.

    Raises:
        InputError: No evaluated model, or too few evaluated patients for the risk.
        SettingError: A risk outside 0..1, or `hard` above `good`.
    """
    model = _evaluated_model(tx)
    evaluated, judged = evaluated_counts(tx, model.id), evaluated_cases(tx, model.id)
    require_enough(evaluated_patients(judged), risk, counted=evaluated)
    scores, truth, patients = [confidence_score(c.prediction) for c in judged], [c.truth for c in judged], [c.patient for c in judged]
    return TriageRule(model, fit_deferral(scores, truth, risk=risk, good=good, hard=hard, patients=patients), judged, evaluated)


def missing_patients(tx: Reader, *, risk: float = RISK) -> int:
    """How many more evaluated patients a rule with that risk needs; 0 when it has enough."""
    try:
        model = _evaluated_model(tx)
    except InputError:
        return fewest_patients(risk)
    return max(0, fewest_patients(risk) - evaluated_patients(evaluated_cases(tx, model.id)))


def _refuse_while_evaluating(workspace: Workspace) -> None:
    """What is lacking may be about to come: then more annotations are no remedy.

    Raises:
        InputError: An evaluation waits or runs.
    """
    active = [job for state in (JobState.RUNNING, JobState.QUEUED) for job in workspace.store.jobs.list(state=state)]
    if any(job.kind == "evaluate" for job in active):
        raise InputError("An evaluation is under way, and the pool is sorted by it", remedy="wait until it is done")


def _evaluated_model(tx: Reader) -> Model:
    """The model in use where it is evaluated, else the one evaluated last."""
    live = tx.live_model()
    if live is not None and tx.current_evaluations(model_id=live.id):
        return live
    newest = tx.find(Evaluation, order=("created_at",), descending=True, limit=1)
    if not newest:
        raise InputError("Sorting the pool needs an evaluated model, got none", remedy="annotate evaluation cases and train a model")
    return tx.get(Model, newest[0].model_id)


def confidence_score(prediction: Prediction) -> float:
    """What cases are sorted by: agreement of the samples; for a classification the highest probability.

    Both come from the model alone: a line fitted on the evaluated cases would know them already.
    """
    return float(prediction.scores["agreement"]) if prediction.mask is not None else float(max(prediction.probabilities))


def _sort_cases(
    cases: Sequence[Case], predictions: dict[str, Prediction], deferral: Deferral, limits: Limits, trust: Trust
) -> tuple[TriagedCase, ...]:
    scores = [confidence_score(predictions[case.id]) for case in cases]
    decisions = deferral.decide(scores)
    found = [
        _triaged(case, predictions[case.id], decision, _reason(decision, score, deferral, *limits[1:]), trust)
        for case, score, decision in zip(cases, scores, decisions, strict=True)
    ]
    return tuple(sorted(found, key=lambda c: (c.score, natural_key(c.name))))


def _triaged(case: Case, p: Prediction, decision: Decision, reason: str, trust: Trust) -> TriagedCase:
    standing, refusal = trust.standing(case.id), trust.why_not(case.id)
    return TriagedCase(
        case_id=case.id,
        name=case.name,
        decision="review" if refusal and decision == "accept" else decision,
        score=confidence_score(p),
        expected=p.quality,
        low=p.quality_low,
        high=p.quality_high,
        reason=refusal or reason,
        domain_p=standing.p if standing else None,
        outside=bool(standing and standing.outside),
    )


def _reason(decision: Decision, score: float, deferral: Deferral, good: float, hard: float) -> str:
    accept, second = deferral.accept, deferral.second
    if decision == "accept" and accept.above == -inf:
        return f"{score:.3f}, and accepting everything lets through at most {accept.risk:.0%} of all cases below {good:g}"
    if decision == "accept":
        share = f"at most {accept.risk:.0%} of all cases below {good:g}"
        return f"{score:.3f} is above {accept.above:.3f}: accepting such cases lets through {share}"
    if decision == "review":
        return f"{score:.3f} is not above {accept.above:.3f}: it may well be below {good:g}"
    return f"{score:.3f} is not above {second.above:.3f}: it may well be below {hard:g}"


def _curve(scores: Sequence[float], truth: Sequence[float], good: float) -> tuple[CurvePoint, ...]:
    curve = risk_coverage(scores, (np.asarray(truth) < good).astype(np.float64))
    some = np.unique(np.linspace(0, len(curve.coverage) - 1, CURVE_POINTS).round().astype(int))
    return tuple(
        CurvePoint(float(curve.threshold[n]), float(curve.coverage[n]), float(curve.risk[n]), float(curve.joint_risk[n])) for n in some
    )
