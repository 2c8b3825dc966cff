"""A stream in production: each case that arrives is decided: its proposal is accepted, or one person reads it, or two.

The rule of the model in use decides (`medloop.loop.judging.stream_rule`). Nothing is accepted, and everything deferred, without a rule,
after an alarm, and of a case for which the promise was not made: unlike the evaluated cases, of a group that drifted, not compared with
them, or of a patient whom the model has learned from. Decisions and their entries in the audit are one transaction, so that a process
which is killed in between decides again what it had not decided, and nothing twice. Cases that people are to read become a round at once,
those of the audit sample among them in the same words as ever, so that nobody can tell which were accepted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from medloop.core.errors import InputError, SettingError
from medloop.core.records import Case, Json, Model, Prediction, ProjectSettings
from medloop.loop.foundation.computable import misfit
from medloop.loop.foundation.damage import OVERSIZED, damaged_cases
from medloop.loop.foundation.damage import VERB as FOUND
from medloop.loop.foundation.disposed import (
    POOL,
    Decision,
    Disposition,
    dispositions,
    note_stream,
    waiting_arrivals,
)
from medloop.loop.foundation.follow_up import evaluation_keys
from medloop.loop.foundation.learned import fitted_cases
from medloop.loop.foundation.readings import project_settings
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.judging.stream_audit import standing_alarm, watch_stream
from medloop.loop.judging.stream_rule import EvaluationDueError, StreamRule, make_rule, rule_in_force
from medloop.loop.judging.triage import confidence_score
from medloop.loop.judging.trust import Trust, trust_in
from medloop.loop.querying.stream_rounds import open_stream_round, record_disposition
from medloop.models.foundation.nnunet_recipe import recipe_of
from medloop.store.reader import Reader
from medloop.store.writer import Writer

WINDOW = 100
"""Cases decided last that are compared with the evaluated ones together with those that arrive now, to see a drift."""

AT_ONCE = 500
"""Cases decided in one go; the others follow."""


@dataclass(frozen=True)
class _Verdict:
    decision: Decision
    reason: str
    score: float | None = None


@dataclass(frozen=True)
class _Asked:
    """What cases are decided by.

    Attributes:
        rule: None where nothing is accepted; then `lacking` says why.
        refused: Id of a case → why the promise is not for it, or why it cannot be predicted.
    """

    model: Model
    rule: StreamRule | None
    lacking: str
    predictions: Mapping[str, Prediction]
    refused: Mapping[str, str]


def dispose_arrivals(workspace: Workspace) -> list[Disposition]:
    """Decide every case that arrived, that the model in use has predicted, and that was not decided yet, in the order of arrival.

    Without a model nothing is decided; nor while the model is about to be evaluated anew and no rule was made. The settings of now hold,
    not those that the project was opened with.
    """
    workspace = workspace.reload()
    watch_stream(workspace)
    if workspace.settings.stream_risk <= 0:
        return []
    note_stream(workspace)
    found: list[Disposition] = []
    while batch := _dispose_some(workspace):
        found += batch
    return found


def _dispose_some(workspace: Workspace) -> list[Disposition]:
    damaged = {case.case_id for case in damaged_cases(workspace)}
    with workspace.store.read() as tx:
        model = tx.live_model()
        if model is None:
            return []
        ready, predictions, unread = _ready(tx, model, damaged)
        recent = _recent(tx, {case.id for case in ready})
    if not ready:
        return []
    predicted = [case for case in ready if case.id in predictions]
    trust = trust_in(workspace, model, [*predicted, *recent], "domain") if predicted else None
    with workspace.store.write("system") as tx:
        live, settings = tx.live_model(), project_settings(tx)
        if live is None or live.id != model.id or settings.stream_risk <= 0:
            return []  # its own predictions bring the cases here again; or the stream was switched off meanwhile
        still = {case.id for case in waiting_arrivals(tx)}
        cases = [case for case in ready if case.id in still]
        try:
            rule, lacking = _rule(tx, settings, model) if predicted else (None, "")
        except EvaluationDueError as error:
            if workspace.store.jobs.active("evaluate", evaluation_keys(model.id)):
                return []  # what comes of it brings them here again
            rule, lacking = None, error.message
        refused = {**_refused(tx, model, predicted, trust), **unread}
        asked = _Asked(model, rule, lacking, predictions, refused)
        found = [_keep(tx, case, _decide(case, asked), asked) for case in cases]
        open_stream_round(tx, model, cases, found)
    return found


def _ready(tx: Reader, model: Model, damaged: set[str]) -> tuple[list[Case], dict[str, Prediction], dict[str, str]]:
    """Cases that can be decided now, the predictions of those that have one, and why the others will never have one."""
    waiting = [case for case in waiting_arrivals(tx) if case.id not in damaged]
    ids = [case.id for case in waiting]
    predictions = {p.case_id: p for p in tx.latest_predictions(model.id, among=ids)}
    rejected = {a.case_id for a in tx.rejections()}
    large = {event.noun_id for event in tx.events_about(OVERSIZED, ids, verbs=[FOUND])} if ids else set()
    unread = dict[str, str]()
    for case in waiting:
        if case.split not in POOL:
            unread[case.id] = f"its patient is among the {case.split} cases, of which people read every one"
        elif case.id in rejected:
            unread[case.id] = "a person rejected its proposal"
        elif case.id not in predictions and (reason := "too large for its grid" if case.id in large else _misfit(model, case)):
            unread[case.id] = f"model {model.index} cannot read it: {reason}"
    ready = [case for case in waiting if case.id in predictions or case.id in unread][:AT_ONCE]
    return ready, predictions, unread


def _misfit(model: Model, case: Case) -> str:
    """Why a model cannot read a case; "" where it can."""
    try:
        return misfit(recipe_of(model), case)
    except SettingError as error:  # of another version of medloop
        return error.message


def _recent(tx: Reader, without: set[str]) -> list[Case]:
    """The cases decided last, whatever was decided."""
    ids = [one.case_id for one in sorted(dispositions(tx).values(), key=lambda one: one.number)[-WINDOW:]]
    return [case for case in tx.find(Case, where={"id": ids}) if case.voxels and case.id not in without] if ids else []


def _rule(tx: Writer, settings: ProjectSettings, model: Model) -> tuple[StreamRule | None, str]:
    """The rule that decides now, or in words why nothing is accepted.

    Raises:
        EvaluationDueError: None was made, and the model is about to be evaluated anew.
    """
    alarm = standing_alarm(tx)
    if alarm is not None:
        return None, f"nothing is accepted since the alarm: {alarm['reason']}"
    rule = rule_in_force(tx, settings)
    if rule is not None:
        return rule, ""
    try:
        return make_rule(tx, settings, model), ""
    except EvaluationDueError:
        raise
    except InputError as error:
        return None, f"model {model.index} has no threshold of its own: {error.message}"


def _refused(tx: Reader, model: Model, cases: Sequence[Case], trust: Trust | None) -> dict[str, str]:
    """Cases for which the promise is not made, and why."""
    if trust is None:
        return {}
    learned = {case.patient for case in tx.find(Case, where={"id": sorted(fitted_cases(tx, model))})} if cases else set()
    ids = [case.id for case in cases]
    begun = {a.case_id for a in (*tx.partial_annotations(case_ids=ids), *tx.marked_annotations(case_ids=ids))}
    found = dict[str, str]()
    for case in cases:
        if case.id in begun:
            found[case.id] = "people have annotated parts of it"
        elif case.patient in learned:
            found[case.id] = f"model {model.index} has learned from this patient: the promise is for patients new to it"
        elif trust.unchecked:
            found[case.id] = f"not compared with the evaluated cases: {trust.unchecked}"
        elif why := trust.why_not(case.id):
            found[case.id] = why
    return found


def _decide(case: Case, asked: _Asked) -> _Verdict:
    prediction, rule, why = asked.predictions.get(case.id), asked.rule, asked.refused.get(case.id, "")
    if prediction is None:
        return _Verdict("deferred", why or "it has no prediction")
    score = confidence_score(prediction)
    if rule is None:
        return _Verdict("deferred", asked.lacking, score)
    if rule.accepts(score) and not why:
        return _Verdict("accepted", f"{score:.3f} is above {rule.above or 0:.3f}: {rule.promise}", score)
    if rule.needs_two(score):
        return _Verdict("second reader", f"{score:.3f} is not above {rule.second_above or 0:.3f}: it may be below {rule.hard:g}", score)
    if why:
        return _Verdict("deferred", why, score)
    above = f"above {rule.above:.3f}" if rule.above is not None else "enough: no threshold keeps the promise"
    return _Verdict("deferred", f"{score:.3f} is not {above}", score)


def _keep(tx: Writer, case: Case, verdict: _Verdict, asked: _Asked) -> Disposition:
    prediction, rule = asked.predictions.get(case.id), asked.rule
    body: Json = {
        "decision": verdict.decision,
        "reason": verdict.reason,
        "score": verdict.score,
        "model_id": asked.model.id,
        "model_index": asked.model.index,
        "prediction_id": prediction.id if prediction else "",
        "rule": rule.number if rule else 0,
        "above": rule.above if rule else None,
    }
    return record_disposition(tx, case, body)
