"""What a person does with models: pin one, give the choice back, release a candidate with a signature, refuse it, or roll back.

A model that was rolled back stays out of use until a person puts it to use again, whatever evaluations say of it.
"""

from medloop.core.errors import ConflictError, InputError, NotFoundError, StateError
from medloop.core.names import checked_title, one_line
from medloop.core.records import EVALUATION_SPLITS, Json, LiveChoice, Model, now
from medloop.loop.foundation.follow_up import damaged_ids, is_outdated, request_evaluation_of, request_predictions_of
from medloop.loop.foundation.model_choices import CANDIDATE, REFUSED, ROLLED_BACK, TRIAL, rolled_back
from medloop.loop.foundation.readings import project_settings
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.judging.live_models import called, decide, knows_more, model_of_index
from medloop.metrics.release import Gate
from medloop.store.reader import Reader

LONGEST_REASON = 500
"""Characters of a reason at most."""

MEANING = "release"
"""What the signature means (21 CFR 11.50 (a)(3))."""

STALE = "stale"
"""Among what a release was made on: why its evidence is not of today, in words."""


def use_model(workspace: Workspace, index: int, *, actor: str) -> Model:
    """Pin a model: it is in use until another one is pinned or the choice is given back.

    Raises:
        NotFoundError: No such model.
        StateError: The project releases by the gate, and it has not passed.
    """
    with workspace.store.write(actor) as tx:
        model = model_of_index(tx, index)
        if project_settings(tx).release == "gate" and not _was_in_use(tx, model):
            raise StateError(
                f"Model {index} is a candidate: the gate has not let it pass",
                remedy=f"release it: medloop models DIR release {index} --why …",
            )
        decide(tx, model, model, f"model {index} was pinned by {called(tx, actor)}", pinned=True, verb="pin")
    request_predictions_of(workspace, model)
    return model


def use_automatic(workspace: Workspace, *, actor: str) -> Model:
    """Give the choice back: what would be in use had nobody pinned a model, then whatever evaluations since then say.

    A model that was rolled back is not among them.

    Raises:
        NotFoundError: No model yet.
    """
    with workspace.store.write(actor) as tx:
        live, choice, withdrawn = tx.live_model(), tx.live_choice(), rolled_back(tx)
        if live is None:
            raise NotFoundError("There is no model yet", remedy="train one with: medloop train")
        model = tx.automatic_model(without=withdrawn) or live
        if choice is None or not choice.pinned:
            return live
        out = f"; rolled back and out of use: {', '.join(f'model {n}' for n in sorted(withdrawn.values()))}" if withdrawn else ""
        reason = f"{called(tx, actor)} gave the choice back: model {model.index} is in use{out}"
        decide(tx, model, model, reason, pinned=False, verb="unpin")
        later = [one.model for one in tx.learned_models() if one.model.id not in withdrawn and knows_more(tx, one.model, model)]
    request_predictions_of(workspace, model)
    for one in later:
        request_evaluation_of(workspace, one)
    return model


def release_model(workspace: Workspace, index: int, *, why: str, signed_as: str, actor: str, instead_of: int | None = None) -> Model:
    """Put a candidate to use against, or before, the word of the gate; the next candidates are held against it.

    A model that was pinned until now is pinned no longer, and the decision says so; it also says where the evidence is not of today.

    Args:
        workspace: The project.
        index: Of the model.
        why: The reason, which the change record repeats.
        signed_as: In whose name.
        actor: Who does it, for the audit.
        instead_of: Index of the model that was in use when the signer looked; None where nobody looked.

    Raises:
        NotFoundError: No such model.
        StateError: It is in use already.
        ConflictError: Another model than `instead_of` is in use by now.
        InputError: No reason, or no name.
    """
    why, name = _reason("A release", why, "say why it may be used"), checked_title(signed_as)
    damaged = damaged_ids(workspace)
    with workspace.store.write(actor) as tx:
        model, live, choice = model_of_index(tx, index), tx.live_model(), tx.live_choice()
        if live is not None and live.id == model.id:
            raise StateError(f"Model {index} is in use already", remedy="medloop models DIR lists them")
        _require_seen(live, instead_of)
        evidence, stale = last_judgement(tx, model), _stale(tx, model, live, damaged)
        signature: Json = {"name": name, "time": now(), "meaning": MEANING, "why": why}
        lifted = f"; model {live.index} is pinned no longer" if live is not None and choice is not None and choice.pinned else ""
        reason = f"model {index} was released by {name}: {why}{f' ({stale})' if stale else ''}{lifted}"
        found = {**(evidence or {}), "signature": signature, **({STALE: stale} if stale else {})}
        decide(tx, model, model, reason, pinned=False, verb="release", found=found)
    request_predictions_of(workspace, model)
    return model


def _stale(tx: Reader, model: Model, live: Model | None, damaged: frozenset[str]) -> str:
    """Why what a model was judged on is not of today, in words; "" where it is, and where it was never judged."""
    evidence = last_judgement(tx, model)
    if evidence is None:
        return ""
    if live is not None and evidence.get("with_index", live.index) != live.index:
        return f"judged against model {evidence['with_index']}, in place of model {live.index}"
    changed = any(is_outdated(tx, model, split, damaged) for split in EVALUATION_SPLITS)
    return "annotations of evaluation cases have changed since it was judged" if changed else ""


