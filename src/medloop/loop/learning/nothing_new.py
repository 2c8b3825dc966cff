"""Whether a training would learn anything new: the same annotations under the same settings make the same model again.

Such a model would look like one more point of the curve and like one more agreeing witness that nothing gets better. So
none is made unless somebody asks for it (`again`).
"""

import hashlib
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from medloop.core.declaring import current_names
from medloop.core.records import Annotation, Case, Json, Model, ProjectSettings
from medloop.loop.foundation.consensus import soft_consensuses
from medloop.loop.foundation.crowds import annotations_for_training
from medloop.loop.foundation.follow_up import truth_digest
from medloop.loop.foundation.job_control import JobControl
from medloop.loop.foundation.job_kinds import Train
from medloop.loop.foundation.round_moves import close_learned
from medloop.loop.foundation.starts import start_in_use
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.learning.decisions import TrainingPlan
from medloop.loop.learning.objections import NOUN, VERB
from medloop.store.reader import Reader

_BUDGET = ("learner", "train_minutes", "train_steps", "warm_start", "pretraining", "members", "seed")
_LOSS = ("unlabelled", "robust", "mark_weights", "bias_correction", "correction_weight", "explanation_penalty")
_KEPT = ("learn_group", "replay_cases", "replay_choice", "ewc", "distillation")
DECIDING = (*_BUDGET, *_LOSS, *_KEPT, "annotator_model", "targets", "interactive_network", "calibration", "prompt_encoding", "any_label")
"""Settings that make another model out of the same annotations; a model from before one existed learned with its default."""


def digest_to_learn(tx: Reader, annotations: Sequence[Annotation], settings: ProjectSettings) -> str:
    """`annotations_digest` of what these settings learn: also by whom with an annotator model, also how probable with soft targets."""
    more: dict[str, object] = {a.id: a.annotator_id for a in annotations} if settings.annotator_model != "none" else {}
    if settings.targets == "soft":
        more = {c.annotation_id: c.voxel_probabilities or c.probabilities for c in soft_consensuses(tx, annotations)}
    return annotations_digest(annotations, case_names(tx, annotations), more)


def annotations_digest(
    annotations: Sequence[Annotation], names: Mapping[str, str], more: Mapping[str, object] = MappingProxyType({})
) -> str:
    """Over case names and answer bytes: equal ones hash equal, whenever and by whom they were given, unless `more` is said by their id."""
    lines = sorted(
        f"{names[a.case_id]} {a.kind} {a.blob or a.tag}{_only(a)}{f' {more[a.id]}' if a.id in more else ''}" for a in annotations
    )
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _only(annotation: Annotation) -> str:
    """Which labels an annotation annotates, where not all of its task's."""
    return f" only {' '.join(map(str, annotation.annotated))}" if annotation.annotated else ""


def case_names(tx: Reader, annotations: Sequence[Annotation]) -> dict[str, str]:
    """Case id → name of the annotated cases."""
    return {c.id: c.name for c in tx.find(Case, where={"id": sorted({a.case_id for a in annotations})})}


def learned_with(workspace: Workspace) -> Json:
    """What decides, beside the annotations, which model a training makes; kept in the model's metrics."""
    settings = {name: getattr(workspace.settings, name) for name in DECIDING}
    with workspace.store.read() as tx:
        objections = len(tx.events_about(NOUN, verbs=[VERB])) if workspace.settings.explanation_penalty else 0
        start = start_in_use(tx, workspace.settings)
        begun = {"start": start.id} if start else {}
        return {**settings, **begun, "validation": truth_digest(tx, "validation"), "objections": objections}


def already_learned(
    workspace: Workspace, control: JobControl, plan: TrainingPlan, *, unsound: frozenset[str] = frozenset()
) -> Model | None:
    """The newest model that learned exactly what a training now would learn, `unsound` annotations left out; None when there is news.

    A training that was begun before goes on, and one that was asked for `again` always runs.
    """
    if Train(**control.job.payload).again or plan.decided("snapshot"):
        return None
    with workspace.store.read() as tx:
        answers = [a for a in annotations_for_training(workspace, tx) if a.id not in unsound]
        digest = digest_to_learn(tx, answers, workspace.settings)
        same = [learned.model for learned in tx.learned_models() if learned.digest == digest]
    now, usual = learned_with(workspace), {name: getattr(ProjectSettings, name) for name in DECIDING}
    return next((m for m in reversed(same) if {**usual, **current_names(m.metrics.get("learned_with", now))} == now), None)


def nothing_new(workspace: Workspace, control: JobControl, known: Model) -> Json:
    """The result of a training that made no model; rounds that waited for it are done, as their annotations are learned."""
    message = f"nothing new since model {known.index}: the same annotations and settings make the same model"
    close_learned(workspace, known, message)
    control.log(message)
    return {"message": message, "nothing_new": known.index}
