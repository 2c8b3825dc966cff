"""Store one case: voxels first, then its row, its answer and their events in one transaction."""

from dataclasses import dataclass, replace

import numpy as np

from medloop.core.arrays import ImageArray
from medloop.core.errors import ConflictError, InputError
from medloop.core.geometry import Grid
from medloop.core.image import Image, Mask
from medloop.core.records import Annotation, Annotator, Case, Source, Split, new_id, now
from medloop.images.encode import encode_mask, encode_voxels
from medloop.loop.data.first_display import displayed
from medloop.loop.foundation.annotated_labels import require_only
from medloop.loop.foundation.follow_up import follow_up
from medloop.loop.foundation.named_frames import require_frames
from medloop.loop.foundation.workspace import Workspace

IMPORTER = "import"
"""Name of the annotator that imported answers belong to."""


@dataclass(frozen=True, kw_only=True)
class NewCase:
    """What is known of a case that comes in, beside its image; see `Case`."""

    name: str
    patient: str
    split: Split
    source: Source
    notes: tuple[str, ...] = ()
    stratum: str = ""
    channel_names: tuple[str, ...] = ()
    frames: tuple[tuple[str, int], ...] = ()
    groups: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Incoming:
    """An annotation as a source gives it.

    Attributes:
        label: In the task's values, on the case's grid.
        by: Whose it is.
        at: When it was made, as `now` writes times; None when the source does not say.
        effort_seconds: What it took.
        untouched: Share of a model's proposal that stands in it untouched; None for one made without a model.
        annotated: Values of the labels that it annotates, as a record keeps them.
    """

    label: Mask | int
    by: Annotator
    at: str | None = None
    effort_seconds: float = 0.0
    untouched: float | None = None
    annotated: tuple[int, ...] = ()


def add_case(
    workspace: Workspace, image: Image, new: NewCase, incoming: Incoming | None = None, *, actor: str = "system", follow: bool = True
) -> Case:
    """Store one case, with its annotation if there is one, in one transaction; then let the model in use predict or be judged on it.

    With `follow` False the caller does the latter once for many cases, by `follow_up`.

    Raises:
        ConflictError: The patient has another split already.
        InputError: Voxels that cannot be kept, an annotation that does not fit the image or the task, or named frames that the template or
            the case does not have.
    """
    array = storable(image)
    if incoming is not None:
        require_fit(workspace, incoming, new.name, image.grid)
    case = _case_record(workspace, array, image, new)
    blob = store_mask(workspace, incoming)
    with workspace.store.write(actor) as tx:
        for other in tx.find(Case, where={"patient": case.patient}, limit=1):
            if other.split != case.split:
                message = f"The patient {case.patient} is in {other.split} with {other.name}, so {case.name} cannot be in {case.split}"
                raise ConflictError(message, remedy=f"give it the split {other.split}, or another patient")
        require_frames(tx, case)
        if not workspace.store.blobs.exists(case.voxels):  # removed meanwhile with another case of the very same image
            workspace.store.blobs.put(encode_voxels(array))
        tx.add(case, verb="import")
        if incoming is not None:
            tx.add(imported_annotation(workspace, case, incoming, blob), verb="import")
    if follow:
        follow_up(workspace)
    return case


def require_fit(workspace: Workspace, incoming: Incoming, name: str, grid: Grid) -> None:
    """Refuse a mask off the case's grid, or of labels that the task does not know.

    Raises:
        LabelError: Values that the task does not know, or labels that it does not annotate.
        GeometryError: A mask off the case's grid.
    """
    if isinstance(incoming.label, Mask):
        incoming.label.grid.require_same(grid, f"{name}: the mask")
        incoming.label.require_labels(workspace.task.mask_values, f"{name}: the mask")
        require_only(incoming.label.array, incoming.annotated, workspace.task, f"{name}: the mask")


def store_mask(workspace: Workspace, incoming: Incoming | None) -> str | None:
    """The blob of an incoming mask; None without one."""
    mask = incoming.label if incoming else None
    return workspace.store.blobs.put(encode_mask(mask.array)) if isinstance(mask, Mask) else None


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


def _case_record(workspace: Workspace, array: ImageArray, image: Image, new: NewCase) -> Case:
    source = replace(
        displayed(new.source, array, new.channel_names), frames=dict(new.frames), groups={**new.source.groups, **dict(new.groups)}
    )
    least, most = float(array.min()), float(array.max())
    return Case(
        id=new_id("case"),
        name=new.name,
        patient=new.patient,
        split=new.split,
        grid=image.grid,
        channels=image.channels,
        dtype=array.dtype.name,
        voxels=workspace.store.blobs.put(encode_voxels(array)),
        window=source.display.channel_windows[0] if source.display else (least, max(most, least + 1.0)),
        value_range=(least, most),
        source=source,
        stratum=new.stratum,
        notes=new.notes,
        added_at=now(),
    )


def imported_annotation(workspace: Workspace, case: Case, incoming: Incoming, blob: str | None) -> Annotation:
    """The record of an annotation that a source brings; `blob` holds its voxels, None for a tag."""
    tag = None if isinstance(incoming.label, Mask) else incoming.label
    return Annotation(
        id=new_id("annotation"),
        case_id=case.id,
        task_id=workspace.task.id,
        annotator_id=incoming.by.id,
        kind="mask" if tag is None else "tag",
        blob=blob,
        tag=tag,
        origin="imported",
        effort_seconds=incoming.effort_seconds,
        created_at=incoming.at or now(),
        untouched=incoming.untouched,
        annotated=incoming.annotated,
    )
