"""One class of several readings: how right each reader is, is told by the cases that they read with others, fused all together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from medloop.core.arrays import FloatArray, IntArray, MaskArray
from medloop.core.records import Annotation, Annotator, Json
from medloop.loop.foundation.annotated_labels import annotated_labels, every_as_none
from medloop.loop.foundation.readings import DERIVED
from medloop.loop.foundation.workspace import Workspace
from medloop.raters.class_fusion import dawid_skene, majority, weighted_majority
from medloop.raters.fused import TIE, Fused
from medloop.raters.glad_fusion import glad

LATEST = "latest"


@dataclass(frozen=True, eq=False)
class Made:
    """What a method says of one case.

    Attributes:
        mask: For masks, shape (I, J, K).
        tag: For classes: the label's value.
        annotated: Values of the labels that it annotates, as a record keeps them.
        fused: It is a new annotation; else the latest reading counts.
        details: The fields of `Consensus` that the method decides.
        entropy: Per voxel, 255 = ln(classes) nats, shape (I, J, K).
        chances: See `Consensus.voxel_probabilities`.
    """

    mask: MaskArray | None = field(default=None, repr=False)
    tag: int | None = None
    annotated: tuple[int, ...] = ()
    fused: bool = True
    details: Json = field(default_factory=dict)
    entropy: MaskArray | None = field(default=None, repr=False)
    chances: MaskArray | None = field(default=None, repr=False)


@dataclass(frozen=True, eq=False)
class _Fusion:
    """Classes of every case that some readers read, fused together: their votes, the row of each case, and what was made of them."""

    table: IntArray
    rows: Mapping[str, int]
    fused: Fused

    def votes(self, case_id: str) -> tuple[int, ...]:
        """How the readers voted on a case then; () where none had."""
        return tuple(self.table[self.rows[case_id]].tolist()) if case_id in self.rows else ()


class Fusions(dict[tuple[str, tuple[str, ...]], _Fusion]):
    """By method and readers: what one job has fused already, so that many cases of the same readers cost one fusion."""


def fuse_tags(workspace: Workspace, readings: Sequence[Annotation], method: str, memo: Fusions) -> Made:
    """The class of one case. How right each reader is, is told by the cases that they read with others: all of these are fused together."""
    values, tags = list(workspace.task.label_values), [a.tag for a in readings]
    people, case_id = tuple(a.annotator_id for a in readings), readings[0].case_id
    known = memo.get((method, people))
    if known is None or known.votes(case_id) != tuple(values.index(tag or 0) for tag in tags):
        table, rows = _votes(workspace, people, values)
        known = memo[method, people] = _Fusion(table, {name: n for n, name in enumerate(rows)}, _fused_classes(method, table, len(values)))
    fused, row = known.fused, known.rows[case_id]
    details = {
        "skills": {
            who: {"value": skill.accuracy, "low": skill.low, "high": skill.high, "annotations": skill.annotations}
            for who, skill in zip(people, fused.skills, strict=True)
        },
        "agreement": max(tags.count(tag) for tag in tags) / len(tags),
        "agreement_by_label": {},
        "probabilities": tuple(round(float(p), 6) for p in fused.probabilities[row]),
        "note": "; ".join(filter(None, [named_note(workspace, fused.note, readings), _tie(workspace, fused.probabilities[row])])),
        "expected_error": None if method == LATEST else round(float(fused.expected_error[row]), 6),
    }
    tag = values[int(fused.classes[row])]
    return Made(tag=tag, annotated=_chosen_from(workspace, readings, tag), fused=method != LATEST, details=details)


def _chosen_from(workspace: Workspace, readings: Sequence[Annotation], tag: int) -> tuple[int, ...]:
    """The classes that every reader could choose from, and the one that was."""
    with workspace.store.read() as tx:
        scope = annotated_labels(tx, workspace.task)
    shared = set(workspace.task.labels).intersection(*(scope.of(a) for a in readings))
    return every_as_none(workspace.task, {tag, *(label.value for label in shared)})


def _tie(workspace: Workspace, probabilities: FloatArray) -> str:
    """Which classes are equally probable, of which the first counts; "" where one is most."""
    equal = np.flatnonzero(probabilities >= probabilities.max() - TIE)
    names = [workspace.task.labels[n].name for n in equal]
    return f"{' and '.join(names)} are equally probable: {names[0]}, the first, counts" if len(names) > 1 else ""


def _fused_classes(method: str, table: IntArray, classes: int) -> Fused:
    """What a method makes of classes; `latest` is judged against the majority."""
    if method == "weighted":
        return weighted_majority(table, weights=[s.accuracy for s in majority(table, classes=classes).skills], classes=classes)
    if method == "dawid_skene":
        return dawid_skene(table, classes=classes)
    return glad(table, classes=classes) if method == "glad" else majority(table, classes=classes)


def _votes(workspace: Workspace, people: Sequence[str], values: Sequence[int]) -> tuple[IntArray, list[str]]:
    """Classes of every case that one of these people read, shape (cases, people), -1 for none; and the cases' ids."""
    with workspace.store.read() as tx:
        every = [a for a in tx.current_annotations() if a.kind == "tag" and a.origin not in DERIVED]
        given = [a for a in every if a.annotator_id in people and a.tag in values]
    rows = list(dict.fromkeys(a.case_id for a in given))
    table = np.full((len(rows), len(people)), -1, dtype=np.int64)
    place = {case_id: n for n, case_id in enumerate(rows)}
    for a in given:
        table[place[a.case_id], people.index(a.annotator_id)] = values.index(a.tag or 0)
    return table, rows


def named_note(workspace: Workspace, note: str, readings: Sequence[Annotation]) -> str:
    """A note of a method, which counts annotators from 0, with who they are."""
    if "annotators" not in note or not any(character.isdigit() for character in note):
        return note
    with workspace.store.read() as tx:
        names = [tx.get(Annotator, a.annotator_id).name for a in readings]
    return f"{note} ({', '.join(f'{n} is {name}' for n, name in enumerate(names))})"
