"""What a person does with models that the gate stopped, or let pass wrongly: release one with a signature, or go back to the one before."""

from medloop.core.errors import InputError, StateError
from medloop.core.names import checked_title, one_line
from medloop.core.records import Json, LiveChoice, Model, now
from medloop.loop.foundation.follow_up import request_predictions_of
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.judging.live_models import CANDIDATE, called, decide, model_of_index
from medloop.store.reader import Reader

LONGEST_REASON = 500
"""Characters of a reason at most."""

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

    Raises:
        StateError: No other model was in use before.
    """
    with workspace.store.write(actor) as tx:
        live = tx.live_model()
        before = [] if live is None else [c.model_id for c in tx.find(LiveChoice) if c.model_id != live.id]
        if live is None or not before:
            raise StateError("No other model was in use before this one", remedy="medloop models DIR lists them")
        model = tx.get(Model, before[-1])
        reason = f"model {model.index} is in use again, model {live.index} was rolled back by {called(tx, actor)}"
        decide(tx, model, model, reason, pinned=True, verb="pin")
    request_predictions_of(workspace, model)
    return model


def last_judgement(tx: Reader, model: Model) -> Json | None:
    """What a model was last judged on: its comparison and what the gate found; None where it was never compared."""
    found = [c.comparison for c in tx.find(LiveChoice, where={"judged_id": model.id}) if "verdict" in c.comparison]
    return {name: value for name, value in found[-1].items() if name not in ("signature", CANDIDATE)} if found else None
