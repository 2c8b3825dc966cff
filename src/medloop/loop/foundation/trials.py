"""The trial of a candidate (a canary): a share of the cases opens with its proposals, so that the work on both models' can be compared.

A candidate on trial proposes in a share of the training cases while the model in use proposes in the others. Which cases
these are is drawn by a hash of candidate and case, so that a case never changes sides. A trial ends with the next decision that
releases or refuses the candidate, puts another model to use, or tries a newer candidate. It rests while the setting is off or a person has
pinned a model: then every case opens with the model in use.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from medloop.core.records import Case, Event, LiveChoice, Prediction, Split
from medloop.core.seeds import drawn_share
from medloop.loop.foundation.disposed import dispositions, streamed
from medloop.loop.foundation.in_force import newest_proposal
from medloop.loop.foundation.model_choices import TRIAL
from medloop.loop.foundation.readings import awaiting_readings, project_settings
from medloop.store.reader import Reader

TRIED_SPLIT: Split = "train"
"""Evaluation cases are no part of a trial: their annotations would lean on the candidate that they judge."""

PINNED, OFF = "pinned", "off"
"""Why a trial rests."""


@dataclass(frozen=True)
class Trial:
    """A candidate that proposes in a share of the cases.

    Attributes:
        model_id: The candidate.
        against_id: The model in use.
        share: Of the training cases, 0..1.
        began_at: When it was decided.
        ended_at: When another decision ended it; None while it goes on.
        ending: That decision in words.
    """

    model_id: str
    against_id: str
    share: float
    began_at: str
    ended_at: str | None = None
    ending: str = ""

    def takes(self, case_id: str) -> bool:
        """Whether the candidate proposes in a case, if that is a training case."""
        return drawn_share("trial", self.model_id, case_id) < self.share


def trials(tx: Reader) -> list[Trial]:
    """Every trial there was, oldest first; only the last one may go on."""
    return trials_among(tx.find(LiveChoice))


def trials_among(choices: Sequence[LiveChoice]) -> list[Trial]:
    """The trials of decisions in their order."""
    found: list[Trial] = []
    for choice in choices:
        share, running = choice.comparison.get(TRIAL), found[-1] if found and found[-1].ended_at is None else None
        if running and _goes_on(running, choice):
            continue
        if running:
            found[-1] = replace(running, ended_at=choice.created_at, ending=choice.reason)
        if share:
            found.append(Trial(choice.judged_id, choice.model_id, float(share), choice.created_at))
    return found


def _goes_on(trial: Trial, choice: LiveChoice) -> bool:
    same = choice.judged_id == trial.model_id
    return choice.model_id == trial.against_id and same == bool(choice.comparison.get(TRIAL))


def current_trial(tx: Reader) -> Trial | None:
    """The trial that goes on; None without one, and while `release_canary` is 0, the gate is not asked, or a person has pinned a model."""
    settings, choice = project_settings(tx), tx.live_choice()
    if not settings.release_canary or settings.release != "gate" or (choice is not None and choice.pinned):
        return None
    found = trials(tx)
    return found[-1] if found and found[-1].ended_at is None else None


def rests(tx: Reader, trial: Trial) -> list[tuple[str, str | None]]:
    """When a trial rested: from when and until when, None for until now."""
    turns = [(choice.created_at, PINNED, choice.pinned) for choice in tx.find(LiveChoice)]
    turns += [(event.at, OFF, is_off) for event in tx.events_about("project") if (is_off := _switched_off(event)) is not None]
    last, resting, found = trial.ended_at or "~", set[str](), list[tuple[str, str | None]]()
    for at, why, rests_now in sorted(turn for turn in turns if trial.began_at < turn[0] < last):
        rested = bool(resting)
        resting = resting | {why} if rests_now else resting - {why}
        if resting and not rested:
            found.append((at, trial.ended_at))
        elif rested and not resting:
            found[-1] = (found[-1][0], at)
    return found


def _switched_off(event: Event) -> bool | None:
    """Whether no candidate is tried by the settings that an event tells of; None where it tells of none."""
    settings = event.body.get("changed", {}).get("settings", {}).get("to")
    return None if settings is None else not (settings.get("release_canary") and settings.get("release") == "gate")


def is_blinded(tx: Reader, model_id: str) -> bool:
    """Whether nobody may read from a proposal whether this model made it: it is one of the two that are being compared."""
    trial = current_trial(tx)
    return trial is not None and model_id in (trial.model_id, trial.against_id)


def is_blind_audit(tx: Reader, case_id: str) -> bool:
    """Whether a case is of the audit sample of a stream that accepts proposals: who reads it sees none, or the audit would echo them.

    One that a stream decided about stays so once the stream is off.
    """
    if tx.get(Case, case_id).split != "audit":
        return False
    return project_settings(tx).stream_risk > 0 or (streamed(tx) and bool(dispositions(tx, [case_id])))


def blind_among(tx: Reader, case_ids: Collection[str]) -> set[str]:
    """Those of these cases that are blind audit cases (`is_blind_audit`) and lack a reading: what a model makes of them is hidden."""
    ids = [case.id for case in tx.find(Case, where={"id": sorted(case_ids), "split": "audit"})] if case_ids else []
    if ids and project_settings(tx).stream_risk <= 0:
        ids = list(dispositions(tx, ids)) if streamed(tx) else []
    return awaiting_readings(tx, ids) if ids else set()


def proposal_to_show(tx: Reader, case_id: str) -> Prediction | None:
    """The prediction that a case opens with: the candidate's where it is on trial and has seen the case, else `newest_proposal`.

    None of an audit case of a stream that still lacks a reading, or the approval of a reviewer.
    """
    if is_blind_audit(tx, case_id) and awaiting_readings(tx, [case_id]):
        return None
    trial = current_trial(tx)
    if (
        trial is not None
        and trial.takes(case_id)
        and tx.get(Case, case_id).split == TRIED_SPLIT
        and (own := _of(tx, case_id, trial.model_id))
    ):
        return own
    return newest_proposal(tx, case_id)


def _of(tx: Reader, case_id: str, model_id: str) -> Prediction | None:
    found = tx.find(Prediction, where={"case_id": case_id, "model_id": model_id}, limit=1, descending=True)
    return found[0] if found else None
