"""Soft targets of a training: how probable each label is in the consensus of a case, as it was stored when its readings were fused.

With the setting `targets` at soft, fused annotations are learned so, in validation cases by the calibration alone. Everything else, such as
a single reading, an adjudication or parts of a mask, is learned as annotated.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from medloop.core.errors import BlobError
from medloop.core.records import Annotation, Case, Consensus
from medloop.images.encode import decode_mask, decode_voxels
from medloop.loop.foundation.annotated_labels import annotated_labels
from medloop.loop.foundation.consensus import soft_consensuses
from medloop.loop.foundation.workspace import Workspace
from medloop.store.blobs import Blobs

if TYPE_CHECKING:
    from medloop.models.training.soft_targets import SoftTarget

SoftLabels: TypeAlias = "Mapping[str, Callable[[], SoftTarget]]"
"""Id of an annotation → gives its soft target."""


def soft_labels(
    workspace: Workspace, answers: Sequence[Annotation], cases: Mapping[str, Case], log: Callable[[str], None] = lambda _: None
) -> "SoftLabels":
    """The soft targets of these annotations; none without the setting. Where their bytes cannot be read, `log` is told the case."""
    if workspace.settings.targets == "hard":
        return {}
    with workspace.store.read() as tx:
        found, scope = soft_consensuses(tx, answers), annotated_labels(tx, workspace.task)
    values = {a.id: [0, *(label.value for label in scope.of(a))] for a in answers}
    return {
        c.annotation_id: _loader(workspace.store.blobs, c, cases[c.case_id], values[c.annotation_id])
        for c in found
        if _can_read(workspace, c, cases, log)
    }


def _can_read(workspace: Workspace, consensus: Consensus, cases: Mapping[str, Case], log: Callable[[str], None]) -> bool:
    try:
        for blob in filter(None, (consensus.voxel_probabilities, consensus.uncertainty)):
            workspace.store.blobs.check(blob)
    except BlobError as error:
        log(f"{cases[consensus.case_id].name} is learned as fused, without what is uncertain: {error.message}")
        return False
    return True


def _loader(blobs: Blobs, consensus: Consensus, case: Case, values: Sequence[int]) -> "Callable[[], SoftTarget]":
    def load() -> "SoftTarget":
        from medloop.models.training.soft_targets import SoftTarget

        if consensus.voxel_probabilities is None or consensus.uncertainty is None:
            return SoftTarget(np.array(consensus.probabilities)[:, None], np.zeros(1, dtype=np.int64))
        places = np.flatnonzero(decode_mask(blobs.get(consensus.uncertainty), case.grid.shape))
        stored = decode_voxels(blobs.get(consensus.voxel_probabilities), (len(values), len(places), 1, 1), "uint8")
        chances = np.zeros((values[-1] + 1, len(places)), dtype=np.float32)
        chances[list(values)] = stored[:, :, 0, 0]
        return SoftTarget(chances / np.maximum(chances.sum(axis=0), 1.0), places)

    return load