def refuse_model(workspace: Workspace, index: int, *, why: str, actor: str) -> Model:
    """Say that a candidate stays out of use, and end its trial; it may still be released later.

    Args:
        workspace: The project.
        index: Of the model.
        why: The reason, which the change record repeats.
        actor: Who does it, for the audit.

    Returns:
        The model that stays in use.

    Raises:
        NotFoundError: No such model.
        StateError: It is no candidate.
        InputError: No reason.
    """
    why = _reason("A refusal", why, "say why it may not be used")
    with workspace.store.write(actor) as tx:
        model, live, choice = model_of_index(tx, index), tx.live_model(), tx.live_choice()
        about = tx.find(LiveChoice, where={"judged_id": model.id})
        if live is None or live.id == model.id or not about or not about[-1].comparison.get(CANDIDATE):
            raise StateError(f"Model {index} is no candidate", remedy="medloop models DIR lists them; back rolls back the one in use")
        reason = f"model {index} was refused by {called(tx, actor)}: {why}; model {live.index} stays in use"
        found = {**(last_judgement(tx, model) or {}), REFUSED: {"why": why, "time": now()}}
        decide(tx, live, model, reason, pinned=choice is not None and choice.pinned, verb="refuse", found=found)
    return live


def roll_back(workspace: Workspace, *, actor: str, index: int | None = None) -> Model:
    """Put the model that was in use before the present one to use again, and keep it so until another is used or the choice given back.

    Rolled back once more, the one before that is used: never the one that was just rolled back.

    Args:
        workspace: The project.
        actor: Who does it, for the audit.
        index: Of the model that is to be out of use; None for whichever is in use now. Given, two people who do it at once go back once.

    Raises:
        StateError: No other model was in use before.
        ConflictError: Another model than that is in use by now.
    """
    with workspace.store.write(actor) as tx:
        live, before = tx.live_model(), _in_use_before(tx)
        _require_seen(live, index)
        if live is None or not before:
            raise StateError("No other model was in use before this one", remedy="medloop models DIR lists them")
        model = tx.get(Model, before[-1])
        reason = f"model {model.index} is in use again, model {live.index} was rolled back by {called(tx, actor)}"
        decide(tx, model, model, reason, pinned=True, verb="pin", found={ROLLED_BACK: live.index})
    request_predictions_of(workspace, model)
    return model


def _require_seen(live: Model | None, index: int | None) -> None:
    """Refuse a decision about a model in use that is so no longer."""
    if index is not None and (live is None or live.index != index):
        now_used = f"model {live.index} is" if live else "there is no model yet"
        raise ConflictError(f"Model {index} is not in use, {now_used}", remedy="look at the models again, then decide")


def _reason(what: str, why: str, remedy: str) -> str:
    """A reason on one line.

    Raises:
        InputError: None, or one that is too long.
    """
    why = one_line(why)
    if not 1 <= len(why) <= LONGEST_REASON:
        raise InputError(f"{what} needs a reason of 1 to {LONGEST_REASON} characters, got {len(why)}", remedy=remedy)
    return why


def _in_use_before(tx: Reader) -> list[str]:
    """Ids of the models that were in use before the present one, the last one last; those that were rolled back are left out."""
    stood: list[str] = []
    for choice in tx.find(LiveChoice):
        if ROLLED_BACK in choice.comparison and choice.model_id in stood:
            del stood[stood.index(choice.model_id) :]
        stood = [*(one for one in stood if one != choice.model_id), choice.model_id]
    return stood[:-1]


def _was_in_use(tx: Reader, model: Model) -> bool:
    live = tx.live_model()
    return (live is not None and live.id == model.id) or bool(tx.find(LiveChoice, where={"model_id": model.id}, limit=1))


def unjudged_candidate(tx: Reader) -> Model | None:
    """The newest candidate that nothing was found about for want of evaluation patients, None where the newest one was judged.

    Only such a one is held against the model in use again when patients come: who looks again and again until a model passes
    lets worse ones pass than the gate says.
    """
    live, last = tx.live_model(), {choice.judged_id: choice for choice in tx.find(LiveChoice)}
    waiting = [one for one in last.values() if one.comparison.get(CANDIDATE) and live is not None and one.judged_id != live.id]
    if not waiting or live is None:
        return None
    newest = waiting[-1]
    gate, model = newest.comparison.get("gate"), tx.get(Model, newest.judged_id)
    judged = gate is not None and Gate.from_json(gate).findings[0].verdict != "too few patients"
    return model if not judged and knows_more(tx, model, live) and model.id not in rolled_back(tx) else None


def last_judgement(tx: Reader, model: Model) -> Json | None:
    """What a model was last judged on: its comparison and what the gate found; None where it was never compared."""
    found = [c.comparison for c in tx.find(LiveChoice, where={"judged_id": model.id}) if "verdict" in c.comparison]
    left_out = ("signature", CANDIDATE, TRIAL, REFUSED, STALE)
    return {name: value for name, value in found[-1].items() if name not in left_out} if found else None
