"""What the images of cases look like, kept once per case as a descriptor: made when a case is predicted, or when it is first asked for."""

from collections.abc import Sequence

import numpy as np

from medloop.core.arrays import FloatArray
from medloop.core.image import Image
from medloop.core.records import Case, Descriptor, new_id, now
from medloop.images.appearance import appearance
from medloop.loop.foundation.arrays import load_image, store_features
from medloop.loop.foundation.described import Report, Vectors, describe_cases, kept_vectors
from medloop.loop.foundation.workspace import Workspace
from medloop.store.reader import Reader

APPEARANCE, RULE = "appearance-1", ""
"""Method and maker of the descriptors: a fixed rule, another one gets another number."""


def kept_appearances(workspace: Workspace, cases: Sequence[Case]) -> Vectors:
    """The appearances that are there already, by id of the case; only reads."""
    return kept_vectors(workspace, APPEARANCE, RULE, cases)


def appearances(workspace: Workspace, cases: Sequence[Case], *, most: int | None = None, report: Report | None = None) -> Vectors:
    """The appearances of cases whose bytes can be read; of those that are not there yet, at most `most` are made and kept."""
    found = kept_appearances(workspace, cases)
    if workspace.store.read_only:
        return found
    missing = [case for case in cases if case.id not in found][:most]
    return found | describe_cases(workspace, APPEARANCE, RULE, missing, _appearance, report=report)


def _appearance(workspace: Workspace, case: Case) -> FloatArray:
    return np.asarray(appearance(load_image(workspace.store.blobs, case)))


def has_appearance(tx: Reader, case_id: str) -> bool:
    """Whether a case was described."""
    return bool(tx.find(Descriptor, where={"case_id": case_id, "method": APPEARANCE, "maker": RULE}, limit=1))


def describe_appearance(workspace: Workspace, case: Case, image: Image) -> Descriptor:
    """The descriptor of a case whose image is at hand."""
    vector = store_features(workspace.store.blobs, np.asarray(appearance(image), dtype=np.float32))
    return Descriptor(id=new_id("descriptor"), case_id=case.id, method=APPEARANCE, maker=RULE, vector=vector, created_at=now())
