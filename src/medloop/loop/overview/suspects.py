"""Which annotations are probably wrong, most suspicious first: against the other readers, and against a model that never saw them.

A prediction judges an annotation only where no model so far has learned from the case, so that nobody is held against their own
echo. Of a mask's prediction only the entropy per voxel is kept: the chance of its label follows from that (Fano's inequality).
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar, overload

import numpy as np

from medloop.core.arrays import ClassProbabilities, FloatArray, MaskArray
from medloop.core.errors import BlobError
from medloop.core.labels import shared_names, values_of
from medloop.core.records import Annotation, Case, Model, Prediction
from medloop.images.encode import decode_mask
from medloop.interaction.attention import chances_of_entropy
from medloop.loop.foundation.annotated_labels import AnnotatedLabels, annotated_labels, without_others
from medloop.loop.foundation.annotators import annotator_names
from medloop.loop.foundation.arrays import load_mask
from medloop.loop.foundation.consensus import by_case, deciding
from medloop.loop.foundation.label_versions import has_every_output, labels_of_model
from medloop.loop.foundation.learned import learned_cases
from medloop.loop.foundation.readings import DERIVED
from medloop.loop.foundation.workspace import Workspace
from medloop.raters.mask_suspects import suspect_annotations, suspect_masks
from medloop.raters.suspects import Suspect, suspect_classes, suspect_votes
from medloop.store.reader import Reader

V = TypeVar("V")

LEVELS = 255
"""Entropy is kept in so many steps of ln(classes)."""


@dataclass(frozen=True)
class SuspectAnnotation:
    """An annotation that is probably wrong.

    Attributes:
        case_id, case: Of what, by id and name.
        annotation_id, annotator: Which one, by whom.
        score: 0..1, higher is more suspicious.
        against: "readers", the others who read the case, or "model", a model that had not learned from it.
        reason: In words.
    """

    case_id: str
    case: str
    annotation_id: str
    annotator: str
    score: float
    against: str
    reason: str


class _Lazily(Sequence[V], Generic[V]):
    """Values made when they are looked at, so that a project's masks need not fit into memory."""

    def __init__(self, count: int, make: Callable[[int], V]) -> None:
        self._count = count
        self._make = make

    @overload
    def __getitem__(self, index: int) -> V: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[V]: ...
    def __getitem__(self, index: int | slice) -> V | Sequence[V]:
        if isinstance(index, slice):
            return [self._make(n) for n in range(*index.indices(self._count))]
        if not -self._count <= index < self._count:
            raise IndexError(index)
        return self._make(index % self._count)

    def __iter__(self) -> Iterator[V]:
        return (self._make(n) for n in range(self._count))

    def __len__(self) -> int:
        return self._count


def suspects(workspace: Workspace, *, limit: int = 100) -> tuple[SuspectAnnotation, ...]:
    """Annotations in force that others, or a model that never saw them, make improbable, by descending score.

    Annotations and predictions whose bytes cannot be read are passed over.
    """
    with workspace.store.read() as tx:
        people = annotator_names(tx)
        given = {i: [a for a in found if a.is_whole] for i, found in by_case(tx.current_annotations()).items()}
        cases = {c.id: c for c in tx.find(Case, where={"id": list(given)})}
        predicted, scope = _out_of_sample(tx, workspace, list(given)), annotated_labels(tx, workspace.task)
    several = {i: [a for a in found if a.origin not in DERIVED and _sound(workspace, a)] for i, found in given.items()}
    pairs = [(deciding(given[i]), p) for i, p in predicted.items()]
    pairs = [
        (a, p) for a, p in pairs if _sound(workspace, a) and _is_readable(workspace, p.mask) and _is_readable(workspace, p.uncertainty)
    ]
    if workspace.task.kind == "classification":
        found = [*_votes(workspace, several), *_classes(workspace, pairs)]
    else:
        found = [*_readers(workspace, several, cases, scope), *_masks(workspace, pairs, cases, scope)]
    lines = [SuspectAnnotation(a.case_id, cases[a.case_id].name, a.id, people[a.annotator_id], s, by, why) for a, s, by, why in found]
    return tuple(sorted((line for line in lines if line.score > 0), key=lambda line: (-line.score, line.case, line.annotator))[:limit])


_Found = tuple[Annotation, float, str, str]


def _sound(workspace: Workspace, annotation: Annotation) -> bool:
    return _is_readable(workspace, annotation.blob)


def _is_readable(workspace: Workspace, blob: str | None) -> bool:
    try:
        return blob is None or workspace.store.blobs.check(blob) >= 0
    except BlobError:
        return False


def _out_of_sample(tx: Reader, workspace: Workspace, case_ids: Sequence[str]) -> dict[str, Prediction]:
    """The newest prediction of each case by a model before which none had learned from the case."""
    found: dict[str, Prediction] = {}
    learned, models = set[str](), list[tuple[Model, frozenset[str]]]()
    for known in tx.learned_models():
        learned |= set(learned_cases(tx, known.model))
        models.append((known.model, frozenset(learned)))
    for model, seen in models:
        if has_every_output(model, workspace.task):
            wanted = set(case_ids) - seen
            found |= {p.case_id: p for p in tx.latest_predictions(model.id) if p.case_id in wanted}
    return found


def _readers(
    workspace: Workspace, several: Mapping[str, Sequence[Annotation]], cases: Mapping[str, Case], scope: AnnotatedLabels
) -> list[_Found]:
    """Masks against the other readers of the case, of whom there must be two, by the labels that all of them annotate."""
    by_labels: dict[tuple[int, ...], list[Sequence[Annotation]]] = {}
    for readings in several.values():
        shared = set(workspace.task.labels).intersection(*(scope.of(a) for a in readings))
        if len(readings) >= 3 and shared:
            by_labels.setdefault(tuple(sorted(label.value for label in shared)), []).append(readings)
    return [one for labels, given in by_labels.items() for one in _of_readers(workspace, given, cases, labels)]


