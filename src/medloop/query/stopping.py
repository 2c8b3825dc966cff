"""When to stop annotating, in words.

Four things speak for stopping: a budget is spent; the target is reached by the score's *lower bound*; the curve is
flat, which means that even the *upper bound* of what a few more rounds bring is below what is worth having; or the
predictions no longer change and the next batch cannot promise more either. That nothing was *seen* to improve is never
a reason: a noisy measurement sees nothing whether or not there is something to see.
"""

from dataclasses import dataclass, field

import numpy as np

from medloop.core.arrays import CaseScores, FloatArray
from medloop.core.errors import SettingError, ShapeError
from medloop.core.names import counted
from medloop.metrics.intervals import MIN_PATIENTS, t_quantile
from medloop.query.budget.extrapolation import COVERAGE, MIN_POINTS, Gain, expected_gain
from medloop.query.budget.stability import KAPPA_WINDOW, has_stabilised

WORTHWHILE_GAIN = 0.01
"""One point of Dice or accuracy: less is within what two trainings on the same answers differ by."""

PLATEAU_ROUNDS = 3
"""The curve is flat when this many more rounds, at the present pace, bring less than `WORTHWHILE_GAIN`."""

PLATEAU_MODELS, PLATEAU_WINDOW = 5, 10
"""Fewest and most models the pace is taken from: three degrees of freedom at least, the recent past at most."""

USABLE_SCORE = 0.3
"""Flat below this means that learning failed, not that it is finished."""

LOOK_RISK = 0.01
"""Chance, at each look, to call a curve flat although more rounds would bring something worthwhile. One percent, not
five, because the question is asked again after every model."""

SURE = 1.0 - 2.0 * LOOK_RISK
"""Coverage of an interval that leaves so much on either side."""


@dataclass(frozen=True)
class Spending:
    """Answers, minutes and money: what was spent, and what may be; 0 sets no limit. Without rates (`priced`) money is minutes."""

    labels: int = 0
    minutes: float = 0.0
    money: float = 0.0
    budget_labels: int = 0
    budget_minutes: float = 0.0
    budget_money: float = 0.0
    priced: bool = False


@dataclass(frozen=True)
class Curve:
    """A learning curve measured on the same cases throughout, oldest model first.

    Attributes:
        labels: Answers behind each model, shape (points,).
        scores: Mean score of each, shape (points,).
        draws: The whole curve under resampled patients, shape (draws, points); see `drawn_curves`.
        low: Lower 95 % bound of the newest score; None where there are too few patients for one.
        patients: How many different patients it was measured on.
        source: What it was measured on, in words.
    """

    labels: CaseScores
    scores: CaseScores
    draws: FloatArray
    low: float | None
    patients: int
    source: str = "evaluation cases"

    def __post_init__(self) -> None:
        points = len(self.scores)
        if not points or self.labels.shape != (points,) or self.draws.ndim != 2 or self.draws.shape[1] != points:
            raise ShapeError(f"A curve needs one number of annotations and a drawn score per point, got {self.labels.shape} and {points}")


@dataclass(frozen=True)
class Evidence:
    """All that is known when the question is asked.

    Attributes:
        spending: So far, and the limits.
        curve: None before the first evaluation.
        target: Score to reach, 0 for none.
        kappas: Agreement of consecutive models on the pool, oldest first.
        next_batch: Answers that the next round would ask.
        next_minutes: Predicted minutes of these; None when no time was ever recorded.
        next_cost: Their predicted cost; None without a rate, too.
        minutes_note: How far predicted minutes are off, in words.
        left: Cases that could still be asked.
    """

    spending: Spending
    curve: Curve | None = None
    target: float = 0.0
    kappas: tuple[float, ...] = ()
    next_batch: int = 1
    next_minutes: float | None = None
    next_cost: float | None = None
    minutes_note: str = ""
    left: int = 1


@dataclass(frozen=True)
class Advice:
    """Whether to go on, and why.

    Attributes:
        stop: The advice; nothing is ever stopped by itself.
        reasons: One sentence each.
        expected_gain: Score the next batch will probably add; None with too few models to tell.
        interval: Its 95 % interval.
        minutes: Predicted minutes of the next batch; None when no time was recorded.
        minutes_note: How far predicted minutes are off, or that nobody knows yet; "" without minutes.
        batch: Cases of the next batch; 0 where none is left.
    """

    stop: bool
    reasons: tuple[str, ...]
    expected_gain: float | None = None
    interval: tuple[float, float] | None = None
    minutes: float | None = None
    batch: int = 0
    minutes_note: str = ""


