"""Whose annotations a training learns from: one per case, or everybody's, each with its annotator.

With the setting `annotator_model` the training set holds every current annotation of a case instead of the deciding one, and what each
annotator makes of each class is learned with the network (`medloop.models.foundation.confusions`). Of annotations that are made of
readings a fused one is left out, since its readings are there; what a reviewer put together is nobody's reading and is taken as true, so
that a reviewer's skill is that of what they read themselves.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from medloop.core.records import Annotation, Annotator, Json
from medloop.core.settings import AnnotatorModel
from medloop.loop.foundation.annotated_labels import AnnotatedLabels, annotated_labels
from medloop.loop.foundation.consensus import consensus_annotations, deciding
from medloop.loop.foundation.job_control import JobControl
from medloop.loop.foundation.readings import DERIVED
from medloop.loop.foundation.workspace import Workspace
from medloop.models.foundation.recipes import NOBODY
from medloop.store.reader import Reader

FACTS = "annotators"
"""Among a model's metrics: the annotator model and the people it is of, in the order of the metrics' `confusions`."""


@dataclass(frozen=True)
class Crowd:
    """The annotators that are modelled, by name; nobody without an annotator model."""

    model: AnnotatorModel = "none"
    people: tuple[Annotator, ...] = ()

    def index(self, annotation: Annotation) -> int:
        """Which of them gave an annotation, or `NOBODY`; what was made of readings, and marks, are nobody's."""
        if annotation.origin in DERIVED or annotation.kind == "marks":
            return NOBODY
        return next((n for n, person in enumerate(self.people) if person.id == annotation.annotator_id), NOBODY)

    def facts(self, answers: Sequence[Annotation]) -> Json:
        """For the metrics of the model; nothing without an annotator model."""
        given = [[a.id for a in answers if self.index(a) == n] for n in range(len(self.people))]
        people = [{"name": p.name, "annotations": found} for p, found in zip(self.people, given, strict=True)]
        return {FACTS: {"model": self.model, "people": people}} if people else {}


def annotations_for_training(workspace: Workspace, tx: Reader) -> list[Annotation]:
    """What can be learned of the training cases: the deciding annotations, or everybody's with an annotator model."""
    if workspace.settings.annotator_model == "none":
        return training_annotations(workspace, tx)
    full = [a for a in tx.current_annotations(splits=["train"]) if a.origin != "consensus"]
    return full + _adding(workspace, tx, {(a.case_id, a.annotator_id): a for a in full}, lambda a: (a.case_id, a.annotator_id))


def training_annotations(workspace: Workspace, tx: Reader) -> list[Annotation]:
    """What can be learned of the training cases: the deciding full annotation of each, and partial ones that say more than it."""
    full = consensus_annotations(tx, "train")
    return full + _adding(workspace, tx, {(a.case_id,): a for a in full}, lambda a: (a.case_id,))


def _adding(
    workspace: Workspace, tx: Reader, full: Mapping[tuple[str, ...], Annotation], key: Callable[[Annotation], tuple[str, ...]]
) -> list[Annotation]:
    """Partial annotations and marks where there is no full one, or none that annotates all of their labels."""
    scope = annotated_labels(tx, workspace.task)
    parts = [*tx.partial_annotations(splits=["train"]), *tx.marked_annotations(splits=["train"])]
    return [a for a in parts if key(a) not in full or set(scope.of(a)) & set(scope.lacking(full[key(a)]))]


def learned_together(answers: Sequence[Annotation], crowd: Crowd, scope: AnnotatedLabels) -> list[list[Annotation]]:
    """Annotations that make one training case: the deciding one of a case, and its parts that annotate the same labels.

    Where annotators are modelled, each one's by themselves; marks are each person's in any case.
    """
    found: dict[tuple[str, int, tuple[int | str, ...]], list[Annotation]] = defaultdict(list)
    for annotation in answers:
        parts: tuple[int | str, ...] = (-1, *scope.known_classes(annotation)) if annotation.kind == "partial" else ()
        own = (annotation.id,) if annotation.kind == "marks" else parts
        found[annotation.case_id, crowd.index(annotation), own].append(annotation)
    return [[deciding(each)] if each[0].is_whole else each for each in found.values()]


def crowd_of(workspace: Workspace, control: JobControl, answers: Sequence[Annotation]) -> Crowd:
    """The annotators of these annotations, where the project wants them modelled and there is more than one."""
    model = workspace.settings.annotator_model
    if model == "none":
        return Crowd()
    with workspace.store.read() as tx:
        own = {a.annotator_id for a in answers if a.origin not in DERIVED and a.kind != "marks"}
        people = sorted((tx.get(Annotator, i) for i in own), key=lambda person: person.name)
    if len(people) < 2:
        whose = people[0].name if people else "a reviewer"
        control.log(f"no annotator model: {model} compares annotators, and all annotations are by {whose}")
        return Crowd()
    return Crowd(model, tuple(people))
