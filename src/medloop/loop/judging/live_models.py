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

from dataclasses import dataclass, replace

from medloop.core.errors import NotFoundError, StateError
from medloop.core.names import counted
from medloop.core.records import EVALUATION_SPLITS, Annotator, Json, LiveChoice, Model, Snapshot, new_id, now
from medloop.core.settings import Release
from medloop.loop.foundation.follow_up import request_evaluation_of, request_predictions_of, request_query
from medloop.loop.foundation.readings import project_settings
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.judging.release_costs import measured_costs
from medloop.loop.judging.release_gate import judge_release
from medloop.loop.judging.shared_scores import comparison_of, shared_scores
from medloop.metrics.release import Gate
from medloop.metrics.succession import Comparison
from medloop.store.reader import Reader
from medloop.store.writer import Writer

WAITS = "waits for its evaluation"
CANDIDATE = "candidate"
"""Among what a decision was made on: whether the model may be released by a person."""


def place_trained(tx: Writer, model: Model, before: Model | None) -> bool:
    """Say what becomes of a model just trained, in the transaction that stores it; whether it is in use now."""
    choice = tx.live_choice()
    pinned = choice is not None and choice.pinned
    if before is None:
        reason = f"model {model.index} is the first"
    elif not _knows_more(tx, model, before):
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
    elif _gated(tx):
        reason = f"model {model.index} is a candidate, model {before.index} is in use: the gate needs annotated evaluation patients"
        decide(tx, before, model, reason, pinned=False, found={CANDIDATE: True})
        return False
    else:
        reason = f"model {model.index} learned most recently; without evaluation patients it is not compared with model {before.index}"
    decide(tx, model, model, reason, pinned=False)
    return True


def choose_live(workspace: Workspace, model: Model) -> LiveChoice | None:
    """Decide about a model that was just evaluated; None when there is nothing to decide.

    Its comparison with the model in use is kept also where a pinned model stays.
    """
    with workspace.store.read() as tx:
        live = tx.live_model()
        if live is None or live.id == model.id or not _knows_more(tx, model, live):
            return None
        shared, settings = shared_scores(tx, model, live), project_settings(tx)
    gate = None
    if settings.release == "gate" and shared is not None:
        gate = judge_release(workspace, model, live, shared, settings)
        if gate.passes:  # what is stopped already needs no measuring
            gate = replace(gate, costs=measured_costs(workspace, model, live, list(shared.cases), settings.release_slowdown))
    judged = _Judged(model, live, comparison_of(shared, live) if shared is not None else None, gate, settings.release)
    made = _decided(workspace, judged)
    if made is None:  # somebody chose meanwhile: it is held against what is in use now
        return choose_live(workspace, model)
    if made.model_id == live.id:
        request_query(workspace, live)
    else:
        request_predictions_of(workspace, model)
    return made


def _decided(workspace: Workspace, judged: "_Judged") -> LiveChoice | None:
    """Store what a comparison says, unless another model is in use by now."""
    with workspace.store.write("worker") as tx:
        if tx.live_model() != judged.live:
            return None
        choice = tx.live_choice()
        pinned = choice is not None and choice.pinned
        used = judged.live if pinned or judged.stays else judged.model
        return decide(tx, used, judged.model, judged.reason(pinned=pinned), pinned=pinned, found=judged.to_json())


@dataclass(frozen=True)
class _Judged:
    """A model held against the one in use."""

    model: Model
    live: Model
    comparison: Comparison | None
    gate: Gate | None
    release: Release

    @property
    def stays(self) -> bool:
        """Whether the one in use stays so."""
        if self.release == "gate":
            return self.gate is None or not self.gate.passes
        return self.comparison is not None and self.comparison.verdict == "worse"

    def reason(self, *, pinned: bool) -> str:
        """Why, in words."""
        model, live = f"model {self.model.index}", f"model {self.live.index}"
        found = self.gate or self.comparison
        judged = found.text if found else f"not compared with {live}: no patient was judged with both"
        if pinned:
            return f"{live} stays in use as it is pinned; {model}: {judged}"
        if self.stays and self.release == "gate":
            return f"{model} is a candidate, {live} stays in use: {judged}"
        return f"{live} stays in use, {model} is worse: {judged}" if self.stays else f"{model} is in use: {judged}"

    def to_json(self) -> Json:
        """As a decision keeps it."""
        found = self.comparison.to_json() if self.comparison else {}
        if self.gate is not None:
            found["gate"] = self.gate.to_json()
        return {**found, CANDIDATE: True} if self.stays and self.release == "gate" else found


def keep_unjudged(workspace: Workspace, model: Model, problem: str) -> None:
    """Say that a model stays out of use because its evaluation failed for good; one already in use stays so."""
    with workspace.store.write("worker") as tx:
        live, choice = tx.live_model(), tx.live_choice()
        if live is None or live.id == model.id or not _knows_more(tx, model, live):
            return
        reason = f"model {model.index} could not be evaluated ({problem}); model {live.index} stays in use"
        decide(tx, live, model, reason, pinned=choice is not None and choice.pinned)


def use_model(workspace: Workspace, index: int, *, actor: str) -> Model:
    """Pin a model: it is in use until another one is pinned or the choice is given back.

    Raises:
        NotFoundError: No such model.
        StateError: The project releases by the gate, and it has not passed.
    """
    with workspace.store.write(actor) as tx:
        model = model_of_index(tx, index)
        if _gated(tx) and not _was_in_use(tx, model):
            raise StateError(
                f"Model {index} is a candidate: the gate has not let it pass",
                remedy=f"release it: medloop models DIR release {index} --why …",
            )
        decide(tx, model, model, f"model {index} was pinned by {called(tx, actor)}", pinned=True, verb="pin")
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
        decide(tx, model, model, f"{called(tx, actor)} gave the choice back: model {model.index} is in use", pinned=False, verb="unpin")
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


def _gated(tx: Reader) -> bool:
    return project_settings(tx).release == "gate"


def _was_in_use(tx: Reader, model: Model) -> bool:
    live = tx.live_model()
    return (live is not None and live.id == model.id) or bool(tx.find(LiveChoice, where={"model_id": model.id}, limit=1))


def called(tx: Reader, actor: str) -> str:
    """The name of a person, where the actor is one."""
    person = next(iter(tx.find(Annotator, where={"id": actor})), None)
    return person.name if person is not None else actor


def _knows_more(tx: Reader, model: Model, other: Model) -> bool:
    """Whether a model's snapshot was frozen after another's."""
    frozen = {learned.model.id: learned.frozen for learned in tx.learned_models()}
    return frozen[model.id] > frozen[other.id]


def _learned(tx: Reader, model: Model) -> str:
    count = len(tx.get(Snapshot, model.snapshot_id).annotation_ids)
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
