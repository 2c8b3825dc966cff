"""The result of a federation as a model of a site's project: a candidate, held against the model in use as any other is."""

import hashlib
import json

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
from medloop.loop.learning.federated_learning import Learning, Say, SiteControl

RESULT, TERMS, JUDGED = "result.safetensors", "result.json", "judged"
KEPT = ("round", "seconds", "sites", "left_out", "missing")
SHOWN = ("steps", "min_sites", "proximal", "norm_bound", "version")
MOST_ROUNDS = 1000
"""Rounds that a model keeps, the last ones."""


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

    weights = joined_weights(learning.recipe, learning.own, common)
    write_atomic(learning.folder / RESULT, weights, mode=0o600)
    write_atomic(learning.folder / TERMS, json.dumps(terms).encode(), mode=0o600)
    return _kept(learning, terms, weights, say)


def finish_interrupted(workspace: Workspace, say: Say, threads: int) -> None:
    """Judge results that came and were not judged, as the site was ended in between; each once."""
    for file in sorted(workspace.work_folder.glob(f"federation-*/{TERMS}")):
        terms, folder = json.loads(file.read_text()), file.parent
        learning = Learning(workspace, terms, folder, SiteControl(workspace, say, threads))
        if learning.plan.decided(JUDGED) is None and (folder / RESULT).exists():
            say(f"goes on with the result of federation {terms['id']}, which was not judged yet")
            _kept(learning, terms, (folder / RESULT).read_bytes(), say)


def _kept(learning: Learning, terms: Json, weights: bytes, say: Say) -> str:
    """Store the result, and hold it against the model in use unless that was done before."""
    workspace = learning.workspace
    model, fresh, before = _stored(learning, terms, weights)
    if not fresh and learning.plan.decided(JUDGED) is not None:
        return f"has it as model {model.index} already"
    words = _judged(workspace, learning, model, before, say)
    learning.plan.decide(JUDGED, lambda: model.id)
    return words


def _judged(workspace: Workspace, learning: Learning, model: Model, before: Model | None, say: Say) -> str:
    """Evaluate it beside the model in use, let the gate decide, and say what came of it."""

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


def _stored(learning: Learning, terms: Json, weights: bytes) -> tuple[Model, bool, Model | None]:
    """The model, whether it is new, and the one in use beside it."""
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
        "held": [{key: one[key] for key in KEPT if key in one} for one in rounds[-MOST_ROUNDS:]],
        "terms": {key: terms[key] for key in SHOWN if key in terms},
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
        known, before = next((one for one in tx.find(Model) if blob in one.weights), None), tx.live_model()
        if known is not None:
            return known, False, None if before is not None and before.id == known.id else before
        snapshot = Snapshot(id=new_id("snapshot"), annotation_ids=begun.snapshot.annotation_ids, digest=digest, created_at=now())
        tx.add(snapshot, verb="freeze")
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
    return model, True, before
