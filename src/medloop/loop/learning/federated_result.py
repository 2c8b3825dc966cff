"""The result of a federation as a model of a site's project: a candidate, held against the model in use as any other is."""

import hashlib

from medloop.core.names import counted
from medloop.core.records import Evaluation, Json, Model, Snapshot, new_id, now
from medloop.images.files import write_atomic
from medloop.loop.foundation.damage import LeftOut
from medloop.loop.foundation.follow_up import request_evaluation_of, request_predictions_of
from medloop.loop.foundation.model_choices import FEDERATION
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.judging.evaluation import bring_up_to_date
from medloop.loop.judging.live_models import choose_live, place_trained
from medloop.loop.judging.pool_predictions import predict_cases
from medloop.loop.learning.federated_learning import Learning, Say

RESULT = "result.safetensors"


def keep_result(learning: Learning, terms: Json, common: bytes, say: Say) -> str:
    """Store the common weights with what stays the site's own, and hold the model against the one in use.

    Args:
        learning: Of the site.
        terms: Of the federation, with its `rounds` as the coordinator has them.
        common: The weights after the last round.
        say: Takes the figures.

    Returns:
        What became of it, in words; the same model is not kept twice.
    """
    from medloop.models.foundation.federated_weights import joined_weights

    workspace = learning.workspace
    weights = joined_weights(learning.recipe, learning.own, common)
    write_atomic(learning.folder / RESULT, weights, mode=0o600)
    with workspace.store.read() as tx:
        before = tx.live_model()
    model, fresh = _stored(learning, terms, weights)
    if not fresh:
        return f"has it as model {model.index} already"

    def judge(one: Model) -> dict[str, float]:
        left_out = LeftOut(workspace, say)
        return bring_up_to_date(workspace, one, say, lambda cases: predict_cases(workspace, one, cases, learning.control), left_out)

    judge(model)
    if before is not None:
        judge(before)
        choice = choose_live(workspace, model, say)
        if choice is not None:
            say(choice.reason)
    words = f"model {model.index}{_scores(workspace, before, model)}"
    with workspace.store.read() as tx:
        live, choice = tx.live_model(), tx.live_choice()
    used = live is not None and live.id == model.id
    if used:
        request_predictions_of(workspace, model)
    else:
        request_evaluation_of(workspace, model)
    standing = "is in use" if used else "is a candidate, not in use"
    why = choice.reason if choice is not None and choice.judged_id == model.id else ""
    say(f"{words} {standing}{f' ({why})' if why else ''}")
    return f"{words} {standing}"


def _scores(workspace: Workspace, before: Model | None, after: Model) -> str:
    """Before and after on the site's own evaluation patients, in words; "" without any."""
    with workspace.store.read() as tx:
        found = {one.id: {e.split: e for e in tx.current_evaluations(model_id=one.id)} for one in (before, after) if one is not None}
    parts = []
    for split, evaluation in found[after.id].items():
        old: Evaluation | None = found[before.id].get(split) if before is not None else None
        of = f"{counted(len(evaluation.per_case), 'case')}"
        was = f"{old.mean:.3f} before, " if old is not None else ""
        parts.append(f"{split} {evaluation.metric} {was}{evaluation.mean:.3f} after, {of}")
    return f" ({'; '.join(parts)})" if parts else ""


def _stored(learning: Learning, terms: Json, weights: bytes) -> tuple[Model, bool]:
    """The model, and whether it is new."""
    workspace, begun = learning.workspace, learning.begun
    rounds = list(terms["rounds_told"])
    sites = sorted({one["site"] for told in rounds for one in told["sites"]})
    told: Json = {
        "id": terms["id"],
        "round": len(rounds),
        "rounds": int(terms["rounds"]),
        "sites": sites,
        "strategy": terms["strategy"],
        "local_norm": bool(terms["local_norm"]),
        "cases": sum(one["cases"] for one in rounds[-1]["sites"]) if rounds else 0,
        "left_out": sum(len(one["left_out"]) for one in rounds),
        **({"privacy": terms["privacy"]} if terms.get("privacy") else {}),
    }
    blob = workspace.store.blobs.put(weights)
    steps, seconds = learning.taken
    file = learning.folder / RESULT
    validation = learning.taught.held_out(begun.validation(lambda found: list(found)), workspace.task.mask_values)
    metrics: Json = {
        **{name: getattr(workspace.settings, name) for name in ("samples", "aggregation", "uncertainty_source")},
        **learning.taught.facts,
        "steps": steps,
        "seconds": seconds,
        "annotated_cases": learning.cases,
        "learned_with": {FEDERATION: terms["id"]},
        FEDERATION: told,
        "calibration": begun.calibrated(learning.recipe, [file], validation, learning.taught.missing),
    }
    digest = hashlib.sha256(f"{FEDERATION} {terms['id']} {len(rounds)} {begun.snapshot.digest}".encode()).hexdigest()
    with workspace.store.write("federation") as tx:
        known = next((one for one in tx.find(Model) if blob in one.weights), None)
        if known is not None:
            return known, False
        snapshot = Snapshot(id=new_id("snapshot"), annotation_ids=begun.snapshot.annotation_ids, digest=digest, created_at=now())
        tx.add(snapshot, verb="freeze")
        before = tx.live_model()
        model = Model(
            id=new_id("model"),
            index=max((one.index for one in tx.find(Model)), default=0) + 1,
            recipe=learning.recipe.to_json(),
            snapshot_id=snapshot.id,
            weights=(blob,),
            metrics=metrics,
            created_at=now(),
        )
        tx.add(model, verb="federate")
        place_trained(tx, model, before)
    return model, True
