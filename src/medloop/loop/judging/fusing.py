"""The job that makes one annotation of several readings: a consensus with the skill of each reader and what stays uncertain.

The fused mask or class is an annotation of the program annotator "consensus", so that training, evaluation, export and figures
use it like any other. What cannot be read is left out and said; then the latest of the rest counts, so that no round waits.
"""

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

import numpy as np

from medloop.core.arrays import FloatArray, MaskArray
from medloop.core.drawing import have_overlaps, united, with_label
from medloop.core.errors import BlobError, InputError
from medloop.core.labels import gathered, held_by_value, mask_of, nested_regions, values_of
from medloop.core.records import Annotation, Annotator, Case, Consensus, Json, Label, Task, new_id, now
from medloop.images.encode import encode_mask, encode_voxels
from medloop.loop.foundation.annotated_labels import annotated_labels, every_as_none, without_others
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.arrays import load_image, load_mask
from medloop.loop.foundation.consensus import by_case, deciding
from medloop.loop.foundation.job_control import JobControl
from medloop.loop.foundation.readings import DERIVED, CaseHistory, derive, due_for_consensus, histories, most_leaning, project_settings
from medloop.loop.foundation.round_moves import after_annotation
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.judging.fusing_classes import LATEST, Fusions, Made, fuse_tags, named_note
from medloop.raters.edges import edge_strengths
from medloop.raters.fused_mask import FusedMask
from medloop.raters.label_decision import decided_by_label
from medloop.raters.label_groups import LabelGroup, label_groups, lay_together
from medloop.raters.local_fusion import locally_weighted
from medloop.raters.mask_skill import MaskSkill, Rate
from medloop.raters.mask_votes import majority_mask, simple_fusion
from medloop.raters.pairs import mean_of_pairs, pairwise_dice
from medloop.raters.shape_fusion import shape_based
from medloop.raters.staple_fusion import staple, staple_cases
from medloop.store.reader import Reader
from medloop.store.writer import Writer

PROGRAM = "consensus"
"""The annotator that fused annotations are by."""

MOST_LEVELS = 255

MOST_CASES = 20
"""Cases by which readers are known beside the one at hand, with `staple_cases`: each takes reading its masks."""


def run_reconciling(workspace: Workspace, control: JobControl) -> Json:
    """Make a consensus of every case that has its readings and none of them; each is committed by itself."""
    with workspace.store.read() as tx:
        due = due_for_consensus(tx)
    made, memo = 0, Fusions()
    for number, case_id in enumerate(due):
        case = workspace.store.get(Case, case_id)
        control.report(number / len(due), f"consensus of {case.name} ({number + 1} of {len(due)})")
        found = reconcile_case(workspace, case, memo)
        if found is not None:
            made += 1
            control.log(f"{case.name}: {found.method} of {len(found.inputs)} readings, agreement {found.agreement:.2f}{_noted(found)}")
    after_annotation(workspace)
    return {"cases": made}


def reconcile_case(workspace: Workspace, case: Case, memo: Fusions | None = None) -> Consensus | None:
    """Make and store the consensus of one case; None when its readings have changed meanwhile.

    Args:
        workspace: The project.
        case: With its readings, as `derive` says.
        memo: Classes that were fused for other cases of the same readers a moment ago.
    """
    with workspace.store.read() as tx:
        history, method = histories(tx, [case.id])[case.id], project_settings(tx).consensus
    made = _fuse(workspace, case, history.readings, method, Fusions() if memo is None else memo)
    blob = workspace.store.blobs.put(encode_mask(made.mask)) if made.mask is not None else None
    entropy = workspace.store.blobs.put(encode_mask(made.entropy)) if made.entropy is not None else None
    chances = workspace.store.blobs.put(encode_voxels(made.chances)) if made.chances is not None else None
    program = annotator_named(workspace, PROGRAM, kind="model", program=True)
    with workspace.store.write(program.id) as tx:
        fresh = histories(tx, [case.id])[case.id]
        if not derive(project_settings(tx), fresh).consensus_due or _inputs(fresh) != _inputs(history):
            return None
        annotation_id = _latest(history).id if not made.fused else _materialise(tx, workspace.task, history, program, made, blob)
        consensus = Consensus(
            id=new_id("consensus"),
            case_id=case.id,
            method=method,
            inputs=_inputs(history),
            annotation_id=annotation_id,
            supersedes=history.consensus.id if history.consensus else None,
            uncertainty=entropy,
            voxel_probabilities=chances,
            created_at=now(),
            **made.details,
        )
        tx.add(consensus, verb="reconcile")
    return consensus


