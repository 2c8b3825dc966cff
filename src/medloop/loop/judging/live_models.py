"""Which model is in use, and why: decided by what models learned from and how they do on the same patients, or by a person.

    a model of an older snapshot    is kept and never goes live by itself, however late its training ended
    nothing to judge by             the model of the newest snapshot goes live at once
    evaluation patients             it waits for its evaluation, and goes live unless it is worse than the one in use
                                    beyond the interval (`medloop.metrics.succession`)
    setting release=gate            it goes live once it is shown not to be worse anywhere (`medloop.metrics.release`), else it stays a
                                    candidate that a person may release
    pinned by a person              nothing changes until the choice is given back

Every decision is a `LiveChoice`, stored with its audit event; `Reader.live_model` is the one truth of what is in use.
"""

from collections.abc import Callable
from dataclasses import replace

from medloop.core.errors import NotFoundError
from medloop.core.names import counted
from medloop.core.records import EVALUATION_SPLITS, Annotator, Json, LiveChoice, Model, new_id, now
from medloop.core.settings import ProjectSettings
from medloop.loop.foundation.follow_up import (
    damaged_ids,
    is_outdated,
    request_evaluation_of,
    request_predictions_of,
    request_query,
    request_trial_of,
)
from medloop.loop.foundation.learned import learned_of_snapshot
from medloop.loop.foundation.model_choices import CANDIDATE, FEDERATION, TRIAL, refused, rolled_back
from medloop.loop.foundation.readings import project_settings
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.judging.release_costs import measured_costs
from medloop.loop.judging.release_gate import judge_release
from medloop.loop.judging.release_verdict import Judged
from medloop.loop.judging.shared_scores import SharedScores, comparison_of, shared_scores
from medloop.metrics.release import Gate
from medloop.store.reader import Reader
from medloop.store.writer import Writer

WAITS = "waits for its evaluation"
OVERTAKEN = "was overtaken by"


def place_trained(tx: Writer, model: Model, before: Model | None) -> bool:
    """Say what becomes of a model just trained, in the transaction that stores it; whether it is in use now."""
    choice = tx.live_choice()
    pinned = choice is not None and choice.pinned
    if before is None:
        reason = f"model {model.index} is the first"
    elif not knows_more(tx, model, before):
        reason = f"model {model.index} {_learned(tx, model)}, before model {before.index} {_learned(tx, before)}: kept, not in use"
        decide(tx, before, model, reason, pinned=pinned)
        return False
    elif pinned:
        reason = f"model {model.index} is kept, model {before.index} stays in use as it is pinned"
        decide(tx, before, model, reason, pinned=True)
        return False
    elif tx.current_annotation_ids(EVALUATION_SPLITS):
        decide(tx, before, model, f"model {model.index} {WAITS}, model {before.index} is in use", pinned=False)
        return False
    elif _gated(tx, model):
        reason = f"model {model.index} is a candidate, model {before.index} is in use: the gate needs annotated evaluation patients"
        decide(tx, before, model, reason, pinned=False, found={CANDIDATE: True})
        return False
    else:
        reason = f"model {model.index} learned most recently; without evaluation patients it is not compared with model {before.index}"
    decide(tx, model, model, reason, pinned=False)
    return True


def choose_live(workspace: Workspace, model: Model, log: Callable[[str], None] = lambda _line: None) -> LiveChoice | None:
    """Decide about a model that was just evaluated; None when there is nothing to decide, or nothing can be decided yet.

    Its comparison with the model in use is kept also where a pinned model stays. One that was rolled back or refused is not judged again,
    and of one that learned less than the model in use by now it is said that it was overtaken. `log` receives why nothing is decided yet.
    """
    with workspace.store.read() as tx:
        live = tx.live_model()
        if live is None or live.id == model.id or model.id in rolled_back(tx) or refused(tx, model.id):
            return None
        more, settings = knows_more(tx, model, live), project_settings(tx)
        shared = shared_scores(tx, model, live) if more else None
    if not more:
        return _overtaken(workspace, model)
    gated = settings.release == "gate" or FEDERATION in model.metrics
    gate = _gate(workspace, model, live, shared, settings) if gated and shared is not None else None
    judged = Judged(model, live, comparison_of(shared, live) if shared is not None else None, gate, settings)
    try:
        made = _decided(workspace, judged)
    except _StaleError:
        log(f"annotations of evaluation cases changed while model {model.index} was judged: it is judged again")
        request_evaluation_of(workspace, model)
        return None
    if made is None:  # somebody chose meanwhile: it is held against what is in use now
        return choose_live(workspace, model, log)
    if made.model_id != live.id:
        request_predictions_of(workspace, model)
        return made
    request_query(workspace, live)
    if made.comparison.get(TRIAL):
        request_trial_of(workspace, model)
    return made


