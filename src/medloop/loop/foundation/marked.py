"""Cases that are known by marks (points, scribbles, boxes, extreme points, superpixels, tags): their blobs, and who has only these.

Marks are an annotation of their own kind. They are learned from where no full annotation of the case says as much, and count nowhere else:
evaluation, consensus, gold cases, triage, measurements and exports of masks leave them out, as no truth can be held against them.

Blob: gzip of JSON, `{"marks": [...]}`, each mark as `medloop.interaction.weak.marks.mark_to_json` writes it.
"""

import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from medloop.core.arrays import UNKNOWN, MaskArray
from medloop.core.errors import InputError, IntegrityError
from medloop.core.geometry import Shape3
from medloop.core.labels import nested_regions
from medloop.core.names import counted, first_named, in_natural_order
from medloop.core.records import Annotation, Case, Task
from medloop.interaction.weak.marks import Mark, Tag, mark_from_json, mark_to_json, marked_voxels
from medloop.loop.foundation.workspace import Workspace
from medloop.store.blobs import Blobs
from medloop.store.reader import Reader

if TYPE_CHECKING:
    from medloop.interaction.weak.supervision import Supervision


def encode_marks(marks: Sequence[Mark]) -> bytes:
    """The blob of marks."""
    text = json.dumps({"marks": [mark_to_json(mark) for mark in marks]}, separators=(",", ":"))
    return gzip.compress(text.encode(), 6, mtime=0)


def decode_marks(data: bytes) -> tuple[Mark, ...]:
    """Inverse of `encode_marks`.

    Raises:
        IntegrityError: Damaged bytes.
    """
    try:
        return tuple(mark_from_json(one) for one in json.loads(gzip.decompress(data))["marks"])
    except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
        raise IntegrityError(f"An annotation by marks must be a list of them, got {error}", remedy="restore it from a backup") from error


def load_marks(blobs: Blobs, annotation: Annotation) -> tuple[Mark, ...]:
    """The marks of an annotation.

    Raises:
        InputError: It is of another kind.
        IntegrityError: Its bytes are damaged.
    """
    if annotation.kind != "marks" or annotation.blob is None:
        raise InputError(f"Annotation {annotation.id} is a {annotation.kind}, it has no marks", remedy="name an annotation by marks")
    return decode_marks(blobs.get(annotation.blob))


def marked_mask(marks: Sequence[Mark], shape: Shape3) -> MaskArray:
    """The labels of the voxels that marks name one by one, `UNKNOWN` elsewhere, shape (I, J, K)."""
    mask = np.full(shape, UNKNOWN, dtype=np.uint8)
    for mark in marks:
        if getattr(mark, "positive", True) and not isinstance(mark, Tag):
            mask[tuple(marked_voxels(mark, shape).T)] = mark.label
    return mask


def label_names(task: Task) -> Mapping[int, str]:
    """Label values and their names."""
    return {label.value: label.name for label in task.labels}


def supervision_of(blobs: Blobs, annotation: Annotation, case: Case, task: Task, annotated: Sequence[int]) -> "Supervision":
    """What an annotation by marks says of its case's voxels; `annotated` as for `supervise`."""
    from medloop.interaction.weak.supervision import supervise

    return supervise(
        load_marks(blobs, annotation), case.grid.shape, label_names(task), annotated=annotated, regions=nested_regions(task.labels)
    )


@dataclass(frozen=True)
class MarkedOnly:
    """Training cases that have marks and no full annotation, by name."""

    names: tuple[str, ...]

    def __str__(self) -> str:
        shown = first_named(self.names)
        return (
            f"{counted(len(self.names), 'case')} known by marks alone: learned from, and left out of evaluation, consensus, gold, triage, "
            f"measurements and exports of masks: {shown}"
        )


def marked_only(tx: Reader) -> MarkedOnly | None:
    """The cases with marks and no full annotation; None without any."""
    marked = {a.case_id for a in tx.marked_annotations()}
    left = marked - tx.annotated_among(marked) if marked else set()
    if not left:
        return None
    return MarkedOnly(tuple(in_natural_order(case.name for case in tx.find(Case, where={"id": sorted(left)}))))


def marked_lines(workspace: Workspace) -> list[str]:
    """What a person should know of cases that have marks alone, a line or none."""
    with workspace.store.read() as tx:
        found = marked_only(tx)
    return [str(found)] if found else []
