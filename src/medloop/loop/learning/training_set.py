"""What a training learns from: people's answers, parts of answers, weights that undo the choice, confident predictions.

Whatever is decided here goes into the training's plan, so that a resumed training learns from exactly the same.
"""

import dataclasses
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from medloop.core.errors import InputError
from medloop.core.image import Image, Mask
from medloop.core.labels import values_of
from medloop.core.records import Annotation, Case, Json, Prediction
from medloop.loop.foundation.annotated_labels import AnnotatedLabels, annotated_labels
from medloop.loop.foundation.arrays import load_annotation, load_image
from medloop.loop.foundation.crowds import Crowd, crowd_of, learned_together
from medloop.loop.foundation.damage import LeftOut
from medloop.loop.foundation.job_control import JobControl
from medloop.loop.foundation.label_versions import NOT_LEARNED
from medloop.loop.foundation.partial_annotations import merged_annotation
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.learning.case_weights import training_weights
from medloop.loop.learning.decisions import TrainingPlan
from medloop.loop.learning.objections import irrelevant_blobs, irrelevant_loader
from medloop.loop.learning.pseudo_labels import PseudoAnnotation, load_pseudo, pseudo_annotations
from medloop.loop.learning.soft_labels import soft_labels
from medloop.loop.learning.voxel_weights import Weighing, weighing_of
from medloop.loop.learning.weak_cases import spoken_labels, weak_case
from medloop.models.foundation.recipes import NOBODY

if TYPE_CHECKING:
    from medloop.models.training.batches import TrainingCase


@dataclass(frozen=True)
class TrainingSet:
    """What one training learns from.

    Attributes:
        cases: Its cases.
        facts: What its model's metrics say of them.
        drawn_weight: How much a voxel of a person's own making counts.
        crowd: Whose they are.
        missing: Values of the labels that none of them annotates.
    """

    cases: "list[TrainingCase]"
    facts: Json
    drawn_weight: float
    crowd: Crowd
    missing: Sequence[int] = ()

    def held_out(self, cases: "Iterable[TrainingCase]", labels: Sequence[int]) -> "list[TrainingCase]":
        """Cases to validate on by the labels that are learned; those that annotate none of these are left out."""
        learned = [
            dataclasses.replace(case, known=tuple(v for v in case.known or (0, *labels) if v not in self.missing)) if self.missing else case
            for case in cases
        ]
        return [case for case in learned if case.known != (0,)]


def make_training_set(
    workspace: Workspace, control: JobControl, plan: TrainingPlan, *, answers: Sequence[Annotation], cases: Mapping[str, Case]
) -> TrainingSet:
    """Gather what a training learns from; `bias_correction`, `correction_weight` and `pseudo_labels` decide what joins the answers."""
    crowd, weighing = crowd_of(workspace, control, answers), weighing_of(workspace, answers)
    weights, marked = _weights(workspace, control, plan, {a.case_id for a in answers}, crowd), _marked(workspace, plan, sorted(cases))
    with workspace.store.read() as tx:
        scope = annotated_labels(tx, workspace.task)
    together, soft = learned_together(answers, crowd, scope), soft_labels(workspace, answers, cases, control.log)
    marked_groups = [found for found in together if found[0].kind == "marks"]
    together = [found for found in together if found[0].kind != "marks"]
    kept = set(plan.decide("soft", lambda: sorted(soft)))
    own = [
        dataclasses.replace(
            c,
            weight=weights.get(found[0].case_id, 1.0),
            irrelevant=irrelevant_loader(workspace, cases[found[0].case_id], marked),
            soft=soft[found[0].id] if found[0].id in kept else None,
        )
        for c, found in zip(training_cases(workspace, together, cases, weighing, crowd, scope), together, strict=True)
    ]
    believed = _believed(workspace, control, plan, len(own))
    facts = ({"pseudo_labels": len(believed)} if believed else {}) | ({"weighted_cases": len(weights)} if weights else {})
    facts |= _corrections(weighing, learned=answers)
    facts |= {"right_reasons_cases": len(marked)} if marked else {}
    facts |= {"soft_cases": len(kept)} if kept else {}
    facts |= crowd.facts(answers)
    every = [*own, *(_pseudo_case(workspace, p) for p in believed)]
    marks = [found[0] for found in marked_groups]
    spoken = spoken_labels(workspace, marks, cases, scope, control.log)
    marks = [a for a in marks if a.id in spoken]
    missing = _never_annotated(workspace, every, {value for of in spoken.values() for value in of})
    facts |= {"marked_cases": len(marks)} if marks else {}
    for name in (label.name for label in workspace.task.labels if label.value in missing):
        control.log(f"{name!r} is annotated in no case that this model learns from: it is not learned, and never proposed")
    unlearned: Json = {NOT_LEARNED: missing} if missing else {}
    facts = {**facts, **unlearned}
    by_marks = [weak_case(workspace, a, cases[a.case_id], scope, missing=missing) for a in marks]
    return TrainingSet([*(with_absent(case, missing) for case in every), *by_marks], facts, weighing.weight, crowd, missing)


def with_absent(case: "TrainingCase", missing: Sequence[int]) -> "TrainingCase":
    """A case in which labels that no case annotates count as absent, so that the network gives them no probability anywhere."""
    return dataclasses.replace(case, known=tuple(sorted({*case.known, *missing}))) if case.known and missing else case