def _inputs(history: CaseHistory) -> tuple[str, ...]:
    return tuple(a.id for a in history.readings)


def _latest(history: CaseHistory) -> Annotation:
    """What stands without a consensus: of masks the newest, of classes the most frequent."""
    return deciding(history.readings)


def _materialise(tx: Writer, task: Task, history: CaseHistory, program: Annotator, made: Made, blob: str | None) -> str:
    leaning = most_leaning(history.readings)
    annotation = Annotation(
        id=new_id("annotation"),
        case_id=history.case_id,
        task_id=task.id,
        annotator_id=program.id,
        kind="tag" if blob is None else "mask",
        blob=blob,
        tag=made.tag,
        origin="consensus",
        created_at=now(),
        began_with="elsewhere",
        proposal_id=leaning.proposal_id,
        untouched=leaning.untouched,
        annotated=made.annotated,
    )
    tx.add(annotation, verb="fuse")
    return annotation.id


def _fuse(workspace: Workspace, case: Case, readings: Sequence[Annotation], method: str, memo: Fusions) -> Made:
    if workspace.task.kind == "classification":
        return fuse_tags(workspace, readings, method, memo)
    found, lost = list[tuple[Annotation, MaskArray]](), list[Annotation]()
    for reading in readings:
        try:
            found.append((reading, load_mask(workspace.store.blobs, reading, case).array))
        except BlobError:
            lost.append(reading)
    note = f"{len(lost)} of {len(readings)} readings cannot be read and are left out" if lost else ""
    try:
        made = _fuse_masks(workspace, case, found, method, note) if len(found) > 1 else _nothing(note)
    except InputError as error:
        made = _nothing(str(error))
    if not made.fused and found and deciding(readings) in lost:  # the latest of the rest counts, by an annotation of its own
        rest, latest = {a.id: mask for a, mask in found}, deciding(a for a, _ in found)
        return replace(made, mask=rest[latest.id], annotated=_annotated_by(workspace, [latest]), fused=True)
    return made


def _annotated_by(workspace: Workspace, readings: Sequence[Annotation]) -> tuple[int, ...]:
    """What readings annotate together."""
    with workspace.store.read() as tx:
        return annotated_labels(tx, workspace.task).union(readings)


def _nothing(note: str) -> Made:
    """Readings that cannot be fused: the latest counts, and their agreement is taken for none, so that somebody looks."""
    details = {"skills": {}, "agreement": 0.0, "agreement_by_label": {}, "note": f"{note}: the latest reading counts"}
    return Made(fused=False, details=details)


def _fuse_masks(workspace: Workspace, case: Case, given: Sequence[tuple[Annotation, MaskArray]], method: str, note: str) -> Made:
    groups = _groups(workspace, [a for a, _ in given])
    labels = sorted(label for group in groups for label in group.labels)
    every = workspace.task.labels
    parts = {wide: _fused_group(workspace, case, method, given, wide) for wide in (_with_shared(every, group) for group in groups)}
    fused, masks = _laid_together(every, parts, readers=len(given)), [mask for _, mask in given]
    agreements = _agreements(masks, groups, workspace.task.labels)
    edges = _edges(workspace, case, masks, labels)
    note = "; ".join(filter(None, [note, fused.note, *_alone(workspace, given, groups)]))
    details = {
        "skills": {a.annotator_id: {**_mask_skill(skill), **edge} for (a, _), skill, edge in zip(given, fused.skills, edges, strict=True)},
        "agreement": round(min(agreements.values(), default=1.0), 6),
        "agreement_by_label": {str(label): round(dice, 6) for label, dice in agreements.items()},
        "note": named_note(workspace, note, [a for a, _ in given]),
        "expected_error": None if method == LATEST else round(fused.expected_error, 6),
    }
    scaled = _levels(fused.uncertainty / math.log(workspace.task.classes))
    if method == LATEST and len(groups) == 1:
        return Made(fused=False, details=details, entropy=scaled)
    annotated = every_as_none(workspace.task, labels)
    if method == LATEST:
        return Made(mask=_latest_of_each(given, groups, every), annotated=annotated, details=details, entropy=scaled)
    uncertain = fused.row_of[scaled.reshape(-1)[fused.disputed] > 0]
    chances = _levels(fused.rows[uncertain].T)[:, :, None, None]
    return Made(mask=fused.mask, annotated=annotated, details=details, entropy=scaled, chances=chances)


