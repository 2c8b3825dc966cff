"""Objections to explanations: "the model looks at the wrong place", recorded for good and used in training.

An objection is an event of the audit and nothing else: append only, chained, with the regions as a blob. A person's newest
objection to a case's label replaces their earlier ones; one without any voxel takes them back. With the setting
`explanation_penalty`, trainings avoid evidence from the regions that are left.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from medloop.core.arrays import BoolArray
from medloop.core.errors import InputError, LabelError, SettingError, ShapeError
from medloop.core.records import Case, Event
from medloop.explain.methods import METHODS
from medloop.images.encode import decode_mask, encode_mask
from medloop.loop.foundation.workspace import Workspace
from medloop.store.reader import Reader

NOUN, VERB = "explanation", "object"
MAX_REASON = 500


@dataclass(frozen=True)
class Objection:
    """One objection; `regions` is the blob of `voxels` irrelevant ones (uint8, file order, gzip), 0 takes earlier objections back."""

    seq: int
    at: str
    case_id: str
    annotator_id: str
    label: int
    method: str
    reason: str
    regions: str
    voxels: int


def object_to_explanation(
    workspace: Workspace, case_id: str, annotator_id: str, *, label: int, method: str, regions: BoolArray, reason: str = ""
) -> Objection:
    """Record that an explanation is wrong: voxels, shape (I, J, K), that must not count as evidence; none takes earlier ones back.

    Raises:
        NotFoundError: No such case.
        LabelError: A label that the task does not have.
        SettingError: An unknown method.
        ShapeError: Regions of another shape than the case.
        InputError: A reason that is too long.
    """
    case = workspace.store.get(Case, case_id)
    _require_sound(workspace, case, label, method, regions, reason)
    body = {
        "label": label,
        "method": method,
        "reason": reason.strip(),
        "regions": workspace.store.blobs.put(encode_mask(regions.astype(np.uint8))),
        "voxels": int(np.count_nonzero(regions)),
    }
    with workspace.store.write(annotator_id) as tx:
        return _objection(tx.record(VERB, NOUN, case_id, body))


def objections(tx: Reader, case_ids: Sequence[str] | None = None) -> list[Objection]:
    """Every objection ever made, of some cases or of all, in order."""
    return [_objection(event) for event in tx.events_about(NOUN, case_ids) if event.verb == VERB]


def standing_objections(tx: Reader, case_ids: Sequence[str] | None = None) -> list[Objection]:
    """The objections that count now: the newest of each person to each label of a case, unless it is empty."""
    newest = {(o.case_id, o.annotator_id, o.label): o for o in objections(tx, case_ids)}
    return sorted((o for o in newest.values() if o.voxels), key=lambda o: o.seq)


def irrelevant_blobs(tx: Reader, case_ids: Sequence[str]) -> dict[str, list[str]]:
    """Case id → blobs of the regions that people call irrelevant now; cases without any are left out."""
    found: dict[str, list[str]] = {}
    for objection in standing_objections(tx, case_ids):
        found.setdefault(objection.case_id, []).append(objection.regions)
    return found


def irrelevant_loader(workspace: Workspace, case: Case, marked: Mapping[str, Sequence[str]]) -> Callable[[], BoolArray] | None:
    """What reads the union of a case's irrelevant regions, shape (I, J, K); None where there are none."""
    names = marked.get(case.id, ())
    if not names:
        return None

    def load() -> BoolArray:
        regions = [decode_mask(workspace.store.blobs.get(name), case.grid.shape) > 0 for name in names]
        union: BoolArray = np.any(regions, axis=0)
        return union

    return load


def _require_sound(workspace: Workspace, case: Case, label: int, method: str, regions: BoolArray, reason: str) -> None:
    if label not in workspace.task.label_values:
        raise LabelError(f"The task has the labels {list(workspace.task.label_values)}, got {label}")
    if method not in METHODS:
        raise SettingError(f"A method is one of {', '.join(METHODS)}, got {method!r}")
    if regions.shape != case.grid.shape:
        raise ShapeError(f"Regions of {case.name} must have shape {case.grid.shape}, got {regions.shape}")
    if len(reason.strip()) > MAX_REASON:
        raise InputError(f"A reason has at most {MAX_REASON} characters, got {len(reason.strip())}")


def _objection(event: Event) -> Objection:
    return Objection(
        seq=event.seq,
        at=event.at,
        case_id=event.noun_id,
        annotator_id=event.actor,
        **{name: event.body[name] for name in ("label", "method", "reason", "regions", "voxels")},
    )
