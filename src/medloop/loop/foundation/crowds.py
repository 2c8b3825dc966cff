"""Whose annotations a training learns from: one per case, or everybody's, each with its annotator.

With the setting `annotator_model` the training set holds every current annotation of a case instead of the deciding one, and what each
annotator makes of each class is learned with the network (`medloop.models.foundation.confusions`).
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from medloop.core.records import Annotation, Annotator, Json
from medloop.core.settings import AnnotatorModel
from medloop.loop.foundation.consensus import training_annotations
from medloop.loop.foundation.job_control import JobControl
from medloop.loop.foundation.workspace import Workspace
from medloop.models.foundation.recipes import NOBODY
from medloop.store.reader import Reader

FACTS = "annotators"
"""Among a model's metrics: the annotator model and the people it is of, in the order of the metrics' `confusions`."""

_OF_OTHERS: frozenset[str] = frozenset({"consensus"})
"""Origins of annotations that are made out of those of people, who are learned from themselves."""


@dataclass(frozen=True)
class Crowd:
    """The annotators that are modelled, by name; nobody without an annotator model."""

    model: AnnotatorModel = "none"
    people: tuple[Annotator, ...] = ()

    def index(self, annotation: Annotation) -> int:
        """Which of them gave an annotation, or `NOBODY`."""
        return next((n for n, person in enumerate(self.people) if person.id == annotation.annotator_id), NOBODY)

    def facts(self, answers: Sequence[Annotation]) -> Json:
        """For the metrics of the model; nothing without an annotator model."""
        given = [[a.id for a in answers if self.index(a) == n] for n in range(len(self.people))]
        people = [{"name": p.name, "annotations": found} for p, found in zip(self.people, given, strict=True)]
        return {FACTS: {"model": self.model, "people": people}} if people else {}


def annotations_for_training(workspace: Workspace, tx: Reader) -> list[Annotation]:
    """What can be learned of the training cases: the deciding annotations, or everybody's with an annotator model."""
    if workspace.settings.annotator_model == "none":
        return training_annotations(tx, "train")
    full = {(a.case_id, a.annotator_id): a for a in tx.current_annotations(splits=["train"]) if a.origin not in _OF_OTHERS}
    return [*full.values(), *(a for a in tx.partial_annotations(splits=["train"]) if (a.case_id, a.annotator_id) not in full)]


def learned_together(answers: Sequence[Annotation], crowd: Crowd) -> list[list[Annotation]]:
    """Annotations that make one training case: those of a case, each annotator's by themselves where they are modelled."""
    found: dict[tuple[str, int], list[Annotation]] = defaultdict(list)
    for annotation in answers:
        found[annotation.case_id, crowd.index(annotation)].append(annotation)
    return list(found.values())


def crowd_of(workspace: Workspace, control: JobControl, answers: Sequence[Annotation]) -> Crowd:
    """The annotators of these annotations, where the project wants them modelled and there is more than one."""
    model = workspace.settings.annotator_model
    if model == "none":
        return Crowd()
    with workspace.store.read() as tx:
        people = sorted((tx.get(Annotator, i) for i in {a.annotator_id for a in answers}), key=lambda person: person.name)
    if len(people) < 2:
        control.log(f"no annotator model: {model} compares annotators, and all annotations are by {people[0].name}")
        return Crowd()
    return Crowd(model, tuple(people))
