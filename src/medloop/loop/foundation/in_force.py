"""Which annotation of a case is in force, and what a draft began with."""

from medloop.core.records import Annotation, Assignment, BeganWith, LiveChoice, Model, Prediction
from medloop.loop.foundation.consensus import deciding
from medloop.loop.foundation.model_choices import rolled_back
from medloop.store.reader import Reader


def standing_annotation(tx: Reader, case_id: str) -> Annotation | None:
    """The whole annotation of a case in force, whoever gave it; None when there is none."""
    current = tx.current_annotations(case_ids=[case_id])
    return deciding(current) if current else None


def newest_proposal(tx: Reader, case_id: str) -> Prediction | None:
    """The prediction of a case by the model in use, else the newest of a model that people may see.

    That is no candidate that waits or was refused, and none that was rolled back; what a case opens with says `trials.proposal_to_show`.
    """
    model = tx.live_model()
    own = tx.find(Prediction, where={"case_id": case_id, "model_id": model.id}, limit=1, descending=True) if model else []
    if own:
        return own[0]
    made = tx.find(Prediction, where={"case_id": case_id}, order=("created_at",), descending=True)
    choices = tx.find(LiveChoice) if made else []
    if not choices:
        return made[0] if made else None
    hidden, used = rolled_back(tx, choices), {choice.model_id for choice in choices}
    return next((one for one in made if one.model_id not in hidden and (one.model_id in used or tx.get(Model, one.model_id).outside)), None)


def beginning(standing: Annotation | None, proposal: Prediction | None) -> BeganWith:
    """What a draft opened now begins with: the annotation in force, else the proposal, else nothing."""
    return "annotation" if standing else "prediction" if proposal else "blank"


def base_of(tx: Reader, assignment: Assignment) -> Annotation | None:
    """The annotation an assignment's draft began with; None when it began with a proposal or with nothing."""
    if assignment.began_with is not None:
        return tx.get(Annotation, assignment.base_id) if assignment.base_id else None
    made = tx.find(Annotation, where={"assignment_id": assignment.id}, limit=1)
    if made:  # before it was kept, a draft began with the annotator's own current annotation, which the submitted one replaced
        return tx.get(Annotation, made[0].supersedes) if made[0].supersedes else None
    current = tx.current_annotations(case_ids=[assignment.case_id])
    return next((a for a in current if a.annotator_id == assignment.annotator_id), None)


def began(tx: Reader, assignment: Assignment) -> BeganWith:
    """What an assignment's draft began with, worked out for one from before it was kept."""
    if assignment.began_with is not None:
        return assignment.began_with
    return "annotation" if base_of(tx, assignment) else "prediction" if assignment.proposal_id else "blank"