def _gate(workspace: Workspace, model: Model, live: Model, shared: SharedScores, settings: ProjectSettings) -> Gate:
    gate = judge_release(workspace, model, live, shared, settings)
    if gate.passes or (settings.release_canary and gate.may_be_tried):  # what is stopped already needs no measuring
        return replace(gate, costs=measured_costs(workspace, model, live, list(shared.cases), settings.release_slowdown))
    return gate


class _StaleError(Exception):
    """Annotations of evaluation cases changed since both models were held against them."""


def _decided(workspace: Workspace, judged: Judged) -> LiveChoice | None:
    """Store what a comparison says; None where another model is in use by now.

    Raises:
        _StaleError: The gate was asked, on annotations that do not count any more.
    """
    damaged = damaged_ids(workspace)
    with workspace.store.write("worker") as tx:
        if tx.live_model() != judged.live:
            return None
        if judged.gate is not None and any(
            is_outdated(tx, one, s, damaged) for one in (judged.model, judged.live) for s in EVALUATION_SPLITS
        ):
            raise _StaleError
        choice = tx.live_choice()
        pinned = choice is not None and choice.pinned
        used = judged.live if pinned or judged.stays else judged.model
        return decide(tx, used, judged.model, judged.reason(pinned=pinned), pinned=pinned, found=judged.to_json(pinned=pinned))


def _overtaken(workspace: Workspace, model: Model) -> LiveChoice | None:
    """Say of a model that waits that another one, which learned later, came into use meanwhile."""
    with workspace.store.write("worker") as tx:
        live, choice = tx.live_model(), tx.live_choice()
        about = tx.find(LiveChoice, where={"judged_id": model.id})
        waits = bool(about) and (WAITS in about[-1].reason or bool(about[-1].comparison.get(CANDIDATE)))
        if live is None or choice is None or not waits or about[-1].model_id == live.id or knows_more(tx, model, live):
            return None
        found = {name: value for name, value in about[-1].comparison.items() if name != TRIAL}
        return decide(
            tx, live, model, f"model {model.index} {OVERTAKEN} model {live.index}, which learned later", pinned=choice.pinned, found=found
        )


def keep_unjudged(workspace: Workspace, model: Model, problem: str) -> None:
    """Say that a model stays out of use because its evaluation failed for good; one already in use stays so."""
    with workspace.store.write("worker") as tx:
        live, choice = tx.live_model(), tx.live_choice()
        if live is None or live.id == model.id or not knows_more(tx, model, live):
            return
        reason = f"model {model.index} could not be evaluated ({problem}); model {live.index} stays in use"
        decide(tx, live, model, reason, pinned=choice is not None and choice.pinned)


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


def _gated(tx: Reader, model: Model) -> bool:
    return project_settings(tx).release == "gate" or FEDERATION in model.metrics


def called(tx: Reader, actor: str) -> str:
    """The name of a person, where the actor is one."""
    person = next(iter(tx.find(Annotator, where={"id": actor})), None)
    return person.name if person is not None else actor


def knows_more(tx: Reader, model: Model, other: Model) -> bool:
    """Whether a model's snapshot was frozen after another's."""
    frozen = {learned.model.id: learned.frozen for learned in tx.learned_models()}
    return frozen[model.id] > frozen[other.id]


def _learned(tx: Reader, model: Model) -> str:
    count = len(learned_of_snapshot(tx, model))
    return f"learned from {counted(count, 'annotation')}"


def decide(
    tx: Writer, live: Model, judged: Model, reason: str, *, pinned: bool, found: Json | None = None, verb: str = "choose"
) -> LiveChoice:
    """Store a decision about a model: which one is in use from now on, and why; `found` is what it was judged on."""
    choice = LiveChoice(
        id=new_id("choice"),
        model_id=live.id,
        judged_id=judged.id,
        pinned=pinned,
        reason=reason,
        comparison=found or {},
        created_at=now(),
    )
    tx.add(choice, verb=verb)
    return choice
