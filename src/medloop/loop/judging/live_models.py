"""Which model is in use, and why: decided by what models learned from and how they do on the same patients, or by a person.

    a model of an older snapshot    is kept and never goes live by itself, however late its training ended
    nothing to judge by             the model of the newest snapshot goes live at once
    evaluation patients             it waits for its evaluation, and goes live unless it is worse than the one in use
                                    beyond the interval (`medloop.metrics.succession`)
    pinned by a person              nothing changes until the choice is given back

Every decision is a `LiveChoice`, stored with its audit event; `Reader.live_model` is the one truth of what is in use.
"""

from collections.abc import Sequence

import numpy as np

from medloop.core.errors import NotFoundError
from medloop.core.names import counted
from medloop.core.records import EVALUATION_SPLITS, Annotator, Evaluation, LiveChoice, Model, Snapshot, Split, new_id, now
from medloop.loop.foundation.follow_up import request_evaluation_of, request_predictions_of, request_query
from medloop.loop.foundation.workspace import Workspace
from medloop.metrics.succession import Comparison, compare
from medloop.store.reader import Reader
from medloop.store.writer import Writer

FAIR_SPLITS: tuple[Split, ...] = ("test", "audit")
WAITS = "waits for its evaluation"


def place_trained(tx: Writer, model: Model, before: Model | None) -> bool:
    """Say what becomes of a model just trained, in the transaction that stores it; whether it is in use now."""
    choice = tx.live_choice()
    pinned = choice is not None and choice.pinned
    if before is None:
        reason = f"model {model.index} is the first"
    elif not _knows_more(tx, model, before):
        reason = f"model {model.index} {_learned(tx, model)}, before model {before.index} {_learned(tx, before)}: kept, not in use"
        _decide(tx, before, model, reason, pinned=pinned)
        return False
    elif pinned:
        reason = f"model {model.index} is kept, model {before.index} stays in use as it is pinned"
        _decide(tx, before, model, reason, pinned=True)
        return False
    elif tx.current_annotation_ids(EVALUATION_SPLITS):
        _decide(tx, before, model, f"model {model.index} {WAITS}, model {before.index} is in use", pinned=False)
        return False
    else:
        reason = f"model {model.index} learned most recently; without evaluation patients it is not compared with model {before.index}"
    _decide(tx, model, model, reason, pinned=False)
    return True


def choose_live(workspace: Workspace, model: Model) -> LiveChoice | None:
    """Decide about a model that was just evaluated; None when there is nothing to decide.

    Its comparison with the model in use is kept also where a pinned model stays.
    """
    with workspace.store.write("worker") as tx:
        live, choice = tx.live_model(), tx.live_choice()
        if live is None or live.id == model.id or not _knows_more(tx, model, live):
            return None
        found = compare_models(tx, model, live)
        pinned = choice is not None and choice.pinned
        stays = pinned or (found is not None and found.verdict == "worse")
        made = _decide(tx, live if stays else model, model, _reason(model, live, found, pinned=pinned), pinned=pinned, comparison=found)
    if stays:
        request_query(workspace, live)
    else:
        request_predictions_of(workspace, model)
    return made


def keep_unjudged(workspace: Workspace, model: Model, problem: str) -> None:
    """Say that a model stays out of use because its evaluation failed for good; one already in use stays so."""
    with workspace.store.write("worker") as tx:
        live, choice = tx.live_model(), tx.live_choice()
        if live is None or live.id == model.id or not _knows_more(tx, model, live):
            return
        reason = f"model {model.index} could not be evaluated ({problem}); model {live.index} stays in use"
        _decide(tx, live, model, reason, pinned=choice is not None and choice.pinned)


def use_model(workspace: Workspace, index: int, *, actor: str) -> Model:
    """Pin a model: it is in use until another one is pinned or the choice is given back.

    Raises:
        NotFoundError: No such model.
    """
    with workspace.store.write(actor) as tx:
        model = model_of_index(tx, index)
        _decide(tx, model, model, f"model {index} was pinned by {_called(tx, actor)}", pinned=True, verb="pin")
    request_predictions_of(workspace, model)
    return model


def use_automatic(workspace: Workspace, *, actor: str) -> Model:
    """Give the choice back: what would be in use had nobody pinned a model, then whatever evaluations since then say.

    Raises:
        NotFoundError: No model yet.
    """
    with workspace.store.write(actor) as tx:
        model, choice = tx.automatic_model(), tx.live_choice()
        if model is None:
            raise NotFoundError("There is no model yet", remedy="train one with: medloop train")
        if choice is None or not choice.pinned:
            return model
        _decide(tx, model, model, f"{_called(tx, actor)} gave the choice back: model {model.index} is in use", pinned=False, verb="unpin")
        later = [learned.model for learned in tx.learned_models() if _knows_more(tx, learned.model, model)]
    request_predictions_of(workspace, model)
    for one in later:
        request_evaluation_of(workspace, one)
    return model