def _groups(workspace: Workspace, readings: Sequence[Annotation]) -> list[LabelGroup]:
    """The labels that the readings annotate, grouped by which of them do."""
    with workspace.store.read() as tx:
        scope = annotated_labels(tx, workspace.task)
    return label_groups([{label.value for label in scope.of(a)} for a in readings])


def _with_shared(labels: Sequence[Label], group: LabelGroup) -> LabelGroup:
    """A group with the values that its labels share with each other alone."""
    return replace(group, labels=values_of(labels, group.labels))


def _laid_together(labels: Sequence[Label], parts: Mapping[LabelGroup, FusedMask], *, readers: int) -> FusedMask:
    """What was fused of each group as one, where labels of two groups overlap as both."""
    fused = lay_together(parts, readers=readers)
    if len(parts) == 1 or not have_overlaps(labels):
        return fused
    mask, contradicts = fused.mask, np.zeros(fused.mask.shape, dtype=bool)
    both = np.zeros_like(mask)
    for part in parts.values():
        both, against = united(labels, both, part.mask)
        contradicts |= against
    return replace(fused, mask=np.where(contradicts | (both == 0), mask, both))


def _fused_group(
    workspace: Workspace, case: Case, method: str, given: Sequence[tuple[Annotation, MaskArray]], group: LabelGroup
) -> FusedMask:
    """What a method makes of the labels of a group; of a single reader's, their own mask."""
    found = [(given[n][0], without_others(given[n][1], group.labels, workspace.task.labels)) for n in group.readers]
    if len(found) == 1:
        return replace(majority_mask([found[0][1]], list(group.labels)), note="")
    fused, every = _fused_mask(workspace, case, method, found, group.labels), workspace.task.labels
    if not nested_regions(every):
        return fused
    return decided_by_label(fused, {value: of & set(group.labels) for value, of in held_by_value(every).items()})


def _agreements(masks: Sequence[MaskArray], groups: Sequence[LabelGroup], labels: Sequence[Label]) -> dict[int, float]:
    """Mean Dice of the pairs of readers of each label, in order; without the labels that one reader alone annotated."""
    found: dict[int, float] = {}
    for group in groups:
        if len(group.readers) > 1:
            plain = [without_others(masks[n], group.labels, labels) for n in group.readers]
            tables = pairwise_dice(plain, list(group.labels))
            for outer in set(nested_regions(labels)) & set(group.labels):
                tables[outer] = pairwise_dice([gathered(labels, mask, outer) for mask in plain], list(group.labels))[outer]
            found |= {label: mean_of_pairs(table) for label, table in tables.items()}
    return dict(sorted(found.items()))


def _alone(workspace: Workspace, given: Sequence[tuple[Annotation, MaskArray]], groups: Sequence[LabelGroup]) -> list[str]:
    """What to say of labels that not every reader annotated."""
    names = {label.value: label.name for label in workspace.task.labels}
    return [
        f"{', '.join(names[label] for label in group.labels)} annotated by {len(group.readers)} of {len(given)}"
        for group in groups
        if len(group.readers) < len(given)
    ]


def _latest_of_each(given: Sequence[tuple[Annotation, MaskArray]], groups: Sequence[LabelGroup], labels: Sequence[Label]) -> MaskArray:
    """Every label as the newest reading that annotates it has it; where two claim a voxel, the newer reading has it."""
    newest = {label: group.readers[-1] for group in groups for label in group.labels}
    mask = np.zeros(given[0][1].shape, dtype=np.uint8)
    for n, (_, own) in enumerate(given):
        if have_overlaps(labels):
            for label in (label for label, by in newest.items() if by == n):
                mask = with_label(labels, mask, mask_of(labels, own, label) | mask_of(labels, mask, label), label)
            continue
        mask = np.where(np.isin(own, [label for label, by in newest.items() if by == n]), own, mask)
    return mask


