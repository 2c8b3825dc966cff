"""The federations that a project took part in, as its models keep them: terms, sites, rounds, and what they have cost its patients."""

from dataclasses import dataclass
from typing import Any

from medloop.core.records import Json, LiveChoice, Model
from medloop.loop.foundation.federated_account import account_of, summed
from medloop.loop.foundation.model_choices import FEDERATION
from medloop.loop.foundation.workspace import Workspace


@dataclass(frozen=True)
class SiteLine:
    """A site's update in a round: its annotated cases, the norm of its update, and its loss, None of a private site."""

    site: str
    cases: int
    norm: float
    loss: float | None
    epsilon: float | None


@dataclass(frozen=True)
class RoundLine:
    """A round: its updates that counted, who was left out and why, and who was missing."""

    round: int
    seconds: float
    sites: tuple[SiteLine, ...]
    left_out: dict[str, str]
    missing: tuple[str, ...]


@dataclass(frozen=True)
class FederationLine:
    """A federation whose result came.

    Attributes:
        id: Its name everywhere.
        model_index: The model that came of it here.
        standing: What became of that, as the gate said it.
        dice: Its score on this site's own evaluation patients, by split.
        privacy: What this site's updates have cost each patient; {} without noise.
    """

    id: str
    model_index: int
    standing: str
    strategy: str
    rounds_held: int
    rounds_planned: int
    sites: tuple[str, ...]
    cases: int
    terms: Json
    rounds: tuple[RoundLine, ...]
    dice: dict[str, float]
    privacy: Json


@dataclass(frozen=True)
class Federations:
    """Those of a project, the newest first, and their ε and δ together (`summed`)."""

    federations: tuple[FederationLine, ...]
    account: Json


def federations_of(workspace: Workspace) -> Federations:
    """The federations whose result is a model of the project.

    Raises:
        FormatError: The account of ε is damaged.
    """
    with workspace.store.read() as tx:
        models = [one for one in tx.find(Model, order=("index",)) if one.metrics.get(FEDERATION)]
        live = tx.live_model()
        dice = {one.id: {str(e.split): e.mean for e in tx.current_evaluations(model_id=one.id)} for one in models}
        reasons = {choice.judged_id: choice.reason for choice in tx.find(LiveChoice) if choice.judged_id}
    lines = [
        _line(one, dice[one.id], "in use" if live is not None and live.id == one.id else reasons.get(one.id, "candidate")) for one in models
    ]
    return Federations(tuple(reversed(lines)), summed(account_of(workspace)))


def _line(model: Model, dice: dict[str, float], standing: str) -> FederationLine:
    told: dict[str, Any] = model.metrics[FEDERATION]
    return FederationLine(
        str(told["id"]),
        model.index,
        standing,
        f"{told['strategy']}{', normalisation of its own' if told['local_norm'] else ''}",
        int(told["round"]),
        int(told["rounds"]),
        tuple(told["sites"]),
        int(told["cases"]),
        told.get("terms", {}),
        tuple(_round(one) for one in told.get("held", ())),  # models of before keep no rounds
        dice,
        told.get("privacy", {}),
    )


def _round(told: dict[str, Any]) -> RoundLine:
    sites = tuple(
        SiteLine(one["site"], one["cases"], float(one.get("norm", 0.0)), one.get("loss"), (one.get("privacy") or {}).get("epsilon"))
        for one in told["sites"]
    )
    return RoundLine(told["round"], float(told.get("seconds", 0.0)), sites, dict(told["left_out"]), tuple(told.get("missing", ())))
