"""Training cases of which only parts are annotated, for formats that can say so (nnU-Net's ignore label)."""

from collections.abc import Iterator, Mapping, Sequence

from medloop.core.labels import value_names, values_of
from medloop.core.records import Annotation, Annotator, Case
from medloop.datasets.export_tally import ExportCase
from medloop.loop.data.cases import IMPORTER
from medloop.loop.foundation.annotated_labels import AnnotatedLabels, annotated_labels
from medloop.loop.foundation.arrays import load_image
from medloop.loop.foundation.consensus import by_case
from medloop.loop.foundation.damage import LeftOut
from medloop.loop.foundation.partial_annotations import merged_annotation
from medloop.loop.foundation.workspace import Workspace


def partly_annotated(workspace: Workspace) -> Mapping[str, tuple[Case, Sequence[Annotation]]]:
    """Case id → case and its annotations in parts, of training cases without a whole annotation, by name."""
    with workspace.store.read() as tx:
        found = by_case(tx.partial_annotations(splits=["train"]))
        whole = tx.annotated_among(set(found))
        cases = {case_id: tx.get(Case, case_id) for case_id in found if case_id not in whole}
    return {case_id: (cases[case_id], found[case_id]) for case_id in sorted(cases, key=lambda one: cases[one].name)}


def part_cases(workspace: Workspace, found: Mapping[str, tuple[Case, Sequence[Annotation]]], left_out: LeftOut) -> Iterator[ExportCase]:
    """Each case with what all its parts say together, `UNKNOWN` elsewhere; its author is who gave the last one."""
    with workspace.store.read() as tx:
        people = {one.id: one.name for one in tx.find(Annotator) if one.name != IMPORTER}
        scope = annotated_labels(tx, workspace.task)
    for case, given in found.values():
        with left_out.case(case):
            annotations, annotated = _of_same_labels(scope, given)
            mask, last = merged_annotation(workspace.store.blobs, annotations, case), annotations[-1]
            yield ExportCase(
                name=case.name,
                patient=case.patient,
                split=case.split,
                stratum=case.stratum,
                image=load_image(workspace.store.blobs, case),
                mask=mask,
                tag=None,
                source=case.source,
                annotator=people.get(last.annotator_id, ""),
                annotated_at=last.created_at,
                effort_seconds=sum(one.effort_seconds for one in annotations),
                annotated=annotated,
            )


def _of_same_labels(scope: AnnotatedLabels, given: Sequence[Annotation]) -> tuple[Sequence[Annotation], tuple[str, ...]]:
    """Annotations in parts, and the values that all of them annotate by name, () for every label; without such, those like the last one."""
    task, common = scope.task, {label.value for label in scope.of(given[-1])}
    shared = common.intersection(*({label.value for label in scope.of(one)} for one in given))
    if not shared:
        given, shared = [one for one in given if {label.value for label in scope.of(one)} == common], common
    if shared == {*task.label_values}:
        return given, ()
    said = values_of(task.labels, shared)
    return given, tuple(name for value, name in zip(task.mask_values, value_names(task), strict=True) if value in said)