@dataclass
class _Case:
    """Reasons as they are gathered."""

    stop: bool = False
    reasons: list[str] = field(default_factory=list)

    def note(self, text: str, *, stop: bool = False) -> None:
        self.reasons.append(text)
        self.stop = self.stop or stop


def advise(evidence: Evidence) -> Advice:
    """Weigh everything and say so.

    Args:
        evidence: What is known.

    Raises:
        SettingError: A target outside 0..1, or a negative budget.
        ShapeError: A curve whose parts do not fit.

    Source: Zhu et al. 2010, doi:10.1145/1753783.1753784, and Bloodgood and Vijay-Shanker 2009, arXiv:1409.5165, on
        stability; flatness is one side of an equivalence test (Schuirmann 1987, doi:10.1007/BF01068419).
    """
    _require_limits(evidence)
    case = _Case()
    gain = next_gain(evidence.curve, evidence.next_batch) if evidence.curve and evidence.left else None
    _weigh_budget(case, evidence)
    if evidence.curve is None:
        case.note("No model was judged yet, so nothing is known about what more annotations bring.")
    else:
        _weigh_target(case, evidence.curve, evidence.target)
        _weigh_plateau(case, evidence.curve, evidence.next_batch)
    _weigh_stability(case, evidence)
    if evidence.left:
        _say_gain(case, evidence, gain)
    interval = (gain.low, gain.high) if gain else None
    minutes = evidence.next_minutes if evidence.left else None
    return Advice(
        case.stop,
        tuple(case.reasons),
        gain.expected if gain else None,
        interval,
        minutes,
        evidence.next_batch if evidence.left else 0,
        evidence.minutes_note if minutes is not None else "",
    )


def next_gain(curve: Curve, more: int, *, confidence: float = COVERAGE) -> Gain | None:
    """What the next annotations will probably add; None with too few models or patients to tell."""
    usable = curve.labels >= 1
    if more < 1 or curve.patients < MIN_PATIENTS or len(np.unique(curve.labels[usable])) < MIN_POINTS:
        return None
    draws = curve.draws[:, usable]
    return expected_gain(curve.labels[usable], curve.scores[usable], draws, patients=curve.patients, more=more, confidence=confidence)


def pace_gain(curve: Curve, more: int) -> Gain | None:
    """What further answers would add at the pace of the last models, with bounds of `LOOK_RISK` on either side.

    A line through the last models. Its error adds two variances: the scatter of the models around it, which holds the
    luck of single trainings, and the spread under resampled patients. Curves bend downwards, so the line promises
    rather too much: flat by this measure is flat.

    Args:
        curve: The learning curve.
        more: Further answers, >= 1.

    Returns:
        None with fewer than `PLATEAU_MODELS` models on different numbers of answers, or `MIN_PATIENTS` patients.
    """
    labels, scores = curve.labels[-PLATEAU_WINDOW:].astype(np.float64), curve.scores[-PLATEAU_WINDOW:]
    if len(np.unique(labels)) < PLATEAU_MODELS or curve.patients < MIN_PATIENTS:
        return None
    spread = float(((labels - labels.mean()) ** 2).sum())
    slope = float((labels - labels.mean()) @ scores) / spread
    residuals = scores - scores.mean() - slope * (labels - labels.mean())
    freedom = len(scores) - 2
    by_models = float(np.sqrt((residuals**2).sum() / freedom / spread)) * t_quantile(freedom, SURE)
    slopes = curve.draws[:, -PLATEAU_WINDOW:] @ (labels - labels.mean()) / spread
    small = np.sqrt(curve.patients / (curve.patients - 1))  # a bootstrap of few patients spreads too little
    by_patients = float(slopes.std() * small) * t_quantile(curve.patients - 1, SURE)
    reach = float(np.hypot(by_models, by_patients)) * more
    return Gain(slope * more, slope * more - reach, slope * more + reach)


def _weigh_budget(case: _Case, evidence: Evidence) -> None:
    s = evidence.spending
    for spent, budget, what in (
        (s.labels, s.budget_labels, "annotations"),
        (s.minutes, s.budget_minutes, "minutes of work"),
        (s.money, s.budget_money, "of cost" if s.priced else "of cost (in minutes: no cost per minute is set)"),
    ):
        if budget and spent >= budget:
            case.note(f"The budget is spent: {spent:.4g} of {budget:.4g} {what}.", stop=True)
        elif budget:
            case.note(f"The budget holds: {spent:.4g} of {budget:.4g} {what}.")
    if not evidence.left:
        case.note("No case is left to query.", stop=True)


