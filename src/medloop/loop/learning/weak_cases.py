"""Training cases that are known by marks.

What marks make likely costs seconds a case, and follows from the marks and the image alone: it is worked out once and kept in the
project's work folder. Losing that folder costs time only.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from medloop.core.arrays import MaskArray
from medloop.core.errors import InputError, IntegrityError
from medloop.core.image import Image, Mask
from medloop.core.names import counted, first_named
from medloop.core.records import Annotation, Case
from medloop.images.encode import decode_mask, encode_mask
from medloop.images.files import write_atomic
from medloop.loop.foundation.annotated_labels import AnnotatedLabels
from medloop.loop.foundation.arrays import load_image
from medloop.loop.foundation.marked import supervision_of
from medloop.loop.foundation.workspace import Workspace

if TYPE_CHECKING:
    from medloop.interaction.weak.supervision import Supervision
    from medloop.models.training.batches import TrainingCase
    from medloop.models.training.weak_targets import WeakTarget

VERSION = 3
"""Of the way in which likely labels are found: another one finds them anew."""


MOST_KEPT_BYTES = 1_000_000_000
"""Of likely labels in the work folder; beyond it those that were found longest ago go."""


def weak_case(
    workspace: Workspace, annotation: Annotation, case: Case, scope: AnnotatedLabels, *, missing: Sequence[int] = ()
) -> "TrainingCase":
    """The training case of an annotation by marks; `missing` are labels that no case says anything of, which are nowhere."""
    from medloop.models.training.batches import TrainingCase
    from medloop.models.training.weak_targets import WeakTarget

    annotated = tuple(label.value for label in scope.of(annotation))

    @cache
    def known() -> "Supervision":
        return supervision_of(workspace.store.blobs, annotation, case, workspace.task, annotated)

    def load() -> tuple[Image, Mask | int]:
        image = load_image(workspace.store.blobs, case)
        return image, Mask(likely_labels(workspace, annotation, case, image, known()), case.grid)

    def weak() -> "WeakTarget":
        return WeakTarget(known().sets, known().possible, known().present).without(missing)

    return TrainingCase(id=f"{case.name} by marks {annotation.id}", load=load, weak=weak, case=case)


def likely_labels(workspace: Workspace, annotation: Annotation, case: Case, image: Image, known: "Supervision") -> MaskArray:
    """What marks say and make likely of a case, shape (I, J, K); kept where it was worked out before."""
    from medloop.interaction.weak.pseudo_labels import pseudo_labels

    said = f"{VERSION} {annotation.blob} {case.voxels} {known.possible.tolist()}"
    path = workspace.work_folder / "likely" / f"{hashlib.sha256(said.encode()).hexdigest()[:32]}.gz"
    with suppress(OSError, IntegrityError):
        return decode_mask(path.read_bytes(), case.grid.shape)
    found = pseudo_labels(image, known)
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, encode_mask(found), mode=0o600)
        drop_oldest(path.parent, MOST_KEPT_BYTES)
    return found


def drop_oldest(folder: Path, most_bytes: int) -> None:
    """Delete the oldest files of a folder until the rest takes no more than so many bytes; the newest one stays."""
    kept = sorted(((one.stat().st_mtime_ns, one.stat().st_size, one) for one in folder.glob("*.gz")), reverse=True)
    taken = 0
    for number, (_, size, path) in enumerate(kept):
        taken += size
        if taken > most_bytes and number > 0:
            path.unlink(missing_ok=True)


def spoken_labels(
    workspace: Workspace, given: Sequence[Annotation], cases: Mapping[str, Case], scope: AnnotatedLabels, log: Callable[[str], None]
) -> dict[str, tuple[int, ...]]:
    """Id of each annotation by marks → the labels that it says anything of; contradictory ones are left out, with a line in the log.

    Marks were checked when they were given, by the task of that time: since then labels may have come to lie inside each other.
    """
    found, left_out = dict[str, tuple[int, ...]](), list[str]()
    for one in given:
        case, annotated = cases[one.case_id], [label.value for label in scope.of(one)]
        try:
            found[one.id] = supervision_of(workspace.store.blobs, one, case, workspace.task, annotated).spoken
        except InputError as error:
            left_out.append(f"{case.name} ({error.message})")
    if left_out:
        log(f"Marks of {counted(len(left_out), 'case')} contradict the labels of today and are not learned: {first_named(left_out)}")
    return found