def _edges(workspace: Workspace, case: Case, masks: Sequence[MaskArray], labels: Sequence[int]) -> list[dict[str, float]]:
    """How well each reader's outlines lie on edges of the image, where there are both."""
    try:
        image = load_image(workspace.store.blobs, case).array
    except BlobError:
        return [{} for _ in masks]
    found = edge_strengths(masks, labels, image=np.nan_to_num(image), spacing_mm=case.grid.spacing_mm)
    return [{"edges": round(float(one), 6)} if np.isfinite(one) else {} for one in found]


def _levels(shares: FloatArray) -> MaskArray:
    found: MaskArray = np.rint(np.clip(shares, 0.0, 1.0) * MOST_LEVELS).astype(np.uint8)
    return found


def _fused_mask(
    workspace: Workspace, case: Case, method: str, found: Sequence[tuple[Annotation, MaskArray]], labels: Sequence[int]
) -> FusedMask:
    """What a method makes of masks; `latest` is judged against the majority."""
    masks, spacing = [mask for _, mask in found], case.grid.spacing_mm
    match method:
        case "shape_based":
            return shape_based(masks, labels, spacing_mm=spacing)
        case "locally_weighted":
            return _by_image(workspace, case, masks, labels)
        case "staple_cases":
            return _by_other_cases(workspace, case, found, labels)
        case "simple":
            return simple_fusion(masks, labels)
        case _:
            return staple(masks, labels) if method == "staple" else majority_mask(masks, labels)


def _by_image(workspace: Workspace, case: Case, masks: Sequence[MaskArray], labels: Sequence[int]) -> FusedMask:
    """Weighted by the image, or among each other where its bytes are damaged."""
    try:
        image = load_image(workspace.store.blobs, case).array
    except BlobError as error:
        fused = locally_weighted(masks, labels, spacing_mm=case.grid.spacing_mm)
        lost = f"the image cannot be read, readers are weighed by each other: {error.message}"
        return replace(fused, note="; ".join(filter(None, [fused.note, lost])))
    return locally_weighted(masks, labels, spacing_mm=case.grid.spacing_mm, image=image)


def _by_other_cases(workspace: Workspace, case: Case, found: Sequence[tuple[Annotation, MaskArray]], labels: Sequence[int]) -> FusedMask:
    """With what the same readers did in the cases that they read last with others; what cannot be read of these is left out."""
    key = {a.annotator_id: f"{n:03d}" for n, (a, _) in enumerate(found)}  # names that sort in the order of the readings
    with workspace.store.read() as tx:
        others = _read_last(tx, case.id, set(key))
        cases, scope = {other: tx.get(Case, other) for other in others}, annotated_labels(tx, workspace.task)
    together = [{key[a.annotator_id]: mask for a, mask in found}]
    for other, given in others.items():
        masks = dict[str, MaskArray]()
        for reading in given:
            if not {label.value for label in scope.of(reading)} >= set(labels):
                continue
            with suppress(BlobError):
                who = key.get(reading.annotator_id, reading.annotator_id)
                masks[who] = without_others(load_mask(workspace.store.blobs, reading, cases[other]).array, labels, workspace.task.labels)
        together += [masks] if len(masks) > 1 else []
    return staple_cases(together, labels).masks[0]


def _read_last(tx: Reader, case_id: str, people: set[str]) -> dict[str, list[Annotation]]:
    """The masks of the `MOST_CASES` other cases that two or more people read last, one of these people among them, by case id."""
    given = by_case(a for a in tx.current_annotations() if a.kind == "mask" and a.origin not in DERIVED and a.case_id != case_id)
    shared = {case: read for case, read in given.items() if len(read) > 1 and people & {a.annotator_id for a in read}}
    return dict(list(shared.items())[-MOST_CASES:])


def _mask_skill(skill: MaskSkill) -> Json:
    """A reader's skill in one case: the mean Dice over labels, and every label's."""
    labels = {str(label): _rate(rates.dice) for label, rates in skill.labels.items()}
    known = [rates.dice for rates in skill.labels.values() if rates.dice.value is not None]
    low, high = _mean([rate.low for rate in known]), _mean([rate.high for rate in known])
    return {"value": skill.dice, "low": low, "high": high, "annotations": 1, "labels": labels}


def _mean(values: Sequence[float | None]) -> float | None:
    """Mean of several bounds; None where one is not known."""
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known and len(known) == len(values) else None


def _rate(rate: Rate) -> dict[str, float | None]:
    return {"value": rate.value, "low": rate.low, "high": rate.high}


def _noted(found: Consensus) -> str:
    return f" ({found.note})" if found.note else ""