def _weigh_target(case: _Case, curve: Curve, target: float) -> None:
    if not target:
        return
    score = float(curve.scores[-1])
    if curve.low is None or curve.patients < MIN_PATIENTS:
        case.note(
            f"Whether the target of {target:.3g} is reached cannot be judged from {curve.patients} patients; {MIN_PATIENTS} are needed."
        )
    elif curve.low >= target:
        case.note(f"The target of {target:.3g} is reached: even the lower bound is {curve.low:.3f} on {curve.source}.", stop=True)
    elif score >= target:
        case.note(f"The mean of {score:.3f} is above the target of {target:.3g}, but its lower bound of {curve.low:.3f} is not yet.")
    else:
        case.note(f"The target of {target:.3g} is not reached: {score:.3f} (lower bound {curve.low:.3f}) on {curve.source}.")


def _weigh_plateau(case: _Case, curve: Curve, batch: int) -> None:
    pace = pace_gain(curve, PLATEAU_ROUNDS * max(1, batch))
    if pace is None:
        case.note(
            f"Whether the curve is flat can be judged from {PLATEAU_MODELS} models on {MIN_PATIENTS} patients or more; "
            f"so far: {counted(len(curve.scores), 'model')} on {counted(curve.patients, 'patient')}."
        )
        return
    rounds = f"at the pace of the last {min(len(curve.scores), PLATEAU_WINDOW)} models, {PLATEAU_ROUNDS} more rounds bring {_span(pace)}"
    if pace.high >= WORTHWHILE_GAIN:
        rises = pace.low > 0
        case.note(f"The curve still rises: {rounds}." if rises else f"Flat or slowly rising, too noisy to tell: {rounds}.")
    elif pace.high < 0:
        case.note(f"The curve falls: {rounds}. Look at the newest labels and the training before going on or stopping.")
    elif curve.scores[-1] < USABLE_SCORE:
        case.note(f"The curve is flat, but at {curve.scores[-1]:.3f}: look at the labels and the training before going on or stopping.")
    else:
        case.note(f"The curve is flat: {rounds}, less than the {WORTHWHILE_GAIN:g} worth having.", stop=True)


def _weigh_stability(case: _Case, evidence: Evidence) -> None:
    kappas = evidence.kappas
    if not kappas:
        return
    gain = next_gain(evidence.curve, evidence.next_batch, confidence=SURE) if evidence.curve and evidence.left else None
    recent = list(kappas)[-KAPPA_WINDOW:]
    mean = float(np.mean(recent))
    if not has_stabilised(kappas):
        pairs = counted(len(recent), "pair")
        case.note(f"Predictions of the pool still change: consecutive models agree with kappa {mean:.3f} over {pairs}.")
    elif gain is not None and gain.high < WORTHWHILE_GAIN:
        case.note(f"Predictions of the pool no longer change (kappa {mean:.3f}) and the curve promises no more.", stop=True)
    else:
        case.note(
            f"Predictions of the pool hardly change any more (kappa {mean:.3f}); alone that is no reason: a stuck model is stable too."
        )


def _say_gain(case: _Case, evidence: Evidence, gain: Gain | None) -> None:
    price = f"about {evidence.next_minutes:.0f} minutes" if evidence.next_minutes is not None else "an unknown time: none was recorded"
    if evidence.next_cost is not None:
        price += f" and a cost of about {evidence.next_cost:.3g}"
    if evidence.next_minutes is not None and evidence.minutes_note:
        price += f" ({evidence.minutes_note})"
    batch = "The next annotation" if evidence.next_batch == 1 else f"The next {evidence.next_batch} annotations"
    if gain is None:
        case.note(f"{batch} {'takes' if evidence.next_batch == 1 else 'take'} {price}; the gain cannot be judged from so few models.")
    else:
        case.note(f"{batch} will probably bring {_span(gain)} and take {price}.")


def _span(gain: Gain) -> str:
    return f"{gain.expected:+.3f} ({gain.low:+.3f} to {gain.high:+.3f})"


def _require_limits(evidence: Evidence) -> None:
    if not 0 <= evidence.target <= 1:
        raise SettingError(f"A target score must lie in 0..1, got {evidence.target}")
    s = evidence.spending
    for budget in (s.budget_labels, s.budget_minutes, s.budget_money):
        if budget < 0:
            raise SettingError(f"A budget must be 0 (none) or more, got {budget}")