def model_of_index(tx: Reader, index: int) -> Model:
    """The model of that index.

    Raises:
        NotFoundError: There is none; the remedy names those there are.
    """
    found = tx.find(Model, where={"index": index}, limit=1)
    if not found or found[0].outside:
        known = ", ".join(str(m.index) for m in tx.find(Model, order=("index",)) if not m.outside) or "none yet"
        what = f"Model {index}, {found[0].outside!r}, is from elsewhere and has no weights here" if found else f"There is no model {index}"
        raise NotFoundError(what, remedy=f"models there are: {known}")
    return found[0]


def compare_models(tx: Reader, newer: Model, older: Model) -> Comparison | None:
    """Both models on the same test and audit cases, or on validation cases where there are no others; None without shared ones.

    Of each case only the labels that both were scored on count: one of them may not know a label that was added later.
    """
    first, second = _scored(tx, newer), _scored(tx, older)
    for splits in (FAIR_SPLITS, ("validation",)):
        used = [s for s in splits if s in first and s in second and _same_truth(tx, newer, older, s)]
        pairs = [pair for s in used for pair in paired_scores(first[s], second[s])]
        if pairs:
            known = tx.patients_of([case_id for case_id, _, _ in pairs])
            patients = [known[case_id][1] for case_id, _, _ in pairs]
            scores = np.array([(a, b) for _, a, b in pairs])
            return compare(scores[:, 0], scores[:, 1], patients, with_index=older.index, source=_source(used))
    return None


def paired_scores(first: Evaluation, second: Evaluation) -> list[tuple[str, float, float]]:
    """(case id, score of the first, score of the second) of the cases that both scored, over the labels that both know."""
    pairs = []
    for case_id, ours in first.per_case.items():
        theirs = second.per_case.get(case_id, {})
        if shared := sorted(ours.keys() & theirs.keys()):
            pairs.append((case_id, float(np.mean([ours[name] for name in shared])), float(np.mean([theirs[name] for name in shared]))))
    return pairs


def _scored(tx: Reader, model: Model) -> dict[Split, Evaluation]:
    return {e.split: e for e in tx.current_evaluations(model_id=model.id)}


def _same_truth(tx: Reader, newer: Model, older: Model, split: Split) -> bool:
    """Whether both were held against the same annotations; figures from before that was kept count as such."""
    first, second = tx.evaluation_truth(newer.id, split), tx.evaluation_truth(older.id, split)
    return first is None or second is None or first.digest == second.digest


def _source(splits: Sequence[str]) -> str:
    words = " and ".join(splits)
    return f"{words} cases, which also chose the weights" if "validation" in splits else f"{words} cases"


def _called(tx: Reader, actor: str) -> str:
    """The name of a person, where the actor is one."""
    person = next(iter(tx.find(Annotator, where={"id": actor})), None)
    return person.name if person is not None else actor


def _reason(model: Model, live: Model, found: Comparison | None, *, pinned: bool) -> str:
    judged = found.text if found else f"not compared with model {live.index}: no patient was judged with both"
    if pinned:
        return f"model {live.index} stays in use as it is pinned; model {model.index}: {judged}"
    if found is not None and found.verdict == "worse":
        return f"model {live.index} stays in use, model {model.index} is worse: {judged}"
    return f"model {model.index} is in use: {judged}"


def _knows_more(tx: Reader, model: Model, other: Model) -> bool:
    """Whether a model's snapshot was frozen after another's."""
    frozen = {learned.model.id: learned.frozen for learned in tx.learned_models()}
    return frozen[model.id] > frozen[other.id]


def _learned(tx: Reader, model: Model) -> str:
    count = len(tx.get(Snapshot, model.snapshot_id).annotation_ids)
    return f"learned from {counted(count, 'annotation')}"


def _decide(
    tx: Writer, live: Model, judged: Model, reason: str, *, pinned: bool, comparison: Comparison | None = None, verb: str = "choose"
) -> LiveChoice:
    choice = LiveChoice(
        id=new_id("choice"),
        model_id=live.id,
        judged_id=judged.id,
        pinned=pinned,
        reason=reason,
        comparison=comparison.to_json() if comparison else {},
        created_at=now(),
    )
    tx.add(choice, verb=verb)
    return choice