def _never_annotated(workspace: Workspace, cases: "Sequence[TrainingCase]", spoken: Collection[int] = ()) -> list[int]:
    """Labels that no case annotates, and no mark speaks of; none of a classification, whose classes are chosen and not annotated."""
    if workspace.task.kind != "segmentation" or any(not case.known for case in cases):
        return []
    found = {value for case in cases for value in case.known} | set(spoken)
    missing = [value for value in workspace.task.label_values if value not in found]
    known = values_of(workspace.task.labels, [value for value in workspace.task.label_values if value in found])
    return [*missing, *(value for value in workspace.task.mask_values if value not in (*known, *missing))]


def training_cases(
    workspace: Workspace,
    together: Sequence[Sequence[Annotation]],
    cases: Mapping[str, Case],
    weighing: Weighing,
    crowd: Crowd,
    scope: AnnotatedLabels,
) -> "list[TrainingCase]":
    """One training case per group of `learned_together`: a full annotation, or partial ones of a case that annotate the same labels."""
    from medloop.models.training.batches import TrainingCase

    blobs, several = workspace.store.blobs, Counter(found[0].case_id for found in together)

    def whole(annotation: Annotation) -> "TrainingCase":
        case = cases[annotation.case_id]
        own = weighing.own(workspace, [annotation], case)
        return dataclasses.replace(training_case(workspace, annotation, case, scope), touched=own)

    def merged(case: Case, parts: Sequence[Annotation]) -> "TrainingCase":
        known, own = scope.known_classes(parts[0]), weighing.own(workspace, parts, case)
        named = f"{case.name} ({', '.join(label.name for label in scope.of(parts[0]))})" if several[case.id] > 1 else case.name
        return TrainingCase(
            id=named, load=lambda: (load_image(blobs, case), merged_annotation(blobs, parts, case)), touched=own, known=known, case=case
        )

    def owned(case: "TrainingCase", annotation: Annotation) -> "TrainingCase":
        index = crowd.index(annotation)
        return case if index == NOBODY else dataclasses.replace(case, id=f"{case.id} by {crowd.people[index].name}", annotator=index)

    return [
        owned(merged(cases[found[0].case_id], found) if found[0].kind == "partial" else whole(found[0]), found[0]) for found in together
    ]


def training_case(workspace: Workspace, annotation: Annotation, case: Case, scope: AnnotatedLabels) -> "TrainingCase":
    """A case with one full answer."""
    from medloop.models.training.batches import TrainingCase

    blobs, known = workspace.store.blobs, scope.known_classes(annotation)
    return TrainingCase(
        id=case.name, load=lambda: (load_image(blobs, case), load_annotation(blobs, annotation, case)), known=known, case=case
    )


def _weights(workspace: Workspace, control: JobControl, plan: TrainingPlan, learned: set[str], crowd: Crowd) -> dict[str, float]:
    """Case id → weight above 0 to 1, the largest is 1; empty without the setting, or when no weights would be right."""

    def decide() -> dict[str, float]:
        found: dict[str, float] = {}
        if workspace.settings.bias_correction:
            try:
                if crowd.people:
                    raise InputError(f"{crowd.model} learns from every annotation of a case, and weights are of one", remedy="choose one")
                with workspace.store.read() as tx:
                    found = training_weights(tx, learned)
            except InputError as error:
                control.log(f"no bias correction: {error}")
        largest = max(found.values(), default=1.0)
        return {case_id: weight / largest for case_id, weight in found.items() if weight > 0}

    return {str(case_id): float(weight) for case_id, weight in plan.decide("weights", decide).items()}


def _corrections(weighing: Weighing, *, learned: Sequence[Annotation]) -> Json:
    """How many answers mended a proposal, or had slices filled in, where that decides how their voxels count."""
    filled = {"drawn_weight": weighing.weight, "filled_answers": len(weighing.filled)} if weighing.filled else {}
    mended = sum(answer.proposal_id is not None for answer in learned)
    return {**filled, **({"correction_weight": weighing.weight, "corrected_answers": mended} if weighing.by_setting else {})}


def _marked(workspace: Workspace, plan: TrainingPlan, case_ids: Sequence[str]) -> dict[str, list[str]]:
    """Case id → blobs of the regions called irrelevant; empty without the setting."""

    def decide() -> dict[str, list[str]]:
        if not workspace.settings.explanation_penalty:
            return {}
        with workspace.store.read() as tx:
            return irrelevant_blobs(tx, case_ids)

    found: dict[str, list[str]] = plan.decide("irrelevant", decide)
    return found


def _believed(workspace: Workspace, control: JobControl, plan: TrainingPlan, answers: int) -> list[PseudoAnnotation]:
    """Confident predictions whose bytes, and whose case's image, can be read."""
    chosen = plan.decide("pseudo", lambda: [dict(p.to_json()) for p in pseudo_annotations(workspace, answers=answers)])
    left_out, found = LeftOut(workspace, control.log), list[PseudoAnnotation]()
    for pseudo in map(PseudoAnnotation.from_json, chosen):
        with workspace.store.read() as tx:
            case, mask = tx.get(Case, pseudo.case_id), tx.get(Prediction, pseudo.prediction_id).mask
        if left_out.can_read(case, case.voxels, mask):
            found.append(pseudo)
    return found


def _pseudo_case(workspace: Workspace, pseudo: PseudoAnnotation) -> "TrainingCase":
    from medloop.models.training.batches import TrainingCase

    def load() -> tuple[Image, Mask | int]:
        case, answer = load_pseudo(workspace, pseudo)
        return load_image(workspace.store.blobs, case), answer

    return TrainingCase(id=f"pseudo {pseudo.prediction_id}", load=load, weight=pseudo.weight)
