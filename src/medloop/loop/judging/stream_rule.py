"""The thresholds of a stream: fitted to one model on its own evaluated patients, kept in the audit, and never used for another model.

A rule is made once, when the first case arrives that needs it, and stays as it is: thresholds that follow each new annotation would
be chosen again and again until they please. It rests while another model or other settings are in use, is found again when both are
back, and ends when a lead has it made anew. Whoever makes rules for one model again and again gets less and less: the first may be wrong
with the chance 1 - `sure`, the next with half of that, and so on, so that all of them together are wrong with at most twice that chance.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import inf
from typing import Any

import numpy as np

from medloop.core.arrays import FloatArray
from medloop.core.errors import InputError
from medloop.core.names import counted
from medloop.core.records import Event, Model, ProjectSettings
from medloop.loop.foundation.disposed import CALIBRATE, RENEW, STREAM, last_event
from medloop.loop.foundation.follow_up import is_outdated
from medloop.loop.judging.evaluation_cases import FAIR_SPLITS, EvaluatedCase, evaluated_cases
from medloop.loop.judging.triage import confidence_score
from medloop.metrics.selective import risk_coverage
from medloop.quality.accepting import Acceptance, fit_acceptance
from medloop.quality.deferral import control_risk
from medloop.store.reader import Reader
from medloop.store.writer import Writer

POINTS = 20

ASKED = ("stream_risk", "stream_sure", "stream_good", "stream_hard", "stream_labels")
"""The settings that a rule is made for."""


class EvaluationDueError(InputError):
    """The model is about to be held against other annotations: a rule must wait for that."""


@dataclass(frozen=True)
class StreamRule:
    """What decides, and what it rests on.

    Attributes:
        asked: The settings it was made for, as `ASKED`.
        attempt: How many rules this model has had, with this one.
        sure: How sure its promise is; more than asked for after the first attempt.
        above: Scores above are accepted; None where none can be, -1 where all are.
        second_above: Scores not above go to two readers; None where none do.
        patients, accepted: Evaluated patients, and those with a case that would have been accepted.
        coverage, share_bad: Share of the evaluated cases accepted, and mean share of bad ones among those of these patients.
        curve: (score, coverage, share of bad ones among the accepted), from the strictest score down.
        number: Of its entry in the audit; only later decisions are its own.
    """

    model_id: str
    model_index: int
    asked: dict[str, Any]
    attempt: int
    sure: float
    above: float | None
    second_above: float | None
    patients: int
    accepted: int
    coverage: float
    share_bad: float
    curve: tuple[tuple[float, float, float], ...]
    number: int = 0
    at: str = ""

    @property
    def risk(self) -> float:
        """Share of the accepted that may be bad."""
        return float(self.asked["stream_risk"])

    @property
    def good(self) -> float:
        """Score below which an accepted proposal is bad."""
        return float(self.asked["stream_good"])

    @property
    def hard(self) -> float:
        """Score below which two people should read a case."""
        return float(self.asked["stream_hard"])

    @property
    def promise(self) -> str:
        """What is promised of the accepted, in words."""
        which = "a label below" if self.asked["stream_labels"] == "each" else "a proposal below"
        return f"at most {self.risk:.3g} of the accepted patients have {which} {self.good:g}, {self.sure:.4g} sure"

    @property
    def words(self) -> str:
        """The rule in a line."""
        attempt = f", rule {self.attempt} of this model" if self.attempt > 1 else ""
        by = f"model {self.model_index}, {counted(self.patients, 'evaluated patient')}{attempt}"
        if self.above is None:
            remedy = "annotate more audit cases, then medloop dispositions DIR renew --why …"
            return f"{by}: no threshold keeps the promise ({self.promise}), so nothing is accepted; {remedy}"
        every = "everything is" if self.above < 0 else f"scores above {self.above:.3f} are"
        measured = f"{self.coverage:.0%} of the evaluated cases would be accepted, {self.share_bad:.1%} of these bad"
        return f"{by}: {every} accepted; {self.promise}; {measured}"

    def accepts(self, score: float) -> bool:
        """Whether a proposal of this score is accepted without a look."""
        return self.above is not None and score > self.above

    def needs_two(self, score: float) -> bool:
        """Whether two people should read a case of this score."""
        return self.second_above is not None and score <= self.second_above

    def is_bad(self, scores: Sequence[float]) -> bool:
        """Whether accepting a proposal with these scores of its labels was wrong."""
        return bool(truth_of(scores, self.asked["stream_labels"]) < self.good)


def truth_of(scores: Sequence[float], labels: str) -> float:
    """What a case's scores by label amount to: their mean, or the least of them."""
    return float(min(scores) if labels == "each" else np.mean(scores))


