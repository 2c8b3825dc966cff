"""Store one case: voxels first, then its row, its answer and their events in one transaction."""

import numpy as np

from medloop.core.arrays import ImageArray
from medloop.core.errors import InputError
from medloop.core.image import Image, Mask
from medloop.core.records import Annotation, Annotator, Case, Source, Split, new_id, now
from medloop.images.encode import encode_mask, encode_voxels
from medloop.loop.data.first_display import displayed
from medloop.loop.foundation.follow_up import follow_up
from medloop.loop.foundation.workspace import Workspace

IMPORTER = "import"
"""Name of the annotator that imported answers belong to."""


def add_case(
    workspace: Workspace,
    image: Image,
    *,
    name: str,
    patient: str,
    split: Split,
    source: Source,
    answer: Mask | int | None = None,
    answered_by: Annotator | None = None,
    notes: tuple[str, ...] = (),
    stratum: str = "",
    answered_at: str | None = None,
    effort_seconds: float = 0.0,
    untouched: float | None = None,
    channel_names: tuple[str, ...] = (),
    actor: str = "system",
    follow: bool = True,
) -> Case:
    """Store one case, with its answer if there is one, in one transaction; then let the model in use predict or be judged on it.

    With `follow` False the caller does the latter once for many cases, by `follow_up`.

    Raises:
        InputError: Voxels that cannot be kept, or an answer that does not fit the image or the task.
    """
    array = storable(image)
    if isinstance(answer, Mask):
        answer.grid.require_same(image.grid, f"{name}: the mask")
        answer.require_labels(workspace.task.label_values, f"{name}: the mask")
    source = displayed(source, array, channel_names)
    case = _case_record(workspace, array, image, name, patient, split, source, notes, stratum)
    blob = workspace.store.blobs.put(encode_mask(answer.array)) if isinstance(answer, Mask) else None
    with workspace.store.write(actor) as tx:
        tx.add(case, verb="import")
        if answer is not None and answered_by is not None:
            made = imported_annotation(
                workspace, case, answered_by, blob, answer, at=answered_at, effort=effort_seconds, untouched=untouched
            )
            tx.add(made, verb="import")
    if follow:
        follow_up(workspace)
    return case


def storable(image: Image) -> ImageArray:
    """The image's voxels in a dtype that the browser and the networks read.

    Raises:
        InputError: NaN or infinite voxels, or values no supported dtype holds.
    """
    array = image.array
    if array.dtype.kind == "f":
        bad = int(np.count_nonzero(~np.isfinite(array)))
        if bad:
            raise InputError(f"Voxels must be finite, {bad} are NaN or infinite", remedy="repair or leave out this image")
        return array.astype(np.float32, copy=False)
    if array.dtype.kind == "b":
        return array.astype(np.uint8)
    if array.dtype.itemsize <= 4 and array.dtype.kind in "iu":
        return array.astype(array.dtype.newbyteorder("="), copy=False)
    return array.astype(np.float32)


def _case_record(
    workspace: Workspace,
    array: ImageArray,
    image: Image,
    name: str,
    patient: str,
    split: Split,
    source: Source,
    notes: tuple[str, ...],
    stratum: str,
) -> Case:
    least, most = float(array.min()), float(array.max())
    return Case(
        id=new_id("case"),
        name=name,
        patient=patient,
        split=split,
        grid=image.grid,
        channels=image.channels,
        dtype=array.dtype.name,
        voxels=workspace.store.blobs.put(encode_voxels(array)),
        window=source.display.channel_windows[0] if source.display else (least, max(most, least + 1.0)),
        value_range=(least, most),
        source=source,
        stratum=stratum,
        notes=notes,
        added_at=now(),
    )


def imported_annotation(
    workspace: Workspace,
    case: Case,
    by: Annotator,
    blob: str | None,
    answer: Mask | int,
    *,
    at: str | None = None,
    effort: float = 0.0,
    untouched: float | None = None,
) -> Annotation:
    """The record of an annotation that a source brings.

    Args:
        workspace: The project.
        case: What it is of.
        by: Whose it is.
        blob: Its voxels, None for a tag.
        answer: In the task's values.
        at: When it was made; None means now.
        effort: Seconds it took.
        untouched: Share of a model's proposal that stands in it untouched, 0..1; None for one made without a model.
    """
    return Annotation(
        id=new_id("annotation"),
        case_id=case.id,
        task_id=workspace.task.id,
        annotator_id=by.id,
        kind="tag" if isinstance(answer, int) else "mask",
        blob=blob,
        tag=answer if isinstance(answer, int) else None,
        origin="imported",
        effort_seconds=effort,
        created_at=at or now(),
        untouched=untouched,
    )