def _of_readers(
    workspace: Workspace, given: Sequence[Sequence[Annotation]], cases: Mapping[str, Case], labels: Sequence[int]
) -> list[_Found]:
    def masks(n: int) -> Mapping[str, MaskArray]:
        read = {a.annotator_id: load_mask(workspace.store.blobs, a, cases[a.case_id]).array for a in given[n]}
        return {who: without_others(mask, labels, workspace.task.labels) for who, mask in read.items()}

    found = suspect_annotations(_Lazily(len(given), masks), list(labels))
    of = {(n, a.annotator_id): a for n, each in enumerate(given) for a in each}
    return [(of[s.item, str(s.annotator)], s.score, "readers", s.reason) for s in found]


def _masks(
    workspace: Workspace, pairs: Sequence[tuple[Annotation, Prediction]], cases: Mapping[str, Case], scope: AnnotatedLabels
) -> list[_Found]:
    """Masks against predictions, by the labels that the mask annotates and the model has learned; others count as background in both."""

    def both(n: int) -> tuple[MaskArray, ClassProbabilities]:
        annotation, prediction = pairs[n]
        case = cases[annotation.case_id]
        learned = labels_of_model(workspace.store.get(Model, prediction.model_id), workspace.task)
        values = [label.value for label in scope.of(annotation) if label in learned]
        mask = load_mask(workspace.store.blobs, annotation, case).array
        return without_others(mask, values or NOTHING, workspace.task.labels), _as_background(
            probabilities_of(workspace, prediction, case), workspace, values
        )

    drawn = [(a, p) for a, p in pairs if p.mask is not None and p.uncertainty is not None]
    pairs = drawn
    names = {label.value: label.name for label in workspace.task.labels} | shared_names(workspace.task.labels)
    found = suspect_masks(_Lazily(len(pairs), both), list(workspace.task.mask_values), names)
    return [(pairs[s.item][0], s.score, "model", s.reason) for s in found]


NOTHING = (0,)
"""Labels of a mask that keeps none."""


def _as_background(chances: ClassProbabilities, workspace: Workspace, values: Sequence[int]) -> ClassProbabilities:
    """Probabilities (labels, I, J, K) in which all labels but `values` count as background."""
    said = values_of(workspace.task.labels, values)
    others = [n for n, value in enumerate(workspace.task.mask_values, start=1) if value not in said]
    chances[0] += chances[others].sum(axis=0)
    chances[others] = 0.0
    return chances


def probabilities_of(workspace: Workspace, prediction: Prediction, case: Case) -> ClassProbabilities:
    """Label probabilities of each voxel as far as the kept mask and entropy tell them, shape (labels, I, J, K), background first."""
    blobs, labels = workspace.store.blobs, (0, *workspace.task.mask_values)
    mask = decode_mask(blobs.get(str(prediction.mask)), case.grid.shape)
    doubt = decode_mask(blobs.get(str(prediction.uncertainty)), case.grid.shape)
    wrong: FloatArray = chances_of_entropy(np.arange(LEVELS + 1) / LEVELS * math.log(len(labels)), len(labels))[doubt]
    found: ClassProbabilities = np.repeat((wrong / (len(labels) - 1))[None], len(labels), axis=0)
    for n, label in enumerate(labels):
        found[n][mask == label] = 1.0 - wrong[mask == label]
    return found


def _votes(workspace: Workspace, several: Mapping[str, Sequence[Annotation]]) -> list[_Found]:
    """Classes against the other readers."""
    values = list(workspace.task.label_values)
    given = [[a for a in found if a.tag in values] for found in several.values()]
    people = sorted({a.annotator_id for each in given for a in each})
    if len(people) < 2:
        return []
    table = np.full((len(given), len(people)), -1, dtype=np.int64)
    for n, each in enumerate(given):
        for a in each:
            table[n, people.index(a.annotator_id)] = values.index(a.tag or 0)
    of = {(n, people.index(a.annotator_id)): a for n, each in enumerate(given) for a in each}
    found = suspect_votes(table, classes=len(values))
    return [
        (of[s.item, int(s.annotator or 0)], s.score, "readers", _class_reason(workspace, of[s.item, int(s.annotator or 0)], s))
        for s in found
    ]


def _classes(workspace: Workspace, pairs: Sequence[tuple[Annotation, Prediction]]) -> list[_Found]:
    """Classes against predictions."""
    values = list(workspace.task.label_values)
    pairs = [(a, p) for a, p in pairs if a.tag in values and len(p.probabilities) == len(values)]
    if not pairs:
        return []
    table = np.array([p.probabilities for _, p in pairs], dtype=np.float64)
    found = suspect_classes([values.index(a.tag or 0) for a, _ in pairs], table / table.sum(axis=1, keepdims=True))
    return [(pairs[s.item][0], s.score, "model", _class_reason(workspace, pairs[s.item][0], s)) for s in found]


def _class_reason(workspace: Workspace, annotation: Annotation, suspect: Suspect) -> str:
    """A class and the one that is more probable, by name."""
    names = {label.value: label.name for label in workspace.task.labels}
    seems = names[workspace.task.label_values[suspect.suggested or 0]]
    return f"annotated {names[annotation.tag or 0]}, while {seems} is more probable (score {suspect.score:.2f})"
