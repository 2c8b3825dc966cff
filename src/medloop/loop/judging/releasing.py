"""What a person does with models that the gate stopped, or let pass wrongly: release one with a signature, or go back to the one before."""

from medloop.core.errors import InputError, StateError
from medloop.core.names import checked_title, one_line
from medloop.core.records import Json, LiveChoice, Model, now
from medloop.loop.foundation.follow_up import request_predictions_of
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.judging.live_models import CANDIDATE, called, decide, model_of_index
from medloop.metrics.release import Gate
from medloop.store.reader import Reader

LONGEST_REASON = 500
"""Characters of a reason at most."""

ROLLED_BACK = "rolled_back"
"""Among what a decision was made on: the index of the model that it took out of use."""

MEANING = "release"
"""What the signature means (21 CFR 11.50 (a)(3))."""


def release_model(workspace: Workspace, index: int, *, why: str, signed_as: str, actor: str) -> Model:
    """Put a candidate to use against, or before, the word of the gate; the next candidates are held against it.

    Args:
        workspace: The project.
        index: Of the model.
        why: The reason, which the change record repeats.
        signed_as: In whose name.
        actor: Who does it, for the audit.

    Raises:
        NotFoundError: No such model.
        StateError: It is in use already.
        InputError: No reason, or no name.
    """
    why, name = one_line(why), checked_title(signed_as)
    if not 1 <= len(why) <= LONGEST_REASON:
        raise InputError(f"A release needs a reason of 1 to {LONGEST_REASON} characters, got {len(why)}", remedy="say why it may be used")
    with workspace.store.write(actor) as tx:
        model, live = model_of_index(tx, index), tx.live_model()
        if live is not None and live.id == model.id:
            raise StateError(f"Model {index} is in use already", remedy="medloop models DIR lists them")
        evidence = last_judgement(tx, model)
        signature: Json = {"name": name, "time": now(), "meaning": MEANING, "why": why}
        reason = f"model {index} was released by {name}: {why}"
        decide(tx, model, model, reason, pinned=False, verb="release", found={**(evidence or {}), "signature": signature})
    request_predictions_of(workspace, model)
    return model


def roll_back(workspace: Workspace, *, actor: str) -> Model:
    """Put the model that was in use before the present one to use again, and keep it so until another is used or the choice given back.

    Rolled back once more, the one before that is used: never the one that was just rolled back.

    Raises:
        StateError: No other model was in use before.
    """
    with workspace.store.write(actor) as tx:
        live, before = tx.live_model(), _in_use_before(tx)
        if live is None or not before:
            raise StateError("No other model was in use before this one", remedy="medloop models DIR lists them")
        model = tx.get(Model, before[-1])
        reason = f"model {model.index} is in use again, model {live.index} was rolled back by {called(tx, actor)}"
        decide(tx, model, model, reason, pinned=True, verb="pin", found={ROLLED_BACK: live.index})
    request_predictions_of(workspace, model)
    return model


def _in_use_before(tx: Reader) -> list[str]:
    """Ids of the models that were in use before the present one, the last one last; those that were rolled back are left out."""
    stood: list[str] = []
    for choice in tx.find(LiveChoice):
        if ROLLED_BACK in choice.comparison and choice.model_id in stood:
            del stood[stood.index(choice.model_id) :]
        stood = [*(one for one in stood if one != choice.model_id), choice.model_id]
    return stood[:-1]


def unjudged_candidate(tx: Reader) -> Model | None:
    """The newest candidate that nothing was found about for want of evaluation patients, None where the newest one was judged.

    Only such a one is held against the model in use again when patients come: who looks again and again until a model passes
    lets worse ones pass than the gate says.
    """
    live, last = tx.live_model(), {choice.judged_id: choice for choice in tx.find(LiveChoice)}
    waiting = [one for one in last.values() if one.comparison.get(CANDIDATE) and live is not None and one.judged_id != live.id]
    if not waiting:
        return None
    newest = waiting[-1]
    gate = newest.comparison.get("gate")
    judged = gate is not None and Gate.from_json(gate).findings[0].verdict != "too few patients"
    return None if judged else tx.get(Model, newest.judged_id)


def last_judgement(tx: Reader, model: Model) -> Json | None:
    """What a model was last judged on: its comparison and what the gate found; None where it was never compared."""
    found = [c.comparison for c in tx.find(LiveChoice, where={"judged_id": model.id}) if "verdict" in c.comparison]
    return {name: value for name, value in found[-1].items() if name not in ("signature", CANDIDATE)} if found else None