def rule_in_force(tx: Reader, settings: ProjectSettings) -> StreamRule | None:
    """The rule of the model in use, by the settings of now and since it was last to be made anew; None where there is none.

    One that was made before other models or settings were tried is found again: nothing new is tested.
    """
    live, renewed = tx.live_model(), last_event(tx, RENEW)
    if live is None:
        return None
    made = tx.events_about(STREAM, [live.id], verbs=[CALIBRATE])
    since = [rule_of(event) for event in made if renewed is None or event.seq > renewed["number"]]
    return next((rule for rule in reversed(since) if rule.asked == asked_now(settings)), None)


def asked_now(settings: ProjectSettings) -> dict[str, Any]:
    """The settings that a rule of now is made for."""
    return {name: getattr(settings, name) for name in ASKED}


def next_sure(tx: Reader, settings: ProjectSettings, model: Model) -> tuple[int, float]:
    """Of the next rule of a model: which one it is, and how sure it must be."""
    attempt = 1 + sum(event.noun_id == model.id for event in tx.events_about(STREAM, verbs=[CALIBRATE]))
    return attempt, 1.0 - (1.0 - settings.stream_sure) / 2 ** min(attempt - 1, 40)


def make_rule(tx: Writer, settings: ProjectSettings, model: Model) -> StreamRule:
    """Fit the rule of a model and keep it.

    Raises:
        EvaluationDueError: An evaluation that is about to change.
        InputError: Too few evaluated patients.
    """
    if any(is_outdated(tx, model, split) for split in FAIR_SPLITS):
        raise EvaluationDueError(
            f"Model {model.index} is not evaluated on the annotations of today", remedy="wait for the worker, or run medloop worker"
        )
    judged, (attempt, sure) = evaluated_cases(tx, model.id), next_sure(tx, settings, model)
    scores, truth = [confidence_score(c.prediction) for c in judged], _truths(judged, settings)
    patients, bad = [c.patient for c in judged], truth < settings.stream_good
    found = fit_acceptance(scores, bad, patients, risk=settings.stream_risk, sure=sure)
    second = control_risk(scores, (truth < settings.stream_hard).astype(float), risk=settings.stream_risk, patients=patients)
    made = StreamRule(
        model_id=model.id,
        model_index=model.index,
        asked=asked_now(settings),
        attempt=attempt,
        sure=sure,
        above=_threshold(found),
        second_above=None if second.above == -inf else min(second.above, 1.0),
        patients=found.patients,
        accepted=found.accepted,
        coverage=found.coverage,
        share_bad=found.share_bad,
        curve=_curve(scores, bad.astype(np.float64)),
    )
    body = {name: value for name, value in asdict(made).items() if name not in ("number", "at")}
    event = tx.record(CALIBRATE, STREAM, model.id, body)
    return rule_of(event)


def _threshold(found: Acceptance) -> float | None:
    return None if found.above == inf else max(found.above, -1.0)


def _truths(judged: Sequence[EvaluatedCase], settings: ProjectSettings) -> FloatArray:
    return np.array([truth_of(case.by_label, settings.stream_labels) for case in judged], dtype=np.float64)


def rule_of(event: Event) -> StreamRule:
    """The rule that an entry of the audit made."""
    values: dict[str, Any] = {name: event.body[name] for name in StreamRule.__dataclass_fields__ if name in event.body}
    curve = tuple((float(score), float(coverage), float(bad)) for score, coverage, bad in event.body["curve"])
    return StreamRule(**{**values, "curve": curve, "number": event.seq, "at": event.at})


def _curve(scores: Sequence[float], bad: FloatArray) -> tuple[tuple[float, float, float], ...]:
    curve = risk_coverage(scores, bad)
    some = np.unique(np.linspace(0, len(curve.coverage) - 1, POINTS).round().astype(int))
    return tuple((float(curve.threshold[n]), float(curve.coverage[n]), float(curve.risk[n])) for n in some)
